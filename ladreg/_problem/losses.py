"""Losses as functions of one residual r = y - prediction, one class per loss.

Every class has the same order: formula, fields, constants, value, derivative, conjugate, dual interval, Fenchel-Young
gap, the residual that a slope allows, location, change of units. The conjugate is that of the loss as a function of the
residual, ``conjugate(s) = sup_r s * r - value(r)``. Every loss here is a parabola or a line between its breakpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ladreg._arrays import Array

# A part of the combined loss below 1e-30 times the other part, at a residual of one unit, is lost in rounding. So is a
# curved piece of Huber's loss narrower than 1e-30 units.
_VANISHES = 1e-30
# Huber's loss with delta below 2e-8 units is solved as a kink first: residuals on its curved piece have less than half
# of their digits.
_NARROW = 2e-8


class Loss(Protocol):
    """The interface of a loss for the certificate, the solvers and the estimators."""

    @property
    def curvature(self) -> float:
        """Strong convexity constant; 0 where a piece of the loss is linear."""

    @property
    def smoothness(self) -> float:
        """Lipschitz constant of the derivative; infinity where the loss has a kink."""

    @property
    def has_kink(self) -> bool:
        """Whether the derivative jumps at zero: absolute and pinball loss, and the combined one."""

    @property
    def has_bounded_slopes(self) -> bool:
        """Whether the dual interval is bounded: absolute and pinball loss, and Huber's."""

    @property
    def is_piecewise_linear(self) -> bool:
        """Whether there is no curvature anywhere: absolute and pinball loss."""

    @property
    def is_square(self) -> bool:
        """Whether the loss is a parabola."""

    def value(self, residual: Array) -> Array:
        """Loss of each residual."""

    def derivative(self, residual: Array) -> Array:
        """Derivative in the residual; at a kink the mean of both sides."""

    def conjugate(self, slope: Array) -> Array:
        """Convex conjugate, for slopes inside `interval`."""

    def interval(self) -> tuple[float, float]:
        """Ends of the set of slopes where the conjugate is finite."""

    def kink(self) -> tuple[float, float]:
        """Slopes on both sides of zero; equal where there is no kink."""

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """``value(residual) + conjugate(slope) - residual * slope`` >= 0, evaluated without cancellation."""

    def residual_at(self, slope: Array) -> Array:
        """The residual whose derivative is `slope`; at an end of `interval` the one that is nearest to zero."""

    def location(self, y: Array, weight: Array) -> float:
        """The constant that minimises the weighted loss of `y`."""

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """`(loss, factor)` with ``self.value(unit * r) == factor * loss.value(r)``."""


# Weights are summed as whole numbers of sum 2^61, a quarter of the largest int64.
_WHOLE = 2.0**61


class _Kind:
    """The kind of a loss, by its constants."""

    @property
    def has_kink(self: Loss) -> bool:
        """Whether the derivative jumps at zero."""
        return self.smoothness == np.inf

    @property
    def has_bounded_slopes(self: Loss) -> bool:
        """Whether the dual interval is bounded: the loss is linear beyond some residual."""
        return self.interval()[1] < np.inf

    @property
    def is_piecewise_linear(self: Loss) -> bool:
        """Whether there is no curvature anywhere."""
        return self.has_kink and self.has_bounded_slopes

    @property
    def is_square(self: Loss) -> bool:
        """Whether the loss is a parabola: smooth, and strongly convex."""
        return not (self.has_kink or self.has_bounded_slopes)


@dataclass(frozen=True)
class Pinball(_Kind):
    """Tilted absolute value: tau * r for r >= 0, (tau - 1) * r otherwise.

    Its dual interval is [tau - 1, tau]; on it the conjugate is zero. tau = 1/2 is half the absolute error.
    """

    tau: float = 0.5

    @property
    def curvature(self) -> float:
        """No curvature: piecewise linear."""
        return 0.0

    @property
    def smoothness(self) -> float:
        """Infinite: there is a kink."""
        return np.inf

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

    def kink(self) -> tuple[float, float]:
        """The interval itself."""
        return self.interval()

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """|r| times the distance of the slope from the end of the interval on the residual's side."""
        lower, upper = self.interval()
        return np.maximum(residual * (upper - slope), residual * (lower - slope))

    def residual_at(self, slope: Array) -> Array:
        """Zero: a slope inside the interval belongs to the kink."""
        return np.zeros_like(slope)

    def location(self, y: Array, weight: Array) -> float:
        """The weighted quantile; the middle where a whole interval is optimal."""
        lower, upper = self.interval()
        if weight.strides == (0,):
            return _quantile(y, upper / (upper - lower))
        order = np.argsort(y)
        # Whole numbers, of sum 2^61, are summed exactly: in floats each addition would round the sum of those before.
        parts = weight[order] * (_WHOLE / (weight.sum() or 1.0))
        mass = np.cumsum(np.rint(parts).astype(np.int64)).astype(np.float64)
        goal = mass[-1] * upper / (upper - lower)
        # Equal weights equal the goal up to their own rounding only, and that to whole numbers; without slack, one end
        # of the interval wins.
        slack = 8 * np.finfo(float).eps * mass[-1] + y.size
        first = order[min(np.searchsorted(mass, goal - slack), y.size - 1)]
        last = order[min(np.searchsorted(mass, goal + slack), y.size - 1)]
        return float(y[first] / 2 + y[last] / 2)

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """Homogeneous of degree one."""
        return self, unit


