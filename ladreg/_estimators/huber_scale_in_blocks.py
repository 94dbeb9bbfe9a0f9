"""The scale of the errors for Huber's loss, estimated from rows in blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ladreg._estimators.huber_scale import (
    corrected,
    estimated_scale,
    has_few_rows,
    is_nothing,
    least_scale,
    n_fitted_rows,
    without_penalty,
)
from ladreg._estimators.in_blocks import BlockData
from ladreg._from_blocks import Distance, Question, n_distinct_rows, selected, solve_blocks, together
from ladreg._presolve import scaled
from ladreg._problem import Absolute, ElasticNet, Problem, Settings, Solution


class BlockScale(NamedTuple):
    """A scale, and the relative gap that was proved of the fit by absolute values that it comes from."""

    scale: float
    relative_gap: float


def scale_of_blocks(given: BlockData, problem: Problem, settings: Settings) -> BlockScale:
    """What `estimated_scale` finds for all rows, of which `problem` has the sample.

    It takes the passes of a fit by absolute values, and one or two more for the median of the residuals. The number of
    distinct rows is estimated where there are more than 16,384 of them and some are there twice.
    """
    if given.seen.is_complete:
        return BlockScale(estimated_scale(problem, settings)[0], 0.0)
    absolute = without_penalty(problem)
    settings = replace(settings, max_iter=None)
    twin, units = scaled(absolute)
    found, median, n_distinct = _fitted(given, absolute, settings)
    n_fitted = n_fitted_rows(twin, units.to_scaled(*found.coefficients).coef, found.unique)
    point = found.coefficients
    if has_few_rows(twin, n_distinct):
        none = replace(absolute, penalty=_at_rest(absolute.penalty))
        found, median, n_distinct = _fitted(given, none, settings)
        point, n_fitted = found.coefficients, 1
    if is_nothing(twin, *units.to_scaled(*point), median / units.unit):
        return BlockScale(units.unit * least_scale(twin), found.relative_gap)
    return BlockScale(corrected(median, n_fitted, n_distinct), found.relative_gap)


def _fitted(given: BlockData, absolute: Problem, settings: Settings) -> tuple[Solution, float, float]:
    """The fit by absolute values, the median of its residuals' sizes, and the number of distinct rows."""
    passes, seen = given.passes, given.seen
    found = together(passes, [solve_blocks(Question.like(absolute), settings, seen, given.n_held, is_pilot=True)])[0]
    half = 0.5 * seen.mass
    near = selected(seen, Distance(found.coefficients), half, half, given.n_held)
    asked: list[Any] = [near, n_distinct_rows(seen)]
    nearby, n_distinct = together(passes, asked)
    return found, Absolute().location(nearby.values, nearby.weight), n_distinct


def _at_rest(penalty: ElasticNet) -> ElasticNet:
    """A penalty that leaves every coefficient at rest."""
    rest, none = penalty.rest, np.zeros(0)
    return ElasticNet(np.zeros(rest.size), False, none, rest, rest) if rest.any() else ElasticNet(rest + np.inf)
