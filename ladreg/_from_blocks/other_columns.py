"""Fits to other columns of the same span, where the columns of rows in blocks depend on each other, nearly.

The columns are those of `_presolve/other_columns`, orthogonal in rows of the sample.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import Array, Index, doubled_dot
from ladreg._design import DenseDesign, as_design
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request, changed, of_changed_rows
from ladreg._from_blocks.survey import Survey
from ladreg._presolve import OtherColumns
from ladreg._problem import Coefficients
from ladreg._row_blocks import Place, Rows, Summary
from ladreg._tolerances import EPS, SUMMED

_Found = TypeVar("_Found")

# Rows of the sample that are compared, for each column and at least.
_PER_COLUMN, _LEAST = 40, 2000
# A piecewise linear loss needs no Gram matrix. It takes other columns where one has less than 1e-4 of the size of its
# terms: rounding then costs a bound more than 1e-12 of it.
_CLOSE = 1e4


@dataclass(frozen=True)
class ColumnsInBlocks:
    """Columns of which the free ones are orthogonal in rows of the sample.

    Attributes
    ----------
    columns : OtherColumns
        What they are.
    hidden : ndarray of shape (k,)
        Those that keep too few digits of what they are computed from: a bound holds for columns of exactly the same
        span, and pays for what rounding adds to them with the coefficients of the optimum.
    level, rest : ndarray of shape (k,)
        What is subtracted from these, zero without an intercept: ``centre @ turn`` is their sum, `rest` is rounding.
    """

    columns: OtherColumns
    hidden: Index
    level: Array
    rest: Array

    @classmethod
    def of(cls, question: Question, seen: Survey) -> ColumnsInBlocks | None:
        """Columns for a question; None where the given ones need no others."""
        if sp.issparse(seen.sample.X) or seen.is_complete:
            return None
        some = as_design(seen.sample.X[: max(_PER_COLUMN * seen.n_features, _LEAST)])
        weight = np.full(some.n_samples, 1.0 / some.n_samples)
        columns = OtherColumns.of(some, weight, question.penalty, question.fit_intercept)
        if columns is None or not columns.is_complete:
            return None
        table = some.table()
        terms = np.abs(table - columns.centre).max(axis=0) @ np.abs(columns.turn)
        size = np.abs(columns.table(table)).max(axis=0)
        if question.loss.is_piecewise_linear and np.all(terms <= _CLOSE * size):
            return None
        hidden = np.flatnonzero(EPS * terms > SUMMED * size)
        levels = np.array([doubled_dot(columns.centre, columns.turn[:, k]) for k in hidden.tolist()]).reshape(-1, 2)
        return cls(columns, hidden, levels[:, 0], levels[:, 1])

    def coefficients(self, found: Coefficients) -> Coefficients:
        """Coefficients of the columns that are there, from those of these columns."""
        intercept = found.intercept + float(self.rest @ found.coef[self.hidden])
        return self.columns.coefficients(found.coef, intercept)

    def question(self, question: Question) -> Question:
        """The question for these columns."""
        return replace(question, penalty=question.penalty.at(self.columns.features))

    def survey(self, seen: Survey) -> Generator[Request, Summary, Survey]:
        """The survey of the rows with these columns."""
        ranges = yield "survey", changed, (self.rows, _ranges, ())
        return replace(
            seen,
            low=ranges.low["x"],
            high=ranges.high["x"],
            size=ranges.sums["size"] / ranges.sums["n"],
            sample=self.rows(seen.sample),
        )

    def asking(self, fit: Generator[Request, Summary, _Found]) -> Generator[Request, Summary, _Found]:
        """What a fit to these columns asks, as tasks for rows with the columns that are there."""
        return of_changed_rows(self.rows, fit)

    def rows(self, rows: Rows) -> Rows:
        """Rows with these columns."""
        X = np.asarray(rows.X, dtype=np.float64)
        table, own, nothing = self.columns.table(X), as_design(X), np.zeros(rows.y.size)
        for k, level in zip(self.hidden.tolist(), self.level.tolist(), strict=True):
            np.negative(own.accurate_residual(self.columns.turn[:, k], nothing, -level), out=table[:, k])
        return rows._replace(X=table)


def _ranges(place: Place, rows: Rows) -> Summary:  # noqa: ARG001
    """Ranges of the columns of a tile, and the sums of their sizes."""
    design = as_design(rows.X)
    assert isinstance(design, DenseDesign)
    low, high, size = design.ranges()
    return Summary(sums={"n": rows.y.size, "size": size}, low={"x": low}, high={"x": high})
