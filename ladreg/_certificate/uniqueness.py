"""Whether an optimum is proved to be a single point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import (
    Array,
    Index,
    equilibrated,
    is_regular,
    nonnegative_least_squares,
    null_space,
    null_space_and_rounding,
    square_solver,
)
from ladreg._certificate.eliminated_rows import EliminatedRows
from ladreg._certificate.optimal_face import Face, edges, optimal_face, predictions, sides, tied_rows
from ladreg._problem import ElasticNet, Problem
from ladreg._tolerances import PINNED, SUMMED

# In a table of groups nothing is proved where tied rows must hold more than 500 directions.
_MOST_OPEN = 500


def is_single_point(
    problem: Problem,
    coef: Array,
    intercept: float,
    dual: Array,
    slope: Array,
    margin: Array | None,
    optimal: bool,
) -> bool:
    """Whether the optimum is proved to be a single point.

    With `optimal` the solution and the dual are optimal up to rounding; without it, only the `margin` of a smooth and
    strongly convex loss can prove anything (None for other losses).
    """
    if not optimal and margin is None:
        return False
    if margin is None:
        reach = problem.design.reach()
        rounding = SUMMED * float(np.abs(dual).sum()) * reach
        margin = missed_slopes(problem.penalty, coef, slope, reach, rounding)
    face = optimal_face(problem, dual, slope, margin)
    try:
        return _is_point(problem, face, coef, intercept, optimal)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition: nothing is proved
        return False


def is_determined(problem: Problem, coef: Array, slope: Array, margin: Array, gram: Array) -> bool:
    """Whether the columns that the slopes of a curved loss leave open determine the optimum.

    Their products `gram` show it or, where they nearly depend on each other, the rows of `problem`, which has a squared
    loss. Its targets and its rows' duals count for nothing.
    """
    face = optimal_face(problem, np.zeros(problem.n_samples), slope, margin)
    free = face.features[np.isnan(face.fixed)]
    if not free.size or is_regular(gram[np.ix_(free, free)]):
        return True
    try:
        return _is_point(problem, face, coef, 0.0, True)
    except np.linalg.LinAlgError:
        return False


def missed_slopes(penalty: ElasticNet, coef: Array, slope: Array, reach: Array, rounding: Array) -> Array:
    """How far each slope may be from that of an optimal dual, for coefficients that are optimal up to rounding.

    An optimal coefficient away from its kinks determines its slope. Twice what the given slopes miss there, in units of
    `reach` (a size of each column), any slope may miss: that of a sum of two columns misses what both do. And each has
    its `rounding`. Both are of shape (n_features,).
    """
    size = reach * np.abs(coef)
    counted = np.flatnonzero(size > PINNED * size.sum())
    miss = np.abs(slope - penalty.nearest_slope(coef, slope))[counted] / reach[counted]
    return np.asarray(2.0 * reach * miss.max(initial=0.0) + rounding)


def _is_point(problem: Problem, face: Face, coef: Array, intercept: float, optimal: bool) -> bool:
    """Whether a face that the dual of a solution describes is a single point."""
    n_columns = face.features.size + problem.fit_intercept
    if n_columns == 0:
        return True
    n_equations = face.pinned.size + int(np.count_nonzero(~np.isnan(face.fixed)))
    if n_equations < n_columns and not optimal:
        return False
    eliminated = EliminatedRows.of(face)
    if eliminated is not None:
        return _is_point_in_blocks(eliminated, coef, intercept, optimal)
    if face.pinned.size > n_columns and _gram_has_full_rank(problem, face):
        return True
    matrix = face.equations()[0]
    if matrix.shape[0] == n_columns and square_solver(equilibrated(matrix)[0]) is not None:
        return True
    # Beside the pinned rows, tied rows and zero coefficients limit the face: they keep their side.
    tied = _tied(face, coef, intercept) if optimal else np.zeros(0, dtype=np.intp)
    at_lower, at_upper = _at_limits(face, coef)
    if n_equations < n_columns and not (tied.size or at_lower.any() or at_upper.any()):
        return False
    basis, rounding = null_space_and_rounding(matrix)
    if basis.shape[1] == 0:
        return True
    return optimal and _holds(face, tied, at_lower, at_upper, basis, rounding)


def _is_point_in_blocks(eliminated: EliminatedRows, coef: Array, intercept: float, optimal: bool) -> bool:
    """`_is_point` for a table of groups; groups without pinned rows are looked at one by one first."""
    face = eliminated.face
    n_open = int(np.count_nonzero(eliminated.open_groups)) + eliminated.null_space[0].shape[1]
    if n_open == 0:
        return True
    tied, (at_lower, at_upper) = _tied(face, coef, intercept), _at_limits(face, coef)
    if not (optimal and n_open <= _MOST_OPEN and eliminated.is_blocked(tied, at_lower, at_upper)):
        return False
    return _holds(face, tied, at_lower, at_upper, *eliminated.directions())


def _tied(face: Face, coef: Array, intercept: float) -> Index:
    """Rows that are not pinned, and whose residual is at its edge."""
    problem = face.problem
    tied = tied_rows(problem, coef, intercept, edge=edges(problem, face.dual))
    return tied[np.isin(tied, face.pinned, invert=True, assume_unique=True) & (problem.weight[tied] > 0)]


def _at_limits(face: Face, coef: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Features of the face whose coefficient is at its lower limit, and those at the upper one."""
    return coef[face.features] == face.lower, coef[face.features] == face.upper


