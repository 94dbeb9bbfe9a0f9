"""Losses of held-out rows along a path, one fold of a cross-validation at a time; X is shared by all folds.

For the squared loss and more rows than features a fold's Gram matrix is that of all rows minus that of the held-out
ones, and needs no rows of its own. For more features, held-out rows have a weight of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._moments import FoldMoments, Split, blocks
from ladreg._path import Path, drafted_path, solve_path
from ladreg._penalties import ElasticNet
from ladreg._problem import TOO_LARGE, Problem, StopReason
from ladreg.solvers import Solver, coordinate_descent, scaling, sequence
from ladreg.solvers.centred import Centred
from ladreg.solvers.points import Point, gathered, shared
from ladreg.solvers.repeats import repeats
from ladreg.solvers.scaling import Draft

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Largest number of features whose Gram matrices are kept, and how many times its deviation a mean may be at most where
# columns cannot be centred before their products are taken.
_WIDEST, _FAR = 2000, 1e3


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
    choose
        Chooses the solver for a single problem.
    joint
        Whether alphas may be solved together.
    """

    def __init__(
        self,
        problem: Problem,
        splits: Sequence[Split],
        *,
        tol: float,
        max_iter: int | None,
        mixing: float,
        choose: Callable[[Problem], Solver],  # noqa: ARG002 - there is one for the squared loss
        joint: bool,  # noqa: ARG002
    ) -> None:
        self.tol, self.max_iter, self.mixing = tol, 10_000 if max_iter is None else max_iter, mixing
        self.twin, self.units = scaling.scaled(problem)
        if self.units.rows.size:
            place = np.full(problem.n_samples, -1, dtype=np.intp)
            place[self.units.rows] = np.arange(self.units.rows.size)
            splits = [(_present(place[train]), _present(place[test])) for train, test in splits]
        self.splits = splits
        self.columns = Centred(self.twin)
        self._moments = FoldMoments(self.columns, splits) if self._shares_gram() else None
        if self._moments is None:
            slope = self.columns.design.rmatvec(self.columns.weight * self.columns.y)
        else:
            slope = self._moments.slope()
            self.columns.gram.know(self._moments.gram())
        self._same = repeats(self.columns.design, slope, self.twin.penalty)

    @np.errstate(over="ignore", invalid="ignore")  # told below
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
        known = self._moments.training(fold) if self._moments is not None else None
        points = self._by_gram(*known, unit, alphas) if known is not None else self._by_data(train, unit, alphas)
        losses = np.zeros(alphas.size)
        group: list[tuple[int, Point]] = []
        for k, point in enumerate(points):
            # 2.
            if not point.stopped.good:
                point = self._again(train, unit, alphas[k], point)
            # 3.
            if point.residual is None:
                group.append((k, point))
            else:
                losses[k] = held @ point.residual[test] ** 2
        if group and known is not None:
            losses[[k for k, _ in group]] = self._predicted(fold, known[0], [point for _, point in group])
        losses = losses / held.sum() * self.units.unit**2
        if not np.isfinite(losses).all():
            raise OverflowError(TOO_LARGE)
        return losses

    def solver(self, problem: Problem) -> Solver:  # noqa: ARG002 - one serves all
        """The solver of a single problem, which knows what the folds found out."""
        precompute = None if self._moments is None else True

        def inner(twin: Problem, **options: Any) -> Draft:
            columns = self.columns.under(twin.penalty)
            return coordinate_descent.solve(twin, columns=columns, precompute=precompute, **options)

        return partial(scaling.solve, inner=inner)

    def path(self, problem: Problem, alphas: Array) -> Path:
        """The solutions for all rows; what was found out for the folds is used again, and nothing is certified."""
        unit = problem.penalty.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        return drafted_path(
            problem,
            alphas,
            self.columns.under(unit),
            self.units,
            tol=self.tol,
            max_iter=self.max_iter,
            solver=self.solver,
        )

    def _shares_gram(self) -> bool:
        """Whether folds are to be solved by their Gram matrices."""
        shortest = min(train.size for train, _ in self.splits)
        if not self.twin.n_features <= min(shortest, _WIDEST):
            return False
        offset = self.columns.offset
        return not offset.any() or bool(np.all(offset**2 <= _FAR * self.columns.curvature))

    def _by_gram(self, mean: Array, products: Array, unit: ElasticNet, alphas: Array) -> Iterator[Point]:  # noqa: ARG002
        hidden = unit if self._same is None else self._same.hidden(unit)
        allowed = np.flatnonzero(np.isfinite(hidden.strength))
        gram, slope = products[np.ix_(allowed, allowed)], products[allowed, -1]
        size = float(products[-1, -1])
        given = gram, slope, size, unit.at(allowed), alphas, allowed
        for point in sequence.in_gram(*given, tol=self.tol, max_iter=self.max_iter):
            relaxed = self._relaxed_by_gram(point, allowed, gram, slope, unit.positive)
            yield relaxed if self._same is None else shared(relaxed, self._same)

    def _relaxed_by_gram(self, point: Point, allowed: Index, gram: Array, slope: Array, positive: bool) -> Point:
        if self.mixing == 1.0 or point.features.size == 0:
            return point
        chosen = np.searchsorted(allowed, point.features)
        free = ElasticNet(np.zeros(chosen.size), positive)
        part = gram[np.ix_(chosen, chosen)], slope[chosen], 1.0, free, np.ones(1), np.arange(chosen.size)
        refit = sequence.in_gram(*part, tol=self.tol, max_iter=self.max_iter)
        found = next(refit)
        coef = self.mixing * point.coef
        coef[found.features] += (1 - self.mixing) * found.coef
        return point._replace(coef=coef, stopped=point.stopped if found.unique else found.stopped)

    def _fold(self, train: Index, unit: ElasticNet) -> Problem:
        """The problem of the training rows; the others have a weight of zero."""
        weight = np.bincount(train, self.twin.weight[train], minlength=self.twin.n_samples)
        return replace(self.twin, weight=weight / weight.sum(), penalty=unit)

    def _by_data(self, train: Index, unit: ElasticNet, alphas: Array) -> Iterator[Point]:
        problem = self._fold(train, unit)
        columns = Centred(problem)
        known: dict[bytes, Array] = {}
        penalised = alphas[alphas > 0]
        tol, max_iter = self.tol, self.max_iter
        for point in sequence.solve(problem, penalised, tol=tol, max_iter=max_iter, precompute=False, columns=columns):
            yield self._relaxed_by_data(columns, point, known)
        nothing = Point(np.zeros(0, dtype=np.intp), np.zeros(0), 1, StopReason.TOLERANCE, False)
        for alpha in alphas[alphas <= 0]:
            yield self._again(train, unit, alpha, nothing)

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
        return point._replace(coef=coef[point.features], residual=columns.residual(coef))

    def _again(self, train: Index, unit: ElasticNet, alpha: float, point: Point) -> Point:
        """A point whose Gram matrix is too near to singular, from the data."""
        problem = self._fold(train, unit.times(alpha))
        columns = Centred(problem)
        start = np.zeros(problem.n_features)
        start[point.features] = point.coef
        tol, max_iter = self.tol, self.max_iter
        draft = coordinate_descent.solve(problem, start=(start, 0.0), tol=tol, max_iter=max_iter, columns=columns)
        features = np.flatnonzero(draft.coef)
        found = point._replace(features=features, coef=draft.coef[features], residual=columns.residual(draft.coef))
        return self._relaxed_by_data(columns, found, {})

    def _predicted(self, fold: int, mean: Array, points: list[Point]) -> Array:
        """Weighted sums of squared errors in the held-out rows."""
        used, coefs = gathered(points)
        constant = mean[-1] - mean[used] @ coefs
        assert self._moments is not None
        known = self._moments.held(fold).losses(used, coefs, constant)
        if known is not None:
            return known
        losses = np.zeros(len(points))
        for block in blocks(self.columns, self.splits[fold][1]):
            predicted = self.columns.design.take(block).matvec_of(used, coefs) + constant
            losses += self.columns.weight[block] @ (self.columns.y[block, None] - predicted) ** 2
        return losses


