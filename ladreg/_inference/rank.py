"""Rank tests of single coefficients, and the intervals of values that they do not reject (Koenker 1994).

With F(xi) the least loss where coefficient j is xi, the statistic T(xi) is minus the derivative of F over a scale s: a
step function that does not increase, since F is convex. It falls through t where ``loss + t s b_j`` is least,
through -t where ``loss - t s b_j`` is: each end of the interval is a vertex of one fit with a linear term, infinite
where that has no minimum. Rows far from the fit are not read for it, as for the bootstrap (`NearRows`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.special import stdtr, stdtrit

from ladreg._arrays import Array, inverted, null_space
from ladreg._cached import cached_property
from ladreg._certificate import tied_rows
from ladreg._design import as_design
from ladreg._inference.bootstrap import NearRows
from ladreg._inference.covariance import Breads, Inverted, check_gap, draft_covariance
from ladreg._inference.fit import Fit, Sample
from ladreg._inference.regressors import spread
from ladreg._problem import ElasticNet, Pinball, Problem, Settings
from ladreg._solvers import solve
from ladreg._tolerances import HIGHS, VERTEX
from ladreg._warn import warn_user

_TOL = 1e-9
# The row that stands for a linear term has its target this many times beyond the loss of the fit, always on one side.
_BEYOND = 2.0**40
# The next step of T is found with a term that is a millionth of the present step beyond the level between the two.
_PAST = 1e-6


class _Minimum(NamedTuple):
    """A minimum of a loss with a linear term: the change of the coefficients, the rows near it, all others' slope."""

    change: Array
    near: NearRows
    pull: Array


def rank_tests(
    sample: Sample, fits: list[Fit], breads: Breads, level: float, interpolate: bool
) -> tuple[Inverted, int]:
    """Tests and intervals of all coefficients, fit after fit, and how many ends were found from all rows.

    Parameters
    ----------
    sample, fits
        The rows, and one fit for each quantile.
    breads
        Of the densities that weight the projection of a column on the others.
    level
        Level of confidence.
    interpolate
        Whether an end is where T, interpolated between its steps, is at the critical value.
    """
    critical = float(stdtrit(sample.df, 0.5 + level / 2))
    cov, p = draft_covariance(sample, fits), sample.regressors.size
    parts = [None if cov is None else cov[k * p : (k + 1) * p, k * p : (k + 1) * p] for k in range(len(fits))]
    root, lines = sample.square_root, sample.regressors.to_original()
    statistics, intervals, n_whole = [], [], 0
    for fit, bread, part in zip(fits, breads.breads, parts, strict=True):
        tilted = _Tilted(sample, fit, NearRows.of(sample, fit, part))
        # |q| of the residual q of a column's weighted regression on the others, for each coefficient ``line'b``.
        lengths = np.linalg.norm(spread(root, bread) @ lines.T, axis=0) / np.sum((bread.T @ lines.T) ** 2, axis=0)
        scale = np.sqrt(fit.quantile * (1 - fit.quantile)) * lengths
        statistics.append(_slopes_at_zero(sample, fit) / scale)
        reach = [
            tilted.end(line, critical * s * side, interpolate)
            for line, s in zip(lines, scale, strict=True)
            for side in (1, -1)
        ]
        intervals.append(fit.point[:, None] + np.reshape(reach, (p, 2)))
        n_whole += tilted.n_whole
    found = np.array(statistics)
    if np.any(np.isinf(intervals)):
        warn_user(
            f"{np.count_nonzero(np.isinf(intervals))} limits of intervals are infinite: there are so few rows beyond "
            "the quantile that the test rejects no value.",
            UserWarning,
        )
    return Inverted(found, np.asarray(2 * stdtr(sample.df, -np.abs(found))), np.array(intervals)), n_whole


@dataclass
class _Tilted:
    """A fit's loss with a linear term, as a function of the change of the coefficients of `sample.regressors`."""

    sample: Sample
    fit: Fit
    near: NearRows
    n_whole: int = 0

    def end(self, line: Array, slope: float, interpolate: bool) -> float:
        """How far ``line'b`` is from the fit where ``loss + slope line'b`` is least: below it for a slope above 0."""
        found = self._minimum(slope * line)
        if found is None:
            return -np.inf if slope > 0 else np.inf
        # Not beyond the fit but for rounding, and no interpolation beyond it: T is zero there.
        lower, upper = (-np.inf, 0.0) if slope > 0 else (0.0, np.inf)
        end = float(np.clip(found.near.unit * (line @ found.change), lower, upper))
        if not interpolate:
            return end
        low, high = self._slopes(found, line)
        outer, inner = (high, low) if slope > 0 else (low, high)
        # T falls from `outer` to `inner` at this end; its next step is where a term beyond `inner` has its minimum.
        following = self._minimum((inner - _PAST * (outer - inner)) * line) if abs(outer - inner) > 0 else None
        if following is None:
            return end
        step = following.near.unit * float(line @ following.change)
        return float(np.clip(step + (end - step) * (slope - inner) / (outer - inner), lower, upper))

    def _minimum(self, slope: Array) -> _Minimum | None:
        """Where ``loss + slope'd`` is least; None where it falls for ever."""
        near, quantile = self.near, self.fit.quantile
        change = near.refit(quantile, self.sample.weight[near.rows], self._pull - slope, unique=False)
        return self._whole(slope) if change is None else _Minimum(change, near, self._pull)

    @cached_property
    def _pull(self) -> Array:
        return np.asarray(self.sample.regressors.products(self.near.score[:, None])[:, 0])

    @cached_property
    def _all(self) -> NearRows:
        return NearRows.of(self.sample, self.fit, None)

    def _whole(self, slope: Array) -> _Minimum | None:
        """The minimum, from all rows; the linear term is one more row, whose target is far beyond."""
        near, quantile, weight = self._all, self.fit.quantile, self.sample.weight
        self.n_whole += 1
        size = float(np.linalg.norm(slope))
        # Infinite, unless along all d with ``slope'd = -1`` the loss rises by more than the term falls.
        target, others = near.A @ (slope / size**2), near.A @ null_space(slope[None, :] / size)
        if _loss(target - others @ _solved(others, target, weight, quantile), weight, quantile) <= 1.0:
            return None
        far = _BEYOND * max(1.0, _loss(near.residual, weight, quantile))
        A, residual = np.vstack([near.A, -slope]), np.append(near.residual, far)
        return _Minimum(_solved(A, residual, np.append(weight, 1 / quantile), quantile), near, np.zeros(slope.size))

    def _slopes(self, found: _Minimum, line: Array) -> tuple[float, float]:
        """The least and the largest k with ``k line`` among the gradients of minus the loss at a minimum."""
        near = found.near
        residual, weight = near.residual - near.A @ found.change, self.sample.weight[near.rows]
        on = np.abs(residual) <= VERTEX
        score = weight * np.where(residual > 0, self.fit.quantile, self.fit.quantile - 1)
        rest = found.pull + near.A[~on].T @ score[~on]
        return _multiples(near.A[on], weight[on], self.fit.quantile, rest, line)


