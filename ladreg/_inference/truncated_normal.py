"""Normal variables restricted to intervals, by logarithms of probabilities: exact in both tails.

With u the mean's distance from an end, in deviations, ``int_u^v exp(-s^2/2) ds = exp(-u^2/2) H(u, v - u)`` and
``H(u, w) = int_0^w exp(-u s - s^2/2) ds``, which neither over- nor underflows for u >= 0. Ratios of two such integrals
take the difference of the squares as a product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfcx

from ladreg._arrays import Array

# H by 20 points of Gauss and Legendre where ``w (u + w / 2) <= 1``: exact to rounding there. Beyond, the difference of
# two Mills ratios loses less than a digit.
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_ROOT_HALF_PI = float(np.sqrt(np.pi / 2))
# An end of an interval is searched up to 2^200 deviations away, and is infinite beyond.
_DOUBLINGS = 200


@dataclass(frozen=True, eq=False)
class TruncatedNormal:
    """An observed normal variable, given that it is between two ends.

    Attributes
    ----------
    value : float
        The observed value.
    sd : float
        Its standard deviation before it is restricted.
    below, above : float
        Distances of the ends from the value, >= 0; infinity where there is none.
    """

    value: float
    sd: float
    below: float
    above: float

    def log_tails(self, mean: float) -> tuple[float, float]:
        """Logarithms of the probabilities of at most, and of at least, the observed value."""
        z = (self.value - mean) / self.sd
        below, above = self.below / self.sd, self.above / self.sd
        left, right = _log_parts(z, below, above)
        total = float(np.logaddexp(left, right))
        return left - total, right - total

    @property
    def pvalue(self) -> float:
        """Two-sided p-value of a mean of zero: twice the smaller tail."""
        return float(min(2 * np.exp(min(self.log_tails(0.0))), 1.0))

    def interval(self, level: float) -> tuple[float, float]:
        """The means for which neither tail is below ``(1 - level) / 2``."""
        goal = float(np.log((1 - level) / 2))
        return self._mean(lambda mean: self.log_tails(mean)[1] - goal, -1), self._mean(
            lambda mean: goal - self.log_tails(mean)[0], 1
        )

    def _mean(self, excess: Callable[[float], float], side: int) -> float:
        """The root of an increasing function of the mean; infinite on its side where there is none."""
        reach = self.sd
        for _ in range(_DOUBLINGS):
            low, high = self.value - reach, self.value + reach
            if excess(low) <= 0 <= excess(high):
                return float(brentq(excess, low, high, xtol=1e-14 * self.sd, rtol=1e-14))
            reach *= 2
        return side * np.inf


def _log_parts(z: float, below: float, above: float) -> tuple[float, float]:
    """Logarithms of the integrals of ``exp(z^2/2 - s^2/2)`` over s from ``z - below`` to z, and to ``z + above``."""
    if z < 0:
        right, left = _log_parts(-z, above, below)
        return left, right
    right = _log_growth(z, above)
    if below <= z:  # both ends on one side of the mean
        low = z - below
        return below * (z - below / 2) + _log_growth(low, below), right
    inner = float(np.logaddexp(_log_growth(0.0, z), _log_growth(0.0, below - z)))
    return z * z / 2 + inner, right


def _log_growth(u: float, w: float) -> float:
    """``log H(u, w)`` for u, w >= 0."""
    if w == 0:
        return -np.inf
    if w * (u + w / 2) <= 1:
        s = w / 2 * (1 + _POINTS)
        return float(np.log(w / 2 * (_WEIGHTS @ np.exp(-s * (u + s / 2)))))
    mills = _ROOT_HALF_PI * float(erfcx(u / np.sqrt(2)))
    if np.isinf(w):
        return float(np.log(mills))
    beyond = _ROOT_HALF_PI * float(erfcx((u + w) / np.sqrt(2))) * float(np.exp(-w * (u + w / 2)))
    return float(np.log(mills - beyond))


def ends(margin: Array, rate: Array) -> tuple[float, float]:
    """How far a variable may go down and up while ``margin - rate * change >= 0``, for margins >= 0."""
    with np.errstate(divide="ignore", over="ignore"):
        reach = np.divide(margin, np.abs(rate), out=np.full(rate.size, np.inf), where=rate != 0)
    return float(reach[rate < 0].min(initial=np.inf)), float(reach[rate > 0].min(initial=np.inf))
