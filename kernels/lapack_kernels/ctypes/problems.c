#include "ctypes/problems.h"

#include "problem.h"

void lapack_kernels_solve_range(const struct Batch *batch, ptrdiff_t first, ptrdiff_t last, int thread) {
    for (ptrdiff_t index = first; index < last; ++index) {
        solve_problem(batch, index, thread);
    }
}

size_t lapack_kernels_sizeof_batch(void) {
    return sizeof(struct Batch);
}
