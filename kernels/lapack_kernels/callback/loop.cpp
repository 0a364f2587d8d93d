#include "callback/loop.hpp"

namespace lapack_kernels {

void solve_in_parallel(const Batch *batch, SolveOne solve_one) {
    each_chunk_in_parallel(batch, [=](std::ptrdiff_t first, std::ptrdiff_t last, int thread) {
        for (std::ptrdiff_t index = first; index < last; ++index) {
            solve_one(batch, index, thread);
        }
    });
}

} // namespace lapack_kernels
