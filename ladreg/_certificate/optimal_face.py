"""The face of optimal solutions that a dual optimum describes, and whether it is a single point.

Any one optimal dual theta determines every primal optimum by complementary slackness: a row whose slope lies strictly
inside the loss's interval is *pinned* to one residual, a row at an end is *sided*: its residual keeps one sign. A
feature strictly inside its dual constraint is zero; at the boundary its coefficient keeps one sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import (
    BLOCK,
    Array,
    Index,
    is_regular,
    power_of_two,
)
from ladreg._cached import cached_property
from ladreg._design import Design
from ladreg._problem import Problem
from ladreg._tolerances import AT_END, PINNED, SOLVED, SUMMED

# Tables of groups with more than 100 directions that may be dependent are decomposed like others.
_MOST_FLAT = 100


@dataclass(frozen=True)
class Face:
    """All optima: residuals of `pinned` rows fixed, signs of all others kept (see `sides`), coefficients within limits.

    Attributes
    ----------
    problem, dual
        The problem, and the dual that describes its optima.
    pinned, target
        Rows whose residual is the same in every optimum, and that residual.
    features, lower, upper
        Features whose coefficients may differ between optima, or from zero, and the limits of these coefficients.
    fixed
        Coefficients of those features that a squared penalty makes the same in every optimum; NaN for the others.
    rest
        Coefficients that those of the face are measured from, one for each feature of the problem: those of all other
        features, and for the face's the nearest to zero between their limits. None for zero.
    """

    problem: Problem
    dual: Array
    pinned: Index
    target: Array
    features: Index
    lower: Array
    upper: Array
    fixed: Array
    rest: Array | None = None

    @cached_property
    def y(self) -> Array:
        """The target less the predictions of `rest`."""
        problem = self.problem
        return problem.y if self.rest is None else problem.y - problem.design.matvec(self.rest)

    @cached_property
    def origin(self) -> Array:
        """What the coefficients of the face's features are measured from."""
        return np.zeros(self.features.size) if self.rest is None else self.rest[self.features]

    def equations(self) -> tuple[Array, Array]:
        """Matrix and right-hand side of the equations for coefficients (and intercept) on the face."""
        matrix = self.problem.design.rows(self.pinned, self.features, self.problem.fit_intercept)
        target = self.y[self.pinned] - self.target
        known = np.flatnonzero(~np.isnan(self.fixed))
        if known.size == 0:
            return matrix, target
        rows = np.zeros((known.size, matrix.shape[1]))
        rows[np.arange(known.size), known] = 1.0
        return np.vstack([matrix, rows]), np.concatenate([target, self.fixed[known]])


def sides(problem: Problem, dual: Array, rows: Index | slice) -> Array:
    """+1 or -1: the end of its interval that each row's dual is nearer to (if both are infinite, the dual's sign)."""
    middle = sum(problem.loss.interval()) / 2 if problem.loss.has_bounded_slopes else 0.0
    return np.where(dual[rows] > problem.weight[rows] * middle, 1.0, -1.0)


def edges(problem: Problem, dual: Array) -> Array:
    """The residual at which each row would leave its side: 0 where the loss has a kink."""
    if not problem.loss.has_bounded_slopes:
        return np.zeros(dual.size)
    lower, upper = problem.loss.interval()
    return problem.loss.residual_at(np.where(sides(problem, dual, slice(None)) > 0, upper, lower))


