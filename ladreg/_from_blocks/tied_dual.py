"""The dual of rows that are fitted exactly and too many to be gathered: a function of a row and of one number a column.

Where these rows are in the majority, means of groups of them have the same optimum, but prove a weak bound. The dual of
such a row is taken as ``weight * clip(middle - x'u)``, all others are at the end on their side. With a vector u for
which no column pulls, it proves the coefficients; it minimises a convex, piecewise quadratic function.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, is_regular
from ladreg._certificate import missed_slopes
from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.huber import penalised_move
from ladreg._from_blocks.piecewise_tasks import residuals
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Units
from ladreg._piecewise import newton_step
from ladreg._problem import Coefficients, ElasticNet, Solution
from ladreg._row_blocks import Place, Rows, Summary
from ladreg._tolerances import (
    AT_END,
    EPS,
    EXACT_FIT,
    HALF_DIGITS,
    INSIDE,
    ORTHOGONAL,
    PINNED,
    PROVED_GAP,
    ROUNDED,
    SUMMED,
)

# Newton steps, each of which is a pass: 3 to 7 are usual.
_STEPS = 10
# Newton steps with the rows of the sample.
_SAMPLED = 30
# Rows of the sample whose duals are inside at its vector: at least 10 for each column, or it says little of all rows.
_PER_COLUMN = 10
# Ridges to try in turn, as fractions of the diagonal.
_RIDGES = (1e-12, 1e-8, 1e-4, 1e-2)


@dataclass(frozen=True)
class _Tangent:
    """The penalty along moves from coefficients at unit scale: their slopes, and the kinks that they are at."""

    slope: Array
    penalty: ElasticNet

    @classmethod
    def at(cls, penalty: ElasticNet, coef: Array) -> _Tangent:
        """The tangent at `coef`."""
        at_zero = coef == 0
        strength = np.where(at_zero, penalty.strength, 0.0)
        slope = np.where(at_zero, 0.0, penalty.strength * np.sign(coef)) + penalty.ridge * coef
        if not (penalty.limited or penalty.positive):
            return cls(slope, ElasticNet(strength))
        lower, upper = penalty.ends
        ends = np.where(coef <= lower, 0.0, -np.inf), np.where(coef >= upper, 0.0, np.inf)
        return cls(slope, ElasticNet(strength, lower=ends[0], upper=ends[1]))

    def move(self, hessian: Array, slope: Array, lean: Array) -> Array:
        """The move from `lean` to the minimum of the quadratic model and the penalty."""
        gradient = -slope
        gradient[: self.slope.size] += self.slope
        if self.penalty.is_plain:
            return newton_step(hessian, gradient, lean, self.penalty, _RIDGES, flat=AT_END)
        return penalised_move(hessian, gradient, lean, self.penalty)


def prove_ties(state: FitState) -> Generator[Request, Summary, Array]:
    """Prove the best coefficients of a state by duals of the rows that they fit exactly, in place; a few passes.

    The first vector is that of the sample's rows, beside the other rows of all. Returns the last one. Where no dual
    proves the coefficients, it is a direction in which the objective falls, or as good as one.
    """
    best = state.best
    assert best is not None
    kept, units = state.units.kept, state.units
    point = Coefficients(best.coef if kept is None else best.coef[kept], best.intercept)
    coef = point.coef / (units.scale * units.unit)
    tangent = _Tangent.at(state.penalty, coef)
    search = _Search(tangent, state.columns, state.point.size)
    for number in range(_STEPS):
        seen = yield "certify", tied, (units, state.ends, point, search.lean)
        sums = seen.sums
        if sums["far crossed"]:
            break
        if search.accepts(sums):
            state.stats["n_tied"] = float(sums["tied"])
            if _judged(state, best, coef, sums) or not search.advance(sums):
                break
            if number == 0:
                _follow_sample(state, search, point, sums)
    return search.lean


def _follow_sample(state: FitState, search: _Search, point: Coefficients, sums: dict[str, Array]) -> None:
    """Move on to the vector of the rows of the sample that are fitted exactly, beside the others of all rows.

    Where the sample has no such vector, or one of which few rows are inside, the search stays where it is.
    """
    place, first = Place(0, 0, 0, "the sample"), search.lean
    for _ in range(_SAMPLED):
        own = tied(place, state.seen.sample, state.units, state.ends, point, search.lean).sums
        own["slope"] = own["slope"] - own["side slope"] + sums["side slope"]
        own["total"] = own["total"] - own["side total"] + sums["side total"]
        own |= {name: sums[name] for name in ("side slope", "side total")}
        if search.accepts(own) and not search.advance(own):
            break
        if np.abs(search.move).max() <= HALF_DIGITS * np.abs(search.lean).max():
            search.value = np.inf
            if own["inside"] >= _PER_COLUMN * search.size:
                return
            break
    search.lean, search.value = first, np.inf


@dataclass
class _Search:
    """Newton's steps to the vector that minimises the function of `_value`; back half the way where it grew."""

    tangent: _Tangent
    columns: slice
    size: int
    value: float = np.inf

    def __post_init__(self) -> None:
        self.lean, self.move = np.zeros(self.size), np.zeros(self.size)

    def accepts(self, sums: dict[str, Array]) -> bool:
        """Whether the function is no larger than it was; otherwise the vector is moved back."""
        here = _value(self.tangent, sums, self.lean)
        if here > self.value + ROUNDED * max(abs(here), abs(self.value)):
            self.move = 0.5 * self.move
            self.lean = self.lean - self.move
            return False
        self.value = here
        return True

    def advance(self, sums: dict[str, Array]) -> bool:
        """Make a step; whether there was one."""
        columns, hessian = self.columns, np.ascontiguousarray(sums["gram"][self.columns, self.columns])
        if not hessian.any():
            return False
        slope = np.append(sums["slope"], sums["total"])[columns]
        self.move = np.zeros(self.size)
        self.move[columns] = self.tangent.move(hessian, slope, self.lean[columns])
        if np.abs(self.move).max() <= EPS * np.abs(self.lean).max():
            return False
        self.lean = self.lean + self.move
        return True


