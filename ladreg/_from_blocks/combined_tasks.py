"""What a fit of the combined loss asks of a tile of rows: the moments of all columns, and the sums at a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._from_blocks.far_targets import NO_MOVES
from ladreg._from_blocks.moments import CentredMoments, moments_of
from ladreg._from_blocks.piecewise_tasks import Near, Parted, bring, held_sums, moved_rows
from ladreg._from_blocks.survey import Units
from ladreg._problem import TOO_LARGE, Coefficients
from ladreg._row_blocks import Place, Rows, Summary
from ladreg._tolerances import SUMMED

# The square of what is left of a column is rounding up to 64 EPS of the square of all of it.
_LEFT = SUMMED


def with_moments(place: Place, rows: Rows, units: Units, base: Array, task: Any, common: tuple[Any, ...]) -> Summary:
    """What another task finds, and the moments of the columns that are kept and of the residuals at `base`."""
    found: Summary = Summary() if task is None else task(place, rows, *common)
    moments = _moments(units, rows, base)
    if moments is not None:
        found.sums["moments"] = moments
    return found


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is reported when all is summed
def _moments(units: Units, rows: Rows, base: Array) -> CentredMoments | None:
    """The moments of rows at unit scale, but where they are; None where there are no rows of a weight above zero.

    The last column is what targets differ by from the predictions of `base`: the digits of squares are those of
    residuals near the fit, which may be far smaller than targets.
    """
    X: Any = rows.X if units.kept is None else rows.X[:, units.kept]
    residual = units.target(rows.y) - units.design(rows).matvec(base[:-1]) - base[-1]
    return moments_of(X, residual, units.weight(rows), units.scale)


@np.errstate(over="ignore", invalid="ignore")  # an objective that is not finite is reported
def measure(
    place: Place,  # noqa: ARG001
    rows: Rows,
    near: Near,
    point: Coefficients,
    rest: Array,
    most: int,
    tilt: Array | None = None,
) -> Summary:
    """At a point in the user's units: squares and sizes of residuals, and products of residuals and of sides.

    Sides are those of rows that are not near, at the point. Rows that are held on another side than that, or are at
    zero, come along, with the sums of those that are still held.

    With a `tilt`, coefficients at unit scale with an intercept last, the sides of near rows are its predictions,
    clipped to -1 and 1; the gap of these, and the products of the columns in rows that are not clipped, come along.
    """
    units = near.units
    design, own, weight = units.design(rows), units.own_design(rows), units.weight(rows)
    residual = units.residual(rows, point) / units.unit
    residual[weight == 0] = 0.0
    is_near, above, _ = near.of(rows, NO_MOVES)
    moved = moved_rows(units, rows, above, point)[0] & ~is_near & (weight > 0)
    found = held_sums(units, Parted(rows, NO_MOVES, is_near | moved, above, design, weight))
    size, pull = np.abs(residual), weight * residual
    side = np.where(is_near, 0.0, weight * np.sign(residual))
    if tilt is not None:
        share = design.matvec(tilt[:-1]) + tilt[-1]
        inside, share = is_near & (np.abs(share) < 1.0), np.clip(share, -1.0, 1.0)
        side = np.where(is_near, weight * share, side)
        found.sums |= {
            "near open": float(np.where(is_near, weight, 0.0) @ np.maximum(size - share * residual, 0.0)),
            "near gram": design.gram(np.where(inside, weight, 0.0), np.arange(units.scale.size), border=True),
        }
    null = np.abs(rows.y - own.matvec(rest) if rest.any() else rows.y) / units.unit
    null[weight == 0] = 0.0
    chosen = np.flatnonzero(moved)
    found.sums |= {
        "squares": float(pull @ residual),
        "absolute": float(weight @ size),
        "near absolute": float(np.where(is_near, weight, 0.0) @ size),
        "slope": design.rmatvec(pull),
        "total": float(pull.sum()),
        "side slope": design.rmatvec(side),
        "side total": float(side.sum()),
        "null": float(weight @ null),
        "null squares": float(weight @ null**2),
        "near": int(np.count_nonzero(is_near & (weight > 0))),
        "joins": chosen.size,
        "crossed": int(np.count_nonzero(moved & ((residual > 0) != above) & (residual != 0))),
    }
    bring(found, rows, chosen, most)
    return found


@dataclass(frozen=True)
class UnitMoments:
    """The moments of all rows at unit scale, for weights of sum one; the residuals at `base` are the last column.

    `base` are coefficients with an intercept last. `constant` says which columns are constant up to rounding.
    """

    units: Units
    base: Array
    mean: Array
    products: Array
    constant: NDArray[np.bool_]

    @classmethod
    def of(cls, given: CentredMoments, units: Units, base: Array) -> UnitMoments:
        """The moments of all rows less the shift of units; an OverflowError where they are not finite."""
        if not np.isfinite(given.products).all():
            raise OverflowError(TOO_LARGE)
        constant, products = given.constant, given.products / given.mass
        products[constant], products[:, constant] = 0.0, 0.0
        return cls(units, base, given.about(_centre(units)), products, constant)

    @property
    def centred(self) -> CentredMoments:
        """The same as moments of rows."""
        return CentredMoments(1.0, np.zeros(self.mean.size), self.mean, self.products)

    @property
    def column_squares(self) -> Array:
        """The mean squares of the columns of X."""
        return (np.diag(self.products) + self.mean**2)[:-1]

    def centred_slope(self, slope: Array) -> Array:
        """Products of a vector with the columns less their means, from those as they are and, last, its sum."""
        return np.where(self.constant[:-1], 0.0, slope[:-1] - self.mean[:-1] * slope[-1])

    def gram(self, fit_intercept: bool) -> Array:
        """The mean products of the columns of X, less their means if there is an intercept."""
        inner = self.products[:-1, :-1]
        mean = self.mean[:-1]
        return np.ascontiguousarray(inner if fit_intercept else inner + np.outer(mean, mean))

    def bordered_gram(self) -> Array:
        """The mean products of the columns of X, as they are, and a last column of ones."""
        mean = np.append(self.mean[:-1], 1.0)
        gram = np.outer(mean, mean)
        gram[:-1, :-1] += self.products[:-1, :-1]
        return gram

    def squares(self, point: Array) -> tuple[float, Array]:
        """The mean square of the residuals at a point with an intercept last, and their products with the columns."""
        away = np.append(self.base[:-1] - point[:-1], 1.0)
        level = float(self.mean @ away) + float(self.base[-1] - point[-1])
        turned = self.products @ away
        slope = np.append(turned[:-1] + self.mean[:-1] * level, level)
        return float(away @ turned) + level**2, slope

    def without(self, rows: Rows, mean: Array, mass: float) -> Array:
        """The products of the other rows, of which the mean and the sum of weights are known, about their mean."""
        products, apart = self.products.copy(), mean - self.mean
        part = _moments(self.units, rows, self.base) if rows.y.size else None
        if part is not None:
            away = part.about(_centre(self.units)) - self.mean
            products -= part.products + part.mass * np.outer(away, away)
        products -= mass * np.outer(apart, apart)
        # What is left of a column may be rounding of what all rows had.
        left = np.diag(products) <= _LEFT * np.diag(self.products)
        products[left], products[:, left] = 0.0, 0.0
        return products


def _centre(units: Units) -> Array:
    return np.append(units.shift * units.scale, 0.0)
