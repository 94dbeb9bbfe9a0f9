"""Problems that differ in their quantile or in the strength of their penalty, each solved from those before it.

Between two such problems most rows keep their side (Portnoy 1991, doi 10.1137/0912047, follows them one by one along
the quantiles; Li and Zhu 2008, doi 10.1198/106186008X289155, along the penalty). What is left is a small program next to
its optimum, which a few exchanges of basic rows solve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._design import DenseDesign
from ladreg._face import inverted
from ladreg._kernels import _sides, _simplex
from ladreg._penalties import ElasticNet
from ladreg._problem import Problem, Solution, StopReason
from ladreg.solvers import merging, reduction, vertex
from ladreg.solvers.interior_point import weighted_gram
from ladreg.solvers.quadratic import newton_step
from ladreg.solvers.scaling import scaled
from ladreg.solvers.table import Table

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Sides = NDArray[np.bool_]

# Columns up to which basic rows are exchanged one by one.
_FEW_COLUMNS = 64
# Rows that estimate the density of residuals at zero, and rows of the program, per column.
_WINDOW, _ROWS = 60, 10
# Rows near the fit, in windows: at least, and as many as are worth no step on all rows.
_LEAST, _MOST = 2, 6
# So many times what rows move in the middle is more than any of them moves; the half of that each way.
_REACH = 3.0
# What the next problem's prediction may miss, relative to the last.
_WORSE = 1.5
# Newton steps, and a relative change of the last one that is small enough.
_STEPS, _SMALL = 3, 0.3
# Attempts at a problem, and at the program of rows near the fit.
_ROUNDS, _TRIES = 6, 3
# After so many failures, one after the other, the rest is solved one by one.
_PATIENCE = 3
# A row must be inside its interval by so much of its length to count as basic.
_CLEAR = 1e-9
# Residuals below this are rounding, at unit scale.
_ZERO = 1e-12
# A larger gap, relative to the objective, is more than rounding.
_PROVED = 1e-12

STAT = []


def solve(
    problems: Iterable[Problem],
    values: Array,
    *,
    choose: Callable[[Problem], Callable[..., Solution]],
    tol: float,
    max_iter: int | None = None,
    start: tuple[Array, float] | None = None,
) -> Iterator[Solution]:
    """Solve problems that differ in the ends of their loss or in the strength of their penalty, in their order.

    Parameters
    ----------
    problems
        They share design, target and weights.
    values
        What they differ by, ascending or descending; solutions are near to a line in it.
    choose
        The solver for a problem on its own.
    tol, max_iter
        Passed to it.
    start
        Coefficients and intercept that may be near the first optimum.

    Notes
    -----
    What cannot be proved to be exact is solved on its own from the solution before, as is everything where there are
    few rows, or rows that repeat.
    """
    process: Process | None = None
    known: list[tuple[float, Known]] = []
    failures = 0
    for value, problem in zip(values, problems, strict=True):
        if process is None:
            process = Process(problem)
            if start is not None and process.pays:
                known = [(np.nan, process.known(*start))]
        found = None
        if process.pays and known and failures < _PATIENCE:
            found = process.step(problem, *_line(known, value))
            failures = 0 if found is not None else failures + 1
        if found is None:
            STAT.append('alone')
            solution = choose(problem)(problem, start=start, tol=tol, max_iter=max_iter)
            here = process.known(solution.coef, solution.intercept) if process.pays else None
        else:
            solution, here = found
        start = solution.coef, solution.intercept
        if here is not None:
            known = [*known[-1:], (value, here)]
        yield solution


def _line(known, value):
    """The last two, and where `value` is on the line through them."""
    (first, left), (last, right) = known[0], known[-1]
    if len(known) == 1 or not abs(last - first) > 0:
        return right, None, 0.0
    return right, left, (value - last) / (last - first)


@dataclass(frozen=True)
class Known:
    """A place: coefficients, residuals, which rows count as above, and the sum of ``weight * x`` over all others.

    At a solved one the dual, the basic rows, and the rows near it.
    """

    point: Array
    residual: Array
    above: Sides
    below: Array
    changed: tuple[Index, ...] = ()
    ends: tuple[float, float] | None = None
    dual: Array | None = None
    near: Near | None = None


class Process:
    """What the problems share: the table at unit scale, and the weighted sum of its rows."""

    def __init__(self, problem: Problem) -> None:
        twin, self.units = scaled(problem)
        self.table = Table(twin)
        self.pays = (
            reduction.reduces(twin)
            and isinstance(twin.design, DenseDesign)
            and twin.loss.curvature == 0
            and not np.isfinite(twin.loss.smoothness)
            and not twin.penalty.excluded
            and not twin.penalty.positive
            and 0 < self.table.n_columns <= _FEW_COLUMNS
            and merging.merged(twin) is None
        )
        if not self.pays:
            return
        self.mass = self.table.backward(twin.weight)
        self.window = min(_WINDOW * self.table.n_columns, twin.n_samples // _LEAST)
        self._index = np.empty(twin.n_samples, dtype=np.intp)
        # How many rows the last prediction missed, and whether the line would have been a good one.
        self.missed, self.straight, self.length, self.newton = 0.0, False, 1.0, None
        self.reached, self.found = 0.0, 1

    def known(self, coef: Array, intercept: float) -> Known:
        """A place, in the table's units."""
        table = self.table
        coef, intercept = self.units.into(coef, intercept)
        residual = table.problem.residual(coef, intercept)
        above = residual > 0
        return Known(table.join(coef, intercept), residual, above, table.backward(table.problem.weight * ~above))

    def step(
        self, problem: Problem, right: Known, left: Known | None, ahead: float
    ) -> tuple[Solution, Known] | None:
        table, units = self.table, self.units
        ends = problem.loss.rescaled(units.unit)[0].interval()
        penalty = problem.penalty.rescaled(units.column_scale * units.unit, units.factor)
        line = right.point if left is None else right.point + ahead * (right.point - left.point)
        # 1.
        step = line - right.point
        lead = None
        if left is not None and right.near is not None and 2 * _REACH * (right.near.count(step)+_WORSE*self.missed) <= _LEAST * self.window:
            here, lead = right, step
            guess = line
        else:
            here = self._predicted(right, left, ahead, line, ends, penalty)
            guess = here.point
        missed = self.missed
        for _ in range(_ROUNDS):
            # 2.
            size = int(min(max(2 * _REACH * _WORSE * missed, _LEAST * self.window), _MOST * self.window))
            near = Near(table, ends, penalty, here, *self._nearest(here.residual, size), self.mass, self.window)
            if lead is not None:
                near.point, near.residual = near.point + lead, near.residual - near.A @ lead
                lead = None
            left_over = near.refine()
            if near.is_far(near.point - here.point):
                STAT.append((self.straight, int(missed), size, near.rows.size, 'far', near.parts))
                missed = 0.5 * near.count(near.point - here.point) ** .5
                here = self._at(here, near.point, table.problem.residual(*table.split(near.point)))
                continue
            # 3.
            if not near.solve(max(left_over, _ROWS * table.n_columns)):
                STAT.append((self.straight, int(missed), size, near.rows.size, left_over, near.parts, 'fail', near.why))
                return None
            # 4.
            solution, known = self._certified(problem, here, right, near)
            STAT.append((self.straight, int(missed), size, near.rows.size, left_over, near.parts, near.n_pivots, near.tries, solution.relative_gap, near.degenerate))
            if solution.gap <= _PROVED * max(units.factor, solution.objective):
                if not self.straight and self.newton is not None:
                    self.length = min(max(self.newton[0] @ (known.point - self.newton[1]) / self.newton[2], .5), 1.5)
                self.missed = near.count(known.point - guess)
                self.straight = 2 * _REACH * _WORSE * near.count(known.point - line) <= _MOST * self.window
                return solution, known
            here = self._at(known, known.point, known.residual)
            missed = 0.0
        return None

    def _predicted(self, right: Known, left: Known | None, ahead: float, line: Array, ends, penalty) -> Known:
        table = self.table
        if left is not None and self.straight:
            residual = right.residual - left.residual
            residual *= ahead
            residual += right.residual
            return self._at(right, line, residual)
        if right.near is None:
            return right
        gradient = (ends[1] - ends[0]) * right.below - ends[1] * self.mass
        H = right.near.wide()
        step = _newton(H, gradient, right.point, penalty)
        self.newton = (H @ step, right.point, step @ H @ step)
        point = right.point + self.length * step
        return self._at(right, point, table.problem.residual(*table.split(point)))

    def _at(self, known: Known, point: Array, residual: Array) -> Known:
        """A place where the sides are those of the residuals, from another one."""
        above = residual > 0
        moved = np.flatnonzero(above != known.above)
        weight = self.table.problem.weight[moved]
        below = known.below + self.table.backward_at(moved, np.where(above[moved], -weight, weight))
        return Known(point, residual, above, below, (*known.changed, moved))

    def _nearest(self, residual: Array, size: int) -> tuple[Index, float]:
        """About so many rows with the smallest residuals, and their largest."""
        if size >= residual.size:
            return np.arange(residual.size), np.inf
        reach = self.reached * size / self.found
        for _ in range(4):
            found = _sides.within(residual, reach, self._index)
            if 0.7 * size <= found <= 1.5 * size:
                break
            if 4 * found < size or found > 4 * size:
                reach = float(np.partition(np.abs(residual), size)[size])
            else:
                reach *= size / found
        self.reached, self.found = reach, max(found, 1)
        return self._index[:found].copy(), reach

    def _certified(self, problem: Problem, here: Known, right: Known, near: Near) -> tuple[Solution, Known]:
        table, units = self.table, self.units
        above = here.above.copy()
        above[near.rows] = near.above
        if right.dual is not None and right.ends == near.ends:
            dual = right.dual.copy()
            changed = np.concatenate([near.rows, right.near.basis, *here.changed])
            dual[changed] = table.problem.weight[changed] * np.where(above[changed], near.ends[1], near.ends[0])
        else:
            dual = table.problem.weight * np.where(above, near.ends[1], near.ends[0])
        dual[near.basis] = near.inside
        point, unique = near.point, None
        below = here.below + near.turned()
        if near.degenerate:
            twin = replace(table.problem, penalty=near.penalty, loss=problem.loss.rescaled(units.unit)[0])
            found = vertex.canonical(twin, dual, among=np.sort(near.rows))
            if found is not None:
                point, dual = table.join(*found[:2]), found[2]
        else:
            unique = True
        given = dual
        if units.rows.size or units.factor != units.unit:
            given = units.dual_out_of(dual, problem.n_samples)
        coef, intercept = units.out_of(*table.split(point))
        residual, slope, total, _ = problem.design.audit(coef, problem.y, intercept, problem.weight, given, False)
        proof = problem.prove_by(coef, residual, given, np.append(slope, total))
        if unique is None:
            unique = problem.is_unique(coef, intercept, proof)
        elif not units.column_shift.any():
            # What was summed up anew is free of the rounding of all changes.
            sums = np.append(slope * units.column_scale, total)[: table.n_columns] * (units.unit / units.factor)
            weight = table.problem.weight[near.basis]
            sums += near.basic.T @ (weight * np.where(above[near.basis], near.ends[1], near.ends[0]) - near.inside)
            below = (near.ends[1] * self.mass - sums) / (near.ends[1] - near.ends[0])
        residual = residual[units.rows] if units.rows.size else residual
        if units.unit != 1.0:
            residual /= units.unit
        n_iter = max(near.n_pivots, 1)
        solution = Solution(coef, intercept, proof.dual, proof.objective, proof.gap, proof.relative_gap,
             unique, n_iter, StopReason.EXACT, "simplex on reduced rows", {"rows_solved": near.size, "n_pivots": near.n_pivots})
        return solution, Known(point, residual, above, below, here.changed, near.ends, dual, near)


