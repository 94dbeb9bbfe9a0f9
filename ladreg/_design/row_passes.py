"""Passes over a dense table: blocks of rows in its memory order, read by several threads and summed up in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._cached import cached_property
from ladreg._design.base import Design
from ladreg._design.threads import in_order

# Bytes (as float64) per block of rows that is copied: temporary copies stay in the cache.
CHUNK_BYTES = 1 << 20
# Bytes (as float64) per block of rows that is read in place, or of which chosen columns are gathered.
WALK_BYTES = 1 << 22
# Rows per block at least, if columns are contiguous.
_STRETCH = 1 << 11
# Columns with a scale above 2^400 or below 2^-400 are multiplied by it before they are squared, not after.
_TAME = 2.0**400

Result = TypeVar("Result")


@dataclass(frozen=True)
class RowPasses(Design):
    """The passes of a NumPy array in any memory order."""

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

    @property
    def _by_columns(self) -> bool:
        """Whether columns are contiguous."""
        return bool(self.X.strides[0] == self.X.itemsize)

    def _slices(self, n_bytes: int, n_columns: int | None = None) -> Iterator[slice]:
        """Blocks of rows of about `n_bytes` bytes (as float64) in `n_columns` columns; by default in all."""
        n_rows = max(1, n_bytes // (8 * max(1, self.n_features if n_columns is None else n_columns)))
        for begin in range(0, self.n_samples, n_rows):
            yield slice(begin, min(begin + n_rows, self.n_samples))

    @property
    def _is_straight(self) -> bool:
        """Whether rows or columns are contiguous."""
        return self.X.itemsize in self.X.strides

    def _walkable(self) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        """Blocks of rows of X, copied if neither rows nor columns of X are contiguous."""
        straight = self._is_straight
        # Contiguous columns are read in stretches of at least `_STRETCH` rows.
        by_columns = straight and self._by_columns
        n_bytes = WALK_BYTES if straight else CHUNK_BYTES
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

    def _small_blocks(self) -> Iterator[tuple[slice, Array]]:
        """Row blocks of the shifted and scaled X, each small enough for a temporary array."""
        for block in self._slices(CHUNK_BYTES):
            yield block, self._values(self.X[block])

    def _values(self, raw: NDArray[np.floating]) -> Array:
        values: Array = raw - self.shift
        values *= self.scale
        return values
