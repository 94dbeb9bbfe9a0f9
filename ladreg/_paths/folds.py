"""Losses of held-out rows along a path, one fold of a cross-validation at a time; X is shared by all folds.

For the squared loss and more rows than features a fold's Gram matrix is that of all rows minus that of the held-out
ones, so that its rows are not multiplied again. For more features, held-out rows have a weight of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, is_regular
from ladreg._least_squares import COUNTS, NAME, Centred, redundant, rows_in_gram, solve_lasso, solve_lasso_path
from ladreg._paths.fold_moments import FoldMoments, Split, blocks
from ladreg._paths.path import Path, drafted_path, losses_of, solve_path
from ladreg._presolve import Uncertified, clip_targets, scaled, solve_at_unit_scale
from ladreg._problem import TOO_LARGE, ElasticNet, Problem, Solution
from ladreg._solvers import Solver

# Solve folds by their Gram matrices if there are at most 2,000 features.
_WIDEST = 2000
# Do so for sparse columns if each squared mean is at most 1e3 times the variance: they are centred in their products.
_FAR = 1e3
# A point of a path is the fit if its gap is at most min(1e-12, tol) times mean((y - mean(y))^2).
_SURE = 1e-12


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
        self.twin, self.units = scaled(problem)
        if self.units.rows.size:
            place = np.full(problem.n_samples, -1, dtype=np.intp)
            place[self.units.rows] = np.arange(self.units.rows.size)
            splits = [(_present(place[train]), _present(place[test])) for train, test in splits]
        self.splits = splits
        self.columns = Centred(self.twin)
        self._moments = FoldMoments(self.columns, splits) if self._shares_gram() else None
        if self._moments is not None:
            self.columns.know(self._moments.gram(), self._moments.slope())
        self._spare = redundant(self.columns, self.columns.slope)

    @np.errstate(over="ignore", invalid="ignore")  # reported below
    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:
        """Mean squared error of the held-out rows for each alpha; `unit` is the penalty at alpha = 1.

        The path is solved by the fold's Gram matrix, if that of all rows gives it with enough digits, else by the data.
        """
        unit = unit.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        known = self._moments.training(fold) if self._moments is not None else None
        if known is None or not self._are_independent(known[1], unit):
            losses = np.fromiter(self._by_data(fold, unit, alphas), dtype=np.float64)
        else:
            losses = np.concatenate(list(self._by_gram(fold, *known, unit, alphas)))
        losses = losses / self.twin.weight[self.splits[fold][1]].sum() * self.units.unit**2
        if not np.isfinite(losses).all():
            raise OverflowError(TOO_LARGE)
        return losses

    def constant(self, fold: int) -> float:  # noqa: ARG002
        """The part of the loss that `losses` leaves out, the same for all alphas: zero."""
        return 0.0

    def solver(self, problem: Problem) -> Solver:  # noqa: ARG002 - one serves all
        """The solver of a single problem, which shares the centred columns and Gram matrix of the folds."""
        precompute = None if self._moments is None else True

        def inner(twin: Problem, **options: Any) -> Uncertified:
            columns = self.columns.with_penalty(twin.penalty)
            return solve_lasso(twin, columns=columns, precompute=precompute, **options)

        return partial(solve_at_unit_scale, inner=inner)

    def solver_at(self, path: Path, k: int) -> Callable[[Problem], Solver]:
        """Chooses the solver of the k-th problem of a path: that point is the solution, if the data prove it."""
        if not (path.unique[k] and path.stopped[k].good):
            return self.solver
        enough = min(_SURE, self.tol) * self.columns.size * self.units.unit**2

        def as_it_is(twin: Problem, *, start: tuple[Array, float], **_: Any) -> Uncertified:
            columns, coef = self.columns.with_penalty(twin.penalty), start[0]
            dual = columns.weight * columns.residual(coef)
            counts = dict.fromkeys(COUNTS, 0)
            given = int(path.n_iter[k]), path.stopped[k], NAME, counts
            return Uncertified(coef, columns.intercept(coef), dual, *given, unique=True)

        def solve(problem: Problem, **options: Any) -> Solution:
            solution = solve_at_unit_scale(problem, inner=as_it_is, **options)
            return solution if solution.gap <= enough else self.solver(problem)(problem, **options)

        return lambda _: solve

    def path(self, problem: Problem, alphas: Array) -> Path:
        """The solutions for all rows, not certified, from the centred columns and Gram matrix of the folds."""
        unit = problem.penalty.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        return drafted_path(
            problem,
            alphas,
            self.columns.with_penalty(unit),
            self.units,
            tol=self.tol,
            max_iter=self.max_iter,
            solver=self.solver,
        )

    def _are_independent(self, products: Array, unit: ElasticNet) -> bool:
        """Whether those free columns that are independent in all rows are so in a fold, by its Gram matrix."""
        free = (unit if self._spare is None else self._spare.hidden(unit)).free_features
        return free.size == 0 or is_regular(products[np.ix_(free, free)])

    def _shares_gram(self) -> bool:
        """Whether folds are to be solved by their Gram matrices."""
        shortest = min(train.size for train, _ in self.splits)
        if not self.twin.n_features <= min(shortest, _WIDEST):
            return False
        offset = self.columns.offset
        return not offset.any() or bool(np.all(offset**2 <= _FAR * self.columns.curvature))

    def _by_gram(self, fold: int, mean: Array, products: Array, unit: ElasticNet, alphas: Array) -> Iterator[Array]:
        """Weighted sums of squared errors, one array for each group of consecutive alphas.

        1. Solve the path by the Gram matrix.
        2. Predict the held-out rows.
        3. Solve the alphas that were not confirmed again, by the data.
        """
        hidden = unit if self._spare is None else self._spare.hidden(unit)
        allowed = np.flatnonzero(np.isfinite(hidden.strength))
        given = products[np.ix_(allowed, allowed)], products[allowed, -1], float(products[-1, -1]), unit.at(allowed)
        first = 0
        # 1.
        for found, good in rows_in_gram(*given, alphas, tol=self.tol, max_iter=self.max_iter):
            coefs = np.zeros((good.size, unit.strength.size))
            coefs[:, allowed] = found.coef
            good &= self._relax_by_gram(coefs, products, unit.positive)
            if self._spare is not None:
                coefs = self._spare.shared(coefs)
            # 2.
            losses = np.zeros(good.size)
            losses[good] = self._predicted(fold, mean, coefs[good])
            # 3.
            for k in np.flatnonzero(~good):
                losses[k] = self._again(fold, unit.times(alphas[first + k]), coefs[k])
            yield losses
            first += good.size

    def _relax_by_gram(self, coefs: Array, products: Array, positive: bool) -> NDArray[np.bool_]:
        """Mix solutions, in rows, with the fits without penalty to their features; whether each of these is unique."""
        good = np.ones(coefs.shape[0], dtype=bool)
        for k in range(coefs.shape[0]) if self.mixing < 1.0 else ():
            chosen = np.flatnonzero(coefs[k])
            if chosen.size == 0:
                continue
            free = ElasticNet(np.zeros(chosen.size), positive)
            part = products[np.ix_(chosen, chosen)], products[chosen, -1], 1.0, free, np.ones(1)
            refit, unique = next(rows_in_gram(*part, tol=self.tol, max_iter=self.max_iter))
            coefs[k] *= self.mixing
            coefs[k, chosen] += (1 - self.mixing) * refit.coef[0]
            good[k] = unique[0]
        return good

    def _fold(self, fold: int, penalty: ElasticNet) -> Problem:
        """The problem of the training rows; the others have a weight of zero."""
        train = self.splits[fold][0]
        weight = np.bincount(train, self.twin.weight[train], minlength=self.twin.n_samples)
        return replace(self.twin, weight=weight / weight.sum(), penalty=penalty)

    def _by_data(self, fold: int, unit: ElasticNet, alphas: Array) -> Iterator[float]:
        """The weighted sum of squared errors for each alpha."""
        problem = self._fold(fold, unit)
        columns = Centred(problem)
        known: dict[bytes, Array] = {}
        penalised = alphas[alphas > 0]
        tol, max_iter = self.tol, self.max_iter
        points = solve_lasso_path(problem, penalised, tol=tol, max_iter=max_iter, precompute=False, columns=columns)
        for alpha, point in zip(penalised, points, strict=True):
            coef = np.zeros(problem.n_features)
            coef[point.features] = point.coef
            if not point.stopped.good:
                yield self._again(fold, unit.times(alpha), coef)
            elif self.mixing == 1.0 and point.residual is not None:
                yield self._squares(fold, point.residual)
            else:
                yield self._squares(fold, columns.residual(self._relaxed_by_data(columns, coef, known)))
        for alpha in alphas[alphas <= 0]:
            yield self._again(fold, unit.times(alpha), np.zeros(problem.n_features))

    def _again(self, fold: int, penalty: ElasticNet, start: Array) -> float:
        """The weighted sum of squared errors for one alpha, from the data."""
        problem = self._fold(fold, penalty)
        columns = Centred(problem)
        tol, max_iter = self.tol, self.max_iter
        draft = solve_lasso(problem, start=(start, 0.0), tol=tol, max_iter=max_iter, columns=columns)
        return self._squares(fold, columns.residual(self._relaxed_by_data(columns, draft.coef, {})))

    def _relaxed_by_data(self, columns: Centred, coef: Array, known: dict[bytes, Array]) -> Array:
        """The solution mixed with the fit without penalty to its features; `known` holds the last such fit."""
        chosen = coef != 0
        if self.mixing == 1.0 or not chosen.any():
            return coef
        key = chosen.tobytes()
        if key not in known:
            known.clear()
            known[key] = refitted(columns, coef, self.tol, self.max_iter)
        return self.mixing * coef + (1 - self.mixing) * known[key]

    def _squares(self, fold: int, residual: Array) -> float:
        """The weighted sum of squared residuals of the held-out rows."""
        test = self.splits[fold][1]
        return float(self.twin.weight[test] @ residual[test] ** 2)

    def _predicted(self, fold: int, mean: Array, coefs: Array) -> Array:
        """Weighted sums of squared errors in the held-out rows, for solutions in rows."""
        used = np.flatnonzero(coefs.any(axis=0))
        coefs = coefs[:, used].T
        constant = mean[-1] - mean[used] @ coefs
        assert self._moments is not None
        known = self._moments.held(fold).losses(used, coefs, constant)
        if known is not None:
            return known
        losses = np.zeros(constant.size)
        for block in blocks(self.columns, self.splits[fold][1]):
            predicted = self._moments.design.take(block).matvec_of(used, coefs) + constant
            losses += self.columns.weight[block] @ (self.columns.y[block, None] - predicted) ** 2
        return losses


def _present(places: Index) -> Index:
    return places[places >= 0]


def refitted(columns: Centred, coef: Array, tol: float, max_iter: int) -> Array:
    """Least squares on the features whose coefficients are not zero."""
    free = columns.with_penalty(columns.penalty.released(coef != 0))
    draft = solve_lasso(free.problem, start=(coef, 0.0), tol=tol, max_iter=max_iter, columns=free)
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
        self._clipped = clip_targets(problem)
        self.tol, self.max_iter, self.choose, self.joint = tol, max_iter, choose, joint

    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:
        """Mean loss of the held-out rows for each alpha, less `constant`; `unit` is the penalty at alpha = 1."""
        train, test = self._rows(fold)
        part = self._part(train, unit)
        path = self.path(part, alphas)
        tol, max_iter = self.tol, self.max_iter
        coef, intercept = relaxed(
            part, path.coef, path.intercept, self.mixing, tol=tol, max_iter=max_iter, choose=self.choose
        )
        held = self._part(test, unit)
        if self._clipped is None:
            return losses_of(held, coef, intercept)
        near = replace(held, y=self._clipped.problem.y[test])
        return losses_of(near, coef, intercept) + self._clipped.crossed(held, test, coef, intercept)

    def constant(self, fold: int) -> float:
        """The part of the loss that `losses` leaves out, the same for all alphas: what clipping targets takes off."""
        test = self._rows(fold)[1]
        return 0.0 if self._clipped is None else self._clipped.constant(self.problem.weight[test], test)

    def _rows(self, fold: int) -> tuple[Index, Index]:
        """Training and held-out rows with a weight above zero."""
        train, test = (rows[self.problem.weight[rows] > 0] for rows in self.splits[fold])
        return train, test

    def _part(self, rows: Index, penalty: ElasticNet) -> Problem:
        """The problem of some of the rows."""
        given, weight = self.problem, self.problem.weight[rows]
        return replace(
            given, design=given.design.take(rows), y=given.y[rows], weight=weight / weight.sum(), penalty=penalty
        )

    def solver_at(self, path: Path, k: int) -> Callable[[Problem], Solver]:  # noqa: ARG002 - no point is proved here
        """Chooses the solver of the k-th problem of a path."""
        return self.choose

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
            free = problem.with_penalty(problem.penalty.released(chosen))
            start = coef[:, k], float(intercept[k])
            solution = choose(free)(free, start=start, tol=tol, max_iter=max_iter)
            before, found = chosen, (solution.coef, solution.intercept)
        coefs[:, k] += (1 - mixing) * found[0]
        intercepts[k] += (1 - mixing) * found[1]
    return coefs, intercepts
