"""Far targets brought near and heavy weights lowered, where neither changes the optimum: wraps any solver.

Where a loss is linear beyond some residual, a target there pulls with a slope that does not depend on how far away it
is: moved along its side of the fit, it changes the objective by a constant and no optimum. A row that is fitted exactly
stays so under any weight above what its dual needs. The clipped problem therefore has the optimum of the original, and
numbers of ordinary size: rounding of the far targets no longer hides what the other rows say. Both conditions are
checked at the solution, and rows that break them are given their own target or weight back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, tee

import numpy as np
from numpy.typing import NDArray

from ladreg._penalties import ElasticNet
from ladreg._problem import TOO_LARGE, Problem, Solution, StopReason
from ladreg.solvers.extremes import REACH, far_targets, heavy_weights

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Parts of the reach that a moved target must stay away from a unique fit, and from one of several that are optimal.
_UNIQUE, _SEVERAL = 1e-6, 0.75
# Distance of a dual from the end of its interval, relative to the interval, that rounding explains.
_AT_END = 1e-9
# Distance of a dual from the end of a lowered weight's interval, relative to it, that leaves no doubt.
_INSIDE = 1e-3
# A relative gap that rounding alone explains.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Clipped:
    """A problem without far targets and heavy weights, and the way back from its solutions.

    Attributes
    ----------
    limits
        What targets and weights were clipped to.
    original, problem
        The problem as it was, and clipped.
    rows
        Rows whose target was moved.
    heavy
        Rows whose weight was lowered.
    total
        The sum of the lowered weights: the clipped problem's objective is in units of it.
    reach
        How far from the median target each moved target is now.
    """

    limits: _Limits
    original: Problem
    problem: Problem
    rows: Index
    heavy: Index
    total: float
    reach: Array

    def like(self, original: Problem) -> Clipped:
        """The same rows clipped in a problem with another loss or penalty."""
        penalty = _in_units(original.penalty, self.total)
        if original.loss == self.original.loss:
            return replace(self, original=original, problem=self.problem.under(penalty))
        return replace(self, original=original, problem=replace(self.problem, loss=original.loss, penalty=penalty))

    def margin(self, coef: Array, intercept: float) -> Array:
        """How far the fit may move towards each moved target before the loss stops being linear there."""
        side, loss = self._sides(), self.problem.loss
        return np.asarray(side * (self._residual(coef, intercept) - loss.residual_at(self._ends())))

    def broken(self, solution: Solution) -> tuple[Index, Index]:
        """Moved and lowered rows for which the solution is not that of the original problem."""
        lower, upper = self.problem.loss.interval()
        weight = self.problem.weight
        share = _UNIQUE if solution.unique else _SEVERAL
        wrong = ~(self.margin(solution.coef, solution.intercept) > share * self.reach)
        if solution.stopped.good:  # the dual of a solver that was stopped has few digits
            rest = np.abs(solution.dual[self.rows] - weight[self.rows] * self._ends())
            wrong |= rest > _AT_END * (upper - lower) * weight[self.rows]
        ratio = solution.dual[self.heavy] / weight[self.heavy]
        loose = np.minimum(ratio - lower, upper - ratio) <= _INSIDE * (upper - lower)
        return self.rows[wrong], self.heavy[loose]

    def less(self, rows: Index, heavy: Index) -> Clipped | None:
        """The original with these rows clipped less: targets at the wider reach, then not; weights not."""
        broken = np.isin(self.rows, rows)
        with np.errstate(over="ignore"):
            wider = REACH * self.limits.reach
            distance = np.abs(self.original.y[self.rows] - self.limits.centre)
        kept = ~broken | ((self.reach == self.limits.reach) & (distance > wider))
        return self._only(kept, np.where(broken, wider, self.reach), heavy)

    def without(self, rows: Index, heavy: Index) -> Clipped | None:
        """The original with these rows as they were; None where nothing is left to clip."""
        return self._only(~np.isin(self.rows, rows), self.reach, heavy)

    def _only(self, kept: NDArray[np.bool_], reach: Array, heavy: Index) -> Clipped | None:
        lowered = np.setdiff1d(self.heavy, heavy)
        if not (kept.any() or lowered.size):
            return None
        return self.limits.applied(self.original, self.rows[kept], reach[kept], lowered)

    def restored(self, solution: Solution, tol: float) -> Solution:
        """The solution of the original problem: with the same gap, relative to the objective of the other rows."""
        weight = self.problem.weight[self.rows]
        far = float(weight @ self.problem.loss.value(self._residual(solution.coef, solution.intercept)))
        gap, ordinary = solution.gap, max(solution.objective - far, 0.0)
        relative_gap = self.problem.relative(gap, ordinary, solution.coef)
        if relative_gap > _ROUNDING:
            gap = min(gap, self._at_fit(solution).prove(solution.coef, solution.intercept, solution.dual).gap)
            relative_gap = self.problem.relative(gap, ordinary, solution.coef)
        with np.errstate(over="ignore", invalid="ignore"):
            objective = self.total * (solution.objective + float((weight * self._ends()) @ self._distance()))
        if not np.isfinite(objective):
            raise OverflowError(TOO_LARGE)
        return replace(
            solution,
            dual=self.total * solution.dual,
            objective=objective,
            gap=self.total * gap,
            relative_gap=relative_gap,
            stopped=_stopped(solution, relative_gap, tol),
            stats={**solution.stats, "rows_clipped": self.rows.size + self.heavy.size},
        )

    def judged(self, solution: Solution, tol: float) -> Solution:
        """A solution of the original problem, with its gap relative to the losses of rows whose targets are not far."""
        near = np.setdiff1d(np.arange(self.original.n_samples), self.rows)
        y, weight = self.original.y[near], self.original.weight[near]
        part = replace(self.original, design=self.original.design.take(near), y=y, weight=weight)
        cost = float(weight @ part.loss.value(part.residual(solution.coef, solution.intercept)))
        relative_gap = max(solution.relative_gap, part.relative(solution.gap, cost, solution.coef))
        return replace(solution, relative_gap=relative_gap, stopped=_stopped(solution, relative_gap, tol))

    def constant(self, weight: Array, rows: Index) -> float:
        """What the moves add to the mean loss of some rows with these weights, where all targets keep their side."""
        chosen, moved = self._among(rows)
        with np.errstate(over="ignore"):
            return float(weight[chosen] / weight.sum() @ (self._ends()[moved] * self._distance()[moved]))

    def crossed(self, problem: Problem, rows: Index, coef: Array, intercept: Array) -> Array:
        """What is to be taken off the sum of mean loss and `constant` for targets that change their side.

        `problem` has some rows of the original only; `coef` and `intercept` are of several fits, one a column.
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
        """The clipped problem with moved targets as near to the fit as the residuals of the others are."""
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

    def _ends(self) -> Array:
        """The slope of the loss at each moved target."""
        lower, upper = self.problem.loss.interval()
        return np.where(self._sides() > 0, upper, lower)

    def _residual(self, coef: Array, intercept: float) -> Array:
        return np.asarray(self.problem.y[self.rows] - self.problem.design.take(self.rows).matvec(coef) - intercept)


