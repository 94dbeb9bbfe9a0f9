"""The regressors of a model, the intercept among them, as a matrix of which only products with itself are formed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import BLOCK, Array, Index, is_regular, power_of_two
from ladreg._design import Design
from ladreg._tolerances import PINNED

# An entry of at least 1e-6 in a null vector of unit length names a column that depends on others.
_INVOLVED = 1e-6


@dataclass(frozen=True)
class Regressors:
    """Columns of the intercept (first, if there is one) and of X, shifted and scaled to ordinary size.

    Attributes
    ----------
    near : Design
        ``(X - shift) * scale``.
    shift, scale : ndarray of shape (n_features,)
        The shift is that of columns far from zero, the scale is a power of two.
    fit_intercept : bool
        Whether there is an intercept; without one no column is shifted.
    """

    near: Design
    shift: Array
    scale: Array
    fit_intercept: bool

    @classmethod
    def of(cls, design: Design, fit_intercept: bool) -> Regressors:
        """The regressors of a table."""
        shift, distance = design.extent(fit_intercept)
        scale = 1.0 / power_of_two(distance)
        return cls(design.rescaled(shift, scale), shift, scale, fit_intercept)

    @property
    def size(self) -> int:
        """Number of columns p, with that of the intercept."""
        return self.near.n_features + self.fit_intercept

    def rows(self, index: Index) -> Array:
        """The chosen rows as a dense array."""
        values = self.near.rows(index, border=self.fit_intercept)
        return np.roll(values, 1, axis=1) if self.fit_intercept else values

    def gram(self, weight: Array) -> Array:
        """``sum_i weight_i x_i x_i'`` for weights >= 0."""
        gram = self.near.gram(weight, np.arange(self.near.n_features), border=self.fit_intercept)
        return np.roll(gram, 1, axis=(0, 1)) if self.fit_intercept else gram

    def products(self, values: Array) -> Array:
        """``sum_i values_i x_i``, one column for each column of `values` of shape (n_samples, k)."""
        products = self.near.rmatvec(values)
        return np.vstack([values.sum(axis=0), products]) if self.fit_intercept else products

    def root(self, weight: Array) -> Array:
        """R, upper triangular, with ``R'R = gram(weight)``: by Cholesky's method, or QR where that loses digits."""
        gram = self.gram(weight)
        if is_regular(gram):
            return np.asarray(np.linalg.cholesky(gram).T)
        triangle = np.zeros((0, self.size))
        present = np.flatnonzero(weight)
        for begin in range(0, present.size, BLOCK):
            chosen = present[begin : begin + BLOCK]
            rows = self.rows(chosen) * np.sqrt(weight[chosen])[:, None]
            triangle = np.asarray(np.linalg.qr(np.vstack([triangle, rows]), mode="r"))
        missing = self.size - triangle.shape[0]
        return np.vstack([triangle, np.zeros((max(missing, 0), self.size))])

    def bread(self, weight: Array) -> Array | None:
        """C, upper triangular, with ``C C'`` the inverse of ``gram(weight)``; None where that is singular."""
        return inverted(self.root(weight))

    def sums(self, values: Array, groups: Index, n_groups: int) -> Array:
        """``sum_i values_i x_i`` over the rows of each group, one row a group."""
        sums = np.zeros((n_groups, self.size))
        order = np.argsort(groups, kind="stable")
        for begin in range(0, order.size, BLOCK):
            chosen = order[begin : begin + BLOCK]
            codes = groups[chosen]
            starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
            sums[codes[starts]] += np.add.reduceat(self.rows(chosen) * values[chosen, None], starts, axis=0)
        return sums

    def to_original(self) -> Array:
        """T of shape (p, p): coefficients of these columns, times T', are those of the columns as they came."""
        return self.transform(self.shift, self.scale, self.fit_intercept)

    @staticmethod
    def transform(shift: Array, scale: Array, fit_intercept: bool) -> Array:
        """`to_original` for columns that were shifted and scaled so."""
        if not fit_intercept:
            return np.diag(scale)
        transform = np.diag(np.append(1.0, scale))
        transform[0, 1:] = -shift * scale
        return transform


def inverted(root: Array) -> Array | None:
    """The inverse of a triangle; None where it is singular."""
    return None if null_columns(root).size else np.asarray(np.linalg.inv(root))


def null_columns(root: Array) -> Index:
    """Columns that depend on others, given R of their QR decomposition; empty where they are independent."""
    length = np.sqrt(np.sum(root**2, axis=0))
    _, singular, right = np.linalg.svd(root / np.where(length > 0, length, 1.0))
    null = right[singular <= PINNED * singular.max(initial=0.0)]
    return np.flatnonzero(np.any(np.abs(null) > _INVOLVED, axis=0))


def spread(meat: Array, bread: Array) -> Array:
    """``M C C'``, whose product with its transpose is a sandwich; nearly dependent columns keep their digits."""
    return np.asarray((meat @ bread) @ bread.T)