def _value(tangent: _Tangent, sums: dict[str, Array], lean: Array) -> float:
    """The function that the vector minimises."""
    linear = tangent.slope - sums["side slope"]
    constant = float(lean[:-1] @ linear) - float(lean[-1] * sums["side total"])
    return float(sums["value"]) + constant + tangent.penalty.value(lean[:-1])


def _judged(state: FitState, best: Solution, coef: Array, sums: dict[str, Array]) -> bool:
    """Keep what the duals of a pass prove of the best coefficients; whether that is all."""
    penalty, unit, slope = state.penalty, state.units.unit, sums["slope"]
    # Slopes that must be zero, and those that must not be above it (on the side without a limit), up to rounding.
    pull = np.where(penalty.free(), np.abs(slope), np.where(penalty.one_sided, penalty.open_side * slope, 0.0))
    loose = pull > ORTHOGONAL * sums["size"][:-1]
    if loose.any() or (state.question.fit_intercept and abs(sums["total"]) > ORTHOGONAL * sums["size"][-1]):
        return False
    shrink = max(penalty.overrun(slope), 1.0)
    features = penalty.fenchel_young(coef, slope / shrink)
    features[penalty.free_features] = 0.0
    loss, rows = float(sums["loss"] + sums["moved loss"]), float(sums["gap"])
    gap = rows + (1.0 - 1.0 / shrink) * (loss - rows) + float(features.sum()) * unit
    if not gap < best.gap:
        return False
    ordinary = float(sums["loss"]) + penalty.value(coef) * unit
    size = ordinary if ordinary > EXACT_FIT * sums["null"] else float(sums["null"])
    state.is_proved = gap <= PROVED_GAP * size
    state.bound = max(state.bound, best.objective - gap)
    relative = gap / size if size > 0 else best.relative_gap
    unique = state.is_proved and _is_unique(state, coef, sums)
    state.best = replace(best, gap=gap, relative_gap=relative, unique=unique)
    return state.is_proved


def _is_unique(state: FitState, coef: Array, sums: dict[str, Array]) -> bool:
    """Whether rows with a dual inside the interval determine every coefficient that the slopes leave open."""
    penalty, slope = state.penalty, sums["slope"]
    least = AT_END * max(float(np.abs(slope).max(initial=0.0)), float(penalty.strength.max(initial=0.0)))
    size = sums["size"][:-1]
    near = np.maximum(least, missed_slopes(penalty, coef, slope, size, SUMMED * size))
    held = penalty.at_kink(coef)
    for other in (slope - near, slope + near):
        held &= penalty.nearest_slope(coef, other) == other
    chosen = np.flatnonzero(~held)
    chosen = np.append(chosen, coef.size) if state.question.fit_intercept else chosen
    return not chosen.size or is_regular(sums["gram"][np.ix_(chosen, chosen)])


def tied(
    place: Place,  # noqa: ARG001
    rows: Rows,
    units: Units,
    ends: tuple[float, float],
    point: Coefficients,
    lean: Array,
) -> Summary:
    """Duals of a tile at a point in the user's units, with what they prove, and what the next step is made of."""
    lower, upper = ends
    rows, far = units.with_near_targets(rows)
    weight, design = units.weight(rows), units.design(rows)
    residual, is_tied = residuals(units, rows, point)
    # Coefficients that are zero up to rounding leave residuals that are no rounding of their terms. Any row may be
    # taken for tied: its residual times the distance of its dual from the end is in the gap.
    is_tied |= np.abs(residual) <= PINNED * units.unit
    is_tied[far.rows] = False
    some = np.flatnonzero(is_tied & (weight > 0))
    table, mass = design.take(some), weight[some]
    leant = (lower + upper) / 2 - table.matvec(lean[:-1]) - lean[-1]
    clipped = np.minimum(np.maximum(leant, lower), upper)
    slopes = np.where(residual > 0, upper, lower)
    slopes[some] = 0.0
    sided, duals = weight * slopes, mass * clipped
    margin = INSIDE * (upper - lower)
    inside = np.where((leant >= lower + margin) & (leant <= upper - margin), mass, 0.0)
    loss = np.maximum(upper * residual, lower * residual)
    ordinary, features = far.zeroed(weight), np.arange(units.scale.size)
    slopes[some] = clipped
    side_slope, side_total = design.rmatvec(sided), float(sided.sum())
    return Summary(
        sums={
            "tied": some.size,
            "inside": int(np.count_nonzero(inside)),
            "side slope": side_slope,
            "side total": side_total,
            "slope": side_slope + table.rmatvec(duals),
            "total": side_total + float(duals.sum()),
            "size": np.append(design.magnitudes(weight), 1.0) * max(upper, -lower),
            "gram": table.gram(inside, features, border=True),
            "value": float(mass @ (clipped * leant - 0.5 * clipped * clipped)),
            "gap": float(weight @ np.maximum(loss - residual * slopes, 0.0)),
            "loss": float(ordinary @ loss),
            "moved loss": float(weight[far.rows] @ loss[far.rows]),
            "far crossed": int(np.count_nonzero((residual[far.rows] > 0) != (far.distance > 0))),
            "null": float(ordinary @ np.maximum(upper * rows.y, lower * rows.y)),
        }
    )
