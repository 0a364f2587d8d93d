#include "callback/loop.hpp"

#include <omp.h>

// Defined by Cython, in solve.pxi.
extern "C" void lapack_kernels_callback_solve_one(const Batch *batch, std::ptrdiff_t index, int thread);

namespace lapack_kernels::callback {

void solve_in_parallel(const Batch *batch) {
    // static: the problems are of equal size, and every thread of the team gets its share in every call.
#pragma omp parallel for num_threads(batch->threads) schedule(static)
    for (std::ptrdiff_t index = 0; index < batch->count; ++index) {
        lapack_kernels_callback_solve_one(batch, index, omp_get_thread_num());
    }
}

} // namespace lapack_kernels::callback
