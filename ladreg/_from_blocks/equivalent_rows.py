"""Few rows with the moments of many: for a squared loss the one table is as good as the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._from_blocks.moments import CentredMoments, Moments
from ladreg._tolerances import EPS, INDEPENDENT, PERTURBATION


@dataclass(frozen=True)
class EquivalentRows:
    """As many rows more than columns as there are folds, with the moments of all rows in each fold.

    Attributes
    ----------
    X, y, weight
        The rows, less `shift`; the weights have the sum one.
    folds
        The numbers of the rows of each fold.
    shift
        The rounded means of all rows, the target's last; zero without intercept.
    near, about
        The rounded means of the columns, and the rows' columns less these: where means dwarf deviations, `X` without
        an intercept has too few digits of the deviations.
    """

    X: Array
    y: Array
    weight: Array
    folds: list[Index]
    shift: Array
    near: Array
    about: Array

    @classmethod
    def of(cls, given: Moments, fit_intercept: bool) -> EquivalentRows:
        """Rows with given moments."""
        total = given.total
        shift = total.near if fit_intercept else np.zeros_like(total.near)
        constant = total.constant
        tables = [
            rows_like(part, np.where(constant, total.rest, part.about(total.near)), constant) for part in given.folds
        ]
        size = shift.size + 1
        weight = np.repeat([part.mass / total.mass / size for part in given.folds], size)
        about = np.concatenate(tables)
        rows = about + (total.near - shift)
        folds = [np.arange(k * size, (k + 1) * size) for k in range(len(tables))]
        X, y = np.ascontiguousarray(rows[:, :-1]), rows[:, -1].copy()
        return cls(X, y, weight / weight.sum(), folds, shift, total.near[:-1], about[:, :-1])


def rows_like(
    moments: CentredMoments,
    centre: Array,
    constant: NDArray[np.bool_],
    multiple: int = 1,
    lost: Array | float = 1.0,
) -> Array:
    """Rows of equal weights with these products about the mean `centre`.

    With Q orthonormal columns that sum to zero, and ``R'R`` the mean products, they are ``centre + sqrt(n) Q R``. Their
    number is one more than that of the columns, and more where it is to be a multiple of a number. The squares of
    the columns have the rounding of squares that are `lost` times as large, from which they were subtracted.
    """
    size = -(-(centre.size + 1) // multiple) * multiple
    root = np.zeros((size, centre.size))
    root[1 : centre.size + 1] = np.sqrt(size / moments.mass) * _root(moments, constant, lost)
    # The reflection that maps the first unit vector to a multiple of ones; its other columns are Q.
    normal = np.full(size, -1.0 / np.sqrt(size))
    normal[0] += 1.0
    root -= np.outer(normal * (2.0 / float(normal @ normal)), normal @ root)
    root += centre
    return root


def turned(table: Array, values: Array, pattern: Array, kept: Array | None = None) -> Array:
    """Rows with the same moments in which a linear function of the columns is its mean and a multiple of a pattern.

    `values` are those of the function; the pattern sums up to zero. The reflection that maps their differences from the
    mean to the pattern, or to its opposite if that is farther, keeps the mean of all columns, and what is orthogonal
    to both. The one that is nearer may differ by rounding alone, which no reflection is made of. A part of the values
    along `kept`, another pattern that is orthogonal to the first, is left as it is.
    """
    for _ in range(2):  # where the values are a constant, or `kept`, the first time leaves rounding in any direction
        values = values - values.mean()
        values = values if kept is None else values - kept * (float(kept @ values) / float(kept @ kept))
    length = float(np.linalg.norm(values))
    if not length > 0:
        return table
    normal = values / length + pattern * np.copysign(1.0 / np.linalg.norm(pattern), values @ pattern)
    return table - np.outer(normal * (2.0 / float(normal @ normal)), normal @ table)


def _root(moments: CentredMoments, constant: NDArray[np.bool_], lost: Array | float) -> Array:
    """R with ``R'R`` the products of the columns, zero where these are constant."""
    products = moments.products
    varying = np.flatnonzero(~constant & ~moments.constant)
    found = np.zeros_like(products)
    if varying.size == 0:
        return found
    length = np.sqrt(np.diag(products) * lost)[varying]
    found[np.ix_(varying, varying)] = _factor(products[np.ix_(varying, varying)] / length / length[:, None]) * length
    return found


def _factor(cosines: Array) -> Array:
    """R with ``R'R`` the cosines: Cholesky's factor if no column depends on those before it, else by eigenvectors.

    The square of what a column has beyond the others is known up to rounding; where it may be nothing, Cholesky's
    factor would have the root of that rounding in its place. Cosines of which digits are lost have smaller diagonals
    than one, and rounding of one.
    """
    try:
        factor = np.asarray(scipy.linalg.cholesky(cosines, check_finite=False))
    except np.linalg.LinAlgError:
        factor = None
    if factor is not None and np.diag(factor).min() ** 2 > PERTURBATION:
        return factor
    values, vectors = np.linalg.eigh(cosines)
    values[values <= INDEPENDENT * values.size * max(values[-1], 1.0)] = 0.0
    factor = np.sqrt(values)[:, None] * vectors.T
    return _with_equal_columns(cosines, factor)


def _with_equal_columns(cosines: Array, factor: Array) -> Array:
    """The factor with columns equal, or opposite, whose cosine is one up to rounding."""
    square = np.diag(cosines)
    near = np.abs(cosines) >= np.maximum(square, square[:, None]) - 8 * EPS
    first = near.argmax(axis=1)
    copies = np.flatnonzero(first < np.arange(first.size))
    factor[:, copies] = factor[:, first[copies]] * np.sign(cosines[copies, first[copies]])
    return factor
