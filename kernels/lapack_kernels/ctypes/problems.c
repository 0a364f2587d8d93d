#include "ctypes/problems.h"

#include "problem.h"

void lapack_kernels_solve_range(const struct Batch *batch, ptrdiff_t first, ptrdiff_t last, int thread) {
    for (ptrdiff_t index = first; index < last; ++index) {
        solve_problem(batch, index, thread);
    }
}

int lapack_kernels_layout(const struct Extent **extents) {
    *extents = LAYOUT;
    return LAYOUT_LENGTH;
}
