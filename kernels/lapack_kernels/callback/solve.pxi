# A C++ OpenMP loop (loop.cpp) that calls back into Cython for each problem: the case of cython/cython#6107.

cdef extern from "callback/loop.hpp" nogil:
    void solve_in_parallel "lapack_kernels::callback::solve_in_parallel"(const Batch *batch)


cdef public void lapack_kernels_callback_solve_one(const Batch *batch, ptrdiff_t index, int thread) noexcept nogil:
    cdef char want_vectors = b"V"
    cdef int n = batch.size
    dstev(
        &want_vectors,
        &n,
        batch.eigenvalues + index * n,
        batch.off_diagonals + index * (n - 1),
        batch.vectors + index * n * n,
        &n,
        batch.workspaces + thread * batch.workspace_stride,
        batch.infos + index,
    )


def solve_callback(uintptr_t address, bint release_gil):
    if release_gil:
        with nogil:
            solve_in_parallel(<const Batch *>address)
    else:
        solve_in_parallel(<const Batch *>address)
