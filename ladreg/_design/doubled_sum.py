"""Sums of products in twice the digits of float64, for predictions whose terms cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, halves
from ladreg._tolerances import EPS, HIDDEN

_Sizes = TypeVar("_Sizes", float, Array)


def hides_digits(sizes: _Sizes, residuals: _Sizes, mass: float = 1.0) -> bool | NDArray[np.bool_]:
    """Whether rounding of predictions may be more than `HIDDEN` of the weighted mean of the residuals' sizes.

    Parameters
    ----------
    sizes
        The sum of the columns' sizes times their coefficients', of one fit or of several.
    residuals, mass
        The weighted sum of the residuals' sizes, and that of the weights.
    """
    return EPS * sizes * mass > HIDDEN * residuals


@dataclass(frozen=True)
class DoubledSum:
    """One sum per row: `total`, and `lost`, what rounding took from it.

    Products and sums are split into their rounding and the rest without error (Ogita, Rump and Oishi 2005,
    doi 10.1137/030601818).
    """

    total: Array
    lost: Array

    @classmethod
    def of(cls, values: Array) -> DoubledSum:
        """Sums that begin with `values`, which are copied."""
        return cls(np.array(values, dtype=np.float64), np.zeros(values.size))

    def subtract(self, rows: NDArray[np.integer] | slice, values: Array | float, factor: float = 1.0) -> None:
        """Subtract ``values * factor`` from the chosen rows, each chosen once."""
        term = -values * factor
        (high, low), (other_high, other_low) = halves(-values), halves(factor)
        rounded = ((high * other_high - term) + high * other_low + low * other_high) + low * other_low
        before = self.total[rows]
        after = before + term
        part = after - before
        self.lost[rows] += (before - (after - part)) + (term - part) + rounded
        self.total[rows] = after

    @classmethod
    def dots(cls, values: Array, factors: Array, *terms: Array | float) -> Array:
        """``values @ factors + sum(terms)``, one per row of `values`, each rounded once."""
        sums = cls.of(np.zeros(values.shape[0]))
        with np.errstate(over="ignore", invalid="ignore"):
            for term in terms:
                sums.subtract(slice(None), -term)
            for j in np.flatnonzero(factors).tolist():
                sums.subtract(slice(None), values[:, j], -float(factors[j]))
        return sums.rounded()

    def rounded(self) -> Array:
        """The sums, rounded once; those that overflow as float64 has them."""
        return np.where(np.isfinite(self.lost), self.total + self.lost, self.total)
