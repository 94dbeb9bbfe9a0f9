"""Losses of held-out rows along a path, one fold of a cross-validation at a time; X is shared by all folds.

For the squared loss and more rows than features a fold's Gram matrix is that of all rows minus that of the held-out
ones, and needs no rows of its own. For more features, held-out rows have a weight of zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._design import SparseDesign
from ladreg._operator import CONSTANT
from ladreg._path import solve_path
from ladreg._penalties import ElasticNet
from ladreg._problem import Problem
from ladreg.solvers import choose_solver, coordinate_descent, sequence
from ladreg.solvers.centred import Centred
from ladreg.solvers.scaling import scaled
from ladreg.solvers.sequence import Point, scaled_by

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Split = tuple[Index, Index]

# Largest number of features whose Gram matrices are kept, and numbers in those of all folds.
_WIDEST, _KEPT = 2000, 1 << 25
# Numbers in a block of held-out rows.
_BLOCK = 1 << 20
# A difference of Gram matrices is trusted where it leaves so much of a column, and a mean that is at most so many
# times its deviation.
_LEFT, _FAR = 1e-3, 1e3


@dataclass(frozen=True)
class Moments:
    """Weighted sums over rows: of the weights, the columns with the target last, and their products."""

    mass: float
    sums: Array
    products: Array

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.mass + other.mass, self.sums + other.sums, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.mass - other.mass, self.sums - other.sums, self.products - other.products)

    def centred(self, fit_intercept: bool) -> tuple[Array, Array]:
        """Means, zero without intercept, and the mean products about them."""
        mean = self.sums / self.mass if fit_intercept else np.zeros_like(self.sums)
        products = self.products / self.mass
        size = np.diag(products).copy()
        products -= np.outer(mean, mean)
        # A column that is constant up to rounding cannot be told from one that is constant.
        constant = np.flatnonzero(np.diag(products) <= CONSTANT * size)
        products[constant], products[:, constant] = 0.0, 0.0
        return mean, products


class SquaredFolds:
    """Cross-validation of a path with the squared loss.

    Parameters
    ----------
    problem
        All rows, with the penalty at alpha = 1.
    splits
        Training and held-out rows of each fold.
    tol, max_iter
        As for `solve_path`.
    mixing
        Share of the penalised fit in a relaxed one; the rest is the fit without penalty to its features.
    """

    def __init__(
        self, problem: Problem, splits: Sequence[Split], *, tol: float, max_iter: int | None, mixing: float = 1.0
    ) -> None:
        self.tol, self.max_iter, self.mixing = tol, 10_000 if max_iter is None else max_iter, mixing
        self.twin, self.units = scaled(problem)
        if self.units.rows.size:
            place = np.full(problem.n_samples, -1, dtype=np.intp)
            place[self.units.rows] = np.arange(self.units.rows.size)
            splits = [(_present(place[train]), _present(place[test])) for train, test in splits]
        self.splits = splits
        self.columns = Centred(self.twin)
        self._held: list[Moments] = []
        self._total = self._all_moments() if self._shares_gram() else None

    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:
        """Mean squared error of the held-out rows for each alpha; `unit` is the penalty at alpha = 1.

        1. Solve the path by the fold's Gram matrix, if it can be told from that of all rows, or by the data.
        2. Solve again what was not confirmed.
        3. Predict the held-out rows.
        """
        train, test = self.splits[fold]
        held = self.twin.weight[test]
        unit = unit.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        # 1.
        moments = self._moments_of(fold) if self._total is not None else None
        walk = self._by_gram(moments, unit, alphas) if moments is not None else self._by_data(train, unit, alphas)
        losses = np.zeros(alphas.size)
        group: list[tuple[int, Point]] = []
        for k, point in enumerate(walk):
            # 2.
            if point.residual is None and not point.stopped.good:
                point = self._again(train, unit, alphas[k], point)
            # 3.
            if point.residual is None:
                group.append((k, point))
            else:
                losses[k] = held @ point.residual[test] ** 2
        if group:
            assert moments is not None
            losses[[k for k, _ in group]] = self._predicted(moments, test, [point for _, point in group])
        return losses / held.sum() * self.units.unit**2

    def _shares_gram(self) -> bool:
        """Whether folds are to be solved by their Gram matrices."""
        p = self.twin.n_features
        shortest = min(train.size for train, _ in self.splits)
        if not p <= min(shortest, _WIDEST):
            return False
        return bool(np.all(self.columns.offset**2 <= _FAR * self.columns.curvature))

    def _all_moments(self) -> Moments:
        """Sums over all rows, from those over the held-out rows where these are a partition."""
        rows = np.concatenate([test for _, test in self.splits])
        n_samples, size = self.twin.n_samples, (self.twin.n_features + 1) ** 2
        if rows.size == n_samples and len(self.splits) * size <= _KEPT and np.unique(rows).size == n_samples:
            self._held = [self._sums(test) for _, test in self.splits]
            total = self._held[0]
            for part in self._held[1:]:
                total = total + part
            return total
        return self._sums(np.arange(n_samples))

    def _sums(self, rows: Index) -> Moments:
        """Weighted sums over the chosen rows."""
        p = self.twin.n_features
        mass, sums, products = 0.0, np.zeros(p + 1), np.zeros((p + 1, p + 1))
        features = np.arange(p)
        for block in self._blocks(rows):
            part, weight, y = self.columns.design.take(block), self.columns.weight[block], self.columns.y[block]
            mass += float(weight.sum())
            both = part.rmatvec(np.column_stack([weight, weight * y]))
            sums += np.append(both[:, 0], weight @ y)
            products[:p, :p] += part.cross(weight, features, p)
            products[:p, p] += both[:, 1]
            products[p, p] += weight @ y**2
        products[p, :p] = products[:p, p]
        return Moments(mass, sums, products)

    def _blocks(self, rows: Index) -> Iterator[Index]:
        size = rows.size if isinstance(self.twin.design, SparseDesign) else max(1, _BLOCK // (self.twin.n_features + 1))
        for begin in range(0, rows.size, max(size, 1)):
            yield rows[begin : begin + size]

    def _moments_of(self, fold: int) -> tuple[Array, Array] | None:
        """Means and centred products of a fold's training rows; None where they cannot be trusted."""
        assert self._total is not None
        train, test = self.splits[fold]
        inside = np.zeros(self.twin.n_samples, dtype=np.int8)
        inside[train] += 1
        inside[test] += 2
        if train.size + test.size == self.twin.n_samples and np.isin(inside, (1, 2)).all():
            sums = self._total - (self._held[fold] if self._held else self._sums(test))
        else:
            sums = self._sums(train)
        fit_intercept = self.twin.fit_intercept
        mean, products = sums.centred(fit_intercept)
        _, whole = self._total.centred(fit_intercept)
        constant = np.append(self.columns.curvature == 0, False)
        products[constant], products[:, constant] = 0.0, 0.0
        left = np.diag(products) >= _LEFT * np.diag(whole)
        return (mean, products) if np.all(left | constant) else None

    def _by_gram(self, moments: tuple[Array, Array], unit: ElasticNet, alphas: Array) -> Iterator[Point]:
        _, products = moments
        allowed = np.flatnonzero(np.isfinite(unit.strength))
        gram, slope = products[np.ix_(allowed, allowed)], products[allowed, -1]
        size = float(products[-1, -1])
        points = sequence.in_gram(gram, slope, size, unit.at(allowed), alphas, tol=self.tol, max_iter=self.max_iter)
        for point in points:
            relaxed = self._relaxed_by_gram(point, gram, slope, unit.positive)
            yield replace(relaxed, features=allowed[point.features])

    def _relaxed_by_gram(self, point: Point, gram: Array, slope: Array, positive: bool) -> Point:
        if self.mixing == 1.0 or point.features.size == 0:
            return point
        chosen = point.features
        free = ElasticNet(np.zeros(chosen.size), positive)
        refit = sequence.in_gram(
            gram[np.ix_(chosen, chosen)], slope[chosen], 1.0, free, np.ones(1), tol=self.tol, max_iter=self.max_iter
        )
        found = next(refit)
        coef = self.mixing * point.coef
        coef[found.features] += (1 - self.mixing) * found.coef
        return replace(point, coef=coef, stopped=point.stopped if found.unique else found.stopped)

    def _fold(self, train: Index, unit: ElasticNet) -> Problem:
        """The problem of the training rows; the others have a weight of zero."""
        weight = np.zeros(self.twin.n_samples)
        weight[train] = self.twin.weight[train]
        return replace(self.twin, weight=weight / weight.sum(), penalty=unit)

    def _by_data(self, train: Index, unit: ElasticNet, alphas: Array) -> Iterator[Point]:
        problem = self._fold(train, unit)
        columns = Centred(problem)
        known: dict[bytes, Array] = {}
        for point in sequence.solve(problem, alphas, tol=self.tol, max_iter=self.max_iter, precompute=False):
            yield self._relaxed_by_data(columns, point, known)

    def _relaxed_by_data(self, columns: Centred, point: Point, known: dict[bytes, Array]) -> Point:
        if self.mixing == 1.0 or point.features.size == 0:
            return point
        start = np.zeros(columns.problem.n_features)
        start[point.features] = point.coef
        key = point.features.tobytes()
        if key not in known:
            known.clear()
            known[key] = refitted(columns, start, self.tol, self.max_iter)
        coef = self.mixing * start + (1 - self.mixing) * known[key]
        return replace(point, coef=coef[point.features], residual=columns.residual(coef))

    def _again(self, train: Index, unit: ElasticNet, alpha: float, point: Point) -> Point:
        """A point whose Gram matrix is too near to singular, from the data."""
        problem = self._fold(train, scaled_by(unit, alpha))
        columns = Centred(problem)
        start = np.zeros(problem.n_features)
        start[point.features] = point.coef
        draft = coordinate_descent.solve(problem, start=(start, 0.0), tol=self.tol, max_iter=self.max_iter)
        features = np.flatnonzero(draft.coef)
        found = replace(point, features=features, coef=draft.coef[features], residual=columns.residual(draft.coef))
        return self._relaxed_by_data(columns, found, {})

    def _predicted(self, moments: tuple[Array, Array], test: Index, points: list[Point]) -> Array:
        """Weighted sums of squared errors in the held-out rows."""
        mean, _ = moments
        used = np.unique(np.concatenate([point.features for point in points]))
        coefs = np.zeros((used.size, len(points)))
        for k, point in enumerate(points):
            coefs[np.searchsorted(used, point.features), k] = point.coef
        constant = mean[-1] - mean[used] @ coefs
        losses = np.zeros(len(points))
        for block in self._blocks(test):
            predicted = self.columns.design.take(block).matvec_of(used, coefs) + constant
            losses += self.columns.weight[block] @ (self.columns.y[block, None] - predicted) ** 2
        return losses


