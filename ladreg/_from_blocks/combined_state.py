"""Where a fit of the combined loss to rows in blocks is, and what a pass proves of coefficients."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import Kink, SquareSums, SumProof, is_determined, missed_slopes, prove_from_sums
from ladreg._from_blocks.combined_rows import ReducedFit
from ladreg._from_blocks.combined_tasks import UnitMoments, measure, with_moments
from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.piecewise_tasks import Near
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.sample_problem import Start
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, Combined, HalfSquared, Problem, Settings, Solution, StopReason
from ladreg._row_blocks import Rows, Summary
from ladreg._solvers import solve
from ladreg._tolerances import PROVED_GAP, ROUNDED, SUMMED

# A fit is the last where the gap, but for rounding, is at most 1e-22 of the squares: coefficients have eleven digits.
_LAST = 1e-22


@dataclass
class CombinedFit:
    """A fit at unit scale: the loss is ``factor * (height * |r| + r^2 / 2)``, and where the fit is."""

    state: FitState
    height: float
    factor: float
    # The fit of the sample: the moments are those of the residuals there.
    base: Array
    moments: UnitMoments | None = None
    best: Step | None = None
    # The largest lower bound of the objective.
    bound: float = 0.0

    @classmethod
    def of(
        cls, question: Question, settings: Settings, seen: Survey, n_held: int, start: Start | None = None
    ) -> CombinedFit:
        """At the fit of the sample, or where it is to start."""
        whole = question.of(seen.sample)
        twin, scaling = scaled(whole)
        finite = np.isfinite(question.penalty.strength)
        kept = None if finite.all() else np.flatnonzero(finite)
        units = Units.of(seen, kept, scaling.y_shift, scaling.unit, question.fit_intercept)
        height, factor = half_squared(question, units.unit, twin.loss.has_kink)
        penalty = question.penalty if kept is None else question.penalty.at(kept)
        penalty = penalty.rescaled(units.scale * units.unit, factor)
        loss = Combined(height, 0.5) if height else HalfSquared()
        design, y = units.design(seen.sample), units.target(whole.y)
        pilot = replace(whole, design=design, y=y, loss=loss, penalty=penalty)
        found = solve(pilot, settings) if start is None else units.to_scaled(start.coefficients)
        point = np.append(found.coef, found.intercept)
        return cls(FitState.of(question, settings, seen, units, pilot, point, n_held), height, factor, point)

    @property
    def known(self) -> UnitMoments:
        """The moments, after the first pass of the fit."""
        assert self.moments is not None
        return self.moments

    def joined(self, steps: Generator[Request, Summary, Any]) -> Generator[Request, Summary, Any]:
        """Steps of a fit, whose first pass sums up the moments as well if they are not known."""
        answer: Summary | None = None
        while True:
            try:
                name, task, common = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                return end.value
            if self.moments is not None:
                answer = yield name, task, common
                continue
            answer = yield name, with_moments, (self.state.units, self.base, task, common)
            self.moments = UnitMoments.of(answer.sums["moments"], self.state.units, self.base)

    def asks(self, near: Near, given: Coefficients, most: int, tilt: Array | None = None) -> Request:
        """The pass at coefficients in the user's units."""
        rest = self.state.penalty.rest * (self.state.units.scale * self.state.units.unit)
        return "certify", measure, (near, given, rest, most, tilt)

    def in_units(self, point: Array) -> Coefficients:
        """Coefficients of the kept features in the user's units, within their limits."""
        units, question = self.state.units, self.state.question
        coef, intercept = units.to_original(point[:-1], float(point[-1]))
        penalty = question.penalty if units.kept is None else question.penalty.at(units.kept)
        return Coefficients(penalty.within(coef), intercept if question.fit_intercept else 0.0)

    def keep(self, step: Step, point: Array) -> None:
        """Keep the coefficients with the least objective, or the best that are proved, and the largest lower bound."""
        best = self.best
        self.bound = max(self.bound, step.proof.objective - step.proof.gap)
        is_less = best is None or step.proof.objective < best.proof.objective
        if best is not None and best.is_proved:  # the smaller objective of two proved ones is rounding
            is_less = step.is_proved and step.left <= best.left
        if is_less or (step.is_proved and not (best and best.is_proved)):
            self.best, self.state.best_point = step, point

    def solution(self, stopped: StopReason) -> Solution:
        """The best coefficients with their proof."""
        step = self.best
        assert step is not None
        units, seen = self.state.units, self.state.seen
        gap = min(step.proof.gap, max(step.proof.objective - self.bound, 0.0)) if not step.is_proved else step.proof.gap
        relative = step.proof.relative_gap * (gap / step.proof.gap) if step.proof.gap > 0 else 0.0
        return Solution(
            coef=units.filled(step.given.coef, seen.n_features),
            intercept=step.given.intercept,
            dual=np.zeros(0),
            objective=step.proof.objective * self.factor,
            gap=gap * self.factor,
            relative_gap=relative,
            unique=step.unique and step.is_proved,
            n_iter=max(step.n_iter, 1),
            stopped=stopped,
            solver="reduced rows of blocks",
            stats=dict(self.state.stats),
        )


