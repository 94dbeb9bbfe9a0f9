"""The optimum of a problem where most rows can be fitted exactly: a guess at the plane, and a dual that proves it.

Rows on the plane are tied: their duals may lie anywhere inside the kink's interval, so that a few rows near the fit
determine the plane but not the dual. The duals of all tied rows together balance those of the other rows.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import canonical_optimum, prove
from ladreg._piecewise import interior_point, ties
from ladreg._piecewise.interior_point import BoundedDual
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._problem import Coefficients, Optimum
from ladreg._tolerances import HALF_DIGITS, PINNED, ROUNDED, ROUNDING_GAP, SINGULAR, SUMMED

# Improve the guess by least squares of the rows with residuals up to each of these sizes in turn, at unit scale.
_NEAR = (1e-5, 1e-8, 1e-11)


def solve(place: Iterate, limit: int, stats: dict[str, float]) -> Optimum | None:
    """Coefficients, intercept and dual of the optimum at unit scale, where most rows near a place fit exactly.

    Parameters
    ----------
    place
        Where a pilot or a refinement ended.
    limit
        Iterations of the interior point method.
    stats
        Rows, iterations and passes are added.

    Returns
    -------
    Optimum or None
        None where the optimum is not of this kind, or could not be proved to be.

    Notes
    -----
    1. The plane: absolute values of the rows nearest to the place, solved alone; then least squares of the rows that
       are tied there.
    2. The dual: rows off the plane have the slope of their residual; tied rows, together, balance them and the penalty.
    3. Where the tied rows do not determine the coefficients, the canonical optimum.
    """
    if place.table.n_columns == 0 or not np.isfinite(place.table.strength).all():
        return None
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
            return _solved(place, limit, stats)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
        return None


def _solved(place: Iterate, limit: int, stats: dict[str, float]) -> Optimum | None:
    """`solve`, without the handling of errors."""
    table, problem = place.table, place.table.problem
    # 1.
    step = _plane(place, limit, stats)
    if step is None:
        return None
    point = _improved(table, place.point + step, stats)
    coef, intercept = _without_rounding(table, point)
    residual = problem.residual(coef, intercept)
    terms = np.abs(problem.y) + problem.design.absolute_matvec(coef) + abs(intercept)
    is_tied = np.abs(residual) <= SUMMED * (1.0 + terms)
    tied = np.flatnonzero(is_tied)
    stats["n_passes"] += 2
    if tied.size < least_tied(table) or (problem.penalty.positive and coef.min(initial=0.0) < 0):
        return None
    # 2.
    dual = np.where(is_tied, 0.0, problem.weight * problem.loss.derivative(residual))
    slope = table.join(problem.penalty.strength * np.sign(coef), 0.0)
    everything = np.arange(problem.n_features)
    goal = slope - table.backward(dual)
    found = ties.balanced(problem, tied, everything, problem.fit_intercept, np.zeros(tied.size), goal)
    if found is None:
        return None
    dual[tied] = found
    # 3.
    answer = _canonical(table, Optimum(coef, intercept, dual), tied)
    proof = prove(problem, *answer)
    # A gap below the rounding of the residuals is as good as zero.
    least = ROUNDED * max(map(abs, problem.loss.kink())) * float(problem.weight @ terms)
    return answer if proof.gap <= max(ROUNDING_GAP * proof.objective, least) else None


def least_tied(table: RowProblem) -> int:
    """The least number of tied rows of an exact fit: a vertex with fewer is an ordinary one."""
    return table.tuning.tied_per_column * table.n_columns


def _plane(place: Iterate, limit: int, stats: dict[str, float]) -> Array | None:
    """The change of the point that best fits the rows nearest to it, by absolute values and without a penalty.

    By least squares where all of these rows can be fitted exactly. None where fewer rows are tied than `least_tied`.
    """
    table = place.table
    rows = place.nearest(table.per_column(table.tuning.rows_per_column))
    residual = place.residual[rows]
    reach = float(np.abs(residual).max())
    if reach <= HALF_DIGITS:
        return np.zeros(table.n_columns)
    A = table.rows(rows)
    if isinstance(A, np.ndarray):
        square = np.asarray(np.linalg.lstsq(A, residual, rcond=PINNED)[0], dtype=np.float64)
        if float(np.abs(residual - A @ square).max()) <= HALF_DIGITS * max(reach, 1.0):
            return square
    weight = table.problem.weight[rows] / table.problem.weight[rows].mean()
    none = np.zeros(0)
    program = BoundedDual(
        A=A,
        y=residual / reach,
        lower=-weight,
        upper=weight,
        goal=np.zeros(table.n_columns),
        penalised=np.zeros(0, dtype=np.intp),
        strength=none,
        origin=none,
        tuning=table.tuning,
    )
    found = interior_point.solve(program, np.zeros(table.n_columns), tol=ROUNDING_GAP, max_iter=limit)
    if found is None:
        return None
    stats["rows_solved"] += rows.size
    stats["n_ip_iter"] += found.n_iter
    step = found.coef * reach
    n_tied = np.count_nonzero(np.abs(residual - A @ step) <= _NEAR[0])
    return step if n_tied >= least_tied(table) else None


def _improved(table: RowProblem, point: Array, stats: dict[str, float]) -> Array:
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


def _canonical(table: RowProblem, answer: Optimum, tied: Index) -> Optimum:
    """The answer, or the canonical optimum where the tied rows do not determine the coefficients."""
    problem = table.problem
    costly = (problem.penalty.strength > 0) | problem.penalty.positive
    features = np.flatnonzero(~costly | (answer.coef != 0))
    chosen = ties.basis(problem, tied, features, problem.fit_intercept)
    if chosen.size == features.size + problem.fit_intercept:
        return answer
    return canonical_optimum(problem, answer.dual, among=chosen) or answer
