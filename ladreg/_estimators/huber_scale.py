"""The scale of the errors for Huber's loss, estimated from the residuals of least absolute deviations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._certificate import column_rank
from ladreg._from_blocks import row_keys
from ladreg._piecewise import PiecewiseTuning, solve_only_vertex
from ladreg._presolve import median, scaled
from ladreg._problem import Absolute, Coefficients, ElasticNet, Huber, Problem, Settings, Solution, Uncertified
from ladreg._row_blocks import Rows
from ladreg._solvers import solve
from ladreg._tolerances import ROUNDING_GAP, SOLVED, SUMMED

# The correction takes at most 1/3 of the distinct rows as fitted exactly: three distinct rows per column.
_MOST_FITTED = 1 / 3
# The intercept is computed anew if scaling shifted y by more than 8 times its unit: it has too few digits otherwise.
_FAR = 8.0
# The smallest estimate is 1e-20 times the median distance of y from its middle: below the rounding of every residual.
_LEAST = 1e-20


@dataclass(frozen=True)
class ScaledProblem(Problem):
    """A problem with Huber's loss, the scale that its `delta` was computed from, and a start for its fit.

    `pilot_gap` is the relative gap of the fit by absolute values that the scale comes from.
    """

    scale: float = 1.0
    start: Coefficients | None = None
    pilot_gap: float = 0.0

    @classmethod
    def of(
        cls, problem: Problem, epsilon: float, scale: float, start: Coefficients | None = None, pilot_gap: float = 0.0
    ) -> ScaledProblem:
        """`problem` with ``delta = epsilon * scale``."""
        return cls(
            design=problem.design,
            y=problem.y,
            weight=problem.weight,
            loss=Huber(float(np.clip(epsilon * scale, 1e-300, 1e300))),
            penalty=problem.penalty,
            fit_intercept=problem.fit_intercept,
            scale=scale,
            start=start,
            pilot_gap=pilot_gap,
        )


def estimated_scale(problem: Problem, settings: Settings) -> tuple[float, Coefficients | None, float]:
    """A robust estimate of the errors' standard deviation, and the fit by absolute values that it comes from.

    Parameters
    ----------
    problem
        Its loss is not used, and its penalty only for the features that it excludes and for `positive`.
    settings
        Passed to the solver, but for the iteration limit.

    Returns
    -------
    scale : float
        ``median(|r|) / z(share)``, the median weighted; if that is rounding, 1e-20 of the median distance of y from
        its middle.
    start : Coefficients or None
        The fit by absolute values; None if there are too few rows for it.
    relative_gap : float
        Of that fit, at unit scale where it misses `settings.tol`; zero where it is the only vertex.

    Notes
    -----
    A fit by absolute values of p columns has p residuals of zero whatever the errors are. `share` is their
    fraction of the rows, and ``z(share)`` the value that the median of |r| has where all other residuals are standard
    normal: that of |z| at the level ``(1/2 - share) / (1 - share)``, 0.6745 for no share. The correction is a factor:
    it does not ask which rows are fitted, and leaves a median of zero as it is. Identical rows count once in `share`,
    so that integer weights equal repeats.

    Residuals are taken on the twin of `problem` at unit scale, so that neither the origin nor the unit of X and y
    matters.
    """
    absolute = without_penalty(problem)
    twin, units = scaled(absolute)
    distinct = _n_distinct(problem, twin)
    if has_few_rows(twin, distinct):
        coef, intercept = twin.penalty.rest, replace(twin, y=twin.at_rest()).null_intercept()
        start, n_fitted, gap = None, 1, 0.0
    else:
        found: Uncertified | Solution | None = solve_only_vertex(twin, settings.tuned(PiecewiseTuning))
        if found is not None:
            coef, intercept = found.coef, found.intercept
            start = units.to_original(coef, intercept)
        else:
            found = solve(absolute, replace(settings, max_iter=None))
            start = found.coefficients
            coef, intercept = units.to_scaled(*start)
        if twin.fit_intercept and (units.column_shift.any() or abs(units.y_shift) > _FAR * units.unit):
            # An intercept far from zero has too few digits for residuals.
            intercept = Absolute().location(twin.residual(coef, 0.0), twin.weight)
        n_fitted = n_fitted_rows(twin, coef, found.unique)
        gap = found.relative_gap if isinstance(found, Solution) else 0.0
        if gap > max(settings.tol, ROUNDING_GAP):
            # Rounding of numbers far from zero is none of the residuals at unit scale.
            gap = min(gap, solve(twin, replace(settings, max_iter=None)).relative_gap)
    size = np.abs(twin.residual(coef, intercept))
    middle = Absolute().location(size, twin.weight)
    if is_nothing(twin, coef, intercept, middle):
        return units.unit * least_scale(twin), start, gap
    return units.unit * corrected(middle, n_fitted, distinct), start, gap


def without_penalty(problem: Problem) -> Problem:
    """Least absolute deviations without the penalty, but without the features that it excludes."""
    strength = np.where(np.isinf(problem.penalty.strength), np.inf, 0.0)
    given, none = problem.penalty, np.zeros(0)
    penalty = ElasticNet(strength, given.positive, none, given.lower, given.upper)
    return replace(problem, loss=Absolute(), penalty=penalty)


def has_few_rows(twin: Problem, distinct: float) -> bool:
    """Whether there are fewer than two distinct rows for each independent column."""
    allowed = np.isfinite(twin.penalty.strength)
    n_columns = int(np.count_nonzero(allowed)) + twin.fit_intercept
    return 2 * n_columns > distinct and 2 * _rank(twin, allowed) > distinct


def n_fitted_rows(twin: Problem, coef: Array, unique: bool | None) -> int:
    """The number of rows that a fit of these coefficients leaves exact, whatever the errors are."""
    lower, upper = twin.penalty.ends
    allowed = np.isfinite(twin.penalty.strength)
    used = allowed & (coef > lower) & (coef < upper)
    if unique and used.sum() == allowed.sum():
        return int(np.count_nonzero(allowed)) + twin.fit_intercept
    return _rank(twin, used)


def is_nothing(twin: Problem, coef: Array, intercept: float, middle: float) -> bool:
    """Whether a median residual is rounding."""
    if middle > SUMMED * _largest_term(twin, coef, intercept):
        return False
    terms = twin.design.absolute_matvec(coef) + abs(intercept) + np.abs(twin.y)
    return middle <= SUMMED * Absolute().location(terms, twin.weight)


def least_scale(twin: Problem) -> float:
    """The scale where more than half of the rows are fitted exactly."""
    return _LEAST * (median(np.abs(twin.y), positive=True) or 1.0)


def corrected(middle: float, n_fitted: int, distinct: float) -> float:
    """The scale of the errors for the median of the absolute residuals."""
    return middle / _normal_median(min(n_fitted / distinct, _MOST_FITTED))


def _normal_median(share: float) -> float:
    """The median of |z| if the fraction `share` of z is zero and the rest is standard normal."""
    return float(scipy.special.ndtri(0.5 + 0.5 * (0.5 - share) / (1.0 - share)))


def _largest_term(problem: Problem, coef: Array, intercept: float) -> float:
    """An upper bound of the terms of the residuals."""
    return float(problem.design.reach() @ np.abs(coef)) + abs(intercept) + float(np.abs(problem.y).max())


def _n_distinct(problem: Problem, twin: Problem) -> int:
    """The number of different rows of X and y whose weight is not zero, of which `twin` is the problem at unit scale.

    A random combination of their columns tells most rows apart. Those that it does not may differ all the same: a far
    target leaves no digits of the others. Their own numbers are compared.
    """
    mix = _directions(twin.n_features + 1)
    with np.errstate(over="ignore", invalid="ignore"):  # NaN is no sign of different rows
        keys = twin.design.matvec(mix[:-1])
        keys += mix[-1] * twin.y
        ordered = np.sort(keys)
        size = np.abs(ordered)
        # Sums of equal terms may differ in their rounding.
        apart = np.diff(ordered) > SOLVED * (size[1:] + median(size))
        if apart.all():
            return keys.size
    near = ~(np.append(True, apart) & np.append(apart, True))  # to the next, or the one before
    doubtful = np.flatnonzero(problem.weight > 0)[np.argsort(keys)[near]]
    some: Any = problem.design.take(doubtful)
    exact = row_keys(Rows(some.X, problem.y[doubtful], None))
    return keys.size - doubtful.size + np.unique(exact).size


@cache
def _directions(number: int) -> Array:
    """Random numbers that are the same in each call."""
    return np.random.default_rng(0).standard_normal(number)


def _rank(problem: Problem, features: NDArray[np.bool_]) -> int:
    """The number of independent columns among the chosen features and the intercept."""
    return column_rank(problem, np.flatnonzero(features)) + problem.fit_intercept
