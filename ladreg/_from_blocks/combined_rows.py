"""The reduced problem of the combined loss: the rows near a fit, and few rows with the moments of all others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array
from ladreg._from_blocks.combined_tasks import UnitMoments
from ladreg._from_blocks.equivalent_rows import rows_like, turned
from ladreg._from_blocks.moments import CentredMoments
from ladreg._from_blocks.refinement import rows_below
from ladreg._problem import Coefficients, Problem, Settings
from ladreg._row_blocks import Rows, Summary
from ladreg._solvers import solve, solve_near_targets
from ladreg._tolerances import AT_END, HALF_DIGITS

# Where a row of a pair crossed the fit, pairs are twice as far from it, six times.
_FAILURES = 6
# The weights of a pair are at least a tenth of their sum.
_UNEQUAL = 0.8
# Less than a quarter of a column's square is left where the rounding of all of it counts.
_LEFT = 0.25
# The number of rows is a multiple of 4, for two orthogonal patterns of equal numbers of 1 and -1.
_BALANCED = 4


@dataclass(frozen=True)
class HeldRows:
    """Few rows with the moments of all rows that are held, at unit scale, one more than columns and target.

    A held row with residual r on the side s costs ``height * s * r + r^2 / 2``. The rows stand for the squares, and
    `pull`, the products of the rest with the columns and with ones, for the rest. There are no rows where none is held.
    """

    X: Array
    y: Array
    weight: float
    pull: Array

    @classmethod
    def of(cls, moments: UnitMoments, seen: Summary, kept: Rows, height: float, point: Array) -> HeldRows:
        """From the moments of all rows, the sums of the held ones by sides, and the rows that are kept.

        The distances of pairs from the fit are to be small: residuals at `point`, near the fit, are of one size.
        """
        sums, n_features = seen.sums, moments.mean.size - 1
        nothing = np.zeros(n_features + 1)
        if not height:
            return cls._like(moments, moments.mean, moments.products, 1.0, nothing)
        both = [np.append(sums[f"{side} x"], sums[f"{side} w"]) for side in ("above", "below")]
        mass = float(sums["above w"]) + float(sums["below w"])
        if not mass > 0:
            return cls(np.zeros((0, n_features)), np.zeros(0), 0.0, nothing)
        mean = np.append((both[0] + both[1])[:-1], sums["above y"] + sums["below y"]) / mass
        mean[-1] -= float(mean[:-1] @ moments.base[:-1] + moments.base[-1])
        products = moments.without(kept, mean, mass)
        return cls._like(moments, mean, products, mass, height * (both[0] - both[1])).evened(point)

    @classmethod
    def _like(cls, moments: UnitMoments, mean: Array, products: Array, mass: float, pull: Array) -> HeldRows:
        given = CentredMoments(mass, np.zeros(mean.size), mean, products)
        square, left = np.diag(moments.products), np.diag(products)
        lost = np.divide(square, left, out=np.ones_like(left), where=(left > 0) & (left < _LEFT * square))
        table = rows_like(given, mean, moments.constant, multiple=_BALANCED, lost=lost)
        X = np.ascontiguousarray(table[:, :-1])
        return cls(X, table[:, -1] + X @ moments.base[:-1] + moments.base[-1], mass, pull)

    def evened(self, point: Array) -> HeldRows:
        """Rows with the same moments whose residuals at a point, and whose pulls, are as equal in size as can be."""
        table = np.column_stack([self.X, self.y])
        half = self.y.size // 2
        halves, turns = np.repeat([1.0, -1.0], half), np.tile([1.0, -1.0], half)
        table = turned(table, self.residual(point), halves)
        there = replace(self, X=np.ascontiguousarray(table[:, :-1]), y=table[:, -1].copy())
        table = turned(table, there.pulls, turns, halves)
        return replace(there, X=np.ascontiguousarray(table[:, :-1]), y=table[:, -1].copy())

    @property
    def pulls(self) -> Array:
        """A number for each row, linear in its columns, whose products with the columns are `pull`."""
        columns = np.column_stack([self.X, np.ones(self.y.size)])
        length = np.linalg.norm(columns, axis=0)
        length[length == 0] = 1.0
        share = self.pull / length * (self.y.size / self.weight)
        # Not by products of columns, which have the square of their condition number.
        return np.asarray(np.linalg.lstsq((columns / length).T, share, rcond=AT_END)[0])

    def residual(self, point: Array) -> Array:
        """Residuals at a point with an intercept last."""
        return self.y - self.X @ point[:-1] - point[-1]

    def apart(self, point: Array, height: float, times: float) -> float:
        """A distance that is more than the residuals near a point, and enough for the pulls; more would cost digits."""
        if not self.y.size:
            return 1.0
        residual = float(np.abs(self.residual(point)).max())
        return max(times * max(residual, HALF_DIGITS), float(np.abs(self.pulls).max()) / _UNEQUAL - height)

    def below(self, problem: Problem, distance: float) -> Problem:
        """The problem with these rows below its own: each as a pair whose targets are moved up and down by a distance.

        With weights ``(1 + s) / 2`` and ``(1 - s) / 2`` a pair costs, beside a constant, ``r^2 / 2 + s * (height +
        distance) * r``, as long as r is less than the distance. Where the loss is a square, targets are moved instead.
        """
        if not self.y.size:
            return problem
        height, pulls = problem.loss.kink()[1], self.pulls
        if height:
            share = pulls / (height + distance)
            X, targets = np.concatenate([self.X, self.X]), [self.y + distance, self.y - distance]
            weights = [(1.0 + share) / 2.0, (1.0 - share) / 2.0]
        else:
            X, targets, weights = self.X, [self.y + pulls], [np.ones(self.y.size)]
        return replace(
            problem,
            design=rows_below(problem.design, X),
            y=np.concatenate([problem.y, *targets]),
            weight=np.append(problem.weight, np.concatenate(weights) * (self.weight / self.y.size)),
        )


@dataclass(frozen=True)
class ReducedFit:
    """The optimum of a reduced problem at unit scale, with an intercept last, and the kink's dual of the kept rows.

    `sides` are duals per weight. `unique` says whether the reduced problem has no other optimum.
    """

    point: Array
    sides: Array
    unique: bool
    n_iter: int


def solve_held(kept: Problem, held: HeldRows, settings: Settings, start: Array, times: float) -> ReducedFit:
    """Solve the kept rows, and those that stand for the held ones below them, all at unit scale.

    Both rows of a pair are `times` the largest residual of a held row from the fit.
    """
    height = kept.loss.kink()[1]
    distance, point = held.apart(start, height, times), start
    for _ in range(_FAILURES):
        problem = held.below(kept, distance)
        near = Coefficients(point[:-1], float(point[-1]))
        solution = (solve_near_targets if height else solve)(problem, settings, near)
        point = np.append(solution.coef, solution.intercept)
        if not height or np.abs(held.residual(point)).max(initial=0.0) < distance:
            break
        distance = 2.0 * held.apart(point, height, times)
    # A dual beyond the kink's ends is the end and what the square has.
    sides = np.clip(solution.dual[: kept.y.size] / kept.weight, -height, height)
    return ReducedFit(point, sides, solution.unique, solution.n_iter)
