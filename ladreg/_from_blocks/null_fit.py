"""The largest useful alpha from rows in blocks, by the slopes at a fit without penalised features."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array
from ladreg._cached import cached_property
from ladreg._design import Design, as_design
from ladreg._from_blocks.piecewise_tasks import bring, means_of, residuals, sums_of_groups
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.reduced_rows import MEANS, brought
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units, uniform
from ladreg._problem import Absolute, Coefficients, ElasticNet, Loss, Problem, Settings
from ladreg._row_blocks import Place, Rows, Summary, picked, stacked
from ladreg._solvers import largest_alpha_at, least_slope_at, solve, without_narrow_curve
from ladreg._tolerances import AT_END, EXACT_FIT, HALF_DIGITS, SUMMED

# Rows at the kink that are too many are split by moves at most 12 times; 2 to 5 are usual.
_SPLITS = 12
# A quarter of the rows of a sample is expected near the hyperplane of a move: half as many may be gathered.
_PART = 0.25
# Moves of the sample are those of at most 4,096 of its rows.
_MANY = 1 << 12
# Twice as many are taken where they cannot balance the others.
_MORE = 2.0
# Moves are fits at the largest alpha times 1 - 1e-6: paths of piecewise linear losses are constant between knots.
_BELOW = 1.0 - 1e-6


# What the slopes of rows are asked of: units, the loss, the point, and the rounding of residuals there.
_Common = tuple[Units, Loss, Coefficients, float]


@dataclass(frozen=True)
class _Split:
    """Moves of all coefficients, which leave the rows at the kink on two sides.

    Those within `radius` along the first stay open, and those that another move leaves on the other side.
    """

    moves: list[Array]
    radius: float


@dataclass(frozen=True)
class NullSlopes:
    """What a fit without penalised features leaves: the slopes of rows on both sides, and the rows at the kink."""

    question: Question
    units: Units
    coef: Array
    sums: dict[str, Any]
    tied: Rows | None

    @property
    def loss(self) -> Loss:
        """The part of the loss with a kink."""
        return self.question.loss if self.question.loss.is_piecewise_linear else Absolute()

    @cached_property
    def problem(self) -> Problem:
        """The duals of rows off the kink are known: one row on each side, the mean of its rows with their duals as
        weights, has the same slopes. With the rows at the kink they are a problem with the same largest alpha.
        """
        sums, tied = self.sums, self.tied
        lower, upper = self.loss.kink()
        sides = [(name, end) for name, end in (("below", -lower), ("above", upper)) if sums[name] > 0]
        X = [sums[name + " x"] / sums[name] for name, _ in sides]
        weight = [float(sums[name]) / end for name, end in sides]
        residual = [1.0 if name == "above" else -1.0 for name, _ in sides]
        if tied is not None:
            X += list(self.columns(tied).rows(np.arange(tied.y.size)))
            weight += (self.units.weight(tied) * self.question.loss.kink()[1] / upper).tolist()
            residual += [0.0] * tied.y.size
        rows = as_design(np.array(X).reshape(len(residual), self.units.shift.size))
        penalty = self.question.penalty
        return Problem(rows, np.array(residual), np.array(weight), self.loss, penalty, self.question.fit_intercept)

    def columns(self, rows: Rows) -> Design:
        """The columns of rows, moved to the origin."""
        return self.units.own_design(rows).rescaled(self.units.shift, np.ones_like(self.units.shift))

    @cached_property
    def largest_alpha(self) -> float:
        """The smallest multiple of the penalty that balances the slopes of all penalised features."""
        return largest_alpha_at(self.null_problem, self.coef, 0.0)

    @cached_property
    def bound(self) -> float:
        """The same, an upper bound where rows were left on sides; infinite where the others cannot balance these."""
        return least_slope_at(self.null_problem, self.coef, 0.0)

    @cached_property
    def null_problem(self) -> Problem:
        """The problem with targets that the fit leaves on their sides."""
        rows, side = self.problem.design, self.problem.y
        # Coefficients are those of the fit: a feature that is at a limit there may have a slope that is not zero.
        y = rows.matvec(self.coef) + side * (1.0 + rows.absolute_matvec(np.abs(self.coef)))
        return replace(self.problem, y=y)

    def move(self, settings: Settings) -> Array:
        """Where the coefficients, the intercept last, go below the largest alpha."""
        problem, mass = self.problem, float(self.problem.weight.sum())
        penalty = ElasticNet(problem.penalty.strength, problem.penalty.positive).times(
            _BELOW * self.largest_alpha / mass
        )
        found = solve(replace(problem, weight=problem.weight / mass, penalty=penalty), settings)
        return np.append(found.coef, found.intercept)

    def balanced(self, move: Array) -> Array:
        """A move whose intercept leaves rows at the kink on sides that balance the others, about."""
        if self.tied is None or not self.question.fit_intercept:
            return move
        lower, upper = self.question.loss.kink()
        size = self.columns(self.tied).matvec(move[:-1])
        order, weight = np.argsort(size), self.units.weight(self.tied)
        total = float(self.sums["above"] - self.sums["below"])
        # Rows below the hyperplane have the dual of the upper end: from all to none of them.
        sides = total + lower * weight.sum() + (upper - lower) * np.cumsum(weight[order])
        place = min(int(np.searchsorted(sides, 0.0)), size.size - 1)
        return np.append(move[:-1], -size[order[place]])

    def cost(self, move: Array) -> float:
        """The penalty of a move at alpha = 1."""
        return ElasticNet(self.question.penalty.strength).value(move[:-1])


def largest_alpha_by_slopes(
    question: Question, null: Coefficients, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, float]:
    """The largest useful alpha of a loss, by the slopes at a fit without penalised features.

    Parameters
    ----------
    question
        Any loss; the penalty at alpha = 1.
    null
        The fit, in the user's units.
    settings
        As for data in memory.
    seen
        The survey of the same rows.
    n_held
        Rows of the sample; half as many may be gathered.

    Notes
    -----
    1. One pass sums up the slopes of the rows on both sides, and gathers the rows at the kink, whose duals are open.
    2. Where these are too many, they are split: along a move of the coefficients each leaves the kink to one side, and
       has the dual of the end there. Only those near the hyperplane of the move are gathered. Any move v, with the
       intercept c, bounds the largest alpha from below:
       ``(sum_i d_i (x_i'v + c) + sum_t w_t min(lower z_t, upper z_t)) / penalty(v)`` with ``z_t = x_t'v + c``,
       the duals d of rows off the kink, and the slopes of the kink of the rows t. The gathered rows bound it from
       above, and show the next move. A pass each, until both bounds agree.
    """
    penalty = question.penalty
    if not (np.isfinite(penalty.strength) & (penalty.strength > 0)).any():
        return 0.0
    units = Units.of(seen, None, 0.0, 1.0, question.fit_intercept)
    loss, steepness = without_narrow_curve(question.loss, seen.sample.y)
    if loss != question.loss:
        lines = replace(question, loss=loss)
        return steepness * (yield from largest_alpha_by_slopes(lines, null, settings, seen, n_held))
    size = np.abs(seen.sample.y)
    rounding = SUMMED * float(np.median(size[size > 0])) if size.any() else 0.0
    common = units, question.loss, null, rounding
    found = yield "slopes", _slopes, (*common, n_held // 2, 0, None)
    has_free = bool((penalty.strength == 0).any())
    if has_free and float(found.high["residual"]) <= EXACT_FIT * float(found.high["y"]):
        return 0.0  # the free features fit y exactly, and slopes are rounding
    if _is_full(found, n_held):
        return (yield from _by_splits(question, settings, seen, n_held, common, found))
    return NullSlopes(question, units, common[2].coef, found.sums, _stacked(brought(found))).largest_alpha


def side_taken(
    question: Question, point: Coefficients, units: Units, settings: Settings, seen: Survey
) -> Generator[Request, Summary, Array | None]:
    """A move that takes the rows that a point without penalised features fits exactly to their sides, in one pass.

    It is that at the largest alpha of these rows of the sample, beside the slopes of all other rows: duals at the ends
    of their sides prove the point at this alpha, and hence at every larger one; below it the objective falls along the
    move. At unit scale, the intercept last; None where there is none, or another loss or penalty.
    """
    kept = units.kept
    penalty = question.penalty if kept is None else question.penalty.at(kept)
    penalised = penalty.strength > 0
    coef = point.coef if kept is None else point.coef[kept]
    if penalty.limited or not question.loss.is_piecewise_linear or not penalised.any() or coef[penalised].any():
        return None
    common = units, question.loss, Coefficients(coef, point.intercept), 0.0
    found = yield "slopes", _slopes, (*common, 0, 0, None)
    slopes = NullSlopes(replace(question, penalty=penalty), units, coef, found.sums, _sampled_ties(seen, common))
    if slopes.tied is None or not slopes.largest_alpha > 0:
        return None
    return slopes.move(settings) / np.append(units.scale * units.unit, units.unit)


def _by_splits(
    question: Question, settings: Settings, seen: Survey, n_held: int, common: _Common, found: Summary
) -> Generator[Request, Summary, float]:
    """Step 2. Rows at the kink that no move tells apart are gathered as means of groups: then it is an upper bound."""
    units = common[0]
    sampled = NullSlopes(question, units, common[2].coef, found.sums, _sampled_ties(seen, common))
    n_groups = max(min(n_held // 2, MEANS // (seen.n_features + 2)), 1)
    move, most, least, share = sampled.move(settings), np.inf, 0.0, _PART * n_held / found.sums["tied"]
    best = move
    for _ in range(_SPLITS):
        moves = [move] if best is move else [move, best]
        split = _Split(moves, _radius(sampled, move, share))
        answer = yield "slopes", _slopes, (*common, n_held // 2, 0, split)
        if _is_full(answer, n_held):
            answer = yield "slopes", _slopes, (*common, 0, n_groups, split)
            answer.rows["plain"] = [means_of(answer, seen.is_sparse)]
        gain = answer.sums["gain"] / (sampled.cost(move) or np.inf)
        if gain > least:
            least, best = gain, move
        slopes = NullSlopes(question, units, common[2].coef, answer.sums, _stacked(brought(answer)))
        most = min(most, slopes.bound)
        if most <= least * (1.0 + AT_END):
            break
        if slopes.bound < np.inf:
            move = slopes.move(settings)
        else:
            move, share = sampled.balanced(move), share * _MORE
    return float(most if most < np.inf else max(least, sampled.largest_alpha))


def _sampled_ties(seen: Survey, common: _Common) -> Rows | None:
    """Rows of the sample at the kink, which stand for all: at most 4,096 of them."""
    here = _slopes(Place(0, 0, 0, "the sample"), seen.sample, *common, seen.sample.y.size, 0, None)
    tied = _stacked(brought(here))
    if tied is None or tied.y.size <= _MANY:
        return tied
    weight = np.ones(tied.y.size) if tied.weight is None else tied.weight
    some = np.linspace(0, tied.y.size - 1, _MANY).astype(np.intp)
    few = picked(tied, some)
    return few._replace(weight=weight[some] * (weight.sum() / (weight[some].sum() or 1.0)))


def _radius(sampled: NullSlopes, move: Array, share: float) -> float:
    """The distance from the hyperplane of a move that this share of the rows at the kink is within."""
    if sampled.tied is None:
        return 0.0
    size = np.abs(sampled.columns(sampled.tied).matvec(move[:-1]) + move[-1])
    order = np.argsort(size)
    weight = np.cumsum(sampled.units.weight(sampled.tied)[order])
    place = int(np.searchsorted(weight, min(share, 1.0) * weight[-1]))
    return max(float(size[order[min(place, size.size - 1)]]), HALF_DIGITS * float(size.max()))


def _stacked(parts: list[Rows]) -> Rows | None:
    return stacked(parts) if parts else None


def _is_full(found: Summary, n_held: int) -> bool:
    """Whether a pass met more rows than it may bring."""
    return bool(found.sums["left out"]) or sum(part.y.size for part in brought(found)) > n_held


def _slopes(
    place: Place,
    rows: Rows,
    units: Units,
    loss: Loss,
    point: Coefficients,
    rounding: float,
    most: int,
    n_groups: int,
    split: _Split | None,
) -> Summary:
    """The slopes of the rows of a tile on both sides of a point, and its rows at the kink, or means of groups.

    Residuals are zero up to rounding of their terms, or of an ordinary target. A split leaves rows at the kink on a
    side; "gain" is what its move takes from the loss.
    """
    design, weight = units.design(rows), units.weight(rows)
    residual, is_zero = residuals(units, rows, point)
    residual[weight == 0] = 0.0
    tied = (is_zero | (np.abs(residual) <= rounding)) & loss.has_kink
    dual = np.where(tied, 0.0, weight * loss.derivative(residual))
    found = Summary(high={"residual": float(np.abs(residual).max()), "y": float(np.abs(rows.y).max())})
    found.sums["tied"] = int(np.count_nonzero(tied & (weight > 0)))
    if split is not None:
        lower, upper = loss.kink()
        step, *others = (design.matvec(move[:-1] / units.scale) + move[-1] for move in split.moves)
        ends = weight * np.where(step > 0, lower, upper)
        found.sums["gain"] = float(np.where(tied, ends, dual) @ step)
        held = tied & (np.abs(step) > split.radius)
        for other in others:
            held &= (other > 0) == (step > 0)
        dual[held], tied = ends[held], tied & ~held
    for name, part in (("below", np.maximum(-dual, 0.0)), ("above", np.maximum(dual, 0.0))):
        found.sums |= {name: float(part.sum()), name + " x": design.rmatvec(part) / units.scale}
    chosen = np.flatnonzero(tied & (weight > 0))
    found.sums["left out"] = 0
    if n_groups:
        group = (uniform(place.first + chosen) * n_groups).astype(np.intp)
        found.sums |= sums_of_groups(picked(rows, chosen), group, n_groups)
    else:
        bring(found, rows, chosen, most)
    return found
