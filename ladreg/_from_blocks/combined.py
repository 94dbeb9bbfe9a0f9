"""Exact fits of the combined loss to rows in blocks: squares by moments, absolute values by the rows near the fit."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import Kink, SquareSums, SumProof, prove_from_sums
from ladreg._from_blocks.combined_rows import HeldRows, ReducedFit, solve_held
from ladreg._from_blocks.combined_tasks import UnitMoments, measure, with_moments
from ladreg._from_blocks.fit_state import FitState, window
from ladreg._from_blocks.piecewise_tasks import Near, look
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.reduced_rows import brought, gathered
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._piecewise import doubtful, newton_step
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, Combined, HalfSquared, Settings, Solution, StopReason
from ladreg._row_blocks import Rows, Summary, stacked
from ladreg._solvers import solve
from ladreg._tolerances import HALF_DIGITS, PROVED_GAP, SUMMED

# Newton steps on all rows, at most, and rounds of solving the rows near the fit, for each attempt.
_STEPS, _ROUNDS = 8, 8
# Where the answer is not proved, four times as many rows are tried, after another step; three times.
_WIDER, _ATTEMPTS = 4, 4
# A fit is the last where the gap, but for rounding, is at most 1e-22 of the squares: coefficients have eleven digits.
_LAST = 1e-22
# Where a gap that is small enough did not fall to a quarter by a correction, the rest is rounding.
_FALLS = 0.25
# Pairs of rows are 2 of the largest residuals of such rows from the fit: more would cost digits.
_APART = 2.0
# The absolute part of the loss, as its slope at unit scale.
_ENDS = (-1.0, 1.0)


@dataclass
class _Fit:
    """A fit at unit scale: the loss is ``factor * (height * |r| + r^2 / 2)``, and where the fit is."""

    state: FitState
    height: float
    factor: float
    moments: UnitMoments | None = None
    best: _Step | None = None
    # The largest lower bound of the objective.
    bound: float = 0.0

    @classmethod
    def of(cls, question: Question, settings: Settings, seen: Survey, n_held: int) -> _Fit:
        """At the fit of the sample."""
        whole = question.of(seen.sample)
        twin, scaling = scaled(whole)
        finite = np.isfinite(question.penalty.strength)
        kept = None if finite.all() else np.flatnonzero(finite)
        units = Units.of(seen, kept, scaling.y_shift, scaling.unit, question.fit_intercept)
        height, factor = _in_units(question, units.unit, twin.loss.has_kink)
        penalty = question.penalty if kept is None else question.penalty.at(kept)
        penalty = penalty.rescaled(units.scale * units.unit, factor)
        loss = Combined(height, 0.5) if height else HalfSquared()
        design, y = units.design(seen.sample), units.target(whole.y)
        pilot = replace(whole, design=design, y=y, loss=loss, penalty=penalty)
        found = solve(pilot, settings)
        point = np.append(found.coef, found.intercept)
        return cls(FitState.of(question, settings, seen, units, pilot, point, n_held), height, factor)

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
            answer = yield name, with_moments, (self.state.units, task, common)
            self.moments = UnitMoments.of(answer.sums["moments"], self.state.units)

    def asks(self, near: Near, given: Coefficients, most: int) -> Request:
        """The pass at coefficients in the user's units."""
        rest = self.state.penalty.rest * (self.state.units.scale * self.state.units.unit)
        return "certify", measure, (near, given, rest, most)

    def in_units(self, point: Array) -> Coefficients:
        """Coefficients of the kept features in the user's units, within their limits."""
        units, question = self.state.units, self.state.question
        coef, intercept = units.to_original(point[:-1], float(point[-1]))
        penalty = question.penalty if units.kept is None else question.penalty.at(units.kept)
        return Coefficients(penalty.within(coef), intercept if question.fit_intercept else 0.0)

    def keep(self, step: _Step, point: Array) -> None:
        """Keep the coefficients with the least objective, or the last that are proved, and the largest lower bound."""
        best = self.best
        self.bound = max(self.bound, step.proof.objective - step.proof.gap)
        is_less = best is None or step.proof.objective < best.proof.objective
        if step.is_proved or (is_less and not (best and best.is_proved)):
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
class _Step:
    """Coefficients in the user's units, their proof, and what is left to gain.

    `left` is the gap but for residuals that are rounding, `slope` what the products of the dual with the columns, an
    intercept's last, miss.
    """

    given: Coefficients
    proof: SumProof
    unique: bool
    n_iter: int
    left: float
    size: float
    crossed: int
    slope: Array

    @property
    def is_proved(self) -> bool:
        """Whether the gap is rounding beside the objective."""
        return self.proof.relative_gap <= PROVED_GAP

    @property
    def is_last(self) -> bool:
        """Whether no row is on another side than it was held on, and what is left is rounding."""
        return self.is_proved and self.crossed == 0 and self.left <= _LAST * self.size


