# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The lasso in Gram form: bursts of coordinate descent, and exact steps on the support.

The algorithms are in `gram.h`; `reference.py` is their specification.
"""
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from ladreg._kernels._check cimport below, of, places, table

cdef extern from "gram.h":
    ctypedef struct Lasso:
        Py_ssize_t p, size
        const double *gram
        const double *strength
        double *coef
        double *slope
        Py_ssize_t *support
        double *factor
        double *sign
        double *step
        char *state
        int positive
    Py_ssize_t descend(Lasso *s, Py_ssize_t n_epochs) nogil
    Py_ssize_t c_settle "settle"(Lasso *s, Py_ssize_t max_steps, double tolerance, double *cosine,
                                 double *sine) nogil


def gram_burst(const double[:, ::1] gram, const double[::1] strength, bint positive, Py_ssize_t n_epochs,
               double[::1] coef, double[::1] slope):
    """Cycle `n_epochs` times over the features of a Gram matrix, or until nothing moves.

    `slope` is the gradient of minus the loss at `coef`; both are updated in place.

    Returns
    -------
    int
        Epochs done.
    """
    cdef Lasso s
    cdef Py_ssize_t p = coef.shape[0], done
    if not (table(gram, p, p) and of(strength, p) and of(coef, p) and of(slope, p)):
        raise ValueError("arrays of different lengths, or not aligned")
    if p == 0:
        return min(n_epochs, 1)
    s.p, s.positive = p, positive
    s.gram, s.strength, s.coef, s.slope = &gram[0, 0], &strength[0], &coef[0], &slope[0]
    with nogil:
        done = descend(&s, n_epochs)
    return done


def settle(const double[:, ::1] gram, const double[::1] strength, bint positive, Py_ssize_t max_steps,
           double tolerance, double[::1] coef, double[::1] slope, Py_ssize_t[::1] support, double[:, ::1] factor,
           Py_ssize_t size):
    """Minimise ``coef'gram coef / 2 - b'coef + strength'|coef|``, from `coef`, where `slope` is ``b - gram coef``.

    Newton steps on the support, each cut where the first sign would change; that feature leaves. After a whole step
    the features enter that violate their condition by more than `tolerance`. Columns that depend on those of the
    support take the place of one of them. The first `size` entries of `support` and rows of `factor` are the support
    and the Cholesky factor (lower triangle) of its Gram matrix; all arrays are updated in place.

    Returns
    -------
    size, n_steps : int
        Features in the support, and steps done: fewer than `max_steps` if all conditions hold.
    """
    cdef Lasso s
    cdef Py_ssize_t p = coef.shape[0], k, steps
    cdef double *work
    if not (table(gram, p, p) and of(strength, p) and of(coef, p) and of(slope, p) and places(support, p)
            and table(factor, p, p) and 0 <= size <= p):
        raise ValueError("arrays of different lengths, or not aligned")
    if not below(support, size, p):
        raise ValueError("a feature that is not there")
    if p == 0:
        return 0, 0
    work = <double *> malloc(p * (4 * sizeof(double) + 1))
    if work == NULL:
        raise MemoryError
    s.p, s.size, s.positive = p, size, positive
    s.gram, s.strength, s.coef, s.slope = &gram[0, 0], &strength[0], &coef[0], &slope[0]
    s.support, s.factor = &support[0], &factor[0, 0]
    s.sign, s.step, s.state = work, work + p, <char *> (work + 4 * p)
    memset(s.state, 0, p)
    for k in range(size):
        if s.state[support[k]]:
            free(work)
            raise ValueError("a feature that is there twice")
        s.state[support[k]] = 1
    with nogil:
        steps = c_settle(&s, max_steps, tolerance, work + 2 * p, work + 3 * p)
    free(work)
    return s.size, steps
