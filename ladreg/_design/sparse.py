"""A sparse design matrix, CSR or CSC; its zeros are never visited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import BLOCK, Array, Index
from ladreg._cached import cached_property
from ladreg._design.base import Design
from ladreg._design.block_structure import BlockGram, BlockPattern
from ladreg._design.doubled_sum import DoubledSum

# Gathering a column costs as much as 4 products with it.
_GATHERING = 4

# Weights are of like size if their binary exponents are in the same class of 16.
_LIKE = 16

# A column without zeros is shifted where the middle of its range is more than 64 half ranges from zero: moments about
# the mean would lose more than 3.6 of 16 digits otherwise. Nearer columns are not worth a copy of the data.
_FAR = 64.0


@dataclass(frozen=True)
class SparseDesign(Design):
    """A CSR or CSC array; columns with zeros are never shifted, since that would fill them."""

    def rescaled(self, shift: Array, scale: Array) -> Self:
        """The columns of this design, `shift` subtracted and `scale` multiplied; a copy of the data if one is shifted.

        `shift` must be zero where a column has zeros.
        """
        if not shift.any():
            return super().rescaled(shift, scale)
        if np.any(self._lengths[shift != 0] < self.n_samples):
            raise ValueError("a sparse column that has zeros cannot be shifted: they would fill in")
        key = f"shifted {shift.tobytes()!r}"
        if key not in self._known:
            data = self._data() - (shift / self.scale)[self._columns_of_data()]
            self._known[key] = self._mapped(data), {}
        X, known = self._known[key]
        return replace(self, X=X, scale=self.scale * scale, _known=known)

    @cached_property
    def _lengths(self) -> Index:
        """How many values of each column are stored."""
        if self.X.format == "csr":
            return np.bincount(self.X.indices, minlength=self.n_features)
        return np.asarray(np.diff(self.X.indptr))

    def _columns_of_data(self) -> Index:
        if self.X.format == "csr":
            return np.asarray(self.X.indices)
        return np.repeat(np.arange(self.n_features), np.diff(self.X.indptr))

    def matvec(self, coef: Array) -> Array:
        """Product with a vector (n_features,) or a matrix (n_features, k)."""
        return np.asarray(self.X @ (self.scale * coef.T).T, dtype=np.float64)

    def rmatvec(self, dual: Array) -> Array:
        """Product of the transpose with a vector (n_samples,) or a matrix (n_samples, k)."""
        if dual.ndim == 1:
            return np.asarray(self._transposed @ dual, dtype=np.float64) * self.scale
        # Each product is contiguous, since callers read the products one by one.
        slope = np.empty((dual.shape[1], self.n_features))
        for k, one in enumerate(np.ascontiguousarray(dual.T)):
            slope[k] = self._transposed @ one
        slope *= self.scale
        return slope.T

    @cached_property
    def _transposed(self) -> Any:
        """The transpose of X, which shares its arrays; cached, since making it costs as much as a short product."""
        return self.X.T

    def _is_most(self, features: Index) -> bool:
        """Whether a product with all columns costs less than gathering the chosen ones."""
        if self.X.format != "csc":
            return True
        chosen = int((self.X.indptr[features + 1] - self.X.indptr[features]).sum())
        return _GATHERING * chosen > self.X.nnz

    def matvec_of(self, features: Index, coef: Array) -> Array:
        """`matvec` of coefficients that are zero in all but the chosen columns."""
        if self._is_most(features):
            everywhere = np.zeros((self.n_features, *coef.shape[1:]))
            everywhere[features] = coef
            return self.matvec(everywhere)
        return np.asarray(self.X[:, features] @ (self.scale[features] * coef.T).T, dtype=np.float64)

    def rmatvec_of(self, features: Index, dual: Array) -> Array:
        """The chosen entries of `rmatvec`."""
        if self._is_most(features):
            return self.rmatvec(dual)[features]
        return (np.asarray(self.X[:, features].T @ dual, dtype=np.float64).T * self.scale[features]).T

    def sweep(
        self, coef: Array, y: Array, offset: float, weight: Array, ends: tuple[float, float]
    ) -> tuple[Array, Array, float]:
        """Residual, and the product with the dual at the residuals' ends."""
        residual = (y - offset) - self.matvec(coef)
        dual = weight * np.where(residual > 0, ends[1], ends[0])
        return residual, self.rmatvec(dual), float(dual.sum())

    def audit(
        self, coef: Array, y: Array, offset: float, weight: Array, dual: Array, sizes: bool
    ) -> tuple[Array, Array, Array | None]:
        """Residual, product with a dual and its sum, and magnitudes."""
        residual = (y - offset) - self.matvec(coef)
        return residual, np.append(self.rmatvec(dual), dual.sum()), self.magnitudes(weight) if sizes else None

    def _subtract_columns(self, features: Index, coef: Array, residual: DoubledSum) -> None:
        """Subtract the products of chosen columns with their coefficients, where a value is stored."""
        columns = self._columns(features)
        for k, j in enumerate(features):
            stored = slice(columns.indptr[k], columns.indptr[k + 1])
            residual.subtract(columns.indices[stored], columns.data[stored], float(coef[j]))

    def _mapped(self, values: Array) -> Any:
        """The same pattern with other values, in float64."""
        return type(self.X)((values, self.X.indices, self.X.indptr), shape=self.X.shape)

    def _data(self) -> Array:
        return np.asarray(self.X.data, dtype=np.float64)

    def magnitudes(self, weight: Array) -> Array:
        """Column sums of ``weight * |x|``."""
        return np.asarray(self._mapped(np.abs(self._data())).T @ weight) * self.scale

    def curvatures(self, weight: Array, center: Array) -> Array:
        """Column sums of ``weight * (x - center)^2``, the zeros counted without being visited."""
        columns, rows, deviation = self._deviations(center)
        stored = np.bincount(columns, weight[rows] * deviation**2, minlength=self.n_features)
        return stored + self._of_zeros(weight, columns, rows) * center**2

    def means_from(self, center: Array, weight: Array) -> Array:
        """Weighted means of ``x - center``, the zeros counted without being visited."""
        columns, rows, deviation = self._deviations(center)
        stored = np.bincount(columns, weight[rows] * deviation, minlength=self.n_features)
        return stored - self._of_zeros(weight, columns, rows) * center

    def _deviations(self, center: Array) -> tuple[Index, Index, Array]:
        """Columns and rows of the stored values, and the values less the centres."""
        columns, rows = self._columns_of_data(), self.X.indices
        if self.X.format == "csr":
            rows = np.repeat(np.arange(self.n_samples), np.diff(self.X.indptr))
        return columns, rows, self._data() * self.scale[columns] - center[columns]

    def _of_zeros(self, weight: Array, columns: Index, rows: Index) -> Array:
        """The weight of the rows where each column is zero.

        It is the weight of all rows less that of the stored rows, taken among weights of like size (`_LIKE`) only: the
        rounding of heavy weights would hide light ones.
        """
        rest = np.zeros(self.n_features)
        size = np.where(weight > 0, np.frexp(weight)[1] // _LIKE, np.iinfo(np.int32).min)
        sizes = np.unique(size[weight > 0])
        for one in sizes:
            alike = size == one
            chosen = slice(None) if alike.all() else alike[rows]
            number = np.bincount(columns[chosen], minlength=self.n_features)
            known = np.bincount(columns[chosen], weight[rows[chosen]], minlength=self.n_features)
            rest += np.where(number < np.count_nonzero(alike), np.maximum(weight[alike].sum() - known, 0.0), 0.0)
        return rest

    def absolute_matvec(self, coef: Array) -> Array:
        """``|X| @ |coef|``: the size of the numbers that cancel in a product."""
        return np.asarray(self._mapped(np.abs(self._data())) @ (self.scale * np.abs(coef).T).T)

    def reach(self) -> Array:
        """The largest size in each column."""
        if "largest" not in self._known:
            self._known["largest"] = _largest(self.X)
        return np.asarray(self._known["largest"] * self.scale)

    def spread(self, centred: bool) -> Array:  # noqa: ARG002 - the mean square about the mean is no larger
        """An upper bound of the mean square of each column."""
        return self.reach() ** 2

    @property
    def is_finite(self) -> bool:
        """Whether every value is finite."""
        return bool(np.isfinite(self.X.data).all())

    def extent(self, centred: bool) -> tuple[Array, Array]:
        """The middle of the range and half the range of columns without zeros that are constant or far from 0 (`_FAR`).

        Other columns have a shift of 0, and the mean size of the stored values.
        """
        key = f"extent {centred}"  # cached, since it is needed for every target of one X
        if key not in self._known:
            self._known[key] = self._extent(centred)
        shift, distance = self._known[key]
        return shift * self.scale, distance * self.scale

    def _extent(self, centred: bool) -> tuple[Array, Array]:
        """`extent` in the units of X."""
        total = replace(self, scale=np.ones(self.n_features)).magnitudes(np.ones(self.n_samples))
        shift, distance = np.zeros(self.n_features), total / np.maximum(self._lengths, 1)
        full = np.flatnonzero(self._lengths == self.n_samples) if centred else np.zeros(0, dtype=np.intp)
        if full.size == 0 or self.n_samples == 0:
            return shift, distance
        values = sp.csc_array(self.X[:, full]).data.reshape(full.size, self.n_samples).astype(np.float64)
        lowest, highest = values.min(axis=1), values.max(axis=1)
        middle, half = lowest / 2 + highest / 2, highest / 2 - lowest / 2
        far = np.abs(middle) > _FAR * half
        shift[full[far]], distance[full[far]] = middle[far], half[far]
        return shift, distance

    def rows(self, index: Index, features: Index | None = None, border: bool = False) -> Array:
        """The chosen rows, in all or in the chosen columns, as a dense array; a column of ones last if `border`."""
        features = np.arange(self.n_features) if features is None else features
        chosen = self.X[index][:, features].toarray().astype(np.float64) * self.scale[features]
        return np.hstack([chosen, np.ones((index.size, 1))]) if border else chosen

    def take(self, index: Index | slice) -> Self:
        """The design of the chosen rows."""
        return replace(self, X=self.X[index], _known={})

    def select(self, features: Index) -> Self:
        """The design of the chosen columns, which are copied."""
        return replace(self, X=self.X[:, features], shift=self.shift[features], scale=self.scale[features], _known={})

    def gram(self, weight: Array, features: Index, border: bool) -> Array:
        """``Z' diag(weight) Z`` for the chosen columns, followed by a column of ones if `border`."""
        Z = self._columns(features)
        product = (Z.T @ _weighted(Z, weight)).toarray()
        if not border:
            return np.asarray(product)
        total = np.asarray(Z.T @ weight)
        return np.block([[product, total[:, None]], [total, weight.sum()]])

    def blocks(self, border: bool) -> BlockPattern | None:
        """Columns no two of which share a row, and the others; None where there are few such columns."""
        key = f"blocks {border}"
        if key not in self._known:
            self._known[key] = BlockPattern.of(self._by_rows, border)
            if self._known[key] is None:
                self._known.pop("by rows", None)
        return self._known[key]

    @property
    def _by_rows(self) -> sp.csr_array:
        """X in float64, by rows; X itself where it is that already. A copy is kept where there are blocks."""
        if "by rows" not in self._known:
            self._known["by rows"] = sp.csr_array(self.X, dtype=np.float64)
        return self._known["by rows"]

    def block_gram(self, weight: Array, border: bool) -> BlockGram:
        """`gram` of all columns, in the blocks of `blocks`."""
        blocks = self.blocks(border)
        assert blocks is not None
        return blocks.gram(self._by_rows, self.scale, weight)

    def block_groups(self, index: Index, border: bool) -> tuple[Index, Array]:
        """`BlockPattern.groups`: each chosen row's column in D, and the value there."""
        blocks = self.blocks(border)
        assert blocks is not None
        return blocks.groups(self._by_rows, self.scale, index)

    def block_rows(self, index: Index, border: bool) -> tuple[Index, Array, sp.csr_array]:
        """`BlockPattern.rows`: each chosen row's column in D, the value there, and the values in S."""
        blocks = self.blocks(border)
        assert blocks is not None
        return blocks.rows(self._by_rows, self.scale, index)

    def cross(self, weight: Array, features: Index, others: Index) -> Array:
        """Products of chosen columns with others, ``Z_f' diag(weight) Z_o``."""
        right = self._columns(others)
        left = right if features is others else self._columns(features)
        return np.asarray((left.T @ _weighted(right, weight)).toarray())

    def _columns(self, features: Index) -> sp.csc_array:
        """The chosen columns, scaled."""
        whole = features.size == self.n_features and bool(np.all(features[1:] > features[:-1]))
        chosen = sp.csc_array(self.X if whole else self.X[:, features])
        lengths = np.diff(chosen.indptr)
        values = np.asarray(chosen.data, dtype=np.float64) * np.repeat(self.scale[features], lengths)
        return sp.csc_array((values, chosen.indices, chosen.indptr), shape=chosen.shape)

    def transposed_csc(self, index: Index) -> sp.csc_array:
        """Transpose of the chosen rows, in the form that an LP solver takes."""
        chosen = sp.csr_array(self.X[index], dtype=np.float64)
        return sp.csc_array((chosen * self.scale[None, :]).T)


def _largest(X: Any) -> Array:
    """The largest absolute value of each column of a CSR or CSC array; a block at a time, since sizes are a copy."""
    largest = np.zeros(X.shape[1])
    if X.format == "csc":
        stored = np.flatnonzero(np.diff(X.indptr))
        begins, data = X.indptr[stored], X.data[: X.indptr[-1]]
        if stored.size:
            largest[stored] = np.maximum(np.maximum.reduceat(data, begins), -np.minimum.reduceat(data, begins))
        return largest
    for begin in range(0, X.indptr[-1], BLOCK):
        part = slice(begin, min(begin + BLOCK, X.indptr[-1]))
        np.maximum.at(largest, X.indices[part], np.abs(X.data[part]))
    return largest


def _weighted(columns: sp.csc_array, weight: Array) -> sp.csr_array:
    """The columns with their rows multiplied by weights, stored by rows, as a product from the left reads them."""
    values = columns.data * weight[columns.indices]
    return sp.csc_array((values, columns.indices, columns.indptr), shape=columns.shape).tocsr()
