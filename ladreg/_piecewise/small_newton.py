"""Huber's loss on a small dense table without a penalty: Newton's method on the table itself.

Full steps only, without a line search: nearly always they end in a few. Where they do not, or where the solution is not
one to rounding, `huber_newton` solves the problem.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, is_regular
from ladreg._design import DenseDesign
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import Coefficients, Problem, Settings, StopReason, Uncertified
from ladreg._tolerances import INSIDE, ROUNDED

# Full steps, at most: most fits need three to five from least absolute deviations.
_STEPS = 12
# Solves of the last system: the first is a step, and each of the others removes rounding of the one before.
_ROUNDS = 3


class _Table(NamedTuple):
    """Rows with the intercept's column of ones, targets, weights, and where the curved piece ends."""

    A: Array
    y: Array
    weight: Array
    delta: float


class _Settled(NamedTuple):
    """A point whose rows keep their pieces, their Gram matrix over the stiffness, its inverse, and the steps taken."""

    point: Array
    pieces: NDArray[np.int8]
    gram: Array
    inverse: Array
    n_steps: int


def solve_small_table(problem: Problem, settings: Settings, start: Coefficients | None) -> Uncertified | None:
    """The only optimum of a small problem at unit scale; None for others, or where it is not found to rounding.

    1. Start from `start`, or from least squares.
    2. Solve the system of the rows on the curved piece, until no row changes its piece.
    3. Solve it again for the rounding that is left.
    """
    q, n, tuning = problem.n_features + problem.fit_intercept, problem.n_samples, settings.tuned(PiecewiseTuning)
    is_small = 0 < q < n <= tuning.vertex_rows and q <= tuning.newton_columns
    is_free = problem.penalty.is_nothing
    if not (is_small and is_free and isinstance(problem.design, DenseDesign)):
        return None
    A = problem.design.table(problem.fit_intercept)
    delta = float(problem.loss.residual_at(np.array(problem.loss.interval()[1])))
    table = _Table(A, problem.y, problem.weight, delta)
    # 1.
    try:
        if start is None:
            point = np.linalg.inv(_gram(A, table.weight)) @ ((table.weight * table.y) @ A)
        else:
            point = np.append(start.coef, start.intercept)[:q]
        # 2.
        found = _descended(table, point, min(_STEPS, settings.limit(_STEPS)))
        # 3.
        exact = None if found is None else _refined(table, found)
    except np.linalg.LinAlgError:
        return None
    if found is None or exact is None or not is_regular(found.gram):
        return None
    point, residual, slopes = exact
    # The rows whose Gram matrix that is must be inside the curved piece in every optimum.
    if (np.abs(np.abs(residual) - delta) <= 4 * INSIDE * delta).any():
        return None
    return Uncertified(
        coef=point[: problem.n_features],
        intercept=float(point[-1]) if problem.fit_intercept else 0.0,
        dual=slopes * problem.loss.smoothness,
        n_iter=max(found.n_steps, 1),
        stopped=StopReason.EXACT,
        solver="Newton",
        stats={"n_newton": found.n_steps, "n_passes": 0},
        unique=True,
    )


def _gram(A: Array, weight: Array) -> Array:
    return np.asarray((A * weight[:, None]).T @ A)


def _pieces(residual: Array, delta: float) -> NDArray[np.int8]:
    """0 for rows on the curved piece, else the sign of the residual."""
    return np.subtract(residual > delta, residual < -delta, dtype=np.int8)


def _descended(table: _Table, point: Array, most: int) -> _Settled | None:
    """Step 2."""
    A, y, weight, delta = table
    residual = y - A @ point
    pieces = _pieces(residual, delta)
    curved = pieces == 0
    gram = _gram(A[curved], weight[curved])
    for number in range(most):
        gradient = (weight * np.clip(residual, -delta, delta)) @ A
        inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
        point = point + inverse @ gradient
        residual = y - A @ point
        before, pieces = pieces, _pieces(residual, delta)
        if np.array_equal(before, pieces):
            return _Settled(point, pieces, gram, inverse, number + 1)
        curved = pieces == 0
        moved = np.flatnonzero((before == 0) != curved)
        chosen = A[moved]
        sign = np.where(curved[moved], weight[moved], -weight[moved])
        gram = gram + (chosen * sign[:, None]).T @ chosen
    return None


def _refined(table: _Table, found: _Settled) -> tuple[Array, Array, Array] | None:
    """Step 3: point, residuals and slopes times weights, over the stiffness; None if these do not balance."""
    A, y, weight, delta = table
    point = found.point
    for _ in range(_ROUNDS):
        residual = y - A @ point
        dual = weight * np.clip(residual, -delta, delta)
        left = dual @ A
        if not np.array_equal(_pieces(residual, delta), found.pieces):
            return None
        if np.all(np.abs(left) <= ROUNDED * (np.abs(dual) @ np.abs(A))):
            return point, residual, dual
        point = point + found.inverse @ left
    return None
