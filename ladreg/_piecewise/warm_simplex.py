"""The rows near a fit, all others held on their side: a small problem next to its optimum.

Newton steps come near to the optimum; from a vertex of the nearest rows a few exchanges of basic rows reach it. A
penalised coefficient is one more row: its residual is minus the coefficient, its dual is bounded by its strength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, inverted
from ladreg._kernels import _simplex
from ladreg._piecewise import preprocessing
from ladreg._piecewise.dual_program import weighted_gram
from ladreg._piecewise.newton_step import newton_step
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import TOO_LARGE, ElasticNet, Problem
from ladreg._tolerances import AT_END, INSIDE, SOLVED, VERTEX

Sides = NDArray[np.bool_]

# Nearly all rows move by less than 3 times the root mean square of the moves.
_REACH = 3.0


@dataclass(frozen=True)
class ProcessPoint:
    """A point, residuals there, which rows count as above the fit, and the sum of ``weight * x`` over the others."""

    point: Array
    residual: Array
    above: Sides
    below: Array


class ReducedRows:
    """The rows near a fit.

    Parameters
    ----------
    problem
        A problem with a piecewise linear loss, at unit scale.
    place
        Where to begin.
    rows, A
        The rows that may change sides: their numbers and their values.
    origin, reach
        The point at which the rows were chosen, and their largest residual there; infinity where all rows were chosen.
    mass
        The weighted sum of all rows.
    window
        Number of nearest rows that estimate the density of residuals at zero.
    tuning
        How many rows and steps are tried.
    """

    def __init__(
        self,
        problem: Problem,
        place: ProcessPoint,
        rows: Index,
        A: Array,
        origin: Array,
        reach: float,
        mass: Array,
        window: int,
        tuning: PiecewiseTuning,
    ) -> None:
        self.tuning = tuning
        self.problem, self.rows, self.A, self.origin, self.reach = problem, rows, A, origin, reach
        self.ends = problem.loss.interval()
        self.weight = np.ascontiguousarray(problem.weight[rows])
        self.point, self.residual = place.point, place.residual[rows]
        self.above = self.begun = place.above[rows]
        self.window = min(window, rows.size)
        # ``X'd`` of all other rows, which stay on their side: the total of all rows less that of these rows.
        lower, upper = self.ends
        self.held = upper * mass - (upper - lower) * place.below - A.T @ self._sides(self.begun)
        # The vertex: its basic rows, their duals, whether a dual is at an end, rows of the program, exchanges.
        self.basis, self.inside = np.zeros(0, dtype=np.intp), np.zeros(0)
        self.degenerate, self.size, self.n_pivots = False, rows.size, 0

    @classmethod
    def at(
        cls,
        problem: Problem,
        place: ProcessPoint,
        rows: Index,
        reach: float,
        mass: Array,
        window: int,
        tuning: PiecewiseTuning,
    ) -> ReducedRows:
        """The rows near a place."""
        A = problem.design.rows(rows, border=problem.fit_intercept)
        return cls(problem, place, rows, A, place.point, reach, mass, window, tuning)

    def again(self, problem: Problem, place: ProcessPoint, point: Array, mass: Array) -> ReducedRows:
        """The same rows with the sides of another place, moved from there to `point`."""
        near = ReducedRows(problem, place, self.rows, self.A, self.origin, self.reach, mass, self.window, self.tuning)
        near._go(point - place.point)
        return near

    @staticmethod
    def wanted(count: float) -> float:
        """How many rows to choose where a step moves `count` rows over zero each way."""
        return 2 * _REACH * count

    def count(self, step: Array) -> float:
        """How many rows a step moves over zero each way: their density times the root mean square of the moves."""
        reach = self.reach if np.isfinite(self.reach) else float(np.abs(self.residual).max())
        return self.rows.size / (2 * max(reach, VERTEX)) * self._spread(step)

    def reaches(self, point: Array, missed: float) -> bool:
        """Whether these rows are enough at another point, if `missed` more rows are moved over zero."""
        return self.wanted(self.count(point - self.origin) + missed) <= self.rows.size

    def is_far(self) -> bool:
        """Whether other rows than these may have changed sides."""
        return _REACH * self._spread(self.point - self.origin) > self.reach

    def _spread(self, step: Array) -> float:
        moved = self.A @ step
        return float(np.sqrt(moved @ moved / max(moved.size, 1)))

    def _sides(self, above: Sides) -> Array:
        return self.weight * np.where(above, self.ends[1], self.ends[0])

    def _go(self, step: Array) -> Array:
        moved = self.A @ step
        self.point, self.residual = self.point + step, self.residual - moved
        return moved

    def hessian(self, count: int = 0) -> tuple[Array, Index, float]:
        """The Hessian from the density of residuals at zero, the rows that estimate it, and their largest residual."""
        size = np.abs(self.residual)
        count = count or max(self.window, size.size // 2)
        nearest = np.argpartition(size, count - 1)[:count]
        width = max(float(size[nearest].max()), VERTEX)
        density = self.weight[nearest] * ((self.ends[1] - self.ends[0]) / (2 * width))
        return weighted_gram(self.A[nearest], density), nearest, width

    def refine(self) -> None:
        """Newton steps, with the Hessian from the density of residuals at zero."""
        for _ in range(self.tuning.newton_steps):
            hessian, nearest, width = self.hessian(self.window)
            gradient = -(self.held + self.A.T @ self._sides(self.residual > 0))
            moved = self._go(newton(hessian, gradient, self.point, self.problem.penalty))
            part = float(np.sqrt(np.mean(moved[nearest] ** 2))) / width
            if not np.isfinite(part):
                raise OverflowError(TOO_LARGE)
            self.size = int(preprocessing.doubtful(self.point.size, self.window, part))
            if part <= self.tuning.newton_move or self.is_far():
                break

    def solve(self) -> bool:
        """Go to the optimal vertex; False where that fails. Rows are added while others change their side."""
        found = False
        self.size = max(self.size, self.tuning.simplex_rows * self.point.size)
        for _ in range(self.tuning.tries):
            found = self._vertex()
            if found:
                self.residual = self.problem.y[self.rows] - self.A @ self.point
                wrong = int(np.count_nonzero(((self.residual > 0) != self.above) & (np.abs(self.residual) > VERTEX)))
                if not wrong:
                    break
                self.size += 4 * wrong
            elif self.size < self.rows.size:
                self.size *= 4
            else:
                break
        return found

    def _vertex(self) -> bool:
        """The vertex of the `size` rows nearest to the fit, the others held on their side."""
        q, (lower, upper) = self.point.size, self.ends
        self.size = size = min(self.size, self.rows.size)
        nearness = np.abs(self.residual)
        chosen = np.argpartition(nearness, size - 1)[:size]
        chosen = chosen[np.argsort(nearness[chosen], kind="stable")]
        self.above = self.residual > 0
        sides = self._sides(self.above)
        sides[chosen] = 0.0
        held = self.held + self.A.T @ sides
        # Each penalised coefficient is one more row.
        strength = self.problem.penalty.strength
        penalised = np.flatnonzero(strength > 0)
        strength, coef = strength[penalised], self.point[penalised]
        A = np.zeros((size + penalised.size, q))
        np.take(self.A, chosen, axis=0, out=A[:size])
        A[size + np.arange(penalised.size), penalised] = 1.0
        residual = np.append(self.residual[chosen], -coef)
        low = np.append(self.weight[chosen] * lower, -strength)
        high = np.append(self.weight[chosen] * upper, strength)
        started = _basis(A, size, size + np.flatnonzero(coef == 0))
        if started is None:
            return False
        basis, inverse = started
        residual -= A @ (inverse @ residual[basis])
        residual[basis] = 0.0

        def goal() -> Array:
            dual = np.where(residual > 0, high, low)
            dual[basis] = 0.0
            return -(held + A.T @ dual)

        most = 20 * q + size
        self.n_pivots = _simplex.pivot(A, residual, low, high, goal(), basis, inverse, np.empty(q), AT_END, most)
        matrix = A[basis]
        exact = inverted(matrix) if self.n_pivots >= 0 else None
        if exact is None:
            return False
        # Solve again by a new inverse, without the rounding of the exchanges.
        wanted = goal()
        inside = exact.T @ wanted
        inside += exact.T @ (wanted - matrix.T @ inside)
        where = (inside - low[basis]) / (high - low)[basis]
        self.degenerate = bool(where.min() <= AT_END or where.max() >= 1 - AT_END)
        data = np.flatnonzero(basis < size)
        self.basis, self.inside = self.rows[chosen[basis[data]]], inside[data]
        target = np.zeros(q)
        target[data] = self.problem.y[self.basis]
        point = exact @ target
        point += exact @ (target - matrix @ point)
        # A penalised coefficient that is zero in exact arithmetic comes out as rounding where its row is not basic.
        tiny = np.abs(point[penalised]) <= SOLVED * max(1.0, float(np.abs(point).max()))
        tiny[basis[basis >= size] - size] = True
        point[penalised[tiny]] = 0.0
        self.point, self.above[chosen] = point, residual[:size] > 0
        return True

    def turned(self) -> Array:
        """Change of ``below``, the sum over rows not above the fit, by the rows that have changed sides."""
        rows = np.flatnonzero(self.above != self.begun)
        return self.A[rows].T @ np.where(self.above[rows], -self.weight[rows], self.weight[rows])

    def beyond(self, dual: Array) -> Array:
        """Change of ``X'dual`` if these rows were all at the end of their interval on their side."""
        return self.A.T @ (self._sides(self.above) - dual[self.rows])


