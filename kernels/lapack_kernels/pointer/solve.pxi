# The loop of `callback`, with LAPACK called through a pointer of our own type. What SciPy's declaration says of
# exceptions is not part of it: there is no check after the call, whatever SciPy and Cython are.

cdef extern from "callback/loop.hpp" nogil:
    ctypedef void (*SolveOne "lapack_kernels::callback::SolveOne")(const Batch *, ptrdiff_t, int) noexcept nogil
    void solve_each_in_parallel "lapack_kernels::callback::solve_in_parallel"(const Batch *batch, SolveOne)

ctypedef void (*dstev_t)(
    char *jobz, int *n, double *d, double *e, double *z, int *ldz, double *work, int *info
) noexcept nogil

# As SciPy names it, but for the names of its types: a capsule carries its C signature.
_DSTEV = b"void (char *, int *, d *, d *, d *, int *, d *, int *)"
cdef dstev_t lapack_dstev = NULL


cdef void solve_one_through_pointer(const Batch *batch, ptrdiff_t index, int thread) noexcept nogil:
    cdef char want_vectors = b"V"
    cdef int n = batch.size
    lapack_dstev(
        &want_vectors,
        &n,
        batch.eigenvalues + index * n,
        batch.off_diagonals + index * (n - 1),
        batch.vectors + index * n * n,
        &n,
        batch.workspaces + thread * batch.workspace_stride,
        batch.infos + index,
    )


def take_dstev(capsule):
    global lapack_dstev
    name = PyCapsule_GetName(capsule)
    signature = bytes(name).replace(b"__pyx_t_5scipy_6linalg_13cython_lapack_", b"")
    if signature != _DSTEV:
        raise ImportError(f"scipy.linalg.cython_lapack has a dstev that is {signature}, not {_DSTEV}")
    lapack_dstev = <dstev_t>PyCapsule_GetPointer(capsule, name)


def solve_pointer(uintptr_t address, bint release_gil):
    if release_gil:
        with nogil:
            solve_each_in_parallel(<const Batch *>address, solve_one_through_pointer)
    else:
        solve_each_in_parallel(<const Batch *>address, solve_one_through_pointer)
