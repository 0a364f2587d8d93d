#include "callback/loop.hpp"

#include <algorithm>
#include <atomic>

#include <omp.h>

namespace lapack_kernels {

void solve_in_parallel(const Batch *batch, SolveOne solve_one) {
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
            const std::ptrdiff_t last = std::min(first + batch->chunk, batch->count);
            for (std::ptrdiff_t index = first; index < last; ++index) {
                solve_one(batch, index, thread);
            }
            number = team + taken.fetch_add(1, std::memory_order_relaxed);
        }
    }
}

} // namespace lapack_kernels
