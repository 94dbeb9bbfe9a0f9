# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Bursts of coordinate descent for the lasso; `reference.py` is their specification."""
from cython cimport floating
from libc.math cimport fabs

from ladreg._kernels._check cimport below, index_t, indexes, of, places, starts


cdef void check(bint fits) except *:
    if not fits:
        raise ValueError("arrays of different lengths, not aligned, or with indices that are not there")


cdef bint fit(const double[::1] center, const double[::1] scale, const double[::1] curvature,
              const double[::1] strength, const double[::1] ridge, const Py_ssize_t[::1] features,
              const double[::1] coef, const double[::1] weight, const double[::1] residual) noexcept:
    """Whether the arrays of a burst have one entry per feature or row, and `features` are below their number."""
    cdef Py_ssize_t p = coef.shape[0], n = residual.shape[0]
    return (of(center, p) and of(scale, p) and of(curvature, p) and of(strength, p) and of(ridge, p) and of(coef, p)
            and of(weight, n) and of(residual, n) and places(features, features.shape[0])
            and below(features, features.shape[0], p))


cdef bint columns_fit(const index_t[::1] indices, const index_t[::1] indptr, const Py_ssize_t[::1] features,
                      Py_ssize_t n) noexcept:
    """Whether the columns `features` lie inside `indices`, and their row numbers are in ``0 .. n - 1``.

    Checks all of `indices` in one pass if the columns hold more than a quarter of them.
    """
    cdef long long begin, end, total = 0, size = indices.shape[0]
    cdef Py_ssize_t k
    for k in range(features.shape[0]):
        begin, end = indptr[features[k]], indptr[features[k] + 1]
        if not 0 <= begin <= end <= size:
            return False
        total += end - begin
    if 4 * total > size:
        return indexes(&indices[0], size, n)
    for k in range(features.shape[0]):
        begin, end = indptr[features[k]], indptr[features[k] + 1]
        if not indexes(&indices[0] + begin, end - begin, n):
            return False
    return True


cdef inline double soft_threshold(double z, double strength, bint positive) noexcept nogil:
    if z > strength:
        return z - strength
    if z < -strength and not positive:
        return z + strength
    return 0.0


cdef double dense_dot(const floating* column, Py_ssize_t step, Py_ssize_t n, double center,
                      const double* weight, const double* residual) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    if step == 1:
        for i in range(n):
            total += (column[i] - center) * (weight[i] * residual[i])
    else:
        for i in range(n):
            total += (column[i * step] - center) * (weight[i] * residual[i])
    return total


cdef void dense_axpy(const floating* column, Py_ssize_t step, Py_ssize_t n, double center,
                     double move, double* residual) noexcept nogil:
    cdef Py_ssize_t i
    if step == 1:
        for i in range(n):
            residual[i] -= move * (column[i] - center)
    else:
        for i in range(n):
            residual[i] -= move * (column[i * step] - center)


def dense_burst(const floating[:, :] X, const double[::1] center, const double[::1] scale,
                const double[::1] weight, const double[::1] curvature, const double[::1] strength,
                const double[::1] ridge, bint positive, const Py_ssize_t[::1] features, Py_ssize_t n_epochs,
                double[::1] coef, double[::1] residual):
    """Cycle `n_epochs` times over `features`; update `coef` and `residual` in place.

    The largest |change| * sqrt(curvature) of the last epoch is returned, in units of the objective's square root.
    """
    cdef Py_ssize_t n = X.shape[0]
    cdef Py_ssize_t step = X.strides[0] // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t epoch, k, j
    cdef double largest = 0.0
    cdef double gradient, old, new
    cdef const floating* column
    check(fit(center, scale, curvature, strength, ridge, features, coef, weight, residual))
    check(residual.shape[0] == n and coef.shape[0] == X.shape[1])
    check(n == 0 or coef.shape[0] == 0 or (<size_t> &X[0, 0] % sizeof(floating) == 0
                                           and X.strides[0] % <Py_ssize_t> sizeof(floating) == 0
                                           and X.strides[1] % <Py_ssize_t> sizeof(floating) == 0))
    if n == 0 or X.shape[1] == 0:
        return 0.0
    with nogil:
        for epoch in range(n_epochs):
            largest = 0.0
            for k in range(features.shape[0]):
                j = features[k]
                if curvature[j] + ridge[j] == 0.0:
                    continue
                column = &X[0, j]
                old = coef[j]
                gradient = scale[j] * dense_dot(column, step, n, center[j], &weight[0], &residual[0])
                new = (soft_threshold(gradient + curvature[j] * old, strength[j], positive)
                       / (curvature[j] + ridge[j]))
                if new != old:
                    dense_axpy(column, step, n, center[j], scale[j] * (new - old), &residual[0])
                    coef[j] = new
                    if (new - old) * (new - old) * curvature[j] > largest:
                        largest = (new - old) * (new - old) * curvature[j]
    return largest ** 0.5