def optimal_face(
    problem: Problem,
    dual: Array,
    slope: Array,
    margin: float | Array = 0.0,
    at_end: float = AT_END,
    among: Index | None = None,
) -> Face:
    """The face that `dual` describes.

    Parameters
    ----------
    problem
        The problem that `dual` is optimal for.
    dual
        Dual vector of shape (n_samples,), feasible.
    slope
        ``X'dual`` of shape (n_features,).
    margin
        How far each slope may be from that of an exactly optimal dual.
    at_end
        Distance from an end of the interval, relative to its length, that still counts as being there.
    among
        Rows that may be pinned, in ascending order; None for all.
    """
    if among is None:
        blocks = (np.arange(begin, min(begin + BLOCK, dual.size)) for begin in range(0, dual.size, BLOCK))
        pinned = np.concatenate([np.zeros(0, dtype=np.intp), *(_inside(problem, dual, b, at_end) for b in blocks)])
    else:
        pinned = _inside(problem, dual, among, at_end)
    target = problem.loss.residual_at(dual[pinned] / problem.weight[pinned])
    if problem.penalty.limited or (problem.penalty.curved and not problem.loss.is_square):
        return _within_limits(problem, dual, slope, margin, at_end, pinned, target)
    strength = problem.penalty.strength
    if problem.penalty.positive:
        active = slope + margin >= strength - _near_strength(problem, dual, at_end)
    else:
        active = np.abs(slope) + margin >= strength - _near_strength(problem, dual, at_end)
    features = np.flatnonzero(active)
    # The sign of a coefficient is unknown if the margin of its slope reaches zero, or if the feature is unpenalised.
    doubtful = (strength == 0) | (np.abs(slope) <= margin)
    lower = np.where(doubtful | (slope < 0), -np.inf, 0.0)
    upper = np.where(doubtful | (slope > 0), np.inf, 0.0)
    if problem.penalty.positive:
        lower, upper = problem.penalty.ends
    return Face(
        problem=problem,
        dual=dual,
        pinned=pinned,
        target=target,
        features=features,
        lower=lower[features],
        upper=upper[features],
        fixed=_determined(problem, dual, slope)[features],
    )


def _near_strength(problem: Problem, dual: Array, at_end: float) -> Array:
    """How far from its strength a slope may be that counts as being there.

    A strength of zero is no measure; the largest value of the column is. On a curved piece of the loss the dual is as
    large as residuals are, and has their rounding.
    """
    strength, size = problem.penalty.strength, problem.design.reach()
    near = at_end * np.where(strength > 0, np.where(np.isinf(strength), 0.0, strength), size)
    if problem.loss.is_piecewise_linear:
        return near
    return np.maximum(near, np.where(strength > 0, SUMMED, at_end) * size * float(np.abs(dual).sum()))


def _within_limits(
    problem: Problem, dual: Array, slope: Array, margin: float | Array, at_end: float, pinned: Index, target: Array
) -> Face:
    """The face where coefficients have limits, or ridges beside a loss with kinks.

    A slope that is not at its strength determines the coefficient: a limit, zero, or what the ridge makes of it.
    Elsewhere the optimal coefficients are an interval.
    """
    penalty = problem.penalty
    strength, rest = penalty.strength, penalty.rest
    lower, upper = penalty.ends
    near = _near_strength(problem, dual, at_end) + margin
    high = np.where(slope < -strength - near, lower, np.where(slope < strength - near, rest, upper))
    low = np.where(slope > strength + near, upper, np.where(slope > -strength + near, rest, lower))
    # Slopes are beyond their strength by rounding where there is no limit.
    low, high = np.where(low == np.inf, rest, low), np.where(high == -np.inf, rest, high)
    there = _determined(problem, dual, slope)
    known = ~np.isnan(there)
    low[known] = high[known] = there[known]
    features = np.flatnonzero(low < high)
    return Face(
        problem=problem,
        dual=dual,
        pinned=pinned,
        target=target,
        features=features,
        lower=low[features],
        upper=high[features],
        fixed=np.full(features.size, np.nan),
        rest=np.clip(0.0, low, high),
    )


def _determined(problem: Problem, dual: Array, slope: Array) -> Array:
    """The coefficients that the slopes determine where there is a ridge; NaN elsewhere.

    A coefficient is at rest or at a limit where a change of its slope by rounding would move it there.
    """
    penalty = problem.penalty
    there = penalty.fixed(slope)
    if not penalty.curved:
        return there
    rounding = SUMMED * float(np.abs(dual).sum()) * problem.design.reach()
    least, most = penalty.fixed(slope - rounding), penalty.fixed(slope + rounding)
    for end in (*penalty.ends, penalty.rest):
        there = np.where((least <= end) & (end <= most), end, there)
    return there


def _inside(problem: Problem, dual: Array, rows: Index, at_end: float) -> Index:
    """The rows whose slope is strictly inside its interval, without rows of weight zero."""
    weight, dual = problem.weight[rows], dual[rows]
    if not problem.loss.has_bounded_slopes:
        return rows[weight > 0]
    lower, upper = problem.loss.interval()
    width = at_end * (upper - lower)
    return rows[(dual < (upper - width) * weight) & (dual > (lower + width) * weight)]


