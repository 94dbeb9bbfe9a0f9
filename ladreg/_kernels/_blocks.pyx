# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Columns of a sparse table that share no row, and Gram matrices in blocks; `reference.py` is the specification."""
from libc.stdlib cimport calloc, free

from ladreg._kernels._check cimport index_t, indexes, of, places, spaced, starts, table

# The type of places among the products D x S, of which there are fewer than stored values.
ctypedef fused place_t:
    int
    long long


cdef bint is_csr(const index_t[::1] indices, const index_t[::1] indptr, Py_ssize_t n_rows, Py_ssize_t n_columns) noexcept:
    """Whether these are the indices of a CSR array of n_rows rows and n_columns columns."""
    cdef Py_ssize_t i
    cdef bint ascending = True
    if not starts(indptr, n_rows):
        return False
    for i in range(n_rows):
        ascending = ascending and indptr[i] <= indptr[i + 1]
    if not (ascending and indptr[0] == 0 and indptr[n_rows] == indices.shape[0]):
        return False
    return indices.shape[0] == 0 or indexes(&indices[0], indices.shape[0], n_columns)


cdef void assign(const index_t[::1] rows, const Py_ssize_t* begin, Py_ssize_t n_rows, Py_ssize_t most_rows,
                 Py_ssize_t n_classes, char* taken, Py_ssize_t[::1] label) noexcept nogil:
    """First-fit by columns: column j has the rows ``rows[begin[j]:begin[j + 1]]``."""
    cdef Py_ssize_t j, t, c
    cdef bint is_free
    for j in range(label.shape[0]):
        label[j] = -1
        if begin[j + 1] - begin[j] > most_rows or begin[j + 1] == begin[j]:
            continue
        for c in range(n_classes):
            is_free = True
            for t in range(begin[j], begin[j + 1]):
                if taken[c * n_rows + rows[t]]:
                    is_free = False
                    break
            if is_free:
                for t in range(begin[j], begin[j + 1]):
                    taken[c * n_rows + rows[t]] = 1
                label[j] = c
                break


def disjoint_columns(const index_t[::1] indices, const index_t[::1] indptr, Py_ssize_t most_rows, Py_ssize_t n_classes,
                     index_t[::1] rows, Py_ssize_t[::1] label):
    """Put each column of a CSR array into the first class none of whose columns has a value in the same row.

    `label` gets the number of the class; -1 if all `n_classes` are taken, or if the column has no stored value or more
    than `most_rows`. `rows` is work space for as many row numbers as there are stored values.
    """
    cdef Py_ssize_t n_rows = indptr.shape[0] - 1, n_columns = label.shape[0], i, j, t
    cdef Py_ssize_t* begin
    cdef char* taken
    if n_rows < 0 or not (0 <= n_classes <= 64 and places(label, n_columns)
                          and is_csr(indices, indptr, n_rows, n_columns) and rows.shape[0] == indices.shape[0]
                          and (rows.shape[0] == 0 or <size_t> &rows[0] % sizeof(index_t) == 0)):
        raise ValueError("not the indices of a CSR array, or arrays of other lengths, or not aligned")
    begin = <Py_ssize_t*>calloc(n_columns + 2, sizeof(Py_ssize_t))
    taken = <char*>calloc(n_classes * n_rows + 1, 1)
    if begin == NULL or taken == NULL:
        free(begin)
        free(taken)
        raise MemoryError
    with nogil:
        # begin[j + 1] is first the number of rows of the columns before j, then the next free place of column j, and
        # at the end the first place of column j + 1.
        for t in range(indptr[0], indptr[n_rows]):
            begin[indices[t] + 2] += 1
        for j in range(n_columns):
            begin[j + 2] += begin[j + 1]
        for i in range(n_rows):
            for t in range(indptr[i], indptr[i + 1]):
                j = indices[t]
                rows[begin[j + 1]] = <index_t>i
                begin[j + 1] += 1
        assign(rows, begin, n_rows, most_rows, n_classes, taken, label)
    free(begin)
    free(taken)


cdef bint are_places(const index_t[::1] values, Py_ssize_t count, Py_ssize_t n) noexcept:
    """Whether `values` has `count` entries, in aligned memory, all in ``0 .. n - 1``."""
    return values.shape[0] == count and (count == 0 or indexes(&values[0], count, n))


def block_gram(const double[::1] data, const index_t[::1] indices, const index_t[::1] indptr, const double[:] weight,
               const Py_ssize_t[::1] place, const place_t[::1] position, const place_t[::1] begin, bint border,
               double[::1] diagonal, double[::1] cross, double[:, ::1] inner):
    """Add ``A.T @ diag(weight) @ A`` of a CSR array in three blocks.

    Column j is number ``place[j]`` of the columns S if that is >= 0, and otherwise number ``-1 - place[j]`` of the
    columns D, at most one of which has a value in each row. `diagonal` is the block D x D; `cross` has the stored
    values of the block D x S in CSR order, whose row g begins at ``begin[g]``; `inner` is the block S x S. The product
    of value t with its row's value in D is added at ``cross[position[t]]``; where `position` is empty, `cross` stores
    all of D x S. With `border` the last column of S is one of ones that A does not store; its product with g is the
    last of row g.
    """
    cdef Py_ssize_t n_rows = weight.shape[0], n_columns = place.shape[0], n_separate = diagonal.shape[0]
    cdef Py_ssize_t size = inner.shape[0], i, j, a, b, c, own, last = size - 1
    cdef double value, entry, along
    cdef bint any_cross = cross.shape[0] > 0, is_full = position.shape[0] == 0
    cdef bint fits = table(inner, size, size) and spaced(weight, n_rows) and of(data, indices.shape[0])
    fits = fits and of(diagonal, n_separate) and of(cross, cross.shape[0]) and places(place, n_columns)
    fits = fits and is_csr(indices, indptr, n_rows, n_columns) and starts(begin, n_separate)
    if is_full:
        fits = fits and cross.shape[0] == n_separate * size
    elif any_cross:
        fits = fits and are_places(position, indices.shape[0], cross.shape[0])
    if not fits or (border and size == 0):
        raise ValueError("not a CSR array, or arrays of other lengths, or not aligned")
    for j in range(n_columns):
        fits = fits and -n_separate <= place[j] < size - border
    for j in range(n_separate):
        fits = fits and 0 <= begin[j] <= cross.shape[0] and <Py_ssize_t> begin[j] + border <= begin[j + 1]
        fits = fits and not (is_full and begin[j] != j * size)
    if not fits or begin[0] != 0 or begin[n_separate] != cross.shape[0]:
        raise ValueError("places outside of the blocks")
    with nogil:
        for i in range(n_rows):
            own, along = -1, 0.0
            for a in range(indptr[i], indptr[i + 1]):
                c = place[indices[a]]
                if c < 0:
                    own, along = -1 - c, weight[i] * data[a]
                    diagonal[own] += along * data[a]
            for a in range(indptr[i], indptr[i + 1]):
                c = place[indices[a]]
                if c < 0:
                    continue
                if own >= 0 and any_cross:
                    cross[own * size + c if is_full else position[a]] += along * data[a]
                value = weight[i] * data[a]
                for b in range(indptr[i], a + 1):
                    j = place[indices[b]]
                    if j >= 0:
                        entry = value * data[b]
                        if j <= c:
                            inner[c, j] += entry
                        else:
                            inner[j, c] += entry
                if border:
                    inner[last, c] += value
            if border:
                inner[last, last] += weight[i]
                if own >= 0:
                    cross[begin[own + 1] - 1] += along
        for i in range(size):
            for j in range(i):
                inner[j, i] = inner[i, j]
