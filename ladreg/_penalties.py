"""Penalties: the mathematics of the coefficients, a page each, in the order of `_losses.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class L1:
    """Weighted sum of absolute values: sum_j strength_j * |b_j|, over b >= 0 when `positive`.

    Its dual set is |X_j'theta| <= strength_j for every j, one-sided (X_j'theta <= strength_j) when `positive`. A
    feature of strength 0 is not penalised: it is *free*, and its dual constraint is an equality.
    """

    strength: Array
    positive: bool = False

    def value(self, coef: Array) -> float:
        """``sum(strength * |coef|)``."""
        return float(self.strength @ np.abs(coef))

    def prox(self, z: Array, step: float = 1.0) -> Array:
        """Minimiser over b of ``(b - z)^2 / 2 + step * value(b)``: soft-thresholding."""
        if self.positive:
            return np.maximum(z - step * self.strength, 0.0)
        return np.sign(z) * np.maximum(np.abs(z) - step * self.strength, 0.0)

    def free(self) -> NDArray[np.bool_]:
        """Features whose dual constraint is an equality whatever their coefficient."""
        return (self.strength == 0) & (not self.positive)

    def excess(self, slope: Array) -> Array:
        """How far each slope ``X_j'theta`` counts against its strength: its size, or its positive part."""
        return np.maximum(slope, 0.0) if self.positive else np.abs(slope)

    def fenchel_young(self, coef: Array, slope: Array) -> Array:
        """``strength * |b| - b * slope`` >= 0 for slopes in the dual set."""
        return np.abs(coef) * np.maximum(self.strength - np.sign(coef) * slope, 0.0)

    def rescaled(self, factor: Array) -> L1:
        """The penalty whose strengths are multiplied by `factor`, one number a feature."""
        return L1(self.strength * factor, self.positive)
