#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include <omp.h>

#include "batch.h"

namespace lapack_kernels {

// Calls solve_chunk(first, last, thread) for every chunk of the batch, in a team of at most batch->threads OpenMP
// threads, the calling thread among them.
template <typename SolveChunk> void each_chunk_in_parallel(const Batch *batch, SolveChunk solve_chunk) {
    std::atomic<std::ptrdiff_t> taken{0};
#pragma omp parallel num_threads(batch->threads)
    {
        // The team may be smaller than asked for (OMP_THREAD_LIMIT). Each thread begins with the chunk of its own number,
        // and so has its share in every call; then it takes whichever chunk is next: the work may be uneven.
        const int thread = omp_get_thread_num();
        const int team = omp_get_num_threads();
        std::ptrdiff_t number = thread;
        while (number * batch->chunk < batch->count) {
            const std::ptrdiff_t first = number * batch->chunk;
            solve_chunk(first, std::min(first + batch->chunk, batch->count), thread);
            number = team + taken.fetch_add(1, std::memory_order_relaxed);
        }
    }
}

// Solves the problem `index` of the batch in the `thread`-th thread of the team.
using SolveOne = void (*)(const Batch *batch, std::ptrdiff_t index, int thread);

// Solves every problem of the batch in such a team.
void solve_in_parallel(const Batch *batch, SolveOne solve_one);

} // namespace lapack_kernels
