#pragma once

#include "layout.h"

/* Solves the problems first <= index < last of the batch, in the memory of `thread`. */
__attribute__((visibility("default"))) void lapack_kernels_solve_range(
    const struct Batch *batch, ptrdiff_t first, ptrdiff_t last, int thread
);

/* Has `extents` point to LAYOUT, and returns its length. */
__attribute__((visibility("default"))) int lapack_kernels_layout(const struct Extent **extents);
