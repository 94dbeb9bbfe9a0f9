"""The smallest penalty that leaves no coefficient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import tied_rows
from ladreg._presolve import REACH, clip_at, typical
from ladreg._problem import TOO_LARGE, Absolute, ElasticNet, Huber, Loss, Problem, Settings, Solver
from ladreg._solvers.slope_program import TiedRows, least_change, spanned, strengths, without_span
from ladreg._tolerances import (
    AT_END,
    EXACT_FIT,
    HALF_DIGITS,
    INSIDE,
    PROVED_GAP,
    SUMMED,
    VERTEX,
)
from ladreg._warn import warn_user

# The linear program bounds the slopes of 100 features at first, and of at least 100 more in each round.
_FIRST = 100
# What doubtful columns have beside the free ones is looked at where these have at most 2^23 entries (64 MB).
_ENTRIES = 1 << 23


def without_narrow_curve(loss: Loss, y: Array) -> tuple[Loss, float]:
    """Huber's loss as a multiple of the absolute one where residuals do not tell its curved piece from a kink."""
    size = np.abs(y[y != 0])
    if isinstance(loss, Huber) and size.size and loss.delta <= SUMMED * float(np.median(size)):
        return Absolute(), loss.interval()[1]
    return loss, 1.0


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
    penalised, free = _kinds(penalty)
    if penalised.size == 0:
        return 0.0
    loss, steepness = without_narrow_curve(problem.loss, problem.present(problem.y))
    if loss != problem.loss:
        return steepness * largest_alpha(replace(problem, loss=loss), solve)
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

    It is `least_slope_at`; where no dual was found, a bound, with a warning: each row on the kink adds the most that it
    can.
    """
    found = least_slope_at(problem, coef, intercept, known)
    if found < np.inf:
        return found
    warn_user("alpha_max is an upper bound: its linear program failed. Scale the columns of X.", UserWarning)
    penalised, dual, tied = _sides(problem, coef, intercept, known)
    room = problem.design.reach() * float(problem.weight[tied].sum()) * max(map(abs, problem.loss.kink()))
    slope, excess = problem.design.rmatvec(dual), problem.penalty.excess
    most = np.maximum(excess(slope - room), excess(slope + room))[penalised]
    return float(np.max(most / strengths(problem)[penalised], initial=0.0))


def least_slope_at(problem: Problem, coef: Array, intercept: float, known: Array | None = None) -> float:
    """The largest slope of penalised features, in units of their strength, of the dual for which it is least.

    It is infinite where none is found that balances the free columns.

    Notes
    -----
    1. The slopes of a smooth loss there determine how strong the penalty must be. A dual that is given knows them
       better than residuals: it is orthogonal to the free columns, whose span may hold what all columns are far from.
    2. Where residuals are zero, on the kink, the dual may be chosen: a linear program minimises the largest slope.
       It has few features at first; features whose slopes turn out to be larger are added. It begins at a dual that is
       given, if that is the dual of the other rows up to 1e-6 of its sum: of curved losses half the digits are known.
       The part of the slopes that columns far from zero have in common is a variable of its own.
    """
    penalised, dual, tied = _sides(problem, coef, intercept, known)
    # 1.
    if tied.size == 0:
        return _largest(problem, coef, dual if known is None else known, penalised)
    # 2.
    sided = np.delete(np.arange(dual.size), tied)
    if not dual[sided].any():
        return 0.0  # a dual of zero is feasible
    if known is not None and np.abs(known - dual)[sided].sum() > INSIDE * np.abs(known).sum():
        known = None  # it is not the dual of these sides
    found = _by_program(problem, coef, tied, np.array(dual if known is None else known), known is not None)
    if found is not None:
        return found
    known = _at_ends(problem, dual, tied) if known is None else known
    # This dual is feasible, but does not minimise the largest slope.
    return np.inf if known is None else _largest(problem, coef, known, penalised)


def _kinds(penalty: ElasticNet) -> tuple[Index, Index]:
    """The penalised features that are not excluded, and the free ones."""
    strength = penalty.strength
    return np.flatnonzero((strength > 0) & np.isfinite(strength)), np.flatnonzero(strength == 0)


def _sides(problem: Problem, coef: Array, intercept: float, known: Array | None) -> tuple[Index, Array, Index]:
    """The penalised features, the dual of rows off the kink, and the rows on it."""
    penalised, free = _kinds(problem.penalty)
    residual = problem.residual(coef, intercept) if free.size else problem.y - intercept
    lower, upper = problem.loss.kink()
    tied = _on_kink(problem, coef, intercept, known) if upper > lower else np.zeros(0, dtype=np.intp)
    tied = tied[problem.weight[tied] > 0]
    dual = problem.weight * problem.loss.derivative(residual)
    dual[tied] = 0.0
    return penalised, dual, tied


def _by_program(problem: Problem, coef: Array, tied: Index, dual: Array, is_met: bool) -> float | None:
    """The largest slope, minimised over the dual of the tied rows; None where the linear program fails.

    `is_met` says whether the dual balances the free columns.
    """
    penalised, free = _kinds(problem.penalty)
    origin, moved = np.zeros(problem.n_features) if free.size else _far_origin(problem), problem
    if origin.any():
        moved = replace(problem, design=problem.design.rescaled(origin, np.ones(problem.n_features)))
    given, chosen = TiedRows.of(moved, tied, dual, is_met and not origin.any(), origin), penalised[:_FIRST]
    while True:
        change = least_change(given, coef, chosen, free)
        if change is None:
            return None
        dual[tied] = (given.weight * (given.share + change))[: tied.size]
        ratio = _ratios(moved, dual, penalised, VERTEX, given.common(change))
        bound = float(ratio[np.isin(penalised, chosen)].max(initial=0.0))
        beyond = penalised[ratio > bound * (1 + AT_END) + 1e-300]
        beyond = np.setdiff1d(beyond, chosen)
        if beyond.size == 0:
            return float(ratio.max(initial=0.0))
        worst = np.argsort(-ratio[np.searchsorted(penalised, beyond)])[: max(_FIRST, chosen.size)]
        chosen = np.union1d(chosen, beyond[worst])


def _at_ends(problem: Problem, dual: Array, tied: Index) -> Array | None:
    """The dual that balances its sum where tied rows can do so at an end of their intervals only.

    A linear program fails where there is less room than its tolerance, or than the rounding of the sum, whose terms
    may be 1e12 times as heavy as the tied rows. These share the sum by their weights.
    """
    weight, total = problem.weight[tied], float(dual.sum())
    mass = float(weight.sum()) or 1.0
    share, least = -total / mass, HALF_DIGITS + SUMMED * float(np.abs(dual).sum()) / mass
    if not problem.fit_intercept or min(abs(share - end) for end in problem.loss.kink()) > least:
        return None
    balanced = dual.copy()
    balanced[tied] = float(np.clip(share, *problem.loss.kink())) * weight
    return balanced


def _on_kink(problem: Problem, coef: Array, intercept: float, known: Array | None) -> Index:
    """Rows with a residual of zero: by `tied_rows`, up to rounding of an ordinary target, or by a dual off the ends."""
    residual, size = np.abs(problem.residual(coef, intercept)), np.abs(problem.y[problem.weight > 0])
    ordinary = float(np.median(size[size > 0])) if size.any() else 0.0
    near = residual <= SUMMED * ordinary
    if known is not None:
        (lower, upper), ratio = problem.loss.kink(), problem.ratio(known, problem.weight)
        width = INSIDE * (upper - lower)
        near |= (residual <= HALF_DIGITS * ordinary) & (ratio > lower + width) & (ratio < upper - width)
    return np.union1d(tied_rows(problem, coef, intercept), np.flatnonzero(near))


def _ratios(
    problem: Problem, dual: Array, penalised: Index, nothing: float = SUMMED, common: Array | float = 0.0
) -> Array:
    """The slopes of the penalised features as multiples of their strengths; zero where a slope is rounding.

    `common` is what the slopes have beside the products of the dual with the columns.
    """
    slope, terms = _slopes(problem, dual, penalised, common)
    return np.where(slope > nothing * terms, slope / strengths(problem)[penalised], 0.0)


def _slopes(problem: Problem, dual: Array, penalised: Index, common: Array | float = 0.0) -> tuple[Array, Array]:
    """The slopes of the penalised features, and the sizes of their terms.

    Where columns are constant, or residuals are zero, sums of terms of this size should be zero.
    """
    slope = problem.penalty.excess(problem.design.rmatvec(dual) + common)[penalised]
    if not np.isfinite(slope).all():
        raise OverflowError(TOO_LARGE)
    return slope, problem.design.reach()[penalised] * float(np.abs(dual).sum())


def _largest(problem: Problem, coef: Array, dual: Array, penalised: Index) -> float:
    """The largest slope of penalised features, in units of their strength.

    Where half the digits of a slope may be rounding, it is that of what its column has beside the free ones: a column
    that they explain has a slope of zero, of which the rounding of all their slopes is left.
    """
    slope, terms = _slopes(problem, dual, penalised)
    strength = strengths(problem)[penalised]
    ratio = np.where(slope > SUMMED * terms, slope / strength, 0.0)
    doubtful = np.flatnonzero((ratio > 0) & (slope <= HALF_DIGITS * terms))
    sure = np.delete(ratio, doubtful).max(initial=0.0)
    free = _kinds(problem.penalty)[1]
    lower, upper = problem.penalty.ends
    free = free[~((coef == lower) | (coef == upper))[free]]  # those at a limit have slopes
    if doubtful.size == 0 or ratio[doubtful].max() <= sure or problem.n_samples * (free.size + 1) > _ENTRIES:
        return float(ratio.max(initial=0.0))
    basis = spanned(_rows(problem, free, problem.fit_intercept), np.zeros(free.size + problem.fit_intercept))[0]
    while doubtful.size and ratio[doubtful].max() > sure:
        order = np.argsort(-ratio[doubtful])
        some, doubtful = doubtful[order[:_FIRST]], doubtful[order[_FIRST:]]
        sure = max(sure, float((_beside(problem, dual, penalised[some], basis) / strength[some]).max()))
    return float(sure)


def _beside(problem: Problem, dual: Array, features: Index, basis: Array) -> Array:
    """Slopes of what columns have beside an orthonormal basis; zero where that is rounding, or they are."""
    rows, ratio = _rows(problem, features, False), problem.ratio(dual, np.sqrt(problem.weight))
    left = without_span(rows, basis)
    products = np.zeros(problem.n_features)
    products[features] = left.T @ ratio
    slope, terms = problem.penalty.excess(products)[features], np.abs(left).T @ np.abs(ratio)
    is_there = np.linalg.norm(left, axis=0) > VERTEX * np.linalg.norm(rows, axis=0)
    return np.where(is_there & (slope > SUMMED * terms), slope, 0.0)


def _rows(problem: Problem, features: Index, border: bool) -> Array:
    """Columns times the roots of the weights, and one of ones if `border`."""
    every = np.arange(problem.n_samples)
    return np.sqrt(problem.weight)[:, None] * problem.design.rows(every, features, border)


def _far_origin(problem: Problem) -> Array:
    """The origin of each column that is far from zero, in a problem without an intercept; 0 elsewhere."""
    nowhere = np.zeros(problem.n_features)
    if problem.fit_intercept:
        return nowhere
    shift, distance = problem.design.extent(True)
    far = np.abs(shift) > REACH * distance
    return np.where(far, shift, nowhere) if np.any(far & (distance > 0)) else nowhere
