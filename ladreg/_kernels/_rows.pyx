# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Passes over the rows of a dense table, each one read of X; `reference.py` is their specification.

X has contiguous rows or contiguous columns. Results are added to, so that a table can be passed in blocks. What every
function does to a row is in `walk.h`.
"""
from cython cimport floating

cdef enum:
    _FORWARD = 1
    _SIDES = 2
    _BACKWARD = 4
    _SIZES = 8

cdef extern from *:
    """
    #include "rows.h"
    /* By type and layout. */
    #define CHOOSE(name)                                                                                               \\
        if (is_float) {                                                                                                \\
            if (by_columns) name##_columns_float((const float *)X, REST); else name##_rows_float((const float *)X, REST); \\
        } else {                                                                                                       \\
            if (by_columns) name##_columns_double((const double *)X, REST); else name##_rows_double((const double *)X, REST); \\
        }
    #define REST n, p, step, shift, coef, y, y_step, offset, weight, w_step, dual, lower, upper, out, slope, size, &total
    static double walk(int flags, int is_float, int by_columns, const void *X, ptrdiff_t n, ptrdiff_t p,
                       ptrdiff_t step, const double *shift, const double *coef, const double *y, ptrdiff_t y_step,
                       double offset, const double *weight, ptrdiff_t w_step, const double *dual, double lower,
                       double upper, double *out, double *slope, double *size)
    {
        double total = 0.0;
        switch (flags) {
        case FORWARD: CHOOSE(forward) break;
        case BACKWARD: CHOOSE(backward) break;
        case FORWARD | SIDES: CHOOSE(sweep) break;
        case FORWARD | BACKWARD: CHOOSE(audit) break;
        case FORWARD | BACKWARD | SIZES: CHOOSE(audit_sizes) break;
        case SIZES: CHOOSE(sizes) break;
        }
        return total;
    }
    #undef REST
    #define REST n, p, step, low, high, total
    static void stats(int is_float, int by_columns, const void *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                      double *low, double *high, double *total)
    {
        CHOOSE(stats)
    }
    """
    double walk(int flags, int is_float, int by_columns, const void *X, Py_ssize_t n, Py_ssize_t p,
                Py_ssize_t step, const double *shift, const double *coef, const double *y, Py_ssize_t y_step,
                double offset, const double *weight, Py_ssize_t w_step, const double *dual, double lower,
                double upper, double *out, double *slope, double *size) nogil
    void stats(int is_float, int by_columns, const void *X, Py_ssize_t n, Py_ssize_t p, Py_ssize_t step,
               double *low, double *high, double *total) nogil


cdef struct Layout:
    int is_float
    int by_columns
    const void *first
    Py_ssize_t n
    Py_ssize_t p
    Py_ssize_t step


cdef Layout layout_of(const floating[:, :] X) except *:
    """Contiguous rows, or contiguous columns, which a single column is as well."""
    cdef Layout layout
    cdef Py_ssize_t width = sizeof(floating)
    layout.is_float = floating is float
    layout.n = X.shape[0]
    layout.p = X.shape[1]
    layout.first = <const void*>&X[0, 0] if layout.n and layout.p else NULL
    layout.by_columns = X.strides[0] == width and (layout.p == 1 or X.strides[1] != width)
    layout.step = (X.strides[1] if layout.by_columns else X.strides[0]) // width
    if not layout.by_columns and X.strides[1] != width:
        raise ValueError("X must have contiguous rows or contiguous columns")
    return layout


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of other lengths than X")


def forward(const floating[:, :] X, const double[::1] shift, const double[::1] coef, const double[:] y,
            double offset, double[::1] out):
    """``out = y - offset - (X - shift) @ coef``."""
    cdef Layout x = layout_of(X)
    check(shift.shape[0] == x.p and coef.shape[0] == x.p and y.shape[0] == x.n and out.shape[0] == x.n)
    if x.n == 0:
        return
    with nogil:
        walk(_FORWARD, x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &shift[0] if x.p else NULL,
             &coef[0] if x.p else NULL, &y[0], y.strides[0] // 8, offset, NULL, 0, NULL, 0, 0, &out[0], NULL, NULL)


def backward(const floating[:, :] X, const double[::1] shift, const double[::1] dual, double[::1] slope):
    """``slope += (X - shift).T @ dual``; the sum of `dual` is returned."""
    cdef Layout x = layout_of(X)
    cdef double total
    check(shift.shape[0] == x.p and slope.shape[0] == x.p and dual.shape[0] == x.n)
    if x.n == 0:
        return 0.0
    with nogil:
        total = walk(_BACKWARD, x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &shift[0] if x.p else NULL, NULL,
                     NULL, 0, 0, NULL, 0, &dual[0], 0, 0, NULL, &slope[0] if x.p else NULL, NULL)
    return total


def sweep(const floating[:, :] X, const double[::1] shift, const double[::1] coef, const double[:] y, double offset,
          const double[:] weight, double lower, double upper, double[::1] out, double[::1] slope):
    """`forward`, and `backward` with the dual ``weight * (upper if out > 0 else lower)``."""
    cdef Layout x = layout_of(X)
    cdef double total
    check(shift.shape[0] == x.p and coef.shape[0] == x.p and y.shape[0] == x.n and weight.shape[0] == x.n)
    check(out.shape[0] == x.n and slope.shape[0] == x.p)
    if x.n == 0:
        return 0.0
    with nogil:
        total = walk(_FORWARD | _SIDES, x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &shift[0] if x.p else NULL,
                     &coef[0] if x.p else NULL, &y[0], y.strides[0] // 8, offset, &weight[0], weight.strides[0] // 8,
                     NULL, lower, upper, &out[0], &slope[0] if x.p else NULL, NULL)
    return total


def audit(const floating[:, :] X, const double[::1] shift, const double[::1] coef, const double[:] y, double offset,
          const double[:] weight, const double[::1] dual, double[::1] out, double[::1] slope, double[::1] size):
    """`forward` and `backward`, and with a `size` that is not None ``size += weight @ |X - shift|``."""
    cdef Layout x = layout_of(X)
    cdef double total
    cdef bint sizes = size is not None
    check(shift.shape[0] == x.p and coef.shape[0] == x.p and y.shape[0] == x.n and weight.shape[0] == x.n)
    check(out.shape[0] == x.n and slope.shape[0] == x.p and dual.shape[0] == x.n)
    check(not sizes or size.shape[0] == x.p)
    if x.n == 0:
        return 0.0
    with nogil:
        total = walk(_FORWARD | _BACKWARD | (_SIZES if sizes else 0), x.is_float, x.by_columns, x.first, x.n, x.p,
                     x.step, &shift[0] if x.p else NULL, &coef[0] if x.p else NULL, &y[0], y.strides[0] // 8, offset,
                     &weight[0], weight.strides[0] // 8, &dual[0], 0, 0, &out[0], &slope[0] if x.p else NULL,
                     &size[0] if sizes and x.p else NULL)
    return total


def magnitudes(const floating[:, :] X, const double[::1] shift, const double[:] weight, double[::1] size):
    """``size += weight @ |X - shift|``."""
    cdef Layout x = layout_of(X)
    check(shift.shape[0] == x.p and size.shape[0] == x.p and weight.shape[0] == x.n)
    if x.n == 0 or x.p == 0:
        return
    with nogil:
        walk(_SIZES, x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &shift[0], NULL, NULL, 0, 0, &weight[0],
             weight.strides[0] // 8, NULL, 0, 0, NULL, NULL, &size[0])


def column_stats(const floating[:, :] X, double[::1] lowest, double[::1] highest, double[::1] total):
    """Lower `lowest`, raise `highest` to the values of each column, add their sizes to `total`; NaN shows there."""
    cdef Layout x = layout_of(X)
    check(lowest.shape[0] == x.p and highest.shape[0] == x.p and total.shape[0] == x.p)
    if x.n == 0 or x.p == 0:
        return
    with nogil:
        stats(x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &lowest[0], &highest[0], &total[0])
