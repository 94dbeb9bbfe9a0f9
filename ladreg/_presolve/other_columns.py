"""Solutions by other columns of the same span, where columns of X depend on each other, nearly: see `OtherColumns`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ladreg._certificate import OtherColumns, canonical_optimum
from ladreg._presolve.scaling import certified, scaled, with_stall
from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver, Uncertified
from ladreg._tolerances import ROUNDING_GAP


def solve_by_other_columns(problem: Problem, settings: Settings, found: Solution, *, solve: Solver) -> Solution:
    """The better of a solution and the one by other columns, where too little of it is proved.

    Parameters
    ----------
    problem
        Any problem.
    settings
        Nothing is done where the relative gap is at most `tol`.
    found
        The solution by the columns that are there.
    solve
        Solves the problem with other columns.
    """
    if found.relative_gap <= max(settings.tol, ROUNDING_GAP) or problem.penalty.all_bound:
        return found
    with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
        twin, units = scaled(problem)
        columns = OtherColumns.of(twin.design, twin.weight, twin.penalty, twin.fit_intercept)
        if columns is None:
            return found
        there = _there(twin, columns, solve(columns.problem(twin), settings))
        other = certified(problem, twin, units, there, columns_replaced=columns.features.size)
        other = with_stall(problem, other, settings.tol)
    return other if _miss(problem, other) < _miss(problem, found) else found


def _miss(problem: Problem, solution: Solution) -> float:
    """The gap, and what the rounding of predictions in float64 changes in the objective.

    Coefficients that only the last digits of X ask for cost more by that rounding than they gain.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        residual = problem.y - (problem.design.matvec(solution.coef) + solution.intercept)
        loss = problem.facts.total(problem.loss, problem.present(residual))
        return solution.gap + abs(loss + problem.penalty.cost(solution.coef) - solution.objective)


def _there(twin: Problem, columns: OtherColumns, found: Solution) -> Uncertified:
    """The solution for the columns that are there: the canonical one, if others are as good.

    Whether it is unique, these are asked: what other columns show may be their rounding (see `are_independent`).
    """
    coef, intercept = columns.coefficients(found.coef, found.intercept)
    answer = replace(found.uncertified(), coef=coef, intercept=intercept, unique=None)
    if found.unique and columns.is_complete:
        return answer
    optimum = canonical_optimum(twin, found.dual, near=Coefficients(coef, intercept))
    return answer if optimum is None else replace(answer, **optimum._asdict())
