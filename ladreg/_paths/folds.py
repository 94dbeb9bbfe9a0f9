"""Losses of held-out rows along a path, one fold of a cross-validation at a time; X is shared by all folds.

For the squared loss and more rows than features a fold's Gram matrix is that of all rows minus that of the held-out
ones, so that its rows are not multiplied again. For more features, held-out rows have a weight of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, is_regular
from ladreg._least_squares import (
    COUNTS,
    NAME,
    Centred,
    LeastSquaresTuning,
    redundant,
    rows_in_gram,
    solve_lasso,
    solve_lasso_path,
    works_in_gram,
)
from ladreg._paths.fold_moments import FoldMoments, Split, blocks
from ladreg._paths.knots import path_of_knots
from ladreg._paths.path import Path, drafted_path, losses_of, solve_path
from ladreg._piecewise import FoldSolutions, follow_folds, shares_rows, solve_folds
from ladreg._presolve import certified, clip_targets, scaled, solve_at_unit_scale
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
from ladreg._solvers import confirm, solve
from ladreg._tolerances import PROVED_GAP

# Do so for sparse columns if each squared mean is at most 1e3 times the variance: they are centred in their products.
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
        columns = self.columns.with_penalty(self._unit_of(problem))
        coef, _ = self.units.to_scaled(*start)
        dual, counts = columns.weight * columns.residual(coef), dict.fromkeys(COUNTS, 0)
        point = Uncertified(coef, columns.intercept(coef), dual, n_iter, stopped, NAME, counts, unique=True)
        with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
            solution = certified(problem, self.units, point)
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
        if unit.limited:
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
        if penalty.limited:
            coef = solve(problem, self.settings, Coefficients(start, columns.intercept(start))).coef
            return self._squares(fold, columns.residual(coef))
        draft = solve_lasso(problem, self.settings, Coefficients(start, 0.0), columns=columns)
        return self._squares(fold, columns.residual(self._relaxed_by_data(columns, draft.coef, {})))

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


@dataclass(frozen=True)
class KnownFits:
    """The fits of all folds at some alphas, solved from the path of all rows; `penalty` is that at alpha = 1."""

    penalty: ElasticNet
    alphas: Array
    found: FoldSolutions

    def followed_by(self, other: KnownFits) -> KnownFits:
        """The fits of both, at all their alphas."""
        mine, theirs = self.found, other.found
        found = FoldSolutions(
            np.concatenate([mine.coef, theirs.coef], axis=1),
            np.concatenate([mine.intercept, theirs.intercept], axis=1),
            np.concatenate([mine.proved, theirs.proved], axis=1),
            mine.rows_read + theirs.rows_read,
        )
        return KnownFits(self.penalty, np.concatenate([self.alphas, other.alphas]), found)

    def fill(self, fold: int, alphas: Array, unit: ElasticNet, coef: Array, intercept: Array) -> NDArray[np.bool_]:
        """Put the fits that are known into columns of `coef` and into `intercept`; which alphas are left."""
        is_open = np.ones(alphas.size, dtype=bool)
        if not np.array_equal(unit.strength, self.penalty.strength):
            return is_open
        place = {alpha: k for k, alpha in enumerate(self.alphas.tolist()) if self.found.proved[fold, k]}
        for at, alpha in enumerate(alphas.tolist()):
            k = place.get(alpha)
            if k is not None:
                coef[:, at], intercept[at] = self.found.coef[fold, k], self.found.intercept[fold, k]
                is_open[at] = False
        return is_open


class Folds:
    """Cross-validation of a path with any loss: training rows are gathered for each fold.

    Held-out losses of all folds are those of `problem.loss`, whatever loss `estimate` gives the training rows.

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
    estimate
        The problem of some rows with what is estimated from these rows before the fit.
    """

    def __init__(
        self,
        problem: Problem,
        splits: Sequence[Split],
        settings: Settings,
        *,
        mixing: float,
        estimate: Callable[[Problem], Problem],
    ) -> None:
        self.problem, self.splits, self.mixing, self.estimate = problem, splits, mixing, estimate
        self.number = len(splits)
        self._clipped = clip_targets(problem)
        self.settings = settings
        self._known: KnownFits | None = None

    def shares_rows(self, problem: Problem) -> bool:
        """Whether `know` makes folds faster; `problem` has the rows of weight above zero."""
        is_plain = self.settings.solver == "auto" and problem.facts.weights_are_alike
        return is_plain and shares_rows(problem, len(self.splits), self.settings)

    @property
    def knows(self) -> bool:
        """Whether the folds were solved from the path of all rows at some alphas."""
        return self._known is not None

    def follow(self, problem: Problem, alphas: Array) -> Path:
        """The path of all rows, solved together with the folds, where `shares_rows` says that it helps.

        The penalty at alpha = 1 must be the same in all folds. Gaps are not computed where a vertex is proved to be the
        only optimum.
        """
        path = Path.empty(problem, alphas)
        path.fill(slice(0, 1), self.path(problem, alphas[:1]))
        found, whole = follow_folds(problem, alphas, self._trained(), self.settings, path.at(0))
        done = whole.proved.size
        proved = slice(1, done)
        path.coef[:, proved], path.intercept[proved] = whole.coef[0, proved].T, whole.intercept[0, proved]
        for values in (path.objective, path.gap, path.relative_gap):
            values[proved] = np.nan
        path.unique[proved] = True
        self._known = KnownFits(problem.penalty, alphas[:done], found)
        if done < alphas.size:
            rest = self.path(problem, alphas[done:])
            path.fill(slice(done, alphas.size), rest)
            self.know(problem, rest)
        return path

    def _trained(self) -> list[Index]:
        """The training rows of each fold, numbered among the rows with a weight above zero."""
        place = np.cumsum(self.problem.weight > 0) - 1
        return [place[self.rows(fold)[0]] for fold in range(len(self.splits))]

    def know(self, problem: Problem, path: Path) -> None:
        """Solve the folds from the path of all rows, where `shares_rows` says that it helps.

        The penalty at alpha = 1 must be the same in all folds.
        """
        new = ~np.isin(path.alphas, self._known.alphas) if self._known is not None else np.ones(path.alphas.size, bool)
        alphas = path.alphas[new]
        if alphas.size == 0:  # a grid of equal alphas
            return
        found = solve_folds(problem, alphas, path.coef[:, new], path.intercept[new], self._trained(), self.settings)
        known = KnownFits(problem.penalty, alphas, found)
        self._known = known if self._known is None else self._known.followed_by(known)

    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:
        """Mean loss of the held-out rows for each alpha, less `constant`; `unit` is the penalty at alpha = 1."""
        _, coef, intercept = self.fits(fold, alphas, unit)
        return self._held_out(fold, coef, intercept)

    def losses_between_knots(self, fold: int, end: float, unit: ElasticNet) -> tuple[Array, Array]:
        """The knots of a path down to the alpha `end`, as `path_of_knots` gives them, and `losses` above each."""
        knots, coef, intercept = self.fits(fold, end, unit)
        return knots, self._held_out(fold, coef, intercept)

    def fits(self, fold: int, alphas: Array | float, unit: ElasticNet) -> tuple[Array, Array, Array]:
        """The fits to the training rows: alphas, coefficients, a column for each, and intercepts.

        A number in the place of the alphas asks for those of all knots down to it.
        """
        if not isinstance(alphas, np.ndarray):
            part = self._training(fold, unit)
            path = path_of_knots(part, alphas, self.settings)
            return path.alphas, *relaxed(part, path.coef, path.intercept, self.mixing, self.settings)
        coef, intercept = np.zeros((self.problem.n_features, alphas.size), order="F"), np.zeros(alphas.size)
        is_open = np.ones(alphas.size, dtype=bool)
        if self._known is not None:
            is_open = self._known.fill(fold, alphas, unit, coef, intercept)
            if not is_open.any() and self.mixing == 1.0:
                return alphas, coef, intercept
        part = self._training(fold, unit)
        if is_open.any():
            path = self.path(part, alphas[is_open])
            coef[:, is_open], intercept[is_open] = path.coef, path.intercept
        return alphas, *relaxed(part, coef, intercept, self.mixing, self.settings)

    def _training(self, fold: int, unit: ElasticNet) -> Problem:
        """The problem of the training rows."""
        return self.estimate(self._part(self.rows(fold)[0], unit))

    def _held_out(self, fold: int, coef: Array, intercept: Array) -> Array:
        """Mean loss of the held-out rows, less `constant`, for several fits."""
        test = self.rows(fold)[1]
        held = self._part(test, self.problem.penalty)
        if self._clipped is None:
            # `SquaredFolds` gives squares, whatever part of them the loss is.
            return losses_of(held, coef, intercept) * (2.0 / held.loss.curvature if held.loss.is_square else 1.0)
        near = replace(held, y=self._clipped.problem.y[test])
        return losses_of(near, coef, intercept) + self._clipped.crossed(held, test, coef, intercept)

    def constant(self, fold: int) -> float:
        """The part of the loss that `losses` leaves out, the same for all alphas: what clipping targets takes off."""
        test = self.rows(fold)[1]
        return 0.0 if self._clipped is None else self._clipped.constant(self.problem.weight[test], test)

    def rows(self, fold: int) -> tuple[Index, Index]:
        """Training and held-out rows with a weight above zero."""
        train, test = (rows[self.problem.weight[rows] > 0] for rows in self.splits[fold])
        return train, test

    def _part(self, rows: Index, penalty: ElasticNet) -> Problem:
        """The problem of some of the rows."""
        given, weight = self.problem, self.problem.weight[rows]
        return replace(
            given, design=given.design.take(rows), y=given.y[rows], weight=weight / weight.sum(), penalty=penalty
        )

    def solver_at(self, path: Path, k: int) -> Solver:
        """The solver of the k-th problem of a path: its kept solution, if there is one and the data prove it again."""
        return partial(confirm, found=path.kept[k]) if k in path.kept else solve

    def path(self, problem: Problem, alphas: Array, most: int | None = None, keep: int | None = None) -> Path:
        """The solutions for the rows of `problem`, as `solve_path` gives them."""
        return solve_path(problem, alphas, self.settings, most, keep=keep)


def folds_of(
    problem: Problem,
    splits: Sequence[Split],
    settings: Settings,
    *,
    mixing: float,
    estimate: Callable[[Problem], Problem],
) -> Folds | SquaredFolds:
    """The cross-validation of a path: `SquaredFolds` if the loss is a square, otherwise `Folds`.

    Limits are for Gram matrices of all features, and not for relaxed fits.
    """
    if problem.loss.is_square and (not problem.penalty.limited or (mixing == 1.0 and works_in_gram(problem, settings))):
        return SquaredFolds(problem, splits, settings, mixing=mixing)
    return Folds(problem, splits, settings, mixing=mixing, estimate=estimate)


def relaxed(
    problem: Problem,
    coef: Array,
    intercept: Array,
    mixing: float,
    settings: Settings,
) -> tuple[Array, Array]:
    """The columns of `coef` and intercepts, mixed with those of fits without penalty to the same features."""
    if mixing == 1.0:
        return coef, intercept
    coefs, intercepts = mixing * coef, mixing * intercept
    before, found = None, Coefficients(np.zeros(0), 0.0)
    for k in range(intercept.size):
        chosen = coef[:, k] != 0
        if before is None or not np.array_equal(chosen, before):
            free = problem.with_penalty(problem.penalty.released(chosen))
            start = Coefficients(coef[:, k], float(intercept[k]))
            before, found = chosen, solve(free, settings, start).coefficients
        coefs[:, k] += (1 - mixing) * found.coef
        intercepts[k] += (1 - mixing) * found.intercept
    if problem.penalty.limited:
        coefs = problem.penalty.within(coefs.T).T
    return coefs, intercepts
