# struct Batch of batch.hpp, for every Cython binding.

cdef extern from "batch.hpp" nogil:
    cdef struct Batch:
        ptrdiff_t count
        int size
        int threads
        double *eigenvalues
        double *off_diagonals
        double *vectors
        double *workspaces
        ptrdiff_t workspace_stride
        int *infos
