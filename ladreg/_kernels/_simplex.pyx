# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The simplex method for small piecewise linear problems.

The algorithms are in `simplex.h` and `vertex.h`; `reference_simplex.py` is their specification.
"""
from libc.stdlib cimport calloc, free

from ladreg._kernels._check cimport below, of, places, table

cdef extern from "near_rows.h":
    ctypedef struct Crossings:
        double *when
        double *rise
        Py_ssize_t *row
    ctypedef struct Simplex:
        Py_ssize_t m, q
        double *A
        double *residual
        double *lower
        double *upper
        double *width
        double *goal
        Py_ssize_t *basis
        double *inverse
        double *inside
        double *move
        Crossings crossings
    ctypedef struct Factor:
        Py_ssize_t size, stride
        double *values
    ctypedef struct Rows:
        Py_ssize_t n, q
        const double *A
        const double *y
        const double *weight
        const double *linear
        double lower, upper
    ctypedef struct Limits:
        Py_ssize_t steps, per_column, most
        double tolerance, zero
    ctypedef struct Room:
        double *residual
        double *move
        Crossings crossings
        Factor factor
        double *gradient
        double *step
        Simplex chosen
        Py_ssize_t *number
    Py_ssize_t c_pivot "pivot"(Simplex *s, double tolerance, Py_ssize_t most) nogil
    Py_ssize_t solve_vertex(const Rows *p, Room *w, const Limits *limits, int started, double *point,
                            Py_ssize_t *basis, double *dual) nogil
    ctypedef struct Near:
        Py_ssize_t m, q, folds
        const double *A
        const double *y
        const double *residual
        const double *weight
        const double *point
        const double *strength
        const double *hessian
        double lower, upper, tolerance, rounding
    ctypedef struct Space:
        double *columns
        double *moved
        double *step
        double *sum
        unsigned char *side
        Py_ssize_t *penalised
        Crossings order
        double *A
        double *y
        double *weight
        double *dual
        Py_ssize_t *basis
        Factor part
        Room room
    void transpose(const Near *p, double *columns) nogil
    int factorised(const Near *p, Factor *f) nogil
    Py_ssize_t solve_fold(const Near *p, Space *s, const Limits *limits, Py_ssize_t fold, const double *linear,
                          Py_ssize_t rows, double *point) nogil

# Cap on numbers of the caller, so that products with numbers of columns do not overflow, and every call ends.
cdef Py_ssize_t _MOST = 1 << 20


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, or not aligned")


cdef double* take(double **rest, Py_ssize_t number) noexcept:
    """Take `number` doubles, or as many indices, from the front of the memory that is left."""
    cdef double *taken = rest[0]
    rest[0] += number
    return taken


cdef double* room(Py_ssize_t number) except NULL:
    """Memory for `number` doubles or indices."""
    cdef double *work = <double *> calloc(number, sizeof(double))
    if work == NULL:
        raise MemoryError
    return work


cdef bint within(const Py_ssize_t[::1] first, const Py_ssize_t[::1] count, Py_ssize_t n) noexcept:
    """Whether ``first[k] + count[k]`` entries are there, out of n, for each k."""
    cdef Py_ssize_t k
    for k in range(count.shape[0]):
        if not (0 <= count[k] <= n and 0 <= first[k] <= n - count[k]):
            return False
    return True


def pivot(const double[:, ::1] A, double[::1] residual, const double[::1] lower, const double[::1] upper,
          double[::1] goal, Py_ssize_t[::1] basis, double[:, ::1] inverse, double[::1] inside,
          double tolerance, Py_ssize_t most):
    """Exchange basic rows, at most `most` times, until the duals of all basic rows are inside their intervals.

    A basic row has residual zero; any other row has its dual at `upper` where its residual is positive, and at `lower`
    elsewhere. `goal` is the sum of the basic rows times their duals, `inverse` the inverse of the matrix of basic rows.
    `residual`, `goal`, `basis` and `inverse` are updated in place; the duals of the basic rows are left in `inside`.
    Each exchange goes as far as the objective falls (Barrodale and Roberts 1973, doi 10.1137/0710069). `tolerance` is
    relative to the width of a row's interval.

    Returns
    -------
    int
        The number of exchanges; -1 if `most` were not enough, or no row ends a step.
    """
    cdef Py_ssize_t m = A.shape[0], q = A.shape[1], i, done
    cdef Simplex s
    cdef double *work
    cdef double *rest
    check(table(A, m, q) and of(residual, m) and of(lower, m) and of(upper, m) and of(goal, q) and places(basis, q)
          and table(inverse, q, q) and of(inside, q) and 0 < q <= m)
    check(below(basis, q, m))
    work = room(5 * m)
    rest = work
    s.m, s.q, s.A, s.residual, s.lower = m, q, <double *> &A[0, 0], &residual[0], <double *> &lower[0]
    s.upper, s.goal, s.basis, s.inverse = <double *> &upper[0], &goal[0], &basis[0], &inverse[0, 0]
    s.inside, s.move, s.width = &inside[0], take(&rest, m), take(&rest, m)
    s.crossings.when, s.crossings.rise = take(&rest, m), take(&rest, m)
    s.crossings.row = <Py_ssize_t *> take(&rest, m)
    with nogil:
        for i in range(m):
            s.width[i] = upper[i] - lower[i]
        done = c_pivot(&s, tolerance, min(most, _MOST))
    free(work)
    return done


cdef Py_ssize_t room_of(Py_ssize_t largest, Py_ssize_t q) noexcept:
    """How many numbers the work space of a vertex takes, for problems whose rows and columns are `largest` together."""
    return largest * (q + 13) + 2 * q * q + 4 * q


cdef void furnish(Room *w, Py_ssize_t largest, Py_ssize_t q, double **rest) noexcept:
    """Lay out the work space of a vertex in the memory that is left."""
    w.residual, w.move, w.crossings.when = take(rest, largest), take(rest, largest), take(rest, largest)
    w.crossings.rise, w.crossings.row = take(rest, largest), <Py_ssize_t *> take(rest, largest)
    w.gradient, w.step, w.factor.size, w.factor.stride = take(rest, q), take(rest, q), q, q
    w.chosen.A, w.chosen.residual, w.chosen.lower = take(rest, largest * q), take(rest, largest), take(rest, largest)
    w.chosen.upper, w.chosen.width, w.chosen.move = take(rest, largest), take(rest, largest), take(rest, largest)
    w.number, w.chosen.basis = <Py_ssize_t *> take(rest, largest), <Py_ssize_t *> take(rest, largest)
    w.chosen.goal, w.chosen.inside, w.chosen.inverse = take(rest, q), take(rest, q), take(rest, q * q)
    w.factor.values = take(rest, q * q)
    w.chosen.crossings = w.crossings


def vertices(const double[:, ::1] A, const double[::1] y, const double[::1] weight, const double[:, ::1] linear,
             const double[::1] lower, const double[::1] upper, const Py_ssize_t[::1] count,
             const Py_ssize_t[::1] row_at, const Py_ssize_t[::1] y_at, const Py_ssize_t[::1] weight_at,
             const Py_ssize_t[::1] dual_at, const double[:, ::1] factor, double[:, ::1] point,
             Py_ssize_t[:, ::1] basis, double[::1] dual, Py_ssize_t[::1] exchanges, Py_ssize_t steps,
             Py_ssize_t per_column, Py_ssize_t most, double tolerance, double zero):
    """Solve many problems ``sum_i weight_i rho(y_i - x_i'b) - linear'b``, each by descent steps and exchanges.

    Problem k has `count[k]` rows: those of `A` from `row_at[k]` on, with targets from `y_at[k]`, weights from
    `weight_at[k]`; rho has the slopes ``lower[k] < upper[k]``. Problems may share any of these. `factor` is the lower
    triangular Cholesky factor of a matrix ``X'WX`` that all problems have about, and the rows of `point` are starts; or
    `factor` is None, and each problem starts at its weighted least squares fit. The optimal vertex is written to
    `point`, the basic rows, counted from the problem's first, to `basis`, and the dual to `dual` from `dual_at[k]` on.
    There are at most `steps` descent steps; at least `per_column` rows per column, those nearest to the fit, take part
    in at most `most` exchanges; `tolerance` is relative to the width of a dual's interval, and residuals up to `zero`
    have no side.

    Each problem's number of exchanges, or -1 where no vertex was found, is written to `exchanges`.
    """
    cdef Py_ssize_t n = A.shape[0], q = A.shape[1], number = count.shape[0], k, largest = 0
    cdef Rows p
    cdef Room w
    cdef Limits limits
    cdef bint started = factor is not None
    cdef double *work
    cdef double *rest
    check(table(A, n, q) and of(y, y.shape[0]) and of(weight, weight.shape[0]) and of(dual, dual.shape[0])
          and table(linear, number, q) and of(lower, number) and of(upper, number) and places(count, number)
          and places(row_at, number) and places(y_at, number) and places(weight_at, number)
          and places(dual_at, number) and (not started or table(factor, q, q)) and table(point, number, q)
          and basis.shape[0] == number and basis.shape[1] == q and places(exchanges, number) and q > 0)
    check(number == 0 or <size_t> &basis[0, 0] % sizeof(Py_ssize_t) == 0)
    check(within(row_at, count, n) and within(y_at, count, y.shape[0]) and within(weight_at, count, weight.shape[0])
          and within(dual_at, count, dual.shape[0]))
    limits.steps, limits.most = min(steps, _MOST), min(most, _MOST)
    limits.per_column = max(min(per_column, _MOST), 0)
    limits.tolerance, limits.zero = tolerance, zero
    for k in range(number):
        largest = max(largest, count[k])
    largest += q
    work = room(room_of(largest, q))
    rest = work
    furnish(&w, largest, q, &rest)
    if started:
        w.factor.values = <double *> &factor[0, 0]
    p.q = q
    with nogil:
        for k in range(number):
            p.n, p.lower, p.upper, p.linear = count[k], lower[k], upper[k], &linear[k, 0]
            exchanges[k] = -1
            if p.n < q or not p.lower < p.upper:
                continue
            p.A, p.y, p.weight = &A[row_at[k], 0], &y[y_at[k]], &weight[weight_at[k]]
            exchanges[k] = solve_vertex(&p, &w, &limits, started, &point[k, 0], &basis[k, 0], &dual[dual_at[k]])
    free(work)


def near_vertices(const double[:, ::1] A, const double[::1] y, const double[::1] residual,
                  const double[:, ::1] weight, const double[::1] at, const double[::1] strength,
                  const double[:, ::1] hessian, const double[:, ::1] linear, double lower, double upper,
                  double[:, ::1] point, Py_ssize_t[::1] exchanges, Py_ssize_t rows, Py_ssize_t steps,
                  Py_ssize_t per_column, Py_ssize_t most, double tolerance, double zero, double rounding):
    """Solve the folds of a table on the rows `A` near the point `at`, where they have the residuals `residual`.

    Fold k has the weights in column k of `weight`, and `linear[k]` is X'dual of all its rows with each at the end of
    its interval, on its side at that point. A coefficient costs `strength` times its size. `hessian` is that of the
    loss, about. The rows of `point` are starts, from which a Newton step is made; the vertices found are written there.
    `rows` near rows take part beside the penalised coefficients, four times as many in a second attempt; other limits
    are those of `vertices`. `rounding` is that of `linear` in a column of ones, which is also that of a dual.

    Each fold's number of exchanges is written to `exchanges`, or -1 where the vertex is not proved to be the only
    optimum as long as rows that are not near keep their side.
    """
    cdef Py_ssize_t m = A.shape[0], q = A.shape[1], folds = point.shape[0], k, largest
    cdef Near p
    cdef Space s
    cdef Limits limits
    cdef double *work
    cdef double *rest
    check(table(A, m, q) and of(y, m) and of(residual, m) and table(weight, m, folds) and of(at, q) and of(strength, q)
          and table(hessian, q, q) and table(linear, folds, q) and table(point, folds, q)
          and places(exchanges, folds) and 0 < q <= m and folds > 0)
    check(lower < upper)
    rows = max(min(rows, m), 1)
    largest = min(4 * rows, m) + q
    limits.steps, limits.most = min(steps, _MOST), min(most, _MOST)
    limits.per_column = max(min(per_column, _MOST), 0)
    limits.tolerance, limits.zero = tolerance, zero
    work = room(m * q + 5 * m + 4 * q + largest * (q + 3) + q * q + room_of(largest + q, q))
    rest = work
    s.columns, s.moved, s.side = take(&rest, m * q), take(&rest, m), <unsigned char *> take(&rest, m)
    s.order.when, s.order.rise, s.order.row = take(&rest, m), take(&rest, m), <Py_ssize_t *> take(&rest, m)
    s.step, s.sum, s.penalised = take(&rest, q), take(&rest, q), <Py_ssize_t *> take(&rest, q)
    s.basis = <Py_ssize_t *> take(&rest, q)
    s.A, s.y, s.weight, s.dual = (
        take(&rest, largest * q), take(&rest, largest), take(&rest, largest), take(&rest, largest)
    )
    s.part.size, s.part.stride, s.part.values = 0, q, take(&rest, q * q)
    furnish(&s.room, largest + q, q, &rest)
    p.m, p.q, p.folds, p.A, p.y, p.residual = m, q, folds, &A[0, 0], &y[0], &residual[0]
    p.weight, p.point, p.strength, p.hessian = &weight[0, 0], &at[0], &strength[0], &hessian[0, 0]
    p.lower, p.upper, p.tolerance, p.rounding = lower, upper, tolerance, rounding
    with nogil:
        transpose(&p, s.columns)
        for k in range(folds):
            exchanges[k] = -1
        if factorised(&p, &s.room.factor):
            for k in range(folds):
                exchanges[k] = solve_fold(&p, &s, &limits, k, &linear[k, 0], rows, &point[k, 0])
    free(work)
