# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Passes over the rows of a dense table, in any memory order; `reference.py` is their specification."""
from cython cimport floating
from libc.math cimport fabs


def column_stats(const floating[:, :] X, double[::1] lowest, double[::1] highest, double[::1] total):
    """Minimum, maximum and sum of absolute values of each column, in one read of X."""
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], i, j
    cdef double low, high, sum_, value
    if n == 0:
        return
    with nogil:
        if X.strides[0] > X.strides[1]:
            for j in range(p):
                lowest[j] = X[0, j]
                highest[j] = X[0, j]
                total[j] = 0.0
            for i in range(n):
                for j in range(p):
                    value = X[i, j]
                    lowest[j] = value if value < lowest[j] else lowest[j]
                    highest[j] = value if value > highest[j] else highest[j]
                    total[j] += fabs(value)
        else:
            for j in range(p):
                low = high = X[0, j]
                sum_ = 0.0
                for i in range(n):
                    value = X[i, j]
                    low = value if value < low else low
                    high = value if value > high else high
                    sum_ += fabs(value)
                lowest[j] = low
                highest[j] = high
                total[j] = sum_


def magnitudes(const floating[:, :] X, const double[::1] shift, const double[::1] weight, double[::1] total):
    """Column sums of ``weight * |x - shift|``, in one read of X."""
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], i, j
    cdef double sum_
    with nogil:
        if X.strides[0] > X.strides[1]:
            for j in range(p):
                total[j] = 0.0
            for i in range(n):
                if weight[i] != 0.0:
                    for j in range(p):
                        total[j] += weight[i] * fabs(X[i, j] - shift[j])
        else:
            for j in range(p):
                sum_ = 0.0
                for i in range(n):
                    sum_ += weight[i] * fabs(X[i, j] - shift[j])
                total[j] = sum_
