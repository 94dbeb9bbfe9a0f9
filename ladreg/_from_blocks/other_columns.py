"""Fits to other columns of the same span, where the columns of rows in blocks depend on each other, nearly.

Products of columns that differ by 1e-5 of their size have half of their digits in the difference, and squares of it
none. Where no coefficient is penalised or bounded, the columns may be replaced by what each has beside those before it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ladreg._arrays import Array
from ladreg._design import DenseDesign, as_design
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey
from ladreg._problem import Coefficients, Solution
from ladreg._row_blocks import Place, Rows, Summary
from ladreg._tolerances import HALF_DIGITS, SOLVED

# Other columns are taken where one has at most 1e-3 of its length, or less, beside those before it (squared, 64 times
# what counts as flat); rows of the sample that are compared, for each column and at least.
_NEAR, _PER_COLUMN, _LEAST = 64.0, 40, 2000


@dataclass(frozen=True)
class OtherColumns:
    """The columns ``(x - centre) @ turn``, with `turn` upper triangular and regular."""

    centre: Array
    turn: Array

    @classmethod
    def of(cls, question: Question, seen: Survey) -> OtherColumns | None:
        """Columns that are orthogonal in rows of the sample; None where those that are there need no others."""
        penalty, given = question.penalty, seen.sample.X
        is_bare = not (penalty.strength.any() or penalty.curved or penalty.positive or penalty.limited)
        if not is_bare or sp.issparse(given) or seen.is_complete:
            return None
        some: Any = np.asarray(given[: max(_PER_COLUMN * seen.n_features, _LEAST)], dtype=np.float64)
        centre = some.mean(axis=0) if question.fit_intercept else np.zeros(seen.n_features)
        if some.shape[0] <= seen.n_features or not np.isfinite(centre).all():
            return None
        table = some - centre
        length = np.linalg.norm(table, axis=0)
        if not (length > SOLVED * np.linalg.norm(some, axis=0)).all():
            return None
        triangle = np.linalg.qr(table / length, mode="r")
        left = np.abs(np.diag(triangle)).min()
        if left**2 > _NEAR * HALF_DIGITS or left <= SOLVED:
            return None
        size = np.sqrt(some.shape[0])
        inverse = scipy.linalg.solve_triangular(triangle, np.diag(np.full(length.size, size)))
        return cls(centre, np.asarray(inverse / length[:, None]))

    def rows(self, rows: Rows) -> Rows:
        """Rows with these columns."""
        return rows._replace(X=(np.asarray(rows.X, dtype=np.float64) - self.centre) @ self.turn)

    def coefficients(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the columns that are there, from those of these columns."""
        there = self.turn @ coef
        return Coefficients(there, intercept - float(self.centre @ there))

    def survey(self, seen: Survey) -> Generator[Request, Summary, Survey]:
        """The survey of the rows with these columns."""
        ranges = yield "survey", _with_columns, (self, _ranges, ())
        return replace(
            seen,
            low=ranges.low["x"],
            high=ranges.high["x"],
            size=ranges.sums["size"] / ranges.sums["n"],
            sample=self.rows(seen.sample),
        )

    def asking(self, fit: Generator[Request, Summary, Solution]) -> Generator[Request, Summary, Solution]:
        """What a fit to these columns asks, as tasks for rows with the columns that are there."""
        answer: Summary | None = None
        while True:
            try:
                name, task, common = next(fit) if answer is None else fit.send(answer)
            except StopIteration as end:
                found: Solution = end.value
                return found
            answer = yield name, _with_columns, (self, task, common)


def _with_columns(place: Place, rows: Rows, columns: OtherColumns, task: Any, common: tuple[Any, ...]) -> Summary:
    """What a task finds of a tile with other columns."""
    found: Summary = task(place, columns.rows(rows), *common)
    return found


def _ranges(place: Place, rows: Rows) -> Summary:  # noqa: ARG001
    """Ranges of the columns of a tile, and the sums of their sizes."""
    design = as_design(rows.X)
    assert isinstance(design, DenseDesign)
    low, high, size = design.ranges()
    return Summary(sums={"n": rows.y.size, "size": size}, low={"x": low}, high={"x": high})
