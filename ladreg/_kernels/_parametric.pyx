# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The path of a penalised piecewise linear problem from knot to knot.

The algorithms are in `parametric.h` and `long_steps.h`; `reference_parametric.py` is their specification.
"""
from libc.stdlib cimport calloc, free

from ladreg._kernels._check cimport below, of, places, table

cdef extern from "long_steps.h":
    ctypedef struct Crossings:
        double *when
        double *rise
        Py_ssize_t *row
    ctypedef struct Data:
        const double *y
        const double *weight
        const double *strength
        const double *centre
    ctypedef struct Parametric:
        Py_ssize_t n, q, room
        const double *rows
        const double *columns
        Data given
        Data perturbed
        double lower, upper, widening
        Py_ssize_t *kind
        Py_ssize_t size
        Py_ssize_t *basis
        Py_ssize_t *active
        double *sign
        double *inverse
        double *side
        double alpha
        Py_ssize_t n_exchanges, rows_read
        double *coef
        double *dual
        double *residual
        double *slope
        double *rate
        double *fall
        double *step
        double *move
        double *part
        Crossings crossings
        char *is_active
        Py_ssize_t wanted, n_near
        Py_ssize_t *near
        char *is_near
        double reach
        double *wide
    ctypedef struct Output:
        Py_ssize_t room, count
        const double *alphas
        double *knots
        double *coef
        double *dual
        Py_ssize_t *size
        Py_ssize_t *exchanges
        Py_ssize_t *read
    int c_parametric "parametric"(Parametric *s, Output *out, int knots, Py_ssize_t most) nogil
    int c_long_steps "long_steps"(Parametric *s, Output *out, Py_ssize_t most) nogil


cdef double* take(double **rest, Py_ssize_t number) noexcept:
    """Take `number` doubles from the front of the memory that is left."""
    cdef double *taken = rest[0]
    rest[0] += number
    return taken


def parametric(const double[:, ::1] rows, const double[:, ::1] columns, const double[:, ::1] y,
               const double[:, ::1] weight, const double[:, ::1] strength, const double[:, ::1] centre,
               bint widening, double lower, double upper, Py_ssize_t[::1] kind, Py_ssize_t size, Py_ssize_t[::1] basis, Py_ssize_t[::1] active,
               double[::1] sign, double[:, ::1] inverse, double[::1] side, double alpha,
               const double[::1] alphas, double[::1] knots, bint by_long_steps, Py_ssize_t near, double[:, ::1] coef, double[:, ::1] dual,
               Py_ssize_t[::1] sizes, Py_ssize_t[::1] exchanges, Py_ssize_t[::1] read, Py_ssize_t most):
    """Follow ``sum_i weight_i * rho(y_i - rows_i'b) + sum_j width_j |b_j| + alpha * centre'b`` while alpha falls.

    Widths are strengths, times alpha if `widening`. The first rows of `y`, `weight`, `strength` and `centre` are the data as given, the second ones perturbed; `columns` is the
    transpose of `rows`; `kind` is 0 for a penalised column, 1 where its coefficient must be >= 0, 2 for a free column,
    3 for one that is left out. The vertex to begin with has `size` basic rows and active columns, the signs of its
    coefficients, the inverse of its matrix (active columns by basic rows) and, in `side`, 1 for rows above the fit, -1
    below, 0 for basic ones. It is optimal at `alpha`, and all of it is updated in place.

    Answers are written to the rows of `coef` and `dual` (without `widening` less alpha times the weights), the size of each basis to `sizes`, and the numbers of exchanges
    made and rows read before it to `exchanges` and `read`. There is one for each of the alphas, which do not rise, if
    `knots` is None; otherwise one at each knot above ``alphas[0]``, whose alphas go to `knots`, and one there. There
    are at most `most` exchanges. With `by_long_steps` (and `knots` None) they go from one alpha to the next without
    its knots; the vertex to begin with need not be optimal, and the alphas, above zero, may have any order. They follow
    about `near` rows with small residuals along their edges, and all rows where these are not twice as many.

    Returns
    -------
    tuple
        Why it stopped (0: all is solved, 1: no room for answers, 2: `most` exchanges were made, 3: no pivot), the
        number of answers, `size` and `alpha` at the end, the number of exchanges, and the number of rows read.
    """
    cdef Parametric s
    cdef Output out
    cdef Py_ssize_t n = rows.shape[0], q = rows.shape[1], room = inverse.shape[0], count = coef.shape[0], i
    cdef double *work
    cdef double *rest
    cdef int why
    if not (table(rows, n, q) and table(columns, q, n) and table(y, 2, n) and table(weight, 2, n)
            and table(strength, 2, q) and table(centre, 2, q) and places(kind, q) and places(basis, room) and places(active, room)
            and of(sign, room) and table(inverse, room, room) and of(side, n) and table(coef, count, q)
            and table(dual, count, n) and places(sizes, count) and places(exchanges, count) and places(read, count)
            and (of(alphas, count) if knots is None else of(alphas, 1) and of(knots, count) and not by_long_steps)):
        raise ValueError("arrays of different lengths, or not aligned")
    if not (n > 0 and q > 0 and room == min(n, q) and 0 <= size <= room and below(basis, room, n)
            and below(active, room, q) and most >= 0 and near > 0):
        raise ValueError("a number that is out of range")
    if count == 0:
        return 0, 0, size, alpha, 0, 0
    work = <double *> calloc(7 * n + 7 * room + 3 * q + (n + q) // sizeof(double) + 3, sizeof(double))
    if work == NULL:
        raise MemoryError
    rest = work
    s.n, s.q, s.room, s.rows, s.columns = n, q, room, &rows[0, 0], &columns[0, 0]
    s.given.y, s.given.weight, s.given.strength = &y[0, 0], &weight[0, 0], &strength[0, 0]
    s.perturbed.y, s.perturbed.weight, s.perturbed.strength = &y[1, 0], &weight[1, 0], &strength[1, 0]
    s.given.centre, s.perturbed.centre, s.widening = &centre[0, 0], &centre[1, 0], widening
    s.lower, s.upper, s.kind, s.size, s.basis, s.active = lower, upper, &kind[0], size, &basis[0], &active[0]
    s.sign, s.inverse, s.side, s.alpha, s.n_exchanges, s.rows_read = &sign[0], &inverse[0, 0], &side[0], alpha, 0, 0
    s.residual, s.move, s.slope, s.fall = take(&rest, n), take(&rest, n), take(&rest, q), take(&rest, q)
    s.coef, s.rate, s.step, s.part = take(&rest, room), take(&rest, room), take(&rest, room), take(&rest, room)
    s.dual, s.crossings.when, s.crossings.rise = take(&rest, n), take(&rest, n + room), take(&rest, n + room)
    s.crossings.row = <Py_ssize_t *> take(&rest, n + room)
    s.near, s.wide, s.wanted, s.n_near, s.reach = <Py_ssize_t *> take(&rest, n + 1), take(&rest, q), min(near, n), 0, 0.0
    s.is_active = <char *> take(&rest, q // sizeof(double) + 1)
    s.is_near = <char *> take(&rest, n // sizeof(double) + 1)
    for i in range(size):
        s.is_active[active[i]] = 1
    out.room, out.count, out.alphas, out.knots = count, 0, &alphas[0], NULL
    if knots is not None:
        out.knots = &knots[0]
    out.coef, out.dual = &coef[0, 0], &dual[0, 0]
    out.size, out.exchanges, out.read = &sizes[0], &exchanges[0], &read[0]
    with nogil:
        if by_long_steps:
            why = c_long_steps(&s, &out, most)
        else:
            why = c_parametric(&s, &out, out.knots != NULL, most)
    free(work)
    return why, out.count, s.size, s.alpha, s.n_exchanges, s.rows_read