def _solved(A: Array, target: Array, weight: Array, quantile: float) -> Array:
    """The weighted fit to a table without intercept."""
    if A.shape[1] == 0:
        return np.zeros(0)
    penalty = ElasticNet(np.zeros(A.shape[1]))
    problem = Problem(as_design(A), target, weight / weight.sum(), Pinball(quantile), penalty, False)
    solution = solve(problem, Settings(tol=_TOL))
    check_gap("a fit of a rank test", solution.relative_gap, _TOL)
    return solution.coef


def _loss(residual: Array, weight: Array, quantile: float) -> float:
    return float(weight @ Pinball(quantile).value(residual))


def _multiples(A: Array, weight: Array, quantile: float, rest: Array, line: Array) -> tuple[float, float]:
    """The least and the largest k with ``rest + A'dual = k line``, each dual in its row's interval.

    With one row per coefficient the duals are linear in k; otherwise two linear programs are solved. NaN where no k
    exists.
    """
    low, high = weight * (quantile - 1), weight * quantile
    inverse = inverted(A) if A.shape[0] == A.shape[1] else None
    if inverse is not None:
        start, change = -(inverse.T @ rest), inverse.T @ line
        moved = np.abs(change) > VERTEX * np.abs(change).max()
        ends = (np.stack([low, high])[:, moved] - start[moved]) / change[moved]
        return float(ends.min(axis=0).max()), float(ends.max(axis=0).min())
    bounds = [*zip(low, high, strict=True), (None, None)]
    size = float(np.abs(line).max())  # linprog's tolerances are absolute
    equations = np.hstack([A.T, -line[:, None] / size])
    goal = np.append(np.zeros(low.size), 1.0)
    least, largest = (
        linprog(side * goal, A_eq=equations, b_eq=-rest, bounds=bounds, options=HIGHS).x for side in (1, -1)
    )
    return (np.nan, np.nan) if least is None or largest is None else (least[-1] / size, largest[-1] / size)


def _slopes_at_zero(sample: Sample, fit: Fit) -> Array:
    """Minus the derivative of the loss in each coefficient where that one is zero and all others are fitted.

    Where it has a kink there, the slope nearest to zero.
    """
    problem, lines = fit.problem, sample.regressors.to_original()
    slopes = [] if not problem.fit_intercept else [_slope_without(sample, fit, None, lines[0])]
    first = len(slopes)
    return np.array([*slopes, *(_slope_without(sample, fit, j, lines[first + j]) for j in range(problem.n_features))])


def _slope_without(sample: Sample, fit: Fit, left_out: int | None, line: Array) -> float:
    """The slope in one coefficient where it is zero: that of a feature, or (None) of the intercept."""
    problem, quantile = replace(fit.problem, loss=Pinball(fit.quantile)), fit.quantile
    if left_out is None:
        problem = replace(problem, fit_intercept=False)
    else:
        kept = np.delete(np.arange(problem.n_features), left_out)
        problem = replace(problem, design=problem.design.select(kept), penalty=ElasticNet(np.zeros(kept.size)))
    size = problem.n_features + problem.fit_intercept
    if size > 0:
        solution = solve(problem, Settings(tol=_TOL))
        check_gap("a fit of a rank test", solution.relative_gap, _TOL)
        residual = problem.residual(solution.coef, solution.intercept)
        score = solution.dual / problem.weight
        on = tied_rows(problem, solution.coef, solution.intercept)
    else:
        residual, on = problem.y, np.flatnonzero(problem.y == 0)
        score = np.where(residual > 0, quantile, quantile - 1)
    dual = sample.regressors.products((sample.weight * score)[:, None])[:, 0]
    if on.size > size:
        sided = sample.weight * np.where(residual > 0, quantile, quantile - 1)
        sided[on] = 0.0
        rest = sample.regressors.products(sided[:, None])[:, 0]
        low, high = _multiples(sample.regressors.rows(on), sample.weight[on], quantile, rest, line)
        if low <= high:  # else a row on the fit was taken for one beside it
            return float(np.clip(0.0, low, high))
    return float(dual @ line / (line @ line))
