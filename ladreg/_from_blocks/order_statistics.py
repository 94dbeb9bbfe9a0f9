"""Order statistics of the residuals of rows in blocks, exactly."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._design import as_design
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey
from ladreg._problem import Coefficients
from ladreg._row_blocks import Place, Rows, Summary, picked, stacked

# Intervals of values whose weights are summed, where too many rows are near an order statistic to be gathered. Of the
# 2^64 numbers four of these sums find a single one, zero included.
_BINS = 1 << 16
# An order statistic is first looked for within 4 standard errors of that of the sample, and 2 of its rows.
_ERRORS, _MORE = 4.0, 2
# Intervals that are tried, at most: one of the sample, two outside of it, four parts, and the values in the last.
_ROUNDS = 10
_SIGN = np.uint64(1 << 63)  # the bit of the sign


@dataclass(frozen=True)
class Distance:
    """The distance of each target from prediction and centre, or its size."""

    point: Coefficients
    centre: float = 0.0
    is_size: bool = True

    def of(self, rows: Rows) -> Array:
        """The distances of rows."""
        residual = rows.y - as_design(rows.X).matvec(self.point.coef) - self.point.intercept - self.centre
        return np.abs(residual) if self.is_size else residual


@dataclass(frozen=True)
class Nearby:
    """Values near an order statistic with their weights, and one on each side that has the weights of all beyond."""

    values: Array
    weight: Array


def selected(
    seen: Survey, measure: Distance, low_goal: float, high_goal: float, n_held: int
) -> Generator[Request, Summary, Nearby]:
    """The values whose cumulative weights reach two goals, and those between them.

    It takes one pass where the rows near the order statistic fit into memory, or a few.

    Parameters
    ----------
    seen
        The survey of the rows.
    measure
        What each row has a value of.
    low_goal, high_goal
        In units of the weights; `high_goal` is not less than `low_goal`.
    n_held
        Rows that may be gathered.

    Notes
    -----
    1. Start from an interval about the order statistic of the sample. If it has too many rows, sum up the weights in
       each of 65,536 parts with equally many floating-point numbers; the part that holds the goals is the next
       interval. Where it is no shorter, the two goals are two values that many rows have.
    2. The values in the interval come to memory, repeated ones once.
    """
    low, high, share = _first_interval(seen, measure, low_goal / seen.mass, high_goal / seen.mass)
    expected = share * seen.n_rows
    for _ in range(_ROUNDS):
        gathers = expected <= n_held or not high > low
        found = yield "select", _values, (measure, low, high, gathers)
        sums = found.sums
        below, inside = float(sums["below"]), float(sums["inside"])
        if below > low_goal:
            low, high, expected = float(found.low["least"]), low, np.inf
        elif below + inside < min(high_goal, below + inside + float(sums["above"])):
            low, high, expected = high, float(found.high["most"]), np.inf
        elif gathers:
            break
        else:
            low, high, expected = _narrowed(low, high, (low_goal - below, high_goal - below), sums)
    values = stacked(found.rows["values distinct"])
    assert values.weight is not None
    ends = [float(found.high["below"])], [float(found.low["above"])]
    value = np.concatenate([ends[0], values.y, ends[1]])
    weight = np.concatenate([[below], values.weight, [float(sums["above"])]])
    return Nearby(value[weight > 0], weight[weight > 0])


def _first_interval(seen: Survey, measure: Distance, low: float, high: float) -> tuple[float, float, float]:
    """An interval about the parts `low` and `high` of the sample, and the part of all rows that is expected in it."""
    size = seen.n_random
    value = measure.of(seen.sample)[:size]
    weight = np.ones(size) if seen.sample.weight is None else seen.sample.weight[:size]
    order = np.argsort(value)
    mass = np.cumsum(weight[order])
    spread = _ERRORS * 0.5 / np.sqrt(size) + _MORE / size
    ends = max(low - spread, 0.0), min(high + spread, 1.0)
    places = np.searchsorted(mass, np.array(ends) * mass[-1])
    first, last = value[order[np.minimum(places, size - 1)]]
    return float(first), float(last), ends[1] - ends[0]


def _narrowed(low: float, high: float, goals: tuple[float, float], sums: dict[str, Any]) -> tuple[float, float, float]:
    """The part of an interval that holds two cumulative weights, and the number of rows to gather from it."""
    reached = np.cumsum(sums["bins"])
    first, last = (min(int(np.searchsorted(reached, goal)), _BINS - 1) for goal in goals)
    (start, end), step = _places(np.array([low, high])).tolist(), _step(low, high)
    edges = start + first * step, min(start + (last + 1) * step - 1, end)
    if edges[1] - edges[0] > (end - start) // 2:
        return low, high, 0.0
    return *_numbers(np.array(edges, dtype=np.uint64)).tolist(), float(sums["counts"][first : last + 1].sum())


def _places(values: Array) -> NDArray[np.uint64]:
    """The place of each number in the order of all floating-point numbers."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    return np.where(bits >= _SIGN, ~bits, bits | _SIGN)


def _numbers(places: NDArray[np.uint64]) -> Array:
    """The numbers at these places."""
    return np.where(places >= _SIGN, places ^ _SIGN, ~places).view(np.float64)


def _step(low: float, high: float) -> int:
    """How many floating-point numbers each part of an interval has."""
    start, end = _places(np.array([low, high])).tolist()
    return int(end - start) // _BINS + 1


def _values(
    place: Place,  # noqa: ARG001
    rows: Rows,
    measure: Distance,
    low: float,
    high: float,
    gathers: bool,
) -> Summary:
    """Weights below, in and above an interval of values, and the values in it, or how many there are in its parts."""
    if rows.weight is not None:
        rows = picked(rows, np.flatnonzero(rows.weight > 0))
    weight, value = np.ones(rows.y.size) if rows.weight is None else rows.weight, measure.of(rows)
    under, over = value < low, value > high
    inside = np.flatnonzero(~(under | over))
    found = Summary(
        sums={
            "below": float(weight[under].sum()),
            "inside": float(weight[inside].sum()),
            "above": float(weight[over].sum()),
        },
        low={"above": float(value[over].min(initial=np.inf)), "least": float(value.min(initial=np.inf))},
        high={"below": float(value[under].max(initial=-np.inf)), "most": float(value.max(initial=-np.inf))},
    )
    if not gathers:
        start = _places(np.array([low]))
        part = ((_places(value[inside]) - start) // np.uint64(_step(low, high))).astype(np.intp)
        found.sums["bins"] = np.bincount(part, weight[inside], minlength=_BINS).astype(np.float64)
        found.sums["counts"] = np.bincount(part, minlength=_BINS)
        return found
    distinct, group = np.unique(value[inside], return_inverse=True)
    mass = np.bincount(group.ravel(), weight[inside], minlength=distinct.size).astype(np.float64)
    found.rows["values distinct"] = [Rows(np.zeros((distinct.size, 0)), distinct, mass)]
    return found
