# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The lasso in Gram form: bursts of coordinate descent, and exact steps on the support.

The algorithms are in `gram.h`; `reference.py` is their specification.
"""
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from ladreg._kernels._check cimport below, of, places, table

cdef extern from "cholesky.h":
    ctypedef struct Factor:
        Py_ssize_t size, stride
        double *values
        double *cosine
        double *sine

cdef extern from "gram.h":
    ctypedef struct Lasso:
        Py_ssize_t p
        const double *gram
        const double *strength
        const unsigned char *known
        int positive
        const double *lower
        const double *upper
        double *coef
        double *slope
        Py_ssize_t *support
        Factor factor
        double *sign
        double *step
        double *solved
        double *begin_coef
        double *begin_slope
        double *moved_slope
        char *state
        int missing
    ctypedef struct Sequence:
        Py_ssize_t n, at, used
        const double *alphas
        const double *unit
        double *strength
        double *coefs
        double *slopes
        Py_ssize_t *n_steps
        Py_ssize_t *done
    Py_ssize_t descend(Lasso *s, Py_ssize_t n_epochs) nogil
    Py_ssize_t c_settle "settle"(Lasso *s, Py_ssize_t max_steps, double tolerance) nogil
    void c_follow "follow"(Lasso *s, Sequence *q, Py_ssize_t max_steps, Py_ssize_t budget, double rounding) nogil

cdef enum:
    ROOM = 9  # work vectors of p numbers


cdef double* work_space(Lasso *s, const Py_ssize_t[::1] support) except NULL:
    """Allocate the work vectors, which the caller frees; the last is for strengths. No feature may be there twice."""
    cdef Py_ssize_t p = s.p, k
    cdef double *work = <double *> malloc(p * (ROOM * sizeof(double) + 1))
    if work == NULL:
        raise MemoryError
    s.sign, s.step, s.solved, s.begin_coef = work, work + p, work + 2 * p, work + 3 * p
    s.begin_slope, s.moved_slope, s.state = work + 4 * p, work + 5 * p, <char *> (work + ROOM * p)
    s.factor.cosine, s.factor.sine = work + 6 * p, work + 7 * p
    memset(s.state, 0, p)
    for k in range(s.factor.size):
        if s.state[support[k]]:
            free(work)
            raise ValueError("a feature that is there twice")
        s.state[support[k]] = 1
    return work


cdef bint set_limits(Lasso *s, const double[::1] lower, const double[::1] upper) noexcept:
    """Whether both limits, where there are any, have an entry for each feature."""
    s.lower = s.upper = NULL
    if lower is None and upper is None:
        return True
    if lower is None or upper is None or not (of(lower, s.p) and of(upper, s.p)):
        return False
    s.lower, s.upper = &lower[0], &upper[0]
    return True


def gram_burst(const double[:, ::1] gram, const double[::1] strength, bint positive, Py_ssize_t n_epochs,
               double[::1] coef, double[::1] slope, const double[::1] lower=None, const double[::1] upper=None):
    """Cycle `n_epochs` times over the features of a Gram matrix, or until no coefficient changes.

    `slope` is the gradient of minus the loss at `coef`; both are updated in place. Coefficients stay within the limits
    `lower` and `upper`, if there are any.

    Returns
    -------
    int
        Number of epochs done.
    """
    cdef Lasso s
    cdef Py_ssize_t p = coef.shape[0], done
    if not (table(gram, p, p) and of(strength, p) and of(coef, p) and of(slope, p)):
        raise ValueError("arrays of different lengths, or not aligned")
    if p == 0:
        return min(n_epochs, 1)
    s.p, s.positive, s.known = p, positive, NULL
    s.gram, s.strength, s.coef, s.slope = &gram[0, 0], &strength[0], &coef[0], &slope[0]
    if not set_limits(&s, lower, upper):
        raise ValueError("limits of another length, or not aligned")
    with nogil:
        done = descend(&s, n_epochs)
    return done


def settle(const double[:, ::1] gram, const double[::1] strength, bint positive, Py_ssize_t max_steps,
           double tolerance, double[::1] coef, double[::1] slope, Py_ssize_t[::1] support, double[:, ::1] factor,
           Py_ssize_t size, const double[::1] lower=None, const double[::1] upper=None):
    """Minimise ``coef'gram coef / 2 - b'coef + strength'|coef|``, from `coef`, where `slope` is ``b - gram coef``.

    Newton steps on the support, each cut where the first coefficient changes its sign or reaches a limit, `lower` or
    `upper` (infinite limits are no limits); the feature of that coefficient leaves. After a
    full step the features enter whose violation is at least a quarter of the worst, if the worst exceeds `tolerance`.
    A column that depends on those of the support replaces one of them. The first `size` entries of `support` and rows
    of `factor` are the support and the Cholesky factor (lower triangle) of its Gram matrix. `coef`, `slope`, `support`
    and `factor` are updated in place.

    Returns
    -------
    size, n_steps : int
        Number of features in the support, and of steps done; all conditions hold if fewer than `max_steps`.
    """
    cdef Lasso s
    cdef Py_ssize_t p = coef.shape[0], steps
    cdef double *work
    if not (table(gram, p, p) and of(strength, p) and of(coef, p) and of(slope, p) and places(support, p)
            and table(factor, p, p) and 0 <= size <= p):
        raise ValueError("arrays of different lengths, or not aligned")
    if not below(support, size, p):
        raise ValueError("a feature that is not there")
    if p == 0:
        return 0, 0
    s.p, s.positive, s.known = p, positive, NULL
    s.gram, s.strength, s.coef, s.slope, s.support = &gram[0, 0], &strength[0], &coef[0], &slope[0], &support[0]
    if not set_limits(&s, lower, upper):
        raise ValueError("limits of another length, or not aligned")
    s.factor.size, s.factor.stride, s.factor.values = size, p, &factor[0, 0]
    work = work_space(&s, support)
    with nogil:
        steps = c_settle(&s, max_steps, tolerance)
    free(work)
    return s.factor.size, steps


cdef bint rows_are_known(const unsigned char[::1] known, const double[::1] coef, const Py_ssize_t[::1] support,
                         Py_ssize_t size) noexcept:
    """Whether the rows of nonzero coefficients and of the support are known."""
    cdef Py_ssize_t j
    for j in range(coef.shape[0]):
        if coef[j] != 0.0 and not known[j]:
            return False
    for j in range(size):
        if not known[support[j]]:
            return False
    return True


def follow(const double[:, ::1] gram, const unsigned char[::1] known, const double[::1] unit, bint positive,
           const double[::1] alphas, Py_ssize_t max_steps, Py_ssize_t budget, double rounding, double[::1] coef,
           double[::1] slope, Py_ssize_t[::1] support, double[:, ::1] factor, Py_ssize_t size, double[:, ::1] coefs,
           double[:, ::1] slopes, Py_ssize_t[::1] n_steps, Py_ssize_t[::1] done, Py_ssize_t at, Py_ssize_t used,
           const double[::1] lower=None, const double[::1] upper=None):
    """`settle` for the penalties ``alpha * unit`` from number `at` on, each from the solution before.

    Where more than ten features, and more than a quarter as many as are in the support, violate their condition, up to
    30 epochs of `gram_burst` come first. Conditions hold to `rounding` times the largest slope. For each penalty a row
    of `coefs` and of `slopes` is written, the number of epochs and steps (at most `max_steps`) to `n_steps`, and to
    `done` whether all conditions hold; instead of values that are not finite, those before the steps are written. Only
    the rows of `gram` with nonzero `known` are read, which must include those of nonzero coefficients and of the
    support. `size`, `at` and `used` are what the previous call returned.

    Returns
    -------
    size, at, used : int
        Number of features in the support; number of the first penalty that is not solved, since `budget` steps were
        done or a row is missing; epochs and steps spent on it.
    is_missing : bool
        Whether the row of a feature is not known that violates its condition by at least a quarter of the worst.
    """
    cdef Lasso s
    cdef Sequence q
    cdef Py_ssize_t p = coef.shape[0], n = alphas.shape[0]
    cdef double *work
    if not (table(gram, p, p) and known.shape[0] == p and of(unit, p) and of(coef, p) and of(slope, p)
            and places(support, p) and table(factor, p, p) and 0 <= size <= p and of(alphas, n) and table(coefs, n, p)
            and table(slopes, n, p) and places(n_steps, n) and places(done, n)):
        raise ValueError("arrays of different lengths, or not aligned")
    if max_steps < 0 or at < 0 or used < 0:
        raise ValueError("numbers below zero")
    if not below(support, size, p):
        raise ValueError("a feature that is not there")
    if not rows_are_known(known, coef, support, size):
        raise ValueError("a feature of the support without its row")
    if p == 0 or at >= n:
        n_steps[at:], done[at:] = 0, 1
        return size, n, 0, False
    s.p, s.positive, s.known, s.missing = p, positive, &known[0], 0
    s.gram, s.coef, s.slope, s.support = &gram[0, 0], &coef[0], &slope[0], &support[0]
    if not set_limits(&s, lower, upper):
        raise ValueError("limits of another length, or not aligned")
    s.factor.size, s.factor.stride, s.factor.values = size, p, &factor[0, 0]
    q.n, q.at, q.used, q.alphas, q.unit = n, at, used, &alphas[0], &unit[0]
    q.coefs, q.slopes, q.n_steps, q.done = &coefs[0, 0], &slopes[0, 0], &n_steps[0], &done[0]
    work = work_space(&s, support)
    s.strength = q.strength = work + 8 * p
    with nogil:
        c_follow(&s, &q, max_steps, budget, rounding)
    free(work)
    return s.factor.size, q.at, q.used, bool(s.missing)
