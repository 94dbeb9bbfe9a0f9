"""Targets that are far from all others, and weights that dwarf the sum of all others."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._problem import Loss
from ladreg._tolerances import VERTEX

# A target is far beyond this many typical distances from the median target.
REACH = 2.0**10
# A weight is heavy above this many times the sum of all smaller weights.
_HEAVY = 2.0**20
# The least weight above a step becomes this many times the sum of the weights below. The dual of a row that is fitted
# exactly is at most that sum where the row is as large as the others, and 1,000 times it where it is a thousandth of
# their size.
_LOWERED = 2.0**10
# Distances of at least 2^-30 times their median are of one size; those below median / REACH are of another if they are
# an eighth of all: of exponential or normal ones they are a thousandth.
_ONE_SIZE, _SHARE = 2.0**-30, 1 / 8
# Rows of the sample that shows, for most data, that no target is far.
_GLANCE = 256
# A median is computed from at most 10,000 random rows.
_SAMPLE = 10_000


def far_targets(y: Array, weight: Array, loss: Loss) -> tuple[float, float, Index] | None:
    """The median target, the distance from it beyond which targets are far, and the rows of these; None without any.

    The loss is linear beyond the residuals of its interval's ends, which count as typical distances if they are larger.
    """
    low, high = float(y.min(initial=np.inf)), float(y.max(initial=-np.inf))
    glance = np.sort(y[:: y.size // _GLANCE + 1])
    fifth = glance.size // 5
    with np.errstate(over="ignore", invalid="ignore"):
        # The shortest fifth of the targets is narrower than any majority of them: most data need no other check.
        if fifth and high - low <= REACH * float((glance[fifth:] - glance[: glance.size - fifth]).min()):
            return None
        edge = float(np.abs(loss.residual_at(np.array(loss.interval()))).max())
        centre, reach = centre_and_reach(y, weight, edge)
        rows = np.flatnonzero(np.abs(y - centre) > reach) if reach > 0 else np.zeros(0, dtype=np.intp)
    return (centre, reach, rows) if rows.size else None


def centre_and_reach(y: Array, weight: Array, edge: float) -> tuple[float, float]:
    """The median target, and the distance from it beyond which targets are far; zero where none has a typical one."""
    with np.errstate(over="ignore", invalid="ignore"):
        centre = _median(y, weight)
        return centre, REACH * max(_typical(np.abs(y - centre), weight, centre), edge)


def _typical(distance: Array, weight: Array, centre: float) -> float:
    """The weighted median of the distances; where it is zero, the size of the median target.

    Where that is zero as well, far targets may be the majority of the others: only distances far below the median
    distance are kept, until all that are left are of one size.
    """
    size = _median(distance, weight) or abs(centre)
    chosen = (distance > 0) & (weight > 0)
    while size == 0 and chosen.any():
        median = _median(distance[chosen], weight[chosen])
        smaller = chosen & (distance < median / REACH)
        is_small_share = np.count_nonzero(smaller) < _SHARE * np.count_nonzero(chosen)
        chosen = smaller & (distance < _ONE_SIZE * median) if is_small_share else smaller
        size = 0.0 if chosen.any() else median
    return size


def _median(values: Array, weight: Array) -> float:
    """The weighted lower median, of a random sample where there are many."""
    are_equal = weight.max() == weight.min()
    if values.size > _SAMPLE:
        rng = np.random.default_rng(0)
        if are_equal:
            drawn = rng.integers(0, values.size, _SAMPLE)
        else:
            cumulated = np.cumsum(weight)
            drawn = np.minimum(np.searchsorted(cumulated, rng.random(_SAMPLE) * cumulated[-1]), values.size - 1)
        values, are_equal = values[drawn], True
    if are_equal:
        middle = (values.size - 1) // 2
        return float(np.partition(values, middle)[middle])
    order = np.argsort(values)
    cumulated = np.cumsum(weight[order])
    half = cumulated[-1] * (0.5 - VERTEX)
    return float(values[order[int(np.searchsorted(cumulated, half))]])


def steps(weight: Array, n_columns: int) -> Array:
    """Weights that dwarf the sum of all smaller ones, ascending: at each of them another order of magnitude begins.

    Steps with more heavy rows than columns are left out: these rows cannot all be fitted exactly, and are the data.
    """
    ascending = np.sort(weight)
    smaller = np.append(0.0, np.cumsum(ascending)[:-1])
    found = np.flatnonzero((ascending > _HEAVY * smaller) & (smaller > 0))
    return ascending[found[weight.size - found <= n_columns]]


def lowered(weight: Array, at: Array) -> Array:
    """Weights with the steps between orders of magnitude made lower; ratios of weights between two steps stay."""
    result = np.array(weight)
    for step in at:
        heavy = weight >= step
        result[heavy] *= _LOWERED * float(result[~heavy].sum()) / float(result[heavy].min())
    return result
