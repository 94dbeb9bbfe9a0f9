"""The smallest penalty that leaves no coefficient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from ladreg._arrays import Array, Index
from ladreg._certificate import tied_rows
from ladreg._piecewise import most_iterations
from ladreg._presolve import REACH, clip_at, typical
from ladreg._problem import TOO_LARGE, Absolute, ElasticNet, Huber, Loss, Problem, Settings, Solver
from ladreg._tolerances import (
    AT_END,
    EXACT_FIT,
    HALF_DIGITS,
    HIGHS,
    INSIDE,
    PROVED_GAP,
    SOLVED,
    SUMMED,
    VERTEX,
)
from ladreg._warn import warn_user

# The linear program bounds the slopes of 100 features at first, and of at least 100 more in each round.
_FIRST = 100
# A largest slope below 1e-3 of the unit is minimised again in units of itself, or of 1e-6, five times at most: HiGHS's
# tolerances are absolute, and a column of 1e6 makes the slopes of all others 1e-6.
_SMALL, _ROUNDS, _ZOOM = 1e-3, 6, 1e-6
# HiGHS's tolerance where it fails at the least one; changes that miss their equations by HALF_DIGITS are not taken.
_HALF = 1e-8


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
    return float(np.max(most / _strength(problem)[penalised], initial=0.0))


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
        return _largest(problem, dual if known is None else known, penalised)
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
    return np.inf if known is None else _largest(problem, known, penalised)


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
    given, chosen = _Tied.of(moved, tied, dual, is_met and not origin.any(), origin), penalised[:_FIRST]
    while True:
        change = _least(given, coef, chosen, free)
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
    slope = problem.penalty.excess(problem.design.rmatvec(dual) + common)[penalised]
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


def _far_origin(problem: Problem) -> Array:
    """The origin of each column that is far from zero, in a problem without an intercept; 0 elsewhere."""
    nowhere = np.zeros(problem.n_features)
    if problem.fit_intercept:
        return nowhere
    shift, distance = problem.design.extent(True)
    far = np.abs(shift) > REACH * distance
    return np.where(far, shift, nowhere) if np.any(far & (distance > 0)) else nowhere


@dataclass(frozen=True)
class _Tied:
    """Rows on the kink, and a dual whose entries there may be changed.

    Attributes
    ----------
    problem
        The problem, its columns moved to their origin.
    X, weight, share
        Columns and weights of the rows, and their dual in units of their weights. Columns are moved to the origin where
        there is an intercept: far from it a linear program sees only rounding. Without one, a last row stands for what
        the sum of the dual adds to the slopes: a change of 1 adds the size of a slope to that of the farthest column.
    ones
        The column of ones, if the sum of the dual is an equation: a change of the last row is a sum of rounding size.
    slope, total
        ``X'd`` and the sum of the dual d of all rows.
    is_met
        Whether d balances the free columns: a change of it is then orthogonal to them.
    """

    problem: Problem
    X: Array
    weight: Array
    share: Array
    ones: Array
    slope: Array
    total: float
    is_met: bool

    @classmethod
    def of(cls, problem: Problem, rows: Index, dual: Array, is_met: bool, origin: Array) -> _Tied:
        """The rows of a problem with a dual of all its rows, and the origin that its columns were moved from."""
        X, weight, slope = problem.design.rows(rows), problem.weight[rows], problem.design.rmatvec(dual)
        share, total = problem.ratio(dual, problem.weight)[rows], 0.0 if is_met else float(dual.sum())
        ones = np.ones((rows.size, int(problem.fit_intercept)))
        if problem.fit_intercept:
            centre = weight @ X / weight.sum()
            X, slope = X - centre, slope - centre * total
            X[:, np.abs(X).max(axis=0) <= SUMMED * np.abs(centre)] = 0.0  # a basis would hold their rounding
        farthest = float(np.abs(origin).max(initial=0.0))
        if farthest > 0:
            low, high = (total + float(weight @ (end - share)) for end in problem.loss.kink())
            least = farthest * max(low, -high, 0.0)
            unit = max(float((np.abs(slope) + weight @ np.abs(X)).max()), least) or 1.0
            X, ones = np.vstack([X, origin * (unit / farthest)]), np.ones((rows.size + 1, 1))
            ones[-1] = -unit / farthest
            weight, share = np.append(weight, 1.0), np.append(share, 0.0)
        return cls(problem, X, weight, share, ones, slope, total, is_met)

    def room(self) -> tuple[Array, Array]:
        """The least and the largest change of the share; any of the last row that stands for a sum."""
        lower, upper = self.problem.loss.kink()
        least, most = np.minimum(lower - self.share, 0.0), np.maximum(upper - self.share, 0.0)
        if self.has_sum:
            least[-1], most[-1] = -np.inf, np.inf
        return least, most

    @property
    def has_sum(self) -> bool:
        """Whether the last row stands for the sum of the dual."""
        return bool(self.ones.size and self.ones[-1, 0] < 0)

    def common(self, change: Array) -> Array | float:
        """What the sum of the dual adds to the slopes."""
        return self.X[-1] * float(change[-1]) if self.has_sum else 0.0

    def span(self, free: Index) -> tuple[Array, Array]:
        """A basis of the columns that a change must balance, and the products with it that the change must have.

        It is orthonormal under the weights: equations of columns that are nearly equal differ by entries of 1e-9, which
        a linear program takes for zero.
        """
        columns = np.sqrt(self.weight)[:, None] * np.column_stack([self.X[:, free], self.ones])
        goal = -np.append(self.slope[free], np.full(self.ones.shape[1], self.total))
        return _span(columns, np.zeros_like(goal) if self.is_met else goal)

    def beside(self, basis: Array, products: Array, features: Index) -> tuple[Array, Array]:
        """Columns times weights, and slopes, without their part in the span of a basis."""
        root = np.sqrt(self.weight)[:, None]
        rows = root * self.X[:, features]
        slope = self.slope[features] + rows.T @ (basis @ products)
        for _ in range(2):  # the second time takes out the rounding of the first
            rows = rows - basis @ (basis.T @ rows)
        return root * rows, slope


def _span(columns: Array, goal: Array) -> tuple[Array, Array]:
    """Orthonormal columns q of the same span, and products with them: where ``columns'v = goal``, ``q'v`` has these.

    Columns that are dependent up to rounding are left out.
    """
    length = np.linalg.norm(columns, axis=0)
    kept = length > 0
    if not kept.any():  # decompositions of SciPy 1.13 refuse empty matrices
        return np.empty((columns.shape[0], 0)), np.empty(0)
    q, r, order = scipy.linalg.qr(columns[:, kept] / length[kept], mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    rank = np.count_nonzero(size > SOLVED * size.max(initial=0.0))
    products = (goal[kept] / length[kept])[order[:rank]]
    return q[:, :rank], scipy.linalg.solve_triangular(r[:rank, :rank], products, trans="T")


def _least(given: _Tied, coef: Array, chosen: Index, free: Index) -> Array | None:
    """The change of the tied rows' share that minimises the largest slope of the chosen features; None where the LP
    fails.

    Slopes are in units of the largest that the tied rows, or all others, can give. Where the result is small beside
    that, the program for what is left is solved in units of the result (iterative refinement: Gleixner, Steffy and
    Wolter 2016, doi 10.1287/ijoc.2016.0692).
    """
    problem, strength, room = given.problem, _strength(given.problem)[chosen], given.room()
    at_end = [(coef == end)[free] for end in problem.penalty.ends]
    basis, goal = given.span(free[~(at_end[0] | at_end[1])])
    rows, slope = given.beside(basis, goal, chosen)
    size = np.maximum(np.abs(slope), np.abs(rows).sum(axis=0)) / strength
    unit = float(size.max(initial=0.0)) or 1.0
    sides = [(sign, can[chosen]) for sign, can in zip((1.0, -1.0), problem.penalty.moves, strict=True)]
    above, size = (rows / strength).T, np.concatenate([size[can] for _, can in sides])
    slopes = np.vstack([sign * above[can] for sign, can in sides])
    limit = np.concatenate([-sign * (slope / strength)[can] for sign, can in sides])
    held, most = _held(given, (basis, goal), (free[at_end[0]], free[at_end[1] & ~at_end[0]]))
    columns = basis * np.sqrt(given.weight)[:, None]
    large = np.abs(columns).max(axis=0, initial=0.0)
    large[large == 0] = 1.0
    # A feasible dual bounds the largest alpha from above, even if it is not optimal; one with NaN is not feasible.
    change: Array | None = None
    base, zoom = np.zeros(given.weight.size), 1.0
    for _ in range(_ROUNDS):
        own = np.maximum(np.abs(slopes).max(axis=1, initial=0.0), HALF_DIGITS * unit * zoom)
        matrix, share = np.vstack([slopes / own[:, None], held]), np.append(unit / own, np.zeros(most.size))
        left = (goal - columns.T @ base) / zoom
        balance = ((columns / large).T, left / large) if columns.size else None
        ends = (room[0] - base) / zoom, (room[1] - base) / zoom
        found = _solved(matrix, share, (np.append(limit / own, most) - matrix @ base) / zoom, balance, ends)
        if found is None:
            break
        there = base + zoom * found[:-1]
        inside = np.all((there >= room[0] - HALF_DIGITS) & (there <= room[1] + HALF_DIGITS))
        left_over = float((np.abs(columns.T @ there - goal) / large).max(initial=0.0)) / (1.0 + np.abs(there).sum())
        if not (inside and left_over <= HALF_DIGITS):
            break
        change = base = np.clip(there, *room)
        if found[-1] >= _SMALL or (left_over <= VERTEX and np.all(slopes @ base - limit <= VERTEX * size)):
            break
        zoom *= max(float(found[-1]), _ZOOM)
    return change


def _held(given: _Tied, span: tuple[Array, Array], held: tuple[Index, Index]) -> tuple[Array, Array]:
    """What a change adds to the slopes of free features at their lower and upper limits, and the most that it may.

    These slopes are not positive at a lower limit, and not negative at an upper one.
    """
    matrix, most = np.empty((0, given.weight.size)), np.empty(0)
    for sign, features in zip((1.0, -1.0), held, strict=True):
        rows, slope = given.beside(*span, features)
        unit = given.weight @ np.abs(given.X[:, features])
        unit = sign * np.where(unit > 0, unit, 1.0)
        matrix = np.vstack([matrix, (rows / unit).T])
        most = np.append(most, np.maximum(-slope / unit, 0.0 if given.is_met else -np.inf))
    return matrix, most


def _solved(
    matrix: Array, share: Array, limit: Array, balance: tuple[Array, Array] | None, room: tuple[Array, Array]
) -> Array | None:
    """The change d and the least t with ``matrix @ d - share * t <= limit``; None where HiGHS fails.

    HiGHS drops entries below 1e-9 and refuses those above 1e15: t is in units of the geometric mean of its least and
    its largest entry, and a change with small entries only in units of the largest, unless that makes its room small.
    Between columns that are nearly equal it may not reach its least tolerance; then half the digits have to do.
    """
    entries = matrix if balance is None else np.vstack([matrix, balance[0]])
    unit = np.abs(entries).max(axis=0, initial=0.0)
    unit = np.where((unit < _ZOOM) & (unit * (room[1] - room[0]) >= _SMALL), unit, 1.0)
    matrix, room = matrix / unit, (room[0] * unit, room[1] * unit)
    balance = None if balance is None else (balance[0] / unit, balance[1])
    some = share[share > 0] if share.any() else np.ones(1)
    mean = float(np.sqrt(some.min() * some.max()))
    choices: tuple[Any, ...] = (HIGHS, dict.fromkeys(HIGHS, _HALF))
    for tolerances in choices:
        result = scipy.optimize.linprog(
            np.append(np.zeros(matrix.shape[1]), 1.0),
            A_ub=np.column_stack([matrix, -share / mean]),
            b_ub=limit,
            A_eq=None if balance is None else np.column_stack([balance[0], np.zeros(balance[1].size)]),
            b_eq=None if balance is None else balance[1],
            bounds=[*zip(*room, strict=True), (0.0, None)],
            method="highs",
            options=tolerances | {"maxiter": most_iterations(*entries.shape)},
        )
        if result.status == 0 and result.x is not None:
            return np.asarray(result.x / np.append(unit, mean))
    return None
