# The same loop as Cython's own `prange`. It calls LAPACK straight from its body, which cython/cython#5573 needs: it is
# the check for an exception after the call that makes Cython 3.0.0 take the GIL around the loop.

cdef void solve_in_prange(const Batch *batch) noexcept nogil:
    cdef Problem *p
    cdef int threads = batch.threads
    cdef ptrdiff_t index
    for index in prange(batch.count, num_threads=threads, schedule="dynamic", chunksize=batch.chunk):
        p = problem_begin(batch, index, threadid())
        if p != NULL:
            if batch.driver == DRIVER_STEV:
                if batch.is_single:
                    sstev(&p.jobz, &p.n, <s *>p.d, <s *>p.e, <s *>p.z, &p.ldz, <s *>p.work, &p.info)
                else:
                    dstev(&p.jobz, &p.n, <d *>p.d, <d *>p.e, <d *>p.z, &p.ldz, <d *>p.work, &p.info)
            elif batch.driver == DRIVER_STEVD:
                if batch.is_single:
                    sstevd(
                        &p.jobz, &p.n, <s *>p.d, <s *>p.e, <s *>p.z, &p.ldz,
                        <s *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
                    )
                else:
                    dstevd(
                        &p.jobz, &p.n, <d *>p.d, <d *>p.e, <d *>p.z, &p.ldz,
                        <d *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
                    )
            elif batch.is_single:
                sstevr(
                    &p.jobz, &p.range, &p.n, <s *>p.d, <s *>p.e, <s *>&p.zero, <s *>&p.zero, &p.none, &p.none,
                    <s *>&p.zero, &p.found, <s *>p.w, <s *>p.z, &p.ldz, p.isuppz,
                    <s *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
                )
            else:
                dstevr(
                    &p.jobz, &p.range, &p.n, <d *>p.d, <d *>p.e, &p.zero, &p.zero, &p.none, &p.none,
                    &p.zero, &p.found, <d *>p.w, <d *>p.z, &p.ldz, p.isuppz,
                    <d *>p.work, &p.lwork, p.iwork, &p.liwork, &p.info
                )
            problem_end(batch, index, threadid(), p)


def solve_prange(uintptr_t address, bint release_gil):
    if release_gil:
        with nogil:
            solve_in_prange(<const Batch *>address)
    else:
        solve_in_prange(<const Batch *>address)
