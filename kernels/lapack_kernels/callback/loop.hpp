#pragma once

#include "batch.hpp"

namespace lapack_kernels::callback {

// Solves every problem of the batch in a team of batch->threads OpenMP threads, the calling thread among them.
void solve_in_parallel(const Batch *batch);

} // namespace lapack_kernels::callback
