"""The objectives of the estimators' docstrings in 80-bit arithmetic, whose exponents no power of ten here exceeds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import lsq_linear

LONG = np.longdouble
EPS = LONG(2) ** -52
LONG_EPS = np.finfo(LONG).eps
# Numbers below this have lost digits in float64.
FLOOR = LONG(np.finfo(float).tiny) * 64
# Part of an objective by which a claim may be wrong, and of the largest target that a residual of an exact fit may be.
CLAIMED, EXACT = 1e-10, 2e-12
# How many roundings an answer may cost: one for the product, sum and subtraction of each of a row's terms, in the
# coefficients, the residuals and the dual, with a factor for what an elimination of ten columns adds.
ROUNDINGS = 64


@dataclass(frozen=True)
class Loss:
    """``up * max(r, 0) + down * max(-r, 0) + square * r^2``, the square going on as a line beyond |r| = `bend`."""

    up: float = 0.0
    down: float = 0.0
    square: float = 0.0
    bend: float = np.inf

    @property
    def smooth(self):
        return self.up == self.down == 0

    def value(self, residual):
        inner = np.minimum(np.abs(residual), LONG(self.bend))
        curve = self.square * inner * (2 * np.abs(residual) - inner)
        return np.where(residual > 0, self.up * residual, -self.down * residual) + curve

    def slope(self, residual):
        """The derivative; at zero the middle of the kink."""
        kink = np.where(residual > 0, self.up, np.where(residual < 0, -self.down, (self.up - self.down) / 2))
        return kink + 2 * self.square * np.clip(residual, -LONG(self.bend), LONG(self.bend))

    def ends(self):
        """The largest and smallest slope."""
        most = 2 * LONG(self.square) * LONG(self.bend) if self.square else LONG(0)
        return -LONG(self.down) - most, LONG(self.up) + most

    def excess(self, residual, slope):
        """``value(r) + conjugate(s) - r s`` for a slope between the ends, from its nonnegative parts."""
        within = np.clip(slope, -LONG(self.down), LONG(self.up))
        kink = residual * (np.where(residual > 0, LONG(self.up), -LONG(self.down)) - within)
        if not self.square:
            return kink
        inner = np.clip(residual, -LONG(self.bend), LONG(self.bend))
        there = (slope - within) / (2 * LONG(self.square))
        line = (residual - inner) * (2 * self.square * inner - (slope - within))
        return kink + self.square * (inner - there) ** 2 + np.maximum(line, 0)


@dataclass(frozen=True)
class Formula:
    """``sum weight * loss(y - X b - b0) + sum strength |b| + ridge b^2 / 2``; infinite strengths exclude."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    loss: Loss
    strength: np.ndarray
    ridge: np.ndarray
    positive: bool
    fit_intercept: bool
    # The part of mean((y - mean(y))^2) that the estimator's tol allows.
    share: float = 0.0
    # A linear term of the objective, which slopes stand against; only the judge has use for it.
    tilt: np.ndarray | float = 0.0
    # Limits of the coefficients beside `positive`; None for infinite ones.
    bounds: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(
        cls, X, y, weight, loss, strength, *, ridge=None, positive=False, fit_intercept=True, share=0.0, bounds=None
    ):
        """From float64 arrays: rows of weight zero left out, weights divided by their sum."""
        X, y = np.asarray(X, LONG), np.asarray(y, LONG)
        weight = np.ones(y.size, LONG) if weight is None else np.asarray(weight, LONG)
        kept = weight > 0
        weight = weight[kept] / weight[kept].sum()
        strength = np.asarray(strength, LONG)
        ridge = np.zeros(strength.size, LONG) if ridge is None else np.asarray(ridge, LONG)
        own = weight, loss, strength, ridge, positive, fit_intercept, share
        return cls(X[kept], y[kept], *own, bounds=bounds)

    @cached_property
    def limits(self):
        """The least and the largest value of each coefficient."""
        lower, upper = (-np.inf, np.inf) if self.bounds is None else self.bounds
        lower, upper = (np.array(np.broadcast_to(one, self.strength.shape), LONG) for one in (lower, upper))
        return (np.maximum(lower, 0) if self.positive else lower), upper

    def residual(self, coef, intercept):
        return self.y - self.X @ np.asarray(coef, LONG) - LONG(intercept)

    def objective(self, coef, intercept):
        coef = np.asarray(coef, LONG)
        used = coef != 0
        penalty = (self.strength[used] * np.abs(coef[used]) + self.ridge[used] * coef[used] ** 2 / 2).sum()
        return self.weight @ self.loss.value(self.residual(coef, intercept)) + penalty

    @cached_property
    def centre(self):
        """Weighted means of y and the columns; zero where there is no intercept to take them up."""
        return (self.weight @ self.y, self.weight @ self.X) if self.fit_intercept else (LONG(0), 0 * self.X[0])

    @cached_property
    def columns(self):
        """The columns without their means, which the intercept takes up: the same problem, better conditioned."""
        constant = self.X.max(axis=0) == self.X.min(axis=0)
        return np.where(constant & self.fit_intercept, 0, self.X - self.centre[1])

    @cached_property
    def variance(self):
        return self.weight @ (self.y - self.centre[0]) ** 2

    @cached_property
    def deviation(self):
        """Weighted mean deviations of the columns from their means."""
        return self.weight @ np.abs(self.columns)

    def moved_without(self, coef):
        """How far predictions move, in the mean, where penalised coefficients go to rest and free ones take that up."""
        coef, (lower, upper) = np.asarray(coef, LONG), self.limits
        change = np.where(self.strength > 0, np.clip(0, lower, upper) - coef, 0)
        if not change.any():
            return LONG(0)
        size, root = np.abs(self.columns).max(axis=0), np.sqrt(self.weight)
        free = np.flatnonzero((self.strength == 0) & (lower < upper) & (size > 0))
        columns = np.asarray(root[:, None] * self.columns[:, free] / size[free], float)
        for _ in range(2 * min(free.size, 1)):  # the second time takes up the rounding of the first
            left = root * (self.columns @ change)
            if not left.any():
                break
            unit = size[free] / np.abs(left).max()
            ends = [np.asarray((end - coef - change)[free] * unit, float) for end in (lower, upper)]
            found = lsq_linear(columns, np.asarray(-left / np.abs(left).max(), float), ends, "bvls", tol=1e-15)
            change[free] += found.x / unit
        return self.weight @ np.abs(self.columns @ change)

    def distance(self):
        """The largest mean of a column in units of its deviation, at least 1."""
        mean = self.weight @ self.columns
        deviation = np.sqrt(self.weight @ (self.columns - mean) ** 2)
        return max(1, *(np.abs(mean) / np.where(deviation > 0, deviation, np.inf)))

    def sizes(self, coef, intercept):
        """What the rounding of each residual is relative to, and the same where an intercept takes up all means."""
        coef = np.abs(np.asarray(coef, LONG))
        raw = np.abs(self.y) + np.abs(self.X) @ coef + abs(LONG(intercept))
        return raw, np.abs(self.y - self.centre[0]) + np.abs(self.columns) @ coef

    def rounding(self, coef, intercept):
        """What rounding alone may cost the objective.

        A residual is known up to some `EPS` of the sizes of its terms. On a kink that costs as much as it is large
        (first order). On a curve it costs its square only; but solvers sum squares, of which each is known to a part
        of `EPS`, and so their answers: those are sizes after the means are gone, or an intercept would excuse all.
        """
        raw, centred = self.sizes(coef, intercept)
        kink = max(self.loss.up, self.loss.down) * (self.weight @ raw)
        curve = self.weight @ Loss(square=self.loss.square, bend=self.loss.bend).value(centred)
        lost = self.weight @ self.loss.value(ROUNDINGS * EPS * raw)
        return ROUNDINGS * EPS * (kink + curve) + lost + FLOOR

    def allowed(self, coef, intercept):
        """The gap that an answer without a warning may have."""
        return 1e-8 * self.objective(coef, intercept) + self.share * self.variance + self.rounding(coef, intercept)

    def evaluation(self, coef, intercept):
        """How far a claimed objective may be from that of the coefficients: `CLAIMED` of it, and the judge's rounding.

        Where the data are fitted exactly, up to `EXACT` of y, residuals are rounding, and so may be the objective.
        """
        raw, _ = self.sizes(coef, intercept)
        residual = self.residual(coef, intercept)
        is_exact = self.weight @ np.abs(residual) <= EXACT * np.abs(self.y).max(initial=0)
        digits = ROUNDINGS * (EPS if is_exact else LONG_EPS)
        steep = np.maximum(np.abs(self.loss.slope(residual)), max(self.loss.up, self.loss.down))
        lost = self.weight @ self.loss.value(digits * raw)
        return CLAIMED * self.objective(coef, intercept) + digits * (self.weight @ (steep * raw)) + lost + FLOOR
