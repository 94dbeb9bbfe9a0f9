"""The simplex method in plain NumPy: the specification of `simplex.h`, `vertex.h` and `near_rows.h`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# A residual that changes by at most 1e-9 times the largest change does not move.
STILL = 1e-9
# A row is independent of others if they leave more than 1e-3 of its largest entry.
INDEPENDENT = 1e-3


def pivot(
    A: Array,
    residual: Array,
    lower: Array,
    upper: Array,
    goal: Array,
    basis: NDArray[np.intp],
    inverse: Array,
    inside: Array,
    tolerance: float,
    most: int,
) -> int:
    """Exchange basic rows, at most `most` times, until the duals of all basic rows are inside their intervals.

    The inverse is computed anew in every exchange.
    """
    width = upper - lower
    for done in range(most + 1):
        inverse[:] = np.linalg.inv(A[basis])
        inside[:] = inverse.T @ goal
        over, under = (inside - upper[basis]) / width[basis], (lower[basis] - inside) / width[basis]
        out = int(np.argmax(np.maximum(over, under)))
        if max(over[out], under[out]) <= tolerance:
            return done
        side = 1.0 if over[out] > under[out] else -1.0
        i = basis[out]
        slope = upper[i] - inside[out] if side > 0 else inside[out] - lower[i]
        move = side * (A @ inverse[:, out])
        move[basis] = 0.0
        crosses = np.where(residual > 0, move < 0, move > 0) & (np.abs(move) > STILL * np.abs(move).max())
        times = np.where(crosses, -residual / np.where(crosses, move, 1.0), np.inf)
        flipped, enter = np.zeros(residual.size, dtype=bool), -1
        for row in np.argsort(times, kind="stable"):
            if not np.isfinite(times[row]):
                return -1
            slope += abs(move[row]) * width[row]
            if slope >= 0:
                enter = int(row)
                break
            goal -= np.sign(move[row]) * width[row] * A[row]
            flipped[row] = True
        if enter < 0:
            return -1
        positive = (residual > 0) != flipped
        residual += times[enter] * move
        residual[:] = np.where(positive, np.maximum(residual, 1e-300), np.minimum(residual, 0.0))
        residual[i] = max(times[enter], 1e-300) if side > 0 else -times[enter]
        end = lower[enter] if move[enter] > 0 else upper[enter]
        goal += end * A[enter] - (upper[i] if side > 0 else lower[i]) * A[i]
        residual[enter] = 0.0
        basis[out] = enter
    return -1


def vertices(
    A: Array,
    y: Array,
    weight: Array,
    linear: Array,
    lower: Array,
    upper: Array,
    count: Index,
    row_at: Index,
    y_at: Index,
    weight_at: Index,
    dual_at: Index,
    factor: Array | None,
    point: Array,
    basis: Index,
    dual: Array,
    exchanges: Index,
    steps: int,
    per_column: int,  # noqa: ARG001 - all rows take part
    most: int,
    tolerance: float,
    zero: float,  # noqa: ARG001 - likewise
) -> None:
    """Solve each problem by descent steps and by exchanges among all rows of positive weight."""
    for k, n in enumerate(count):
        rows, mass = A[row_at[k] : row_at[k] + n], weight[weight_at[k] : weight_at[k] + n]
        target = y[y_at[k] : y_at[k] + n]
        gram = rows.T @ (mass[:, None] * rows)
        root = np.asarray(np.linalg.cholesky(gram) if factor is None else factor, dtype=np.float64)
        if factor is None:
            point[k] = np.linalg.solve(root @ root.T, rows.T @ (mass * target))
        ends = (mass * lower[k], mass * upper[k])
        for _ in range(steps):
            point[k] = _descended(rows, target, ends, linear[k], root, point[k])
        exchanges[k], point[k], basis[k], dual[dual_at[k] : dual_at[k] + n] = _vertex(
            rows, target, mass, ends, linear[k], point[k], tolerance, most
        )


def near_vertices(
    A: Array,
    y: Array,
    residual: Array,
    weight: Array,
    at: Array,
    strength: Array,
    hessian: Array,  # noqa: ARG001 - no Newton step is made
    linear: Array,
    lower: float,
    upper: float,
    point: Array,
    exchanges: Index,
    rows: int,  # noqa: ARG001 - all rows take part
    steps: int,  # noqa: ARG001 - likewise
    per_column: int,  # noqa: ARG001 - likewise
    most: int,
    tolerance: float,
    zero: float,  # noqa: ARG001 - likewise
    rounding: float,
) -> None:
    """Solve each fold on all rows that are near, by exchanges from its start."""
    penalised, span = np.flatnonzero(strength > 0), upper - lower
    table, target = np.concatenate([A, np.eye(at.size)[penalised]]), np.append(y, np.zeros(penalised.size))
    for k in range(point.shape[0]):
        far = linear[k] - A.T @ (weight[:, k] * np.where(residual > 0, upper, lower))
        far[penalised] -= strength[penalised] * (upper + lower) / span
        mass = np.append(weight[:, k], 2 * strength[penalised] / span)
        ends = mass * lower, mass * upper
        exchanges[k], point[k], basis, dual = _vertex(table, target, mass, ends, far, point[k], tolerance, most)
        inside = np.minimum(dual - ends[0], ends[1] - dual)[basis]
        if not np.all(inside > tolerance * mass[basis] + rounding):
            exchanges[k] = -1


def _descended(
    rows: Array, target: Array, ends: tuple[Array, Array], linear: Array, root: Array, point: Array
) -> Array:
    """The best point along one descent step, among those at which a residual is zero."""
    residual = target - rows @ point
    step = np.linalg.solve(root @ root.T, linear + rows.T @ np.where(residual > 0, ends[1], ends[0]))
    move = rows @ step
    moving = np.abs(move) > STILL * np.abs(move).max()
    lengths = residual[moving] / move[moving]
    points = point + np.append(lengths[lengths > 0], 0.0)[:, None] * step
    left = target - points @ rows.T
    return points[np.argmin(np.maximum(ends[0] * left, ends[1] * left).sum(axis=1) - points @ linear)]


def _vertex(
    rows: Array,
    target: Array,
    mass: Array,
    ends: tuple[Array, Array],
    linear: Array,
    start: Array,
    tolerance: float,
    most: int,
) -> tuple[int, Array, Index, Array]:
    """The number of exchanges, the point, the basic rows and the dual of the optimal vertex."""
    residual = target - rows @ start
    present = np.flatnonzero(mass > 0)
    chosen: list[int] = []
    for row in present[np.argsort(np.abs(residual[present]), kind="stable")]:
        if np.linalg.svd(rows[[*chosen, row]], compute_uv=False)[-1] > INDEPENDENT:
            chosen.append(int(row))
        if len(chosen) == rows.shape[1]:
            break
    A, lower, upper = rows[present], ends[0][present], ends[1][present]
    basis = np.searchsorted(present, chosen)
    inverse = np.asarray(np.linalg.inv(A[basis]), dtype=np.float64)
    residual = target[present] - A @ (inverse @ target[present][basis])
    residual[basis] = 0.0
    values, inside = np.where(residual > 0, upper, lower), np.empty(basis.size)
    values[basis] = 0.0
    made = pivot(A, residual, lower, upper, -(linear + A.T @ values), basis, inverse, inside, tolerance, most)
    dual = np.zeros(target.size)
    dual[present] = np.where(residual > 0, upper, lower)
    dual[present[basis]] = inside
    point = np.asarray(np.linalg.solve(A[basis], target[present][basis]), dtype=np.float64)
    return made, point, present[basis], dual
