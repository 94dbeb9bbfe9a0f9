"""Moments of the rows of each fold, in one pass: all that a squared loss needs to know of them.

Products are taken about the means of each tile, and merged about the means of both parts (Chan, Golub and LeVeque 1983,
doi 10.1080/00031305.1983.10483115): columns may be anywhere, and drift from block to block, and lose no digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import TINY, Array
from ladreg._design import CONSTANT, as_design
from ladreg._from_blocks.row_folds import ColumnFolds, RowFolds, names_of_folds
from ladreg._from_blocks.survey import check_numbers
from ladreg._row_blocks import Passes, Place, Rows, Summary

# Numbers in a slice of a sparse tile that is made dense.
_DENSE = 1 << 20
# Sparse columns are made dense where a squared mean is above 1e3 variances: their products would lose 3 digits.
_FAR = 1e3
# Numbers in the products of all folds, at most: 2 GB.
_MOST = 1 << 28


@dataclass(frozen=True)
class CentredMoments:
    """The sum of the weights of some rows, the means of the columns (the target last), and the products about these.

    Means are ``near + rest``: of columns far from the origin one number would not hold their digits.
    """

    mass: float
    near: Array
    rest: Array
    products: Array

    @property
    def mean(self) -> Array:
        """The means, rounded."""
        return self.near + self.rest

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns are constant up to rounding."""
        square = np.diag(self.products)
        return np.asarray(square <= CONSTANT * (square + self.mass * self.mean**2))

    @property
    def columns(self) -> CentredMoments:
        """Those of the columns without the target."""
        return CentredMoments(self.mass, self.near[:-1], self.rest[:-1], self.products[:-1, :-1])

    def about(self, centre: Array) -> Array:
        """The means less a centre near them."""
        return (self.near - centre) + self.rest

    def __add__(self, other: CentredMoments) -> CentredMoments:
        mass = self.mass + other.mass
        apart = other.about(self.near) - self.rest
        share = other.mass / mass
        products = self.products + other.products
        products += np.outer(apart * (self.mass * share), apart)
        rest = self.rest + apart * share
        near = self.near + rest
        return CentredMoments(mass, near, (self.near - near) + rest, products)


@dataclass(frozen=True)
class ByFold:
    """The moments of the rows of each fold that was met."""

    folds: dict[float, CentredMoments]

    def __add__(self, other: ByFold) -> ByFold:
        folds = dict(self.folds)
        for fold, part in other.folds.items():
            folds[fold] = folds[fold] + part if fold in folds else part
        return ByFold(folds)


@dataclass(frozen=True)
class Moments:
    """The moments of each fold in their order, and of all rows; and how many rows have a weight above zero.

    `whole` says whether all weights are whole numbers.
    """

    total: CentredMoments
    folds: list[CentredMoments]
    n_rows: int
    whole: bool
    dtype: np.dtype[Any]


