"""Problems that differ in their quantile or in the strength of their penalty, each from the solutions before it.

Between two of them most rows keep their side (Portnoy 1991, doi 10.1137/0912047, follows the others one by one along
the quantiles; Li and Zhu 2008, doi 10.1198/106186008X289155, along the penalty). The other rows form a small program
next to its optimum (`warm_simplex`). The certificate reads the data once: it shows whether all rows outside the program
kept their side, and its residuals are the start of the next problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import canonical_optimum, is_unique, prove_from_products
from ladreg._design import DenseDesign
from ladreg._kernels import _line_search
from ladreg._piecewise import preprocessing
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._piecewise.warm_simplex import ProcessPoint, ReducedRows, newton
from ladreg._presolve import merged_rows, scaled
from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver, StopReason
from ladreg._tolerances import AT_END, PROVED_GAP


@dataclass(frozen=True)
class KnownSolution:
    """What is known at a solution or a guess; `dual` and the rows `near` the fit only at a solution of the process."""

    place: ProcessPoint
    dual: Array | None = None
    near: ReducedRows | None = None


@dataclass(frozen=True)
class _Guess:
    """A guess at the next solution: its point, the place to start from, and the rows near the fit where they are known.

    After a Newton step, ``along @ change`` is the multiple of that step which a change of the point is.
    """

    place: ProcessPoint
    point: Array
    along: Array | None = None
    near: ReducedRows | None = None


def solve_process(
    problems: Iterable[Problem],
    values: Array,
    settings: Settings,
    *,
    solve: Solver,
    from_zero: bool = False,
    start: tuple[float, Coefficients] | None = None,
) -> Iterator[Solution]:
    """Solve problems that share design, target and weights, in their order.

    Parameters
    ----------
    problems
        Problems with different quantiles, or multiples of the same penalty.
    values
        What they differ by, ascending or descending: solutions are nearly linear in it.
    settings
        Passed to `solve`.
    solve
        The solver for a problem on its own.
    from_zero
        Whether the first solution may be near to coefficients of zero.
    start
        The solution of another such problem, near to the first, and its value.

    Notes
    -----
    A problem whose solution is not proved exact is solved on its own, from the solution before. So are all problems if
    rows are few, sparse or repeated, or columns many.
    """
    sequence = _Sequence(settings, solve, from_zero, start)
    for value, problem in zip(values.tolist(), problems, strict=True):
        yield sequence.one(value, problem)


class _Sequence:
    """Where the process is: what is known at the last two solutions, and how often it failed in a row."""

    def __init__(
        self, settings: Settings, solve: Solver, from_zero: bool, start: tuple[float, Coefficients] | None
    ) -> None:
        self.settings, self.tuning, self.solve = settings, settings.tuned(PiecewiseTuning), solve
        self.from_zero, self.failures = from_zero, 0
        self.process: _Process | None = None
        self.known: list[tuple[float, KnownSolution]] = []
        self.before: float = 0.0 if start is None else start[0]
        self.last: Coefficients | None = None if start is None else start[1]

    def one(self, value: float, problem: Problem) -> Solution:
        """Solve the next problem."""
        if self.process is None and (self.from_zero or self.last is not None):
            self.process = process = _Process(problem, self.settings)
            if process.pays:
                at_last = (value, process.zero()) if self.last is None else (self.before, process.known(*self.last))
                self.known = [at_last]
        found = None
        if self.process is not None and self.known:
            found = self.process.step(problem, *_line(self.known, value))
            self.failures = self.failures + 1 if found is None else 0
        solution = self.solve(problem, self.settings, self.last) if found is None else found[0]
        self.last, self.before = solution.coefficients, value
        if self.process is not None and self.known:
            here = self.process.known(*self.last) if found is None else found[1]
            self.known = [self.known[-1], (value, here)] if self.failures < self.tuning.patience else []
        return solution


def is_followed(twin: Problem, tuning: PiecewiseTuning) -> bool:
    """Whether a problem at unit scale has many rows and few columns, of a dense table, and no engine of its own."""
    return (
        twin.loss.is_piecewise_linear
        and preprocessing.reduces(twin, tuning)
        and isinstance(twin.design, DenseDesign)
        and not (twin.penalty.excluded or twin.penalty.positive or twin.penalty.curved)
        and 0 < twin.n_features + twin.fit_intercept <= tuning.process_columns
    )


def _line(known: list[tuple[float, KnownSolution]], value: float) -> tuple[KnownSolution, KnownSolution, float]:
    """The last solution, the one before it, and how far `value` is beyond the last, in units of their distance."""
    (first, left), (last, right) = known[0], known[-1]
    return right, left, (value - last) / (last - first) if last != first else 0.0


class _Process:
    """What the problems share: the table at unit scale, the weighted sum of its rows, the quality of predictions.

    Parameters
    ----------
    problem
        One of them.
    settings
        How its rows are chosen.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        tuning = settings.tuned(PiecewiseTuning)
        twin, self.units = scaled(problem)
        self.table, self.tuning = RowProblem(twin, tuning), tuning
        self.pays = is_followed(twin, tuning) and merged_rows(twin, settings) is None
        self.mass = self.table.backward(twin.weight) if self.pays else np.zeros(0)
        self.window = min(int(tuning.process_window * self.table.n_columns**0.5), twin.n_samples)
        # How many rows the last prediction missed, whether the line through the last two solutions would have missed
        # few, and how much of the last Newton step was right.
        self.missed, self.straight, self.length = 0.0, False, 1.0
        # `_within` residuals were at most `_reach` when that was last counted.
        self._reach, self._within = 0.0, 1
        self._index = np.empty(twin.n_samples, dtype=np.intp)

    def zero(self) -> KnownSolution:
        """The place of coefficients of zero with their best intercept."""
        problem, point = self.table.problem, np.zeros(self.table.n_columns)
        if problem.fit_intercept:
            lower, upper = problem.loss.interval()
            weight = np.array(problem.weight)
            goal = float(weight.sum()) * upper / (upper - lower)
            point[-1] = _line_search.weighted_select(problem.y.copy(), weight, goal)
        return KnownSolution(self._at(point))

    def known(self, coef: Array, intercept: float) -> KnownSolution:
        """The place of coefficients in the problem's units."""
        return KnownSolution(self._at(self.table.join(*self.units.to_scaled(coef, intercept))))

    def _at(self, point: Array, place: ProcessPoint | None = None) -> ProcessPoint:
        """The place at a point; updated from `place` where that is given."""
        if place is not None:
            return self._moved(place, point, place.residual - self.table.predict(point - place.point))
        problem, (coef, intercept) = self.table.problem, self.table.split(point)
        lower, upper = ends = problem.loss.interval()
        residual, slope, total = problem.design.sweep(coef, problem.y, intercept, problem.weight, ends)
        below = (upper * self.mass - np.append(slope, total)[: point.size]) / (upper - lower)
        return ProcessPoint(point, residual, residual > 0, below)

    def step(
        self, problem: Problem, right: KnownSolution, left: KnownSolution, ahead: float
    ) -> tuple[Solution, KnownSolution] | None:
        """Solve a problem from the last two solutions; None where the result cannot be proved.

        1. Predict the solution, by the line through the last two or by a Newton step.
        2. Newton steps on the rows near the predicted fit. Where they lead too far, begin again where they end.
        3. The program of the rows that are nearest to the fit, from a vertex of the nearest rows.
        4. Certify, which computes the residuals of all rows. Where the gap is too large (a row was held on the wrong
           side), begin again.
        """
        twin = self._twin(problem)
        # 1.
        line = right.place.point + ahead * (right.place.point - left.place.point)
        guess = self._guess(twin, right, left, ahead, line)
        place, near = guess.place, guess.near
        missed, n_checks = self.missed, 0
        for _ in range(self.tuning.rounds):
            # 2.
            if near is None:
                size = min(
                    max(int(ReducedRows.wanted(self.tuning.worse * missed)), self.tuning.least_windows * self.window),
                    self.tuning.most_windows * self.window,
                )
                near = ReducedRows.at(
                    twin, place, *self._nearest(place.residual, size), self.mass, self.window, self.tuning
                )
            near.refine()
            if near.is_far():
                place = self._stepped(twin, place, near)
                near, missed = None, 0.0
                continue
            # 3.
            if not near.solve():
                return None
            # 4.
            solution, found = self._certified(problem, twin, place, right, near)
            n_checks += 1
            if solution.relative_gap <= PROVED_GAP:
                self._learn(near, guess, found.place.point, line if left is not right else None, right)
                return replace(solution, stats={**solution.stats, "n_checks": n_checks}), found
            place = self._moved(found.place, found.place.point, found.place.residual)
            near, missed = None, 0.0
        return None

    def _twin(self, problem: Problem) -> Problem:
        units = self.units
        return replace(
            self.table.problem,
            loss=problem.loss.rescaled(units.unit)[0],
            penalty=problem.penalty.rescaled(units.column_scale * units.unit, units.factor),
        )

    def _guess(self, twin: Problem, right: KnownSolution, left: KnownSolution, ahead: float, line: Array) -> _Guess:
        """Step 1. For a prediction on the line, the rows near the last solution are used again if they are enough."""
        place, near = right.place, right.near
        if near is None:
            return _Guess(place, place.point)
        if self.straight:
            if near.reaches(line, self.tuning.worse * self.missed):
                return _Guess(place, line, near=near.again(twin, place, line, self.mass))
            residual = place.residual - left.place.residual
            residual *= ahead
            residual += place.residual
            return _Guess(self._moved(place, line, residual), line)
        lower, upper = twin.loss.interval()
        hessian = near.hessian()[0]
        step = newton(hessian, (upper - lower) * place.below - upper * self.mass, place.point, twin.penalty)
        along = hessian @ step
        along /= max(float(step @ along), 1e-300)
        point = place.point + self.length * step
        return _Guess(self._at(point, place), point, along)

    def _learn(self, near: ReducedRows, guess: _Guess, found: Array, line: Array | None, right: KnownSolution) -> None:
        """Record the quality of this prediction for the next one."""
        self.missed = near.count(found - guess.point)
        self.straight = (
            line is not None
            and ReducedRows.wanted(self.tuning.worse * near.count(found - line))
            <= self.tuning.most_windows * self.window
        )
        if guess.along is not None:
            # Part of the last Newton step that was right; far from one it says nothing about the next.
            self.length = float(np.clip(guess.along @ (found - right.place.point), 0.5, 1.5))

    def _moved(self, place: ProcessPoint, point: Array, residual: Array) -> ProcessPoint:
        """The place at a point with these residuals, updated from `place`."""
        above = residual > 0
        turned = np.flatnonzero(above != place.above)
        weight = self.table.problem.weight[turned]
        below = place.below + self.table.backward_at(turned, np.where(above[turned], -weight, weight))
        return ProcessPoint(point, residual, above, below)

    def _stepped(self, twin: Problem, place: ProcessPoint, near: ReducedRows) -> ProcessPoint:
        """The place at `near.point`; for a long step, at the minimum of the objective along it."""
        step = near.point - place.point
        if near.count(step) <= self.tuning.long_step * twin.n_samples:
            return self._at(near.point, place)
        position = Iterate(RowProblem(twin, self.tuning), place.point)
        moved = self.table.predict(step)
        position.advance(step, moved, position.search(step, moved))
        lower, upper = twin.loss.interval()
        below = (upper * self.mass - position.total) / (upper - lower)
        return ProcessPoint(position.point, position.residual, position.residual > 0, below)

    def _nearest(self, residual: Array, size: int) -> tuple[Index, float]:
        """About `size` rows with the smallest residuals, and the radius they are within; infinity for all rows."""
        if size >= residual.size:
            return np.arange(residual.size), np.inf
        reach = self._reach * size / self._within
        found = _line_search.within(residual, reach, self._index)
        for step in (max(1, residual.size // self.tuning.sample), 1):
            if 2 * size <= 3 * found <= 5 * size:
                break
            sample = np.abs(residual[::step])
            reach = float(np.partition(sample, size // step)[size // step])
            found = _line_search.within(residual, reach, self._index)
        self._reach, self._within = reach, found
        return self._index[:found].copy(), reach

    def _certified(
        self, problem: Problem, twin: Problem, place: ProcessPoint, right: KnownSolution, near: ReducedRows
    ) -> tuple[Solution, KnownSolution]:
        """Step 4: the certified solution, and what is known there."""
        table, units = self.table, self.units
        lower, upper = twin.loss.interval()
        above = place.above.copy()
        above[near.rows] = near.above
        if right.dual is not None and right.near is not None and right.near.ends == near.ends:
            rows = np.append(right.near.basis, np.flatnonzero(above != right.place.above))
            dual = right.dual.copy()
            dual[rows] = twin.weight[rows] * np.where(above[rows], upper, lower)
        else:
            dual = twin.weight * np.take([lower, upper], above)
        dual[near.basis] = near.inside
        point, unique, stopped = near.point, True, StopReason.EXACT
        if near.degenerate:
            canonical = canonical_optimum(twin, dual, among=np.sort(near.rows))
            if canonical is None:
                stopped = StopReason.NOT_CANONICAL
            else:
                point, dual = table.join(canonical.coef, canonical.intercept), canonical.dual
            dual[near.rows] = np.clip(dual[near.rows], lower * near.weight, upper * near.weight)
            # A canonical optimum apart from the vertex shows that there are several optima.
            unique = float(np.abs(point - near.point).max()) <= AT_END * float(np.abs(point).max())
        coef, intercept = units.to_original(*table.split(point))
        # The loss is homogeneous: the dual does not depend on the units.
        given = units.dual_to_original(dual, problem.n_samples) if units.rows.size else dual
        residual, products = problem.audit(coef, intercept, given)
        proof = prove_from_products(problem, coef, residual, given, products)
        solution = Solution(
            coef=coef,
            intercept=intercept,
            dual=proof.dual,
            objective=proof.objective,
            gap=proof.gap,
            relative_gap=proof.relative_gap,
            unique=unique and (not near.degenerate or is_unique(problem, coef, intercept, proof)),
            n_iter=max(near.n_pivots, 1),
            stopped=stopped,
            solver="simplex on reduced rows",
            stats={"rows_solved": near.size, "n_pivots": near.n_pivots},
        )
        if units.rows.size:
            residual = residual[units.rows]
        residual /= units.unit
        below = place.below + near.turned()
        if not units.column_shift.any():
            # Sums over all rows do not accumulate the rounding of many updates.
            sums = np.append(products[:-1] * units.column_scale, products[-1])[: table.n_columns]
            below = (upper * self.mass - sums - near.beyond(dual)) / (upper - lower)
        return solution, KnownSolution(ProcessPoint(point, residual, above, below), dual, near)
