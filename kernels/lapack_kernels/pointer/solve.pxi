# The loop of `callback`, with LAPACK called through pointers of our own types. What SciPy's declarations say of
# exceptions is not part of those: there is no check after the call, whatever SciPy and Cython are.

cdef extern from "callback/loop.hpp" nogil:
    ctypedef void (*SolveOne "lapack_kernels::SolveOne")(const Batch *, ptrdiff_t, int) noexcept nogil
    void solve_in_parallel "lapack_kernels::solve_in_parallel"(const Batch *batch, SolveOne solve_one)

# For either precision: a pointer to float and one to double are passed alike.
ctypedef void (*any_stev)(char *, int *, void *, void *, void *, int *, void *, int *) noexcept nogil
ctypedef void (*any_stevd)(
    char *, int *, void *, void *, void *, int *, void *, int *, int *, int *, int *
) noexcept nogil
ctypedef void (*any_stevr)(
    char *, char *, int *, void *, void *, void *, void *, int *, int *, void *, int *, void *, void *, int *, int *,
    void *, int *, int *, int *, int *
) noexcept nogil


cdef void solve_one_through_pointer(const Batch *batch, ptrdiff_t index, int thread) noexcept nogil:
    cdef Problem *p = problem_begin(batch, index, thread)
    if p == NULL:
        return
    if batch.driver == DRIVER_STEV:
        (<any_stev>batch.lapack)(&p.jobz, &p.n, p.d, p.e, p.z, &p.ldz, p.work, &p.info)
    elif batch.driver == DRIVER_STEVD:
        (<any_stevd>batch.lapack)(
            &p.jobz, &p.n, p.d, p.e, p.z, &p.ldz, p.work, &p.lwork, p.iwork, &p.liwork, &p.info
        )
    else:
        (<any_stevr>batch.lapack)(
            &p.jobz, &p.range, &p.n, p.d, p.e, &p.zero, &p.zero, &p.none, &p.none, &p.zero, &p.found, p.w, p.z,
            &p.ldz, p.isuppz, p.work, &p.lwork, p.iwork, &p.liwork, &p.info
        )
    problem_end(batch, index, thread, p)


def solve_pointer(uintptr_t address, bint release_gil):
    if release_gil:
        with nogil:
            solve_in_parallel(<const Batch *>address, solve_one_through_pointer)
    else:
        solve_in_parallel(<const Batch *>address, solve_one_through_pointer)
