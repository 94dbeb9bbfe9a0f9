"""The lasso and the elastic net for a sequence of penalties: by the Gram matrix of all features, or by working sets.

Every solution starts from the one before; the caller certifies them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, are_regular
from ladreg._least_squares.centred import MOST_EPOCHS, Centred, duality_gap, without_rounding
from ladreg._least_squares.dependent_columns import redundant
from ladreg._least_squares.gram_path import GramPath, Stretch
from ladreg._least_squares.path_point import PathPoint, nonzeros, shared
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._least_squares.working_set_path import WorkingSetPath
from ladreg._problem import ElasticNet, Problem, Settings, StopReason
from ladreg._tolerances import AT_END, BALANCED, SQUARES_GAP


def solve_lasso_path(
    problem: Problem,
    alphas: Array,
    settings: Settings,
    *,
    columns: Centred | None = None,
    stats: dict[str, int] | None = None,
) -> Iterator[PathPoint]:
    """Solve a problem with loss `HalfSquared` at unit scale (see `scaling`) for each alpha.

    Parameters
    ----------
    problem
        With the penalty at alpha = 1; one with limits must be one that `works_in_gram`. Rows may have a weight of zero.
    alphas
        Decreasing, above zero.
    settings
        `tol` is the largest gap, relative to each objective, and `max_iter` (None for 10,000) the largest number of
        epochs and steps for each alpha. `precompute` says whether to work on the Gram matrix of all features.
    columns
        The problem with the intercept eliminated; None to compute it.
    stats
        Where the work of a path by working sets is counted.
    """
    if alphas.size == 0:
        return
    columns = columns or Centred(problem)
    # Columns that are equal or dependent may have different limits.
    spare = None if problem.penalty.limited else redundant(columns, columns.slope)
    if spare is not None:
        columns = columns.with_penalty(spare.hidden(problem.penalty))
    points = _points(columns, alphas, settings, stats)
    for point in points:
        yield point if spare is None else shared(point, spare, problem.n_features)


def works_in_gram(problem: Problem, settings: Settings) -> bool:
    """Whether a path is solved by the Gram matrix of all features: the only way that knows limits of coefficients."""
    if settings.precompute is not None:
        return settings.precompute
    return problem.n_features <= min(problem.n_samples, settings.tuned(LeastSquaresTuning).all_in_gram)


def _points(columns: Centred, alphas: Array, settings: Settings, stats: dict[str, int] | None) -> Iterator[PathPoint]:
    if not works_in_gram(columns.problem, settings):
        yield from WorkingSetPath(columns, alphas, settings, stats)
        return
    features = columns.gram.work_on(np.flatnonzero(np.isfinite(columns.penalty.strength)))
    unit, gram, size = columns.penalty.at(features), columns.gram.matrix, columns.size
    rounding = columns.gram.rounding(gram, features)
    groups = rows_in_gram(gram, columns.slope[features], size, unit, alphas, settings, rounding)
    yield from _as_points(groups, features)


def _as_points(groups: Iterator[tuple[Stretch, NDArray[np.bool_]]], names: Index) -> Iterator[PathPoint]:
    """The solutions of `rows_in_gram` as points, with features numbered by `names`."""
    for found, unique in groups:
        n_iter = np.maximum(found.n_steps, 1).tolist()
        for k, (features, values) in enumerate(nonzeros(found.coef, names)):
            is_single = bool(unique[k])
            stopped = StopReason.TOLERANCE if is_single else StopReason.STALLED
            yield PathPoint(features, values, n_iter[k], stopped, is_single)


def rows_in_gram(
    gram: Array,
    slope: Array,
    size: float,
    unit: ElasticNet,
    alphas: Array,
    settings: Settings,
    rounding: Array | float = 0.0,
) -> Iterator[tuple[Stretch, NDArray[np.bool_]]]:
    """Solutions for each alpha from the Gram matrix of all features alone, in groups of alphas.

    Parameters
    ----------
    gram, slope, size
        ``X'WX``, ``X'Wy`` and ``y'Wy`` of centred columns and target.
    unit
        The penalty at alpha = 1; its strengths are finite.
    alphas
        Decreasing.
    settings
        `tol` is the largest gap by the Gram matrix, relative to `size`, and `max_iter` (None for 10,000) the largest
        number of epochs and steps for each alpha.
    rounding
        What its diagonal may be off, relative to it.

    Yields
    ------
    found, unique
        Solutions, and whether each is one that meets the tolerance and was proved to be the only optimum.
    """
    limit, tuning = settings.limit(MOST_EPOCHS), settings.tuned(LeastSquaresTuning)
    rest = unit.rest
    trail = GramPath(gram, rest, slope - gram @ rest if rest.any() else slope, tuning=tuning)
    width = max(1, tuning.entries // max(slope.size, 1))
    noise = BALANCED * float(np.abs(slope).max(initial=0.0))  # the rounding of slopes
    for first in range(0, alphas.size, width):
        group = alphas[first : first + width]
        found = trail.follow(unit, group, limit)
        found = replace(found, coef=without_rounding(unit, found.coef, gram.diagonal(), size))
        edge, excess = group[:, None] * unit.strength, unit.excess(found.slope)
        # Features that may be active in an optimum, but for those with a ridge that makes them unique. Beside products
        # whose rounding is larger a ridge is none.
        active = (excess + noise >= edge * (1 - AT_END)) | (found.coef != 0)
        active &= group[:, None] * unit.ridge <= AT_END * gram.diagonal()
        unique = are_regular(gram, active, slope.size, rounding)
        # A column that nearly depends on the support stays out, whatever its slope.
        left_out = (excess > edge * (1 + AT_END) + noise) & (found.coef == 0)
        for k in np.flatnonzero(unique & ((found.done == 0) | left_out.any(axis=1))).tolist():
            coef = found.coef[k]
            loss = max(0.5 * (size - float(coef @ (slope + found.slope[k]))), 0.0)
            gap, _ = duality_gap(unit.times(float(group[k])), coef, found.slope[k], loss)
            unique[k] = gap <= max(settings.tol, SQUARES_GAP) * size
        yield found, unique