def _quantile(y: Array, part: float) -> float:
    """The quantile of values with equal weights, by the rule of `Pinball.location`."""
    goal, slack = part * y.size, 8 * np.finfo(float).eps * y.size
    first, last = (min(max(int(np.ceil(at)) - 1, 0), y.size - 1) for at in (goal - slack, goal + slack))
    values = np.partition(y, (first, last))
    return float(values[first] / 2 + values[last] / 2)


@dataclass(frozen=True)
class Absolute(Pinball):
    """Absolute value: |r|.

    Its dual interval is [-1, 1]; on it the conjugate is zero.
    """

    def interval(self) -> tuple[float, float]:
        """``(-1, 1)``."""
        return -1.0, 1.0


@dataclass(frozen=True)
class HalfSquared(_Kind):
    """Half the square: r^2 / 2.

    Its dual interval is the whole line; the conjugate is s^2 / 2.
    """

    @property
    def curvature(self) -> float:
        """One."""
        return 1.0

    @property
    def smoothness(self) -> float:
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

    def kink(self) -> tuple[float, float]:
        """No kink."""
        return 0.0, 0.0

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
        return HalfSquared(), unit * unit


@dataclass(frozen=True)
class Squared(HalfSquared):
    """The square: r^2.

    Its dual interval is the whole line; the conjugate is s^2 / 4.
    """

    @property
    def curvature(self) -> float:
        """Two."""
        return 2.0

    @property
    def smoothness(self) -> float:
        """Two."""
        return 2.0

    def value(self, residual: Array) -> Array:
        """``r^2``."""
        return residual * residual

    def derivative(self, residual: Array) -> Array:
        """``2 r``."""
        return 2.0 * residual

    def conjugate(self, slope: Array) -> Array:
        """``s^2 / 4``."""
        return 0.25 * slope * slope

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """``(r - s / 2)^2``."""
        return (residual - 0.5 * slope) ** 2

    def residual_at(self, slope: Array) -> Array:
        """``s / 2``."""
        return 0.5 * slope

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """Twice `HalfSquared`."""
        return HalfSquared(), 2.0 * unit * unit


@dataclass(frozen=True)
class Combined(_Kind):
    """Absolute value and square: absolute * |r| + square * r^2, both factors > 0.

    Its dual interval is the whole line; the conjugate is max(|s| - absolute, 0)^2 / (4 square).
    """

    absolute: float
    square: float

    @property
    def curvature(self) -> float:
        """``2 square``."""
        return 2.0 * self.square

    @property
    def smoothness(self) -> float:
        """Infinite: there is a kink."""
        return np.inf

    def value(self, residual: Array) -> Array:
        """``absolute |r| + square r^2``."""
        return np.abs(residual) * (self.absolute + self.square * np.abs(residual))

    def derivative(self, residual: Array) -> Array:
        """``absolute sign(r) + 2 square r``."""
        return self.absolute * np.sign(residual) + 2.0 * self.square * residual

    def conjugate(self, slope: Array) -> Array:
        """``max(|s| - absolute, 0)^2 / (4 square)``."""
        return self.square * self.residual_at(slope) ** 2

    def interval(self) -> tuple[float, float]:
        """The whole line."""
        return -np.inf, np.inf

    def kink(self) -> tuple[float, float]:
        """``(-absolute, absolute)``."""
        return -self.absolute, self.absolute

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """``square (r - r_s)^2 + |r| absolute - r t``, r_s the residual of the slope, t its part within the kink."""
        within = np.clip(slope, -self.absolute, self.absolute)
        ends = np.where(residual >= 0, self.absolute, -self.absolute)
        return self.square * (residual - self.residual_at(slope)) ** 2 + residual * (ends - within)

    def residual_at(self, slope: Array) -> Array:
        """``sign(s) max(|s| - absolute, 0) / (2 square)``."""
        return np.sign(slope) * np.maximum(np.abs(slope) - self.absolute, 0.0) / (2.0 * self.square)

    def location(self, y: Array, weight: Array) -> float:
        """Where the weighted derivative changes sign: between two values of `y`, or at one of them."""
        order = np.argsort(y)
        y, weight = y[order], weight[order] / weight.sum()
        below = np.cumsum(weight)
        # Slopes at the values of y, from the right: both parts grow with the constant.
        slope = self.absolute * (2.0 * below - 1.0) + 2.0 * self.square * (y - float(weight @ y))
        first = min(int(np.searchsorted(slope, 0.0)), y.size - 1)
        before = self.absolute * (2.0 * (below[first] - weight[first]) - 1.0)
        # Left of that value the slope is `before` plus the slope of the parabola: its zero there, or the value itself.
        zero = float(weight @ y) - before / (2.0 * self.square)
        least = float(y[first - 1]) if first else -np.inf
        return min(max(zero, least), float(y[first]))

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """The same loss with other factors; a part below `_VANISHES` times the other one is left out."""
        linear, quadratic = self.absolute * unit, self.square * unit * unit
        if quadratic < _VANISHES * linear:
            return Absolute(), linear
        if linear < _VANISHES * quadratic:
            return HalfSquared(), 2.0 * quadratic
        largest = max(linear, quadratic)
        if largest == 0 or not np.isfinite(largest):
            return self, largest
        factor = float(np.ldexp(1.0, int(np.frexp(largest)[1]) - 1))
        return Combined(linear / factor, quadratic / factor), factor