def _present(places: Index) -> Index:
    return places[places >= 0]


def refitted(columns: Centred, coef: Array, tol: float, max_iter: int) -> Array:
    """Least squares on the features whose coefficients are not zero."""
    strength = np.where(coef != 0, 0.0, np.inf)
    free = columns.under(ElasticNet(strength, columns.penalty.positive))
    draft = coordinate_descent.solve(free.problem, start=(coef, 0.0), tol=tol, max_iter=max_iter, columns=free)
    return draft.coef


class Folds:
    """Cross-validation of a path with any loss: training rows are gathered for each fold.

    Parameters
    ----------
    problem
        All rows, with the penalty at alpha = 1.
    splits
        Training and held-out rows of each fold.
    tol, max_iter
        As for `solve_path`.
    mixing
        Share of the penalised fit in a relaxed one; the rest is the fit without penalty to its features.
    """

    def __init__(
        self, problem: Problem, splits: Sequence[Split], *, tol: float, max_iter: int | None, mixing: float = 1.0
    ) -> None:
        self.problem, self.splits, self.tol, self.max_iter, self.mixing = problem, splits, tol, max_iter, mixing

    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:
        """Mean loss of the held-out rows for each alpha; `unit` is the penalty at alpha = 1."""
        train, test = (rows[self.problem.weight[rows] > 0] for rows in self.splits[fold])
        given = self.problem
        weight = given.weight[train] / given.weight[train].sum()
        part = replace(given, design=given.design.take(train), y=given.y[train], weight=weight, penalty=unit)
        path = solve_path(part, alphas, tol=self.tol, max_iter=self.max_iter)
        coef, intercept = relaxed(part, path.coef, path.intercept, self.mixing, self.tol, self.max_iter)
        residual = given.y[test, None] - given.design.take(test).matvec(coef) - intercept
        losses = np.array([given.weight[test] @ given.loss.value(column) for column in residual.T])
        return losses / given.weight[test].sum()


def relaxed(
    problem: Problem, coef: Array, intercept: Array, mixing: float, tol: float, max_iter: int | None
) -> tuple[Array, Array]:
    """The columns of `coef` and intercepts, mixed with those of fits without penalty to the same features."""
    if mixing == 1.0:
        return coef, intercept
    coefs, intercepts = mixing * coef, mixing * intercept
    before, found = None, (np.zeros(0), 0.0)
    for k in range(intercept.size):
        chosen = coef[:, k] != 0
        if before is None or not np.array_equal(chosen, before):
            free = problem.under(ElasticNet(np.where(chosen, 0.0, np.inf), problem.penalty.positive))
            start = coef[:, k], float(intercept[k])
            solution = choose_solver(free)(free, start=start, tol=tol, max_iter=max_iter)
            before, found = chosen, (solution.coef, solution.intercept)
        coefs[:, k] += (1 - mixing) * found[0]
        intercepts[k] += (1 - mixing) * found[1]
    return coefs, intercepts
