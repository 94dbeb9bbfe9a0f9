"""The interior point method for any penalty: on the kinks of all rows, or on those of the rows near a fit.

Of many rows with a piecewise linear loss few are in doubt, as in `preprocessing`: a pilot fit of a sample, Newton steps
on all rows, and the rows with the smallest residuals; all others are held on their sides.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._piecewise import preprocessing, separable
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._problem import Coefficients, Problem, Settings
from ladreg._tolerances import VERTEX

# Iteration limit of the interior point method, where the settings have none: it needs about 20.
LIMIT = 100
# A limit farther than 1e8 from zero, at unit scale, is no kink for the interior point method: it would round its sums;
# the pieces stop at it all the same.
_FAR = 1e8


def near_fit(
    table: RowProblem, settings: Settings, start: Coefficients | None, stats: dict[str, float]
) -> tuple[Iterate, int] | None:
    """A fit near the optimum, and how many rows near it are in doubt; None where all rows are to be solved."""
    problem, tuning = table.problem, table.tuning
    if settings.solver != "auto" or not problem.loss.is_piecewise_linear:
        return None
    if problem.design.blocks(problem.fit_intercept) is not None or not preprocessing.reduces(problem, tuning):
        return None
    if start is None:
        sample = table.sample(max(tuning.pilot_rows, table.per_column(tuning.rows_per_column)))
        pilot = on_all_rows(sample, settings, None)
        stats["n_ip_iter"] += pilot.n_iter
        coef, intercept = table.split(pilot.point)
    else:
        coef, intercept = start
    place = Iterate(table, table.join(problem.penalty.within(coef), intercept))
    stats["n_passes"] += 1
    return place, preprocessing.refine(place, stats)


def among_near_rows(
    place: Iterate, size: int, settings: Settings, stats: dict[str, float]
) -> separable.KinkPoint | None:
    """The interior point method on the `size` rows nearest to a fit, all others held on their sides.

    None where the signs of too many others come out wrong.
    """
    table, problem = place.table, place.table.problem
    rows = place.nearest(min(size, problem.n_samples))
    for _ in range(table.tuning.rounds):
        stats["n_rounds"] += 1
        stats["rows_solved"] += rows.size
        sides = table.sides(place.residual)
        others = sides.copy()
        others[rows] = 0.0
        program = _program(table, rows, table.backward(others))
        found = separable.solve(program, place.point, settings.limit(LIMIT))
        stats["n_passes"] += 2
        wrong = np.setdiff1d(place.crossed(table.predict(found.point - place.point), VERTEX), rows, assume_unique=True)
        if wrong.size == 0:
            sides[rows] = found.dual[: rows.size]
            reached = np.zeros(problem.n_samples, dtype=bool)
            reached[rows] = found.reached[: rows.size]
            dual = np.append(sides, found.dual[rows.size :])
            return replace(found, dual=dual, reached=np.append(reached, found.reached[rows.size :]))
        if wrong.size > rows.size:
            return None
        stats["n_ip_iter"] += found.n_iter
        rows = np.sort(np.concatenate([rows, wrong]))
    return None


def on_all_rows(table: RowProblem, settings: Settings, start: Coefficients | None) -> separable.KinkPoint:
    """The interior point method on the kinks of all rows."""
    problem = table.problem
    near = problem.penalty.within(start.coef) if start is not None else problem.penalty.rest
    begin = table.join(near, start.intercept if start is not None else problem.null_intercept())
    everything = np.arange(0 if problem.loss.is_square else problem.n_samples)
    return separable.solve(_program(table, everything, 0.0), begin, settings.limit(LIMIT))


def _program(table: RowProblem, rows: Index, held: Array | float) -> separable.Kinks:
    """The kinks of the chosen rows and of coefficients, and the quadratic.

    `held` is ``X'd`` of the other rows' dual.
    """
    problem, q = table.problem, table.n_columns
    penalty, loss, weight = problem.penalty, problem.loss, problem.weight
    strength, (lower, upper) = penalty.strength, penalty.ends
    # Above zero, or below, the absolute value is linear.
    linear = np.where(lower >= 0, strength, np.where(upper <= 0, -strength, 0.0))
    kinked = np.flatnonzero((strength > 0) & (lower < 0) & (upper > 0))
    below, above = near_limits(problem)
    ends = loss.interval() if not loss.has_kink else loss.kink()
    inner = weight[rows]
    many, none = np.full(above.size, np.inf), np.zeros
    hessian = table.gram if table.is_curved else np.zeros((q, q))
    ridge = np.zeros(q)
    ridge[: problem.n_features] = penalty.ridge
    soft = none(rows.size) if loss.has_kink or loss.is_square else 1.0 / (loss.smoothness * inner)
    return separable.Kinks(
        A=table.rows(rows),
        columns=np.concatenate([kinked, below, above]),
        target=np.concatenate([problem.y[rows], none(kinked.size), lower[below], upper[above]]),
        low=np.concatenate([ends[0] * inner, -strength[kinked], none(below.size), -many]),
        high=np.concatenate([ends[1] * inner, strength[kinked], np.full(below.size, np.inf), none(above.size)]),
        soft=np.append(soft, none(kinked.size + below.size + above.size)),
        hessian=hessian + np.diag(ridge),
        linear=table.linear + held - np.append(linear, none(q - linear.size)),
    )


def near_limits(problem: Problem) -> tuple[Index, Index]:
    """The features whose lower, and whose upper limit is near, or holds them off zero."""
    lower, upper = problem.penalty.ends
    return np.flatnonzero(lower > -_FAR), np.flatnonzero(upper < _FAR)
