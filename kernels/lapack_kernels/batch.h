#pragma once

#include <stddef.h>

/* What every native binding solves, filled and owned by batch.py. Plain C: C, C++ and Cython all read it. What stands in
 * both is named in layout.h. */

enum Driver { DRIVER_STEV, DRIVER_STEVD, DRIVER_STEVR };

/* In place of LAPACK's info, for a problem that was not given to LAPACK. */
enum NotSolved { NOT_FINITE_D = -1001, NOT_FINITE_E = -1002 };

/* What went wrong in one thread. */
struct Failure {
    ptrdiff_t index; /* the first problem that failed */
    ptrdiff_t count; /* how many did */
    int info;        /* what LAPACK reported for that first one, or NotSolved */
};

/* What a thread's workspace begins with: room for its struct Problem. */
enum { PROBLEM_BYTES = 256 };

struct Batch {
    ptrdiff_t count;   /* number of problems m */
    int size;          /* order n of each matrix */
    int threads;       /* the largest team */
    ptrdiff_t chunk;   /* problems that a thread takes at a time */
    int driver;        /* enum Driver */
    int is_single;     /* float instead of double */
    int wants_vectors; /* or eigenvalues alone */
    int lwork;         /* reals in LAPACK's work */
    int liwork;        /* ints in LAPACK's iwork */

    /* The input, of any strides (in bytes), perhaps unaligned: read only. */
    const char *diagonals;
    ptrdiff_t d_stride_problem, d_stride_item;
    const char *off_diagonals;
    ptrdiff_t e_stride_problem, e_stride_item;

    void *eigenvalues; /* (m, n) */
    void *vectors;     /* (m, n, n): row k is the k-th eigenvector; NULL without */

    /* One for each thread, of whole cache lines: its struct Problem, then what stands at these offsets, a copy of e first. */
    char *workspaces;
    ptrdiff_t workspace_bytes;
    ptrdiff_t e_offset, d_offset, work_offset, iwork_offset, isuppz_offset;

    struct Failure *failures; /* one for each thread */
    void (*lapack)(void);     /* SciPy's function for this driver and precision */
};