def _present(places: Index) -> Index:
    return places[places >= 0]


def refitted(columns: Centred, coef: Array, tol: float, max_iter: int) -> Array:
    """Least squares on the features whose coefficients are not zero."""
    free = columns.under(columns.penalty.released(coef != 0))
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
    choose
        Chooses the solver for a single problem.
    joint
        Whether alphas may be solved together.
    """

    def __init__(
        self,
        problem: Problem,
        splits: Sequence[Split],
        *,
        tol: float,
        max_iter: int | None,
        mixing: float,
        choose: Callable[[Problem], Solver],
        joint: bool,
    ) -> None:
        self.problem, self.splits, self.mixing = problem, splits, mixing
        self.tol, self.max_iter, self.choose, self.joint = tol, max_iter, choose, joint

    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:
        """Mean loss of the held-out rows for each alpha; `unit` is the penalty at alpha = 1."""
        train, test = (rows[self.problem.weight[rows] > 0] for rows in self.splits[fold])
        given = self.problem
        weight = given.weight[train] / given.weight[train].sum()
        part = replace(given, design=given.design.take(train), y=given.y[train], weight=weight, penalty=unit)
        path = self.path(part, alphas)
        tol, max_iter = self.tol, self.max_iter
        coef, intercept = relaxed(
            part, path.coef, path.intercept, self.mixing, tol=tol, max_iter=max_iter, choose=self.choose
        )
        residual = given.y[test, None] - given.design.take(test).matvec(coef) - intercept
        losses = np.array([given.weight[test] @ given.loss.value(column) for column in residual.T])
        return np.asarray(losses / given.weight[test].sum())

    def solver(self, problem: Problem) -> Solver:
        """The solver of a single problem."""
        return self.choose(problem)

    def path(self, problem: Problem, alphas: Array) -> Path:
        """The solutions for the rows of `problem`."""
        tol, max_iter = self.tol, self.max_iter
        return solve_path(problem, alphas, tol=tol, max_iter=max_iter, solver=self.choose, joint=self.joint)


def relaxed(
    problem: Problem,
    coef: Array,
    intercept: Array,
    mixing: float,
    *,
    tol: float,
    max_iter: int | None,
    choose: Callable[[Problem], Solver],
) -> tuple[Array, Array]:
    """The columns of `coef` and intercepts, mixed with those of fits without penalty to the same features.

    `choose` chooses the solver of these.
    """
    if mixing == 1.0:
        return coef, intercept
    coefs, intercepts = mixing * coef, mixing * intercept
    before, found = None, (np.zeros(0), 0.0)
    for k in range(intercept.size):
        chosen = coef[:, k] != 0
        if before is None or not np.array_equal(chosen, before):
            free = problem.under(problem.penalty.released(chosen))
            start = coef[:, k], float(intercept[k])
            solution = choose(free)(free, start=start, tol=tol, max_iter=max_iter)
            before, found = chosen, (solution.coef, solution.intercept)
        coefs[:, k] += (1 - mixing) * found[0]
        intercepts[k] += (1 - mixing) * found[1]
    return coefs, intercepts
