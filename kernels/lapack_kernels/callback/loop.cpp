#include "callback/loop.hpp"

#include <omp.h>

// Defined by Cython, in solve.pxi.
extern "C" void lapack_kernels_callback_solve_one(const Batch *batch, std::ptrdiff_t index, int thread);

namespace lapack_kernels::callback {

void solve_in_parallel(const Batch *batch) {
    solve_in_parallel(batch, lapack_kernels_callback_solve_one);
}

void solve_in_parallel(const Batch *batch, SolveOne solve_one) {
    // static: the problems are of equal size, and every thread of the team gets its share in every call.
#pragma omp parallel for num_threads(batch->threads) schedule(static)
    for (std::ptrdiff_t index = 0; index < batch->count; ++index) {
        solve_one(batch, index, omp_get_thread_num());
    }
}

} // namespace lapack_kernels::callback