@dataclass(frozen=True)
class Huber(_Kind):
    """Huber's loss: stiffness * r^2 / 2 for |r| <= delta, stiffness * delta * (|r| - delta / 2) beyond.

    Its dual interval is [-stiffness * delta, stiffness * delta]; on it the conjugate is s^2 / (2 stiffness).
    """

    delta: float
    stiffness: float = 1.0

    @property
    def curvature(self) -> float:
        """Zero: the loss is linear beyond delta."""
        return 0.0

    @property
    def smoothness(self) -> float:
        """The stiffness."""
        return self.stiffness

    def value(self, residual: Array) -> Array:
        """``stiffness (m^2 / 2 + delta (|r| - m))`` with m the smaller of ``|r|`` and delta."""
        size = np.abs(residual)
        inner = np.minimum(size, self.delta)
        return self.stiffness * (0.5 * inner * inner + self.delta * (size - inner))

    def derivative(self, residual: Array) -> Array:
        """``stiffness * r``, clipped to the interval."""
        return self.stiffness * np.minimum(np.maximum(residual, -self.delta), self.delta)

    def conjugate(self, slope: Array) -> Array:
        """``s^2 / (2 stiffness)``."""
        return 0.5 * slope * slope / self.stiffness

    def interval(self) -> tuple[float, float]:
        """``(-stiffness * delta, stiffness * delta)``."""
        return -self.stiffness * self.delta, self.stiffness * self.delta

    def kink(self) -> tuple[float, float]:
        """No kink."""
        return 0.0, 0.0

    def fenchel_young(self, residual: Array, slope: Array) -> Array:
        """``stiffness (m - r_s)^2 / 2``, m the residual clipped to delta, and ``(r - m) (stiffness m - s)``."""
        inner = np.minimum(np.maximum(residual, -self.delta), self.delta)
        outer = (residual - inner) * (self.stiffness * inner - slope)
        return 0.5 * self.stiffness * (inner - slope / self.stiffness) ** 2 + np.maximum(outer, 0.0)

    def residual_at(self, slope: Array) -> Array:
        """``s / stiffness``."""
        return slope / self.stiffness

    def location(self, y: Array, weight: Array) -> float:
        """Where the weighted derivative, which is piecewise linear, changes sign; the middle of an optimal interval."""
        least, most = float(y.min()), float(y.max())
        if self.delta >= most - least:  # no residual is beyond delta, whose digits may be none of y's
            return min(max(float(weight @ y / weight.sum()), least), most)
        bends = np.sort(np.concatenate([y - self.delta, y + self.delta]))
        weight = weight / weight.sum()

        def slope(constant: float) -> float:
            return float(weight @ self.derivative(constant - y))

        # A sum of equal parts is zero up to rounding only.
        slack = 8 * np.finfo(float).eps * self.stiffness * self.delta
        ends = []
        for goal in (-slack, slack):
            low, high = 0, bends.size - 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if slope(bends[middle]) < goal else (low, middle)
            left, right = slope(bends[low]), slope(bends[high])
            share = (goal - left) / (right - left) if right > left else 1.0
            ends.append(float(bends[low] + min(max(share, 0.0), 1.0) * (bends[high] - bends[low])))
        return ends[0] / 2 + ends[1] / 2

    def rescaled(self, unit: float) -> tuple[Loss, float]:
        """Slopes of about one at the ends, or a curvature of about one if delta exceeds `unit`.

        If delta is below `_NARROW * unit`, the curved piece becomes a kink.
        """
        if self.delta < _NARROW * unit:
            return Absolute(), self.stiffness * self.delta * unit
        factor = self.stiffness * unit * min(self.delta, unit)
        if factor == 0 or not np.isfinite(factor):
            return self, factor
        factor = float(np.ldexp(1.0, int(np.frexp(factor)[1]) - 1))
        return Huber(self.delta / unit, self.stiffness * unit / factor * unit), factor

    def with_curve(self, unit: float) -> Huber | None:
        """The loss in the units in which `rescaled` makes a kink of it, curved as it is.

        None if delta is below `_VANISHES * unit`.
        """
        width = self.delta / unit
        return Huber(width, 1.0 / width) if width >= _VANISHES else None
