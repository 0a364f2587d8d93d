#pragma once

#include "batch.h"

// Solves every problem of the batch in parallel, each by a call back into Cython.
void solve_with_callback(const Batch *batch);