def column_rank(problem: Problem, features: Index) -> int:
    """Rank of the chosen columns, less their means if there is an intercept.

    If LAPACK gives up on a decomposition, the number of these columns.
    """
    design, border = problem.design, problem.fit_intercept
    shift, distance = design.extent(border)
    near, weight = design.rescaled(shift, 1.0 / power_of_two(distance)), np.full(design.n_samples, 1.0)
    rank = _rank_of_groups(near, border) if features.size == design.n_features else None
    if rank is not None:
        return rank - border
    if features.size < design.n_samples and is_regular(near.gram(weight, features, border)):
        return int(features.size)
    size = features.size + border
    triangle, n_rows = np.zeros((0, size)), max(BLOCK // max(size, 1), size)
    try:
        for begin in range(0, design.n_samples, n_rows):
            rows = np.arange(begin, min(begin + n_rows, design.n_samples))
            triangle = np.asarray(np.linalg.qr(np.vstack([triangle, near.rows(rows, features, border)]), mode="r"))
        length = np.sqrt(np.sum(triangle**2, axis=0))
        singular = np.linalg.svd(triangle / np.where(length > 0, length, 1.0), compute_uv=False)
    except np.linalg.LinAlgError:
        return int(features.size)
    return int(np.sum(singular > PINNED * singular.max(initial=0.0))) - border


def _rank_of_groups(design: Design, border: bool) -> int | None:
    """Rank of all columns of a table of groups, from their products with few directions; None if it has no groups."""
    if design.blocks(border) is None:
        return None
    gram = design.block_gram(np.full(design.n_samples, 1.0), border)
    length = gram.lengths()
    directions = gram.flat_directions(_MOST_FLAT)
    if directions is None:
        return None
    basis = np.linalg.qr(length[:, None] * directions)[0] / np.where(length > 0, length, 1.0)[:, None]
    product = design.matvec(basis[: design.n_features]) + (basis[-1] if border else 0.0)
    singular = np.linalg.svd(product, compute_uv=False)
    return int(np.count_nonzero(length) - np.count_nonzero(singular <= PINNED))


def predictions(problem: Problem, rows: Index | slice, features: Index, directions: Array) -> Array:
    """Predictions in the chosen rows for each column of coefficients (and intercept) in `directions`.

    Predictions at rounding level are set to zero: a repeat of a pinned row does not move along the null space of that
    row, and the 1e-17 computed for it would count as a direction.
    """
    if isinstance(rows, slice):
        rows = np.arange(problem.n_samples)[rows]
    if rows.size == 0:
        return np.zeros((0, directions.shape[1]))
    coef = np.zeros((problem.n_features, directions.shape[1]))
    coef[features] = directions[: features.size]
    intercept = directions[-1] if problem.fit_intercept else np.zeros(directions.shape[1])
    if rows.size == problem.n_samples:
        product = problem.design.matvec(coef) + intercept
    else:
        product = problem.design.take(rows).matvec(coef) + intercept
    small = SOLVED * (problem.design.reach() @ np.abs(coef) + np.abs(intercept))
    # The intercept is a term of every row: SOLVED times its size is rounding in all rows.
    product[np.abs(product) <= SOLVED * np.abs(intercept)] = 0.0
    is_doubtful = (np.abs(product) <= small) & (product != 0)
    doubtful = np.flatnonzero(is_doubtful.any(axis=1))
    for begin in range(0, doubtful.size, BLOCK):
        block = doubtful[begin : begin + BLOCK]
        size = problem.design.take(rows[block]).absolute_matvec(coef) + np.abs(intercept)
        part = product[block]
        part[is_doubtful[block] & (np.abs(part) <= SOLVED * size)] = 0.0
        product[block] = part
    return product


def tied_rows(
    problem: Problem, coef: Array, intercept: float, zero: float = PINNED, edge: Array | float = 0.0
) -> Index:
    """Rows whose residual differs from `edge` by at most `zero` times the sizes of the residual's terms."""
    residual = np.abs(problem.residual(coef, intercept) - edge)
    largest = float(problem.design.reach() @ np.abs(coef)) + abs(intercept)
    rows = np.flatnonzero(residual <= zero * (largest + np.abs(problem.y)))
    size = problem.design.take(rows).absolute_matvec(coef) + abs(intercept) + np.abs(problem.y[rows])
    # In a row of zeros the intercept is the only term; one that should be zero is rounding of other rows' terms.
    rounding = 4 * np.finfo(float).eps * float(size.mean()) if rows.size else 0.0
    return rows[residual[rows] <= zero * size + rounding]
