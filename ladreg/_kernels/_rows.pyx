# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Passes over the rows of a dense table; `reference.py` is their specification.

X has contiguous rows or contiguous columns. Slopes, sizes, totals and Gram matrices are added to, so that a table can
be passed in blocks. The loops are in `row_pass.h`. A shift of None is zero.
"""
from cython cimport floating
from libc.stdlib cimport calloc, free

from ladreg._kernels._check cimport below, index_t, indexes, of, places, spaced, starts, table

cdef enum:
    _FORWARD = 1
    _SIDES = 2
    _BACKWARD = 4
    _SIZES = 8

cdef extern from *:
    """
    #include "rows.h"
    /* Call the routine for the type and layout of X. */
    #define CHOOSE(name)                                                                                               \\
        if (is_float) {                                                                                                \\
            if (by_columns) name##_columns_float((const float *)X, REST); else name##_rows_float((const float *)X, REST); \\
        } else {                                                                                                       \\
            if (by_columns) name##_columns_double((const double *)X, REST); else name##_rows_double((const double *)X, REST); \\
        }
    #define REST n, p, step, shift, coef, y, y_step, offset, weight, w_step, dual, lower, upper, out, slope, size, &total, part
    static double walk(int flags, int is_float, int by_columns, const void *X, ptrdiff_t n, ptrdiff_t p,
                       ptrdiff_t step, const double *shift, const double *coef, const double *y, ptrdiff_t y_step,
                       double offset, const double *weight, ptrdiff_t w_step, const double *dual, double lower,
                       double upper, double *out, double *slope, double *size, double *part)
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
    #define REST n, p, step, low, high, size, sum, part
    static void stats(int is_float, int by_columns, const void *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                      double *low, double *high, double *size, double *sum, double *part)
    {
        CHOOSE(stats)
    }
    #undef REST
    #define REST n, p, step, shift, weight, w_step, total
    static void squares(int is_float, int by_columns, const void *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                        const double *shift, const double *weight, ptrdiff_t w_step, double *total)
    {
        CHOOSE(squares)
    }
    static void products(int is_float, const void *X, ptrdiff_t n, ptrdiff_t row, ptrdiff_t column,
                         const double *shift, const double *root, ptrdiff_t r_step, const ptrdiff_t *chosen,
                         ptrdiff_t q, double *Z, double *gram)
    {
        if (is_float)
            products_float((const float *)X, n, row, column, shift, root, r_step, chosen, q, Z, gram);
        else
            products_double((const double *)X, n, row, column, shift, root, r_step, chosen, q, Z, gram);
    }
    """
    const Py_ssize_t WIDE
    void c_products "products"(int is_float, const void *X, Py_ssize_t n, Py_ssize_t row, Py_ssize_t column,
                               const double *shift, const double *root, Py_ssize_t r_step, const Py_ssize_t *chosen,
                               Py_ssize_t q, double *Z, double *gram) nogil
    double walk(int flags, int is_float, int by_columns, const void *X, Py_ssize_t n, Py_ssize_t p,
                Py_ssize_t step, const double *shift, const double *coef, const double *y, Py_ssize_t y_step,
                double offset, const double *weight, Py_ssize_t w_step, const double *dual, double lower,
                double upper, double *out, double *slope, double *size, double *part) nogil
    void squares(int is_float, int by_columns, const void *X, Py_ssize_t n, Py_ssize_t p, Py_ssize_t step,
                 const double *shift, const double *weight, Py_ssize_t w_step, double *total) nogil
    void stats(int is_float, int by_columns, const void *X, Py_ssize_t n, Py_ssize_t p, Py_ssize_t step,
               double *low, double *high, double *size, double *sum, double *part) nogil


cdef struct Layout:
    int is_float
    int by_columns
    const void *first
    Py_ssize_t n
    Py_ssize_t p
    Py_ssize_t step


cdef Layout layout_of(const floating[:, :] X) except *:
    """Contiguous rows or contiguous columns; a single contiguous column counts as columns."""
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
    if <size_t> layout.first % width or X.strides[0] % width or X.strides[1] % width:
        raise ValueError("X must be aligned")
    return layout


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of other lengths than X, or not aligned")


cdef const double* start(const double[::1] values) noexcept nogil:
    """Address of the first value; NULL for None and for an empty array."""
    return &values[0] if values is not None and values.shape[0] else NULL


cdef double run(int flags, Layout x, const double[::1] shift, const double[::1] coef, const double[:] y, double offset,
                const double[:] weight, const double[::1] dual, double lower, double upper, double[::1] out,
                double[::1] slope, double[::1] size) except? -1.0:
    """Check the arrays and make one pass; arrays that `flags` do not need may be None."""
    cdef double total
    check((shift is None or of(shift, x.p)) and (coef is None or of(coef, x.p)) and (y is None or spaced(y, x.n)))
    check((weight is None or spaced(weight, x.n)) and (dual is None or of(dual, x.n)))
    check((slope is None or of(slope, x.p)) and (size is None or of(size, x.p)) and (out is None or of(out, x.n)))
    check(not flags & _FORWARD or (coef is not None and y is not None and out is not None))
    check(not flags & (_SIDES | _BACKWARD) or slope is not None)
    check(not flags & (_SIDES | _SIZES) or weight is not None)
    check((not flags & _BACKWARD or dual is not None) and (not flags & _SIZES or size is not None))
    if x.n == 0:
        return 0.0
    cdef double* part = <double*>calloc(x.p + 1, sizeof(double))
    if part == NULL:
        raise MemoryError
    cdef const double* targets = &y[0] if y is not None else NULL
    cdef const double* weights = &weight[0] if weight is not None else NULL
    cdef Py_ssize_t y_step = y.strides[0] // 8 if y is not None else 0
    cdef Py_ssize_t w_step = weight.strides[0] // 8 if weight is not None else 0
    with nogil:
        total = walk(flags, x.is_float, x.by_columns, x.first, x.n, x.p, x.step, start(shift), start(coef), targets,
                     y_step, offset, weights, w_step, start(dual), lower, upper, <double*>start(out),
                     <double*>start(slope), <double*>start(size), part)
    free(part)
    return total


def forward(const floating[:, :] X, const double[::1] shift, const double[::1] coef, const double[:] y,
            double offset, double[::1] out):
    """``out = y - offset - (X - shift) @ coef``."""
    run(_FORWARD, layout_of(X), shift, coef, y, offset, None, None, 0, 0, out, None, None)


def backward(const floating[:, :] X, const double[::1] shift, const double[::1] dual, double[::1] slope):
    """``slope += (X - shift).T @ dual``; return the sum of `dual`."""
    return run(_BACKWARD, layout_of(X), shift, None, None, 0, None, dual, 0, 0, None, slope, None)


def sweep(const floating[:, :] X, const double[::1] shift, const double[::1] coef, const double[:] y, double offset,
          const double[:] weight, double lower, double upper, double[::1] out, double[::1] slope):
    """`forward`, then `backward` with the dual ``weight * (upper if out > 0 else lower)``."""
    return run(_FORWARD | _SIDES, layout_of(X), shift, coef, y, offset, weight, None, lower, upper, out, slope, None)


def audit(const floating[:, :] X, const double[::1] shift, const double[::1] coef, const double[:] y, double offset,
          const double[:] weight, const double[::1] dual, double[::1] out, double[::1] slope, double[::1] size):
    """`forward` and `backward`, and ``size += weight @ |X - shift|`` unless `size` is None."""
    cdef int flags = _FORWARD | _BACKWARD if size is None else _FORWARD | _BACKWARD | _SIZES
    return run(flags, layout_of(X), shift, coef, y, offset, weight, dual, 0, 0, out, slope, size)


def magnitudes(const floating[:, :] X, const double[::1] shift, const double[:] weight, double[::1] size):
    """``size += weight @ |X - shift|``."""
    run(_SIZES, layout_of(X), shift, None, None, 0, weight, None, 0, 0, None, None, size)


def curvatures(const floating[:, :] X, const double[::1] center, const double[:] weight, double[::1] total):
    """``total += weight @ (X - center)^2``."""
    cdef Layout x = layout_of(X)
    check(of(center, x.p) and spaced(weight, x.n) and of(total, x.p))
    if x.n == 0 or x.p == 0:
        return
    with nogil:
        squares(x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &center[0], &weight[0], weight.strides[0] // 8,
                &total[0])


def products(const floating[:, :] X, const double[::1] shift, const double[:] root, const Py_ssize_t[::1] features,
             double[:, ::1] gram):
    """``gram += Z.T @ Z`` for the chosen columns Z of ``(X - shift) * root[:, None]``; a root of None is one.

    The gram must be symmetric.
    """
    cdef Layout x = layout_of(X)
    cdef Py_ssize_t q = features.shape[0]
    check((shift is None or of(shift, x.p)) and (root is None or spaced(root, x.n)) and places(features, q))
    check(table(gram, q, q) and below(features, q, x.p))
    if x.n == 0 or q == 0:
        return
    cdef double* Z = <double*>calloc((q + 3) // 4 * 4 * WIDE, sizeof(double))
    if Z == NULL:
        raise MemoryError
    cdef Py_ssize_t row = 1 if x.by_columns else x.step
    cdef Py_ssize_t column = x.step if x.by_columns else 1
    cdef const double* roots = &root[0] if root is not None else NULL
    cdef Py_ssize_t r_step = root.strides[0] // 8 if root is not None else 0
    with nogil:
        c_products(x.is_float, x.first, x.n, row, column, start(shift), roots, r_step, &features[0], q, Z, &gram[0, 0])
    free(Z)


def column_stats(const floating[:, :] X, double[:, ::1] known):
    """Update the minimum, maximum, sum of |x| and sum of x of each column, which are the four rows of `known`.

    NaN shows in the sums only.
    """
    cdef Layout x = layout_of(X)
    check(table(known, 4, x.p))
    if x.n == 0 or x.p == 0:
        return
    cdef double* part = <double*>calloc(x.p, sizeof(double))
    if part == NULL:
        raise MemoryError
    with nogil:
        stats(x.is_float, x.by_columns, x.first, x.n, x.p, x.step, &known[0, 0], &known[1, 0], &known[2, 0],
              &known[3, 0], part)
    free(part)


def sparse_gram(const double[::1] data, const index_t[::1] indices, const index_t[::1] indptr, const double[:] weight,
                double[:, ::1] gram):
    """``gram += A.T @ diag(weight) @ A`` for the rows of a CSR array with ascending indices."""
    cdef Py_ssize_t i, a, b, j
    cdef double value
    cdef bint ascending = True
    cdef Py_ssize_t n_columns = gram.shape[0]
    check(table(gram, n_columns, n_columns) and spaced(weight, weight.shape[0]) and of(data, indices.shape[0]))
    check(starts(indptr, weight.shape[0]))
    for i in range(weight.shape[0]):
        ascending = ascending and indptr[i] <= indptr[i + 1]
    check(ascending and 0 <= indptr[0] and indptr[weight.shape[0]] <= indices.shape[0])
    check(indexes(&indices[0], indices.shape[0], n_columns))
    with nogil:
        for i in range(weight.shape[0]):
            for a in range(indptr[i], indptr[i + 1]):
                j = indices[a]
                value = weight[i] * data[a]
                for b in range(indptr[i], a + 1):
                    gram[j, indices[b]] += value * data[b]
        for i in range(n_columns):
            for j in range(i):
                gram[j, i] = gram[i, j]
