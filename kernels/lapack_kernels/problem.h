#pragma once

#include <assert.h>
#include <string.h>

#include "batch.h"

/* One problem of a batch, from its input to what LAPACK reported: every argument that a driver of LAPACK takes. It lives
 * in its thread's workspace, since the body of a prange has no variables of its own to take the address of. */
struct Problem {
    int n, ldz, lwork, liwork, found, info;
    char jobz, range;
    double zero; /* for vl, vu and abstol: a float of the same bytes is zero too */
    int none;    /* for il and iu */
    void *d, *e, *w, *z, *work;
    int *iwork, *isuppz;
};

static_assert(sizeof(struct Problem) <= PROBLEM_BYTES, "what batch.py leaves for it");

static inline void note_failure(const struct Batch *batch, ptrdiff_t index, int thread, int info) {
    struct Failure *failure = batch->failures + thread;
    if (failure->count++ == 0 || index < failure->index) {
        failure->index = index;
        failure->info = info;
    }
}

/* Copies `count` reals that are `stride` bytes apart; 0 if one of them is a NaN or an infinity. */
static inline int copy_finite(void *to, const char *from, ptrdiff_t stride, int count, int is_single) {
    int finite = 1;
    if (is_single) {
        float *target = (float *)to;
        for (int item = 0; item < count; ++item, from += stride) {
            memcpy(target + item, from, sizeof(float));
            finite &= target[item] - target[item] == 0;
        }
    } else {
        double *target = (double *)to;
        for (int item = 0; item < count; ++item, from += stride) {
            memcpy(target + item, from, sizeof(double));
            finite &= target[item] - target[item] == 0;
        }
    }
    return finite;
}

/* The problem `index`, ready for LAPACK, in the memory of `thread`; NULL if it is noted as failed already. */
static inline struct Problem *problem_begin(const struct Batch *batch, ptrdiff_t index, int thread) {
    const int n = batch->size;
    const ptrdiff_t real = batch->is_single ? sizeof(float) : sizeof(double);
    char *workspace = batch->workspaces + thread * batch->workspace_bytes;
    char *eigenvalues = (char *)batch->eigenvalues + index * n * real;
    struct Problem *problem = (struct Problem *)workspace;

    problem->n = n;
    problem->jobz = batch->wants_vectors ? 'V' : 'N';
    problem->range = 'A';
    problem->zero = 0;
    problem->none = 0;
    /* stev and stevd turn the diagonal into the eigenvalues, stevr destroys it. */
    problem->d = batch->driver == DRIVER_STEVR ? workspace + batch->d_offset : eigenvalues;
    problem->w = eigenvalues;
    problem->e = workspace + batch->e_offset;
    problem->z = batch->wants_vectors ? (char *)batch->vectors + index * n * n * real : eigenvalues;
    problem->ldz = n;
    problem->work = workspace + batch->work_offset;
    problem->lwork = batch->lwork;
    problem->iwork = (int *)(workspace + batch->iwork_offset);
    problem->liwork = batch->liwork;
    problem->isuppz = (int *)(workspace + batch->isuppz_offset);
    problem->found = 0;
    problem->info = 0;

    const char *d = batch->diagonals + index * batch->d_stride_problem;
    const char *e = batch->off_diagonals + index * batch->e_stride_problem;
    if (!copy_finite(problem->d, d, batch->d_stride_item, n, batch->is_single)) {
        note_failure(batch, index, thread, NOT_FINITE_D);
        return NULL;
    }
    if (!copy_finite(problem->e, e, batch->e_stride_item, n - 1, batch->is_single)) {
        note_failure(batch, index, thread, NOT_FINITE_E);
        return NULL;
    }
    return problem;
}

/* Notes what LAPACK reported of it. */
static inline void problem_end(const struct Batch *batch, ptrdiff_t index, int thread, const struct Problem *problem) {
    if (problem->info != 0) {
        note_failure(batch, index, thread, problem->info);
    }
}

/* LAPACK's drivers, for either precision: a pointer to float and one to double are passed alike. */
typedef void (*stev_t)(char *, int *, void *, void *, void *, int *, void *, int *);
typedef void (*stevd_t)(char *, int *, void *, void *, void *, int *, void *, int *, int *, int *, int *);
typedef void (*stevr_t)(
    char *, char *, int *, void *, void *, void *, void *, int *, int *, void *, int *, void *, void *, int *, int *, void *,
    int *, int *, int *, int *
);

/* Solves the problem `index` in the memory of `thread`, with what batch->lapack points to. */
static inline void solve_problem(const struct Batch *batch, ptrdiff_t index, int thread) {
    struct Problem *p = problem_begin(batch, index, thread);
    if (p == NULL) {
        return;
    }
    switch (batch->driver) {
    case DRIVER_STEV:
        ((stev_t)batch->lapack)(&p->jobz, &p->n, p->d, p->e, p->z, &p->ldz, p->work, &p->info);
        break;
    case DRIVER_STEVD:
        ((stevd_t)batch->lapack)(
            &p->jobz, &p->n, p->d, p->e, p->z, &p->ldz, p->work, &p->lwork, p->iwork, &p->liwork, &p->info
        );
        break;
    case DRIVER_STEVR:
        ((stevr_t)batch->lapack)(
            &p->jobz, &p->range, &p->n, p->d, p->e, &p->zero, &p->zero, &p->none, &p->none, &p->zero, &p->found, p->w,
            p->z, &p->ldz, p->isuppz, p->work, &p->lwork, p->iwork, &p->liwork, &p->info
        );
        break;
    }
    problem_end(batch, index, thread, p);
}
