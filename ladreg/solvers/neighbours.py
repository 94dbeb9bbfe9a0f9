"""Problems that differ in their quantile or in the strength of their penalty, each solved from its neighbours.

(prototype 2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

_FEW_COLUMNS = 64
_WINDOW, _ROWS = 60, 10
_STEPS, _SMALL = 3, 0.3
_CLEAR = 1e-9
_PROVED = 1e-12
_ROUNDS = 6
_PART = 0.6
_REACH = 0.35
STAT = []


@dataclass(frozen=True)
class Known:
    point: Array
    residual: Array
    above: NDArray[np.bool_]
    below: Array
    hessian: Callable | None = None


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
        self.bent = True
        self.end = None

    def ends(self, lower, upper):
        if self.end != (lower, upper):
            w = self.table.problem.weight
            self.hi, self.lo, self.end = w * upper, w * lower, (lower, upper)
        return self.hi, self.lo

    def known(self, solution: Solution) -> Known:
        coef, intercept = self.units.into(solution.coef, solution.intercept)
        return self.at(self.table.join(coef, intercept))

    def null(self, problem) -> Known:
        return self.at(self.table.join(np.zeros(problem.n_features), (problem.null_intercept()-self.units.y_shift)/self.units.unit))

    def at(self, point):
        residual = self.table.problem.residual(*self.table.split(point))
        above = residual > 0
        below = self.table.backward(np.where(above, 0.0, self.table.problem.weight))
        return Known(point, residual, above, below)

    def start(self, known: Known) -> tuple[Array, float]:
        return self.units.out_of(*self.table.split(known.point))

    def between(self, problem: Problem, left: Known | None, right: Known, share: float) -> tuple[Solution, Known] | None:
        table, ends = self.table, problem.loss.rescaled(self.units.unit)[0].interval()
        penalty = problem.penalty.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        weight = table.problem.weight
        secant = right.point + (share - 1) * (right.point - left.point) if left is not None else right.point
        if left is not None and not self.bent:
            residual = right.residual - left.residual
            residual *= share - 1
            residual += right.residual
            here, change = self._turned(right, secant, residual)
        elif right.hessian is not None:
            gradient = -(ends[1] * self.mass - (ends[1] - ends[0]) * right.below)
            point = right.point + newton_step(right.hessian(), gradient, right.point, penalty)
            here, change = self._turned(right, point, table.problem.residual(*table.split(point)))
        else:
            here, change = right, weight.size // 8
        bent = self.bent
        for round in range(_ROUNDS):
            size = 3.5 * np.sqrt(table.n_columns * change) * 2 + 0.2 * change
            size = int(max(size, 2 * _WINDOW * table.n_columns))
            if size > _PART * weight.size:
                return None
            rows = self._nearest(here.residual, size)
            near = Near(table, ends, penalty, here, rows, self.mass)
            left_over = near.refine()
            if near.far:
                self.bent = True
                STAT.append((round, bent, change, rows.size, 'far', near.parts))
                full = table.problem.residual(*table.split(near.point))
                here, change = self._turned(here, near.point, full)
                change = change // 4
                continue
            vertex = near.solve(max(left_over, _ROWS * table.n_columns))
            if vertex is None:
                STAT.append((round, bent, change, rows.size, left_over, near.parts, 'fail', near.why))
                return None
            point, basis, inside, n_pivots = vertex
            above = here.above.copy()
            above[rows] = near.above
            below = here.below + near.turned()
            coef, intercept = self.units.out_of(*table.split(point))
            lower, upper = ends
            dual = np.where(above, *self.ends(*ends))
            dual[basis] = inside
            if self.units.rows.size or self.units.factor != self.units.unit:
                dual = self.units.dual_out_of(dual, problem.n_samples)
            n_iter = max(n_pivots, 1)
            unique = True
            if near.degenerate:
                if dual.size != weight.size:
                    STAT.append('degenerate')
                    return None
                found = self._canonical(penalty, dual, rows)
                if found is None:
                    STAT.append('degenerate')
                    return None
                coef, intercept, dual = found
                point = table.join(coef, intercept)
                coef, intercept = self.units.out_of(coef, intercept)
                unique = None
            residual, slope, total, _ = problem.design.audit(coef, problem.y, intercept, problem.weight, dual, False)
            proof = problem.prove_by(coef, residual, dual, np.append(slope, total))
            if not self.units.column_shift.any() and unique:
                twin = np.append(slope * self.units.column_scale, total)[:table.n_columns] / (self.units.factor / self.units.unit)
                B = near.basics
                w = weight[basis]
                twin += B.T @ (np.where(above[basis], w * upper, w * lower) - inside)
                below = (upper * self.mass - twin) / (upper - lower)
            ok = proof.gap <= _PROVED * max(self.units.factor, proof.objective)
            if self.units.unit != 1.0:
                residual /= self.units.unit
            if self.units.rows.size:
                residual = residual[self.units.rows]
            STAT.append((round, bent, change, rows.size, left_over, near.parts, n_pivots, near.tries, proof.relative_gap, near.degenerate))
            known = Known(point, residual, above, below, near.hessian)
            if ok:
                if unique is None:
                    unique = problem.is_unique(coef, intercept, proof)
                moved = near.A @ (secant - point)
                if round == 0:
                    self.bent = np.sqrt(np.mean(moved**2)) > _REACH * self.radius
                solution = Solution(coef, intercept, proof.dual, proof.objective, proof.gap, proof.relative_gap,
                     unique, n_iter, StopReason.EXACT, "simplex on reduced rows", {"rows_solved": left_over, "n_pivots": n_pivots})
                return solution, known
            here, change = self._turned(known, point, residual)
        return None

    def _canonical(self, penalty, dual, rows):
        return vertex.canonical(replace(self.table.problem, penalty=penalty), dual, among=np.sort(rows))

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
        self.far = False
        self.degenerate = False
        self.tries = 0

    def _duals(self) -> Array:
        return self.weight * np.where(self.residual > 0, self.upper, self.lower)

    def _hessian(self):
        n_columns, count = self.table.n_columns, self.rows.size
        window = min(_WINDOW * n_columns, count)
        size = np.abs(self.residual)
        nearest = np.argpartition(size, window - 1)[:window]
        width = max(float(size[nearest].max()), 1e-300)
        return nearest, width, weighted_gram(self.A[nearest], self.weight[nearest] * (self.upper - self.lower) / (2 * width))

    def hessian(self):
        return self._hessian()[-1]

    def refine(self) -> int:
        n_columns, count = self.table.n_columns, self.rows.size
        left = count
        for _ in range(_STEPS):
            nearest, width, hessian = self._hessian()
            window = nearest.size
            gradient = -(self.held + self.A.T @ self._duals())
            step = newton_step(hessian, gradient, self.point, self.penalty)
            moved = self.A @ step
            self.residual = self.residual - moved
            self.point = self.point + step
            part = float(np.sqrt(np.mean(moved[nearest] ** 2))) / width
            if part * window > 0.7 * count:
                self.far = True
            self.parts.append(round(part, 3))
            left = int(reduction.doubtful(n_columns, window, part))
            if part <= _SMALL or self.far:
                break
        return min(left, count)

    def solve(self, size):
        while True:
            self.tries += 1
            found = self.vertex(size)
            if found is None:
                return None
            point, basis, inside, n_pivots = found
            self.residual = self.table.problem.y[self.rows] - self.A @ point
            self.point = point
            wrong = ((self.residual > 0) != self.above) & (np.abs(self.residual) > 1e-12)
            n_wrong = np.count_nonzero(wrong)
            if not n_wrong or self.tries > 2:
                return found
            size = size + 4 * n_wrong

    def vertex(self, size: int):
        q, features = self.table.n_columns, self.penalty.strength.size
        size = min(size, self.rows.size)
        order = np.argpartition(np.abs(self.residual), size - 1)
        chosen, others = order[:size], order[size:]
        chosen = chosen[np.argsort(np.abs(self.residual[chosen]), kind="stable")]
        strength = self.penalty.strength
        penalised = np.flatnonzero(strength > 0)
        zero = penalised[self.point[penalised] == 0]
        used = np.ones(q, dtype=bool)
        used[zero] = False
        k = q - zero.size
        first = _independent(self.A[chosen[: 4 * q]][:, used])
        if first.size < k:
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
            A, residual, lower, upper, goal, basis, inverse, inside, move, when, _CLEAR, 20 * q + size
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
        self.degenerate = place.min() <= _CLEAR or place.max() >= 1 - _CLEAR
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
        self.basics = matrix[data]
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
    known = [(np.inf, process.null(problem))]
    for k, alpha in enumerate(alphas):
        single = problem.under(scaled_by(problem.penalty, alpha))
        found = None
        if known:
            if len(known) == 1 or known[-1][0] == known[-2][0] or np.isinf(known[-2][0]):
                share, left = 1.0, (0, None)
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
        yield solution