def _stopped(solution: Solution, relative_gap: float, tol: float) -> StopReason:
    """Why the solver stopped: a tolerance that it met in other units may be missed in these."""
    missed = solution.stopped.good and not relative_gap <= max(tol, _ROUNDING)
    return StopReason.STALLED if missed else solution.stopped


def solve(
    problem: Problem,
    *,
    inner: Callable[[Problem], Callable[..., Solution]],
    start: tuple[Array, float] | None = None,
    tol: float,
    max_iter: int | None = None,
) -> Solution:
    """Solve `problem` by way of its clipped twin; `inner` chooses the solver of a problem."""
    first = clipped = clip(problem)
    while clipped is not None:
        solution = inner(clipped.problem)(clipped.problem, start=start, tol=tol, max_iter=max_iter)
        rows, heavy = clipped.broken(solution)
        if not (rows.size or heavy.size):
            return clipped.restored(solution, tol)
        clipped = clipped.less(rows, heavy)
    solution = inner(problem)(problem, start=start, tol=tol, max_iter=max_iter)
    return solution if first is None else first.judged(solution, tol)


def solve_each(
    problems: Iterable[Problem],
    *,
    together: Callable[[Iterable[Problem]], Iterator[Solution]],
    alone: Callable[[Problem], Callable[..., Solution]],
    tol: float,
    max_iter: int | None = None,
) -> Iterator[Solution]:
    """Solve problems that share design, target and weights, in their order.

    Parameters
    ----------
    problems
        Problems that differ in their loss or penalty.
    together
        Solves them as a sequence.
    alone
        Chooses the solver for a problem whose clipped twin had another optimum.
    tol, max_iter
        Passed to that solver.
    """
    given = iter(problems)
    first = next(given)
    clipped = clip(first)
    if clipped is None:
        yield from together(chain([first], given))
        return
    twins, posed = tee(map(clipped.like, chain([first], given)))
    for twin, solution in zip(twins, together(one.problem for one in posed), strict=True):
        rows, heavy = twin.broken(solution)
        if rows.size or heavy.size:
            start = solution.coef, solution.intercept
            yield alone(twin.original)(twin.original, start=start, tol=tol, max_iter=max_iter)
        else:
            yield twin.restored(solution, tol)


