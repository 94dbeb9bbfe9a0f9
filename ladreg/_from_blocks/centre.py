"""The canonical one of several optima of a piecewise linear loss, from rows in blocks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import OpenFace, Spread
from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.piecewise_tasks import Near, Parted, bring, check
from ladreg._from_blocks.reduced_rows import Reduced, brought, judge, reduced
from ladreg._from_blocks.side_by_side import Request
from ladreg._problem import Coefficients
from ladreg._row_blocks import Place, Rows, Summary, stacked
from ladreg._tolerances import SOLVED

# Rounds of adding rows that bound the face of optima, at most.
_ROUNDS = 8


def centred(state: FitState, last: Reduced) -> Generator[Request, Summary, None]:
    """Move the best coefficients to the canonical optimum, where they are not the only one.

    Parameters
    ----------
    state
        With a best solution that is proved.
    last
        The last reduced problem.

    Notes
    -----
    The optima of the reduced problem are those of all rows if all others keep their side on all of them: at their
    corners, that is. Rows that do not are gathered as well. In the same pass the others have their part in the sum that
    the centre minimises. Nothing is done where the face is not bounded by few corners, or rows are too many.
    """
    assert state.best is not None
    for _ in range(0 if state.best.unique else _ROUNDS):
        problem, solution = last.candidate.problem, last.candidate.solution
        face = None if problem is None else OpenFace.of(problem, solution.dual)
        if face is None:
            return
        corners = [_in_units(state, point) for point in face.points()]
        near = replace(last.near, checked=(*last.near.checked, *corners))
        seen = yield "centre", gather_spread, (near, state.ends, face.basis, face.corners, state.most())
        if seen.sums["near"] == last.n_near:
            yield from _moved(state, last, face, face.spread(last.rows.y.size) + seen.sums["spread"])
            return
        parts = brought(seen)
        if seen.sums["left out"] or sum(part.y.size for part in parts) > 2 * state.budget:
            return
        rows = stacked(parts)
        last = Reduced(near, seen.sums["near"], rows, reduced(state, rows, seen))
        state.stats["rows_solved"] += rows.y.size
        state.stats["n_rounds"] += 1


def _moved(state: FitState, last: Reduced, face: OpenFace, spread: Spread) -> Generator[Request, Summary, None]:
    """Measure all rows at the centre, and take it if it is proved."""
    centre = face.centre(spread)
    if centre is None or np.abs(np.append(*centre) - state.best_point).max() <= SOLVED * np.abs(state.best_point).max():
        return
    solution = replace(last.candidate.solution, coef=centre.coef, intercept=centre.intercept)
    there = replace(last.candidate, solution=solution, coefficients=_in_units(state, np.append(*centre)))
    seen = yield "certify", check, (last.near, state.ends, there.coefficients, state.most())
    judge(state, there, seen)


def _in_units(state: FitState, point: Array) -> Coefficients:
    """Coefficients of the kept features in the user's units."""
    coef, intercept = state.units.to_original(point[:-1], float(point[-1]))
    return Coefficients(coef, intercept if state.question.fit_intercept else 0.0)


def gather_spread(
    place: Place,  # noqa: ARG001
    rows: Rows,
    near: Near,
    ends: tuple[float, float],
    basis: Array,
    corners: Array,
    most: int,
) -> Summary:
    """As `gather`, and the part of the rows that are not near in the sum that the centre of a face minimises."""
    tile = Parted.of(rows, near)
    found, chosen = tile.summed(near.units)
    cost = np.where(tile.is_near, 0.0, tile.weight * np.where(tile.above, ends[1], -ends[0]))
    found.sums["spread"] = Spread.of(tile.design.matvec(basis[:-1]) + basis[-1], cost, corners)
    bring(found, tile.rows, chosen, most)
    return found
