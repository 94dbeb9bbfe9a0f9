"""Rungs of solvers from the fastest to the surest; each answer is certified the same way, none is taken unproved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._problem import Problem, Solution
from ladreg.solvers import linprog, reduction
from ladreg.solvers.scaling import Solver

Array = NDArray[np.float64]

# On a problem at unit scale a larger gap is more than rounding, and the next rung is tried.
_PROVED = 1e-12


def solve(
    problem: Problem,
    *,
    start: tuple[Array, float] | None = None,
    tol: float = 1e-9,
    max_iter: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Solution:
    """Solve a piecewise linear problem at unit scale with more rows than columns.

    Parameters
    ----------
    problem
        Loss `Absolute` or `Pinball`.
    start
        Coefficients and intercept that may be near the optimum.
    tol
        Relative gap that the last rung must reach.
    max_iter
        Iteration limit of each solver.
    options
        Options of linprog.

    Notes
    -----
    1. Interior point on reduced rows.
    2. Interior point on all rows.
    3. linprog on the rows near the best answer so far.
    4. linprog on everything.

    The number of the rung that gave the answer is `stats["rung"]`.
    """
    rungs: list[Solver] = [reduction.solve]
    if reduction.reduces(problem):
        rungs.append(partial(reduction.solve, rows_per_column=None))
    best: Solution | None = None
    for number, rung in enumerate(rungs, start=1):
        solution = rung(problem, start=start if number == 1 else None, tol=tol, max_iter=max_iter)
        if best is None or solution.gap < best.gap:
            best = _numbered(solution, number)
        if _proved(best):
            return best
    assert best is not None
    refined = linprog.refine(problem, best, tol=tol, max_iter=max_iter, options=options)
    if _proved(refined):
        return _numbered(refined, 3)
    last = linprog.solve(problem, start=start, tol=tol, max_iter=max_iter, options=options)
    return _numbered(last, 4) if last.gap <= refined.gap else _numbered(refined, 3)


def _proved(solution: Solution) -> bool:
    return solution.gap <= _PROVED * max(1.0, solution.objective) and solution.stopped.good


def _numbered(solution: Solution, rung: int) -> Solution:
    return replace(solution, stats={**solution.stats, "rung": rung})
