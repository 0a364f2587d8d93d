# The same loop as Cython's own `prange`, which calls LAPACK straight from its body: cython/cython#5573.

cdef void solve_in_prange(const Batch *batch) noexcept nogil:
    cdef char want_vectors = b"V"
    cdef int n = batch.size
    cdef int threads = batch.threads
    cdef ptrdiff_t index
    for index in prange(batch.count, num_threads=threads, schedule="static"):
        dstev(
            &want_vectors,
            &n,
            batch.eigenvalues + index * n,
            batch.off_diagonals + index * (n - 1),
            batch.vectors + index * n * n,
            &n,
            batch.workspaces + threadid() * batch.workspace_stride,
            batch.infos + index,
        )


def solve_prange(uintptr_t address, bint release_gil):
    if release_gil:
        with nogil:
            solve_in_prange(<const Batch *>address)
    else:
        solve_in_prange(<const Batch *>address)
