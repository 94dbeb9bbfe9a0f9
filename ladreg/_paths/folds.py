"""Losses of held-out rows along a path with any loss, one fold of a cross-validation at a time.

Training rows are gathered for each fold; where rows are many, the folds are solved from the path of all rows. Squared
losses have `SquaredFolds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._least_squares import works_in_gram
from ladreg._paths.fold_moments import Split
from ladreg._paths.knots import path_of_knots
from ladreg._paths.path import Miss, Path, losses_of, solve_path
from ladreg._paths.squared_folds import SquaredFolds
from ladreg._piecewise import FoldSolutions, follow_folds, shares_rows, solve_folds
from ladreg._presolve import clip_targets
from ladreg._problem import Coefficients, ElasticNet, Problem, Settings, Solver
from ladreg._solvers import confirm, solve


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
        estimate: Callable[[Problem], Problem],
    ) -> None:
        self.problem, self.splits, self.mixing, self.estimate = problem, splits, mixing, estimate
        self.number = len(splits)
        self._clipped = clip_targets(problem)
        self.settings = settings
        self._known: KnownFits | None = None
        self.missed: list[Miss] = []

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
            self.missed += path.misses(part)
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
            self.missed += path.misses(part)
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