def _in_units(question: Question, unit: float, has_kink: bool = True) -> tuple[float, float]:
    """The slope of the absolute part where the square is half of one, and the factor to the user's objective."""
    square = question.loss.curvature / 2.0
    height = question.loss.kink()[1] / (2.0 * square * unit) if has_kink else 0.0
    return height, 2.0 * square * unit * unit


def solve_combined_blocks(
    question: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, Solution]:
    """Minimise the combined loss, or squares, over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Combined` or `Squared`; any penalty.
    settings
        As for data in memory.
    seen
        The survey of the same rows.
    n_held
        Rows of the sample; half as many may be gathered.

    Notes
    -----
    1. Solve the sample. Where it is all rows, this is the solution.
    2. Newton steps on all rows, until the rows whose side is in doubt fit into memory. The first pass also sums up the
       products of all columns: squares need nothing else.
    3. Gather these rows. A row that is held on a side costs a square and a linear term, so that few rows with the
       moments of all held ones take their place. Solve that problem exactly, as any problem in memory.
    4. Measure all rows at its solution: `prove_from_sums` proves it by the sides of the rows, the kink's dual of the
       gathered ones, and the products of all columns. Rows on another side are gathered as well; where the products do
       not determine the coefficients to all digits, the products of the dual with the columns correct them. Then step
       3 is done again.
    """
    if seen.is_complete:
        return solve(question.of(seen.sample), settings)
    fit = _Fit.of(question, settings, seen, n_held)
    state, stopped = fit.state, StopReason.TOO_MANY_ROWS
    for _ in range(_ATTEMPTS):
        if fit.height and not state.has_means:
            yield from fit.joined(_refined(fit))
        near, found = yield from fit.joined(gathered(state) if fit.height else _nothing(state))
        is_open = yield from _checked(fit, near, found)
        assert fit.best is not None
        if fit.best.is_proved or not is_open:
            stopped = StopReason.EXACT if fit.best.is_proved else StopReason.STALLED
            break
        if state.has_means:  # rows that are fitted exactly have means that are: groups of others have not
            if np.array_equal(state.point, state.best_point):
                break
            state.point = state.best_point
        state.failed, state.size = True, _WIDER * state.size
        state.stats["n_failed"] += 1
    return fit.solution(stopped)


def judged_combined(
    question: Question, seen: Survey, given: Coefficients, best: Solution
) -> Generator[Request, Summary, Solution]:
    """Given coefficients with the lower bound that was proved with the best ones, in one pass."""
    units = Units.of(seen, None, 0.0, 1.0, False)
    n_features = seen.n_features
    nothing = Near(units, np.zeros(n_features + 1), np.append(np.zeros(n_features), 1.0), -1.0)
    found = (yield "verify", measure, (nothing, given, question.penalty.rest, 0)).sums
    height, factor = _in_units(question, 1.0)
    penalty = question.penalty.value(given.coef)
    objective = factor * (0.5 * float(found["squares"]) + height * float(found["absolute"])) + penalty
    gap = max(objective - best.objective, 0.0) + best.gap
    relative = best.relative_gap * (gap / best.gap) if best.gap > 0 else (gap / objective if gap > 0 else 0.0)
    return replace(
        best,
        coef=given.coef,
        intercept=given.intercept,
        objective=objective,
        gap=gap,
        relative_gap=relative,
        unique=best.unique and relative <= PROVED_GAP,
        n_iter=1,
        stopped=StopReason.GIVEN,
        solver="verify",
    )


def _nothing(state: FitState) -> Generator[Request, Summary, tuple[Near, Summary]]:
    """No row is near where the loss has no kink: the moments say all."""
    nothing = np.append(np.zeros(state.point.size - 1), 1.0)
    yield "moments", None, ()
    return Near(state.units, state.point, nothing, -1.0), Summary(sums={"near": 0})


def _refined(fit: _Fit) -> Generator[Request, Summary, None]:
    """Step 2, in place, until the rows in doubt fit into memory; at least one step where an attempt failed."""
    state = fit.state
    for _ in range(_STEPS):
        width = window(state)
        is_done = state.n_distinct <= state.budget or (state.stats["n_refined"] >= _STEPS and not state.failed)
        if is_done or (state.doubt <= state.budget and not state.failed) or not width > HALF_DIGITS:
            return
        state.failed = False
        seen = yield "refine", look, (state.units, _ENDS, state.point, width)
        state.stats["n_refined"] += 1
        square, slope = fit.known.squares(state.point)
        here = 0.5 * square + fit.height * seen.sums["loss"] + state.penalty.value(state.point[:-1])
        if here > state.value:  # the last step was too long: back half the way
            state.step, state.doubt = -0.5 * state.step, 2.0 * state.doubt
        else:
            state.value = here
            _newton(fit, seen, slope, width)
        state.point = state.point + state.step


