#include "callback/callback.hpp"

#include "callback/loop.hpp"

// Defined by Cython, in solve.pxi.
extern "C" void lapack_kernels_callback_solve_one(const Batch *batch, std::ptrdiff_t index, int thread);

void solve_with_callback(const Batch *batch) {
    lapack_kernels::solve_in_parallel(batch, lapack_kernels_callback_solve_one);
}
