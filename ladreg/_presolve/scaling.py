"""Bring a problem to unit scale, solve it there, and undo the scaling: wraps any solver.

Every factor is a power of two, so that scaling and unscaling are exact. Solvers with absolute tolerances (HiGHS) and
solvers that square (coordinate descent) then behave the same for y in micrometres and in light years.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from ladreg._arrays import NONE, TINY, Array, Index, exact_dot, power_of_two, unit_of
from ladreg._certificate import certify, prove
from ladreg._problem import (
    TOO_LARGE,
    Coefficients,
    Combined,
    Engine,
    HalfSquared,
    Huber,
    Problem,
    Settings,
    Solution,
    StopReason,
    Uncertified,
)
from ladreg._tolerances import FACE_GAP, FAR_COLUMNS, PROVED_GAP, ROUNDING_GAP, SOLVED, SUMMED, VERTEX

# Error message where squares of y underflow in float64, though y does not.
TOO_SMALL = "the objective underflows float64: y is too small for its squares. Scale y to ordinary sizes."


# A median is computed from at most 10,000 random values.
_SAMPLE = 10_000


@dataclass(frozen=True)
class Scaling:
    """The change of variables from a problem to its scaled twin.

    Columns are ``(x - column_shift) * column_scale``, the target is ``(y - y_shift) / unit`` and the objective is
    `factor` times the scaled one. `rows` are the numbers of the twin's rows, empty where the twin has all rows.
    """

    rows: Index
    column_shift: Array
    column_scale: Array
    y_shift: float
    unit: float
    factor: float

    def to_scaled(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the scaled problem for those of the original."""
        intercept = exact_dot(self.column_shift, coef, intercept, -self.y_shift)
        return Coefficients(coef / self.column_scale / self.unit, intercept / self.unit)

    def to_original(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the original problem for those of the scaled; coefficients that overflow fail the proof."""
        with np.errstate(over="ignore", invalid="ignore"):
            coef = coef * self.column_scale * self.unit
            return Coefficients(coef, exact_dot(-self.column_shift, coef, intercept * self.unit, self.y_shift))

    def rows_to_scaled(self, values: Array) -> Array:
        """The values of the scaled problem's rows."""
        return values[self.rows] if self.rows.size else values

    def dual_to_scaled(self, dual: Array) -> Array:
        """Dual of the scaled problem for that of the original."""
        return self.rows_to_scaled(dual) * (self.unit / self.factor)

    def dual_to_original(self, dual: Array, n_samples: int) -> Array:
        """Dual of the original problem for that of the scaled; rows of weight zero have zero."""
        scaled = dual * (self.factor / self.unit)
        if scaled.size == n_samples:
            return scaled
        full = np.zeros(n_samples)
        full[self.rows] = scaled
        return full


def median(values: Array, positive: bool = False) -> float:
    """The (upper) median, of a sample where there are many; with `positive` of the values above zero, 0 without any."""
    if values.size > _SAMPLE:
        sample = np.random.default_rng(0).integers(0, values.size, _SAMPLE)
        values = values[sample] if not positive or values[sample].any() else values
    values = values[values > 0] if positive else values
    middle = values.size // 2
    if values.size == 0:
        return 0.0
    values = values.copy()
    values.partition(middle)
    return float(values[middle])


def typical(y: Array) -> float:
    """The median, which is one of the targets: differences from it keep digits that a large intercept rounds away."""
    return median(y)


def near_origin(y: Array, fit_intercept: bool) -> tuple[Array, float, float]:
    """Targets less a typical one if there is an intercept, that target, and the unit of the differences.

    The unit is a power of two near their median size: a few extreme targets must not make the others smaller than a
    solver's tolerance.
    """
    y_shift = typical(y) if fit_intercept else 0.0
    y = y - y_shift
    return y, y_shift, unit_of(median(np.abs(y), positive=True))


def scaled(problem: Problem) -> tuple[Problem, Scaling]:
    """The problem without rows of weight zero, with columns and target of ordinary size."""
    y, weight, design = problem.y, problem.weight, problem.design
    rows: Index = NONE
    if not problem.facts.all_present:
        rows = np.flatnonzero(weight > 0)
        y, weight, design = y[rows], weight[rows], design.take(rows)
    shift, distance = design.extent(problem.fit_intercept)
    scale = 1.0 / power_of_two(distance)
    y, y_shift, unit = near_origin(y, problem.fit_intercept)
    with np.errstate(over="ignore"):
        loss, factor = problem.loss.rescaled(unit)
    if not isfinite(factor):
        raise OverflowError(TOO_LARGE)
    if factor < TINY:  # sums of denormal numbers would have few digits, or none
        raise OverflowError(TOO_SMALL)
    design, penalty, y = design.rescaled(shift, scale), problem.penalty.rescaled(scale * unit, factor), y / unit
    if penalty.limited:
        penalty = penalty.without_far(float(np.abs(y).max(initial=0.0)))
    twin = Problem(design, y, weight, loss, penalty, problem.fit_intercept)
    return twin, Scaling(rows, shift, scale, y_shift, unit, factor)


def solve_at_unit_scale(
    problem: Problem, settings: Settings, start: Coefficients | None = None, *, engine: Engine
) -> Solution:
    """Solve the scaled twin of `problem` by `engine` and certify the answer on `problem` itself."""
    twin, units = scaled(problem)
    if start is not None:
        start = units.to_scaled(*start)
    with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
        solution = certified(problem, twin, units, engine(twin, settings, start))
        smooth = _without_lost_kink(problem, twin, units)
        if smooth is not None and solution.relative_gap > ROUNDING_GAP:
            start = units.to_scaled(*solution.coefficients)
            other = certified(problem, *smooth, engine(smooth[0], settings, start))
            solution = other if other.gap < solution.gap else solution
    return with_stall(problem, solution, settings.tol)


def _without_lost_kink(problem: Problem, twin: Problem, units: Scaling) -> tuple[Problem, Scaling] | None:
    """The twin without a kink that is as good as lost at unit scale; None where it has none.

    Huber's loss has its curved piece, where scaling made a kink of that: at the kink the dual of a row is any in the
    interval, on the curved piece it is the weight times the residual. Where rows are fitted exactly up to rounding, the
    kink proves a gap of ``delta^2 / 2``, whatever the objective.

    The combined loss is its square, where the line is rounding beside the square's slope at a residual of one unit:
    intervals that narrow are lost in rounding beside the duals of far targets.
    """
    loss = twin.loss
    if isinstance(problem.loss, Huber) and loss.has_kink:
        curved = problem.loss.with_curve(units.unit)
        return None if curved is None else (replace(twin, loss=curved), units)
    if isinstance(loss, Combined) and loss.absolute <= VERTEX * loss.curvature:
        penalty = twin.penalty.rescaled(np.ones(twin.n_features), loss.curvature)
        return replace(twin, loss=HalfSquared(), penalty=penalty), replace(units, factor=units.factor * loss.curvature)
    return None


def with_stall(problem: Problem, solution: Solution, tol: float) -> Solution:
    """The solution, as stalled where the proof on the user's own numbers misses by far the tolerance that was met."""
    return replace(solution, stopped=StopReason.STALLED) if _is_unproved(problem, solution, tol) else solution


def as_proved(solution: Solution, tol: float) -> Solution:
    """The solution, marked as stalled if its gap misses the tolerance, even if its solver met that at unit scale."""
    missed = solution.stopped.good and not solution.relative_gap <= max(tol, ROUNDING_GAP)
    return replace(solution, stopped=StopReason.STALLED) if missed else solution


def _is_unproved(problem: Problem, solution: Solution, tol: float) -> bool:
    if not (solution.stopped.good and problem.loss.is_square) or solution.gap <= ROUNDING_GAP * solution.objective:
        return False
    with np.errstate(over="ignore"):  # infinite squares allow any gap; an infinite objective is an error elsewhere
        size = float(problem.weight @ (problem.y - problem.null_intercept()) ** 2)
        rounding = float(problem.weight @ (SUMMED * problem.at_rest()) ** 2)
    return bool(solution.gap > max(tol * size, min(FACE_GAP * size, FAR_COLUMNS * solution.objective)) + rounding)


def certified(
    problem: Problem, twin: Problem, units: Scaling, found: Solution | Uncertified, **counts: float
) -> Solution:
    """The answer for the scaled twin in the units of `problem`, certified there; `counts` are added to its stats.

    Coefficients of the size of rounding are zero where that is proved as well: see `without_rounding`.
    """
    coef = without_rounding(twin, found)
    coef = np.maximum(coef, 0.0) if problem.penalty.positive else coef  # below zero by rounding
    coef, intercept = units.to_original(coef, found.intercept)
    coef = problem.penalty.within(coef) if problem.penalty.limited else coef
    return certify(
        problem,
        coef,
        intercept if problem.fit_intercept else 0.0,
        units.dual_to_original(found.dual, problem.n_samples),
        n_iter=found.n_iter,
        stopped=found.stopped,
        solver=found.solver,
        stats={**found.stats, **counts},
        unique=found.unique,
    )


def without_rounding(problem: Problem, found: Solution | Uncertified) -> Array:
    """The coefficients of an answer at unit scale, zero in place of rounding where the dual proves as much of zero.

    Rounding is a coefficient of at most `SOLVED` times the larger of one and the largest; a gap of at most
    `PROVED_GAP` is as good as the answer's own. Coefficients without a kink or a limit at zero stay, unless those of
    the others are zero with them alone; those of columns of zeros, which move no prediction, are zero.
    """
    coef, penalty = found.coef, problem.penalty
    size = np.abs(coef)
    small = (size <= SOLVED * max(1.0, float(np.maximum.reduce(size, initial=0.0)))) & (size > 0)
    if not small.any():
        return coef
    still = small & (problem.design.magnitudes(problem.weight) == 0)
    penalised = small & penalty.kinked
    choices = [penalised | still, small] if penalised.any() else [still] if still.any() else []
    limit = max(prove(problem, coef, found.intercept, found.dual).relative_gap, PROVED_GAP) if choices else 0.0
    for zero in choices:
        bare = penalty.within(np.where(zero, 0.0, coef))
        if prove(problem, bare, found.intercept, found.dual).relative_gap <= limit:
            return bare
    return coef