def _newton(fit: _Fit, seen: Summary, slope: Array, width: float) -> None:
    """The Newton step at a point, and the number of rows that it leaves in doubt."""
    state, sums = fit.state, seen.sums
    columns = state.columns
    gram = sums["gram"][columns, columns]
    state.hessian = gram * (fit.height / width) + fit.known.bordered_gram()[columns, columns]
    slope = slope + fit.height * sums["slope"]
    part = newton_step(state.hessian, -slope[columns], state.point[columns], state.penalty, flat=HALF_DIGITS)
    state.step = np.zeros(state.point.size)
    state.step[columns] = part
    moved = float(np.sqrt(max(part @ gram @ part, 0.0) / max(sums["mass"], 1e-300)))
    state.doubt = doubtful(state.n_columns, int(sums["near"]), moved / width)


def _checked(fit: _Fit, near: Near, seen: Summary) -> Generator[Request, Summary, bool]:
    """Steps 3 and 4, until no row is on another side than it was held on, and all digits are there.

    Returns whether more rows may prove more.
    """
    state, n_near = fit.state, seen.sums["near"]
    parts, last, slope = brought(seen), np.inf, np.zeros(state.point.size)
    for number in range(_ROUNDS):
        parts = [stacked(parts)] if parts else []
        kept = parts[0] if parts else _no_rows(state)
        held = HeldRows.of(fit.known, seen, kept, fit.height)
        held = replace(held, pull=held.pull + slope)
        found = _solved(fit, kept, held, number)
        given = fit.in_units(found.point)
        seen = yield fit.asks(near, given, state.most())
        if seen.sums["near"] != n_near:
            raise RuntimeError(
                f"{n_near} rows were near the fit in one pass and {seen.sums['near']} in the next: the data changed, "
                "or the workers have processors that round differently."
            )
        step = _proved(fit, given, kept, found, seen)
        fit.keep(step, found.point)
        joins = brought(seen)
        n_all = kept.y.size + sum(part.y.size for part in joins)
        if step.is_last:
            return False
        if step.crossed and (seen.sums["left out"] or n_all > 2 * state.budget):
            break
        if step.crossed == 0:
            # What is left of the gradient is what the moments do not say to all digits.
            is_rounding = step.is_proved and step.left > _FALLS * last
            if is_rounding or not step.left < last or not held.y.size:
                return state.has_means
            last, slope = step.left, slope + step.slope
        else:
            parts, n_near = [*parts, *joins], n_near + seen.sums["joins"]
            near = replace(near, checked=(*near.checked, given))
    if not step.is_proved:
        # Where too many rows are near, the point before may be better.
        given = fit.in_units(state.point)
        seen = yield fit.asks(near, given, 0)
        found = replace(found, point=state.point, unique=False)
        fit.keep(_proved(fit, given, kept, found, seen), state.point)
    return True


def _no_rows(state: FitState) -> Rows:
    sample = state.seen.sample
    return Rows(sample.X[:0], sample.y[:0], np.zeros(0))


def _solved(fit: _Fit, kept: Rows, held: HeldRows, number: int) -> ReducedFit:
    """Step 3: the optimum of the kept rows and those that stand for the others."""
    state = fit.state
    state.stats["rows_solved"] += kept.y.size
    state.stats["n_rounds"] += 1
    units = state.units
    problem = replace(state.pilot, design=units.design(kept), y=units.target(kept.y), weight=units.weight(kept))
    # Another distance in each round: where the engine misses a piece by rounding, it may not do so again.
    return solve_held(problem, held, state.settings, state.point, _APART + number)


def _proved(fit: _Fit, given: Coefficients, kept: Rows, found: ReducedFit, seen: Summary) -> _Step:
    """Step 4: what the sums of a pass prove of coefficients."""
    state = fit.state
    square, rounding, slope = _sums(fit, given, kept, found.sides, seen)
    units, intercept = state.units, state.question.fit_intercept
    coef = given.coef / (units.scale * units.unit)
    proof = prove_from_sums(state.penalty, coef, square)
    apart = slope[:-1] - state.penalty.nearest_slope(coef, slope[:-1])
    return _Step(
        given=given,
        proof=proof,
        unique=found.unique,
        n_iter=found.n_iter,
        left=max(proof.gap - rounding, 0.0),
        size=square.squares,
        crossed=int(seen.sums["crossed"]) if fit.height else 0,
        slope=np.append(apart, slope[-1] * intercept),
    )


def _sums(fit: _Fit, given: Coefficients, kept: Rows, sides: Array, seen: Summary) -> tuple[SquareSums, float, Array]:
    """The sums over all rows, what rows at the kink up to rounding have of the gap, and the products of the dual.

    The products are those with the columns as they are, and with ones last.

    The dual of a kept row is given by `sides`. That of a held one is at the end on its side, and has no gap.
    """
    state, sums, moments, height = fit.state, seen.sums, fit.known, fit.height
    units, intercept = state.units, state.question.fit_intercept
    design, weight = units.design(kept), units.weight(kept)
    own, rounding = units.own_design(kept), 0.0
    residual = (kept.y - own.matvec(given.coef) - given.intercept) / units.unit
    pull = weight * sides
    near = height * float(sums["near absolute"])
    if state.has_means:  # the sizes are those of all rows of the groups
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
