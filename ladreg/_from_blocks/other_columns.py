"""Fits to other columns of the same span, where the columns of rows in blocks depend on each other, nearly.

The columns are those of `_presolve/other_columns`, orthogonal in rows of the sample.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from ladreg._design import DenseDesign, as_design
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request, changed, of_changed_rows
from ladreg._from_blocks.survey import Survey
from ladreg._presolve import OtherColumns
from ladreg._row_blocks import Place, Rows, Summary

_Found = TypeVar("_Found")

# Rows of the sample that are compared, for each column and at least.
_PER_COLUMN, _LEAST = 40, 2000


def other_columns(question: Question, seen: Survey) -> OtherColumns | None:
    """Columns of which the free ones are orthogonal in rows of the sample; None where the given ones need no others."""
    if sp.issparse(seen.sample.X) or seen.is_complete:
        return None
    some = as_design(seen.sample.X[: max(_PER_COLUMN * seen.n_features, _LEAST)])
    weight = np.full(some.n_samples, 1.0 / some.n_samples)
    columns = OtherColumns.of(some, weight, question.penalty, question.fit_intercept)
    return columns if columns is not None and columns.is_complete else None


def asked_of(question: Question, columns: OtherColumns) -> Question:
    """The question for these columns."""
    return replace(question, penalty=question.penalty.at(columns.features))


def survey(columns: OtherColumns, seen: Survey) -> Generator[Request, Summary, Survey]:
    """The survey of the rows with these columns."""
    ranges = yield "survey", changed, (partial(_rows, columns), _ranges, ())
    return replace(
        seen,
        low=ranges.low["x"],
        high=ranges.high["x"],
        size=ranges.sums["size"] / ranges.sums["n"],
        sample=_rows(columns, seen.sample),
    )


def asking(columns: OtherColumns, fit: Generator[Request, Summary, _Found]) -> Generator[Request, Summary, _Found]:
    """What a fit to these columns asks, as tasks for rows with the columns that are there."""
    return of_changed_rows(partial(_rows, columns), fit)


def _rows(columns: OtherColumns, rows: Rows) -> Rows:
    """Rows with these columns."""
    return rows._replace(X=columns.table(np.asarray(rows.X, dtype=np.float64)))


def _ranges(place: Place, rows: Rows) -> Summary:  # noqa: ARG001
    """Ranges of the columns of a tile, and the sums of their sizes."""
    design = as_design(rows.X)
    assert isinstance(design, DenseDesign)
    low, high, size = design.ranges()
    return Summary(sums={"n": rows.y.size, "size": size}, low={"x": low}, high={"x": high})