class Near:
    """The rows that may change sides, at a place near to a solution."""

    def __init__(self, table: Table, ends, penalty: ElasticNet, here: Known, rows: Index, reach: float, mass: Array, window: int) -> None:
        self.table, self.penalty, self.rows, self.ends, self.reach = table, penalty, rows, ends, reach
        self.point, self.residual = here.point, here.residual[rows]
        self.above = self.before = here.above[rows]
        self.A = np.asarray(table.rows(rows))
        self.weight = np.ascontiguousarray(table.problem.weight[rows])
        self.window = min(window, rows.size)
        # The slope of all other rows, which stay on their side, is what is left of the total.
        total = ends[1] * mass - (ends[1] - ends[0]) * here.below
        self.held = total - self.A.T @ self._duals(slice(None))
        self.parts = []
        self.why = None
        self.degenerate = False
        self.tries = 0
        self.n_pivots = 0

    def _duals(self, chosen) -> Array:
        return self.weight[chosen] * np.where(self.residual[chosen] > 0, self.ends[1], self.ends[0])

    def hessian(self):
        """The rows nearest to zero, their largest residual, and the Hessian from their density."""
        size = np.abs(self.residual)
        nearest = np.argpartition(size, self.window - 1)[: self.window]
        width = max(float(size[nearest].max()), 1e-300)
        density = self.weight[nearest] * ((self.ends[1] - self.ends[0]) / (2 * width))
        return nearest, width, weighted_gram(self.A[nearest], density)

    def wide(self):
        return weighted_gram(self.A, self.weight * ((self.ends[1] - self.ends[0]) / (2 * self.reach)))

    def count(self, step: Array) -> float:
        """How many rows a step moves over zero."""
        return self.rows.size / (2 * self.reach) * self._spread(step)

    def is_far(self, step: Array) -> bool:
        return _REACH * self._spread(step) > self.reach

    def _spread(self, step: Array) -> float:
        moved = self.A @ step
        return float(np.sqrt(moved @ moved / moved.size))

    def refine(self) -> int:
        left = self.rows.size
        for _ in range(_STEPS):
            nearest, width, hessian = self.hessian()
            gradient = -(self.held + self.A.T @ self._duals(slice(None)))
            step = _newton(hessian, gradient, self.point, self.penalty)
            moved = self.A @ step
            self.residual = self.residual - moved
            self.point = self.point + step
            part = float(np.sqrt(np.mean(moved[nearest] ** 2))) / width
            self.parts.append(round(part, 3))
            left = int(reduction.doubtful(step.size, self.window, part))
            if part <= _SMALL or self.is_far(step):
                break
        return min(left, self.rows.size)

    def solve(self, size):
        for _ in range(_TRIES):
            self.tries += 1
            if not self._vertex(size):
                return False
            self.residual = self.table.problem.y[self.rows] - self.A @ self.point
            wrong = np.count_nonzero(((self.residual > 0) != self.above) & (np.abs(self.residual) > _ZERO))
            if not wrong:
                break
            size = self.size + 4 * wrong
        return True

    def _vertex(self, size: int) -> bool:
        q, strength = self.table.n_columns, self.penalty.strength
        self.size = size = min(size, self.rows.size)
        order = np.argpartition(np.abs(self.residual), size - 1)
        chosen, others = order[:size], order[size:]
        chosen = chosen[np.argsort(np.abs(self.residual[chosen]), kind="stable")]
        # Penalised coefficients are rows, too.
        penalised = np.flatnonzero(strength > 0)
        coef = self.point[penalised]
        zero = np.flatnonzero(coef == 0)
        A = np.zeros((size + penalised.size, q))
        A[:size] = self.A[chosen]
        A[size + np.arange(penalised.size), penalised] = 1.0
        basis = np.append(np.arange(q - zero.size), size + zero)
        inverse = inverted(A[basis])
        if inverse is None:
            used = np.ones(q, dtype=bool)
            used[penalised[zero]] = False
            first = _independent(A[: min(size, 4 * q), used])
            basis = np.append(first, size + zero)
            inverse = inverted(A[basis]) if basis.size == q else None
            if inverse is None:
                self.why = "singular"
                return False
        residual = np.append(self.residual[chosen], -coef)
        residual -= A @ (inverse @ residual[basis])
        residual[basis] = 0.0
        weight = self.weight[chosen]
        lower = np.append(weight * self.ends[0], -strength[penalised])
        upper = np.append(weight * self.ends[1], strength[penalised])
        held = self.held + self.A[others].T @ self._duals(others)

        def goal() -> Array:
            dual = np.where(residual > 0, upper, lower)
            dual[basis] = 0.0
            return -(held + A.T @ dual)

        inside, move, when = np.empty(q), np.empty(lower.size), np.empty(lower.size)
        inverse = np.ascontiguousarray(inverse)
        self.n_pivots = _simplex.pivot(
            A, residual, lower, upper, goal(), basis, inverse, inside, move, when, _CLEAR, 20 * q + size
        )
        matrix = A[basis]
        exact = inverted(matrix) if self.n_pivots >= 0 else None
        if exact is None:
            self.why = "pivots"
            return False
        # Exactly, without the rounding of the exchanges.
        want = goal()
        inside = exact.T @ want
        inside += exact.T @ (want - matrix.T @ inside)
        place = (inside - lower[basis]) / (upper - lower)[basis]
        self.degenerate = bool(place.min() <= _CLEAR or place.max() >= 1 - _CLEAR)
        data = np.flatnonzero(basis < size)
        self.basis, self.inside, self.basic = self.rows[chosen[basis[data]]], inside[data], matrix[data]
        target = np.zeros(q)
        target[data] = self.table.problem.y[self.basis]
        point = exact @ target
        point += exact @ (target - matrix @ point)
        point[penalised[basis[basis >= size] - size]] = 0.0
        self.point = point
        self.above = self.residual > 0
        self.above[chosen] = residual[:size] > 0
        return True

    def turned(self) -> Array:
        moved = np.flatnonzero(self.above != self.before)
        weight = self.weight[moved]
        return self.A[moved].T @ np.where(self.above[moved], -weight, weight)


