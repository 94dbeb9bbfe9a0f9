"""Weighted sums over rows and over folds of rows: the moments that least squares needs in place of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._design import CONSTANT, DenseDesign, Design, SparseDesign
from ladreg._least_squares import Centred

Split = tuple[Index, Index]

# Keep the sums of all folds if their products have at most 2^25 numbers.
_KEPT = 1 << 25
# Numbers in a block of dense rows, at most.
_BLOCK = 1 << 20
# Trust the products of a fold if every column keeps at least 1e-3 of its square in all rows: else the difference
# loses too many digits.
_LEFT = 1e-3
# Trust a loss that is at least 1e-5 of the sums whose difference it is.
_DIGITS = 1e-5


@dataclass(frozen=True)
class Moments:
    """Weighted sums over rows: of the weights, the columns with the target last, and their products."""

    mass: float
    sums: Array
    products: Array

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.mass + other.mass, self.sums + other.sums, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.mass - other.mass, self.sums - other.sums, self.products - other.products)

    def centred(self, fit_intercept: bool) -> tuple[Array, Array]:
        """Means, zero without intercept, and the mean products about them."""
        mean = self.sums / self.mass if fit_intercept else np.zeros_like(self.sums)
        products = self.products / self.mass
        size = np.diag(products).copy()
        if fit_intercept:
            products -= np.outer(mean, mean)
        # A column that is constant up to rounding counts as constant.
        constant = np.flatnonzero(np.diag(products) <= CONSTANT * size)
        products[constant], products[:, constant] = 0.0, 0.0
        return mean, products

    def losses(self, features: Index, coefs: Array, constant: Array) -> Array | None:
        """Weighted sums of squared errors of predictions ``coefs.T @ x + constant``; None where digits are lost.

        `coefs` has one column for each prediction, and a row for each of the `features`.
        """
        some = self.products[np.ix_(features, features)]
        last = self.products[features, -1]
        explained = (coefs * (some @ coefs)).sum(axis=0)
        sizes = self.products[-1, -1] + explained
        losses = sizes - 2.0 * (last @ coefs)
        mean = self.sums[-1] - self.sums[features] @ coefs
        losses += constant * (self.mass * constant - 2.0 * mean)
        return losses if np.all(losses >= _DIGITS * sizes) else None


def blocks(columns: Centred, rows: Index) -> Iterator[Index | slice]:
    """Blocks of the chosen rows, as slices where these are consecutive."""
    sparse = isinstance(columns.design, SparseDesign)
    size = max(rows.size if sparse else _BLOCK // (columns.problem.n_features + 1), 1)
    for begin in range(0, rows.size, size):
        block = rows[begin : begin + size]
        straight = not sparse and int(block[-1]) - int(block[0]) + 1 == block.size and bool(np.all(np.diff(block) == 1))
        yield slice(int(block[0]), int(block[-1]) + 1) if straight else block


def _are_partition(parts: Sequence[Index], n_samples: int) -> bool:
    """Whether each row is in just one of the parts, once."""
    if sum(part.size for part in parts) != n_samples:
        return False
    is_there = np.zeros(n_samples, dtype=bool)
    for part in parts:
        is_there[part] = True
    return bool(is_there.all())


def _to_multiply(columns: Centred) -> Design:
    """The columns without centring if their means are small: centring their products loses a bit, and copies no rows.

    A mean square is at least the square of the mean absolute value, which is known.
    """
    design, weight = columns.problem.design, columns.problem.weight
    if not isinstance(design, DenseDesign) or design.shift.any() or weight.min() < weight.max():
        return columns.design
    size = design.extent(centred=False)[1]
    return design if np.all(columns.mean**2 <= size**2 / 2) else columns.design


class FoldMoments:
    """The sums of each fold's training rows, by subtraction of the held-out ones from all.

    Parameters
    ----------
    columns
        The centred problem of all rows.
    splits
        Training and held-out rows of each fold.

    Attributes
    ----------
    design
        The columns whose sums are taken, centred or not.
    """

    def __init__(self, columns: Centred, splits: Sequence[Split]) -> None:
        self.columns, self.splits, self.design = columns, splits, _to_multiply(columns)
        self._held: list[Moments] = []
        self.total = self._all()
        _, self._products = self.total.centred(columns.problem.fit_intercept)
        self._constant = np.append(self._constant_columns(), False)
        self._products[self._constant], self._products[:, self._constant] = 0.0, 0.0

    def gram(self) -> Array:
        """The Gram matrix of all rows."""
        return np.ascontiguousarray(self._products[:-1, :-1])

    def slope(self) -> Array:
        """The products of the columns with the target, over all rows."""
        return self._products[:-1, -1].copy()

    def held(self, fold: int) -> Moments:
        """The sums of a fold's held-out rows."""
        return self._held[fold] if self._held else self._sums(self.splits[fold][1])

    def training(self, fold: int) -> tuple[Array, Array] | None:
        """Means and centred products of a fold's training rows; None where they cannot be trusted."""
        train, test = self.splits[fold]
        complement = _are_partition([train, test], self.columns.problem.n_samples)
        sums = self.total - self.held(fold) if complement else self._sums(train)
        mean, products = sums.centred(self.columns.problem.fit_intercept)
        products[self._constant], products[:, self._constant] = 0.0, 0.0
        left = np.diag(products) >= _LEFT * np.diag(self._products)
        return (mean, products) if np.all(left) else None

    def _constant_columns(self) -> NDArray[np.bool_]:
        if isinstance(self.columns.design, SparseDesign):
            return self.columns.curvature == 0
        # Dense columns are multiplied centred, or have small means: their squares lose no digits.
        size = np.diag(self._products)[:-1]
        return np.asarray(size <= CONSTANT * (size + self.columns.mean**2))

    def _all(self) -> Moments:
        """Sums over all rows; if the held-out rows are a partition, added up from the sums of the folds."""
        tests = [test for _, test in self.splits]
        n_samples, size = self.columns.problem.n_samples, (self.columns.problem.n_features + 1) ** 2
        if len(tests) * size <= _KEPT and _are_partition(tests, n_samples):
            self._held = [self._sums(test) for test in tests]
            total = self._held[0]
            for part in self._held[1:]:
                total = total + part
            return total
        return self._sums(np.arange(n_samples))

    def _sums(self, rows: Index) -> Moments:
        columns, p = self.columns, self.columns.problem.n_features
        mass, sums, products = 0.0, np.zeros(p + 1), np.zeros((p + 1, p + 1))
        for block in blocks(columns, rows):
            part, weight, y = self.design.take(block), columns.weight[block], columns.y[block]
            mass += float(weight.sum())
            inner, outer = part.moments(weight, np.column_stack([np.ones(y.size), y]))
            sums += np.append(outer[:, 0], weight @ y)
            products[:p, :p] += inner
            products[:p, p] += outer[:, 1]
            products[p, p] += weight @ y**2
        products[p, :p] = products[:p, p]
        return Moments(mass, sums, products)
