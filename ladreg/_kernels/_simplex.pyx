# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""From vertex to vertex of a small piecewise linear problem; `reference.py` is its specification."""
from libc.math cimport fabs, INFINITY

from ladreg._kernels._check cimport below, of, places, table

cdef extern from *:
    """
    #include "compiler.h"
    /* How each residual moves along a direction, `side` times the product of its row with it, and when it crosses zero. */
    CLONES
    static void cross(ptrdiff_t m, ptrdiff_t q, const double *restrict A, const double *restrict direction, double side,
                      const double *restrict residual, double *restrict move, double *restrict when)
    {
        for (ptrdiff_t i = 0; i < m; i++)
            move[i] = side * dot(q, A + i * q, direction);
        for (ptrdiff_t i = 0; i < m; i++) {
            int crosses = (residual[i] > 0) ? move[i] < 0 : move[i] > 0;
            when[i] = crosses ? -residual[i] / move[i] : INFINITY;
        }
    }
    /* The inverse once `row` has taken the place of basic row `out`; `part` is as long as the row. */
    CLONES
    static void exchange(ptrdiff_t q, const double *restrict row, ptrdiff_t out, double *restrict inverse,
                         double *restrict part)
    {
        for (ptrdiff_t k = 0; k < q; k++)
            part[k] = 0.0;
        for (ptrdiff_t j = 0; j < q; j++)
            axpy(q, row[j], inverse + j * q, part);
        for (ptrdiff_t j = 0; j < q; j++) {
            const double value = inverse[j * q + out] / part[out];
            axpy(q, -value, part, inverse + j * q);
            inverse[j * q + out] = value;
        }
    }
    """
    void exchange(Py_ssize_t q, const double *row, Py_ssize_t out, double *inverse, double *part) nogil
    void cross(Py_ssize_t m, Py_ssize_t q, const double *A, const double *direction, double side,
               const double *residual, double *move, double *when) nogil

# A residual of a row that has just become positive.
cdef double TRACE = 1e-300
# More exchanges than anyone waits for.
cdef Py_ssize_t _MOST = 1 << 60


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, or not aligned")


def pivot(const double[:, ::1] A, double[::1] residual, const double[::1] lower, const double[::1] upper,
          double[::1] goal, Py_ssize_t[::1] basis, double[:, ::1] inverse, double[::1] inside,
          double[::1] move, double[::1] when, double tolerance, Py_ssize_t most):
    """Exchange basic rows until the duals of all of them are inside their intervals, `most` times at most.

    A basic row has residual zero; every other one has its dual at `upper` where its residual is positive and at
    `lower` elsewhere. `goal` is what the products of the basic rows with their duals must be, `inverse` that of the
    basic rows; all are updated in place, and the duals of the basic rows are left in `inside`. Each exchange goes as
    far as the objective falls (Barrodale and Roberts 1973, doi 10.1137/0710069). `move` and `when` are as long as
    `residual`; `tolerance` is relative to a row's interval.

    Returns
    -------
    int
        The number of exchanges, -1 where that was not enough or no other row stops one.
    """
    cdef Py_ssize_t m = A.shape[0], q = A.shape[1], i, j, k, out, enter, done
    cdef double worst, violation, side, slope, length, change, value
    check(table(A, m, q) and of(residual, m) and of(lower, m) and of(upper, m) and of(move, m) and of(when, m)
          and of(goal, q) and places(basis, q) and table(inverse, q, q) and of(inside, q) and 0 < q <= m)
    check(below(basis, q, m))
    with nogil:
        for done in range(min(most, _MOST) + 1):
            # 1. The duals of the basic rows, and the one that is farthest outside.
            worst, out, side = tolerance, -1, 0.0
            for k in range(q):
                inside[k] = 0.0
            for j in range(q):
                for k in range(q):
                    inside[k] += inverse[j, k] * goal[j]
            for k in range(q):
                i = basis[k]
                violation = (inside[k] - upper[i]) / (upper[i] - lower[i])
                if violation > worst:
                    worst, out, side = violation, k, 1.0
                violation = (lower[i] - inside[k]) / (upper[i] - lower[i])
                if violation > worst:
                    worst, out, side = violation, k, -1.0
            if out < 0:
                with gil:
                    return done
            # 2. Its residual leaves zero, those of the other basic rows stay: when does each row cross?
            i = basis[out]
            slope = upper[i] - inside[out] if side > 0 else inside[out] - lower[i]
            for j in range(q):
                inside[j] = inverse[j, out]
            cross(m, q, &A[0, 0], &inside[0], side, &residual[0], &move[0], &when[0])
            for k in range(q):
                move[basis[k]] = 0.0
                when[basis[k]] = INFINITY
            # 3. Go on over rows that change sides, while the objective falls.
            while True:
                enter, length = -1, INFINITY
                for i in range(m):
                    if 0 <= when[i] < length:
                        enter, length = i, when[i]
                if enter < 0:
                    break
                change = upper[enter] - lower[enter]
                slope += fabs(move[enter]) * change
                if slope >= 0:
                    break
                change = change if move[enter] > 0 else -change
                for j in range(q):
                    goal[j] -= change * A[enter, j]
                when[enter] = -1.0
            if enter < 0:
                break
            # 4. Residuals there, on the sides that were counted whatever rounding says.
            for i in range(m):
                value = residual[i] + length * move[i]
                if (residual[i] > 0) != (when[i] < 0):
                    residual[i] = value if value > 0 else TRACE
                else:
                    residual[i] = value if value <= 0 else 0.0
            # 5. Exchange the rows.
            value = lower[enter] if move[enter] > 0 else upper[enter]
            i = basis[out]
            residual[i] = (length if length > 0 else TRACE) if side > 0 else -length
            change = upper[i] if side > 0 else lower[i]
            for j in range(q):
                goal[j] += value * A[enter, j] - change * A[i, j]
            residual[enter] = 0.0
            basis[out] = enter
            exchange(q, &A[enter, 0], out, &inverse[0, 0], &when[0])
    return -1
