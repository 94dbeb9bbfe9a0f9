"""Sparse tables of groups: many columns no two of which share a row, such as the dummies of one factor.

Their block of any Gram matrix ``Z' diag(weight) Z`` is diagonal. With D these columns and S the others (the
intercept's column included) a system is solved through the Schur complement of D, a dense matrix of S alone. The
pattern depends on which values are stored, so that it is found once for all weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import BLOCK, Array, Index, cholesky_solver, is_definite, is_regular
from ladreg._kernels import _blocks, _rows
from ladreg._tolerances import AT_END

# Columns are put into at most 6 classes, and the class with most columns is D.
_CLASSES = 6
# A column with values in more than a quarter of the rows is never in D.
_MOST_ROWS = 0.25
# D has at least 32 columns: with fewer it does not pay for its bookkeeping.
_LEAST = 32
# D has at least 0.5 times as many columns as S, for the same reason.
_PART = 0.5
# Mark pairs of columns in a table of D x S where that has at most 4 entries per stored value; sort the pairs otherwise.
_TABLE = 4
# Squared lengths of columns above tiny / eps have all their digits; shorter columns of D are left out.
_NORMAL = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)
# Eigenvalues below 1e-13 of the largest count as zero in a Schur complement that is not regular.
_SINGULAR = 1e-13


@dataclass(frozen=True)
class BlockPattern:
    """D, S, and which columns of S share a row with each column of D.

    Attributes
    ----------
    separate, others
        The columns of D and of S, ascending; the intercept's is last in S.
    place
        Number ``place[j]`` of S, or ``-1 - place[j]`` of D, of each feature.
    border
        Whether the last column of S is the intercept's.
    position, indices, begin
        The products D x S that may differ from zero: CSR indices, and the place in them of each stored value of X.
        There are no places, which would be one number a stored value, where all products may differ from zero.
    """

    separate: Index
    others: Index
    place: Index
    border: bool
    position: Any
    indices: Any
    begin: Any

    @classmethod
    def of(cls, X: sp.csr_array, border: bool) -> BlockPattern | None:
        """The pattern of a CSR array, None where few columns are disjoint."""
        n_samples, n_features = X.shape
        if n_features < _LEAST:
            return None
        label = np.empty(n_features, dtype=np.intp)
        _blocks.disjoint_columns(
            X.indices, X.indptr, int(_MOST_ROWS * n_samples), _CLASSES, np.empty_like(X.indices), label
        )
        sizes = np.bincount(label[label >= 0], minlength=1)
        # A column without values shares no row with any other.
        empty = np.bincount(X.indices, minlength=n_features) == 0
        is_separate = (label == int(np.argmax(sizes))) | empty
        separate, others = np.flatnonzero(is_separate), np.flatnonzero(~is_separate)
        if sizes.max() < max(_LEAST, _PART * (others.size + border)):
            return None
        place = np.where(is_separate, -np.cumsum(is_separate), np.cumsum(~is_separate) - 1)
        others = np.append(others, n_features) if border else others
        position, indices, begin = _pairs(X, place, separate.size, others.size, border)
        return cls(separate, others, place, border, position, indices, begin)

    @property
    def n_columns(self) -> int:
        """Number of columns, the intercept's included."""
        return int(self.separate.size + self.others.size)

    def gram(self, X: sp.csr_array, scale: Array, weight: Array) -> BlockGram:
        """The Gram matrix of the columns of X times `scale`, with a weight per row."""
        n_separate, size = self.separate.size, self.others.size
        diagonal, cross, inner = np.zeros(n_separate), np.zeros(self.indices.size), np.zeros((size, size))
        _blocks.block_gram(
            X.data,
            X.indices,
            X.indptr,
            weight,
            self.place,
            self.position,
            self.begin,
            self.border,
            diagonal,
            cross,
            inner,
        )
        of_separate, of_others = scale[self.separate], np.ones(size)
        of_others[: size - self.border] = scale[self.others[: size - self.border]]
        cross *= np.repeat(of_separate, np.diff(self.begin)) * of_others[self.indices]
        inner *= of_others
        inner *= of_others[:, None]
        return BlockGram(self.separate, self.others, diagonal * of_separate**2, self._cross(cross), inner)

    def groups(self, X: sp.csr_array, scale: Array, index: Index) -> tuple[Index, Array]:
        """The chosen rows of X times `scale`: number and value of the column of D, -1 and 0 where there is none."""
        group, value = np.full(index.size, -1), np.zeros(index.size)
        for first, row, column, entry in self._blocks_of(X, scale, index):
            inside = (column < 0) & (entry != 0)
            group[first + row[inside]], value[first + row[inside]] = -1 - column[inside], entry[inside]
        return group, value

    def rows(self, X: sp.csr_array, scale: Array, index: Index) -> tuple[Index, Array, sp.csr_array]:
        """`groups`, and the values in S."""
        n_rows, border = index.size, int(self.border)
        begin = np.zeros(n_rows + 1, dtype=X.indptr.dtype)
        for first, row, column, _ in self._blocks_of(X, scale, index):
            length = min(BLOCK, n_rows - first)
            begin[first + 1 : first + length + 1] = np.bincount(row[column >= 0], minlength=length) + border
        np.cumsum(begin, out=begin)
        data, columns = np.ones(begin[-1]), np.full(begin[-1], self.others.size - 1, dtype=X.indices.dtype)
        for first, row, column, entry in self._blocks_of(X, scale, index):
            other = np.flatnonzero(column >= 0)
            # Each row before has one entry more than its values in S where there is an intercept: that of its column.
            place = begin[first] + np.arange(other.size) + border * row[other]
            data[place], columns[place] = entry[other], column[other]
        rest = sp.csr_array((data, columns, begin), shape=(n_rows, self.others.size))
        return *self.groups(X, scale, index), rest

    def _blocks_of(self, X: sp.csr_array, scale: Array, index: Index) -> Iterator[tuple[int, Index, Index, Array]]:
        """Blocks of the chosen rows: the first row's number; and of each value its row there, its place, and it."""
        for first in range(0, index.size, BLOCK):
            rows = index[first : first + BLOCK]
            whole = index.size == X.shape[0]
            chosen = X[first : first + rows.size] if whole else X[rows]
            row = np.repeat(np.arange(rows.size), np.diff(chosen.indptr))
            yield first, row, self.place[chosen.indices], chosen.data * scale[chosen.indices]

    def _cross(self, values: Array) -> sp.csr_array:
        return sp.csr_array((values, self.indices, self.begin), shape=(self.separate.size, self.others.size))


