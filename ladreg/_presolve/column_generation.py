"""Few of many features: column generation, which wraps any solver.

A feature whose slope is smaller than its strength is zero in every optimum, and stays out. The other features make a
problem of few columns, whose dual shows which features must be added (Ford and Fulkerson 1958, doi 10.1287/mnsc.5.1.97,
for linear programs).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._certificate import certify
from ladreg._presolve.scaling import with_stall
from ladreg._presolve.tuning import PresolveTuning
from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver
from ladreg._tolerances import AT_END, SUMMED

# A feature whose slope at zero is at most 1e-8 of its strength stays out at first.
_FAR = 1e-8


def generates_columns(problem: Problem, settings: Settings) -> bool:
    """Whether the problem is worth solving in few of its columns, or must leave some out."""
    penalty = problem.penalty
    if penalty.excluded or int(np.count_nonzero(penalty.strength)) > _first(problem, settings.tuned(PresolveTuning)):
        return True
    loss = problem.loss
    if loss.is_piecewise_linear or loss.is_square or not penalty.strength.any():
        return False
    residual, reach = 2.0 * problem.facts.largest_target, problem.design.reach()
    steepest = float(np.abs(loss.derivative(np.array([-residual, residual]))).max()) * float(problem.weight.sum())
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.any((penalty.strength * _FAR > steepest * reach) & (reach > 0)))


def _first(problem: Problem, tuning: PresolveTuning) -> int:
    """How many penalised features to begin with."""
    return max(tuning.first_features, int(tuning.first_part * problem.n_samples))


def solve_by_columns(
    problem: Problem, settings: Settings, start: Coefficients | None = None, *, solve: Solver
) -> Solution:
    """Solve `problem` by solving it in few columns.

    Parameters
    ----------
    problem
        A problem most of whose features are penalised.
    settings
        Passed to `solve`.
    start
        Coefficients that may be near the optimum.
    solve
        The solver for a problem of few columns.

    Notes
    -----
    1. Begin with the features that cost nothing, those of `start`, and those with the largest slopes at zero. Strengths
       that dwarf the slopes stay out: steps of losses with a curve and lines are lost beside them.
    2. Solve the problem of these features.
    3. Add features whose slope exceeds their strength, at most as many as the problem has, the largest ratios first;
       solve again. Ties up to rounding are added as well, so that the canonical optimum is that of all features.
    4. Certify the answer on all features, where products with the dual have another rounding.
    """
    penalty, tuning = problem.penalty, settings.tuned(PresolveTuning)
    allowed = np.isfinite(penalty.strength)
    # 1.
    free = (penalty.strength == 0) | (penalty.rest != 0)
    inside = allowed & (free | (start is not None and start.coef != 0))
    null = problem.weight * problem.loss.derivative(problem.y - problem.null_intercept())
    ratio = _ratio(problem, null)
    inside |= _worst(ratio, allowed & ~inside & (ratio > _FAR), _first(problem, tuning))
    rounds, n_iter, reach = 0, 0, problem.design.reach()
    near = start
    while True:
        # 2.
        features = np.flatnonzero(inside)
        part = replace(problem, design=problem.design.select(features), penalty=penalty.at(features))
        found = solve(part, settings, near and Coefficients(near.coef[features], near.intercept))
        rounds, n_iter = rounds + 1, n_iter + found.n_iter
        near = Coefficients(np.zeros(problem.n_features), found.intercept)
        near.coef[features] = found.coef
        # 3.
        ratio = _ratio(problem, found.dual, SUMMED * float(np.abs(found.dual).sum()) * reach)
        matters = allowed & (ratio >= 1 - AT_END)
        new = _worst(ratio, matters & ~inside, max(features.size, tuning.first_features))
        if not new.any():
            break
        inside |= new
    # 4.
    solution = certify(
        problem,
        *near,
        found.dual,
        n_iter=n_iter,
        stopped=found.stopped,
        solver=found.solver,
        stats={**found.stats, "n_columns": features.size, "n_column_rounds": rounds},
        unique=found.unique,
    )
    return with_stall(problem, solution, settings.tol)


def _ratio(problem: Problem, dual: Array, rounding: Array | float = 0.0) -> Array:
    """Each feature's slope and its rounding, as a multiple of its strength."""
    slope = problem.penalty.excess(problem.design.rmatvec(dual)) + rounding
    strength = problem.penalty.strength
    return np.divide(slope, strength, out=np.zeros_like(slope), where=(strength > 0) & np.isfinite(strength))


def _worst(ratio: Array, eligible: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """The eligible features with the largest ratios, `most` of them."""
    chosen = np.zeros(ratio.size, dtype=bool)
    chosen[largest(ratio, np.flatnonzero(eligible), most)] = True
    return chosen


def largest(values: Array, candidates: Index, number: int) -> Index:
    """The candidates with the largest values, at most `number` of them."""
    if candidates.size <= number:
        return candidates
    return candidates[np.argpartition(-values[candidates], number - 1)[:number]]
