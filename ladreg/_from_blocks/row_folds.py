"""Folds of rows in blocks, by their order or by a column, and the training rows of a fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._row_blocks import Place, Rows, picked


@dataclass(frozen=True)
class RowFolds:
    """Folds of consecutive rows: fold k begins at row ``first[k]``."""

    first: Index

    def split(self, place: Place, rows: Rows) -> Iterator[tuple[float, Any]]:
        """The folds of a tile, and their rows."""
        begin, end = place.first, place.first + rows.y.size
        for fold in range(self.first.size - 1):
            a, b = max(int(self.first[fold]), begin), min(int(self.first[fold + 1]), end)
            if a < b:
                yield float(fold), slice(a - begin, b - begin)

    def number(self) -> int:
        """Number of folds."""
        return self.first.size - 1


@dataclass(frozen=True)
class ColumnFolds:
    """A fold for each value of a column of X."""

    column: int

    def split(self, place: Place, rows: Rows) -> Iterator[tuple[float, Any]]:  # noqa: ARG002 - as for RowFolds
        """The folds of a tile, and their rows."""
        values: Any = rows.X[:, [self.column]]
        values = (values if isinstance(values, np.ndarray) else values.toarray())[:, 0]
        for value in np.unique(values).tolist():
            yield float(value), np.flatnonzero(values == value)

    def number(self) -> int:
        """Number of folds that a tile may have at least."""
        return 1


def names_of_folds(folds: RowFolds | ColumnFolds, met: Any, least: int) -> list[float]:
    """The folds in their order, of those with rows of positive weight; a ValueError unless there are `least`."""
    wanted = [float(fold) for fold in range(folds.number())] if isinstance(folds, RowFolds) else sorted(met)
    for fold in wanted:
        if fold not in met:
            raise ValueError(f"fold {fold:.0f} of cv has no held-out rows, or none with a weight above zero.")
    if len(wanted) < least:
        raise ValueError(f"the column given by cv must have at least {least} distinct values, got only {wanted[0]:g}.")
    return wanted


def labels(folds: RowFolds | ColumnFolds, place: Place, rows: Rows) -> Array:
    """The fold of each row of a tile."""
    found = np.zeros(rows.y.size)
    for fold, chosen in folds.split(place, rows):
        found[chosen] = fold
    return found


@dataclass(frozen=True)
class Training:
    """The rows of all folds but one."""

    folds: RowFolds | ColumnFolds
    fold: float

    def of(self, place: Place, rows: Rows) -> Rows:
        """Those of a tile: copies where some of its rows are in the fold."""
        chosen = np.flatnonzero(labels(self.folds, place, rows) != self.fold)
        return rows if chosen.size == rows.y.size else picked(rows, chosen)
