"""The design matrix as an operator: dense in any memory order or sparse, float32 or float64.

X itself is shared, not copied; passes go through blocks of rows, between which Ctrl-C is handled. Only `take`, `select`
and `transposed_csc` (the LP solver's own form) copy. A design stands for ``(X - shift) * scale`` with one shift and
one scale per column, kept beside X instead of being applied to it. Products are in float64 whatever the
dtype of X. The interface is in `base`, sparse designs are in `sparse`; passes over a dense table are in `row_passes`,
and what is known of its columns in `column_facts`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import BLOCK, Array, Index, constant
from ladreg._design.base import Design
from ladreg._design.column_facts import ColumnFacts
from ladreg._design.doubled_sum import DoubledSum
from ladreg._design.row_passes import CHUNK_BYTES, WALK_BYTES
from ladreg._design.sparse import SparseDesign
from ladreg._kernels import _rows

# Gathering a column costs as much as 4 products with it if columns are contiguous, and as 16 if rows are (400,000 x 50,
# 2026-11).
_GATHERING, _SCATTERED = 4, 16
# Bytes (as float64) per block of rows for products of columns with each other that are not copied.
_PRODUCT_BYTES = 1 << 22
# Columns that are copied for their products have at least twice as many rows per block as there are columns: the sum of
# the blocks' products costs less than the products.
_TALL = 2
# Products of at most 128 columns with each other are made by `_rows.products`, without a copy and by several threads:
# of 20 to 100 columns of 100,000 x 200 and 1,000,000 x 50 in 0.5 to 0.9 of BLAS's processor time (2026-11).
_NARROW = 128
# Dummies of a dense X are looked for where it has at least 64 columns and at most a tenth of its values is not zero. A
# sample of 256 rows says whether to look at all values.
_FEWEST, _FILLED, _SAMPLED = 64, 0.1, 256


@dataclass(frozen=True)
class DenseDesign(ColumnFacts):
    """A NumPy array in any memory order."""

    def by_groups(self, border: bool) -> Design:
        """A sparse design of the same values where they are a table of groups (`blocks`), else the design itself."""
        if self.n_features < _FEWEST or self.shift.any() or np.any(self.scale != 1.0):
            return self
        if "by groups" not in self._known:
            self._known["by groups"] = self._sparse()
        sparse: SparseDesign | None = self._known["by groups"]
        return self if sparse is None or sparse.blocks(border) is None else sparse

    def _sparse(self) -> SparseDesign | None:
        """A sparse design of the same values; None if more than a tenth of them is not zero."""
        sample = self.X[:: max(1, self.n_samples // _SAMPLED)]
        if np.count_nonzero(sample) > _FILLED * sample.size:
            return None
        parts, n_values = [], 0
        for _, raw in self._walkable():
            parts.append(sp.csr_array(raw))
            n_values += parts[-1].nnz
            if n_values > _FILLED * self.X.size:
                return None
        return SparseDesign(sp.csr_array(sp.vstack(parts, format="csr")))

    def matvec(self, coef: Array) -> Array:
        """Product with a vector (n_features,) or a matrix (n_features, k)."""
        if coef.ndim == 1:
            result = np.empty(self.n_samples)
            zero, minus, shift = constant(0.0, self.n_samples), -(self.scale * coef), self._shift
            self._each(lambda block, raw: _rows.forward(raw, shift, minus, zero[block], 0.0, result[block]))
            return result
        result, scaled = np.empty((self.n_samples, *coef.shape[1:])), self.scale[:, None] * coef
        for block, raw in self._walkable():
            np.matmul(raw if self._shift is None else raw - self._shift, scaled, out=result[block])
        return result

    def rmatvec(self, dual: Array) -> Array:
        """Product of the transpose with a vector (n_samples,) or a matrix (n_samples, k)."""
        if dual.ndim == 2:
            return self._rmatmat(dual)
        dual, shift = np.ascontiguousarray(dual), self._shift
        return self._sum(lambda block, raw, part: _rows.backward(raw, shift, dual[block], part)) * self.scale

    def _rmatmat(self, dual: Array) -> Array:
        """`rmatvec` of a matrix; the product with each of its columns is contiguous."""
        slope, dual = None, np.ascontiguousarray(dual.T)
        for block, raw in self._walkable():
            values = (raw if self._shift is None else raw - self._shift).astype(np.float64, copy=False)
            part = dual[:, block] @ values
            slope = part if slope is None else np.add(slope, part, out=slope)
        slope = np.zeros((dual.shape[0], self.n_features)) if slope is None else slope
        if np.any(self.scale != 1.0):
            slope *= self.scale
        return slope.T

    def _is_most(self, features: Index, vector: Array) -> bool:
        """Whether a product of one vector with all columns costs less than gathering the chosen ones."""
        cost = _GATHERING if self._by_columns else _SCATTERED
        return vector.ndim == 1 and cost * features.size > self.n_features

    def matvec_of(self, features: Index, coef: Array) -> Array:
        """`matvec` of coefficients that are zero in all but the chosen columns."""
        # Of contiguous columns `matvec` passes by four neighbours whose coefficients are all zero.
        passes_by = self._by_columns and self.n_features <= self.n_samples
        if self._is_most(features, coef) or (coef.ndim == 1 and passes_by):
            everywhere = np.zeros(self.n_features)
            everywhere[features] = coef
            return self.matvec(everywhere)
        result, scaled = np.empty((self.n_samples, *coef.shape[1:])), (self.scale[features] * coef.T).T
        for block in self._slices(WALK_BYTES, features.size):
            np.matmul(self._columns(block, features), scaled, out=result[block])
        return result

    def rmatvec_of(self, features: Index, dual: Array) -> Array:
        """The chosen entries of `rmatvec`."""
        if self._is_most(features, dual):
            return self.rmatvec(dual)[features]
        slope = np.zeros((*dual.shape[1:], features.size))
        for block in self._slices(WALK_BYTES, features.size):
            slope += dual[block].T @ self._columns(block, features)
        return (slope * self.scale[features]).T

    def sweep(
        self, coef: Array, y: Array, offset: float, weight: Array, ends: tuple[float, float]
    ) -> tuple[Array, Array, float]:
        """Residual, and the product with the dual at the residuals' ends, in one read of X."""
        residual, scaled, shift = np.empty(self.n_samples), self.scale * coef, self._shift

        def sweep(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            given = shift, scaled, y[block], offset, weight[block], *ends
            part[-1] = _rows.sweep(raw, *given, residual[block], part[:-1])

        products = self._sum(sweep, self.n_features + 1)
        return residual, products[:-1] * self.scale, float(products[-1])

    def audit(
        self, coef: Array, y: Array, offset: float, weight: Array, dual: Array, sizes: bool
    ) -> tuple[Array, Array, Array | None]:
        """Residual, product with a dual and its sum, and magnitudes, in one read of X.

        The offset is subtracted here: the kernel may add it to the products first.
        """
        residual, scaled, shift = np.empty(self.n_samples), self.scale * coef, self._shift

        def audit(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            given = shift, scaled, y[block] - offset, 0.0, weight[block], dual[block]
            part[0, -1] = _rows.audit(raw, *given, residual[block], part[0, :-1], part[1, :-1] if sizes else None)

        sums = self._sum(audit, 2, self.n_features + 1)
        sums[:, :-1] *= self.scale
        return residual, sums[0], sums[1, :-1] if sizes else None

    def gradient(self, coef: Array, y: Array, offset: float, weight: Array) -> tuple[Array, Array, Array]:
        """Residual, the dual that is the weight times it, and the product with the dual, in one read of X.

        The offset is subtracted as in `audit`.
        """
        residual, dual = np.empty((2, self.n_samples))
        scaled, shift = self.scale * coef, self._shift

        def descend(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            _rows.forward(raw, shift, scaled, y[block] - offset, 0.0, residual[block])
            np.multiply(weight[block], residual[block], out=dual[block])
            part[-1] = _rows.backward(raw, shift, dual[block], part[:-1])

        products = self._sum(descend, self.n_features + 1)
        products[:-1] *= self.scale
        return residual, dual, products

    def absolute_matvec(self, coef: Array) -> Array:
        """``|X| @ |coef|``: the size of the numbers that cancel in a product."""
        result = np.empty((self.n_samples, *coef.shape[1:]))
        for block, values in self._small_blocks():
            result[block] = np.abs(values) @ np.abs(coef)
        return result

    def _subtract_columns(self, features: Index, coef: Array, residual: DoubledSum) -> None:
        """Subtract the products of chosen columns with their coefficients, of one block of rows after the other."""
        for begin in range(0, self.n_samples, BLOCK):
            rows = slice(begin, begin + BLOCK)
            for j in features:
                column = np.empty((self.X[rows].shape[0], 1))
                self._write(self.X[rows, j : j + 1], slice(j, j + 1), column)
                residual.subtract(rows, column[:, 0], float(coef[j]))

    def rows(self, index: Index, features: Index | None = None, border: bool = False) -> Array:
        """The chosen rows, in all or in the chosen columns, as a dense array; a column of ones last if `border`."""
        if features is not None and features.size == self.n_features:
            features = None
        columns = slice(None) if features is None else features
        n_columns = self.n_features if features is None else features.size
        chosen = np.ones((index.size, n_columns + border))
        step = max(1, WALK_BYTES // (8 * max(1, n_columns)))
        for begin in range(0, index.size, step):
            part = index[begin : begin + step]
            raw = self._picked(part) if features is None else self.X[np.ix_(part, features)]
            self._write(raw, columns, chosen[begin : begin + step, :n_columns])
        return chosen

    def table(self, border: bool = False) -> Array:
        """All rows as a dense array; a column of ones last if `border`."""
        table = np.empty((self.n_samples, self.n_features + border))
        self._write(self.X, slice(None), table[:, : self.n_features])
        if border:
            table[:, -1] = 1.0
        return table

    def _write(self, raw: NDArray[np.floating], columns: Index | slice, out: Array) -> None:
        """Write rows of X in the chosen columns, shifted and scaled, to `out`."""
        if self._shift is None:
            np.multiply(raw, self.scale[columns], out=out)
        else:
            np.subtract(raw, self.shift[columns], out=out)
            out *= self.scale[columns]

    def take(self, index: Index | slice) -> Self:
        """The design of the chosen rows; those of a slice are shared, not copied."""
        return replace(self, X=self._picked(index), _known={})

    def select(self, features: Index) -> Self:
        """The design of the chosen columns, which are copied."""
        return replace(self, X=self.X[:, features], shift=self.shift[features], scale=self.scale[features], _known={})

    def gram(self, weight: Array, features: Index, border: bool) -> Array:
        """``Z' diag(weight) Z`` for the chosen columns, followed by a column of ones if `border`; weights >= 0."""
        size = features.size + border
        result = np.zeros((size, size))
        present = np.flatnonzero(weight)
        uniform = bool(weight.max(initial=0.0) <= weight.min(initial=np.inf, where=weight > 0))
        n_rows = max(1, CHUNK_BYTES // (8 * max(1, size)))
        for begin in range(0, present.size, n_rows):
            rows = present[begin : begin + n_rows]
            if rows[-1] - rows[0] + 1 == rows.size:
                Z = np.ones((rows.size, size))
                block = self._columns(slice(rows[0], rows[-1] + 1), features)
                np.multiply(block, self.scale[features], out=Z[:, : features.size])
            else:
                Z = self.rows(rows, features, border)
            if not uniform:
                Z *= np.sqrt(weight[rows])[:, None]
            # The product of a matrix with its own transpose takes half the time of a general product.
            result += Z.T @ Z
        return result * weight[present[0]] if uniform and present.size else result

    def cross(self, weight: Array, features: Index, others: Index) -> Array:
        """Products of chosen columns with others, ``Z_f' diag(weight) Z_o``; half the work where both are one array."""
        uniform = _is_uniform(weight)
        before, after = self._scales
        if features is others and features.size <= _NARROW and before is None:
            size = float(weight[0]) if uniform and weight.size else 1.0
            return self._narrow_gram(None if uniform else weight, features) * size
        result = np.zeros((features.size, others.size))
        width = max(features.size, others.size)
        for block in self._slices(min(max(CHUNK_BYTES, 8 * _TALL * width**2), _PRODUCT_BYTES), width):
            root = None if uniform else np.sqrt(weight[block])
            # The product of a matrix with its own transpose takes half the time.
            right = self._multiplied(block, others, before, root)
            left = right if features is others else self._multiplied(block, features, before, root)
            result += left.T @ right
        if uniform and weight.size:
            result *= weight[0]
        result *= after[features, None]
        result *= after[others]
        return result

    def _narrow_gram(self, weight: Array | None, features: Index) -> Array:
        """`cross` of few columns with themselves, with equal weights of one where these are None."""
        shift, chosen = self._shift, np.ascontiguousarray(features, dtype=np.intp)

        def add(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            _rows.products(raw, shift, None if weight is None else np.sqrt(weight[block]), chosen, part)

        result = self._sum(add, features.size, features.size)
        result *= self.scale[features, None]
        result *= self.scale[features]
        return result

    def weighted_columns(self, features: Index, weight: Array) -> Array:
        """Chosen columns times the roots of the weights, one per row."""
        columns = np.ascontiguousarray(self.X.T[features], dtype=np.float64)
        if self._shift is not None:
            columns -= self.shift[features, None]
        columns *= self.scale[features, None]
        columns *= np.sqrt(weight)
        return columns

    def _multiplied(self, block: slice, features: Index, scale: Array | None, root: Array | None) -> Array:
        """Chosen columns of a block of rows, times a scale for each feature and a number for each row if given."""
        Z = self._columns(block, features, copy=scale is not None or root is not None)
        if scale is not None:
            Z *= scale[features]
        if root is not None:
            Z *= root[:, None]
        return Z

    def moments(self, weight: Array, others: Array) -> tuple[Array, Array]:
        """``Z' diag(weight) Z``, and ``Z' diag(weight) others`` for columns `others`, in one read of X."""
        features = np.arange(self.n_features)
        inner, outer = np.zeros((features.size, features.size)), np.zeros((features.size, others.shape[1]))
        uniform = _is_uniform(weight)
        before, after = self._scales
        for block in self._slices(_PRODUCT_BYTES, features.size):
            root = None if uniform else np.sqrt(weight[block])
            Z = self._multiplied(block, features, before, root)
            inner += Z.T @ Z
            outer += Z.T @ (others[block] if root is None else root[:, None] * others[block])
        if uniform and weight.size:
            inner *= weight[0]
            outer *= weight[0]
        inner *= after[:, None]
        inner *= after
        outer *= after[:, None]
        return inner, outer

    def _columns(self, block: slice, features: Index, copy: bool = False) -> Array:
        """A block of rows of the chosen columns, shifted but not scaled; a view of X where possible, unless `copy`."""
        raw = self.X[block]
        if features.size == self.n_features and np.array_equal(features, np.arange(self.n_features)):
            if self._shift is None:
                return raw.astype(np.float64, copy=copy or not self._is_straight)
            return np.subtract(raw, self.shift, dtype=np.float64)
        # If columns are contiguous, `np.take` would first copy the whole block.
        chosen = raw.T[features].T if self._by_columns else np.take(raw, features, axis=1)
        values = chosen.astype(np.float64, copy=False)
        if self._shift is not None:
            values -= self.shift[features]
        return values

    def transposed_csc(self, index: Index) -> sp.csc_array:
        """Transpose of the chosen rows, in the form that an LP solver takes."""
        return sp.csc_array(self.rows(index).T)


def _is_uniform(weight: Array) -> bool:
    """Whether all weights are the same."""
    return weight.strides == (0,) or bool(np.all(weight == weight[:1]))


def as_design(X: NDArray[np.floating] | sp.csr_array | sp.csc_array) -> Design:
    """The design of a validated X: a 2-d float array, or a CSR or CSC matrix or array."""
    if sp.issparse(X):
        kind = sp.csc_array if X.format == "csc" else sp.csr_array
        return SparseDesign(kind((X.data, X.indices, X.indptr), shape=X.shape))
    return DenseDesign(X)
