"""Losses of held-out rows along a path with the squared loss, one fold of a cross-validation at a time.

For more rows than features a fold's Gram matrix is that of all rows minus that of the held-out ones, so that its rows
are not multiplied again. For more features, held-out rows have a weight of zero. X is shared by all folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, is_regular
from ladreg._cached import cached_property
from ladreg._certificate import Proof, prove
from ladreg._least_squares import (
    COUNTS,
    NAME,
    Centred,
    LeastSquaresTuning,
    redundant,
    rows_in_gram,
    solve_lasso,
    solve_lasso_path,
)
from ladreg._paths.fold_moments import FoldMoments, Split, blocks
from ladreg._paths.path import Miss, Path, drafted_path, far_from_proved
from ladreg._presolve import certified, scaled, solve_at_unit_scale
from ladreg._problem import (
    TOO_LARGE,
    Coefficients,
    ElasticNet,
    Problem,
    Settings,
    Solution,
    Solver,
    StopReason,
    Uncertified,
)
from ladreg._solvers import solve
from ladreg._tolerances import PROVED_GAP

# Gram matrices of columns that are not centred before they are multiplied (sparse ones, and all without an intercept)
# are used if each squared mean is at most 1e3 times the variance: rounding of the products is then at most 1e-12 of the
# variances.
_FAR = 1e3


class SquaredFolds:
    """Cross-validation of a path with the squared loss.

    Parameters
    ----------
    problem
        All rows, with the penalty at alpha = 1.
    splits
        Training and held-out rows of each fold.
    settings
        As for `solve_path`.
    mixing
        Share of the penalised fit in a relaxed one; the rest is the fit without penalty to its features.

    Attributes
    ----------
    missed
        The fits to training rows, so far, that are far from proved.
    """

    def __init__(
        self,
        problem: Problem,
        splits: Sequence[Split],
        settings: Settings,
        *,
        mixing: float,
    ) -> None:
        self.settings, self.mixing, self.number = settings, mixing, len(splits)
        self.twin, self.units = scaled(problem)
        if self.units.rows.size:
            place = np.full(problem.n_samples, -1, dtype=np.intp)
            place[self.units.rows] = np.arange(self.units.rows.size)
            splits = [(_present(place[train]), _present(place[test])) for train, test in splits]
        self.splits = splits
        self.missed: list[Miss] = []
        self.columns = Centred(self.twin)
        self._moments = FoldMoments(self.columns, splits) if self._shares_gram() else None
        if self._moments is not None:
            self.columns.know(self._moments.gram(), self._moments.slope())
        limited = problem.penalty.limited  # equal or dependent columns may have different limits
        self._spare = None if limited else redundant(self.columns, self.columns.slope)

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

    def solve(self, problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
        """Solve a single problem, by the centred columns and the Gram matrix of the folds."""
        if problem.penalty.limited:
            return solve(problem, settings, start)
        settings = replace(settings, precompute=None if self._moments is None else True)
        return solve_at_unit_scale(problem, settings, start, engine=self._on_known_columns)

    def _on_known_columns(self, problem: Problem, settings: Settings, start: Coefficients | None = None) -> Uncertified:
        return solve_lasso(problem, settings, start, columns=self.columns.with_penalty(problem.penalty))

    def solver_at(self, path: Path, k: int) -> Solver:
        """The solver of the k-th problem of a path from its k-th point, which is the solution if the data prove it."""
        if not (path.unique[k] and path.stopped[k].good):
            return self.solve
        return partial(self._confirm, n_iter=int(path.n_iter[k]), stopped=path.stopped[k])

    def _confirm(
        self,
        problem: Problem,
        settings: Settings,
        start: Coefficients | None = None,
        *,
        n_iter: int,
        stopped: StopReason,
    ) -> Solution:
        """The solution at the start itself if the data prove it, else by `solve` from there."""
        assert start is not None
        twin = self.twin.with_penalty(self._unit_of(problem))
        columns = self.columns.with_penalty(twin.penalty)
        coef, _ = self.units.to_scaled(*start)
        dual, counts = columns.weight * columns.residual(coef), dict.fromkeys(COUNTS, 0)
        point = Uncertified(coef, columns.intercept(coef), dual, n_iter, stopped, NAME, counts, unique=True)
        with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
            solution = certified(problem, twin, self.units, point)
        enough = min(PROVED_GAP, settings.tol) * self.columns.size * self.units.unit**2
        return solution if solution.gap <= enough else self.solve(problem, settings, start)

    def _unit_of(self, problem: Problem) -> ElasticNet:
        """The penalty of a problem of all rows, at unit scale."""
        return problem.penalty.rescaled(self.units.column_scale * self.units.unit, self.units.factor)

    def path(
        self,
        problem: Problem,
        alphas: Array,
        most: int | None = None,
        keep: int | None = None,  # noqa: ARG002 - a point of the path has its residuals for a dual
    ) -> Path:
        """The solutions for all rows, not certified, from the centred columns and Gram matrix of the folds.

        It ends as `solve_path` says of `most`.
        """
        columns = self.columns.with_penalty(self._unit_of(problem))
        return drafted_path(problem, alphas, columns, self.units, self.settings, solve=self.solve, most=most)

    def _are_independent(self, products: Array, unit: ElasticNet) -> bool:
        """Whether those free columns that are independent in all rows are so in a fold, by its Gram matrix."""
        free = (unit if self._spare is None else self._spare.hidden(unit)).free_features
        return free.size == 0 or is_regular(products[np.ix_(free, free)])

    def _shares_gram(self) -> bool:
        """Whether folds are to be solved by their Gram matrices."""
        shortest = min(train.size for train, _ in self.splits)
        if not self.twin.n_features <= min(shortest, self.settings.tuned(LeastSquaresTuning).largest_gram):
            return False
        offset = self.columns.offset
        return not self._are_far and (not offset.any() or bool(np.all(offset**2 <= _FAR * self.columns.curvature)))

    @cached_property
    def _are_far(self) -> bool:
        """Whether columns that no intercept centres are far from the origin."""
        shift, distance = self.twin.design.extent(True)
        return not self.twin.fit_intercept and bool(np.any((shift**2 > _FAR * distance**2) & (distance > 0)))

    def _needs_proof(self, penalty: ElasticNet) -> bool:
        """Whether fits go by `solve`: limits, or slopes of free columns far from the origin, which paths do not see."""
        return penalty.limited or (self._are_far and bool((penalty.strength == 0).any()))

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
        for found, good in rows_in_gram(*given, alphas, self.settings):
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
            refit, unique = next(rows_in_gram(*part, self.settings))
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
        if self._needs_proof(unit):
            yield from (self._again(fold, unit.times(alpha), unit.rest) for alpha in alphas.tolist())
            return
        problem = self._fold(fold, unit)
        columns = Centred(problem)
        known: dict[bytes, Array] = {}
        penalised = alphas[alphas > 0]
        points = solve_lasso_path(problem, penalised, replace(self.settings, precompute=False), columns=columns)
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
        found: Solution | Uncertified
        proof: Solution | Proof | None
        if self._needs_proof(penalty):
            found = proof = solve(problem, self.settings, Coefficients(start, columns.intercept(start)))
        else:
            found = solve_lasso(problem, self.settings, Coefficients(start, 0.0), columns=columns)
            proof = None if found.stopped.good else prove(problem, found.coef, found.intercept, found.dual)
        if proof is not None:
            self.missed += far_from_proved(problem, [(proof.gap, proof.relative_gap, found.stopped)])
        return self._squares(fold, columns.residual(self._relaxed_by_data(columns, found.coef, {})))

    def _relaxed_by_data(self, columns: Centred, coef: Array, known: dict[bytes, Array]) -> Array:
        """The solution mixed with the fit without penalty to its features; `known` holds the last such fit."""
        chosen = coef != 0
        if self.mixing == 1.0 or not chosen.any():
            return coef
        key = chosen.tobytes()
        if key not in known:
            known.clear()
            known[key] = refitted(columns, coef, self.settings)
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


def refitted(columns: Centred, coef: Array, settings: Settings) -> Array:
    """Least squares on the features whose coefficients are not zero."""
    free = columns.with_penalty(columns.penalty.released(coef != 0))
    return solve_lasso(free.problem, settings, Coefficients(coef, 0.0), columns=free).coef
