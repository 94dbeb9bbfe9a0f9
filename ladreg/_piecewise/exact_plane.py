"""The plane that most rows of a problem lie on, found from the rows nearest to a fit.

Rows nearest to a fit need not have a value in every column: a rare dummy may be zero in all of them, or not zero in one
that is not on the plane. Such columns are fitted to their own rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, cholesky_solver, least_squares
from ladreg._piecewise import interior_point
from ladreg._piecewise.bounded_dual import BoundedDual
from ladreg._piecewise.dual_program import Rows
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._problem import Coefficients
from ladreg._tolerances import AT_END, HALF_DIGITS, PINNED, ROUNDED, ROUNDING_GAP, SINGULAR, SUMMED, VERTEX

# Improve the guess by least squares of the rows with residuals up to each of these sizes in turn, at unit scale.
_NEAR = (1e-5, 1e-8, 1e-11)


@dataclass(frozen=True)
class Plane:
    """Coefficients, the rows that they fit exactly up to rounding, and the dual of all others, with zero at the tied.

    `terms` are the sizes of the terms of each residual.
    """

    coef: Array
    intercept: float
    residual: Array
    terms: Array
    tied: Index
    dual: Array

    @classmethod
    def at(cls, table: RowProblem, point: Array, stats: dict[str, float]) -> Self:
        """The plane at a point, where entries that are rounding of zero become zero."""
        problem = table.problem
        coef, intercept = _without_rounding(table, point)
        residual = problem.residual(coef, intercept)
        terms = np.abs(problem.y) + problem.design.absolute_matvec(coef) + abs(intercept)
        is_tied = np.abs(residual) <= VERTEX * (1.0 + terms)
        dual = np.where(is_tied, 0.0, problem.weight * problem.loss.derivative(residual))
        stats["n_passes"] += 2
        return cls(coef, intercept, residual, terms, np.flatnonzero(is_tied), dual)

    def asked(self, table: RowProblem) -> Array:
        """What the dual of the tied rows must balance in each column: the penalty's slope and the other rows."""
        slope = table.join(table.problem.penalty.strength * np.sign(self.coef), 0.0)
        return slope - table.backward(self.dual)

    def ends(self, table: RowProblem) -> tuple[Array, Array, Array]:
        """The least and the most that the tied rows can give in each column alone, and the sizes of their values."""
        problem = table.problem
        weight = problem.weight[self.tied]
        total = table.backward_at(self.tied, weight)
        chosen = np.zeros(problem.n_samples)
        chosen[self.tied] = weight
        size = table.join(problem.design.magnitudes(chosen), float(weight.sum()))
        above, below = (size + total) / 2, (size - total) / 2
        return table.lower * above - table.upper * below, table.upper * above - table.lower * below, size

    def settled(self, table: RowProblem) -> tuple[Self, Array, Index]:
        """The plane with rows at their ends that a column forces there, what its columns ask, and which ask too much.

        A rare column may ask all that its tied rows can give. That decides these rows, and what other columns ask.
        """
        plane = self
        least = SUMMED * table.join(table.problem.design.magnitudes(table.problem.weight), 1.0)
        while True:
            asked, (low, high, size) = plane.asked(table), plane.ends(table)
            beyond = np.flatnonzero((asked > high + least) | (asked < low - least))
            close = AT_END * size
            forced = np.flatnonzero((size > 0) & ((asked >= high - close) | (asked <= low + close)))
            if beyond.size or forced.size == 0:
                return plane, asked, beyond
            plane = plane._forced(table, int(forced[0]), bool(asked[forced[0]] >= high[forced[0]] - close[forced[0]]))

    def _forced(self, table: RowProblem, column: int, high: bool) -> Self:
        """The plane with the tied rows of a column at the ends of their intervals that give most, or least."""
        value = table.predict(np.eye(1, table.n_columns, column)[0])[self.tied]
        moves = value != 0
        rows, dual = self.tied[moves], self.dual.copy()
        dual[rows] = table.problem.weight[rows] * np.where((value[moves] > 0) == high, table.upper, table.lower)
        return replace(self, tied=self.tied[~moves], dual=dual)

    def rounding(self, table: RowProblem) -> float:
        """What rounding of the residuals may cost the objective."""
        return ROUNDED * max(-table.lower, table.upper) * float(table.problem.weight @ self.terms)


