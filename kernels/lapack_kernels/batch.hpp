#pragma once

#include <cstddef>

// What every native binding solves: `count` problems of size `size`, all memory owned by the caller.
struct Batch {
    std::ptrdiff_t count;            // number of problems
    int size;                        // order n of each matrix
    int threads;                     // size of the OpenMP team
    double *eigenvalues;             // (count, n): the diagonals on entry, ascending eigenvalues on return
    double *off_diagonals;           // (count, n - 1): destroyed
    double *vectors;                 // (count, n, n): row k is the k-th eigenvector
    double *workspaces;              // (threads, workspace_stride)
    std::ptrdiff_t workspace_stride; // at least max(1, 2 n - 2)
    int *infos;                      // (count): what LAPACK reported for each problem
};
