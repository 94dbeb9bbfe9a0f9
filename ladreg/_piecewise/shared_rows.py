"""Problems of a sequence that are solved on the same rows near the fit, and proved together in one read of all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import prove_from_products
from ladreg._piecewise.row_problem import RowProblem
from ladreg._piecewise.warm_simplex import ProcessPoint, ReducedRows
from ladreg._presolve import Scaling
from ladreg._problem import Problem, Solution, StopReason
from ladreg._tolerances import PROVED_GAP

# Numbers in the residuals that are computed together, at most (32 MB), or a quarter of those in X.
_ENTRIES = 1 << 22


@dataclass(frozen=True)
class KnownSolution:
    """What is known at a solution or a guess; `dual` and the rows `near` the fit only at a solution of the process."""

    place: ProcessPoint
    dual: Array | None = None
    near: ReducedRows | None = None


@dataclass(frozen=True)
class Draft:
    """A problem solved on the rows near the fit, and how many rows its prediction missed."""

    value: float
    problem: Problem
    near: ReducedRows
    missed: float


def solve_on_same_rows(
    known: Sequence[tuple[float, KnownSolution]],
    following: Sequence[tuple[float, Problem, Problem]],
    table: RowProblem,
    units: Scaling,
    mass: Array,
    missed: float,
) -> Iterator[tuple[Draft, Solution, KnownSolution]]:
    """Solve problems with the same quantile on the rows near the last solution, up to the first that needs other rows.

    Parameters
    ----------
    known
        The last two solutions, with their values.
    following
        Values and problems, as given and at unit scale.
    table, units, mass
        The table at unit scale, its units, and the weighted sum of its rows.
    missed
        How many rows the last prediction missed.

    Notes
    -----
    1. Predict by the line through the last two solutions, and solve on the same rows, until the line leads beyond them.
    2. One product of X with all solutions gives the residuals of all rows. The slopes differ from those of the last
       solution by the rows near the fit only.
    3. The first solution with a row held on the wrong side, whose gap is too large, is the end.
    """
    _, right = known[-1]
    assert right.near is not None
    drafts = list(_drafts(known, following, mass, missed))
    width = max(_ENTRIES // right.place.residual.size, table.n_columns // 4, 1)
    for first in range(0, len(drafts), width):
        for draft, solution, here in _proved(right, drafts[first : first + width], table, units):
            if not solution.relative_gap <= PROVED_GAP:
                return
            yield draft, solution, here


def _drafts(
    known: Sequence[tuple[float, KnownSolution]],
    following: Sequence[tuple[float, Problem, Problem]],
    mass: Array,
    missed: float,
) -> Iterator[Draft]:
    """Step 1."""
    (before, left), (last, right) = known
    behind, point = left.place.point, right.place.point
    assert right.near is not None
    worse = right.near.tuning.worse
    for value, problem, twin in following:
        line = point + (value - last) / (last - before) * (point - behind) if last != before else point
        if twin.loss.interval() != right.near.ends or not right.near.reaches(line, worse * missed):
            return
        near = right.near.again(twin, right.place, line, mass)
        near.refine()
        if near.is_far() or not near.solve() or near.degenerate:
            return
        missed = near.count(near.point - line)
        yield Draft(value, problem, near, missed)
        behind, point, before, last = point, near.point, last, value


def _proved(
    right: KnownSolution, drafts: Sequence[Draft], table: RowProblem, units: Scaling
) -> Iterator[tuple[Draft, Solution, KnownSolution]]:
    """Steps 2 and 3."""
    given, n_features = drafts[0].problem, drafts[0].problem.n_features
    assert right.dual is not None
    assert right.near is not None
    points = np.array([draft.near.point for draft in drafts])
    coefs, shifts = points[:, :n_features] * (units.column_scale * units.unit), np.zeros(len(drafts))
    if given.fit_intercept:
        shifts = points[:, -1] * units.unit + units.y_shift
    residuals = np.empty((len(drafts), given.n_samples))
    np.subtract(given.y, given.design.matvec(np.ascontiguousarray(coefs.T)).T, out=residuals)
    residuals -= shifts[:, None]
    (lower, upper), basis, weight = right.near.ends, right.near.basis, table.problem.weight
    held = right.dual.copy()
    held[basis] = weight[basis] * np.where(right.place.above[basis], upper, lower)
    for k, draft in enumerate(drafts):
        near, dual, above, residual = draft.near, held.copy(), right.place.above.copy(), residuals[k]
        above[near.rows] = near.above
        dual[near.rows] = near.sides()
        dual[near.basis] = near.inside
        products = near.products(dual)
        products = np.append(products[:n_features] / units.column_scale, products[n_features:].sum())
        proof = prove_from_products(draft.problem, coefs[k], residual, dual, products)
        solution = Solution(
            coef=coefs[k],
            intercept=float(shifts[k]),
            dual=proof.dual,
            objective=proof.objective,
            gap=proof.gap,
            relative_gap=proof.relative_gap,
            unique=True,
            n_iter=max(near.n_pivots, 1),
            stopped=StopReason.EXACT,
            solver="simplex on reduced rows",
            stats={"rows_solved": near.size, "n_pivots": near.n_pivots, "n_checks": int(k == 0)},
        )
        residual /= units.unit
        place = ProcessPoint(near.point, residual, above, right.place.below + near.turned())
        yield draft, solution, KnownSolution(place, dual, near)
