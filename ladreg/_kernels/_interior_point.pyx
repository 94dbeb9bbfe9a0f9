# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Row-wise arithmetic of the interior point method; `reference.py` is its specification.

``a`` and ``s`` are a dual's distances from its lower and upper bound, `under` and `over` their multipliers, ``q`` the
inverse of ``under / a + over / s``; the prefix ``d`` marks a step. All arrays have one length. What a pass can compute
from these is computed again, since a vector of one number a row costs more memory than it saves time.
"""
from ladreg._kernels._check cimport of


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, or not aligned")


cdef struct Right:
    # The inverses of a and s, q, and Mehrotra's right-hand sides: of the two complementarities, and of both.
    double of_a, of_s, q, to_under, to_over, push


cdef inline Right right_hand_side(double a, double s, double under, double over, double residual, double da,
                                  double center) noexcept nogil:
    """Centred, with the second-order term of the predictor's step `da`."""
    cdef Right right
    right.of_a, right.of_s = 1.0 / a, 1.0 / s
    right.q = 1.0 / (under * right.of_a + over * right.of_s)
    right.to_under = center - a * under + da * (under * (1.0 + da * right.of_a))
    right.to_over = center - s * over + da * (over * (da * right.of_s - 1.0))
    right.push = residual - over + under + right.to_under * right.of_a - right.to_over * right.of_s
    return right


def weigh(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over, double[::1] q):
    """Compute ``q``."""
    cdef Py_ssize_t i
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(q, n))
    with nogil:
        for i in range(n):
            q[i] = 1.0 / (under[i] / a[i] + over[i] / s[i])


def predict(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over,
            const double[::1] residual, double bold, double[::1] moved):
    """Replace the predictions `moved` by the step of ``a`` towards complementarity zero.

    Returns
    -------
    float
        Complementarity after the longest step: at most the fraction `bold` of the way to the boundary.
    """
    cdef Py_ssize_t i
    cdef double primal = bold, dual = bold, one = 0, two = 0, three = 0, both = 0
    cdef double step, dunder, dover, ratio, of_a, of_s
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(residual, n) and of(moved, n))
    with nogil:
        for i in range(n):
            of_a, of_s = 1.0 / a[i], 1.0 / s[i]
            step = (residual[i] - moved[i]) / (under[i] * of_a + over[i] * of_s)
            moved[i] = step
            ratio = step * of_s
            primal = ratio if ratio > primal else primal
            dover = over[i] * (ratio - 1.0)
            dual = 1.0 - ratio if 1.0 - ratio > dual else dual
            ratio = -step * of_a
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
            const double[::1] residual, const double[::1] da, double center, double[::1] pushed):
    """Compute q times Mehrotra's right-hand side: centred, with the second-order term of the predictor's step `da`."""
    cdef Py_ssize_t i
    cdef Right right
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(residual, n) and of(da, n) and of(pushed, n))
    with nogil:
        for i in range(n):
            right = right_hand_side(a[i], s[i], under[i], over[i], residual[i], da[i], center)
            pushed[i] = right.q * right.push


def direct(const double[::1] a, const double[::1] s, const double[::1] under, const double[::1] over,
           const double[::1] residual, double center, double bold, double[::1] moved, double[::1] da,
           double[::1] dover):
    """Replace the predictions `moved` by the corrected step of ``a``, and the predictor's step `da` by that of `under`.

    `dover` gets the step of `over`.

    Returns
    -------
    tuple of float
        Step lengths of the dual and of the multipliers: at most 1, and the fraction `bold` of the way to the boundary.
    """
    cdef Py_ssize_t i
    cdef double primal = bold, dual = bold, move, ratio
    cdef Right right
    cdef Py_ssize_t n = a.shape[0]
    check(of(a, n) and of(s, n) and of(under, n) and of(over, n) and of(residual, n)
          and of(moved, n) and of(da, n) and of(dover, n))
    with nogil:
        for i in range(n):
            right = right_hand_side(a[i], s[i], under[i], over[i], residual[i], da[i], center)
            move = right.q * (right.push - moved[i])
            moved[i] = move
            da[i] = (right.to_under - under[i] * move) * right.of_a
            dover[i] = (right.to_over + over[i] * move) * right.of_s
            ratio = -move * right.of_a
            primal = ratio if ratio > primal else primal
            ratio = move * right.of_s
            primal = ratio if ratio > primal else primal
            ratio = -da[i] / under[i]
            dual = ratio if ratio > dual else dual
            ratio = -dover[i] / over[i]
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
