# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Passes over residuals: the rows that change sides along a step, and where; `reference.py` is their specification.

Index and value buffers are as long as the residuals; the number of entries written is returned.
"""
from libc.math cimport fabs

from ladreg._kernels._check cimport of, places, spaced


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, or not aligned")


def crossings(const double[::1] residual, const double[::1] moved, const double[:] weight, double reach,
              double[::1] lengths, double[::1] rises):
    """The step lengths below `reach` at which ``residual - length * moved`` becomes zero in a row.

    Each such row adds its length to `lengths` and its ``weight * |moved|`` to `rises`; their number is returned.
    """
    cdef Py_ssize_t n = residual.shape[0], i, count = 0
    check(of(residual, n) and of(moved, n) and spaced(weight, n) and of(lengths, n) and of(rises, n))
    with nogil:
        for i in range(n):
            if residual[i] * moved[i] > 0 and fabs(residual[i]) < reach * fabs(moved[i]):
                lengths[count] = residual[i] / moved[i]
                rises[count] = weight[i] * fabs(moved[i])
                count += 1
    return count


def weighted_select(double[::1] values, double[::1] weights, double goal, double rate=0.0):
    """The smallest v at which ``rate * v`` plus the weights of values up to v reaches `goal`; reorders both arrays.

    Infinity if no v does. Quickselect with three-way partitions about a median of three, so that ties cost nothing.
    """
    cdef Py_ssize_t low = 0, high = values.shape[0], i, left, right
    cdef double pivot, below, at, a, b, c
    check(of(values, high) and of(weights, high))
    with nogil:
        while high > low:
            a, b, c = values[low], values[low + (high - low) // 2], values[high - 1]
            pivot = max(min(a, b), min(max(a, b), c))
            left, right, i = low, high, low
            below, at = 0.0, 0.0
            while i < right:
                a, b = values[i], weights[i]
                if a < pivot:
                    values[i], weights[i] = values[left], weights[left]
                    values[left], weights[left] = a, b
                    below += b
                    left += 1
                    i += 1
                elif a > pivot:
                    right -= 1
                    values[i], weights[i] = values[right], weights[right]
                    values[right], weights[right] = a, b
                else:
                    at += b
                    i += 1
            if goal <= below + rate * pivot and (left > low or rate > 0):
                high = left
            elif goal <= below + at + rate * pivot:
                with gil:
                    return pivot
            else:
                goal -= below + at
                low = right
    return goal / rate if rate > 0 else float("inf")


def advance(double[::1] residual, const double[::1] moved, double length, Py_ssize_t[::1] changed):
    """``residual -= length * moved``; list the rows that became or ceased to be positive, return their number."""
    cdef Py_ssize_t n = residual.shape[0], i, count = 0
    cdef double now
    check(of(residual, n) and of(moved, n) and places(changed, n))
    with nogil:
        for i in range(n):
            now = residual[i] - length * moved[i]
            changed[count] = i
            count += (now > 0) != (residual[i] > 0)
            residual[i] = now
    return count


def crossed(const double[::1] residual, const double[::1] moved, double slack, Py_ssize_t[::1] rows):
    """List the rows where ``residual - moved`` is across zero by more than `slack`; a residual of zero is below."""
    cdef Py_ssize_t n = residual.shape[0], i, count = 0
    cdef double now
    check(of(residual, n) and of(moved, n) and places(rows, n))
    with nogil:
        for i in range(n):
            now = residual[i] - moved[i]
            rows[count] = i
            count += (now < -slack) if residual[i] > 0 else (now > slack)
    return count


def within(const double[::1] residual, double radius, Py_ssize_t[::1] rows):
    """List the rows with ``|residual| <= radius``."""
    cdef Py_ssize_t n = residual.shape[0], i, count = 0
    check(of(residual, n) and places(rows, n))
    with nogil:
        for i in range(n):
            rows[count] = i
            count += fabs(residual[i]) <= radius
    return count


def sides(const double[::1] residual, const double[::1] lengths, double radius, const unsigned char[::1] above,
          Py_ssize_t[::1] near, Py_ssize_t[::1] turned):
    """List the rows with ``|residual| <= radius * lengths``, and those where ``residual > 0`` is not what `above` says.

    Both numbers of rows are returned.
    """
    cdef Py_ssize_t n = residual.shape[0], i, n_near = 0, n_turned = 0
    cdef unsigned char now
    check(of(residual, n) and of(lengths, n) and above.shape[0] == n and places(near, n) and places(turned, n))
    with nogil:
        for i in range(n):
            now = residual[i] > 0
            near[n_near] = turned[n_turned] = i
            n_near += fabs(residual[i]) <= radius * lengths[i]
            n_turned += now != above[i]
    return n_near, n_turned


def off_ends(const double[::1] residual, const double[::1] dual, const double[::1] weight, double lower, double upper,
             Py_ssize_t[::1] rows):
    """List the rows whose dual is not the end of its interval on the residual's side, ``weight * (lower or upper)``.

    The sum of the ends times the residuals is returned after their number.
    """
    cdef Py_ssize_t n = residual.shape[0], i, count = 0
    cdef double end, even = 0.0, odd = 0.0
    check(of(residual, n) and of(dual, n) and of(weight, n) and places(rows, n))
    with nogil:
        for i in range(n):
            end = weight[i] * (upper if residual[i] > 0 else lower)
            rows[count] = i
            count += dual[i] != end
            if i % 2:
                odd += end * residual[i]
            else:
                even += end * residual[i]
    return count, even + odd
