"""Losses: the mathematics of one residual r = y - prediction, a page each.

Every page has the same order: formula, fields, value, derivative, conjugate, dual interval, Fenchel-Young gap,
the residual that a slope allows, location, change of units. The conjugate is that of the loss as a function of the
residual, ``conjugate(s) = sup_r s * r - value(r)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Loss(Protocol):
    """What certificate, solvers and estimators may ask of a loss."""

    @property
    def curvature(self) -> float:
        """Strong convexity constant; 0 where the loss is piecewise linear."""

    def value(self, residual: Array) -> Array:
        """Loss of each residual."""

    def derivative(self, residual: Array) -> Array:
        """Derivative in the residual; at a kink the mean of both sides."""

    def conjugate(self, slope: Array) -> Array:
        """Convex conjugate, for slopes inside `interval`."""

    def interval(self) -> tuple[float, float]:
        """Ends of the set of slopes where the conjugate is finite."""

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """``value(residual) + conjugate(slope) - residual * slope`` >= 0, evaluated without cancellation."""

    def residual_at(self, slope: Array) -> Array:
        """The residual whose derivative is `slope`, for slopes strictly inside `interval`."""

    def location(self, y: Array, weight: Array) -> float:
        """The constant that minimises the weighted loss of `y`."""

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """`(loss, factor)` with ``self.value(unit * r) == factor * loss.value(r)``."""


@dataclass(frozen=True)
class Pinball:
    """Tilted absolute value: tau * r for r >= 0, (tau - 1) * r otherwise.

    Its dual interval is [tau - 1, tau]; on it the conjugate is zero. tau = 1/2 is half the absolute error.
    """

    tau: float = 0.5

    @property
    def curvature(self) -> float:
        """No curvature: piecewise linear."""
        return 0.0

    def value(self, residual: Array) -> Array:
        """``max(tau * r, (tau - 1) * r)``."""
        lower, upper = self.interval()
        return np.maximum(upper * residual, lower * residual)

    def derivative(self, residual: Array) -> Array:
        """The slope of the residual's side."""
        lower, upper = self.interval()
        return np.where(residual > 0, upper, np.where(residual < 0, lower, (lower + upper) / 2))

    def conjugate(self, slope: Array) -> Array:
        """Zero."""
        return np.zeros_like(slope)

    def interval(self) -> tuple[float, float]:
        """``(tau - 1, tau)``."""
        return self.tau - 1.0, self.tau

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """|r| times the distance of the slope from the end of the interval on the residual's side."""
        lower, upper = self.interval()
        return np.where(residual >= 0, residual * (upper - slope), residual * (lower - slope))

    def residual_at(self, slope: Array) -> Array:
        """Zero: a slope inside the interval belongs to the kink."""
        return np.zeros_like(slope)

    def location(self, y: Array, weight: Array) -> float:
        """The weighted quantile; the middle where a whole interval is optimal."""
        lower, upper = self.interval()
        order = np.argsort(y)
        mass = np.cumsum(weight[order])
        goal = mass[-1] * upper / (upper - lower)
        # A sum of equal weights meets the goal up to rounding only; a miss would pick one end of the optimal interval.
        slack = 8 * np.finfo(float).eps * mass[-1]
        first = order[min(np.searchsorted(mass, goal - slack), y.size - 1)]
        last = order[min(np.searchsorted(mass, goal + slack), y.size - 1)]
        return float(y[first] / 2 + y[last] / 2)

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """Homogeneous of degree one."""
        return self, unit


@dataclass(frozen=True)
class Absolute(Pinball):
    """Absolute value: |r|.

    Its dual interval is [-1, 1]; on it the conjugate is zero.
    """

    def interval(self) -> tuple[float, float]:
        """``(-1, 1)``."""
        return -1.0, 1.0


@dataclass(frozen=True)
class HalfSquared:
    """Half the square: r^2 / 2.

    Its dual interval is the whole line; the conjugate is s^2 / 2.
    """

    @property
    def curvature(self) -> float:
        """One."""
        return 1.0

    def value(self, residual: Array) -> Array:
        """``r^2 / 2``."""
        return 0.5 * residual * residual

    def derivative(self, residual: Array) -> Array:
        """``r``."""
        return residual

    def conjugate(self, slope: Array) -> Array:
        """``s^2 / 2``."""
        return 0.5 * slope * slope

    def interval(self) -> tuple[float, float]:
        """The whole line."""
        return -np.inf, np.inf

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """``(r - s)^2 / 2``."""
        return 0.5 * (residual - slope) ** 2

    def residual_at(self, slope: Array) -> Array:
        """``s``."""
        return slope

    def location(self, y: Array, weight: Array) -> float:
        """The weighted mean."""
        return float(weight @ y / weight.sum())

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """Homogeneous of degree two."""
        return self, unit * unit
