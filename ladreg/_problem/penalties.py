"""The penalty as a function of the coefficients, with methods in the order of `losses.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index

# Ridges are at most 1e300, so that products with them are finite.
HUGE = 1e300
_NONE = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class ElasticNet:
    """Absolute values and squares: sum_j strength_j * |b_j| + ridge_j * b_j^2 / 2, over b >= 0 when `positive`.

    Where ridge_j is zero, the dual set is |X_j'theta| <= strength_j, one-sided (X_j'theta <= strength_j) when
    `positive`; where it is not, every slope s is allowed and costs ``max(|s| - strength_j, 0)^2 / (2 ridge_j)``. A
    feature with neither is *free*: its dual constraint is an equality. A strength of infinity excludes a feature.
    The value is infinite outside the domain: where a coefficient is not finite, is below zero when `positive`, or is
    not zero though its feature is excluded.
    """

    strength: Array
    positive: bool = False
    ridge: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.ridge.size != self.strength.size:
            object.__setattr__(self, "ridge", np.zeros(self.strength.size))

    def times(self, alpha: float) -> ElasticNet:
        """The penalty times `alpha`; excluded features stay excluded."""
        finite = np.where(np.isinf(self.strength), 0.0, self.strength) if self.excluded else self.strength
        with np.errstate(over="ignore"):
            strength = alpha * finite
            ridge = np.minimum(alpha * self.ridge, HUGE) if self.curved else self.ridge
        if self.excluded:
            strength[np.isinf(self.strength)] = np.inf
        other = ElasticNet(strength, self.positive, ridge)
        if not self.curved and self.are_normal(alpha):
            other.__dict__.update(self._kinds)
        return other

    @cached_property
    def _kinds(self) -> dict[str, object]:
        """The properties that all multiples share, if no strength is rounded to zero or infinity."""
        names = "curved", "excluded", "bounds", "one_sided", "_free", "free_features", "all_bound"
        return {name: getattr(self, name) for name in names}

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The least strength above zero, and the largest that is finite."""
        finite = self.strength[(self.strength > 0) & np.isfinite(self.strength)]
        return float(finite.min(initial=np.inf)), float(finite.max(initial=0.0))

    def are_normal(self, alphas: float | Array) -> NDArray[np.bool_]:
        """Whether each multiple rounds no strength to zero, to a denormal number or to infinity."""
        least, most = self._ends
        with np.errstate(over="ignore", invalid="ignore"):  # without any strength the least is infinite
            return np.asarray((alphas * least >= np.finfo(np.float64).tiny) & (alphas * most < np.inf))

    @cached_property
    def is_zero(self) -> bool:
        """Whether there is no strength and no ridge; coefficients may have to be >= 0 all the same."""
        return not (self.strength.any() or self.curved)

    @cached_property
    def curved(self) -> bool:
        """Whether any ridge is not zero."""
        return bool(self.ridge.any())

    @cached_property
    def excluded(self) -> bool:
        """Whether any feature is excluded."""
        return bool(np.isinf(self.strength).any())

    @cached_property
    def bounds(self) -> NDArray[np.bool_]:
        """Features with a strength above zero and no ridge: the dual set bounds their slopes."""
        return (self.strength > 0) & (self.ridge == 0)

    def forbidden(self, coef: Array) -> Index:
        """The features whose coefficients are outside the domain."""
        outside = ~np.isfinite(coef)
        if not (self.positive or self.excluded or outside.any()):
            return _NONE
        if self.positive:
            outside |= coef < 0
        if self.excluded:
            outside |= np.isinf(self.strength) & (coef != 0)
        return np.flatnonzero(outside)

    def value(self, coef: Array) -> float:
        """``sum(strength * |coef| + ridge * coef^2 / 2)``, infinite outside the domain."""
        if self.forbidden(coef).size:
            return np.inf
        if self.is_zero:
            return 0.0
        used = np.flatnonzero(coef != 0)
        value = float(np.sum(self.strength[used] * np.abs(coef[used])))
        return value + 0.5 * float(np.sum((np.sqrt(self.ridge) * coef) ** 2)) if self.curved else value

    def prox(self, z: Array, step: float = 1.0) -> Array:
        """Minimiser over b of ``(b - z)^2 / 2 + step * value(b)``: soft-thresholding, then shrinking."""
        return self._soft(z, step * self.strength) / (1.0 + step * self.ridge)

    def _soft(self, z: Array, threshold: Array) -> Array:
        if self.positive:
            return np.maximum(z - threshold, 0.0)
        return np.sign(z) * np.maximum(np.abs(z) - threshold, 0.0)

    @cached_property
    def _free(self) -> NDArray[np.bool_]:
        return (self.strength == 0) & (self.ridge == 0) & (not self.positive)

    def free(self) -> NDArray[np.bool_]:
        """Features whose dual constraint is an equality whatever their coefficient."""
        return self._free

    @cached_property
    def free_features(self) -> Index:
        """The numbers of the features that are free."""
        return np.flatnonzero(self._free)

    @cached_property
    def one_sided(self) -> NDArray[np.bool_]:
        """Features without penalty whose coefficients must be >= 0."""
        return (self.strength == 0) & (self.ridge == 0) & self.positive

    def excess(self, slope: Array) -> Array:
        """The part of each slope ``X_j'theta`` that strength bounds: the size, or the positive part if `positive`."""
        return np.maximum(slope, 0.0) if self.positive else np.abs(slope)

    def nearest_slope(self, coef: Array, slope: Array) -> Array:
        """The point of the subdifferential at `coef` that is nearest to each slope."""
        inside = self._clipped(slope)
        strength = np.where(coef == 0, 0.0, self.strength)
        return np.where(coef == 0, inside, np.sign(coef) * strength + self.ridge * coef)

    def _clipped(self, slope: Array) -> Array:
        return np.clip(slope, -np.inf if self.positive else -self.strength, self.strength)

    def bend(self, apart: Array) -> float:
        """The largest conjugate of a ridge at the distances `apart` of slopes from the optimal ones."""
        with np.errstate(over="ignore"):
            size = np.divide(apart, np.sqrt(self.ridge), out=np.zeros_like(apart), where=self.ridge > 0)
            return float(0.5 * np.square(np.max(size, initial=0.0)))

    def overrun(self, slope: Array) -> float:
        """The factor by which slopes exceed the dual set, at least 1."""
        if self.is_zero:
            return 1.0
        used, strength = self.excess(slope), self.strength
        if not self.all_bound:
            used, strength = used[self.bounds], strength[self.bounds]
        with np.errstate(over="ignore"):  # an infinite factor shrinks the dual to zero
            largest = float(np.divide(used, strength, out=used).max(initial=0.0))
        return 1.0 if largest <= 1.0 else largest  # NaN stays

    @cached_property
    def all_bound(self) -> bool:
        """Whether the dual set bounds all slopes by a strength that is not zero."""
        return bool(self.bounds.all())

    def fenchel_young(self, coef: Array, slope: Array) -> Array:
        """``value(b) + conjugate(slope) - b * slope`` >= 0 for slopes in the dual set, without cancellation."""
        if not self.curved:
            return self._absolute_term(coef, slope)
        # The coefficient that the slope determines, and the part of the slope that belongs to the absolute value.
        curved = self.ridge > 0
        there = np.where(curved, self.fixed(slope), 0.0)
        rest = np.where(curved, slope - self.ridge * there, slope)
        with np.errstate(over="ignore"):  # a coefficient that is infinitely far away proves nothing
            return self._absolute_term(coef, rest) + 0.5 * (np.sqrt(self.ridge) * (coef - there)) ** 2

    def _absolute_term(self, coef: Array, slope: Array) -> Array:
        terms = np.zeros(coef.size)
        used = np.flatnonzero(coef != 0)
        here = coef[used]
        terms[used] = absolute_terms(self.strength[used], here, slope[used])
        return terms

    def fixed(self, slope: Array) -> Array:
        """The coefficients that an optimal slope determines, where there is a ridge; NaN elsewhere."""
        there = np.full(slope.size, np.nan)
        if self.curved:
            np.divide(self._soft(slope, self.strength), self.ridge, out=there, where=self.ridge > 0)
        return there

    def rescaled(self, unit: Array, factor: float) -> ElasticNet:
        """The penalty in other units of the coefficients and of the objective: ``value(unit * b) / factor``.

        `factor` and `unit` are powers of two.
        """
        strength = self.strength * (unit / factor)
        if not self.curved:
            return ElasticNet(strength, self.positive)
        root = unit / np.sqrt(factor)
        with np.errstate(over="ignore"):
            return ElasticNet(strength, self.positive, np.minimum(self.ridge * root * root, HUGE))

    def released(self, chosen: NDArray[np.bool_]) -> ElasticNet:
        """No penalty on the chosen features, all others excluded: for a fit to what was selected."""
        return ElasticNet(np.where(chosen, 0.0, np.inf), self.positive)

    def at(self, features: Index) -> ElasticNet:
        """The penalty of the chosen features."""
        return ElasticNet(self.strength[features], self.positive, self.ridge[features])


def absolute_terms(strength: Array, coef: Array, slope: Array) -> Array:
    """``strength * |b| - b * slope`` >= 0 for slopes in the dual set of the absolute value, without cancellation."""
    return np.asarray(np.abs(coef) * np.maximum(strength - np.sign(coef) * slope, 0.0))
