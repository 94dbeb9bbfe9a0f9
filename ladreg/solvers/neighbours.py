"""Problems that differ in their quantile or in the strength of their penalty, each solved from its neighbours.

(prototype)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._design import DenseDesign
from ladreg._face import inverted
from ladreg._kernels import _sides, _simplex
from ladreg._penalties import ElasticNet
from ladreg._problem import Problem, Solution, StopReason
from ladreg.solvers import merging, reduction
from ladreg.solvers.interior_point import weighted_gram
from ladreg.solvers.quadratic import newton_step
from ladreg.solvers.scaling import scaled
from ladreg.solvers.table import Table

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_FEW_COLUMNS = 64
_WINDOW, _ROWS = 60, 10
_STEPS, _SMALL = 3, 0.3
_CLEAR = 1e-9
_PROVED = 1e-12
_ROUNDS = 3
_PART = 0.6
STAT = []


@dataclass(frozen=True)
class Known:
    point: Array
    residual: Array
    above: NDArray[np.bool_]
    below: Array


class Process:
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
        self.mass = self.table.backward(twin.weight) if self.pays else np.zeros(0)
        self.radius = 0.0
        self.index = np.empty(twin.n_samples, dtype=np.intp)

    def known(self, solution: Solution) -> Known:
        coef, intercept = self.units.into(solution.coef, solution.intercept)
        point = self.table.join(coef, intercept)
        residual = self.table.problem.residual(coef, intercept)
        above = residual > 0
        below = self.table.backward(np.where(above, 0.0, self.table.problem.weight))
        return Known(point, residual, above, below)

    def start(self, known: Known) -> tuple[Array, float]:
        return self.units.out_of(*self.table.split(known.point))

    def between(self, problem: Problem, left: Known, right: Known, share: float) -> tuple[Solution, Known] | None:
        table, ends = self.table, problem.loss.rescaled(self.units.unit)[0].interval()
        penalty = problem.penalty.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        weight = table.problem.weight
        if share == 1.0:
            here = right
        else:
            residual = right.residual - left.residual
            residual *= share - 1
            residual += right.residual
            here, moved = self._turned(right, right.point + (share - 1) * (right.point - left.point), residual)
        change = moved if share != 1.0 else weight.size // 8
        for round in range(_ROUNDS):
            size = 3.5 * np.sqrt(table.n_columns * change) * 2 + 0.2 * change
            size = int(max(size, 2 * _WINDOW * table.n_columns))
            if size > _PART * weight.size:
                return None
            rows = self._nearest(here.residual, size)
            near = Near(table, ends, penalty, here, rows, self.mass)
            left_over = near.refine()
            vertex = near.vertex(max(left_over, _ROWS * table.n_columns))
            if vertex is None:
                STAT.append((round, change, rows.size, left_over, near.parts, 'fail', near.why))
                return None
            point, basis, inside, n_pivots = vertex
            above = here.above.copy()
            above[rows] = near.above
            below = here.below + near.turned()
            coef, intercept = self.units.out_of(*table.split(point))
            lower, upper = ends
            dual = np.where(above, weight * upper, weight * lower)
            dual[basis] = inside
            dual = self.units.dual_out_of(dual, problem.n_samples)
            residual, slope, total, _ = problem.design.audit(coef, problem.y, intercept, problem.weight, dual, False)
            proof = problem.prove_by(coef, residual, dual, np.append(slope, total))
            ok = proof.gap <= _PROVED * max(self.units.factor, proof.objective)
            residual = residual / self.units.unit
            if self.units.rows.size:
                residual = residual[self.units.rows]
            STAT.append((round, change, rows.size, left_over, near.parts, n_pivots, proof.relative_gap, proof.dual is dual))
            if ok:
                solution = Solution(coef, intercept, proof.dual, proof.objective, proof.gap, proof.relative_gap,
                     True, max(n_pivots, 1), StopReason.EXACT, "simplex on reduced rows", {"rows_solved": left_over, "n_pivots": n_pivots})
                return solution, Known(point, residual, above, below)
            here, change = self._turned(Known(point, residual, above, below), point, residual)
        return None

    def _turned(self, known, point, residual):
        above = residual > 0
        moved = np.flatnonzero(above != known.above)
        weight = self.table.problem.weight[moved]
        below = known.below + self.table.backward_at(moved, np.where(above[moved], -weight, weight))
        return Known(point, residual, above, below), moved.size

    def _nearest(self, residual: Array, size: int) -> Index:
        if not self.radius:
            self.radius = float(np.partition(np.abs(residual), size)[size])
            self.size = size
        radius = self.radius * size / self.size
        for _ in range(4):
            found = _sides.within(residual, radius, self.index)
            if 0.7 * size <= found <= 1.5 * size:
                break
            radius *= min(max(size / max(found, 1), 0.1), 10)
        self.radius, self.size = radius, max(found, 1)
        return self.index[:found].copy()


class Near:
    def __init__(self, table: Table, ends, penalty: ElasticNet, here: Known, rows: Index, mass: Array) -> None:
        self.table, self.penalty, self.rows = table, penalty, rows
        self.lower, self.upper = ends
        self.residual, self.point = here.residual[rows], here.point.copy()
        self.before = here.above[rows]
        self.A = np.asarray(table.rows(rows))
        self.weight = np.ascontiguousarray(table.problem.weight[rows])
        total = self.upper * mass - (self.upper - self.lower) * here.below
        self.held = total - self.A.T @ self._duals()
        self.parts = []
        self.why = None

    def _duals(self) -> Array:
        return self.weight * np.where(self.residual > 0, self.upper, self.lower)

    def refine(self) -> int:
        n_columns, count = self.table.n_columns, self.rows.size
        window = min(_WINDOW * n_columns, count)
        left = count
        for _ in range(_STEPS):
            size = np.abs(self.residual)
            nearest = np.argpartition(size, window - 1)[:window]
            width = max(float(size[nearest].max()), 1e-300)
            hessian = weighted_gram(self.A[nearest], self.weight[nearest] * (self.upper - self.lower) / (2 * width))
            gradient = -(self.held + self.A.T @ self._duals())
            step = newton_step(hessian, gradient, self.point, self.penalty)
            moved = self.A @ step
            self.residual = self.residual - moved
            self.point = self.point + step
            part = float(np.sqrt(np.mean(moved[nearest] ** 2))) / width
            self.parts.append(round(part, 3))
            left = int(reduction.doubtful(n_columns, window, part))
            if part <= _SMALL:
                break
        return min(left, count)

    def vertex(self, size: int):
        q, features = self.table.n_columns, self.penalty.strength.size
        size = min(size, self.rows.size)
        order = np.argpartition(np.abs(self.residual), size - 1)
        chosen, others = order[:size], order[size:]
        chosen = chosen[np.argsort(np.abs(self.residual[chosen]), kind="stable")]
        strength = self.penalty.strength
        penalised = np.flatnonzero(strength > 0)
        zero = penalised[self.point[penalised] == 0]
        used = np.setdiff1d(np.arange(q), zero)
        first = _independent(self.A[chosen[: 4 * q]][:, used])
        if first.size < used.size:
            self.why = "rank"
            return None
        pseudo = np.zeros((penalised.size, q))
        pseudo[np.arange(penalised.size), penalised] = 1.0
        A = np.vstack([self.A[chosen], pseudo])
        basis = np.concatenate([first, size + np.flatnonzero(self.point[penalised] == 0)]).astype(np.intp)
        inverse = inverted(A[basis])
        if inverse is None:
            self.why = "singular"
            return None
        residual = np.concatenate([self.residual[chosen], -self.point[penalised]])
        residual = residual - A @ (inverse @ residual[basis])
        residual[basis] = 0.0
        weight = self.weight[chosen]
        lower = np.concatenate([weight * self.lower, -strength[penalised]])
        upper = np.concatenate([weight * self.upper, strength[penalised]])
        dual = np.where(residual > 0, upper, lower)
        dual[basis] = 0.0
        base = -(self.held + self.A[others].T @ self._duals()[others])
        goal = base - A.T @ dual
        inside, move, when = np.empty(q), np.empty(A.shape[0]), np.empty(A.shape[0])
        inverse = np.ascontiguousarray(inverse)
        n_pivots = _simplex.pivot(
            A, residual, lower, upper, goal, basis, inverse, inside, move, when, -_CLEAR, 20 * q + size
        )
        if n_pivots < 0:
            self.why = "pivots"
            return None
        exact = inverted(A[basis])
        if exact is None:
            self.why = "singular2"
            return None
        dual = np.where(residual > 0, upper, lower)
        dual[basis] = 0.0
        goal = base - A.T @ dual
        inside = exact.T @ goal
        inside += exact.T @ (goal - A[basis].T @ inside)
        place = (inside - lower[basis]) / (upper - lower)[basis]
        if place.min() <= _CLEAR or place.max() >= 1 - _CLEAR:
            self.why = "degenerate"
            return None
        data = np.flatnonzero(basis < size)
        basic = self.rows[chosen[basis[data]]]
        target, matrix = np.zeros(q), A[basis]
        target[data] = self.table.problem.y[basic]
        point = exact @ target
        point += exact @ (target - matrix @ point)
        point[penalised[basis[basis >= size] - size]] = 0.0
        above = self.residual > 0
        above[chosen] = residual[:size] > 0
        self.above = above
        return point, basic, inside[data], n_pivots

    def turned(self):
        moved = np.flatnonzero(self.above != self.before)
        weight = self.weight[moved]
        return self.A[moved].T @ np.where(self.above[moved], -weight, weight)


def _independent(A: Array) -> Index:
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


def alphas(problem, alphas, *, choose, tol, max_iter=None):
    from ladreg.solvers.sequence import scaled_by
    process = Process(problem)
    known = []
    out = []
    for k, alpha in enumerate(alphas):
        single = problem.under(scaled_by(problem.penalty, alpha))
        found = None
        if known:
            if len(known) == 1 or known[-1][0] == known[-2][0]:
                share, left = 1.0, known[-1]
            else:
                left = known[-2]
                share = (alpha - left[0]) / (known[-1][0] - left[0])
            found = process.between(single, left[1], known[-1][1], share)
        if found is None:
            start = process.start(known[-1][1]) if known else None
            solution = choose(single)(single, start=start, tol=tol, max_iter=max_iter)
            here = process.known(solution)
            STAT.append((k, 'alone'))
        else:
            solution, here = found
        known = [*known[-1:], (alpha, here)]
        out.append(solution)
    return out