def _pairs(X: sp.csr_array, place: Index, n_separate: int, size: int, border: bool) -> tuple[Any, Any, Any]:
    """`position`, `indices` and `begin` of the pattern."""
    ends = np.arange(n_separate) * size + size - 1 if border else np.zeros(0, dtype=np.intp)
    known = None
    if n_separate * size <= _TABLE * X.indices.size:
        known = np.zeros(n_separate * size, dtype=bool)
        known[ends] = True
        for _, _, key in _coupled(X, place, size):
            known[key] = True
        pairs = np.flatnonzero(known)
    else:
        pairs = np.unique(np.concatenate([ends, *(np.unique(key) for _, _, key in _coupled(X, place, size))]))
    kind = np.int32 if pairs.size <= np.iinfo(np.int32).max else np.int64
    begin = np.searchsorted(pairs, np.arange(n_separate + 1) * size).astype(kind)
    indices = (pairs % max(size, 1)).astype(kind)
    if pairs.size == n_separate * size:
        return np.zeros(0, dtype=kind), indices, begin
    position = np.zeros(X.indices.size, dtype=kind)
    number = None if known is None else np.cumsum(known, dtype=kind)
    for stored, coupled, key in _coupled(X, place, size):
        position[stored][coupled] = np.searchsorted(pairs, key) if number is None else number[key] - 1
    return position, indices, begin


def _coupled(X: sp.csr_array, place: Index, size: int) -> Iterator[tuple[slice, NDArray[np.bool_], Index]]:
    """Blocks of rows: their stored values, which are in S beside a value in D, and the places of these in D x S."""
    for first in range(0, X.shape[0], BLOCK):
        begin = X.indptr[first : first + BLOCK + 1]
        stored = slice(int(begin[0]), int(begin[-1]))
        row, column = np.repeat(np.arange(begin.size - 1), np.diff(begin)), place[X.indices[stored]]
        inside = column < 0
        own = np.full(begin.size - 1, -1)
        own[row[inside]] = -1 - column[inside]
        own = own[row]
        coupled = ~inside & (own >= 0)
        yield stored, coupled, own[coupled] * size + column[coupled]


