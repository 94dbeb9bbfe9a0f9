"""Moments of columns that were turned away from those that they nearly depend on, and rows with these moments.

Products of columns that differ by less than 1e-8 of their length, or by that part in the few rows that have most of the
weight, have no digit of the difference. What a column has beside the others is computed from each row, and the products
of that have all its digits (Bjorck 1996, Numerical Methods for Least Squares Problems, doi 10.1137/1.9781611971484,
section 2.4). So have the residuals of a fit in place of the targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._design import as_design
from ladreg._from_blocks.equivalent_rows import rows_like
from ladreg._from_blocks.moments import CentredMoments, moments_of
from ladreg._problem import Coefficients
from ladreg._row_blocks import Passes, Place, Rows, Summary
from ladreg._tolerances import HALF_DIGITS, SUMMED

# A column is turned where at most 1e-3 of its length is left beside the others (squared: 64 * HALF_DIGITS).
_NEAR = 64.0 * HALF_DIGITS
# Columns, at most: a tile of sparse rows with these is made dense, 64 MB.
MOST = 512


@dataclass(frozen=True)
class TurnedColumns:
    """The columns ``(x - centre) @ turn``; ``x - centre`` are these times `back`.

    Attributes
    ----------
    centre : ndarray of shape (n_features,)
        The rounded means of the columns.
    size : ndarray of shape (n_features,)
        The standard deviations of the columns, zero where these are constant up to rounding.
    turn, back : ndarray of shape (n_features, n_features)
        Inverses of each other, with a diagonal of ones.
    """

    centre: Array
    size: Array
    turn: Array
    back: Array

    @classmethod
    def of(cls, total: CentredMoments) -> TurnedColumns | None:
        """Columns for the moments of those that are there; None where none nearly depends on others, or of too many."""
        columns = total.columns
        n_features = columns.near.size
        if n_features > MOST:
            return None
        size = np.sqrt(np.where(columns.constant, 0.0, np.diag(columns.products) / columns.mass))
        none = np.eye(n_features)
        return cls(columns.near, size, none, none).turned(columns)

    def turned(self, moments: CentredMoments) -> TurnedColumns | None:
        """Columns of which those that nearly depend on others, by their moments, lose their part along these.

        Multiples that are whole numbers but for rounding are these numbers: equal columns stay equal.
        """
        varying = np.flatnonzero(~self.rounding(moments))
        if varying.size == 0:
            return None
        found = dependences(moments.products[np.ix_(varying, varying)])
        if found is None:
            return None
        kept, others, share = found
        whole = np.round(share)
        share = np.where(np.abs(share - whole) <= SUMMED * np.abs(whole), whole, share)
        step = np.zeros_like(self.turn)
        step[np.ix_(varying[kept], varying[others])] = share
        none = np.eye(step.shape[0])
        return TurnedColumns(self.centre, self.size, self.turn @ (none - step), (none + step) @ self.back)

    def rounding(self, moments: CentredMoments) -> NDArray[np.bool_]:
        """Which of the turned columns, whose moments are given, are rounding of the columns that are there."""
        square = np.diag(moments.products)[: self.size.size] / moments.mass
        return np.asarray((self.size == 0) | (square <= (SUMMED * (np.abs(self.turn).T @ self.size)) ** 2))

    def moments(self, passes: Passes, y_centre: float, given: Coefficients) -> CentredMoments:
        """The moments of these columns and of the residuals at a fit to `centre` and `y_centre`, in one pass."""
        seen = passes.total("moments", _moments, self.centre, self.turn, y_centre, given)
        found: CentredMoments = seen.sums["moments"]
        return found

    def rows(self, moments: CentredMoments) -> tuple[Array, Array]:
        """Few rows of equal weights with given moments: the columns that are there less `centre`, and the residuals."""
        constant = np.append(self.rounding(moments), False)
        table = rows_like(moments, np.where(constant, 0.0, moments.mean), constant)
        return table[:, :-1] @ self.back, table[:, -1]


def dependences(products: Array) -> tuple[Index, Index, Array] | None:
    """Columns that stay, those that nearly depend on them, and the coefficients of the former that predict the latter.

    None where no column depends on others. `products` are those of the columns, none of which is zero.
    """
    length = np.sqrt(np.diag(products))
    upper, order, rank, _ = scipy.linalg.lapack.dpstrf(products / length / length[:, None], tol=_NEAR)
    kept, others = order[:rank] - 1, order[rank:] - 1
    if others.size == 0:
        return None
    share = scipy.linalg.solve_triangular(upper[:rank, :rank], upper[:rank, rank:])
    return kept, others, share * length[others] / length[kept, None]


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is not proved
def _moments(
    place: Place,  # noqa: ARG001 - a row is as good as any other
    rows: Rows,
    centre: Array,
    turn: Array,
    y_centre: float,
    given: Coefficients,
) -> Summary:
    """The moments of the turned columns and of the residuals of a tile."""
    X: Any = rows.X
    is_sparse: bool = sp.issparse(X)
    table = np.asarray(X.toarray() if is_sparse else X, dtype=np.float64) - centre
    residual = (rows.y - y_centre) - as_design(table).matvec(given.coef) - given.intercept
    found = moments_of(table @ turn, residual, rows.weight)
    return Summary() if found is None else Summary(sums={"moments": found})
