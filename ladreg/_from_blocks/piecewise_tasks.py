"""What a piecewise linear fit asks of a tile of rows: gradient and window, rows near a point, and a check of a point.

Rows that are not near are summed up by the side of the fit that they are held on: `held_sums`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._design import Design
from ladreg._from_blocks.far_targets import Far
from ladreg._from_blocks.survey import Units, uniform
from ladreg._piecewise import weighted_gram
from ladreg._problem import Coefficients
from ladreg._row_blocks import Place, Rows, Summary, merged, picked
from ladreg._tolerances import HALF_DIGITS, PINNED

# Rows are copied for a product where they are at most half of all.
_MANY = 0.5
# Rows of a tile are compared with each other where more than a quarter of them is near.
_PART = 4
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Near:
    """Which rows are near, and hence in the reduced problem, and on which side of the fit the others are held.

    A row is near if its residual at `point` (at unit scale) is at most `radius` times ``|x| @ spread``, the uncertainty
    of its prediction; or if its residual at one of `checked` (coefficients in the user's units) is on the other side,
    or zero. The others keep the side that they have at `point`. That depends on the row alone: nothing is kept of any.
    Rows whose targets were moved are never near, and are held on the side that they were moved along.
    """

    units: Units
    point: Array
    spread: Array
    radius: float
    checked: tuple[Coefficients, ...] = ()

    def of(self, rows: Rows, far: Far) -> tuple[Mask, Mask, Any]:
        """Whether each row is near, whether it is above the fit, and the design at unit scale.

        `rows` are those of `Units.with_near_targets`, and `far` its moves.
        """
        design = self.units.design(rows)
        residual = self.units.target(rows.y) - design.matvec(self.point[:-1]) - self.point[-1]
        near = self._is_close(design, residual)
        above = residual > 0
        above[far.rows] = far.distance > 0
        for coefficients in self.checked:
            near |= moved_rows(self.units, rows, above, coefficients)[0]
        near[far.rows] = False
        return near, above, design

    def _is_close(self, design: Design, residual: Array) -> Mask:
        """Whether each residual is within the radius; sizes are computed of rows that may be within it."""
        if self.radius == np.inf:
            return np.full(residual.size, True)
        size, units, (spread, last) = np.abs(residual), self.units, (self.spread[:-1], self.spread[-1])
        most = float((units.reach + np.abs(units.shift)) * units.scale @ spread + last)
        close = size <= self.radius * most * (1.0 + HALF_DIGITS)
        few = np.flatnonzero(close)
        if few.size > _MANY * size.size:
            return np.asarray(size <= self.radius * (design.absolute_matvec(spread) + last))
        close[few] = size[few] <= self.radius * (design.take(few).absolute_matvec(spread) + last)
        return close


def moved_rows(units: Units, rows: Rows, above: Mask, coefficients: Coefficients) -> tuple[Mask, Array]:
    """Rows on the other side or at zero, up to rounding, and the residuals; in the user's units."""
    residual, is_zero = residuals(units, rows, coefficients)
    return ((residual > 0) != above) | is_zero, residual


def residuals(units: Units, rows: Rows, coefficients: Coefficients) -> tuple[Array, Mask]:
    """The residuals in the user's units, and which are zero up to rounding."""
    coef, intercept = coefficients
    design, residual = units.own_design(rows), units.residual(rows, coefficients)
    size = np.abs(rows.y) + (units.reach @ np.abs(coef) + abs(intercept))
    is_zero = np.abs(residual) <= PINNED * size
    doubtful = np.flatnonzero(is_zero)
    if doubtful.size:
        terms = design.take(doubtful).absolute_matvec(np.abs(coef)) + np.abs(rows.y[doubtful]) + abs(intercept)
        is_zero[doubtful] = np.abs(residual[doubtful]) <= PINNED * terms
    return residual, is_zero


def look(
    place: Place,  # noqa: ARG001
    rows: Rows,
    units: Units,
    ends: tuple[float, float],
    point: Array,
    width: float,
) -> Summary:
    """At a point of unit scale: loss, gradient, and the weighted products of the rows within `width` of the fit."""
    rows, _ = units.with_near_targets(rows)
    design, weight = units.design(rows), units.weight(rows)
    residual, slope, total = design.sweep(point[:-1], units.target(rows.y), float(point[-1]), weight, ends)
    near = np.flatnonzero((np.abs(residual) <= width) & (weight > 0))
    return Summary(
        sums={
            "slope": np.append(slope, total),
            "loss": float(weight @ np.maximum(ends[1] * residual, ends[0] * residual)),
            "gram": weighted_gram(design.rows(near, border=True), weight[near]),
            "near": near.size,
            "mass": float(weight[near].sum()),
        }
    )


def along(
    place: Place,  # noqa: ARG001
    rows: Rows,
    units: Units,
    ends: tuple[float, float],
    point: Array,
    step: Array,
    lengths: Array,
) -> Summary:
    """The losses at a point of unit scale, and after several lengths of a step from there."""
    rows, _ = units.with_near_targets(rows)
    design, weight = units.design(rows), units.weight(rows)
    residual = units.target(rows.y) - design.matvec(point[:-1]) - point[-1]
    change = design.matvec(step[:-1]) + step[-1]
    losses = []
    for length in (0.0, *lengths):
        there = residual - length * change
        losses.append(float(weight @ np.maximum(ends[1] * there, ends[0] * there)))
    return Summary(sums={"losses": np.array(losses)})


class Parted(NamedTuple):
    """Rows of a tile after far targets were moved: which are near, and on which side of the fit the others are held.

    `rows` are in the user's units, `far` are the moves; `design` is at unit scale, `weight` of sum one over all tiles.
    """

    rows: Rows
    far: Far
    is_near: Mask
    above: Mask
    design: Design
    weight: Array

    @classmethod
    def of(cls, rows: Rows, near: Near) -> Self:
        """The rows of a tile, parted."""
        rows, far = near.units.with_near_targets(rows)
        is_near, above, design = near.of(rows, far)
        return cls(rows, far, is_near, above, design, near.units.weight(rows))

    def summed(self, units: Units) -> tuple[Summary, Index]:
        """The sums of the held rows, and which rows of a weight above zero are near."""
        found = held_sums(units, self)
        chosen = np.flatnonzero(self.is_near & (self.weight > 0))
        found.sums["near"] = chosen.size
        return found, chosen


def gather(
    place: Place,  # noqa: ARG001
    rows: Rows,
    near: Near,
    most: int,
) -> Summary:
    """The rows that are near, at most `most`, and the sums of the others by sides."""
    tile = Parted.of(rows, near)
    found, chosen = tile.summed(near.units)
    bring(found, tile.rows, chosen, most)
    return found


def gather_means(place: Place, rows: Rows, near: Near, n_groups: int) -> Summary:
    """As `gather`, but the rows that are near are summed up in groups of one side, drawn by their numbers."""
    tile = Parted.of(rows, near)
    found, chosen = tile.summed(near.units)
    some = picked(tile.rows, chosen)
    coef, level = near.point[:-1], float(near.point[-1])
    table, target = tile.design.take(chosen), near.units.target(some.y)
    residual = target - table.matvec(coef) - level
    size = np.abs(target) + table.absolute_matvec(np.abs(coef)) + abs(level)
    # Rows at the fit, above and below it are apart: the loss of a mean is the mean loss of rows of one side.
    side = np.where(np.abs(residual) <= PINNED * size, 0, 1 + (residual < 0))
    group = 3 * (uniform(place.first + chosen) * n_groups).astype(np.intp) + side
    found.sums |= sums_of_groups(some, group, 3 * n_groups)
    return found


def sums_of_groups(rows: Rows, group: Index, n_groups: int) -> dict[str, Any]:
    """The weights of rows summed up in groups, and their weighted columns and targets."""
    mass: Any = rows.weight
    spread: Any = sp.csr_array((mass, (group, np.arange(group.size))), shape=(n_groups, group.size))
    X: Any = spread @ rows.X
    return {
        "group x": X if isinstance(X, np.ndarray) else X.toarray(),
        "group y": spread @ rows.y,
        "group w": np.bincount(group, mass, minlength=n_groups),
    }


def means_of(seen: Summary, is_sparse: bool) -> Rows:
    """The means of the groups that have rows, with the sums of their weights."""
    weight = seen.sums["group w"]
    present = np.flatnonzero(weight)
    X: Any = seen.sums["group x"][present] / weight[present, None]
    X = sp.csr_array(X) if is_sparse else X
    return Rows(X, seen.sums["group y"][present] / weight[present], weight[present])


def bring(found: Summary, rows: Rows, chosen: Index, most: int) -> None:
    """Add the chosen rows, the distinct ones where they are many; none where these are more than `most`."""
    some = picked(rows, chosen)
    is_many = chosen.size > min(most, rows.y.size // _PART)
    some = merged(some) if is_many else some
    found.sums["left out"] = max(some.y.size - most, 0)
    if not found.sums["left out"]:
        found.rows["distinct" if is_many else "plain"] = [some]


def held_sums(units: Units, tile: Parted) -> Summary:
    """Sums of weights, weighted columns and targets, at unit scale, of the rows held above and below the fit.

    Rows whose targets were moved have sums of their own (`far_sums`).
    """
    target = units.target(tile.rows.y)
    held = tile.far.zeroed(np.where(tile.is_near, 0.0, tile.weight))
    sums = far_sums(units, tile)
    for name, side in (("below", ~tile.above), ("above", tile.above)):
        sums |= _sums_of(name, tile.design, target, np.where(side, held, 0.0))
    return Summary(sums=sums)


def far_sums(units: Units, tile: Parted) -> dict[str, Any]:
    """The sums of the rows whose targets were moved, by the side of the move, and of the weighted distances."""
    sums: dict[str, Any] = {}
    far = tile.far
    design, target, weight = tile.design.take(far.rows), units.target(tile.rows.y[far.rows]), tile.weight[far.rows]
    above = far.distance > 0
    for name, side in (("below", ~above), ("above", above)):
        moved = np.where(side, weight, 0.0)
        sums |= _sums_of("far " + name, design, target, moved)
        sums[f"far {name} distance"] = float(moved @ np.abs(far.distance)) / units.unit
    return sums


def _sums_of(name: str, design: Any, target: Array, weight: Array) -> dict[str, Any]:
    return {
        f"{name} n": int(np.count_nonzero(weight)),
        f"{name} w": float(weight.sum()),
        f"{name} y": float(weight @ target),
        f"{name} x": design.rmatvec(weight) if weight.size else np.zeros(design.scale.size),
    }


def compare(
    place: Place,  # noqa: ARG001
    rows: Rows,
    units: Units,
    ends: tuple[float, float],
    given: Coefficients,
    other: Coefficients,
) -> Summary:
    """The loss of given coefficients, in the sums of `check`, and how much more it is than that of others."""
    (lower, upper), weight = ends, units.weight(rows)
    rows, far = units.with_near_targets(rows)
    residuals = [units.residual(rows, one) for one in (given, other)]
    losses = [np.maximum(upper * residual, lower * residual) for residual in residuals]
    moves = []
    for residual, loss in zip(residuals, losses, strict=True):
        there, slope = residual[far.rows] + far.distance, np.where(far.distance > 0, upper, lower)
        keeps = (residual[far.rows] > 0) == (far.distance > 0)
        move = slope * far.distance  # but for rows that change their side
        moves.append(np.where(keeps, move, np.maximum(upper * there, lower * there) - loss[far.rows]))
    ordinary = far.zeroed(weight)
    return Summary(
        sums={
            "loss": float(ordinary @ losses[0]),
            "moved loss": float(weight[far.rows] @ losses[0][far.rows]),
            "far": float(weight[far.rows] @ moves[0]),
            "more": float(weight @ (losses[0] - losses[1]) + weight[far.rows] @ (moves[0] - moves[1])),
            "null": float(ordinary @ np.maximum(upper * rows.y, lower * rows.y)),
        }
    )


class Held(NamedTuple):
    """What `check` needs of the rows of a tile at any point."""

    tile: Parted
    sums: dict[str, Any]

    @classmethod
    def of(cls, rows: Rows, near: Near, ends: tuple[float, float]) -> Self:
        """The rows of a tile, with the sums that do not depend on a point."""
        tile = Parted.of(rows, near)
        y, weight = tile.rows.y, tile.weight
        sums = far_sums(near.units, tile)
        sums |= {
            "near": int(np.count_nonzero(tile.is_near & (weight > 0))),
            "null": float(tile.far.zeroed(weight) @ np.maximum(ends[1] * y, ends[0] * y)),
        }
        return cls(tile, sums)


def check(
    place: Place,  # noqa: ARG001
    rows: Rows,
    near: Near,
    ends: tuple[float, float],
    coefficients: Coefficients,
    most: int,
    known: dict[int, Held] | None = None,
) -> Summary:
    """A point in the user's own units: its loss, what held rows on the other side add to the gap, and these rows.

    The sums of these rows by the sides that they were held on come along: without them, the sums of the held rows are
    those of the next problem. All sums are those of the targets that were moved near, which stay held; "far" is what
    the move took from the loss. `known` keeps what other fits with the same near rows need of this tile, too.
    """
    units, (lower, upper) = near.units, ends
    known = {} if known is None else known
    if id(near) not in known:
        known[id(near)] = Held.of(rows, near, ends)
    (rows, far, is_near, above, design, weight), sums = known[id(near)]
    moved, residual = moved_rows(units, rows, above, coefficients)
    crossed = int(np.count_nonzero(moved[far.rows] & (weight[far.rows] > 0)))
    wrong = np.flatnonzero(moved & ~is_near)
    moved[far.rows] = False
    chosen = wrong[moved[wrong] & (weight[wrong] > 0)]
    found, some, sides = Summary(sums=dict(sums)), design.take(chosen), above[chosen]
    mass, target = weight[chosen], units.target(rows.y[chosen])
    for name, side in (("below", ~sides), ("above", sides)):
        found.sums |= _sums_of(f"joining {name}", some, target, np.where(side, mass, 0.0))
    found.sums["joining size"] = np.append(some.magnitudes(mass), mass @ np.abs(target))
    loss = np.maximum(upper * residual, lower * residual)
    # A held row counts as linear beyond zero; its loss is more than that where it is on the other side.
    excess = np.maximum(loss[wrong] - np.where(above[wrong], upper, lower) * residual[wrong], 0.0)
    there = residual[far.rows] + far.distance
    found.sums |= {
        "loss": float(far.zeroed(weight) @ loss),
        "moved loss": float(weight[far.rows] @ loss[far.rows]),
        "far": float(weight[far.rows] @ (np.maximum(upper * there, lower * there) - loss[far.rows])),
        "far crossed": crossed,
        "excess": float(weight[wrong] @ excess),
        "joins": chosen.size,
    }
    bring(found, rows, chosen, most)
    return found
