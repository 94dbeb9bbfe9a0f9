# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Ratios of slopes to strengths for many solutions, one row each, in one read of the slopes.

The algorithms are in `dual_norms.h`; `reference.py` is their specification.
"""
from ladreg._kernels._check cimport of, places, table

cdef extern from "dual_norms.h":
    double largest_part(Py_ssize_t p, const double *slope, const double *strength, int positive,
                        Py_ssize_t *where) nogil
    Py_ssize_t c_reaching "reaching"(Py_ssize_t p, const double *slope, const double *strength, int positive,
                                     double edge, Py_ssize_t room, Py_ssize_t *features) nogil


def largest_parts(const double[:, ::1] slope, const double[::1] strength, bint positive, double[::1] part,
                  Py_ssize_t[::1] where):
    """The largest ``|slope| / strength`` of each row (of positive slopes only where `positive`), and its feature.

    NaN is larger than any number; the feature is 0 where all slopes are zero.
    """
    cdef Py_ssize_t n = slope.shape[0], p = slope.shape[1], k
    if not (table(slope, n, p) and of(strength, p) and of(part, n) and places(where, n)):
        raise ValueError("arrays of different lengths, or not aligned")
    if p == 0:
        part[:], where[:] = 0.0, 0
        return
    with nogil:
        for k in range(n):
            part[k] = largest_part(p, &slope[k, 0], &strength[0], positive, &where[k])


def reaching(const double[:, ::1] slope, const double[::1] strength, bint positive, const double[::1] edge,
             Py_ssize_t[::1] counts, Py_ssize_t[::1] features):
    """The features with ``|slope| >= edge * strength`` in each row, and their number per row; one `edge` per row.

    Returns
    -------
    int
        The sum of `counts`. Features that find no room in `features` are not written.
    """
    cdef Py_ssize_t n = slope.shape[0], p = slope.shape[1], room = features.shape[0], total = 0, k
    if not (table(slope, n, p) and of(strength, p) and of(edge, n) and places(counts, n) and places(features, room)):
        raise ValueError("arrays of different lengths, or not aligned")
    if p == 0:
        counts[:] = 0
        return 0
    with nogil:
        for k in range(n):
            counts[k] = c_reaching(p, &slope[k, 0], &strength[0], positive, edge[k], max(room - total, 0),
                                   &features[0] + min(total, room) if room else NULL)
            total += counts[k]
    return total
