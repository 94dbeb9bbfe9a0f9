"""What is known of the columns of a dense table after one pass: ranges, means, sizes and spreads."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._cached import cached_property
from ladreg._design.row_passes import RowPasses
from ladreg._kernels import _rows

# A shift is worth its pass over X if the middle of a column's range is more than 8 times half the range.
_FAR = 8.0


@dataclass(frozen=True)
class ColumnFacts(RowPasses):
    """The columns of a NumPy array in any memory order."""

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
