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
    square_solver,
)
from ladreg._certificate.eliminated_rows import EliminatedRows
from ladreg._certificate.optimal_face import Face, edges, optimal_face, predictions, sides, tied_rows
from ladreg._problem import Problem

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
    face = optimal_face(problem, dual, slope, 0.0 if margin is None else margin)
    try:
        return _is_point(problem, face, coef, intercept, optimal)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition: nothing is proved
        return False


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
    at_zero, (at_least, at_most) = _at_zero(face, coef), _at_ends(face, coef)
    if n_equations < n_columns and not (tied.size or at_zero.any() or at_least.any() or at_most.any()):
        return False
    basis = null_space(matrix)
    if basis.shape[1] == 0:
        return True
    # A null vector of the pinned rows leads to other optima if every tied row and zero coefficient keeps its side.
    cone = _cone(face, tied, at_zero, basis)
    moves = basis[: face.features.size]
    return optimal and _only_zero(np.vstack([cone, moves[at_least], -moves[at_most]]))


def _is_point_in_blocks(eliminated: EliminatedRows, coef: Array, intercept: float, optimal: bool) -> bool:
    """`_is_point` for a table of groups; groups without pinned rows are looked at one by one first."""
    face = eliminated.face
    n_open = int(np.count_nonzero(eliminated.open_groups)) + eliminated.null_space().shape[1]
    if n_open == 0:
        return True
    tied, at_zero = _tied(face, coef, intercept), _at_zero(face, coef)
    if not (optimal and n_open <= _MOST_OPEN and eliminated.is_blocked(tied, at_zero)):
        return False
    return _only_zero(_cone(face, tied, at_zero, eliminated.directions()))


def _tied(face: Face, coef: Array, intercept: float) -> Index:
    """Rows that are not pinned, and whose residual is at its edge."""
    problem = face.problem
    tied = tied_rows(problem, coef, intercept, edge=edges(problem, face.dual))
    return tied[np.isin(tied, face.pinned, invert=True, assume_unique=True) & (problem.weight[tied] > 0)]


def _at_zero(face: Face, coef: Array) -> NDArray[np.bool_]:
    """Features of the face whose coefficient keeps its sign, from where it is measured, and is zero."""
    return (face.feature_side != 0) & (face.measured(coef) == 0)


def _at_ends(face: Face, coef: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Features of the face whose coefficient is at the least value of its interval, or at the largest, not at zero."""
    if face.ends is None:
        return np.zeros(face.features.size, dtype=bool), np.zeros(face.features.size, dtype=bool)
    (least, most), here = face.ends, face.measured(coef)
    return (least != 0) & (here <= least), (most != 0) & (here >= most)


def _cone(face: Face, tied: Index, at_zero: NDArray[np.bool_], basis: Array) -> Array:
    """``cone @ z >= 0`` where ``basis @ z`` moves tied rows and coefficients at zero to their sides."""
    move = predictions(face.problem, tied, face.features, basis)
    kept = (face.feature_side[:, None] * basis[: face.features.size])[at_zero]
    return np.vstack([-sides(face.problem, face.dual, tied)[:, None] * move, kept])


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
