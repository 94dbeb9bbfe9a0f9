"""Rows of rare columns that a reduced problem needs: without them, no dual of its rows balances what the others pull.

Of a dummy with few rows, most of these may be held on their sides. The equation of its column then asks more of the
chosen rows than the ends of their intervals allow, and the interior point method finds that out by diverging.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._piecewise.row_problem import Iterate

# Rows are added to a column until it asks at most 0.8 of what they allow: a dual needs room in all columns together.
_ASKED = 0.8
# No row is added where that would more than double them: most rows are then fitted exactly, or the optimum is far away.
_MOST = 2


def covering(place: Iterate, rows: Index) -> Index:
    """The rows, and the nearest other rows of each column that asks too much of them; in ascending order.

    Each column's equation is measured from the middle of the rows' intervals. A row that joins takes what it pulled
    with it, and adds its interval to what the equation allows.
    """
    table, problem = place.table, place.table.problem
    if rows.size == problem.n_samples or table.is_curved or problem.penalty.positive:
        return rows
    asked, allowed = _equations(place, rows)
    asked += place.smooth
    allowed[table.penalised] += table.strength
    short = np.flatnonzero(np.abs(asked) > _ASKED * allowed)
    short = short[_may_be_rare(place, short, rows)] if short.size else short
    if short.size == 0:
        return rows
    chosen = np.zeros(problem.n_samples, dtype=bool)
    chosen[rows] = True
    for column in short:
        new = _nearest_of(place, int(column), chosen, float(asked[column]), float(allowed[column]))
        chosen[new] = True
        more, room = _equations(place, np.sort(new))
        asked, allowed = asked + more, allowed + room
    covered = np.flatnonzero(chosen)
    return covered if covered.size <= _MOST * rows.size else rows


def _may_be_rare(place: Iterate, columns: Index, rows: Index) -> NDArray[np.bool_]:
    """Whether the rows with a value in each column weigh no more than twice what the chosen rows do, as far as the mean
    and the largest of the column's values tell.
    """
    table, problem = place.table, place.table.problem
    mean = table.join(problem.facts.magnitudes, float(problem.weight.sum()))[columns]
    return np.asarray(mean <= 2 * float(problem.weight[rows].sum()) * table.join(problem.design.reach(), 1.0)[columns])


def _equations(place: Iterate, rows: Index) -> tuple[Array, Array]:
    """What the rows add to each column's equation, and how far their intervals reach from the middle."""
    A, (pulled, room) = place.table.rows(rows), _pulls(place, rows)
    size = np.abs(A) if isinstance(A, np.ndarray) else abs(A)
    return A.T @ pulled, size.T @ room


def _pulls(place: Iterate, rows: Index) -> tuple[Array, Array]:
    """The duals of held rows, measured from the middle of their intervals, and half the lengths of these."""
    table, weight = place.table, place.table.problem.weight[rows]
    pulled = table.sides(place.residual, rows) - weight * ((table.lower + table.upper) / 2)
    return pulled, weight * ((table.upper - table.lower) / 2)


def _nearest_of(place: Iterate, column: int, chosen: NDArray[np.bool_], asked: float, allowed: float) -> Index:
    """The rows with a value in the column that must join, the smallest residuals first."""
    problem = place.table.problem
    if not abs(asked) > _ASKED * allowed:  # rows that joined for other columns were enough
        return np.zeros(0, dtype=np.intp)
    if column < problem.n_features:
        value = problem.design.matvec_of(np.array([column]), np.ones(1))
    else:
        value = np.ones(problem.n_samples)
    others = np.flatnonzero((value != 0) & ~chosen)
    if others.size > np.count_nonzero(chosen):  # the column is not rare
        return others[:0]
    others = others[np.argsort(np.abs(place.residual[others]), kind="stable")]
    value, (pulled, room) = value[others], _pulls(place, others)
    asked_then = np.abs(asked + np.cumsum(value * pulled))
    allowed_then = allowed + np.cumsum(np.abs(value) * room)
    enough = np.flatnonzero(asked_then <= _ASKED * allowed_then)
    return others[: enough[0] + 1] if enough.size else others
