# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What the kernels ask of arrays before they touch them. None has no values."""

ctypedef fused index_t:
    int
    long long


cdef inline bint of(const double[::1] values, Py_ssize_t n) noexcept:
    """So many values, in aligned memory."""
    return values.shape[0] == n and (n == 0 or <size_t> &values[0] % sizeof(double) == 0)


cdef inline bint spaced(const double[:] values, Py_ssize_t n) noexcept:
    """The same for values at any distance."""
    return values.shape[0] == n and (n == 0 or <size_t> &values[0] % sizeof(double) == 0) and (
        n < 2 or values.strides[0] % <Py_ssize_t> sizeof(double) == 0)


cdef inline bint table(const double[:, ::1] values, Py_ssize_t n, Py_ssize_t p) noexcept:
    """So many rows and columns, in aligned memory."""
    return values.shape[0] == n and values.shape[1] == p and (
        n == 0 or p == 0 or <size_t> &values[0, 0] % sizeof(double) == 0)


cdef inline bint places(const Py_ssize_t[::1] values, Py_ssize_t n) noexcept:
    """Room for so many indices, in aligned memory."""
    return values.shape[0] == n and (n == 0 or <size_t> &values[0] % sizeof(Py_ssize_t) == 0)


cdef inline bint below(const Py_ssize_t[::1] values, Py_ssize_t first, Py_ssize_t n) noexcept:
    """The `first` of them in ``0 .. n - 1``."""
    cdef Py_ssize_t i
    for i in range(first):
        if not 0 <= values[i] < n:
            return False
    return True


cdef inline bint starts(const index_t[::1] values, Py_ssize_t n) noexcept:
    """So many places where sparse columns or rows begin, and one where the last ends, in aligned memory."""
    return values.shape[0] == n + 1 and <size_t> &values[0] % sizeof(index_t) == 0


cdef inline bint indexes(const index_t* index, Py_ssize_t count, Py_ssize_t n) noexcept nogil:
    """So many indices in ``0 .. n - 1``, in aligned memory."""
    cdef Py_ssize_t t
    cdef unsigned long long wide = 0, last = n - 1
    cdef unsigned int narrow = 0, short_last = min(n - 1, 0x7fffffff)
    if count == 0 or n == 0 or <size_t> index % sizeof(index_t) != 0:
        return count == 0
    # The highest bit of an index below zero is set, and that of ``last - index`` where the index is too large.
    if index_t is int:
        for t in range(count):
            narrow |= <unsigned int> index[t] | (short_last - <unsigned int> index[t])
        return narrow >> 31 == 0
    else:
        for t in range(count):
            wide |= <unsigned long long> index[t] | (last - <unsigned long long> index[t])
        return wide >> 63 == 0