def _holds(
    face: Face, tied: Index, at_lower: NDArray[np.bool_], at_upper: NDArray[np.bool_], basis: Array, rounding: Array
) -> bool:
    """Whether tied rows and coefficients at a limit, which keep their sides, hold every null vector of pinned rows.

    A row of `basis` is rounding up to its entry in `rounding`: a tied row that no null vector moves has as much.
    """
    cone = _cone(face, tied, at_lower, at_upper, basis)
    lost = _rounding_of_cone(face, tied, at_lower, at_upper, rounding)
    return _only_zero(cone[np.abs(cone).max(axis=1, initial=0.0) > lost])


def _cone(face: Face, tied: Index, at_lower: NDArray[np.bool_], at_upper: NDArray[np.bool_], basis: Array) -> Array:
    """``cone @ z >= 0`` where ``basis @ z`` moves tied rows to their sides, and coefficients from their limits."""
    move = predictions(face.problem, tied, face.features, basis)
    rows = -sides(face.problem, face.dual, tied)[:, None] * move
    return np.vstack([rows, basis[: face.features.size][at_lower], -basis[: face.features.size][at_upper]])


def _rounding_of_cone(
    face: Face, tied: Index, at_lower: NDArray[np.bool_], at_upper: NDArray[np.bool_], rounding: Array
) -> Array:
    """The rounding of each row of the cone of `_cone`, from that of the rows of the basis."""
    coef, of_features = np.zeros(face.problem.n_features), rounding[: face.features.size]
    coef[face.features] = of_features
    rows = face.problem.design.take(tied).absolute_matvec(coef) + rounding[face.features.size :].sum()
    return np.concatenate([rows, of_features[at_lower], of_features[at_upper]])


def _gram_has_full_rank(problem: Problem, face: Face) -> bool:
    """A cheap proof of full column rank; it may fail for nearly collinear columns, which the SVD then settles."""
    chosen = np.zeros(problem.n_samples)
    chosen[face.pinned] = 1.0
    with np.errstate(over="ignore", invalid="ignore"):  # `is_regular` rejects infinities
        gram = problem.design.gram(chosen, face.features, border=problem.fit_intercept)
    known = np.flatnonzero(~np.isnan(face.fixed))
    gram[known, known] += 1.0
    return is_regular(gram)


def _only_zero(cone: Array) -> bool:
    """Whether ``cone @ z >= 0`` has the solution z = 0 alone (Stiemke's lemma)."""
    n_directions = cone.shape[1]
    if cone.shape[0] < n_directions + 1 or null_space(cone).shape[1] > 0:
        return False
    size = np.linalg.norm(cone, axis=1)
    rows = cone[size > 0] / size[size > 0][:, None]
    found = nonnegative_least_squares(rows.T, -rows.sum(axis=0))
    return found is not None and bool(found[1] <= 1e-9 * np.sqrt(rows.shape[0]))