@dataclass(frozen=True)
class BlockGram:
    """A Gram matrix with the blocks D x D (its diagonal), D x S (sparse) and S x S (dense)."""

    separate: Index
    others: Index
    diagonal: Array
    cross: sp.csr_array
    inner: Array

    def plus(self, columns: Index, values: Array) -> BlockGram:
        """The matrix with `values` added on the diagonal of the chosen columns."""
        full = np.zeros(self.separate.size + self.others.size)
        full[columns] = values
        inner = self.inner.copy()
        np.einsum("ii->i", inner)[:] += full[self.others]
        return replace(self, diagonal=self.diagonal + full[self.separate], inner=inner)

    def of(self, columns: Index) -> BlockGram:
        """The matrix of the chosen columns (ascending), which are numbered anew."""
        number = np.full(self.separate.size + self.others.size, -1)
        number[columns] = np.arange(columns.size)
        rows, some = (np.flatnonzero(number[one] >= 0) for one in (self.separate, self.others))
        cross = sp.csr_array(self.cross[rows][:, some])
        separate, others = number[self.separate[rows]], number[self.others[some]]
        return BlockGram(separate, others, self.diagonal[rows], cross, self.inner[np.ix_(some, some)])

    def lengths(self) -> Array:
        """The square roots of the diagonal."""
        length = np.empty(self.separate.size + self.others.size)
        length[self.separate], length[self.others] = np.sqrt(self.diagonal), np.sqrt(self.inner.diagonal())
        return length

    def times(self, point: Array) -> Array:
        """The product of the matrix with a vector."""
        product, own, others = np.empty_like(point), point[self.separate], point[self.others]
        product[self.separate] = self.diagonal * own + self.cross @ others
        product[self.others] = self.cross.T @ own + self.inner @ others
        return product

    def schur(self, lowered: float = 0.0, among: NDArray[np.bool_] | None = None) -> Array:
        """The Schur complement of D, or of the columns of D that are `among` the eliminated ones, the others left out.

        `lowered` times itself is subtracted from the diagonal of the matrix before.
        """
        shrunk = self.diagonal * (1.0 - lowered)
        part = np.zeros_like(self.inner)
        inverse = _inverse(shrunk) if among is None else np.where(among, _inverse(shrunk), 0.0)
        _rows.sparse_gram(self.cross.data, self.cross.indices, self.cross.indptr, inverse, part)
        np.subtract(self.inner, part, out=part)
        np.einsum("ii->i", part)[:] -= lowered * self.inner.diagonal()
        return part

    def is_regular(self) -> bool:
        """`_arrays.is_regular` of the whole matrix."""
        lowered = 1e-9 * (self.separate.size + self.others.size)
        if lowered >= 1.0 or not (self.diagonal.min(initial=1.0) > _NORMAL and np.isfinite(self.diagonal).all()):
            return False
        length = np.sqrt(self.inner.diagonal())
        if not (np.isfinite(length).all() and length.min(initial=1.0) > 0):
            return False
        return is_definite(self.schur(lowered) / length / length[:, None])

    def solver(self) -> Callable[[Array], Array] | None:
        """`cholesky_solver` of the whole matrix."""
        reduced = cholesky_solver(self.schur(), self.inner.diagonal()) if np.isfinite(self.diagonal).all() else None
        return None if reduced is None else self._through(reduced)

    def pseudo_solver(self) -> Callable[[Array], Array]:
        """The function that solves with the matrix; where it is singular, one solution of equations that have any."""
        reduced, scale = self._unit_schur()
        solve = cholesky_solver(reduced, ridges=(0.0,)) if is_regular(reduced) else None
        if solve is None:
            solve = np.linalg.pinv(reduced, rcond=_SINGULAR, hermitian=True).__matmul__
        return self._through(lambda right: scale * solve(scale * right))

    def _unit_schur(self) -> tuple[Array, Array]:
        """The Schur complement with the columns of S scaled to length one, and the scales."""
        size = self.inner.diagonal()
        scale = 1.0 / np.sqrt(np.where(size > 0, size, 1.0))
        return self.schur() * scale * scale[:, None], scale

    def flat_directions(self, most: int) -> Array | None:
        """Directions, one a column, that hold all that the columns may not determine; None if these are over `most`.

        The Schur complement, its columns of length one, has an eigenvalue of at most 1e-9 along each. Columns of D
        without rows are left out.
        """
        reduced, scale = self._unit_schur()
        eigenvalues, vectors = np.linalg.eigh(reduced)
        chosen = scale[:, None] * vectors[:, eigenvalues <= AT_END]
        if chosen.shape[1] > most:
            return None
        inverse = _inverse(self.diagonal)
        directions = np.empty((self.separate.size + self.others.size, chosen.shape[1]))
        directions[self.others] = chosen
        directions[self.separate] = -inverse[:, None] * (self.cross @ chosen)
        return directions

    def _through(self, reduced: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """The solver of the whole matrix by that of the Schur complement; columns of D without rows have zeros."""
        inverse = _inverse(self.diagonal)

        def solve(right: Array) -> Array:
            found = np.empty_like(right)
            own = inverse * right[self.separate]
            others = reduced(right[self.others] - self.cross.T @ own)
            found[self.others] = others
            found[self.separate] = own - inverse * (self.cross @ others)
            return found

        return solve


def _inverse(diagonal: Array) -> Array:
    """The inverse of a diagonal, zero for columns of D that are left out."""
    return np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > _NORMAL)
