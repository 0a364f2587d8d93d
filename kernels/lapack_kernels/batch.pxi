# batch.h and problem.h, as far as Cython code reads them.

cdef extern from "batch.h" nogil:
    cdef struct Batch:
        ptrdiff_t count
        int threads
        ptrdiff_t chunk
        int driver
        int is_single
        void (*lapack)() noexcept nogil

    int DRIVER_STEV
    int DRIVER_STEVD
    int DRIVER_STEVR

cdef extern from "problem.h" nogil:
    cdef struct Problem:
        char jobz
        char range
        int n
        int ldz
        int lwork
        int liwork
        int found
        int info
        int none
        double zero
        void *d
        void *e
        void *w
        void *z
        void *work
        int *iwork
        int *isuppz

    Problem *problem_begin(const Batch *, ptrdiff_t index, int thread) noexcept
    void problem_end(const Batch *, ptrdiff_t index, int thread, const Problem *) noexcept
