"""The proof of a squared, Huber's or the combined loss from sums over its rows, for rows that are not in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._problem import TOO_LARGE, ElasticNet
from ladreg._tolerances import EPS, EXACT_FIT, HALF_DIGITS, ORTHOGONAL, SUMMED

# Correct a dual this number of times: each correction leaves an error of rounding times the one before.
_ROUNDS = 3
# Correct the slopes of at most 4,000 features: more cost more than they prove.
_MOST = 4_000


@dataclass(frozen=True)
class Curved:
    """Sums over the rows whose duals are inside the curved piece of Huber's loss, and what lies beyond that piece.

    The dual per weight of a row is a residual, clipped to the piece: its own, or that at other coefficients, which may
    have more digits than the given ones.

    Attributes
    ----------
    loss
        Of the weighted loss of all rows.
    mass, slope, total
        Of the weights of the rows inside, of their duals times the columns less their means, and of their duals.
    off_slope, off_total
        As `slope` and `total`, of weighted residuals less duals.
    reach
        The largest distance of each column from its mean over the rows inside.
    inner, end
        Their duals per weight are at most `inner` in size, and the piece ends at `end`.
    beyond
        Of ``dual * (residual - dual / weight)`` over all rows.
    apart
        Of the Fenchel-Young terms of residuals and duals, weighted, over all rows: zero where duals are those of the
        residuals.
    """

    loss: float
    mass: float
    slope: Array
    total: float
    off_slope: Array
    off_total: float
    reach: Array
    inner: float
    end: float
    beyond: float
    apart: float

    def overrun(self, lean: Array, constant: float) -> float:
        """The factor by which duals per weight, less ``columns @ lean + constant``, exceed the piece, at least 1."""
        moved = float(self.reach @ np.abs(lean)) + abs(constant)
        return max((self.inner + moved) / self.end, 1.0)


@dataclass(frozen=True)
class Kink:
    """Sums of the absolute part of the combined loss, ``height * |residual|`` beside ``residual^2 / 2``.

    Each row has a dual of the kink within ``[-height, height]``.

    Attributes
    ----------
    height
        The slope of the absolute part.
    slope, total
        Of weighted residuals times the columns, less their means if there is an intercept, and of weighted residuals:
        the products of the dual without the kink's part.
    loss
        Of ``weight * height * |residual|``.
    open
        Of ``weight * (height * |residual| - residual * dual)``, with the kink's dual: terms >= 0.
    null
        Of ``weight * height * |y|``, with targets less the predictions of coefficients at rest.
    """

    height: float
    slope: Array
    total: float
    loss: float
    open: float
    null: float


@dataclass(frozen=True)
class SquareSums:
    """Sums over rows, for weights of sum one.

    Attributes
    ----------
    squares
        Of weighted squared residuals; for Huber's loss, of the duals per weight, as in `slope` and `total`.
    slope
        Of weighted residuals times the columns, less their means if there is an intercept. For the combined loss the
        kink's dual is added to each residual here and in `total`.
    total
        Of weighted residuals.
    gram
        Of weighted products of the columns, less their means if there is an intercept.
    column_squares, y_square
        Of weighted squared columns, and of targets less the predictions of coefficients at rest, as they are.
    fit_intercept
        Whether there is an intercept.
    curved
        For Huber's loss, the rows inside the curved piece: `gram` and the means are theirs.
    kink
        For the combined loss, its absolute part.
    """

    squares: float
    slope: Array
    total: float
    gram: Array
    column_squares: Array
    y_square: float
    fit_intercept: bool
    curved: Curved | None = None
    kink: Kink | None = None

    @property
    def loss(self) -> float:
        """The weighted loss."""
        if self.kink is not None:
            return 0.5 * self.squares + self.kink.loss
        return 0.5 * self.squares if self.curved is None else self.curved.loss

    @property
    def column_sizes(self) -> Array:
        """Root mean squares of the columns, less their means if there is an intercept, and the rounding of these means.

        For Huber's loss, whose `gram` knows the rows inside alone, of the columns as they are.
        """
        sizes = np.sqrt(self.column_squares)
        return sizes if self.curved is not None else np.sqrt(np.maximum(np.diag(self.gram), 0.0)) + EPS * sizes

    @property
    def height(self) -> float:
        """The slope of the absolute part of the loss."""
        return 0.0 if self.kink is None else self.kink.height


@dataclass(frozen=True)
class SumProof:
    """An objective, and how far it is proved to be from the optimum at most."""

    objective: float
    gap: float
    relative_gap: float


def prove_from_sums(
    penalty: ElasticNet, coef: Array, sums: SquareSums, beside: tuple[Index, SquareSums] | None = None
) -> SumProof:
    """What `certificate.prove` finds for coefficients of a squared, Huber's or the combined loss, from sums over rows.

    Duals are ``weight * (residual - columns @ lean - constant) / shrink`` for any lean: the sums give their slopes, and
    the gap of each, ``mean((residual - dual / weight)^2) / 2`` and the terms of the features. Under Huber's loss the
    residuals are those of `Curved`, and only rows inside the curved piece lean. The Fenchel-Young term of a row with
    residual r is ``(t - s)^2 / 2 + (s - t) (r - s)`` more for a dual t than for a dual s. Under the combined loss duals
    have the kink's dual as well, divided by `shrink`, which adds ``open + (1 - 1 / shrink) * (loss - open)``.

    1. The lean makes the slopes of free features zero, and the constant the sum of the dual.
    2. A second dual has the slopes of nonzero coefficients, and those above their strengths, at their strengths: the
       rounding of slopes then costs its square.
    3. A bound under a smaller penalty is a bound: the problems without limits, and without ridges, are tried as well.

    Where free columns nearly depend on each other, `beside` are the features that there are other columns of the same
    span for, and the sums for these: see `independent_columns`.
    """
    objective = sums.loss + penalty.value(coef)
    if penalty.forbidden(coef).size:
        return SumProof(np.inf, np.inf, np.inf)
    if not np.isfinite(objective):
        raise OverflowError(TOO_LARGE)
    there, point, asked = sums, coef, [(penalty, 0.0), *penalty.relaxed(coef)]
    if beside is not None:
        features, there = beside
        point, asked = coef[features], [(one.at(features), less) for one, less in asked]
    # The zero dual proves that no objective is below zero.
    gap = min([objective, *(less + _least_gap(one, point, there) for one, less in asked)])
    return SumProof(objective, gap, _relative(coef, sums, objective, gap))


def _least_gap(penalty: ElasticNet, coef: Array, sums: SquareSums) -> float:
    """The smaller gap of both duals."""
    # Features whose slope is determined by their coefficient, and those whose slope is outside the dual set.
    determined = (penalty.ridge == 0) & np.isfinite(penalty.strength) & ~penalty.at_kink(coef)
    determined |= _outside(penalty, sums.slope)
    return min(_gap(penalty, coef, sums, more) for more in (np.zeros(coef.size, dtype=bool), determined))


def _outside(penalty: ElasticNet, slope: Array) -> NDArray[np.bool_]:
    """Which slopes are outside the dual set."""
    low, high = penalty.slopes
    return np.asarray((slope < low) | (slope > high))


def _gap(penalty: ElasticNet, coef: Array, sums: SquareSums, more: NDArray[np.bool_]) -> float:
    """The gap of the dual whose lean corrects free features and some `more`; infinite where there is none."""
    fixed = penalty.free() | more
    allowed = ORTHOGONAL * sums.column_sizes * (np.sqrt(sums.squares) + sums.height)
    for _ in range(_ROUNDS):
        leant = _leant(penalty, coef, sums, np.flatnonzero(fixed))
        if leant is None:
            return np.inf
        lean, slope = leant
        beyond = penalty.one_sided & (penalty.open_side * slope > allowed)
        if more.any():
            beyond = beyond | _outside(penalty, slope)
        if not (beyond & ~fixed).any():
            break
        fixed = fixed | beyond
    loose = (penalty.free() & (np.abs(slope) > allowed)) | (penalty.one_sided & (penalty.open_side * slope > allowed))
    if loose.any():
        return np.inf
    slope = np.where(penalty.free(), 0.0, slope)
    shrink, curved, kink = penalty.overrun(slope), sums.curved, sums.kink
    mass, inner_slope, inner_total = 1.0, sums.slope, sums.total
    if kink is not None:
        inner_slope, inner_total = kink.slope, kink.total
    if curved is not None:
        mass, inner_slope, inner_total = curved.mass, curved.slope, curved.total
    if sums.fit_intercept and not mass > 0:
        return np.inf  # no row is left to make the sum of the dual zero
    constant = sums.total / mass if sums.fit_intercept else 0.0
    if curved is not None:
        shrink = max(shrink, curved.overrun(lean, constant))
    part = 1.0 - 1.0 / shrink
    crossed = float(inner_slope @ lean) + constant * inner_total
    bent = float(lean @ (sums.gram @ lean)) + constant**2 * mass
    rows = max(0.5 * (part**2 * sums.squares + 2.0 * part / shrink * crossed + bent / shrink / shrink), 0.0)
    if kink is not None:
        rows += kink.open + part * (kink.loss - kink.open)
    if curved is not None:
        off = float(curved.off_slope @ lean) + constant * curved.off_total
        rows = max(rows + curved.apart + part * curved.beyond + off / shrink, 0.0)
    features = penalty.fenchel_young(coef, slope / shrink)
    features[penalty.free_features] = 0.0
    gap = rows + float(features.sum())
    return gap if np.isfinite(gap) else np.inf


def _leant(penalty: ElasticNet, coef: Array, sums: SquareSums, fixed: Index) -> tuple[Array, Array] | None:
    """The lean that gives the slopes of some features the values they should have, and the slopes of all."""
    lean, slope = np.zeros(coef.size), sums.slope
    if fixed.size == 0:
        return lean, slope
    if fixed.size > _MOST:
        return None
    gram = sums.gram[np.ix_(fixed, fixed)]
    length = np.sqrt(np.maximum(np.diag(gram), 0.0))  # a constant column may have less than nothing by rounding
    length[length == 0] = 1.0
    cosines = gram / length / length[:, None]
    try:
        factor = scipy.linalg.cho_factor(cosines, check_finite=False)
    except np.linalg.LinAlgError:
        factor = None
    if factor is not None and sums.curved is not None and np.diag(factor[0]).min() ** 2 <= HALF_DIGITS:
        factor = None  # a lean along dependent columns would leave the curved piece
    for _ in range(_ROUNDS):
        wanted = penalty.nearest_slope(coef, slope)
        apart = (slope - wanted)[fixed] / length
        if factor is not None:
            step = scipy.linalg.cho_solve(factor, apart, check_finite=False)
        else:
            step = scipy.linalg.lstsq(cosines, apart, cond=SUMMED * fixed.size, check_finite=False)[0]
        lean[fixed] += step / length
        slope = sums.slope - lean @ sums.gram
    return lean, slope


def _relative(coef: Array, sums: SquareSums, objective: float, gap: float) -> float:
    """The gap over the objective, or over the objective of predicting 0 if `objective` is that of an exact fit."""
    if gap <= 0:
        return 0.0
    size = np.sqrt(sums.y_square) + float(np.abs(coef) @ np.sqrt(sums.column_squares))
    null = 0.0 if sums.kink is None else sums.kink.null
    exact = 0.5 * EXACT_FIT**2 * sums.y_square + EXACT_FIT * null
    null += 0.5 * sums.y_square
    summed, rounded = (0.5 * (part * size) ** 2 + sums.height * part * size for part in (SUMMED, EPS))
    if objective > min(exact, summed) and gap > rounded:
        return gap / objective
    return gap / null if null > 0 else np.inf
