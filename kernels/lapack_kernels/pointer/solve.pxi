# The loop of `prange`, with LAPACK called through a pointer of our own type. What SciPy's declaration says of
# exceptions is not part of it: there is no check after the call, whatever SciPy and Cython are.

ctypedef void (*dstev_t)(
    char *jobz, int *n, double *d, double *e, double *z, int *ldz, double *work, int *info
) noexcept nogil

# As SciPy names it, but for the names of its types: a capsule carries its C signature.
_DSTEV = b"void (char *, int *, d *, d *, d *, int *, d *, int *)"


cdef void solve_through_pointer(const Batch *batch, dstev_t lapack_dstev) noexcept nogil:
    cdef char want_vectors = b"V"
    cdef int n = batch.size
    cdef int threads = batch.threads
    cdef ptrdiff_t index
    for index in prange(batch.count, num_threads=threads, schedule="static"):
        lapack_dstev(
            &want_vectors,
            &n,
            batch.eigenvalues + index * n,
            batch.off_diagonals + index * (n - 1),
            batch.vectors + index * n * n,
            &n,
            batch.workspaces + threadid() * batch.workspace_stride,
            batch.infos + index,
        )


def solve_pointer(uintptr_t address, bint release_gil, dstev):
    name = PyCapsule_GetName(dstev)
    signature = bytes(name).replace(b"__pyx_t_5scipy_6linalg_13cython_lapack_", b"")
    if signature != _DSTEV:
        raise ImportError(f"scipy.linalg.cython_lapack has a dstev that is {signature}, not {_DSTEV}")
    cdef dstev_t lapack_dstev = <dstev_t>PyCapsule_GetPointer(dstev, name)
    if release_gil:
        with nogil:
            solve_through_pointer(<const Batch *>address, lapack_dstev)
    else:
        solve_through_pointer(<const Batch *>address, lapack_dstev)
