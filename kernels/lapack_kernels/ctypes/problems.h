#pragma once

#include "batch.h"

/* Solves the problems first <= index < last of the batch, in the memory of `thread`. */
__attribute__((visibility("default"))) void lapack_kernels_solve_range(
    const struct Batch *batch, ptrdiff_t first, ptrdiff_t last, int thread
);

/* For who lays a struct Batch out by hand. */
__attribute__((visibility("default"))) size_t lapack_kernels_sizeof_batch(void);
