"""Solve the rows whose side is in doubt, all others held on their sides: steps 3 and 4 of `preprocessing`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._piecewise import exact_fit, interior_point, null_space
from ladreg._piecewise.bounded_dual import BoundedDual
from ladreg._piecewise.covering import covering
from ladreg._piecewise.dual_program import InteriorPointResult, transposed_product
from ladreg._piecewise.exact_plane import is_exact
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._problem import Optimum, Problem, StopReason
from ladreg._tolerances import SUMMED, VERTEX


@dataclass(frozen=True)
class Held:
    """The solution of a reduced problem, all other rows held on their sides; without a dual where it is not valid.

    `step` is the change of the point, `products` are those of the dual with the columns, `square` is a second guess at
    the dual, with as many basic rows as columns; `rank` and `inside` are the interior point's. For all rows of a
    piecewise linear loss, which needs none of them, `rows`, `rank` and `inside` are None.
    """

    step: Array
    dual: Array | None = None
    rows: Index | None = None
    products: Array | None = None
    square: Array | None = None
    rank: Array | None = None
    inside: Array | None = None


def solve(
    place: Iterate, size: int, tol: float, limit: int, stats: dict[str, float]
) -> tuple[Held | Optimum, StopReason]:
    """Solve the `size` rows nearest to the fit; in each attempt more rows, until all others are held on the right side.

    Where most rows are fitted exactly, the result is the optimum itself.
    """
    table = place.table
    size = min(size, table.problem.n_samples)
    for attempt in range(table.tuning.attempts):
        found = _held(place, size, attempt > 0, tol, limit, stats)
        if found.dual is not None:
            break
        # Too few rows for a feasible dual, or too many on the wrong side: the step is still a descent direction.
        if found.step.any():
            moved = table.predict(found.step)
            place.advance(found.step, moved, place.search(found.step, moved))
            stats["n_passes"] += 1
        exact = exact_fit.solve(place, limit, stats) if attempt == 0 else None
        if exact is not None:
            return exact, StopReason.EXACT
        if size == table.problem.n_samples:
            break
        size = min(table.tuning.wider * size, table.problem.n_samples)
    if found.dual is None:
        return Held(np.zeros(table.n_columns), table.sides(place.residual)), StopReason.STALLED
    return found, StopReason.TOLERANCE


def _held(place: Iterate, size: int, scaled: bool, tol: float, limit: int, stats: dict[str, float]) -> Held:
    """Solve the rows with the smallest residuals; add the other rows whose sign came out wrong, and solve again."""
    table, problem = place.table, place.table.problem
    if size >= problem.n_samples:
        return _every_row(place, tol, limit, stats)
    rows = covering(place, place.nearest(size, scaled))
    step = np.zeros(table.n_columns)
    for _ in range(table.tuning.rounds):
        if rows.size == problem.n_samples:
            return _every_row(place, tol, limit, stats)
        stats["n_rounds"] += 1
        A = table.rows(rows)
        residual = place.residual[rows]
        goal = transposed_product(A, table.sides(place.residual, rows)) + place.smooth
        reach = _reach(residual)
        mass = 1.0 / float(problem.weight[rows].mean())
        origin = place.point[table.penalised] / reach
        program = table.program(rows, A, residual / reach, goal, origin, mass, reach)
        found = _optimum(program, False, tol, limit, stats)
        if isinstance(found, interior_point.Unbounded):
            step = found.direction * reach
            if not scaled and is_exact(place):
                return Held(step)
            wrong = _wrong(place, rows, step, stats, falls=True)
            if not 0 < wrong.size <= 2 * size - rows.size:
                return Held(step)
            rows = np.sort(np.concatenate([rows, wrong]))
            continue
        stats["rows_solved"] += rows.size
        if found is None:
            return Held(step)
        stats["n_ip_iter"] += found.n_iter
        step = found.coef * reach
        wrong = _wrong(place, rows, step, stats)
        if wrong.size == 0:
            dual = table.sides(place.residual)
            dual[rows] = found.dual / mass
            products = _with_intercept(problem, transposed_product(A, dual[rows]) - goal)
            square = _square(table, rows, found, dual, mass)
            return Held(step, dual, rows, products, square, found.rank, found.inside / mass)
        if wrong.size > rows.size:
            return Held(step)
        rows = np.sort(np.concatenate([rows, wrong]))
    return Held(step)


def _every_row(place: Iterate, tol: float, limit: int, stats: dict[str, float]) -> Held:
    """Solve all rows. Vectors of one number a row are its memory: `place.residual` is not kept meanwhile."""
    table, problem = place.table, place.table.problem
    stats["n_rounds"] += 1
    is_narrow = null_space.is_narrow(problem)
    by_products = table.has_blocks and not is_narrow
    A = table.every_row() if by_products else table.rows(np.arange(problem.n_samples))
    goal = transposed_product(A, table.sides(place.residual)) + place.smooth
    # At coefficients of zero the residuals are the targets, which are of ordinary size.
    reach = _reach(place.residual) if place.point.any() else 1.0
    residual = place.residual / reach if place.point.any() else problem.y
    place.forget_residual()
    mass = 1.0 / float(problem.weight.mean())
    program = table.program(None, A, residual, goal, place.point[table.penalised] / reach, mass, reach)
    found = _optimum(program, is_narrow, tol, limit, stats)
    if isinstance(found, interior_point.Unbounded):
        return Held(found.direction * reach)
    stats["rows_solved"] += problem.n_samples
    if found is None:
        return Held(np.zeros(table.n_columns))
    stats["n_ip_iter"] += found.n_iter
    dual = found.dual / mass
    products = _with_intercept(problem, transposed_product(A, dual) - goal)
    square = _square(table, slice(None), found, dual, mass)
    if not table.is_curved:
        return Held(found.coef * reach, dual, None, products, square)
    rows = np.arange(problem.n_samples)
    return Held(found.coef * reach, dual, rows, products, square, found.rank, found.inside / mass)


def _optimum(
    program: BoundedDual, is_narrow: bool, tol: float, limit: int, stats: dict[str, float]
) -> InteriorPointResult | interior_point.Unbounded | None:
    """The optimum of a program, by its left null space where that has few dimensions."""
    found = null_space.solve(program, tol, limit, stats) if is_narrow else None
    return found or interior_point.solve_or_fall(program, np.zeros(program.goal.size), tol=tol, max_iter=limit)


def _wrong(place: Iterate, rows: Index, step: Array, stats: dict[str, float], *, falls: bool = False) -> Index:
    """Rows other than the chosen ones that a step puts on the other side.

    Where the loss of the chosen rows `falls` for ever along the step, the rows that are passed within twice the way to
    the minimum of all rows: with these, it does so no longer.
    """
    moved = place.table.predict(step)
    stats["n_passes"] += 1
    if falls:
        moved *= 2.0 * place.search(step, moved)
    return np.setdiff1d(place.crossed(moved, VERTEX), rows, assume_unique=True)


def _square(
    table: RowProblem, rows: Index | slice, found: InteriorPointResult, dual: Array, mass: float
) -> Array | None:
    """The dual with as many basic rows as columns, those of largest rank; None where that does not apply.

    Next to a degenerate vertex the interior point's ranks do not decide which rows are basic.
    """
    rank = found.rank[: found.inside.size]
    count = int(np.sum(rank > 0))
    bound = table.penalised.size or table.is_curved
    if count == table.n_columns or bound or rank.size <= table.n_columns:
        return None
    basic = np.argpartition(-rank, table.n_columns)[: table.n_columns]
    ends = table.problem.weight[rows] * np.where(found.inside > 0, table.upper, table.lower)
    chosen = np.where(rank > 0, ends, dual[rows])
    chosen[basic] = found.inside[basic] / mass
    square = dual.copy()
    square[rows] = chosen
    return square


def _reach(residual: Array) -> float:
    """The largest residual; one where all are rounding."""
    largest = float(np.abs(residual).max())
    return largest if largest > SUMMED else 1.0


def _with_intercept(problem: Problem, products: Array) -> Array:
    """The products of a dual with all columns, and with ones: zero where there is no intercept."""
    return products if problem.fit_intercept else np.append(products, 0.0)