def newton(hessian: Array, gradient: Array, point: Array, penalty: ElasticNet) -> Array:
    """`newton_step`, by one linear system where every coefficient keeps its sign."""
    strength = np.zeros(point.size)
    strength[: penalty.strength.size] = penalty.strength
    used = np.flatnonzero((point != 0) | (strength == 0))
    sign, step = np.sign(point), np.zeros(point.size)
    try:
        step[used] = np.linalg.solve(hessian[used[:, None], used], -(gradient + strength * sign)[used])
    except np.linalg.LinAlgError:
        return newton_step(hessian, gradient, point, penalty)
    slope = gradient + hessian @ step
    slope[used] = 0.0
    keeps = np.all(np.abs(slope) <= strength) and np.all((point + step) * sign * strength >= 0)
    return step if keeps else newton_step(hessian, gradient, point, penalty)


def _basis(A: Array, size: int, zero: Index) -> tuple[Index, Array] | None:
    """As many independent rows as columns, `zero` and others from the first `size`, and their inverse; None without."""
    q = A.shape[1]
    if size < q - zero.size:
        return None
    basis = np.append(np.arange(q - zero.size), zero)
    inverse = inverted(A[basis])
    if inverse is None:
        columns = np.flatnonzero(~A[zero].any(axis=0))
        basis = np.append(_independent(A[: min(size, 4 * q)][:, columns]), zero)
        inverse = inverted(A[basis]) if basis.size == q else None
    return None if inverse is None else (basis, np.ascontiguousarray(inverse))


def _independent(A: Array) -> Index:
    """The first linearly independent rows, at most as many as there are columns."""
    chosen: list[int] = []
    rest = A.copy()
    size = np.linalg.norm(A, axis=1)
    for row in range(A.shape[0]):
        length = float(np.linalg.norm(rest[row]))
        if length <= INSIDE * size[row]:
            continue
        chosen.append(row)
        if len(chosen) == A.shape[1]:
            break
        unit = rest[row] / length
        rest -= np.outer(rest @ unit, unit)
    return np.array(chosen, dtype=np.intp)
