#pragma once

#include <cstddef>

#include "batch.h"

namespace lapack_kernels {

// Solves the problem `index` of the batch in the `thread`-th thread of the team.
using SolveOne = void (*)(const Batch *batch, std::ptrdiff_t index, int thread);

// Solves every problem of the batch in a team of at most batch->threads OpenMP threads, the calling thread among them.
void solve_in_parallel(const Batch *batch, SolveOne solve_one);

} // namespace lapack_kernels