@dataclass(frozen=True)
class Step:
    """Coefficients in the user's units, their proof, and what is left to gain.

    `left` is the gap but for residuals that are rounding, `size` the squares of residuals, and `rounding` what rounding
    of products may cost; `slope` is what the products of the dual with the columns, an intercept's last, miss.
    """

    given: Coefficients
    proof: SumProof
    unique: bool
    n_iter: int
    left: float
    size: float
    rounding: float
    crossed: int
    slope: Array

    @property
    def is_proved(self) -> bool:
        """Whether the gap is rounding beside the objective."""
        return self.proof.relative_gap <= PROVED_GAP

    @property
    def is_last(self) -> bool:
        """Whether no row is on another side than it was held on, and what is left is rounding."""
        return self.is_proved and self.crossed == 0 and self.left <= _LAST * self.size + self.rounding


def half_squared(question: Question, unit: float, has_kink: bool = True) -> tuple[float, float]:
    """The slope of the absolute part where the square is half of one, and the factor to the user's objective."""
    square = question.loss.curvature / 2.0
    height = question.loss.kink()[1] / (2.0 * square * unit) if has_kink else 0.0
    return height, 2.0 * square * unit * unit


def no_rows(state: FitState) -> Rows:
    sample = state.seen.sample
    return Rows(sample.X[:0], sample.y[:0], np.zeros(0))


def proved(fit: CombinedFit, given: Coefficients, kept: Rows, found: ReducedFit, seen: Summary) -> Step:
    """Step 4: what the sums of a pass prove of coefficients."""
    state = fit.state
    square, rounding, slope = _sums(fit, given, kept, found.sides, seen)
    units, intercept = state.units, state.question.fit_intercept
    coef = given.coef / (units.scale * units.unit)
    proof = prove_from_sums(state.penalty, coef, square)
    apart = slope[:-1] - state.penalty.nearest_slope(coef, slope[:-1])
    return Step(
        given=given,
        proof=proof,
        unique=found.unique and proof.relative_gap <= PROVED_GAP and _is_determined(state, coef, square),
        n_iter=found.n_iter,
        left=max(proof.gap - rounding, 0.0),
        size=square.squares,
        rounding=ROUNDED**2 * square.y_square,
        crossed=int(seen.sums["crossed"]) if fit.height else 0,
        slope=np.append(apart, slope[-1] * intercept),
    )


def _is_determined(state: FitState, coef: Array, sums: SquareSums) -> bool:
    """Whether the columns that the slopes leave open determine the optimum, as products or rows of the sample show.

    Of columns that depend on each other, the reduced problem has the rounding of moments in place of nothing.
    """
    penalty, sample = state.penalty, state.seen.sample
    length, weight = np.sqrt(sums.column_squares), state.units.weight(sample)
    rounding = SUMMED * (np.sqrt(sums.squares) + sums.height) * length
    margin = missed_slopes(penalty, coef, sums.slope, length, rounding)
    rows, nothing = state.units.design(sample), np.zeros(weight.size)
    posed = Problem(rows, nothing, weight, HalfSquared(), penalty, state.question.fit_intercept)
    return is_determined(posed, coef, sums.slope, margin, sums.gram)


def _sums(
    fit: CombinedFit, given: Coefficients, kept: Rows, sides: Array, seen: Summary
) -> tuple[SquareSums, float, Array]:
    """The sums over all rows, what rows at the kink up to rounding have of the gap, and the products of the dual.

    The products are those with the columns as they are, and with ones last.

    The dual of a kept row is given by `sides`. That of a held one is at the end on its side, and has no gap.
    """
    state, sums, moments, height = fit.state, seen.sums, fit.known, fit.height
    units, intercept = state.units, state.question.fit_intercept
    design, weight = units.design(kept), units.weight(kept)
    own, rounding = units.own_design(kept), 0.0
    residual = units.residual(kept, given) / units.unit
    pull = weight * sides
    near = height * float(sums["near absolute"])
    if "near open" in sums:
        left = height * float(sums["near open"])
    elif state.has_means:  # the sizes are those of all rows of the groups
        left = max(near - float(pull @ residual), 0.0)
    else:
        left = float(weight @ np.maximum(height * np.abs(residual) - sides * residual, 0.0))
        size = own.absolute_matvec(np.abs(given.coef)) + np.abs(kept.y) + abs(given.intercept)
        off = np.where(np.abs(residual) * units.unit > SUMMED * size, residual, 0.0)
        rounding = left - float(weight @ np.maximum(height * np.abs(off) - sides * off, 0.0))
    curved = np.append(sums["slope"], sums["total"])
    slope = curved + height * np.append(sums["side slope"], sums["side total"])
    slope += np.append(design.rmatvec(pull), pull.sum())
    centred_curved, centred = (moments.centred_slope(part) if intercept else part[:-1] for part in (curved, slope))
    kink = Kink(
        height=height,
        slope=centred_curved,
        total=float(curved[-1]),
        loss=height * float(sums["absolute"]),
        open=left,
        null=height * float(sums["null"]),
    )
    square = SquareSums(
        squares=float(sums["squares"]),
        slope=centred,
        total=float(slope[-1]),
        gram=moments.gram(intercept),
        column_squares=moments.column_squares,
        y_square=float(sums["null squares"]),
        fit_intercept=intercept,
        kink=kink,
    )
    return square, rounding, slope
