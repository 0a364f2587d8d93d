#pragma once

#include "batch.h"

/* How the compiler has laid out what batch.py lays out by hand, for a test to compare: sizes, and where each field is. */
struct Extent {
    const char *name;
    size_t bytes;
};

#define SIZE(type) {#type, sizeof(struct type)}
#define IN(type, field) {#type "." #field, offsetof(struct type, field)}

static const struct Extent LAYOUT[] = {
    {"PROBLEM_BYTES", PROBLEM_BYTES},
    SIZE(Failure), IN(Failure, index), IN(Failure, count), IN(Failure, info),
    SIZE(Batch),
    IN(Batch, count), IN(Batch, size), IN(Batch, threads), IN(Batch, chunk), IN(Batch, driver), IN(Batch, is_single),
    IN(Batch, wants_vectors), IN(Batch, lwork), IN(Batch, liwork), IN(Batch, diagonals), IN(Batch, d_stride_problem), IN(Batch, d_stride_item),
    IN(Batch, off_diagonals), IN(Batch, e_stride_problem), IN(Batch, e_stride_item), IN(Batch, eigenvalues), IN(Batch, vectors),
    IN(Batch, workspaces), IN(Batch, workspace_bytes), IN(Batch, e_offset), IN(Batch, d_offset), IN(Batch, work_offset),
    IN(Batch, iwork_offset), IN(Batch, isuppz_offset), IN(Batch, failures), IN(Batch, lapack),
};

enum { LAYOUT_LENGTH = sizeof(LAYOUT) / sizeof(LAYOUT[0]) };
