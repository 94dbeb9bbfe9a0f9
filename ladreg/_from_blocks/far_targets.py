"""Targets in blocks that are far from all others and from the fit: they are moved near, on their side of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._design import Design
from ladreg._presolve import REACH, centre_and_reach
from ladreg._problem import Coefficients


class Far(NamedTuple):
    """Rows of a tile whose targets were moved, and by how much: above zero for targets above the fit."""

    rows: Index
    distance: Array

    def zeroed(self, values: Array) -> Array:
        """A copy of one value per row of the tile, zero where the target was moved."""
        values = values.copy()
        values[self.rows] = 0.0
        return values


NO_MOVES = Far(np.zeros(0, dtype=np.intp), np.zeros(0))


@dataclass(frozen=True)
class FarTargets:
    """Which targets are moved, and where to: a function of the row alone.

    Targets farther than `reach` from `centre`, and farther than `near` from the prediction of `coefficients`, are moved
    to that distance from the prediction. Beyond that the loss is linear: the move changes the objective by a constant,
    as long as the fit does not come near, and rounding of the size of gross outliers is in no sum but that constant's.
    `_presolve/clipping.py` does so in memory.
    """

    centre: float
    reach: float
    near: float
    coefficients: Coefficients

    @classmethod
    def of(cls, y: Array, weight: Array, residual: Array, coefficients: Coefficients) -> FarTargets | None:
        """From a sample of rows and its fit; None where its targets have no typical distance from each other."""
        centre, reach = centre_and_reach(y, weight, 0.0)
        if not 0 < reach < np.inf:
            return None
        # At least one typical distance of targets: residuals of exact fits are rounding.
        near = float(np.clip(REACH * np.median(np.abs(residual)), reach / REACH, reach))
        return cls(centre, reach, near, coefficients)

    def moved(self, y: Array, design: Design) -> tuple[Array, Far]:
        """Targets with far ones moved near, and the moves; `design` has the columns in the user's units."""
        with np.errstate(over="ignore"):
            rows = np.flatnonzero(np.abs(y - self.centre) > self.reach)
        if rows.size == 0:
            return y, NO_MOVES
        coef, intercept = self.coefficients
        fitted = design.take(rows).matvec(coef) + intercept
        with np.errstate(over="ignore"):
            residual = y[rows] - fitted
            chosen = np.flatnonzero(np.abs(residual) > self.near)
        rows = rows[chosen]
        result = y.copy()
        result[rows] = fitted[chosen] + np.copysign(self.near, residual[chosen])
        return result, Far(rows, y[rows] - result[rows])
