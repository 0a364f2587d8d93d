/* The calls of LAPACK and nothing else: what one thread needs, whoever calls. */
#include <stddef.h>
#include <string.h>

typedef void (*stev_t)(char *, int *, double *, double *, double *, int *, double *, int *);
typedef void (*stevd_t)(
    char *, int *, double *, double *, double *, int *, double *, int *, int *, int *, int *
);
typedef void (*stevr_t)(
    char *, char *, int *, double *, double *, double *, double *, int *, int *, double *, int *, double *,
    double *, int *, int *, double *, int *, int *, int *, int *
);

void bare(
    void *lapack, int driver, ptrdiff_t count, int n, const double *d, const double *e, double *w, double *z,
    double *copy, double *work, int lwork, int *iwork, int liwork, int *isuppz
) {
    char jobz = 'V', range = 'A';
    int info, found, none = 0;
    double zero = 0;
    for (ptrdiff_t i = 0; i < count; ++i) {
        double *diagonal = driver == 2 ? copy + n : w + i * n;
        memcpy(diagonal, d + i * n, n * sizeof(double));
        memcpy(copy, e + i * (n - 1), (n - 1) * sizeof(double));
        double *vectors = z + i * n * n;
        if (driver == 0) {
            ((stev_t)lapack)(&jobz, &n, diagonal, copy, vectors, &n, work, &info);
        } else if (driver == 1) {
            ((stevd_t)lapack)(&jobz, &n, diagonal, copy, vectors, &n, work, &lwork, iwork, &liwork, &info);
        } else {
            ((stevr_t)lapack)(
                &jobz, &range, &n, diagonal, copy, &zero, &zero, &none, &none, &zero, &found, w + i * n,
                vectors, &n, isuppz, work, &lwork, iwork, &liwork, &info
            );
        }
    }
}