def moments(passes: Passes, folds: RowFolds | ColumnFolds, names: list[str] | None, least: int = 1) -> Moments:
    """The moments of the rows in blocks, in one pass; a ValueError unless each of `least` folds or more has rows."""
    seen = passes.total("moments", _moments, folds, names)
    found: ByFold = seen.sums["moments"]
    if not found.folds:
        raise ValueError("sample_weight must contain at least one non-zero number: all weights are zero.")
    wanted = names_of_folds(folds, found.folds, least)
    parts = [found.folds[fold] for fold in wanted]
    total = reduce(lambda before, part: before + part, parts)
    with np.errstate(over="ignore"):  # what is not finite is reported
        square = np.diag(total.products) + total.mass * total.mean**2
    if not (np.isfinite(total.mass) and np.isfinite(total.products).all() and np.isfinite(square).all()):
        raise OverflowError("squares of X or y, or the sum of the weights, overflow float64: scale them.")
    if np.any((square < TINY) & ((np.diag(total.products) != 0) | (total.mean != 0))):
        raise OverflowError("squares of X or y, times the weights, underflow float64: scale them.")
    return Moments(
        total=total,
        folds=parts,
        n_rows=int(seen.sums["rows"]),
        whole=bool(seen.low["whole"]),
        dtype=np.dtype(np.float32 if seen.high["itemsize"] == np.dtype(np.float32).itemsize else np.float64),
    )


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is reported when all is summed
def _moments(place: Place, rows: Rows, folds: RowFolds | ColumnFolds, names: list[str] | None) -> Summary:
    """The moments of the folds of a tile."""
    check_numbers(place, rows, names)
    n_columns = rows.X.shape[1] + 1
    if n_columns**2 * folds.number() > _MOST:
        raise ValueError(
            f"{n_columns - 1} features and {folds.number()} folds are too many for data in blocks: the products of "
            f"all columns in all folds have more than {_MOST} numbers. Use fewer features or folds."
        )
    found: dict[float, CentredMoments] = {}
    for fold, chosen in folds.split(place, rows):
        part = moments_of(rows.X[chosen], rows.y[chosen], None if rows.weight is None else rows.weight[chosen])
        if part is not None:
            found[fold] = part
        if len(found) * n_columns**2 > _MOST:
            raise ValueError(
                f"{place.name}: the column given by cv has too many distinct values: each value is a fold."
            )
    weight = rows.weight
    return Summary(
        sums={
            "moments": ByFold(found),
            "rows": rows.y.size if weight is None else int(np.count_nonzero(weight)),
        },
        low={"whole": weight is None or bool(np.all(weight == np.floor(weight)))},
        high={"itemsize": rows.X.dtype.itemsize},
    )


def moments_of(X: Any, y: Array, weight: Array | None, scale: Array | None = None) -> CentredMoments | None:
    """The moments of rows, their columns times `scale`, powers of two; None where no row has a weight above zero."""
    weight = np.ones(y.size) if weight is None else weight
    scale = np.ones(X.shape[1]) if scale is None else scale
    return _of_rows(X, y, weight, scale) if weight.any() else None


def _of_rows(X: Any, y: Array, weight: Array, scale: Array) -> CentredMoments:
    """The moments of rows of which some have a weight."""
    if isinstance(X, np.ndarray):
        return _about(X, np.asarray(as_design(X).means(weight / weight.sum())), y, weight, scale)
    found = _about(X, np.zeros(X.shape[1]), y, weight, scale)
    mean = found.mean[:-1]
    square = as_design(X).rescaled(np.zeros(mean.size), scale).curvatures(weight, mean)
    np.einsum("ii->i", found.products)[:-1] = square
    if np.all(found.mass * mean**2 <= _FAR * square):
        return found
    step = max(_DENSE // X.shape[1], 1)
    slices = [slice(a, a + step) for a in range(0, y.size, step)]
    parts = [_of_rows(X[a].toarray(), y[a], weight[a], scale) for a in slices if weight[a].any()]
    return reduce(lambda before, part: before + part, parts)


def _about(X: Any, near: Array, y: Array, weight: Array, scale: Array) -> CentredMoments:
    """The moments by products about `near`, which is zero or the means of the columns up to rounding."""
    mass, p = float(weight.sum()), X.shape[1]
    y_near = float(weight @ y) / mass
    target = y - y_near
    design = as_design(X).rescaled(near, scale)
    inner, outer = design.moments(weight, np.column_stack([np.ones(y.size), target]))
    products = np.empty((p + 1, p + 1))
    products[:p, :p], products[:p, p], products[p, :p] = inner, outer[:, 1], outer[:, 1]
    products[p, p] = weight @ target**2
    rest = np.append(outer[:, 0], weight @ target) / mass
    products -= np.outer(rest * mass, rest)
    return CentredMoments(mass, np.append(near * scale, y_near), rest, products)
