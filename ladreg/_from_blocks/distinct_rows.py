"""The number of distinct rows of rows in blocks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, mixed
from ladreg._row_blocks import Place, Rows, Summary, picked

# Keys of distinct rows that are kept: their number is exact up to that, or if no row is there twice; above that it is
# estimated with a standard error of one in 128.
_KEYS = 1 << 14


@dataclass(frozen=True)
class LeastKeys:
    """The least keys of distinct rows, and how often each is there; the sum of two is that of all their rows."""

    keys: NDArray[np.uint64]
    counts: Array

    @classmethod
    def of(cls, keys: NDArray[np.uint64], counts: Array) -> LeastKeys:
        """The least keys among some, of which there may be several of one value."""
        kept, group = np.unique(keys, return_inverse=True)
        number = np.bincount(group.ravel(), counts, minlength=kept.size)
        return cls(kept[:_KEYS], number[:_KEYS].astype(np.float64))

    def __add__(self, other: LeastKeys) -> LeastKeys:
        keys, counts = other.keys, other.counts
        if self.keys.size == _KEYS:
            kept = keys <= self.keys[-1]
            keys, counts = keys[kept], counts[kept]
        return LeastKeys.of(np.concatenate([self.keys, keys]), np.concatenate([self.counts, counts]))

    def n_distinct(self, n_rows: int) -> float:
        """The number of distinct rows (Bar-Yossef et al. 2002 where it is estimated)."""
        if self.keys.size < _KEYS:
            return float(self.keys.size)
        if np.all(self.counts == 1):
            return float(n_rows)
        return min(float(_KEYS - 1) / (float(self.keys[-1]) / 2.0**64), float(n_rows))


def row_keys(rows: Rows) -> NDArray[np.uint64]:
    """A number for each row, equal for equal rows: the bits of its numbers times odd numbers, summed up and mixed."""
    n_features = rows.X.shape[1]
    factors = mixed(np.arange(n_features + 1)) | np.uint64(1)
    keys = _bits(rows.y) * factors[-1]
    given: Any = rows.X
    if sp.issparse(rows.X):
        given = given.tocsr()
        sums = np.append(np.uint64(0), np.cumsum(_bits(given.data) * factors[given.indices], dtype=np.uint64))
        keys += sums[given.indptr[1:]] - sums[given.indptr[:-1]]
    else:
        for j in range(n_features):
            keys += _bits(rows.X[:, j]) * factors[j]
    return mixed(keys)


def _bits(values: Any) -> NDArray[np.uint64]:
    """The bits of numbers as integers, the high ones folded onto the low ones; zero for both zeros."""
    bits = (np.ascontiguousarray(values, dtype=np.float64) + 0.0).view(np.uint64)
    return bits ^ (bits >> np.uint64(32))


def n_distinct_rows(seen: Survey) -> Generator[Request, Summary, float]:
    """The number of distinct rows of positive weight, in one pass."""
    found = yield "count", _keys, ()
    keys: LeastKeys = found.sums["keys"]
    return keys.n_distinct(seen.n_rows)


def _keys(place: Place, rows: Rows) -> Summary:  # noqa: ARG001
    """The keys of the rows of a tile."""
    if rows.weight is not None:
        rows = picked(rows, np.flatnonzero(rows.weight > 0))
    return Summary(sums={"keys": LeastKeys.of(row_keys(rows), np.ones(rows.y.size))})
