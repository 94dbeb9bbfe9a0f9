"""Far targets brought near and heavy weights lowered, where neither changes the optimum: wraps any solver.

Where a loss is linear beyond some residual, a target there pulls with a slope that does not depend on how far away it
is: moved along its side of the fit, it changes the objective by a constant and no optimum. A row that is fitted exactly
stays so under any weight above what its dual needs. The clipped problem therefore has the optimum of the original, and
numbers of ordinary size: rounding of the far targets no longer hides the other rows. Both conditions are
checked at the solution, and rows that break them are given their own target or weight back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import NOTHING, Array, Index
from ladreg._certificate import canonical_optimum, prove, relative_gap
from ladreg._presolve.extremes import REACH, far_targets, lowered, steps
from ladreg._presolve.scaling import scaled
from ladreg._problem import (
    TOO_LARGE,
    Coefficients,
    ElasticNet,
    Problem,
    Settings,
    Solution,
    Solver,
    StopReason,
)
from ladreg._tolerances import AT_END, FACE_GAP, HALF_DIGITS, INSIDE, ROUNDING_GAP

# After four problems the 2, 4, 8, ... moved targets nearest to the fit are clipped less beside the broken ones:
# broken a few at a time, hundreds would take hundreds of problems.
_PATIENT = 4
# A lowered weight is large enough if the row's dual is inside its interval by more than 1e-3 of the interval's length.
_INSIDE = 1e-3


@dataclass(frozen=True)
class Clipped:
    """A problem without far targets and heavy weights, and the way back from its solutions.

    Attributes
    ----------
    limits
        What targets and weights were clipped to.
    original, problem
        The problem as it was, and clipped.
    rows, reach
        Rows whose target was moved, and how far from the median target it is now.
    steps, heavy
        Weights at which steps were made lower, ascending, and the rows whose weight is at least the first of these.
    total
        The sum of the new weights: the clipped problem's objective is in units of it.
    """

    limits: _Limits
    original: Problem
    problem: Problem
    rows: Index
    reach: Array
    steps: Array
    heavy: Index
    total: float

    def like(self, original: Problem) -> Clipped:
        """The same rows clipped in a problem with another loss or penalty."""
        penalty = _in_units(original.penalty, self.total)
        if original.loss == self.original.loss:
            return replace(self, original=original, problem=self.problem.with_penalty(penalty))
        return replace(self, original=original, problem=replace(self.problem, loss=original.loss, penalty=penalty))

    def margin(self, coef: Array, intercept: float) -> Array:
        """How far the fit may move towards each moved target before the loss stops being linear there."""
        side, loss = self._sides(), self.problem.loss
        return np.asarray(side * (self._residual(coef, intercept) - loss.residual_at(self._ends())))

    def broken(self, solution: Solution) -> tuple[Index, Index]:
        """Moved and lowered rows for which the solution is not that of the original problem."""
        lower, upper = self.problem.loss.interval()
        weight = self.problem.weight
        wrong = ~(self.margin(solution.coef, solution.intercept) > INSIDE * self.reach)
        if solution.stopped.good:  # the dual of a solver that was stopped has few digits
            wrong |= self._off_end(solution) > 0
            is_moved = self.rows.size > 0 and not solution.unique and not wrong.any()
            wrong |= is_moved and self._end_face(solution)
        ratio = solution.dual[self.heavy] / weight[self.heavy]
        loose = np.minimum(ratio - lower, upper - ratio) <= _INSIDE * (upper - lower)
        # A penalty that dwarfs the losses hides that heavy rows are not fitted exactly.
        size = self.problem.design.take(self.heavy).absolute_matvec(solution.coef) + abs(solution.intercept)
        size += np.abs(self.problem.y[self.heavy])
        loose |= np.abs(self._missed(self.problem, solution)) > HALF_DIGITS * size
        return self.rows[wrong], self.heavy[loose]

    def keeps(self, solution: Solution) -> bool:
        """Whether the solution is that of the original problem."""
        rows, heavy = self.broken(solution)
        return rows.size == heavy.size == 0

    def _end_face(self, solution: Solution) -> bool:
        """Whether the canonical optimum depends on where targets were moved to: it stays if all are moved farther.

        Each is moved by another part of 1 to 2 reaches: equal moves to both sides would leave the middle between two
        moved targets where it is.
        """
        twin, units = scaled(self.problem)
        part = np.random.default_rng(0).uniform(1.0, 2.0, self.rows.size)
        move = np.zeros(self.problem.n_samples)
        move[self.rows] = self._sides() * np.minimum(part * self.reach, np.abs(self._distance())) / units.unit
        farther = replace(twin, y=twin.y + units.rows_to_scaled(move))
        dual, near = units.dual_to_scaled(solution.dual), units.to_scaled(*solution.coefficients)
        products = np.append(twin.design.rmatvec(dual), dual.sum())
        found = canonical_optimum(twin, dual, products=products, near=near)
        other = canonical_optimum(farther, dual, products=products, near=near)
        if found is None or other is None:
            return False
        apart = twin.design.matvec(other.coef - found.coef) + (other.intercept - found.intercept)
        fitted = twin.design.matvec(found.coef) + found.intercept
        return bool(np.abs(apart).max() > HALF_DIGITS * (1.0 + np.abs(fitted).max()))

    def less(self, rows: Index, heavy: Index) -> Clipped | None:
        """The original with these rows clipped less; None where nothing is left to clip.

        The reach of these targets, in typical distances, is squared; a target within that is as it was. Steps up to
        the largest weight of the heavy rows are not made lower.
        """
        broken = np.isin(self.rows, rows)
        with np.errstate(over="ignore"):
            wider = self.reach * (REACH * (self.reach / self.limits.reach))
            distance = np.abs(self.original.y[self.rows] - self.limits.centre)
        kept = ~broken | (distance > wider)
        return self._only(kept, np.where(broken, wider, self.reach), heavy)

    def without(self, rows: Index, heavy: Index) -> Clipped | None:
        """The original with these rows as they were; None where nothing is left to clip."""
        return self._only(~np.isin(self.rows, rows), self.reach, heavy)

    def _only(self, kept: NDArray[np.bool_], reach: Array, heavy: Index) -> Clipped | None:
        at = self.steps[self.steps > self.original.weight[heavy].max(initial=0.0)]
        if not (kept.any() or at.size):
            return None
        return self.limits.applied(self.original, self.rows[kept], reach[kept], at)

    def restored(self, solution: Solution, tol: float) -> Solution:
        """The solution of the original problem, its gap relative to the objective without the losses of far targets."""
        solution, near = self._polished(solution), self.problem
        if self._relative(self.problem, solution, solution.gap) > ROUNDING_GAP:
            at_fit = self._at_fit(solution)
            proof = prove(at_fit, solution.coef, solution.intercept, solution.dual)
            if proof.gap < solution.gap:
                solution, near = replace(solution, dual=proof.dual, gap=proof.gap), at_fit
        weight, moved = self.problem.weight[self.rows], np.abs(self.original.y - near.y)[self.rows]
        with np.errstate(over="ignore", invalid="ignore"):
            # The bound of the original is lower where the dual of a moved target is not at the end of its interval.
            gap = solution.gap + float(self._off_end(solution) @ moved)
            objective = self.total * (solution.objective + float((weight * self._ends()) @ self._distance()))
        if not np.isfinite(objective):
            raise OverflowError(TOO_LARGE)
        relative_gap, rounding = self._relative(self.problem, solution, gap), self._lightened(solution)
        return replace(
            solution,
            dual=self.total * solution.dual,
            objective=objective + rounding,
            gap=self.total * gap + rounding,
            relative_gap=relative_gap,
            unique=solution.unique and relative_gap <= FACE_GAP,
            stopped=_stopped(solution, relative_gap, tol),
            stats={**solution.stats, "rows_clipped": self.rows.size + self.heavy.size},
        )

    def judged(self, solution: Solution, tol: float) -> Solution:
        """A solution of the original problem, its gap relative to the cost of rows whose targets are not far."""
        relative_gap = max(solution.relative_gap, self._relative(self.original, solution, solution.gap))
        unique, stopped = solution.unique and relative_gap <= FACE_GAP, _stopped(solution, relative_gap, tol)
        return replace(solution, relative_gap=relative_gap, unique=unique, stopped=stopped)

    def _relative(self, problem: Problem, solution: Solution, gap: float) -> float:
        """The gap, relative to the objective without the losses of far targets.

        Where a target is beyond the first reach, the fit may follow far targets with coefficients of their size: the
        penalty is then left out as well. A gap that is more of the whole objective is relative to that: other rows may
        be fitted exactly.
        """
        distance = np.abs(problem.y - self.limits.centre)
        far = distance >= self.limits.reach * (1 - AT_END)
        y, weight = np.where(far, self.limits.centre, problem.y), np.where(far, 0.0, problem.weight)
        near = replace(problem, y=y, weight=weight)
        if float(distance.max()) > self.limits.reach * (1 + AT_END):
            cost = float(weight @ near.loss.value(near.present(near.residual(solution.coef, solution.intercept))))
        else:
            cost = near.objective(solution.coef, solution.intercept)
        whole = relative_gap(problem, gap, solution.objective, solution.coef)
        return max(relative_gap(near, gap, cost, solution.coef), whole)

    def _polished(self, solution: Solution) -> Solution:
        """The solution with the least change that takes the rounding out of the residuals of heavy rows.

        Coefficients at zero or at a limit stay.
        """
        if self.heavy.size == 0:
            return solution
        used = np.flatnonzero((solution.coef != 0) & ~self.original.penalty.at_kink(solution.coef))
        rows = self.original.design.rows(self.heavy, used, self.original.fit_intercept)
        change = np.linalg.lstsq(rows, self._missed(self.original, solution), rcond=None)[0]
        coef = solution.coef.copy()
        coef[used] += change[: used.size]
        intercept = solution.intercept + (float(change[-1]) if self.original.fit_intercept else 0.0)
        polished = replace(solution, coef=coef, intercept=intercept)
        keeps_signs = np.array_equal(np.sign(coef), np.sign(solution.coef))
        keeps_signs &= not self.original.penalty.forbidden(coef).size
        if not (keeps_signs and self._lightened(polished) < self._lightened(solution)):
            return solution
        return replace(polished, objective=self.problem.objective(coef, intercept))

    def constant(self, weight: Array, rows: Index) -> float:
        """What the moves add to the mean loss of some rows with these weights, where all targets keep their side."""
        chosen, moved = self._among(rows)
        with np.errstate(over="ignore"):
            return float(weight[chosen] / weight.sum() @ (self._ends()[moved] * self._distance()[moved]))

    def crossed(self, problem: Problem, rows: Index, coef: Array, intercept: Array) -> Array:
        """The correction to add to the sum of mean loss and `constant` for targets that change their side.

        `problem` has some rows of the original only; `coef` and `intercept` are of several fits, one per column.
        """
        chosen, moved = self._among(rows)
        part = problem.design.take(chosen)
        end, distance = self._ends()[moved, None], self._distance()[moved, None]
        near = self.problem.y[self.rows[moved], None] - part.matvec(coef) - intercept
        edge = problem.loss.residual_at(end)
        with np.errstate(over="ignore", invalid="ignore"):
            extra = problem.loss.value(near + distance) - problem.loss.value(near) - end * distance
        extra = np.where(np.sign(end) * (near - edge) >= 0, 0.0, extra)
        return np.asarray(problem.weight[chosen] @ extra)

    def _among(self, rows: Index) -> tuple[Index, Index]:
        """Which of these rows were moved, and their places among all that were."""
        chosen = np.flatnonzero(np.isin(rows, self.rows))
        return chosen, np.searchsorted(self.rows, rows[chosen])

    def _distance(self) -> Array:
        """How far each target was moved, with its sign."""
        return np.asarray(self.original.y[self.rows] - self.problem.y[self.rows])

    def _at_fit(self, solution: Solution) -> Problem:
        """The clipped problem, moved targets no farther from the fit than the largest residual of other rows."""
        residual = np.abs(self.problem.residual(solution.coef, solution.intercept))
        residual[self.rows] = 0.0
        distance = float(residual.max())
        y = self.problem.y.copy()
        beyond = np.maximum(self.margin(solution.coef, solution.intercept) - distance, 0.0)
        y[self.rows] -= self._sides() * beyond
        return replace(self.problem, y=y)

    def _sides(self) -> Array:
        """+1 for moved targets above the fit, -1 below."""
        return np.where(self.original.y[self.rows] > self.problem.y[self.rows], 1.0, -1.0)

    def _missed(self, problem: Problem, solution: Solution) -> Array:
        """The residuals of the heavy rows, which are rounding: in twice the digits."""
        heavy = problem.design.take(self.heavy)
        return heavy.accurate_residual(solution.coef, problem.y[self.heavy], solution.intercept)

    def _lightened(self, solution: Solution) -> float:
        """How much more the heavy rows cost in the original than here: rounding, as these rows are fitted exactly."""
        if self.heavy.size == 0:
            return 0.0
        less = self.original.weight[self.heavy] - self.total * self.problem.weight[self.heavy]
        return float(less @ self.problem.loss.value(self._missed(self.original, solution)))

    def _off_end(self, solution: Solution) -> Array:
        """How far the dual of each moved target is from the end of its interval, if by more than rounding."""
        lower, upper = self.problem.loss.interval()
        weight = self.problem.weight[self.rows]
        apart = np.abs(solution.dual[self.rows] - weight * self._ends())
        return np.where(apart > AT_END * (upper - lower) * weight, apart, 0.0)

    def _ends(self) -> Array:
        """The slope of the loss at each moved target."""
        lower, upper = self.problem.loss.interval()
        return np.where(self._sides() > 0, upper, lower)

    def _residual(self, coef: Array, intercept: float) -> Array:
        return np.asarray(self.problem.y[self.rows] - self.problem.design.take(self.rows).matvec(coef) - intercept)


def _stopped(solution: Solution, relative_gap: float, tol: float) -> StopReason:
    """Why the solver stopped: a tolerance that it met in other units may be missed in these."""
    missed = solution.stopped.good and not relative_gap <= max(tol, ROUNDING_GAP)
    return StopReason.STALLED if missed else solution.stopped


def solve_clipped(
    problem: Problem, settings: Settings, start: Coefficients | None = None, *, solve: Solver
) -> Solution:
    """Solve `problem` by way of its clipped twin; `solve` solves either."""
    first = clip(problem)
    found = kept_solution(first, settings.tol, lambda twin: solve(twin, settings, start))
    if found is not None:
        return found
    solution = solve(problem, settings, start)
    return solution if first is None else first.judged(solution, settings.tol)


def kept_solution(clipped: Clipped | None, tol: float, solve: Callable[[Problem], Solution]) -> Solution | None:
    """The solution of the original, by way of the clipped problem or of one that is clipped less.

    None where no clipped problem has the optimum of the original. `solve` solves each that is tried.
    """
    tried = 0
    while clipped is not None:
        solution, tried = solve(clipped.problem), tried + 1
        rows, heavy = clipped.broken(solution)
        if not (rows.size or heavy.size):
            return clipped.restored(solution, tol)
        if tried > _PATIENT and rows.size:
            near = np.argsort(clipped.margin(*solution.coefficients) / clipped.reach, kind="stable")
            rows = np.union1d(rows, clipped.rows[near[: 2 ** (tried - _PATIENT)]])
        clipped = clipped.less(rows, heavy)
    return None


def clip(problem: Problem) -> Clipped | None:
    """The clipped problem; None where no target is far and no weight heavy."""
    if not problem.loss.has_bounded_slopes:
        return None
    far, at = far_targets(problem.y, problem.weight, problem.loss), NOTHING
    if problem.loss.has_kink and not problem.facts.weights_are_alike:  # other losses fit no row exactly
        at = steps(problem.weight, problem.n_features + problem.fit_intercept)
    if far is None and at.size == 0:
        return None
    centre, reach, rows = far or (0.0, 1.0, np.zeros(0, dtype=np.intp))
    return _Limits(centre, reach).applied(problem, rows, np.full(rows.size, reach), at)


def clip_targets(problem: Problem) -> Clipped | None:
    """The problem with far targets brought near, its weights as they are; None where no target is far."""
    clipped = clip(problem)
    return None if clipped is None else clipped.without(clipped.rows[:0], clipped.heavy)


def clip_at(problem: Problem, coef: Array, intercept: float) -> Clipped | None:
    """The clipped problem, without the targets that given coefficients do not keep on their side."""
    clipped = clip(problem)
    if clipped is None:
        return None
    crossed = clipped.margin(coef, intercept) <= INSIDE * clipped.reach
    return clipped.without(clipped.rows[crossed], clipped.heavy[:0])


@dataclass(frozen=True)
class _Limits:
    """The median target, and how far from it targets are far."""

    centre: float
    reach: float

    def applied(self, problem: Problem, rows: Index, reach: Array, at: Array) -> Clipped:
        """The problem with these rows' targets at these distances, and these steps between weights made lower."""
        y, weight, total, heavy = problem.y, problem.weight, 1.0, np.zeros(0, dtype=np.intp)
        if rows.size:
            y = y.copy()
            y[rows] = self.centre + np.where(y[rows] > self.centre, reach, -reach)
        if at.size:
            heavy = np.flatnonzero(weight >= at[0])
            weight = lowered(weight, at)
            total = float(weight.sum())
            weight /= total
        twin = replace(problem, y=y, weight=weight, penalty=_in_units(problem.penalty, total))
        return Clipped(self, problem, twin, rows, reach, at, heavy, total)


def _in_units(penalty: ElasticNet, total: float) -> ElasticNet:
    """The penalty of an objective in units of `total`."""
    return penalty if total == 1.0 else penalty.times(1.0 / total)
