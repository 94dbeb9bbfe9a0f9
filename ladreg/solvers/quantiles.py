"""Many quantiles of the same data: each is solved from its neighbours, and needs few rows beside theirs.

Between two solved quantiles most rows keep their side (Portnoy 1991, doi 10.1137/0912047, follows them one by one).
What is left is a small program next to its optimum, which a few exchanges of basic rows solve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._design import DenseDesign
from ladreg._face import inverted
from ladreg._kernels import _sides, _simplex
from ladreg._problem import Problem, Solution, StopReason
from ladreg.solvers import merging, reduction
from ladreg.solvers.interior_point import weighted_gram
from ladreg.solvers.quadratic import newton_step
from ladreg.solvers.scaling import Draft, Units, certified, scaled
from ladreg.solvers.table import Table

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# So many quantiles at least are worth the arrays that they share.
_MANY = 4
# Columns up to which basic rows are exchanged one by one.
_FEW_COLUMNS = 64
# The part of the rows that may change sides between neighbours.
_PART = 0.6
# How much of what a row moves between neighbours interpolation may miss: for noise, for bends, and to spare.
_NOISE, _BEND, _SPARE = 3.0, 1.5, 0.1
# Rows that estimate the density of residuals at zero, and rows of the program, per column.
_WINDOW, _ROWS = 60, 10
# Newton steps, and a relative change of the last one that is small enough.
_STEPS, _SMALL = 3, 0.3
# A row must be inside its interval by so much of its length to count as basic.
_CLEAR = 1e-9
# A larger gap, relative to the objective, is more than rounding.
_PROVED = 1e-12


@dataclass(frozen=True)
class _Known:
    """A solved quantile: coefficients, residuals, and the sum of ``weight * x`` over rows not above the fit."""

    tau: float
    point: Array
    residual: Array
    below: Array


def solve(
    problems: Sequence[Problem],
    *,
    choose: Callable[[Problem], Callable[..., Solution]],
    tol: float,
    max_iter: int | None = None,
) -> list[Solution]:
    """Solve problems that differ in their loss, `Pinball`, only.

    Parameters
    ----------
    problems
        One for each quantile, in any order.
    choose
        The solver for a problem on its own.
    tol, max_iter
        Passed to it.

    Notes
    -----
    1. The extreme quantiles are solved on their own, then those between two solved ones, the middle first.
    2. What cannot be proved to be exact is solved on its own from a neighbour, as is everything where there are few
       quantiles or rows, a penalty, or rows that repeat.
    """
    order = np.argsort([problem.loss.interval()[1] for problem in problems], kind="stable")
    process = _Process(problems[0]) if len(problems) >= _MANY else None
    if process is None or not process.pays:
        return _one_by_one(problems, order, choose, tol, max_iter)
    found: dict[int, Solution] = {}

    def alone(place: int, start: tuple[Array, float] | None) -> _Known:
        problem = problems[place]
        found[place] = choose(problem)(problem, start=start, tol=tol, max_iter=max_iter)
        return process.known(problem, found[place])

    def between(low: int, high: int, left: _Known, right: _Known) -> None:
        if high - low < 2:
            return
        middle = (low + high) // 2
        place = int(order[middle])
        solved = process.between(problems[place], left, right)
        if solved is None:
            start = process.units.out_of(*process.table.split(0.5 * (left.point + right.point)))
            here = alone(place, start)
        else:
            found[place], here = solved
        between(low, middle, left, here)
        between(middle, high, here, right)

    ends = alone(int(order[0]), None), alone(int(order[-1]), None)
    between(0, order.size - 1, *ends)
    return [found[place] for place in range(len(problems))]


def _one_by_one(
    problems: Sequence[Problem],
    order: Index,
    choose: Callable[[Problem], Callable[..., Solution]],
    tol: float,
    max_iter: int | None,
) -> list[Solution]:
    found: dict[int, Solution] = {}
    start = None
    for place in order.tolist():
        found[place] = choose(problems[place])(problems[place], start=start, tol=tol, max_iter=max_iter)
        start = found[place].coef, found[place].intercept
    return [found[place] for place in range(len(problems))]


class _Process:
    """What the quantiles share: the table at unit scale, and the weighted sum of its rows."""

    def __init__(self, problem: Problem) -> None:
        twin, units = scaled(problem)
        self.units: Units = units
        self.table = Table(twin)
        self.pays = (
            reduction.reduces(twin)
            and isinstance(twin.design, DenseDesign)
            and self.table.penalised.size == 0
            and 0 < self.table.n_columns <= _FEW_COLUMNS
            and merging.merged(twin) is None
        )
        self.mass = self.table.backward(twin.weight) if self.pays else np.zeros(0)

    def known(self, problem: Problem, solution: Solution) -> _Known:
        """A solution, in the table's units."""
        coef, intercept = self.units.into(solution.coef, solution.intercept)
        point = self.table.join(coef, intercept)
        residual = self.table.problem.residual(coef, intercept)
        below = self.table.backward(np.where(residual > 0, 0.0, self.table.problem.weight))
        return _Known(problem.loss.interval()[1], point, residual, below)

    def between(self, problem: Problem, left: _Known, right: _Known) -> tuple[Solution, _Known] | None:
        """Solve a quantile between two others; None where that cannot be proved.

        1. Interpolate. Rows far from the fit, by what they move between the neighbours, are held on their side.
        2. Newton steps on the others.
        3. The program of the rows that are nearest to the fit, from a vertex of the nearest.
        4. Check the sides of all rows, and certify.
        """
        table, tau = self.table, problem.loss.interval()[1]
        if not left.tau < tau < right.tau:
            return None
        share = (tau - left.tau) / (right.tau - left.tau)
        # 1.
        change = right.residual - left.residual
        residual = left.residual + share * change
        np.abs(change, out=change)
        change += 0.5 * float(change.mean())
        # What interpolation misses: noise that averages over the rows between the neighbours, and bends.
        mass = right.tau - left.tau
        doubt = _NOISE * float(np.sqrt(table.n_columns / (mass * residual.size))) + _BEND * mass + _SPARE
        change *= min(doubt, 1.0)
        rows = np.flatnonzero(np.abs(residual) <= change)
        least = _ROWS * table.n_columns
        if not least <= rows.size <= _PART * residual.size:
            return None
        sides = residual > 0
        below = left.below + self._turned(left.residual > 0, sides)
        near = _Near(table, tau, rows, residual[rows], tau * self.mass - below)
        # 2.
        size = near.refine()
        # 3.
        vertex = near.vertex(max(size, least))
        if vertex is None:
            return None
        point, basis, inside, inverse, above, n_pivots = vertex
        # 4.
        coef, intercept = table.split(point)
        full = table.problem.residual(coef, intercept)
        full[basis] = 0.0
        before, now = sides.copy(), full > 0
        sides[rows] = above
        sides[basis] = False
        if not np.array_equal(sides, now):
            return None
        dual = table.problem.weight * np.where(now, tau, tau - 1.0)
        dual[basis] = inside
        dual[basis] -= inverse.T @ table.backward(dual)
        stats = {"rows_solved": size, "n_pivots": n_pivots}
        draft = Draft(coef, intercept, dual, max(n_pivots, 1), StopReason.EXACT, "simplex on reduced rows", stats, True)
        solution = certified(problem, self.units, draft)
        if solution.gap > _PROVED * max(self.units.factor, solution.objective):
            return None
        return solution, _Known(tau, point, full, below + self._turned(before, now))

    def _turned(self, before: NDArray[np.bool_], now: NDArray[np.bool_]) -> Array:
        """What the sum over rows not above the fit gains where some change sides."""
        moved = np.flatnonzero(before != now)
        weight = self.table.problem.weight[moved]
        return self.table.backward_at(moved, np.where(now[moved], -weight, weight))


