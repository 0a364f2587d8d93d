# A C++ OpenMP loop (loop.cpp) that calls back into Cython for each problem: the case of cython/cython#6107.

cdef extern from "callback/callback.hpp" nogil:
    void solve_with_callback(const Batch *batch)


cdef public void lapack_kernels_callback_solve_one(const Batch *batch, ptrdiff_t index, int thread) noexcept nogil:
    cdef Problem *p = problem_begin(batch, index, thread)
    if p == NULL:
        return
    if batch.driver == DRIVER_STEV:
        if batch.is_single:
            sstev(&p.jobz, &p.n, <s *>p.d, <s *>p.e, <s *>p.z, &p.ldz, <s *>p.work, &p.info)
        else:
            dstev(&p.jobz, &p.n, <d *>p.d, <d *>p.e, <d *>p.z, &p.ldz, <d *>p.work, &p.info)
    elif batch.driver == DRIVER_STEVD:
        if batch.is_single:
            sstevd(
                &p.jobz, &p.n, <s *>p.d, <s *>p.e, <s *>p.z, &p.ldz, <s *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
            )
        else:
            dstevd(
                &p.jobz, &p.n, <d *>p.d, <d *>p.e, <d *>p.z, &p.ldz, <d *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
            )
    elif batch.is_single:
        sstevr(
            &p.jobz, &p.range, &p.n, <s *>p.d, <s *>p.e, <s *>&p.zero, <s *>&p.zero, &p.none, &p.none, <s *>&p.zero,
            &p.found, <s *>p.w, <s *>p.z, &p.ldz, p.isuppz, <s *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
        )
    else:
        dstevr(
            &p.jobz, &p.range, &p.n, <d *>p.d, <d *>p.e, &p.zero, &p.zero, &p.none, &p.none, &p.zero,
            &p.found, <d *>p.w, <d *>p.z, &p.ldz, p.isuppz, <d *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
        )
    problem_end(batch, index, thread, p)


def solve_callback(uintptr_t address, bint release_gil):
    if release_gil:
        with nogil:
            solve_with_callback(<const Batch *>address)
    else:
        solve_with_callback(<const Batch *>address)
