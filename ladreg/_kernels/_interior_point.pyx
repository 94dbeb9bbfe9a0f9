# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Row-wise arithmetic of the interior point method; `reference.py` is its specification.

``a`` and ``s`` are a dual's distances from its lower and upper bound, `under` and `over` their multipliers, ``q`` the
inverse of ``under / a + over / s``; the prefix ``d`` marks a step. All arrays have one length.
"""
from ladreg._kernels._check cimport of


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, or not aligned")


def weigh(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over,
          const double[::1] residual, double[::1] q, double[::1] pushed):
    """Compute ``q``, and the predictor's right-hand side ``pushed = q * residual``."""
    cdef Py_ssize_t i
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(residual, n)
          and of(q, n) and of(pushed, n))
    with nogil:
        for i in range(n):
            q[i] = 1.0 / (under[i] / a[i] + over[i] / s[i])
            pushed[i] = q[i] * residual[i]


def predict(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over,
            const double[::1] residual, const double[::1] q, const double[::1] moved, double bold, double[::1] da):
    """Compute the step `da` towards complementarity zero.

    Returns
    -------
    float
        Complementarity after the longest step: at most the fraction `bold` of the way to the boundary.
    """
    cdef Py_ssize_t i
    cdef double primal = bold, dual = bold, one = 0, two = 0, three = 0, both = 0, step, dunder, dover, ratio
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(residual, n)
          and of(q, n) and of(moved, n) and of(da, n))
    with nogil:
        for i in range(n):
            step = q[i] * (residual[i] - moved[i])
            da[i] = step
            ratio = step / s[i]
            primal = ratio if ratio > primal else primal
            dover = over[i] * (ratio - 1.0)
            dual = 1.0 - ratio if 1.0 - ratio > dual else dual
            ratio = -step / a[i]
            primal = ratio if ratio > primal else primal
            dunder = under[i] * (ratio - 1.0)
            dual = 1.0 - ratio if 1.0 - ratio > dual else dual
            both += a[i] * under[i] + s[i] * over[i]
            one += step * (under[i] - over[i])
            two += a[i] * dunder + s[i] * dover
            three += step * (dunder - dover)
    primal = min(1.0, bold / primal)
    dual = min(1.0, bold / dual)
    return both + primal * one + dual * two + primal * dual * three


def correct(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over,
            const double[::1] residual, const double[::1] q, const double[::1] da, double center,
            double[::1] to_under, double[::1] to_over, double[::1] push, double[::1] pushed):
    """Compute Mehrotra's right-hand side: centred, with the predictor's second-order term; ``pushed = q * push``."""
    cdef Py_ssize_t i
    cdef double dunder, dover
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(residual, n)
          and of(q, n) and of(da, n) and of(to_under, n) and of(to_over, n)
          and of(push, n) and of(pushed, n))
    with nogil:
        for i in range(n):
            dunder = -under[i] * (1.0 + da[i] / a[i])
            dover = over[i] * (da[i] / s[i] - 1.0)
            to_under[i] = center - a[i] * under[i] - da[i] * dunder
            to_over[i] = center - s[i] * over[i] + da[i] * dover
            push[i] = residual[i] - over[i] + under[i] + to_under[i] / a[i] - to_over[i] / s[i]
            pushed[i] = q[i] * push[i]


def direct(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over,
           const double[::1] q, const double[::1] push, const double[::1] moved, double bold, double[::1] da,
           double[::1] to_under, double[::1] to_over):
    """Compute the corrected step `da`; the steps of `under` and `over` replace the right-hand sides.

    Returns
    -------
    tuple of float
        Step lengths of the dual and of the multipliers: at most 1, and the fraction `bold` of the way to the boundary.
    """
    cdef Py_ssize_t i
    cdef double primal = bold, dual = bold, move, ratio
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(q, n)
          and of(push, n) and of(moved, n) and of(da, n) and of(to_under, n)
          and of(to_over, n))
    with nogil:
        for i in range(n):
            move = q[i] * (push[i] - moved[i])
            da[i] = move
            to_under[i] = (to_under[i] - under[i] * move) / a[i]
            to_over[i] = (to_over[i] + over[i] * move) / s[i]
            ratio = -move / a[i]
            primal = ratio if ratio > primal else primal
            ratio = move / s[i]
            primal = ratio if ratio > primal else primal
            ratio = -to_under[i] / under[i]
            dual = ratio if ratio > dual else dual
            ratio = -to_over[i] / over[i]
            dual = ratio if ratio > dual else dual
    return min(1.0, bold / primal), min(1.0, bold / dual)


def step(double[::1] a, double[::1] s, double[::1] under, double[::1] over, const double[::1] da,
         const double[::1] dunder, const double[::1] dover, double primal, double dual):
    """Take the step in place; return the complementarity after it."""
    cdef Py_ssize_t i
    cdef double total = 0
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(da, n)
          and of(dunder, n) and of(dover, n))
    with nogil:
        for i in range(n):
            a[i] += primal * da[i]
            s[i] -= primal * da[i]
            under[i] += dual * dunder[i]
            over[i] += dual * dover[i]
            total += a[i] * under[i] + s[i] * over[i]
    return total