def least_tied(table: RowProblem) -> int:
    """The least number of tied rows of an exact fit: a vertex with fewer is an ordinary one."""
    return table.tuning.tied_per_column * table.n_columns


def nearest_plane(place: Iterate, limit: int, stats: dict[str, float]) -> Array | None:
    """The point that best fits the rows nearest to a place, by absolute values and without a penalty.

    By least squares where all of these rows can be fitted exactly. Directions that they leave open follow
    `extended`. None where fewer rows are tied than `least_tied`.
    """
    table = place.table
    rows = place.nearest(table.per_column(table.tuning.rows_per_column))
    A, residual = table.rows(rows), place.residual[rows]
    square = _through(A, residual)
    if square is not None:
        return _extended(table, place.point + square, limit, stats)
    reach = float(np.abs(residual).max())
    weight = table.problem.weight[rows] / table.problem.weight[rows].mean()
    step = _smallest(table, A, residual / reach, -weight, weight, limit, stats)
    if step is None:
        return None
    n_tied = np.count_nonzero(np.abs(residual - A @ (step * reach)) <= _NEAR[0])
    return _extended(table, place.point + step * reach, limit, stats) if n_tied >= least_tied(table) else None


def is_exact(place: Iterate) -> bool:
    """Whether some coefficients fit all of the rows nearest to a place exactly."""
    rows = place.nearest(place.table.per_column(place.table.tuning.rows_per_column))
    A, residual = place.table.rows(rows), place.residual[rows]
    if isinstance(A, np.ndarray):
        # Normal equations, however inexact, leave less than half of such residuals, and most of others.
        solve = cholesky_solver(A.T @ A)
        if solve is not None and np.abs(residual - A @ solve(A.T @ residual)).max() > 0.5 * np.abs(residual).max():
            return False
    return _through(A, residual) is not None


def _through(A: Rows, residual: Array) -> Array | None:
    """The shortest change that fits the rows exactly; None where none does, and of sparse rows off the plane."""
    reach = float(np.abs(residual).max())
    if reach <= HALF_DIGITS:
        return np.zeros(A.shape[1])
    if not isinstance(A, np.ndarray):
        return None
    square = least_squares(A, residual)
    return square if float(np.abs(residual - A @ square).max()) <= HALF_DIGITS * max(reach, 1.0) else None


def _smallest(
    table: RowProblem,
    A: Rows,
    residual: Array,
    lower: Array,
    upper: Array,
    limit: int,
    stats: dict[str, float],
) -> Array | None:
    """The change that makes the sum of the rows' losses smallest; None where the interior point method fails."""
    n_columns = A.shape[1]
    none = np.zeros(0)
    program = BoundedDual(
        A=A,
        y=residual,
        lower=lower,
        upper=upper,
        goal=np.zeros(n_columns),
        penalised=np.zeros(0, dtype=np.intp),
        strength=none,
        origin=none,
        tuning=table.tuning,
    )
    found = interior_point.solve(program, np.zeros(n_columns), tol=ROUNDING_GAP, max_iter=limit)
    if found is None:
        return None
    stats["rows_solved"] += residual.size
    stats["n_ip_iter"] += found.n_iter
    return found.coef


def _extended(table: RowProblem, point: Array, limit: int, stats: dict[str, float]) -> Array:
    """The point, moved along what its tied rows leave open to where the losses of other rows are least.

    Each move ties more rows, until they determine all that any row does.
    """
    problem = table.problem
    if not _can_move(table):
        return improved(table, point, stats)
    for _ in range(table.tuning.rounds):
        point = improved(table, point, stats)
        residual = problem.residual(*table.split(point))
        stats["n_passes"] += 1
        basis = _open(table, np.abs(residual) <= _NEAR[0])
        change = restricted(table, residual, point, basis, limit, stats) if basis.shape[1] else None
        if change is None:
            break
        point = point + change
    return point


