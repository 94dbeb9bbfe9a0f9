"""Limits of coefficients: what `bounds` and `positive` ask for, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import NOTHING, Array
from ladreg._problem import ElasticNet


def multiples(factor: float, weights: Array) -> Array:
    """``factor * weights`` for a factor >= 0; infinite weights, which exclude a feature, stay infinite."""
    return factor * weights if factor > 0 else np.where(np.isinf(weights), np.inf, 0.0)


# What the parameter `bounds` may be.
Bounds = tuple[float | ArrayLike, float | ArrayLike]


@dataclass(frozen=True)
class Limits:
    """Limits as a penalty has them: `positive` stands for zero and infinity; without others both ends are empty."""

    positive: bool
    lower: Array
    upper: Array

    @classmethod
    def of(cls, bounds: Any, positive: bool, weights: Array) -> Limits:
        """The limits of the features with these penalty weights; a ValueError where no coefficient is allowed."""
        none = NOTHING
        if bounds is None:
            return cls(positive, none, none)
        if not isinstance(bounds, tuple | list | np.ndarray) or len(bounds) != 2:
            raise ValueError(
                "bounds must be None or a pair (lower, upper), one number each or one number per feature, got "
                f"{bounds!r}."
            )
        lower, upper = (_ends(k, value, weights.size) for k, value in enumerate(bounds))
        if positive:
            lower = np.maximum(lower, 0.0)
        _check(lower, upper, weights, positive)
        if np.all(np.isinf(upper)) and (np.all(np.isinf(lower)) or np.all(lower == 0)):
            return cls(bool(lower.size and lower[0] == 0), none, none)
        return cls(False, lower, upper)

    def penalty(self, strength: Array, ridge: Array | None = None) -> ElasticNet:
        """The penalty with these limits."""
        return ElasticNet(strength, self.positive, NOTHING if ridge is None else ridge, self.lower, self.upper)


def _ends(k: int, value: Any, n_features: int) -> Array:
    """One limit for each feature."""
    try:
        limit = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"bounds[{k}] must be a number, or numbers, got {value!r}.") from error
    if limit.shape not in ((), (n_features,)):
        raise ValueError(
            f"bounds[{k}] must be a number or have shape ({n_features},), one limit per feature, got {limit.shape}."
        )
    limit = np.broadcast_to(limit, n_features).copy()
    unknown = np.flatnonzero(np.isnan(limit))
    if unknown.size:
        infinite = ("-inf", "inf")[k]
        raise ValueError(f"bounds[{k}] has NaN for feature {unknown[0]}: {infinite} means no limit.")
    return limit + 0.0  # no negative zeros


def _check(lower: Array, upper: Array, weights: Array, positive: bool) -> None:
    """Raise a ValueError for the first feature that may have no coefficient."""
    beside = " (raised to 0 by positive=True)" if positive else ""
    for j in np.flatnonzero(~((lower <= upper) & (lower < np.inf) & (upper > -np.inf))).tolist():
        why = "A coefficient is a finite number." if lower[j] <= upper[j] else "Exchange them, or raise the upper one."
        ends = f"lower {lower[j]:g}{beside}, upper {upper[j]:g}"
        raise ValueError(f"bounds allow no coefficient for feature {j}: {ends}. {why}")
    for j in np.flatnonzero(np.isinf(weights) & ((lower > 0) | (upper < 0))).tolist():
        raise ValueError(
            f"penalty_weights excludes feature {j}, so that its coefficient is 0, but bounds require {lower[j]:g} to "
            f"{upper[j]:g}: include 0 in the bounds, or pass a finite penalty factor."
        )
