"""The smallest penalty that leaves no coefficient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.optimize

from ladreg._arrays import Array, Index
from ladreg._certificate import tied_rows
from ladreg._presolve import clip_at, typical
from ladreg._problem import TOO_LARGE, Problem, Settings, Solver
from ladreg._tolerances import AT_END, EXACT_FIT, HALF_DIGITS, HIGHS, PROVED_GAP, ROUNDED, SUMMED, VERTEX

# The linear program bounds the slopes of 100 features at first, and of at least 100 more in each round.
_FIRST = 100


def largest_alpha(problem: Problem, solve: Solver) -> float:
    """The smallest multiple of the penalty for which all penalised coefficients are zero, or at the limit next to zero.

    Parameters
    ----------
    problem
        A problem with any penalty.
    solve
        The solver for the problem of the features that are not penalised.

    Notes
    -----
    Solve the problem without penalised features; far targets that it keeps on their side are brought near. Columns are
    moved to the origin: their distance from it would multiply the rounding of the dual's sum, and that of residuals
    where limits hold coefficients off zero. `largest_alpha_at` says what follows from that solution.
    """
    penalty = problem.penalty
    penalised = np.flatnonzero((penalty.strength > 0) & np.isfinite(penalty.strength))
    free = np.flatnonzero(penalty.strength == 0)
    if penalised.size == 0:
        return 0.0
    if problem.fit_intercept:
        shift, _ = problem.design.extent(True)
        problem = replace(problem, design=problem.design.rescaled(shift, np.ones(problem.n_features)))
    if penalty.rest.any():
        at_rest = problem.design.matvec(np.where(penalty.strength > 0, penalty.rest, 0.0))
        problem = replace(problem, y=problem.y - at_rest)
    if problem.fit_intercept:
        problem = replace(problem, y=problem.y - typical(problem.y))
    coef, intercept, known = np.zeros(problem.n_features), problem.null_intercept(), None
    if free.size:
        part = replace(problem, design=problem.design.select(free), penalty=penalty.at(free))
        found = solve(part, Settings(tol=PROVED_GAP))
        coef[free], intercept, known = found.coef, found.intercept, found.dual
    clipped = clip_at(problem, coef, intercept)
    clipped = clipped and clipped.without(clipped.rows[:0], clipped.heavy)
    problem = problem if clipped is None else clipped.problem
    residual = problem.residual(coef, intercept) if free.size else problem.y - intercept
    largest = float(np.abs(problem.present(problem.y)).max(initial=0.0))
    if free.size and float(np.abs(problem.present(residual)).max(initial=0.0)) <= EXACT_FIT * largest:
        return 0.0  # the free features fit y exactly, and slopes are rounding
    return largest_alpha_at(problem, coef, intercept, known)


def largest_alpha_at(problem: Problem, coef: Array, intercept: float, known: Array | None = None) -> float:
    """`largest_alpha`, where the solution with all penalised coefficients at zero is known, and maybe its dual.

    Notes
    -----
    1. The slopes of a smooth loss there determine how strong the penalty must be.
    2. Where residuals are zero, on the kink, the dual may be chosen: a linear program minimises the largest slope.
       It has few features at first; features whose slopes turn out to be larger are added.
    """
    penalty = problem.penalty
    penalised = np.flatnonzero((penalty.strength > 0) & np.isfinite(penalty.strength))
    free = np.flatnonzero(penalty.strength == 0)
    residual = problem.residual(coef, intercept) if free.size else problem.y - intercept
    # 1.
    dual = problem.weight * problem.loss.derivative(residual)
    lower, upper = problem.loss.kink()
    tied = _on_kink(problem, coef, intercept) if upper > lower else np.zeros(0, dtype=np.intp)
    if tied.size == 0:
        return _largest(problem, dual, penalised)
    # 2.
    dual[tied] = 0.0
    given, total = problem.design.rmatvec(dual), float(dual.sum())
    chosen = penalised[:_FIRST]
    while True:
        change = _least(problem, coef, given, total, tied, chosen, free)
        if change is None:
            known = _at_ends(problem, dual, total, tied) if known is None else known
            if known is None:
                raise RuntimeError("the linear program for the largest alpha failed: scale the columns of X.")
            # This dual is feasible, but does not minimise the largest slope.
            return _largest(problem, known, penalised)
        dual[tied] = change
        ratio = _ratios(problem, dual, penalised, VERTEX)
        bound = float(ratio[np.isin(penalised, chosen)].max(initial=0.0))
        beyond = penalised[ratio > bound * (1 + AT_END) + 1e-300]
        beyond = np.setdiff1d(beyond, chosen)
        if beyond.size == 0:
            return float(ratio.max(initial=0.0))
        worst = np.argsort(-ratio[np.searchsorted(penalised, beyond)])[: max(_FIRST, chosen.size)]
        chosen = np.union1d(chosen, beyond[worst])


def _at_ends(problem: Problem, dual: Array, total: float, tied: Index) -> Array | None:
    """The dual that balances `total` where tied rows can do so at an end of their intervals only.

    A linear program fails where there is less room than its tolerance, or than the rounding of `total`, whose terms
    may be 1e12 times as heavy as the tied rows. These share `total` by their weights.
    """
    weight = problem.weight[tied]
    mass = float(weight.sum()) or 1.0
    share, least = -total / mass, HALF_DIGITS + SUMMED * float(np.abs(dual).sum()) / mass
    if not problem.fit_intercept or min(abs(share - end) for end in problem.loss.kink()) > least:
        return None
    balanced = dual.copy()
    balanced[tied] = float(np.clip(share, *problem.loss.kink())) * weight
    return balanced


def _on_kink(problem: Problem, coef: Array, intercept: float) -> Index:
    """Rows with a residual of zero: by `tied_rows`, or up to rounding of an ordinary target."""
    residual, size = np.abs(problem.residual(coef, intercept)), np.abs(problem.y[problem.weight > 0])
    ordinary = float(np.median(size[size > 0])) if size.any() else 0.0
    return np.union1d(tied_rows(problem, coef, intercept), np.flatnonzero(residual <= SUMMED * ordinary))


def _ratios(problem: Problem, dual: Array, penalised: Index, nothing: float = ROUNDED) -> Array:
    """The slopes of the penalised features as multiples of their strengths; zero where a slope is rounding."""
    slope = problem.penalty.excess(problem.design.rmatvec(dual))[penalised]
    if not np.isfinite(slope).all():
        raise OverflowError(TOO_LARGE)
    # Where columns are constant, or residuals are zero, sums of terms of this size should be zero.
    terms = problem.design.reach()[penalised] * float(np.abs(dual).sum())
    return np.where(slope > nothing * terms, slope / _strength(problem)[penalised], 0.0)


def _strength(problem: Problem) -> Array:
    """The strength of each feature where its coefficient leaves the value nearest to zero."""
    penalty = problem.penalty
    return penalty.strength + penalty.ridge * np.abs(penalty.rest) if penalty.limited else penalty.strength


def _largest(problem: Problem, dual: Array, penalised: Index) -> float:
    return float(np.max(_ratios(problem, dual, penalised), initial=0.0))


def _least(
    problem: Problem, coef: Array, slope: Array, total: float, tied: Index, chosen: Index, free: Index
) -> Array | None:
    """The dual of the tied rows that minimises the largest slope of the chosen features; None where the LP fails.

    `slope` and `total` are ``X'd`` and the sum of the dual d of all other rows.
    """
    lower, upper = problem.loss.kink()
    weight, strength = problem.weight[tied], _strength(problem)[chosen]
    rows = problem.design.rows(tied)
    if problem.fit_intercept:
        # The whole dual has sum zero, so that columns may be moved; far from the origin the LP sees only rounding.
        centre = weight @ rows / (weight.sum() or 1.0)
        rows, slope = rows - centre, slope - centre * total
    # Slopes relative to the largest that the tied rows, or all others, can give.
    size = np.maximum(np.abs(slope[chosen]), weight @ np.abs(rows[:, chosen])) / strength
    unit = float(size.max(initial=0.0)) or 1.0
    above = (weight[:, None] * rows[:, chosen] / strength / unit).T
    given = slope[chosen] / strength / unit
    sides = [(sign, can[chosen]) for sign, can in zip((1.0, -1.0), problem.penalty.moves, strict=True)]
    matrix = np.vstack([np.column_stack([sign * above, -np.ones(chosen.size)])[can] for sign, can in sides])
    limit = np.concatenate([-sign * given[can] for sign, can in sides])
    # Slopes of features that cost nothing are zero, or not positive where a coefficient is at its lower limit.
    for sign, end in zip((1.0, -1.0), problem.penalty.ends, strict=True):
        held = free[coef[free] == end[free]]
        free = np.setdiff1d(free, held, assume_unique=True)
        unit_held = weight @ np.abs(rows[:, held])
        unit_held = sign * np.where(unit_held > 0, unit_held, 1.0)
        matrix = np.vstack([matrix, np.column_stack([(weight[:, None] * rows[:, held] / unit_held).T, 0.0 * held])])
        limit = np.append(limit, -slope[held] / unit_held)
    columns = np.column_stack([rows[:, free], np.ones((tied.size, int(problem.fit_intercept)))]) * weight[:, None]
    goal = -np.append(slope[free], total) if problem.fit_intercept else -slope[free]
    large = np.abs(columns).max(axis=0, initial=0.0)
    large[large == 0] = 1.0
    result = scipy.optimize.linprog(
        np.append(np.zeros(tied.size), 1.0),
        A_ub=matrix,
        b_ub=limit,
        A_eq=np.column_stack([(columns / large).T, np.zeros(columns.shape[1])]) if columns.size else None,
        b_eq=goal / large if columns.size else None,
        bounds=[*[(lower, upper)] * tied.size, (0.0, None)],
        method="highs",
        options=HIGHS,
    )
    if result.status != 0 or result.x is None:
        return None
    # A feasible dual bounds the largest alpha from above, even if it is not optimal; a dual with NaN is not feasible.
    change = np.asarray(result.x[:-1])
    inside = np.all((change >= lower - HALF_DIGITS) & (change <= upper + HALF_DIGITS))
    met = np.all(np.abs(columns.T @ change - goal) <= HALF_DIGITS * large * (1.0 + np.abs(change).sum()))
    return weight * change if inside and met else None
