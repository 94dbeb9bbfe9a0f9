# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Equal values found by hashing; `reference.py` is the specification."""
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ladreg._kernels._check cimport of, places


def group(const double[::1] keys, Py_ssize_t[::1] groups, Py_ssize_t[::1] first):
    """Number distinct keys in order of first appearance; `first` gets the place of the first key of each number.

    Returns
    -------
    int
        The number of distinct keys.
    """
    cdef Py_ssize_t n = keys.shape[0], i, other, count = 0
    cdef uint64_t size = 16, slot, bits
    cdef double key
    cdef Py_ssize_t* table
    if not (of(keys, n) and places(groups, n) and places(first, n)):
        raise ValueError("arrays of different lengths, or not aligned")
    while size < <uint64_t>(2 * n):
        size *= 2
    table = <Py_ssize_t*>malloc(size * sizeof(Py_ssize_t))
    if table == NULL:
        raise MemoryError
    with nogil:
        for i in range(<Py_ssize_t>size):
            table[i] = -1
        for i in range(n):
            key = keys[i] + 0.0  # -0.0 is 0.0
            memcpy(&bits, &key, 8)
            bits ^= bits >> 32
            bits *= <uint64_t>0x9E3779B97F4A7C15
            slot = (bits >> 20) & (size - 1)
            while True:
                other = table[slot]
                if other < 0:
                    table[slot] = count
                    first[count] = i
                    groups[i] = count
                    count += 1
                    break
                if keys[first[other]] == key:
                    groups[i] = other
                    break
                slot = (slot + 1) & (size - 1)
    free(table)
    return count
