"""The proof of a squared loss from sums over its rows, for rows that are not in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._problem import TOO_LARGE, ElasticNet
from ladreg._tolerances import EPS, EXACT_FIT, ORTHOGONAL, SUMMED

# Correct a dual this number of times: each correction leaves an error of rounding times the one before.
_ROUNDS = 3
# Correct the slopes of at most 4,000 features: more cost more than they prove.
_MOST = 4_000


@dataclass(frozen=True)
class SquareSums:
    """Sums over rows, for weights of sum one.

    Attributes
    ----------
    squares
        Of weighted squared residuals.
    slope
        Of weighted residuals times the columns, less their means if there is an intercept.
    total
        Of weighted residuals.
    gram
        Of weighted products of the columns, less their means if there is an intercept.
    column_squares, y_square
        Of weighted squared columns, and of targets less the predictions of coefficients at rest, as they are.
    fit_intercept
        Whether there is an intercept.
    """

    squares: float
    slope: Array
    total: float
    gram: Array
    column_squares: Array
    y_square: float
    fit_intercept: bool


@dataclass(frozen=True)
class SumProof:
    """An objective, and how far it is proved to be from the optimum at most."""

    objective: float
    gap: float
    relative_gap: float


def prove_from_sums(penalty: ElasticNet, coef: Array, sums: SquareSums) -> SumProof:
    """What `certificate.prove` finds for coefficients of a squared loss, from sums over the rows.

    Duals are ``weight * (residual - columns @ lean - constant) / shrink`` for any lean: the sums give their slopes, and
    the gap of each, ``mean((residual - dual / weight)^2) / 2`` and the terms of the features.

    1. The lean makes the slopes of free features zero, and the constant the sum of the dual.
    2. A second dual has the slopes of nonzero coefficients, and those above their strengths, at their strengths: the
       rounding of slopes then costs its square.
    """
    objective = 0.5 * sums.squares + penalty.value(coef)
    if penalty.forbidden(coef).size:
        return SumProof(np.inf, np.inf, np.inf)
    if not np.isfinite(objective):
        raise OverflowError(TOO_LARGE)
    # Features whose slope is determined by their coefficient, and those whose slope is outside the dual set.
    determined = (penalty.ridge == 0) & np.isfinite(penalty.strength) & ~penalty.at_kink(coef)
    determined |= _outside(penalty, sums.slope)
    nothing = np.zeros(coef.size, dtype=bool)
    # The zero dual proves that no objective is below zero.
    gap = min([objective, *(_gap(penalty, coef, sums, more) for more in (nothing, determined))])
    return SumProof(objective, gap, _relative(coef, sums, objective, gap))


def _outside(penalty: ElasticNet, slope: Array) -> NDArray[np.bool_]:
    """Which slopes are outside the dual set."""
    low, high = penalty.slopes
    return np.asarray((slope < low) | (slope > high))


def _gap(penalty: ElasticNet, coef: Array, sums: SquareSums, more: NDArray[np.bool_]) -> float:
    """The gap of the dual whose lean corrects free features and some `more`; infinite where there is none."""
    fixed = penalty.free() | more
    allowed = ORTHOGONAL * np.sqrt(sums.column_squares * sums.squares)
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
    shrink = penalty.overrun(slope)
    constant = sums.total if sums.fit_intercept else 0.0
    part = 1.0 - 1.0 / shrink
    crossed = float(sums.slope @ lean) + constant * sums.total
    bent = float(lean @ (sums.gram @ lean)) + constant**2
    rows = 0.5 * (part**2 * sums.squares + 2.0 * part / shrink * crossed + bent / shrink**2)
    features = penalty.fenchel_young(coef, slope / shrink)
    features[penalty.free_features] = 0.0
    gap = max(rows, 0.0) + float(features.sum())
    return gap if np.isfinite(gap) else np.inf


def _leant(penalty: ElasticNet, coef: Array, sums: SquareSums, fixed: Index) -> tuple[Array, Array] | None:
    """The lean that gives the slopes of some features the values they should have, and the slopes of all."""
    lean, slope = np.zeros(coef.size), sums.slope
    if fixed.size == 0:
        return lean, slope
    if fixed.size > _MOST:
        return None
    gram = sums.gram[np.ix_(fixed, fixed)]
    length = np.sqrt(np.diag(gram))
    length[length == 0] = 1.0
    cosines = gram / length / length[:, None]
    try:
        factor = scipy.linalg.cho_factor(cosines, check_finite=False)
    except np.linalg.LinAlgError:
        factor = None
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
    null = 0.5 * sums.y_square
    if objective > min(EXACT_FIT**2 * null, 0.5 * (SUMMED * size) ** 2) and gap > 0.5 * (EPS * size) ** 2:
        return gap / objective
    return gap / null if null > 0 else np.inf
