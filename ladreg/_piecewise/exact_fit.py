"""The optimum of a problem where most rows can be fitted exactly: a guess at the plane, and a dual that proves it.

Rows on the plane are tied: their duals may lie anywhere inside the kink's interval, so that a few rows near the fit
determine the plane but not the dual. The duals of all tied rows together balance those of the other rows.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import canonical_optimum, prove
from ladreg._piecewise import ties
from ladreg._piecewise.exact_plane import Plane, improved, least_tied, nearest_plane, restricted
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._problem import Optimum
from ladreg._tolerances import INSIDE, ROUNDING_GAP

# Columns that half of the rows, or fewer, have a value in may be fitted again; with others the plane is another one.
_RARE = 0.5


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
       are tied there. Directions that these leave open follow other rows.
    2. The dual: rows off the plane have the slope of their residual; tied rows, together, balance them and the penalty.
       A column that asks for more than its tied rows can give is not yet at its optimum: it is fitted to its own rows.
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
    point = nearest_plane(place, limit, stats)
    if point is None:
        return None
    last = np.inf
    for _ in range(table.tuning.rounds):
        plane = Plane.at(table, point, stats)
        loss = float(problem.weight @ np.abs(plane.residual))
        if loss > (1.0 - INSIDE) * last:
            return None
        last = loss
        if plane.tied.size < least_tied(table) or (problem.penalty.positive and plane.coef.min(initial=0.0) < 0):
            return None
        # 2.
        plane, asked, beyond = plane.settled(table)
        if beyond.size == 0:
            return _proved(table, plane, asked, stats)
        basis = np.zeros((table.n_columns, beyond.size))
        basis[beyond, np.arange(beyond.size)] = 1.0
        change = restricted(table, plane.residual, point, basis, limit, stats, part=_RARE)
        if change is None:
            return None
        point = improved(table, point + change, stats)
    return None


def _proved(table: RowProblem, plane: Plane, asked: Array, stats: dict[str, float]) -> Optimum | None:
    """The optimum with a dual of the tied rows that gives what the columns ask; None where that does not prove it."""
    problem, dual = table.problem, plane.dual.copy()
    found = ties.balanced_by_few(
        problem, plane.tied, np.arange(problem.n_features), problem.fit_intercept, asked, plane.ends(table)[2]
    )
    if found is None:
        return None
    rows, inside = found
    stats["rows_balanced"] = rows.size
    dual[rows] = inside
    # 3.
    answer = _canonical(table, Optimum(plane.coef, plane.intercept, dual), plane.tied)
    proof = prove(problem, *answer)
    answer = answer._replace(dual=proof.dual)
    # A gap below the rounding of the residuals is as good as zero.
    return answer if proof.gap <= max(ROUNDING_GAP * proof.objective, plane.rounding(table)) else None


def _canonical(table: RowProblem, answer: Optimum, tied: Index) -> Optimum:
    """The answer, or the canonical optimum where the tied rows do not determine the coefficients."""
    problem = table.problem
    costly = (problem.penalty.strength > 0) | problem.penalty.positive
    features = np.flatnonzero(~costly | (answer.coef != 0))
    chosen = ties.basis(problem, tied, features, problem.fit_intercept)
    if chosen.size == features.size + problem.fit_intercept:
        return answer
    return canonical_optimum(problem, answer.dual, among=chosen) or answer