def clip(problem: Problem) -> Clipped | None:
    """The clipped problem; None where no target is far and no weight heavy."""
    lower, upper = problem.loss.interval()
    if not np.isfinite(upper - lower):
        return None
    edge = float(np.abs(problem.loss.residual_at(np.array([lower, upper]))).max())
    far, heavy = far_targets(problem.y, problem.weight, edge), None
    if not problem.facts.weights_are_alike:
        heavy = heavy_weights(problem.weight, problem.n_features + problem.fit_intercept)
    if far is None and heavy is None:
        return None
    centre, reach, rows = far or (0.0, 1.0, np.zeros(0, dtype=np.intp))
    chosen, lowered = heavy or (np.zeros(0, dtype=np.intp), 0.0)
    return _Limits(centre, reach, lowered).applied(problem, rows, np.full(rows.size, reach), chosen)


def clip_targets(problem: Problem) -> Clipped | None:
    """The problem with far targets brought near, its weights as they are; None where no target is far."""
    clipped = clip(problem)
    return None if clipped is None else clipped.without(clipped.rows[:0], clipped.heavy)


def clip_at(problem: Problem, coef: Array, intercept: float) -> Clipped | None:
    """The clipped problem, without the targets that given coefficients do not keep on their side."""
    clipped = clip(problem)
    if clipped is None:
        return None
    crossed = clipped.margin(coef, intercept) <= _UNIQUE * clipped.reach
    return clipped.without(clipped.rows[crossed], clipped.heavy[:0])


@dataclass(frozen=True)
class _Limits:
    """Targets of `applied` problems are at most a multiple of `reach` from `centre`, and weights at most `weight`."""

    centre: float
    reach: float
    weight: float

    def applied(self, problem: Problem, rows: Index, reach: Array, heavy: Index) -> Clipped:
        """The problem with these rows' targets at these distances, and these rows' weights lowered."""
        y, weight, total = problem.y, problem.weight, 1.0
        if rows.size:
            y = y.copy()
            y[rows] = self.centre + np.where(y[rows] > self.centre, reach, -reach)
        if heavy.size:
            weight = np.array(weight)
            weight[heavy] = self.weight
            total = float(weight.sum())
            weight /= total
        twin = replace(problem, y=y, weight=weight, penalty=_in_units(problem.penalty, total))
        return Clipped(self, problem, twin, rows, heavy, total, reach)


def _in_units(penalty: ElasticNet, total: float) -> ElasticNet:
    """The penalty of an objective in units of `total`."""
    return penalty if total == 1.0 else penalty.times(1.0 / total)
