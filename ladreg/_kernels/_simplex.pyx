# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The simplex method for a small piecewise linear problem; `reference.py` is its specification."""
from libc.math cimport fabs, INFINITY

from ladreg._kernels._check cimport below, of, places, table

cdef extern from *:
    """
    #include "compiler.h"
    /* The rate of each residual along a direction, which is side * (row of A)'direction, to `move`; the step length at
       which it crosses zero, or infinity, to `when`. Needs A with m rows of q numbers, and nothing that
       overlaps. Costs m q. */
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
    /* Update the inverse after `row` has replaced basic row `out`; `part` is work space of q numbers. Needs a
       pivot (row)'inverse[out] that is not zero. Costs 2 q^2. */
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

# Residual of a row that counts as positive where rounding leaves zero or less.
cdef double TRACE = 1e-300
# Cap on `most`, so that ``most + 1`` does not overflow.
cdef Py_ssize_t _MOST = 1 << 60


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, or not aligned")


def pivot(const double[:, ::1] A, double[::1] residual, const double[::1] lower, const double[::1] upper,
          double[::1] goal, Py_ssize_t[::1] basis, double[:, ::1] inverse, double[::1] inside,
          double[::1] move, double[::1] when, double tolerance, Py_ssize_t most):
    """Exchange basic rows, at most `most` times, until the duals of all basic rows are inside their intervals.

    A basic row has residual zero; any other row has its dual at `upper` where its residual is positive, and at `lower`
    elsewhere. `goal` is the sum of the basic rows times their duals, `inverse` the inverse of the matrix of basic rows.
    `residual`, `goal`, `basis` and `inverse` are updated in place; the duals of the basic rows are left in `inside`.
    Each exchange goes as far as the objective falls (Barrodale and Roberts 1973, doi 10.1137/0710069). `move` and
    `when` are work space as long as `residual`; `tolerance` is relative to the width of a row's interval.

    Returns
    -------
    int
        The number of exchanges; -1 if `most` were not enough, or no row ends a step.
    """
    cdef Py_ssize_t m = A.shape[0], q = A.shape[1], i, j, k, out, enter, done
    cdef double worst, violation, side, slope, length, change, value
    check(table(A, m, q) and of(residual, m) and of(lower, m) and of(upper, m) and of(move, m) and of(when, m)
          and of(goal, q) and places(basis, q) and table(inverse, q, q) and of(inside, q) and 0 < q <= m)
    check(below(basis, q, m))
    with nogil:
        for done in range(min(most, _MOST) + 1):
            # 1. The duals of the basic rows, and the dual farthest outside its interval.
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
            # 2. The residual of that row leaves zero, those of the other basic rows stay: where does each row cross?
            i = basis[out]
            slope = upper[i] - inside[out] if side > 0 else inside[out] - lower[i]
            for j in range(q):
                inside[j] = inverse[j, out]
            cross(m, q, &A[0, 0], &inside[0], side, &residual[0], &move[0], &when[0])
            for k in range(q):
                move[basis[k]] = 0.0
                when[basis[k]] = INFINITY
            # 3. Pass rows, which change sides, while the objective falls; the row where it would rise enters.
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
            # 4. The residuals after the step, on the sides counted in 3, also where rounding disagrees.
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
