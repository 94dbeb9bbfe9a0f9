"""The design matrix as an operator: dense in any memory order or sparse, float32 or float64.

X itself is shared, not copied; passes go through blocks of rows, between which Ctrl-C is handled. Only `take`, `select`
and `transposed_csc` (the LP solver's own form) copy. A design stands for ``(X - shift) * scale`` with one shift and
one scale per column, kept beside X instead of being applied to it. Products are in float64 whatever the
dtype of X. The interface is in `base`, sparse designs are in `sparse`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Self, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, constant
from ladreg._cached import cached_property
from ladreg._design.base import Design
from ladreg._design.sparse import SparseDesign
from ladreg._design.threads import in_order
from ladreg._kernels import _rows

# A shift is worth its pass over X if the middle of a column's range is more than 8 times half the range.
_FAR = 8.0
# Bytes (as float64) per block of rows that is copied: temporary copies stay in the cache.
_CHUNK_BYTES = 1 << 20
# Bytes (as float64) per block of rows that is read in place, or of which chosen columns are gathered.
_WALK_BYTES = 1 << 22
# Rows per block at least, if columns are contiguous.
_STRETCH = 1 << 11
# Columns with a scale above 2^400 or below 2^-400 are multiplied by it before they are squared, not after.
_TAME = 2.0**400
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

Result = TypeVar("Result")


@dataclass(frozen=True)
class DenseDesign(Design):
    """A NumPy array in any memory order."""

    def _picked(self, index: Index | slice) -> NDArray[np.floating]:
        """The chosen rows, in the memory order of X; `np.take` would first copy all of X in another order."""
        if isinstance(index, slice):
            return self.X[index]
        if self.X.flags.c_contiguous:
            return np.take(self.X, index, axis=0)
        return np.take(self.X.T, index, axis=1).T if self.X.flags.f_contiguous else self.X[index]

    @cached_property
    def _shift(self) -> Array | None:
        """The shift, None where it is zero."""
        return self.shift if self.shift.any() else None

    @cached_property
    def _scales(self) -> tuple[Array | None, Array]:
        """The scale in two factors: one for columns before they are squared (None if it is 1), and one for after."""
        wild = (self.scale > _TAME) | (self.scale < 1.0 / _TAME)
        if not wild.any():
            return None, self.scale
        return np.where(wild, self.scale, 1.0), np.where(wild, 1.0, self.scale)

    def _slices(self, n_bytes: int, n_columns: int | None = None) -> Iterator[slice]:
        """Blocks of rows of about `n_bytes` bytes (as float64) in `n_columns` columns; by default in all."""
        n_rows = max(1, n_bytes // (8 * max(1, self.n_features if n_columns is None else n_columns)))
        for begin in range(0, self.n_samples, n_rows):
            yield slice(begin, min(begin + n_rows, self.n_samples))

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

    @property
    def _is_straight(self) -> bool:
        """Whether rows or columns are contiguous."""
        return self.X.itemsize in self.X.strides

    def _walkable(self) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        """Blocks of rows of X, copied if neither rows nor columns of X are contiguous."""
        straight = self._is_straight
        # Contiguous columns are read in stretches of at least `_STRETCH` rows.
        by_columns = straight and self._by_columns
        n_bytes = _WALK_BYTES if straight else _CHUNK_BYTES
        for block in self._slices(max(n_bytes, by_columns * 8 * _STRETCH * self.n_features)):
            raw = self.X[block]
            yield block, raw if straight else np.ascontiguousarray(raw)

    def _in_order(self, work: Callable[[slice, NDArray[np.floating]], Result]) -> Iterator[Result]:
        """What `work` makes of each block of `_walkable`, in their order; several threads read a large table."""
        return in_order(lambda item: work(*item), self._walkable(), self.X.size)

    def _each(self, work: Callable[[slice, NDArray[np.floating]], object]) -> None:
        """Do `work` on each block of rows."""
        for _ in self._in_order(work):
            pass

    def _sum(self, add: Callable[[slice, NDArray[np.floating], Array], object], *shape: int) -> Array:
        """The sum of what is added to zeros for each block of rows; by default one number a column."""
        shape = shape or (self.n_features,)

        def part(block: slice, raw: NDArray[np.floating]) -> Array:
            values = np.zeros(shape)
            add(block, raw, values)
            return values

        parts = self._in_order(part)
        total = next(parts, None)
        if total is None:
            return np.zeros(shape)
        for values in parts:
            total += values
        return total

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

    @property
    def _by_columns(self) -> bool:
        """Whether columns are contiguous."""
        return bool(self.X.strides[0] == self.X.itemsize)

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
        for block in self._slices(_WALK_BYTES, features.size):
            np.matmul(self._columns(block, features), scaled, out=result[block])
        return result

    def rmatvec_of(self, features: Index, dual: Array) -> Array:
        """The chosen entries of `rmatvec`."""
        if self._is_most(features, dual):
            return self.rmatvec(dual)[features]
        slope = np.zeros((*dual.shape[1:], features.size))
        for block in self._slices(_WALK_BYTES, features.size):
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
        """Residual, product with a dual and its sum, and magnitudes, in one read of X."""
        residual, scaled, shift = np.empty(self.n_samples), self.scale * coef, self._shift

        def audit(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            given = shift, scaled, y[block], offset, weight[block], dual[block]
            part[0, -1] = _rows.audit(raw, *given, residual[block], part[0, :-1], part[1, :-1] if sizes else None)

        sums = self._sum(audit, 2, self.n_features + 1)
        sums[:, :-1] *= self.scale
        return residual, sums[0], sums[1, :-1] if sizes else None

    def gradient(self, coef: Array, y: Array, offset: float, weight: Array) -> tuple[Array, Array, Array]:
        """Residual, the dual that is the weight times it, and the product with the dual, in one read of X."""
        residual, dual = np.empty((2, self.n_samples))
        scaled, shift = self.scale * coef, self._shift

        def descend(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            _rows.forward(raw, shift, scaled, y[block], offset, residual[block])
            np.multiply(weight[block], residual[block], out=dual[block])
            part[-1] = _rows.backward(raw, shift, dual[block], part[:-1])

        products = self._sum(descend, self.n_features + 1)
        products[:-1] *= self.scale
        return residual, dual, products

    def knows_magnitudes(self, weight: Array) -> bool:
        """Whether `magnitudes` needs no pass over X: those of equal weights are sums that are known."""
        return weight.strides == (0,) and weight.size > 0 and self._shift is None and self.is_finite

    def magnitudes(self, weight: Array) -> Array:
        """Column sums of ``weight * |x|``."""
        if self.knows_magnitudes(weight):
            return np.asarray(self._stats[2] * weight[0] * self.scale)
        shift = self._shift
        return self._sum(lambda block, raw, part: _rows.magnitudes(raw, shift, weight[block], part)) * self.scale

    def curvatures(self, weight: Array, center: Array) -> Array:
        """Column sums of ``weight * (x - center)^2``."""
        center = self.shift + center / self.scale
        before, after = self._scales

        def add(block: slice, raw: NDArray[np.floating], part: Array) -> None:
            if before is None:
                _rows.curvatures(raw, center, weight[block], part)
            else:
                _rows.curvatures(raw * before, center * before, weight[block], part)

        return self._sum(add) * after**2

    def absolute_matvec(self, coef: Array) -> Array:
        """``|X| @ |coef|``: the size of the numbers that cancel in a product."""
        result = np.empty((self.n_samples, *coef.shape[1:]))
        for block, values in self._small_blocks():
            result[block] = np.abs(values) @ np.abs(coef)
        return result

    def reach(self) -> Array:
        """An upper bound of the sizes in each column."""
        lowest, highest, *_ = self._stats
        if self._shift is not None:
            lowest, highest = lowest - self._shift, highest - self._shift
        return np.maximum(-lowest, highest) * self.scale

    def spread(self, centred: bool) -> Array:
        """An upper bound of the mean square of each column: Popoviciu's bound if `centred`."""
        lowest, highest, *_ = self._stats
        return ((highest / 2 - lowest / 2) * self.scale) ** 2 if centred else self.reach() ** 2

    def _small_blocks(self) -> Iterator[tuple[slice, Array]]:
        """Row blocks of the shifted and scaled X, each small enough for a temporary array."""
        for block in self._slices(_CHUNK_BYTES):
            yield block, self._values(self.X[block])

    def _values(self, raw: NDArray[np.floating]) -> Array:
        values: Array = raw - self.shift
        values *= self.scale
        return values

    @property
    def _stats(self) -> Array:
        """Smallest value, largest value, sum of absolute values and sum of each column of X."""
        if "stats" not in self._known:
            self._known["stats"] = self._column_stats()
        stats: Array = self._known["stats"]
        return stats

    def _column_stats(self) -> Array:
        def of_block(_: slice, raw: NDArray[np.floating]) -> Array:
            part = np.zeros((4, self.n_features))
            part[0], part[1] = np.inf, -np.inf
            _rows.column_stats(raw, part)
            return part

        parts = self._in_order(of_block)
        stats = next(parts, None)
        if stats is None:
            return of_block(slice(0), self.X)
        for part in parts:
            np.minimum(stats[0], part[0], out=stats[0])
            np.maximum(stats[1], part[1], out=stats[1])
            stats[2:] += part[2:]
        return stats

    def ranges(self) -> tuple[Array, Array, Array]:
        """Smallest and largest value of each column of X, and the sum of sizes, which is not finite where X is not."""
        lowest, highest, total, _ = self._stats
        return lowest, highest, total

    def means(self, weight: Array) -> Array:
        """Column means, weighted by `weight` of sum one; equal weights need no pass."""
        if weight.strides == (0,) and self._shift is None and np.isfinite(self._stats[3]).all():
            return np.asarray(self._stats[3] / self.n_samples * self.scale)
        return super().means(weight)

    @property
    def is_finite(self) -> bool:
        """Whether every value is finite; it may be False if only the sum of their sizes overflows."""
        return isfinite(self._stats[2].sum())

    def extent(self, centred: bool) -> tuple[Array, Array]:
        """The middle of the range, if far from zero (`_FAR`), and half the range; otherwise 0 and the mean size.

        The mean size of a shifted column is not known: half the range, or the middle if that is larger, replaces it.
        """
        if centred not in self._extents:
            self._extents[centred] = self._extent(centred)
        return self._extents[centred]

    @cached_property
    def _extents(self) -> dict[bool, tuple[Array, Array]]:
        return {}

    def _extent(self, centred: bool) -> tuple[Array, Array]:
        lowest, highest, total, _ = self._stats
        size, shift = total / max(self.n_samples, 1), self._shift
        if centred or shift is not None:
            # Halved first: sum and difference of two huge numbers overflow.
            low, high = lowest / 2, highest / 2
            half, middle = high - low, low + high
            if shift is not None:
                middle -= shift
                size = np.where(shift == 0, size, np.maximum(half, np.abs(middle)))
            far = np.abs(middle) > _FAR * half
            if centred and far.any():
                middle = np.where(lowest == highest, highest - self.shift, middle)  # a constant column is its own
                return np.where(far, middle, 0.0) * self.scale, np.where(far, half, size) * self.scale
        return np.zeros(self.n_features), size * self.scale

    def rows(self, index: Index, features: Index | None = None, border: bool = False) -> Array:
        """The chosen rows, in all or in the chosen columns, as a dense array; a column of ones last if `border`."""
        if features is not None and features.size == self.n_features:
            features = None
        columns = slice(None) if features is None else features
        n_columns = self.n_features if features is None else features.size
        chosen = np.ones((index.size, n_columns + border))
        step = max(1, _WALK_BYTES // (8 * max(1, n_columns)))
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
        n_rows = max(1, _CHUNK_BYTES // (8 * max(1, size)))
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
        for block in self._slices(min(max(_CHUNK_BYTES, 8 * _TALL * width**2), _PRODUCT_BYTES), width):
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