class _Near:
    """The rows that may change sides, at a point between two solved quantiles."""

    def __init__(self, table: Table, tau: float, rows: Index, residual: Array, total: Array) -> None:
        self.table, self.tau, self.rows, self.residual = table, tau, rows, residual
        self.A = np.asarray(table.rows(rows))
        self.weight = np.ascontiguousarray(table.problem.weight[rows])
        # The slope of all other rows, which stay on their side, is what is left of the `total`.
        self.held = total - self.A.T @ self._duals()

    def _duals(self) -> Array:
        return self.weight * np.where(self.residual > 0, self.tau, self.tau - 1.0)

    def refine(self) -> int:
        """Newton steps with the density of residuals at zero; how many rows are left in doubt."""
        n_columns, count = self.table.n_columns, self.rows.size
        window = min(_WINDOW * n_columns, count)
        left = count
        for _ in range(_STEPS):
            size = np.abs(self.residual)
            nearest = np.argpartition(size, window - 1)[:window]
            width = max(float(size[nearest].max()), 1e-300)
            hessian = weighted_gram(self.A[nearest], self.weight[nearest] / (2 * width))
            gradient = -(self.held + self.A.T @ self._duals())
            step = newton_step(hessian, gradient, np.zeros(n_columns), self.table.problem.penalty)
            moved = self.A @ step
            lengths, rises = np.empty((2, count))
            crossing = _sides.crossings(self.residual, moved, self.weight, 2.0, lengths, rises)
            descent = -float(gradient @ step)
            if not descent > 0:
                break
            length = 1.0
            if crossing:
                length = min(_sides.weighted_select(lengths[:crossing], rises[:crossing], descent), 2.0)
            self.residual = self.residual - length * moved
            part = max(length, 1.0) * float(np.sqrt(np.mean(moved[nearest] ** 2))) / width
            left = int(reduction.doubtful(n_columns, window, part))
            if part <= _SMALL:
                break
        return min(left, count)

    def vertex(self, size: int) -> tuple[Array, Index, Array, Array, NDArray[np.bool_], int] | None:
        """Coefficients, basic rows, their duals and inverse, which of `rows` lie above, and the exchanges it took."""
        q = self.table.n_columns
        size = min(size, self.rows.size)
        order = np.argpartition(np.abs(self.residual), size - 1)
        chosen, others = order[:size], order[size:]
        chosen = chosen[np.argsort(np.abs(self.residual[chosen]), kind="stable")]
        A, weight = np.ascontiguousarray(self.A[chosen]), self.weight[chosen]
        basis = _independent(A[: 4 * q])
        inverse = inverted(A[basis]) if basis.size == q else None
        if inverse is None:
            return None
        residual = self.residual[chosen] - A @ (inverse @ self.residual[chosen[basis]])
        residual[basis] = 0.0
        lower, upper = weight * (self.tau - 1.0), weight * self.tau
        dual = np.where(residual > 0, upper, lower)
        dual[basis] = 0.0
        goal = -(self.held + self.A[others].T @ self._duals()[others] + A.T @ dual)
        inside, move, when = np.empty(q), np.empty(size), np.empty(size)
        inverse = np.ascontiguousarray(inverse)
        n_pivots = _simplex.pivot(
            A, residual, lower, upper, goal, basis, inverse, inside, move, when, -_CLEAR, 20 * q + size
        )
        place = (inside - lower[basis]) / (upper - lower)[basis]
        if n_pivots < 0 or place.min() <= _CLEAR or place.max() >= 1 - _CLEAR:
            return None
        basic = self.rows[chosen[basis]]
        target, matrix = self.table.problem.y[basic], A[basis]
        exact = inverted(matrix)
        if exact is None:
            return None
        point = exact @ target
        point += exact @ (target - matrix @ point)
        above = self.residual > 0
        above[chosen] = residual > 0
        return point, basic, inside, exact, above, n_pivots


def _independent(A: Array) -> Index:
    """As many of the first rows as there are columns, independent ones."""
    q = A.shape[1]
    first = np.arange(q, dtype=np.intp)
    if A.shape[0] >= q and inverted(A[:q]) is not None:
        return first
    chosen: list[int] = []
    rest = A.copy()
    size = np.linalg.norm(A, axis=1)
    for row in range(A.shape[0]):
        length = float(np.linalg.norm(rest[row]))
        if length <= 1e-6 * size[row]:
            continue
        chosen.append(row)
        if len(chosen) == q:
            break
        unit = rest[row] / length
        rest -= np.outer(rest @ unit, unit)
    return np.array(chosen, dtype=np.intp)
