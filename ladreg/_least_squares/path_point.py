"""The record of one solution along a path of the lasso, and arrays of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._least_squares.dependent_columns import Redundant
from ladreg._problem import StopReason


class PathPoint(NamedTuple):
    """The solution for one alpha, at unit scale.

    Attributes
    ----------
    features, coef
        The features that may be different from zero, and their coefficients.
    n_iter
        Epochs and steps.
    stopped
        Why the solver stopped.
    unique
        Whether the optimum was proved to be a single point; None where that was not tried.
    residual
        Centred residuals of all rows, where they were computed.
    """

    features: Index
    coef: Array
    n_iter: int
    stopped: StopReason
    unique: bool | None
    residual: Array | None = None


def gathered(points: Sequence[PathPoint]) -> tuple[Index, Array]:
    """The features of any of the points, and their coefficients in all of them, one column each."""
    used, place = numbered(np.concatenate([point.features for point in points]))
    coefs = np.zeros((used.size, len(points)))
    column = np.repeat(np.arange(len(points)), [point.features.size for point in points])
    coefs[place, column] = np.concatenate([point.coef for point in points])
    return used, coefs


def numbered(features: Index) -> tuple[Index, Index]:
    """The distinct features of a list, ascending, and the place among these of each entry of the list."""
    listed = np.bincount(features) > 0
    return np.flatnonzero(listed), (np.cumsum(listed) - 1)[features]


def nonzeros(coef: Array, features: Index) -> Iterator[tuple[Index, Array]]:
    """The features and values of the nonzero coefficients in each row; columns belong to `features`."""
    row, column = np.nonzero(coef)
    chosen, values = features[column], coef[row, column]
    ends = np.searchsorted(row, np.arange(coef.shape[0] + 1)).tolist()
    for first, last in pairwise(ends):
        yield chosen[first:last], values[first:last]


def shared(point: PathPoint, spare: Redundant, n_features: int) -> PathPoint:
    """The canonical solution for one without redundant columns: equal columns have equal coefficients, and those of
    dependent free columns are the shortest.

    A point that is not unique even without redundant columns is marked as stalled, to be solved on its own.
    """
    coef = np.zeros(n_features)
    coef[point.features] = point.coef
    unique = point.unique and not spare.leave_open(coef != 0)
    coef = spare.shared(coef)
    features = np.flatnonzero(coef)
    stopped = StopReason.STALLED if point.unique is False else point.stopped
    return point._replace(features=features, coef=coef[features], stopped=stopped, unique=unique)
