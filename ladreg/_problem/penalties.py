"""The penalty as a function of the coefficients, with methods in the order of `losses.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import NONE, NOTHING, Array, Index
from ladreg._cached import cached_property
from ladreg._tolerances import EPS, FAR_LIMIT

# Ridges are at most 1e307, so that ten times one is finite: larger ones are taken for this.
HUGE = 1e307


@dataclass(frozen=True)
class ElasticNet:
    """Absolute values and squares: sum_j strength_j * |b_j| + ridge_j * b_j^2 / 2, over lower <= b <= upper.

    `positive` stands for the limits 0 and infinity; engines that know no other limits ask whether the penalty is
    `limited`, and then neither `lower` nor `upper` is empty.

    Where ridge_j is zero, the dual set is |X_j'theta| <= strength_j, one-sided (X_j'theta <= strength_j) when
    `positive`; where it is not, every slope s is allowed and costs ``max(|s| - strength_j, 0)^2 / (2 ridge_j)``. A
    finite upper limit allows every slope above, a finite lower limit every slope below. A feature whose dual constraint
    is an equality is *free*. A strength of infinity excludes a feature. The value is infinite outside the domain: where
    a coefficient is not finite, is beyond a limit, or is not zero though its feature is excluded.
    """

    strength: Array
    positive: bool = False
    ridge: Array = field(default_factory=lambda: NOTHING)
    lower: Array = field(default_factory=lambda: NOTHING)
    upper: Array = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        if self.ridge.size != self.strength.size:
            object.__setattr__(self, "ridge", np.zeros(self.strength.size))
            self.__dict__["curved"] = False

    def times(self, alpha: float) -> ElasticNet:
        """The penalty times `alpha`; excluded features stay excluded."""
        finite = np.where(np.isinf(self.strength), 0.0, self.strength) if self.excluded else self.strength
        with np.errstate(over="ignore"):
            strength = alpha * finite
            ridge = np.minimum(alpha * self.ridge, HUGE) if self.curved else self.ridge
        if self.excluded:
            strength[np.isinf(self.strength)] = np.inf
        other = ElasticNet(strength, self.positive, ridge, self.lower, self.upper)
        if not self.curved and self.are_normal(alpha):
            other.__dict__.update(self._kinds)
        return other

    @cached_property
    def _kinds(self) -> dict[str, object]:
        """The properties that all multiples share, if no strength is rounded to zero or infinity."""
        names = "limited", "curved", "excluded", "bounds", "one_sided", "_free", "free_features", "all_bound"
        return {name: getattr(self, name) for name in names}

    @cached_property
    def _least_and_most(self) -> tuple[float, float]:
        """The least and the largest strength."""
        least = np.minimum.reduce(self.strength, initial=np.inf)
        return float(least), float(np.maximum.reduce(self.strength, initial=0.0))

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
        return self._least_and_most[1] == 0 and not self.curved

    @property
    def is_nothing(self) -> bool:
        """Whether all coefficients are free: no strength, no ridge, no limit."""
        return self.is_zero and not (self.positive or self.limited)

    @cached_property
    def limited(self) -> bool:
        """Whether there are limits of coefficients other than those of `positive`."""
        return bool(self.lower.size)

    @property
    def is_plain(self) -> bool:
        """Whether every engine of a loss that is not a square knows the penalty: no ridges, no limits but zero."""
        return not (self.limited or self.curved)

    @cached_property
    def ends(self) -> tuple[Array, Array]:
        """The least and the largest value that each coefficient may have."""
        if self.limited:
            return self.lower, self.upper
        infinite = np.full(self.strength.size, np.inf)
        return (np.zeros(infinite.size) if self.positive else -infinite), infinite

    @cached_property
    def rest(self) -> Array:
        """The coefficients nearest to zero that the limits allow."""
        zero = np.zeros(self.strength.size)
        return np.clip(zero, self.lower, self.upper) if self.limited else zero

    @property
    def moves(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each coefficient may be larger than at rest, and whether it may be smaller."""
        lower, upper = self.ends
        return upper > self.rest, lower < self.rest

    @cached_property
    def slopes(self) -> tuple[Array, Array]:
        """The least and the largest slope in the dual set of each feature."""
        flat = self.ridge == 0
        if not self.limited:
            high = np.where(flat, self.strength, np.inf)
            return (np.full(high.size, -np.inf) if self.positive else -high), high
        low = np.where(flat & np.isinf(self.lower), -self.strength, -np.inf)
        return low, np.where(flat & np.isinf(self.upper), self.strength, np.inf)

    def within(self, coef: Array) -> Array:
        """The coefficients moved to the limits that they are beyond."""
        if self.limited:
            return np.clip(coef, self.lower, self.upper)
        return np.maximum(coef, 0.0) if self.positive else coef

    @cached_property
    def kinked(self) -> NDArray[np.bool_]:
        """Features whose coefficient has a kink or a limit at zero, where it has none other."""
        return (self.strength > 0) | self.positive

    def at_kink(self, coef: Array) -> NDArray[np.bool_]:
        """Whether each coefficient is at a kink of its penalty or at a limit: other slopes than one are allowed."""
        if self.limited:
            return ((coef == 0) & (self.strength > 0)) | (coef <= self.lower) | (coef >= self.upper)
        return (coef == 0) & self.kinked

    @cached_property
    def curved(self) -> bool:
        """Whether any ridge is not zero."""
        return bool(self.ridge.any())

    @cached_property
    def excluded(self) -> bool:
        """Whether any feature is excluded."""
        return self._least_and_most[1] == np.inf

    @cached_property
    def bounds(self) -> NDArray[np.bool_]:
        """Features with a strength above zero whose slopes the dual set bounds: no ridge, and a limit is infinite."""
        bounds = (self.strength > 0) & (self.ridge == 0)
        return bounds & (np.isinf(self.lower) | np.isinf(self.upper)) if self.limited else bounds

    def forbidden(self, coef: Array) -> Index:
        """The features whose coefficients are outside the domain."""
        outside = ~np.isfinite(coef)
        if not (self.positive or self.limited or self.excluded or outside.any()):
            return NONE
        if self.positive:
            outside |= coef < 0
        if self.limited:
            outside |= (coef < self.lower) | (coef > self.upper)
        if self.excluded:
            outside |= np.isinf(self.strength) & (coef != 0)
        return np.flatnonzero(outside)

    def value(self, coef: Array) -> float:
        """``sum(strength * |coef| + ridge * coef^2 / 2)``, infinite outside the domain."""
        return np.inf if self.forbidden(coef).size else self.cost(coef)

    def cost(self, coef: Array) -> float:
        """`value` of coefficients inside the domain; infinite where ridges of `HUGE` cost more than rounding."""
        if self.is_zero:
            return 0.0
        used = coef.nonzero()[0]
        value = float((self.strength[used] * np.abs(coef[used])).sum())
        if not self.curved:
            return value
        squares = 0.5 * (np.sqrt(self.ridge) * coef) ** 2
        value += float(squares.sum())
        return np.inf if float(squares[self.ridge >= HUGE].sum()) > EPS * value else value

    def prox(self, z: Array, step: float = 1.0) -> Array:
        """Minimiser over b of ``(b - z)^2 / 2 + step * value(b)``: soft-thresholding, shrinking, then the limits."""
        return self.within(self._soft(z, step * self.strength) / (1.0 + step * self.ridge))

    def _soft(self, z: Array, threshold: Array) -> Array:
        if self.positive:
            return np.maximum(z - threshold, 0.0)
        return np.sign(z) * np.maximum(np.abs(z) - threshold, 0.0)

    @cached_property
    def _free(self) -> NDArray[np.bool_]:
        free = (self.strength == 0) & (self.ridge == 0) & (not self.positive)
        return free & np.isinf(self.lower) & np.isinf(self.upper) if self.limited else free

    def free(self) -> NDArray[np.bool_]:
        """Features whose dual constraint is an equality whatever their coefficient."""
        return self._free

    @cached_property
    def free_features(self) -> Index:
        """The numbers of the features that are free."""
        return NONE if self.all_bound else self._free.nonzero()[0]

    @cached_property
    def one_sided(self) -> NDArray[np.bool_]:
        """Features without penalty whose coefficients have a lower limit, or an upper one, but not both."""
        free = (self.strength == 0) & (self.ridge == 0)
        return free & (np.isinf(self.lower) != np.isinf(self.upper)) if self.limited else free & self.positive

    @cached_property
    def open_side(self) -> Array:
        """The sign of the side on which a one-sided feature has no limit: a slope of that sign is not allowed."""
        return np.where(np.isinf(self.lower), -1.0, 1.0) if self.limited else np.ones(self.strength.size)

    def excess(self, slope: Array) -> Array:
        """The part of each slope ``X_j'theta`` that strength holds: towards values that a coefficient at rest may take.

        That is the size, or the positive part if `positive`.
        """
        if self.limited:
            up, down = self.moves
            return np.maximum(np.maximum(np.where(up, slope, 0.0), np.where(down, -slope, 0.0)), 0.0)
        return np.maximum(slope, 0.0) if self.positive else np.abs(slope)

    def _beyond(self, slope: Array) -> Array:
        """The part of each slope that the dual set bounds by its strength."""
        if not self.limited:
            return self.excess(slope)
        low, high = self.slopes
        up, down = np.where(np.isinf(high), 0.0, slope), np.where(np.isinf(low), 0.0, -slope)
        return np.maximum(np.maximum(up, down), 0.0)

    def nearest_slope(self, coef: Array, slope: Array) -> Array:
        """The point of the subdifferential at `coef` that is nearest to each slope."""
        if self.limited:
            low = np.where(coef <= self.lower, -np.inf, np.where(coef > 0, 1.0, -1.0) * self.strength)
            high = np.where(coef >= self.upper, np.inf, np.where(coef < 0, -1.0, 1.0) * self.strength)
            return self.ridge * coef + np.clip(slope - self.ridge * coef, low, high)
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
        used, strength = self._beyond(slope), self.strength
        if not self.all_bound:
            used, strength = used[self.bounds], strength[self.bounds]
        with np.errstate(over="ignore"):  # an infinite factor shrinks the dual to zero
            largest = float(np.divide(used, strength, out=used).max(initial=0.0))
        return 1.0 if largest <= 1.0 else largest  # NaN stays

    @cached_property
    def all_bound(self) -> bool:
        """Whether the dual set bounds all slopes by a strength that is not zero."""
        return self._least_and_most[0] > 0 and (self.is_plain or bool(self.bounds.all()))

    def fenchel_young(self, coef: Array, slope: Array) -> Array:
        """``value(b) + conjugate(slope) - b * slope`` >= 0 for slopes in the dual set, without cancellation."""
        if self.limited:
            return self._limited_term(coef, slope)
        if not self.curved:
            return self._absolute_term(coef, slope)
        # The coefficient that the slope determines, and the part of the slope that belongs to the absolute value.
        curved = self.ridge > 0
        there = np.where(curved, self.fixed(slope), 0.0)
        rest = np.where(curved, slope - self.ridge * there, slope)
        with np.errstate(over="ignore"):  # a coefficient that is infinitely far away proves nothing
            return self._absolute_term(coef, rest) + 0.5 * (np.sqrt(self.ridge) * (coef - there)) ** 2

    def _limited_term(self, coef: Array, slope: Array) -> Array:
        """`fenchel_young` from the coefficient at which the conjugate is attained: products of factors of one sign.

        With b* that coefficient and t the slope less that of the ridge there, the absolute value leaves
        ``(b*+ - b+) (t - strength) + (b*- - b-) (t + strength)``, where + and - take the parts above and below zero.
        """
        slope = np.clip(slope, *self.slopes)
        there = self._attained(slope)
        rest = slope - self.ridge * there if self.curved else slope
        with np.errstate(over="ignore"):
            above = np.maximum(there, 0.0) - np.maximum(coef, 0.0)
            below = np.minimum(there, 0.0) - np.minimum(coef, 0.0)
            moved = (above != 0) | (below != 0)
            held = np.where(moved, self.strength, 0.0)
            terms = np.maximum(above * (rest - held), 0.0) + np.maximum(below * (rest + held), 0.0)
            return terms + 0.5 * (np.sqrt(self.ridge) * (coef - there)) ** 2 if self.curved else terms

    def _attained(self, slope: Array) -> Array:
        """The coefficient within the limits at which the conjugate of a slope in the dual set is attained."""
        beyond = np.sign(slope) * np.maximum(np.abs(slope) - self.strength, 0.0)
        ends = np.where(beyond > 0, self.upper, np.where(beyond < 0, self.lower, 0.0))
        curved = self.ridge > 0
        with np.errstate(over="ignore"):
            there = np.divide(beyond, self.ridge, out=ends, where=curved)
        return np.clip(there, self.lower, self.upper)

    def _absolute_term(self, coef: Array, slope: Array) -> Array:
        if not self.excluded:
            return absolute_terms(self.strength, coef, slope)
        terms = np.zeros(coef.size)
        used = coef.nonzero()[0]
        here = coef[used]
        terms[used] = absolute_terms(self.strength[used], here, slope[used])
        return terms

    def fixed(self, slope: Array) -> Array:
        """The coefficients that an optimal slope determines, where there is a ridge; NaN elsewhere."""
        there = np.full(slope.size, np.nan)
        if self.limited:
            return np.where(self.ridge > 0, self._attained(slope), there)
        if self.curved:
            np.divide(self._soft(slope, self.strength), self.ridge, out=there, where=self.ridge > 0)
        return there

    def rescaled(self, unit: Array, factor: float) -> ElasticNet:
        """The penalty in other units of the coefficients and of the objective: ``value(unit * b) / factor``.

        `factor` and `unit` are powers of two.
        """
        strength = self.strength * (unit / factor)
        if not (self.curved or self.limited):
            return ElasticNet(strength, self.positive)
        root, ridge = unit / np.sqrt(factor), self.ridge
        with np.errstate(over="ignore"):
            if self.curved:
                ridge = np.minimum(self.ridge * root * root, HUGE)
            if not self.limited:
                return ElasticNet(strength, self.positive, ridge)
            return ElasticNet(strength, False, ridge, self.lower / unit, self.upper / unit)

    def relaxed(self, coef: Array) -> Iterator[tuple[ElasticNet, float]]:
        """Penalties that are nowhere more than this one, and how much less each is at `coef`.

        Limits that coefficients are off are left out first: what is optimal there is so without them. Then ridges are.
        """
        one = self
        if self.limited:
            lower = np.where(coef > self.lower, -np.inf, self.lower)
            upper = np.where(coef < self.upper, np.inf, self.upper)
            one = replace(self, lower=lower, upper=upper)
            if not (np.array_equal(lower, self.lower) and np.array_equal(upper, self.upper)):
                yield one, 0.0
        if self.curved:
            yield replace(one, ridge=np.zeros(coef.size)), 0.5 * float(np.sum((np.sqrt(self.ridge) * coef) ** 2))

    def without_ridges(self, largest: float) -> ElasticNet:
        """The penalty without ridges of at most `largest`."""
        return replace(self, ridge=np.where(self.ridge <= largest, 0.0, self.ridge))

    def without_far(self, size: float) -> ElasticNet:
        """The penalty without limits that no coefficient comes to, at unit scale where targets are at most `size`.

        Sums with such limits would round away what coefficients and residuals are.
        """
        reach = FAR_LIMIT * max(1.0, size, float(np.abs(self.rest).max(initial=0.0)))
        lower = np.where(self.lower < -reach, -np.inf, self.lower)
        upper = np.where(self.upper > reach, np.inf, self.upper)
        return replace(self, lower=lower, upper=upper)

    def released(self, chosen: NDArray[np.bool_]) -> ElasticNet:
        """No penalty on the chosen features, all others excluded: for a fit to what was selected."""
        chosen = chosen | (self.rest != 0)
        none = np.zeros(0)
        return ElasticNet(np.where(chosen, 0.0, np.inf), self.positive, none, self.lower, self.upper)

    def at(self, features: Index) -> ElasticNet:
        """The penalty of the chosen features."""
        limits = (self.lower[features], self.upper[features]) if self.limited else ()
        return ElasticNet(self.strength[features], self.positive, self.ridge[features], *limits)


def absolute_terms(strength: Array, coef: Array, slope: Array) -> Array:
    """``strength * |b| - b * slope`` >= 0 for slopes in the dual set of the absolute value, without cancellation."""
    return np.asarray(np.abs(coef) * np.maximum(strength - np.sign(coef) * slope, 0.0))
