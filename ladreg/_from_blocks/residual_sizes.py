"""The median of absolute residuals of rows in blocks, exactly, and the number of distinct rows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._design import as_design
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, mixed
from ladreg._problem import Absolute, Coefficients
from ladreg._row_blocks import Place, Rows, Summary, picked, stacked

# Intervals of sizes whose weights are summed, where too many rows are near the median to be gathered.
_BINS = 1 << 16
# The median is first looked for within 4 standard errors of that of the sample.
_ERRORS = 4.0
# Intervals that are tried, at most: each is 20,000 times shorter than the one before.
_ROUNDS = 20
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
    if sp.issparse(rows.X):
        given: Any = rows.X
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


@dataclass(frozen=True)
class ResidualSizes:
    """The weighted median of absolute residuals, and the number of distinct rows."""

    median: float
    n_distinct: float


def residual_sizes(seen: Survey, given: Coefficients, n_held: int) -> Generator[Request, Summary, ResidualSizes]:
    """Median and number of distinct rows, in one pass where the rows near the median fit into memory, or a few.

    Notes
    -----
    1. The median is looked for in an interval about that of the sample. Where it has too many rows, the weights in
       each of 65,536 equal parts are summed up, and the part that holds the median is the next interval.
    2. The sizes in the interval come to memory, repeated ones once, and the median is that of memory.
    """
    low, high, share = _first_interval(seen, given)
    expected = share * seen.n_rows
    keys: LeastKeys | None = None
    for _ in range(_ROUNDS):
        gathers = expected <= n_held or not high > low
        found = yield "median", _sizes, (given, low, high, not gathers, keys is None)
        sums = found.sums
        keys = sums.get("keys", keys)
        below, inside, above = (float(sums[name]) for name in ("below", "inside", "above"))
        half = 0.5 * (below + inside + above)
        if below > half:
            low, high, expected = 0.0, low, np.inf
        elif above > half:
            low, high, expected = high, float(found.high["size"]), np.inf
        elif gathers:
            break
        else:
            low, high, expected = _narrowed(low, high, below, half, sums)
    values = stacked(found.rows["sizes distinct"])
    assert values.weight is not None
    assert keys is not None
    ends = [float(found.high["below"])], [float(found.low["above"])]
    size, weight = np.concatenate([ends[0], values.y, ends[1]]), np.concatenate([[below], values.weight, [above]])
    present = weight > 0
    return ResidualSizes(Absolute().location(size[present], weight[present]), keys.n_distinct(seen.n_rows))


def _first_interval(seen: Survey, given: Coefficients) -> tuple[float, float, float]:
    """An interval about the median of the sample, and the part of all rows that is expected in it."""
    sample = seen.sample
    size = np.abs(sample.y - as_design(sample.X).matvec(given.coef) - given.intercept)[: seen.n_random]
    weight = None if sample.weight is None else sample.weight[: seen.n_random]
    order = np.argsort(size)
    mass = np.cumsum(np.ones(size.size) if weight is None else weight[order])
    spread = _ERRORS * 0.5 / np.sqrt(size.size)
    places = np.searchsorted(mass, np.array([max(0.5 - spread, 0.0), min(0.5 + spread, 1.0)]) * mass[-1])
    low, high = size[order[np.minimum(places, size.size - 1)]]
    return float(low), float(high), 2.0 * spread


def _narrowed(low: float, high: float, below: float, half: float, sums: dict[str, Any]) -> tuple[float, float, float]:
    """The part of an interval that holds the median, with its neighbours, and the number of rows there."""
    reached = below + np.cumsum(sums["bins"])
    k = min(int(np.searchsorted(reached, half)), _BINS - 1)
    first, last = max(k - 1, 0), min(k + 2, _BINS)
    step = (high - low) / _BINS
    if not step > np.spacing(high):
        return low, high, 0.0
    return low + first * step, low + last * step if last < _BINS else high, float(sums["counts"][first:last].sum())


def _sizes(
    place: Place,  # noqa: ARG001
    rows: Rows,
    given: Coefficients,
    low: float,
    high: float,
    counts: bool,
    has_keys: bool,
) -> Summary:
    """Weights below, in and above an interval of absolute residuals, the sizes in it, and the keys of distinct rows."""
    if rows.weight is not None:
        rows = picked(rows, np.flatnonzero(rows.weight > 0))
    weight = np.ones(rows.y.size) if rows.weight is None else rows.weight
    size = np.abs(rows.y - as_design(rows.X).matvec(given.coef) - given.intercept)
    under, over = size < low, size > high
    inside = np.flatnonzero(~(under | over))
    found = Summary(
        sums={
            "below": float(weight[under].sum()),
            "inside": float(weight[inside].sum()),
            "above": float(weight[over].sum()),
        },
        low={"above": float(size[over].min(initial=np.inf))},
        high={"below": float(size[under].max(initial=0.0)), "size": float(size.max(initial=0.0))},
    )
    if has_keys:
        found.sums["keys"] = LeastKeys.of(row_keys(rows), np.ones(size.size))
    if counts:
        part = np.minimum(((size[inside] - low) * (_BINS / (high - low))).astype(np.intp), _BINS - 1)
        found.sums["bins"] = np.bincount(part, weight[inside], minlength=_BINS).astype(np.float64)
        found.sums["counts"] = np.bincount(part, minlength=_BINS)
        return found
    values, group = np.unique(size[inside], return_inverse=True)
    mass = np.bincount(group.ravel(), weight[inside], minlength=values.size).astype(np.float64)
    found.rows["sizes distinct"] = [Rows(np.zeros((values.size, 0)), values, mass)]
    return found
