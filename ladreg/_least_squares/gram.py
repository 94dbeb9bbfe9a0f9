"""The Gram matrix of a working set; rows of its less likely columns are computed only when they are needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, is_regular
from ladreg._design import CONSTANT, Design
from ladreg._tolerances import SUMMED

# Copy the columns of a working set for its products if it has at most a quarter of all features: the copy stays below
# X / 4. Without, cross-validation of 500 x 5,000 took 1.3 times as long (2026-11).
_COPIED = 0.25


class Gram:
    """Products of the columns of a working set; those of columns that stay in it are not computed again.

    Parameters
    ----------
    design, weight
        The columns, and the weights of their rows.
    mean
        Their weighted means.
    offset
        Means still to be subtracted from the columns of `design`.

    Attributes
    ----------
    features : ndarray of shape (q,)
        The working set, in the order of `matrix`.
    matrix : ndarray of shape (q, q)
        The products; only the rows of `known` features are computed.
    known : ndarray of shape (q,), dtype bool
        Whether the row of each feature is computed.
    """

    def __init__(self, design: Design, weight: Array, mean: Array, offset: Array) -> None:
        self.design, self.weight, self.mean, self.offset = design, weight, mean, offset
        self.know(np.zeros((0, 0)))

    def know(self, matrix: Array) -> None:
        """Take the Gram matrix of the first columns as it is given."""
        size = matrix.shape[0]
        self.features, self.matrix, self.known = np.arange(size), matrix, np.ones(size, dtype=bool)
        self._columns: Array | None = None

    def work_on(self, wanted: Index, others: Index | None = None) -> Index:
        """Make the wanted features and `others`, whose rows are not needed yet, the working set.

        Returns the features in the order of `matrix`.
        """
        features = wanted
        if others is not None:
            fresh = np.ones(self.mean.size, dtype=bool)
            fresh[wanted] = False
            features = np.concatenate([wanted, others[fresh[others]]])
        at = self.places(features)
        here = at >= 0
        known = here & (np.arange(features.size) < wanted.size)
        known[known] = self.known[at[known]]
        if not (known.all() and np.array_equal(at, np.arange(self.features.size))):
            # Features with known rows first, then the others of the old working set, then the rest; in each group the
            # wanted first.
            order = np.argsort(np.where(known, 0, np.where(here, 1, 2)), kind="stable")
            self._move(features[order], at[order], order < wanted.size, int(np.count_nonzero(known)))
        return self.features

    def _move(self, features: Index, at: Index, wanted: NDArray[np.bool_], n_known: int) -> None:
        """Change to a working set that begins with known rows, then known columns; `at` are their old places."""
        size, n_here = features.size, int(np.count_nonzero(at >= 0))
        new = n_known + np.flatnonzero(wanted[n_known:])
        matrix = np.empty((size, size))
        matrix[:n_known, :n_here] = self.matrix.take(at[:n_known], axis=0).take(at[:n_here], axis=1)
        self.features, self.matrix, self.known = features, matrix, np.arange(size) < n_known
        # Only where rows are left to compute.
        few = not wanted.all() and size <= _COPIED * self.mean.size
        self._columns = self._copied() if few else None
        self.fill(new)
        # Complete the known rows: by symmetry from the new rows, and by products with columns whose rows are not known.
        mirrored = n_here + int(np.count_nonzero(wanted[n_here:]))
        matrix[:n_known, n_here:mirrored] = matrix[n_here:mirrored, :n_known].T
        if n_known and mirrored < size:
            matrix[:n_known, mirrored:] = self._products(np.arange(n_known), np.arange(mirrored, size))
        matrix[:n_known][matrix.diagonal()[:n_known] <= 0] = 0.0

    def _copied(self) -> Array | None:
        """Weighted columns of the working set, None if sparse; columns that are constant up to rounding are zero."""
        columns = self.design.weighted_columns(self.features, self.weight)
        if columns is not None:
            columns[self._are_constant(np.einsum("jk,jk->j", columns, columns), self.features)] = 0.0
        return columns

    def _are_constant(self, square: Array, features: Index) -> NDArray[np.bool_]:
        """Whether columns are constant up to rounding, by their mean squares."""
        return np.asarray(square <= CONSTANT * (square + self.mean[features] ** 2))

    def fill(self, places: Index) -> None:
        """Make the rows at these places of the working set known."""
        if places.size == 0:
            return
        everyone = np.arange(self.features.size)
        if places.size == everyone.size:
            places = everyone
        rows = self._products(places, everyone)
        constant = self._are_constant(rows[np.arange(places.size), places], self.features[places])
        rows[constant] = 0.0
        self.matrix[places] = rows
        self.matrix[:, places[constant]] = 0.0
        self.known[places] = True

    def of(self, features: Index) -> Array:
        """The Gram matrix of any columns."""
        at = self.places(features)
        if np.all(at >= 0) and self.known[at].all():
            return self.matrix[at[:, None], at]
        return self._centred(self.design.cross(self.weight, features, features), features, features)

    def are_independent(self, features: Index) -> bool:
        """Whether the Gram matrix of any columns is safely regular."""
        gram = self.of(features)
        return is_regular(gram, self.rounding(gram, features))

    def rounding(self, gram: Array, features: Index) -> Array | float:
        """What squared lengths of columns may be off, relative to these: means that are subtracted leave rounding."""
        if not self.offset.any():
            return 0.0
        square, lost = gram.diagonal(), SUMMED * self.offset[features] ** 2
        return np.divide(lost, square, out=np.zeros_like(lost), where=square > 0)

    def places(self, features: Index) -> Index:
        """Places of features in the working set, -1 for those outside."""
        place = np.full(self.mean.size, -1, dtype=np.intp)
        place[self.features] = np.arange(self.features.size)
        return place[features]

    def _products(self, places: Index, others: Index) -> Array:
        """Products of columns at places of the working set."""
        if self._columns is not None:
            return self._columns[places] @ self._columns[others].T
        chosen = self.features[places]
        rest = chosen if places is others else self.features[others]
        return self._centred(self.design.cross(self.weight, chosen, rest), chosen, rest)

    def _centred(self, cross: Array, features: Index, others: Index) -> Array:
        if self.offset.any():
            cross -= np.outer(self.offset[features], self.offset[others])
        return cross
