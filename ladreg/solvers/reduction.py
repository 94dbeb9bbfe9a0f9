"""Shrink a piecewise linear problem to the rows whose side is in doubt, solve that, and check every row.

A row whose residual's sign is known enters the linear program through its right-hand side alone (Portnoy and Koenker
1997, doi 10.1214/ss/1030037960). Which rows are in doubt is found by a pilot fit on a random sample and a few Newton
steps on all rows; a wrong guess shows as a wrong sign and is mended, and whatever remains shows in the certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._problem import Problem, StopReason
from ladreg.solvers import interior_point, vertex
from ladreg.solvers.interior_point import weighted_gram
from ladreg.solvers.scaling import Draft
from ladreg.solvers.table import Table

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Rows of the pilot's random sample, at least, and per column.
_PILOT, _PILOT_PER_COLUMN = 2000, 40
# Values that are enough to guess a threshold from.
_SAMPLE = 20_000
# Rows of the reduced problem, per column.
_ROWS_PER_COLUMN = 40
# Rows that estimate the density of residuals at zero, per column.
_WINDOW = 60
# A middle level between pilot and all rows, where there are at least eight times as many.
_MIDDLE = 65_536
# Newton steps on all rows.
_REFINEMENTS = 8
# Relative gap at which a row that is basic can be told from one at its end.
_FACE_GAP = 1e-13
# A gap below this is rounding, at unit scale.
_PROVED = 1e-12
# Residuals of this size are rounding, at unit scale.
_EXACT_FIT = 1e-14
# Rounds of adding rows whose sign came out wrong.
_ROUNDS = 8
# Attempts at the reduced problem, each with so many times the rows of the last.
_ATTEMPTS, _WIDER = 3, 6


def draft(
    problem: Problem,
    *,
    start: tuple[Array, float] | None = None,
    tol: float = 1e-9,
    max_iter: int | None = None,
    reduce: bool = True,
) -> Draft:
    """Solve a piecewise linear problem at unit scale (see `scaling`) with more rows than columns.

    Parameters
    ----------
    problem
        Loss `Absolute` or `Pinball`.
    start
        Coefficients and intercept that take the pilot's place.
    tol
        Relative gap of the reduced problem, if that is below the 1e-13 at which the optimal face can be told.
    max_iter
        Iterations of each interior point solve.
    reduce
        Without it all rows are solved by the interior point method, without steps 1, 2 and 4.

    Notes
    -----
    1. Pilot: solve a random sample to low accuracy.
    2. Refine on a larger sample, then on all rows: gradient, Hessian from the density of residuals at zero, exact line
       search.
    3. Solve the rows with the smallest residuals, the others held at the end of their interval on their side.
    4. Check the signs of all rows; add the wrong ones and solve again.
    5. Go to the canonical optimum of the full-length dual.
    """
    table = Table(problem)
    stats: dict[str, float] = {"rows_solved": 0, "n_passes": 0, "n_rounds": 0, "n_ip_iter": 0}
    limit = 50 if max_iter is None else max_iter
    fewer = reduce and reduces(problem)
    size = table.per_column(_ROWS_PER_COLUMN) if fewer else problem.n_samples
    # 1.
    if start is not None:
        point = np.append(start[0], start[1]) if problem.fit_intercept else start[0].copy()
    else:
        point = _pilot(table, limit, stats) if fewer else np.zeros(table.n_columns)
    # 2.
    if fewer and problem.n_samples >= 8 * _MIDDLE:
        middle = table.sample(_MIDDLE)
        point, _ = _refined(middle, point, middle.residual(point), {"n_passes": 0})
    residual = table.residual(point)
    stats["n_passes"] += 1
    if not np.any(np.abs(residual) > _EXACT_FIT):
        return _exact_fit(table, point, stats)
    if fewer:
        point, residual = _refined(table, point, residual, stats)
    # 3. and 4.
    point, held, stopped = _reduced(table, point, residual, size, min(tol, _FACE_GAP), limit, stats)
    # 5.
    exact = _finished(table, held) if stopped.good else None
    coef, intercept = table.split(point)
    assert held.dual is not None
    coef, intercept, dual = exact or (coef, intercept, held.dual)
    return Draft(
        coef=coef,
        intercept=intercept,
        dual=dual,
        n_iter=max(int(stats["n_ip_iter"]), 1),
        stopped=StopReason.EXACT if exact is not None else stopped,
        solver="interior point on reduced rows" if fewer else "interior point",
        stats=stats,
    )


def _finished(table: Table, held: _Held) -> tuple[Array, float, Array] | None:
    """Step 5; by the second guess at the dual only where the first proves too little."""
    assert held.dual is not None
    # The interior point method leaves the slopes of active features at their ends up to its own accuracy.
    at_end = 1e-6 if table.penalised.size else 1e-9
    exact = vertex.canonical(table.problem, held.dual, at_end, held.products)
    if held.square is None or (exact is not None and table.problem.prove(*exact).gap <= _PROVED):
        return exact
    return vertex.canonical(table.problem, held.square, 0.0) or exact


def _exact_fit(table: Table, point: Array, stats: Mapping[str, float]) -> Draft:
    """Every row is fitted, which the dual zero proves to be optimal unless coefficients cost something."""
    coef, intercept = table.split(point)
    nothing = np.zeros(table.problem.n_samples)
    stopped = StopReason.EXACT
    if coef.any():
        exact = None if table.penalised.size else vertex.canonical(table.problem, nothing)
        coef, intercept, nothing = exact or (coef, intercept, nothing)
        stopped = StopReason.EXACT if exact else StopReason.STALLED
    return Draft(coef, intercept, nothing, 1, stopped, "interior point", stats)


def reduces(problem: Problem) -> bool:
    """Whether the problem has enough rows for the reduction to leave some out."""
    return problem.n_samples > max(_PILOT, 2 * _ROWS_PER_COLUMN * (problem.n_features + problem.fit_intercept))


def _pilot(table: Table, limit: int, stats: dict[str, float]) -> Array:
    """Step 1."""
    size = max(_PILOT, table.per_column(_PILOT_PER_COLUMN))
    if size < table.problem.n_samples:
        table = table.sample(size)
    everything = np.arange(table.problem.n_samples)
    nothing = np.zeros(table.n_columns)
    program = table.program(everything, table.problem.y, nothing, np.zeros(table.penalised.size), 1.0)
    found = interior_point.solve(program, nothing, tol=1e-4, max_iter=limit)
    if found is None:
        return nothing
    stats["n_ip_iter"] += found.n_iter
    return found.coef


def _refined(table: Table, point: Array, residual: Array, stats: dict[str, float]) -> tuple[Array, Array]:
    """Step 2."""
    problem = table.problem
    window = min(table.per_column(_WINDOW), problem.n_samples)
    for _ in range(_REFINEMENTS):
        size = np.abs(residual)
        nearest = _smallest(size, window)
        width = float(size[nearest].max())
        gradient = -table.backward(table.sides(residual))
        gradient[table.penalised] += table.strength * np.sign(point[table.penalised])
        A = table.rows(nearest)
        density = problem.weight[nearest] * (table.upper - table.lower) / (2 * max(width, 1e-12))
        hessian = weighted_gram(A, density)
        step = _newton(hessian, -gradient)
        moved = table.predict(step)
        length = _line_search(table, residual, moved, float(-gradient @ step))
        stats["n_passes"] += 2
        if length <= 0:
            break
        point = point + length * step
        residual = residual - length * moved
        # A good Newton step leaves a few per cent of itself: the rows that will be solved exactly reach further. A
        # start at the optimum gains nothing (the loss is of size one at unit scale).
        good = 0.5 < length < 1.5 and length * float(np.abs(moved[nearest]).max()) < 2.0 * width
        if good or -length * float(gradient @ step) < 1e-9:
            break
    return point, residual


def _smallest(size: Array, count: int) -> Index:
    """Indices of the `count` smallest values; a threshold from a sample leaves few to choose from."""
    if size.size > 8 * _SAMPLE:
        sample = np.sort(size[np.random.default_rng(0).integers(0, size.size, _SAMPLE)])
        likely = sample[min(int(1.5 * count * _SAMPLE / size.size) + 20, _SAMPLE - 1)]
        chosen = np.flatnonzero(size <= likely)
        if chosen.size >= count:
            return chosen[np.argpartition(size[chosen], count - 1)[:count]] if chosen.size > count else chosen
    return np.argpartition(size, count - 1)[:count] if count < size.size else np.arange(size.size)


def _newton(hessian: Array, right: Array) -> Array:
    """Solve, with as much of a ridge as rare columns ask for."""
    size = np.sqrt(np.diag(hessian))
    size = np.where(size > 0, size, 1.0)
    scaled = hessian / np.outer(size, size)
    for ridge in (1e-10, 1e-6, 1e-2):
        regular = scaled + ridge * np.eye(size.size)
        try:
            np.linalg.cholesky(regular)
            return np.linalg.solve(regular, right / size) / size
        except np.linalg.LinAlgError:
            continue
    return right / size**2


def _line_search(table: Table, residual: Array, moved: Array, descent: float) -> float:
    """Exact minimiser of the loss along the step, up to twice the step: a weighted quantile of residual / moved."""
    if descent <= 0 or not np.isfinite(descent):
        return 0.0
    inside = np.flatnonzero((residual * moved > 0) & (np.abs(residual) < 2 * np.abs(moved)))
    if inside.size == 0:
        return 1.0
    breaks = residual[inside] / moved[inside]
    rise = table.problem.weight[inside] * np.abs(moved[inside]) * (table.upper - table.lower)
    order = np.argsort(breaks)
    passed = np.cumsum(rise[order])
    first = int(np.searchsorted(passed, descent))
    return float(breaks[order[min(first, order.size - 1)]]) if first < order.size else 2.0


def _reduced(
    table: Table,
    point: Array,
    residual: Array,
    size: int,
    tol: float,
    limit: int,
    stats: dict[str, float],
) -> tuple[Array, _Held, StopReason]:
    """Steps 3 and 4, with more and more rows until the sides of the others are right."""
    size = min(size, table.problem.n_samples)
    for _ in range(_ATTEMPTS):
        found = _held(table, point, residual, size, tol, limit, stats)
        if found.dual is not None or size == table.problem.n_samples:
            break
        # Too few rows for a feasible dual, or too many on the wrong side: what was found still points downwards.
        if found.step.any():
            moved = table.predict(found.step)
            slope = float(table.backward(table.sides(residual)) @ found.step)
            length = _line_search(table, residual, moved, slope) if not table.penalised.size else 0.0
            point, residual = point + length * found.step, residual - length * moved
            stats["n_passes"] += 2
        size = min(_WIDER * size, table.problem.n_samples)
    if found.dual is None:
        return point, _Held(found.step, table.sides(residual)), StopReason.STALLED
    return point + found.step, found, StopReason.TOLERANCE


@dataclass(frozen=True)
class _Held:
    """The change found with the sides of all other rows held; without a dual where some of them were wrong.

    `square` is a second guess at the dual, for a unique vertex.
    """

    step: Array
    dual: Array | None = None
    products: Array | None = None
    square: Array | None = None


def _square(table: Table, rows: Index, found: interior_point.Point, dual: Array, mass: float) -> Array | None:
    """The dual with as many basic rows as columns, the clearest; None where that changes nothing.

    Next to a degenerate vertex the interior point method leaves it open which rows are basic.
    """
    count = int(np.sum(found.rank > 0))
    if count == table.n_columns or table.penalised.size or rows.size <= table.n_columns:
        return None
    basic = np.argpartition(-found.rank, table.n_columns)[: table.n_columns]
    ends = table.problem.weight[rows] * np.where(found.inside > 0, table.upper, table.lower)
    chosen = np.where(found.rank > 0, ends, dual[rows])
    chosen[basic] = found.inside[basic] / mass
    square = dual.copy()
    square[rows] = chosen
    return square


def _held(
    table: Table, point: Array, residual: Array, size: int, tol: float, limit: int, stats: dict[str, float]
) -> _Held:
    """Solve the rows with the smallest residuals; add those whose sign came out wrong, and solve again."""
    problem = table.problem
    rows = _smallest(np.abs(residual), size)
    side = table.sides(residual)
    total = table.backward(side)
    step = np.zeros(table.n_columns)
    for _ in range(_ROUNDS):
        stats["n_rounds"] += 1
        stats["rows_solved"] += rows.size
        A = table.rows(rows)
        goal = A.T @ side[rows] - total
        reach = float(np.abs(residual[rows]).max()) or 1.0
        mass = 1.0 / float(problem.weight[rows].mean())
        origin = point[table.penalised] / reach
        program = table.program(rows, residual[rows] / reach, goal, origin, mass)
        found = interior_point.solve(program, np.zeros(table.n_columns), tol=tol, max_iter=limit)
        if found is None:
            return _Held(step)
        stats["n_ip_iter"] += found.n_iter
        step = found.coef * reach
        now = residual - table.predict(step)
        stats["n_passes"] += 1
        wrong = (now * np.where(residual > 0, 1.0, -1.0)) < -1e-12
        wrong[rows] = False
        added = np.flatnonzero(wrong)
        if added.size == 0:
            dual = side.copy()
            dual[rows] = found.dual / mass
            products = A.T @ dual[rows] - goal
            products = products if problem.fit_intercept else np.append(products, 0.0)
            return _Held(step, dual, products, _square(table, rows, found, dual, mass))
        if added.size > rows.size:
            return _Held(step)
        rows = np.concatenate([rows, added])
    return _Held(step)
