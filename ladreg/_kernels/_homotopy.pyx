# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The path of a lasso from knot to knot.

The algorithm is in `homotopy.h`; `reference.py` is its specification.
"""
from libc.stdlib cimport calloc, free

from ladreg._kernels._check cimport of, places

cdef extern from "cholesky.h":
    ctypedef struct Factor:
        Py_ssize_t size, stride
        double *values
        double *cosine
        double *sine

cdef extern from "homotopy.h":
    ctypedef struct Checkpoint:
        Py_ssize_t *features
        double *coef
        double *sign
        double *factor
        double *residual
        double *slope
        double *rate
    ctypedef struct Homotopy:
        Py_ssize_t n, p, row_step, column_step
        const double *X
        const double *shift
        const double *scale
        const double *root
        const double *y
        const double *strength
        const double *products
        int positive
        Py_ssize_t n_alphas, at
        const double *alphas
        double constant
        Py_ssize_t room, budget, most_knots, used
        double reach
        Py_ssize_t *count
        Py_ssize_t *found
        Py_ssize_t *n_knots
        double *values
        double clear
        unsigned char *uncertain
        double *slope
        double *rate
        double *length
        double *work
        char *pooling
        Py_ssize_t q, pool_room, knots, passed
        Py_ssize_t *pool
        double *columns
        double *pool_slope
        double *pool_rate
        double *bound
        double *coef
        double *sign
        char *inside
        Py_ssize_t *support
        Factor factor
        double *step
        double alpha
        double *residual
        double *residual_rate
        double *dual
        double *dual_rate
        Checkpoint last
        double *passed_alphas
        double *passed_residuals
    void c_homotopy "homotopy"(Homotopy *h) nogil


cdef double* take(double **rest, Py_ssize_t number) noexcept:
    """Take `number` doubles from the front of the memory that is left."""
    cdef double *taken = rest[0]
    rest[0] += number
    return taken


cdef double* work_space(Homotopy *h) except NULL:
    """Allocate the memory of the path, all zero, which the caller frees."""
    cdef Py_ssize_t n = h.n, p = h.p, q = h.pool_room, m = h.room
    cdef Py_ssize_t numbers = 6 * p + q * (n + 5) + 5 * n + m * (2 * m + 2 * n + 7), indices = q + 2 * m
    cdef double *work = <double *> calloc(numbers + indices + (p + q) // sizeof(double) + 1, sizeof(double))
    cdef double *rest = work
    cdef Py_ssize_t *index
    if work == NULL:
        raise MemoryError
    h.slope, h.rate, h.work, h.length = take(&rest, p), take(&rest, p), take(&rest, p), take(&rest, p)
    h.last.slope, h.last.rate, h.last.residual = take(&rest, p), take(&rest, p), take(&rest, n)
    h.columns, h.pool_slope, h.pool_rate, h.bound = take(&rest, q * n), take(&rest, q), take(&rest, q), take(&rest, q)
    h.coef, h.sign = take(&rest, q), take(&rest, q)
    h.residual, h.residual_rate, h.dual, h.dual_rate = take(&rest, n), take(&rest, n), take(&rest, n), take(&rest, n)
    h.factor.values, h.last.factor = take(&rest, m * m), take(&rest, m * m)
    h.step, h.factor.cosine, h.factor.sine = take(&rest, m), take(&rest, m), take(&rest, m)
    h.last.coef, h.last.sign = take(&rest, m), take(&rest, m)
    h.passed_alphas, h.passed_residuals = take(&rest, 2 * m), take(&rest, 2 * m * n)
    rest = work + numbers
    index = <Py_ssize_t *> rest
    h.pool, h.support, h.last.features = index, index + q, index + q + m
    h.pooling = <char *> (rest + indices)
    h.inside = h.pooling + p
    return work


def homotopy(const double[:, :] X, const double[::1] shift, const double[::1] scale, const double[::1] root,
             const double[::1] y, const double[::1] products, const double[::1] strength, bint positive,
             const double[::1] alphas, Py_ssize_t room, Py_ssize_t largest, double reach, Py_ssize_t budget,
             Py_ssize_t most_knots, Py_ssize_t[::1] count, Py_ssize_t[::1] found, double[::1] values,
             Py_ssize_t[::1] n_knots, double clear, double constant, unsigned char[::1] uncertain):
    """Minimise ``|y - Z coef|^2 / 2 + alpha * strength'|coef|`` for all alphas; ``Z = root * (X - shift) * scale``.

    `products` is ``Z'y``; `alphas` do not rise; alphas and strengths are above zero. For each solution the size of its
    support (at most `room`) is written to `count`, its features and coefficients to `found` and `values`, one solution
    after the other, and the number of knots passed before it (at least 1) to `n_knots`. A pool of at most `largest`
    features is watched while alpha falls to the fraction `reach` of itself; a gradient check of all features follows.
    `uncertain` marks every feature whose slope may exceed ``(1 - clear) * alpha * strength`` for any alpha down to the
    last that was solved; it may mark others. A column whose variance is at most `constant` times its mean square ends
    the path where it would enter.

    Returns
    -------
    int
        The number of alphas solved. Not all are if the path takes more than `budget` knots and pools, or more than
        `most_knots` knots before one alpha, the support has no room, or the columns do not determine the path.
    """
    cdef Homotopy h
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], number = alphas.shape[0]
    cdef Py_ssize_t row_step = X.strides[0] // <Py_ssize_t> sizeof(double)
    cdef Py_ssize_t column_step = X.strides[1] // <Py_ssize_t> sizeof(double)
    cdef double *work
    if not (of(shift, p) and of(scale, p) and of(root, n) and of(y, n) and of(products, p) and of(strength, p)
            and of(alphas, number) and places(count, number) and places(found, values.shape[0])
            and of(values, found.shape[0]) and places(n_knots, number) and uncertain.shape[0] == p):
        raise ValueError("arrays of different lengths, or not aligned")
    if n == 0 or p == 0 or number == 0:
        return 0
    if not (<size_t> &X[0, 0] % sizeof(double) == 0
            and X.strides[0] == row_step * <Py_ssize_t> sizeof(double)
            and X.strides[1] == column_step * <Py_ssize_t> sizeof(double) and (row_step == 1 or column_step == 1)):
        raise ValueError("neither rows nor columns are contiguous, or not aligned")
    if not (0 < room <= largest <= p and room <= found.shape[0] // number and 0.0 < reach < 1.0
            and 0.0 <= clear <= 1.0 and constant >= 0.0 and budget >= 0 and most_knots >= 0):
        raise ValueError("a number that is out of range")
    h.n, h.p, h.row_step, h.column_step, h.X = n, p, row_step, column_step, &X[0, 0]
    h.shift, h.scale, h.root, h.y, h.strength = &shift[0], &scale[0], &root[0], &y[0], &strength[0]
    h.products, h.positive, h.n_alphas, h.at, h.alphas = &products[0], positive, number, 0, &alphas[0]
    h.room, h.pool_room, h.budget, h.most_knots, h.reach = room, largest, budget, most_knots, reach
    h.count, h.found, h.values, h.n_knots = &count[0], &found[0], &values[0], &n_knots[0]
    h.clear, h.constant, h.uncertain = clear, constant, &uncertain[0]
    h.q = h.used = h.knots = h.passed = h.factor.size = 0
    h.alpha, h.factor.stride = 0.0, room
    work = work_space(&h)
    with nogil:
        c_homotopy(&h)
    free(work)
    return h.at