def _newton(hessian: Array, gradient: Array, point: Array, penalty: ElasticNet) -> Array:
    """`newton_step`, at once where no coefficient becomes zero or ceases to be."""
    strength = np.zeros(point.size)
    strength[: penalty.strength.size] = penalty.strength
    used = np.flatnonzero((point != 0) | (strength == 0))
    step = np.zeros(point.size)
    try:
        step[used] = np.linalg.solve(hessian[used[:, None], used], -(gradient + strength * np.sign(point))[used])
    except np.linalg.LinAlgError:
        return newton_step(hessian, gradient, point, penalty)
    slope = gradient + hessian @ step
    slope[used] = 0.0
    if np.all(np.abs(slope) <= strength) and np.all((point + step) * np.sign(point) * strength >= 0):
        return step
    return newton_step(hessian, gradient, point, penalty)


def _independent(A: Array) -> Index:
    """As many of the first rows as there are columns, independent ones."""
    q = A.shape[1]
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


def alphas(problem, alphas, *, choose, tol, max_iter=None):
    from ladreg.solvers.sequence import scaled_by
    problems = (problem.under(scaled_by(problem.penalty, alpha)) for alpha in alphas)
    start = np.zeros(problem.n_features), float(np.median(problem.y))
    return solve(problems, alphas, choose=choose, tol=tol, max_iter=max_iter, start=start)
