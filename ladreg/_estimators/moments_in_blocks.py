"""Estimators with a squared loss and data in blocks: few rows with the same moments are fitted in place of all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array, Index, exact_dot
from ladreg._design import Design, as_design
from ladreg._estimators.in_blocks import check_features, name_features, names_of, opened, splits_of
from ladreg._estimators.validation import Data
from ladreg._estimators.verification import given_coefficients
from ladreg._from_blocks import (
    ColumnFolds,
    EquivalentRows,
    IndependentColumns,
    Moments,
    RowFolds,
    TurnedColumns,
    certified_squares,
    corrected_target,
    moments,
)
from ladreg._problem import Coefficients, Problem, Settings, Solution
from ladreg._row_blocks import Passes
from ladreg._solvers import largest_alpha, solve, verify
from ladreg._tolerances import PROVED_GAP

# Passes that correct a fit, at most: each leaves the square of what was wrong before, where digits are left.
_CORRECTIONS = 2
# The same where columns nearly depend on each other: each of all but the first may turn these, in one pass more.
_CORRECTIONS_TURNED = 4


@dataclass(frozen=True)
class _RowData(Data):
    """Equivalent rows as training data; `about` are the same rows, held as their differences from means."""

    about: Design

    def deviations(self) -> Array:
        return self.about.deviations(self.weight)


@dataclass(frozen=True)
class MomentData:
    """Data in blocks after a pass: their moments, rows with the same ones, and these as `Data`.

    `known` are independent columns for the free features that were asked about.
    """

    passes: Passes
    names: list[str] | None
    moments: Moments
    rows: EquivalentRows
    data: Data
    known: dict[tuple[bytes, bool], IndependentColumns | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls, passes: Passes, folds: RowFolds | ColumnFolds | None, fit_intercept: bool, least: int = 1
    ) -> MomentData:
        """The moments of data in blocks, in one pass; None for one fold of all rows."""
        names = names_of(passes)
        all_rows = RowFolds(np.array([0, passes.n_rows], dtype=np.intp))
        seen = moments(passes, all_rows if folds is None else folds, names, least)
        rows = EquivalentRows.of(seen, fit_intercept)
        about = as_design(rows.about).rescaled(-rows.near, np.ones_like(rows.near))
        data = _RowData(as_design(rows.X), rows.y[:, None], rows.weight, seen.dtype, single=True, about=about)
        return cls(passes, names, seen, rows, data)

    @property
    def original(self) -> Data:
        """The rows as `Data` with columns that are not shifted, whose sizes say what float32 can hold."""
        middle = self.rows.shift[:-1]
        design = self.data.design.rescaled(-middle, np.ones_like(middle))
        return replace(self.data, design=design, Y=self.data.Y + self.rows.shift[-1])

    def original_problem(self, problem: Problem) -> Problem:
        """A problem of the rows with targets that are not shifted."""
        return replace(problem, y=self.original.Y[:, 0])

    @property
    def splits(self) -> list[tuple[Index, Index]]:
        """The training and held-out rows of each fold."""
        return splits_of(self.data.weight.size, self.rows.folds)

    def largest_alpha(self, problem: Problem) -> float:
        """The largest useful alpha of a problem of these rows."""
        return largest_alpha(problem)

    def certified(self, problem: Problem, solution: Solution, settings: Settings) -> Solution:
        """The solution of a problem of these rows, in the user's units, proved from all rows, in one pass.

        Where all rows leave a gap that these rows do not have, digits were lost in the sums: the slopes that all rows
        have there correct the target, and the problem is solved and proved again. Where that is not enough, columns
        nearly depend on each other, and rows with the moments of turned columns take the place of these.
        """
        best, slope = self._proved(problem, solution, settings.tol)
        if best.relative_gap <= PROVED_GAP:
            return best
        turned = TurnedColumns.of(self.moments.total)
        for number in range(_CORRECTIONS if turned is None else _CORRECTIONS_TURNED):
            is_lost = best.gap > 10.0 * solution.gap
            if best.relative_gap <= PROVED_GAP or not (is_lost or turned is not None):
                break
            given = solution.coefficients
            if turned is not None and (number > 0 or not is_lost):
                problem, turned = self._turned(problem, given, turned)
            else:
                X = problem.design.table()
                y = corrected_target(X, problem.y, problem.weight, given, slope, problem.fit_intercept)
                problem = replace(problem, y=y)
            solution = solve(problem, replace(settings, tol=min(settings.tol, PROVED_GAP)), given)
            found, slope = self._proved(problem, solution, settings.tol)
            if turned is None and number > 0 and found.gap >= best.gap:
                break
            if found.gap < best.gap:
                best = found
        return best

    def _turned(
        self, problem: Problem, given: Coefficients, columns: TurnedColumns
    ) -> tuple[Problem, TurnedColumns | None]:
        """The problem of rows with the moments of turned columns, in one pass; and columns that are turned further."""
        centre, shift = self.moments.total.near, self.rows.shift
        level = given.intercept
        if not problem.fit_intercept:
            level = exact_dot(centre[:-1], given.coef, -float(centre[-1]))
        seen = columns.moments(self.passes, float(centre[-1]), Coefficients(given.coef, level))
        if not np.isfinite(seen.products).all():
            return problem, None
        X, residual = columns.rows(seen)
        X = X + (centre - shift)[:-1]
        y = residual + X @ given.coef + given.intercept
        weight = np.full(y.size, 1.0 / y.size)
        return replace(problem, design=as_design(X), y=y, weight=weight), columns.turned(seen.columns)

    def _proved(self, problem: Problem, solution: Solution, tol: float) -> tuple[Solution, Array]:
        intercept = self.intercepts(problem, solution.coef[None], np.array([solution.intercept]))
        return self.proved(problem, replace(solution, intercept=float(intercept[0])), tol)

    def intercepts(self, problem: Problem, coefs: Array, intercepts: Array) -> Array:
        """Intercepts of fits to the rows, one per row of `coefs`, in the user's units."""
        if not problem.fit_intercept:
            return intercepts
        back, y_shift = -self.rows.shift[:-1], float(self.rows.shift[-1])
        return np.array([exact_dot(back, *each, y_shift) for each in zip(coefs, intercepts, strict=True)])

    def proved(self, problem: Problem, solution: Solution, tol: float) -> tuple[Solution, Array]:
        """A solution in the user's units, proved from all rows, in one pass; and the slopes."""
        columns = self._independent_columns(problem)
        return certified_squares(
            self.passes, self.moments.total, problem.penalty, solution, tol, problem.fit_intercept, columns
        )

    def _independent_columns(self, problem: Problem) -> IndependentColumns | None:
        """What is proved in place of the columns where free ones nearly depend on each other; asked for once."""
        key = problem.penalty.free_features.tobytes(), problem.fit_intercept
        if key not in self.known:
            total, penalty = self.moments.total, problem.penalty
            self.known[key] = IndependentColumns.of(self.passes, total, penalty, problem.fit_intercept)
        return self.known[key]

    def judged(self, problem: Problem, given: Coefficients) -> Solution:
        """Given coefficients, in the user's units, proved from all rows, in one pass."""
        inside = given.intercept - float(self.intercepts(problem, given.coef[None], np.zeros(1))[0])
        near = verify(problem, given.coef, inside)
        return self.proved(problem, replace(near, intercept=given.intercept), 0.0)[0]

    def name_features(self, estimator: Any) -> None:
        """Set what `validate_data` sets."""
        name_features(estimator, self.data.design.n_features, self.names)

    def check_features(self, estimator: Any) -> None:
        """A ValueError unless the features are those of the fit."""
        check_features(estimator, self.data.design.n_features, self.names)


def verified_by_moments(model: Any, X: Any, y: Any, sample_weight: Any) -> list[Solution]:
    """The coefficients of a model with a squared loss, proved from data in blocks in two passes."""
    given = MomentData.of(opened(X, y, sample_weight)[0], None, bool(model.fit_intercept))
    given.check_features(model)
    problem = model._problems(given.data, model._penalty_again(given.data))[0]
    coefs, intercepts = given_coefficients(model, [problem], given.data)
    return [given.judged(problem, Coefficients(coefs[0], float(intercepts[0])))]