def _can_move(table: RowProblem) -> bool:
    """Whether `restricted` knows the penalty, and dense arrays of the size of the columns are no burden."""
    return not (table.problem.penalty.positive or table.has_blocks)


def _open(table: RowProblem, chosen: NDArray[np.bool_]) -> Array:
    """A basis of the directions along which the chosen rows do not move, one per column."""
    problem = table.problem
    everything = np.arange(problem.n_features)
    gram = problem.design.gram(chosen.astype(np.float64), everything, problem.fit_intercept)
    reach = table.join(problem.design.reach(), 1.0)
    size = np.sqrt(gram.diagonal())
    size = np.where(size > 0, size, np.where(reach > 0, reach, 1.0))
    values, vectors = np.linalg.eigh(gram / size / size[:, None])
    return np.asarray(vectors[:, values <= SINGULAR * max(float(values[-1]), 1.0)] / size[:, None])


def restricted(
    table: RowProblem,
    residual: Array,
    point: Array,
    basis: Array,
    limit: int,
    stats: dict[str, float],
    *,
    part: float = 1.0,
) -> Array | None:
    """The change along a basis that makes the losses of its rows, and the penalty, smallest; None where nothing moves,
    more than a part of all rows does, or the problem is not of this kind.

    Its rows are those that move along it, evenly spaced ones where these are many.
    """
    problem = table.problem
    if not _can_move(table):
        return None
    mixed = np.random.default_rng(0).standard_normal(basis.shape[1])
    rows = np.flatnonzero(np.abs(table.predict(basis @ mixed)) > HALF_DIGITS)
    stats["n_passes"] += 1
    most = table.per_column(table.tuning.rows_per_column)
    if rows.size > part * problem.n_samples:
        return None
    if rows.size > most:
        rows = rows[np.arange(most) * rows.size // most]
    A, y, weight = np.asarray(table.rows(rows) @ basis), residual[rows], problem.weight[rows]
    lower, upper = table.lower * weight, table.upper * weight
    if table.penalised.size:
        A, y = np.vstack([A, basis[table.penalised]]), np.append(y, -point[table.penalised])
        lower, upper = np.append(lower, -table.strength), np.append(upper, table.strength)
    if not A.any():
        return None
    _, singular, right = np.linalg.svd(A, full_matrices=False)
    right = right[singular > PINNED * singular[0]].T
    mass = 1.0 / float(np.mean(upper - lower))
    change = _smallest(table, np.ascontiguousarray(A @ right), y, lower * mass, upper * mass, limit, stats)
    return None if change is None else np.asarray(basis @ (right @ change))


def improved(table: RowProblem, point: Array, stats: dict[str, float]) -> Array:
    """The point that fits the tied rows in least squares."""
    problem = table.problem
    for near in _NEAR:
        residual = problem.residual(*table.split(point))
        stats["n_passes"] += 1
        distance = np.abs(residual)
        if float(distance.max(initial=0.0, where=distance <= near)) <= SUMMED:
            break
        chosen = (distance <= near).astype(np.float64)
        gram = problem.design.gram(chosen, np.arange(problem.n_features), problem.fit_intercept)
        size = np.sqrt(gram.diagonal())
        size = np.where(size > 0, size, 1.0)
        inverse = np.linalg.pinv(gram / size / size[:, None], rcond=SINGULAR, hermitian=True)
        point = point + inverse @ (table.backward(chosen * residual) / size) / size
        stats["n_passes"] += 2
    return point


def _without_rounding(table: RowProblem, point: Array) -> Coefficients:
    """Coefficients and intercept at a point, zero where they are rounding."""
    coef, intercept = table.split(point)
    size = np.abs(coef) * table.problem.design.reach()
    least = SUMMED * max(1.0, float(size.max(initial=0.0)))
    return Coefficients(np.where(size <= least, 0.0, coef), intercept if abs(intercept) > least else 0.0)