cdef double sparse_dot(const floating* column, const index_t* rows, Py_ssize_t size, const double* weight, bint equal,
                       const double* residual) noexcept nogil:
    """The weighted product of a column with the residual; equal weights are read once.

    Four partial sums, or two for unequal weights, do not wait for each other.
    """
    cdef double a = 0.0, b = 0.0, c = 0.0, d = 0.0
    cdef Py_ssize_t t = 0
    if equal:
        while t + 4 <= size:
            a += column[t] * residual[rows[t]]
            b += column[t + 1] * residual[rows[t + 1]]
            c += column[t + 2] * residual[rows[t + 2]]
            d += column[t + 3] * residual[rows[t + 3]]
            t += 4
        while t < size:
            a += column[t] * residual[rows[t]]
            t += 1
        return weight[0] * ((a + b) + (c + d))
    while t + 2 <= size:
        a += column[t] * (weight[rows[t]] * residual[rows[t]])
        b += column[t + 1] * (weight[rows[t + 1]] * residual[rows[t + 1]])
        t += 2
    if t < size:
        a += column[t] * (weight[rows[t]] * residual[rows[t]])
    return a + b


def sparse_burst(const floating[::1] data, const index_t[::1] indices, const index_t[::1] indptr,
                 const double[::1] center, const double[::1] scale, const double[::1] weight,
                 const double[::1] curvature, const double[::1] strength, const double[::1] ridge,
                 bint positive, const Py_ssize_t[::1] features, Py_ssize_t n_epochs, double[::1] coef,
                 double[::1] residual, double shift):
    """Like `dense_burst` for CSC columns, in O(nnz_j) per coordinate.

    The residual in centred columns is `residual + shift`: a move of coefficient j changes `residual` on the
    rows of its nonzeros, and the number `shift` for all rows. Where `center` is not zero it must hold the weighted
    column means, and sum(weight * (residual + shift)) must be zero: the centred gradient then needs no further sum.

    Returns
    -------
    largest, shift : float
    """
    cdef Py_ssize_t epoch, k, j
    cdef long long t
    cdef double largest = 0.0
    cdef double gradient, old, new, move
    cdef bint equal = weight.shape[0] > 0
    cdef Py_ssize_t i
    check(fit(center, scale, curvature, strength, ridge, features, coef, weight, residual))
    check(data.shape[0] == indices.shape[0] and starts(indptr, coef.shape[0])
          and (data.shape[0] == 0 or <size_t> &data[0] % sizeof(floating) == 0))
    check(columns_fit(indices, indptr, features, residual.shape[0]))
    with nogil:
        for i in range(weight.shape[0]):
            if weight[i] != weight[0]:
                equal = False
                break
        for epoch in range(n_epochs):
            largest = 0.0
            for k in range(features.shape[0]):
                j = features[k]
                if curvature[j] + ridge[j] == 0.0:
                    continue
                old = coef[j]
                t = indptr[j]
                gradient = sparse_dot(&data[0] + t, &indices[0] + t, indptr[j + 1] - t, &weight[0], equal, &residual[0])
                gradient = scale[j] * (gradient + shift * center[j])
                new = (soft_threshold(gradient + curvature[j] * old, strength[j], positive)
                       / (curvature[j] + ridge[j]))
                if new != old:
                    move = scale[j] * (new - old)
                    for t in range(indptr[j], indptr[j + 1]):
                        residual[indices[t]] -= move * data[t]
                    shift += move * center[j]
                    coef[j] = new
                    if (new - old) * (new - old) * curvature[j] > largest:
                        largest = (new - old) * (new - old) * curvature[j]
    return largest ** 0.5, shift
