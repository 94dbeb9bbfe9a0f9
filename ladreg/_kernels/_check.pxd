# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Checks of arrays before the kernels use them. None counts as an array of length 0."""

ctypedef fused index_t:
    int
    long long


cdef inline bint of(const double[::1] values, Py_ssize_t n) noexcept:
    """Whether `values` has n entries, in aligned memory."""
    return values.shape[0] == n and (n == 0 or <size_t> &values[0] % sizeof(double) == 0)


cdef inline bint spaced(const double[:] values, Py_ssize_t n) noexcept:
    """Whether `values` has n entries, contiguous or not, in aligned memory."""
    return values.shape[0] == n and (n == 0 or <size_t> &values[0] % sizeof(double) == 0) and (
        n < 2 or values.strides[0] % <Py_ssize_t> sizeof(double) == 0)


cdef inline bint table(const double[:, ::1] values, Py_ssize_t n, Py_ssize_t p) noexcept:
    """Whether `values` has n rows and p columns, in aligned memory."""
    return values.shape[0] == n and values.shape[1] == p and (
        n == 0 or p == 0 or <size_t> &values[0, 0] % sizeof(double) == 0)


cdef inline bint places(const Py_ssize_t[::1] values, Py_ssize_t n) noexcept:
    """Whether `values` has n indices, in aligned memory."""
    return values.shape[0] == n and (n == 0 or <size_t> &values[0] % sizeof(Py_ssize_t) == 0)


cdef inline bint below(const Py_ssize_t[::1] values, Py_ssize_t first, Py_ssize_t n) noexcept:
    """Whether the first `first` indices are in ``0 .. n - 1``."""
    cdef Py_ssize_t i
    for i in range(first):
        if not 0 <= values[i] < n:
            return False
    return True


cdef inline bint starts(const index_t[::1] values, Py_ssize_t n) noexcept:
    """Whether the `indptr` of n sparse columns or rows has n + 1 entries, in aligned memory."""
    return values.shape[0] == n + 1 and <size_t> &values[0] % sizeof(index_t) == 0


cdef inline bint indexes(const index_t* index, Py_ssize_t count, Py_ssize_t n) noexcept nogil:
    """Whether `count` indices are in ``0 .. n - 1``, in aligned memory."""
    cdef Py_ssize_t t
    cdef unsigned long long wide = 0, last = n - 1
    cdef unsigned int narrow = 0, short_last = min(n - 1, 0x7fffffff)
    if count == 0 or n == 0 or <size_t> index % sizeof(index_t) != 0:
        return count == 0
    # The highest bit is set in an index below zero, and in ``last - index`` where the index is too large.
    if index_t is int:
        for t in range(count):
            narrow |= <unsigned int> index[t] | (short_last - <unsigned int> index[t])
        return narrow >> 31 == 0
    else:
        for t in range(count):
            wide |= <unsigned long long> index[t] | (last - <unsigned long long> index[t])
        return wide >> 63 == 0
