"""The linear program that chooses the duals of rows on the kink: the largest slope is least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from ladreg._arrays import Array, Index
from ladreg._piecewise import most_iterations
from ladreg._problem import Problem
from ladreg._tolerances import HALF_DIGITS, HIGHS, SOLVED, SUMMED, VERTEX

# A largest slope below 1e-3 of the unit is minimised again in units of itself, or of 1e-6, five times at most: HiGHS's
# tolerances are absolute, and a column of 1e6 makes the slopes of all others 1e-6.
_SMALL, _ROUNDS, _ZOOM = 1e-3, 6, 1e-6
# HiGHS's tolerance where it fails at the least one; changes that miss their equations by HALF_DIGITS are not taken.
_HALF = 1e-8


def strengths(problem: Problem) -> Array:
    """The strength of each feature where its coefficient leaves the value nearest to zero."""
    penalty = problem.penalty
    return penalty.strength + penalty.ridge * np.abs(penalty.rest) if penalty.limited else penalty.strength


@dataclass(frozen=True)
class TiedRows:
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
    def of(cls, problem: Problem, rows: Index, dual: Array, is_met: bool, origin: Array) -> TiedRows:
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
        return spanned(columns, np.zeros_like(goal) if self.is_met else goal)

    def beside(self, basis: Array, products: Array, features: Index) -> tuple[Array, Array]:
        """Columns times weights, and slopes, without their part in the span of a basis."""
        root = np.sqrt(self.weight)[:, None]
        rows = root * self.X[:, features]
        slope = self.slope[features] + rows.T @ (basis @ products)
        return root * without_span(rows, basis), slope


def without_span(rows: Array, basis: Array) -> Array:
    """Columns without their part in the span of an orthonormal basis."""
    for _ in range(2):  # the second time takes out the rounding of the first
        rows = rows - basis @ (basis.T @ rows)
    return rows


def spanned(columns: Array, goal: Array) -> tuple[Array, Array]:
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


def least_change(given: TiedRows, coef: Array, chosen: Index, free: Index) -> Array | None:
    """The change of the tied rows' share that minimises the largest slope of the chosen features; None where the LP
    fails.

    Slopes are in units of the largest that the tied rows, or all others, can give. Where the result is small beside
    that, the program for what is left is solved in units of the result (iterative refinement: Gleixner, Steffy and
    Wolter 2016, doi 10.1287/ijoc.2016.0692).
    """
    problem, strength, room = given.problem, strengths(given.problem)[chosen], given.room()
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


def _held(given: TiedRows, span: tuple[Array, Array], held: tuple[Index, Index]) -> tuple[Array, Array]:
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
