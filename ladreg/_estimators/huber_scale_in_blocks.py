"""The scale of the errors for Huber's loss, estimated from rows in blocks."""

from __future__ import annotations

from dataclasses import replace

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
from ladreg._from_blocks import Question, ResidualSizes, residual_sizes, solve_blocks, together
from ladreg._presolve import scaled
from ladreg._problem import ElasticNet, Problem, Settings, Solution


def scale_of_blocks(given: BlockData, problem: Problem, settings: Settings) -> float:
    """What `estimated_scale` finds for all rows, of which `problem` has the sample.

    It takes the passes of a fit by absolute values, and one or two more for the median of the residuals. The number of
    distinct rows is estimated where there are more than 16,384 of them and some are there twice.
    """
    if given.seen.is_complete:
        return estimated_scale(problem, settings)[0]
    absolute = without_penalty(problem)
    settings = replace(settings, max_iter=None)
    twin, units = scaled(absolute)
    found, sizes = _fitted(given, absolute, settings)
    n_fitted = n_fitted_rows(twin, units.to_scaled(*found.coefficients).coef, found.unique)
    point = found.coefficients
    if has_few_rows(twin, sizes.n_distinct):
        none = replace(absolute, penalty=_at_rest(absolute.penalty))
        found, sizes = _fitted(given, none, settings)
        point, n_fitted = found.coefficients, 1
    if is_nothing(twin, *units.to_scaled(*point), sizes.median / units.unit):
        return units.unit * least_scale(twin)
    return corrected(sizes.median, n_fitted, sizes.n_distinct)


def _fitted(given: BlockData, absolute: Problem, settings: Settings) -> tuple[Solution, ResidualSizes]:
    """The fit by absolute values, and the sizes of its residuals."""
    fit = solve_blocks(Question.like(absolute), settings, given.seen, given.n_held)
    found = together(given.passes, [fit])[0]
    return found, together(given.passes, [residual_sizes(given.seen, found.coefficients, given.n_held)])[0]


def _at_rest(penalty: ElasticNet) -> ElasticNet:
    """A penalty that leaves every coefficient at rest."""
    rest, none = penalty.rest, np.zeros(0)
    return ElasticNet(np.zeros(rest.size), False, none, rest, rest) if rest.any() else ElasticNet(rest + np.inf)
