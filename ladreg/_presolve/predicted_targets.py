"""Targets less what free columns predict of them, where there is no intercept that could take up their distance.

Targets of 1e9 and a constant column leave the residuals nine of their sixteen digits, and at unit scale they are 1e-9:
engines take them for rounding. Free columns may predict the targets first: what these leave is a problem of ordinary
size, whose dual is the same and whose coefficients are the difference.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, least_squares
from ladreg._presolve.scaling import certified, median, scaled
from ladreg._problem import Problem, Settings, Solution, Solver
from ladreg._tolerances import ROUNDING_GAP

# Tables of at most 2^24 numbers in free columns (128 MB) are decomposed.
_ENTRIES = 1 << 24
# What is left must be less than a hundredth of the targets: two digits are gained.
_LEFT = 1e-2


def solve_predicted_targets(problem: Problem, settings: Settings, found: Solution, *, solve: Solver) -> Solution:
    """The better of a solution and the one by what least squares leave of the targets, where too little is proved.

    Parameters
    ----------
    problem
        Any loss but a square.
    settings
        Nothing is done where the relative gap is at most `tol`.
    found
        The solution of the problem.
    solve
        Solves the problem with other targets.
    """
    if problem.fit_intercept or found.relative_gap <= max(settings.tol, ROUNDING_GAP):
        return found
    with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
        twin, units = scaled(problem)
        coef = _predicting(twin)
        if coef is None:
            return found
        left = twin.accurate_residual(coef, 0.0)
        if not median(np.abs(left)) <= _LEFT * median(np.abs(twin.y)):
            return found
        there = solve(replace(twin, y=left), settings)
        answer = replace(there.uncertified(), coef=coef + there.coef, unique=None)
        other = certified(problem, twin, units, answer, targets_predicted=problem.n_samples)
    return other if other.gap < found.gap else found


def _predicting(problem: Problem) -> Array | None:
    """Coefficients of the free columns, by least squares; None where there are none, or too many."""
    free = problem.penalty.free_features
    if free.size == 0 or free.size * problem.n_samples > _ENTRIES or not np.isfinite(problem.y).all():
        return None
    root, coef = np.sqrt(problem.weight), np.zeros(problem.n_features)
    table = problem.design.rows(np.arange(problem.n_samples), free) * root[:, None]
    try:
        coef[free] = least_squares(table, problem.y * root)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
        return None
    return coef
