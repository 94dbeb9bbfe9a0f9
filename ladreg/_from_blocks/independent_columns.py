"""The free columns of rows in blocks, independent of each other: on them a proof from sums over rows holds.

Products of a dual with columns are rounded, and the bound pays for that with the coefficients of the optimum: see
`_certificate/independent_columns`, which does in memory what is done here by moments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import Array, Index
from ladreg._certificate import SquareSums
from ladreg._design import as_design
from ladreg._from_blocks.moments import CentredMoments, moments_of
from ladreg._from_blocks.turned_columns import MOST, dependences
from ladreg._problem import ElasticNet
from ladreg._row_blocks import Passes, Place, Rows, Summary
from ladreg._tolerances import SOLVED

# What columns have beside others may depend on each other again: that is asked three times, each time in one pass.
_MOST_LEVELS = 3


@dataclass(frozen=True)
class IndependentColumns:
    """The columns of X, of which some free ones are less what other free ones predict.

    Attributes
    ----------
    turn : ndarray of shape (n_features, k)
        The columns that are not those of X are ``X @ turn - level``; the coefficient of a column's own place is one.
    turned : ndarray of shape (k,)
        The places of these columns.
    level : ndarray of shape (k,)
        Near their means; zero without an intercept.
    moments : CentredMoments
        Those of all columns and of the target.
    features : ndarray of shape (m,)
        The columns that are not the rounding of others.
    """

    turn: Array
    turned: Index
    level: Array
    moments: CentredMoments
    features: Index

    @classmethod
    def of(
        cls, passes: Passes, given: CentredMoments, penalty: ElasticNet, fit_intercept: bool
    ) -> IndependentColumns | None:
        """Those of rows with the given moments; None where their free columns are independent, or are too many."""
        n_features, free = penalty.strength.size, penalty.free_features
        if n_features > MOST or free.size < 2:
            return None
        turn, moments, found = np.eye(n_features), given, None
        least = SOLVED * _lengths(_squares(given, fit_intercept))
        for _ in range(_MOST_LEVELS):
            products = _squares(moments, fit_intercept)
            step = _step(products, free[_lengths(products)[free] > least[free]])
            if step is None:
                break
            turn = turn - turn @ step
            turned = np.flatnonzero((turn != np.eye(n_features)).any(axis=0))
            level = given.mean[:-1] @ turn[:, turned] if fit_intercept else np.zeros(turned.size)
            moments = passes.total("moments", _moments, turn[:, turned], turned, level).sums["moments"]
            is_rounding = np.zeros(n_features, dtype=bool)
            is_rounding[free] = (_lengths(_squares(moments, fit_intercept)) <= least)[free]
            found = cls(turn[:, turned], turned, level, moments, np.flatnonzero(~is_rounding))
        return found

    def table(self, X: Any) -> Array:
        """The turned columns of rows, with all their digits."""
        return _table(X, self.turn, self.level)

    def sums(self, given: SquareSums, products: Array) -> SquareSums:
        """The sums over rows for these columns, from those for the columns of X.

        `products` are those of weighted residuals with the turned columns.
        """
        mean, at = self.moments.mean[:-1], self.features
        slope = given.slope.copy()
        slope[self.turned] = products - mean[self.turned] * given.total * given.fit_intercept
        gram = _squares(self.moments, given.fit_intercept)
        squares = np.diag(_squares(self.moments, fit_intercept=False))
        return replace(
            given, slope=slope[at], gram=np.ascontiguousarray(gram[np.ix_(at, at)]), column_squares=squares[at]
        )


def _squares(moments: CentredMoments, fit_intercept: bool) -> Array:
    """Weighted products of the columns, about their means if there is an intercept, for weights of sum one."""
    columns = moments.columns
    products = columns.products / columns.mass
    products[columns.constant] = 0.0
    products[:, columns.constant] = 0.0
    return products if fit_intercept else products + np.outer(columns.mean, columns.mean)


def _lengths(products: Array) -> Array:
    return np.sqrt(np.maximum(np.diag(products), 0.0))


def _step(products: Array, among: Index) -> Array | None:
    """What is subtracted from columns that nearly depend on others `among` them; None where none does."""
    if among.size == 0:
        return None
    found = dependences(products[np.ix_(among, among)])
    if found is None:
        return None
    kept, others, share = found
    step = np.zeros_like(products)
    step[np.ix_(among[kept], among[others])] = share
    return step


def _table(X: Any, turn: Array, level: Array) -> Array:
    """``X @ turn - level`` with the digits that are lost where terms cancel."""
    design = as_design(X)
    found, nothing = np.empty((design.n_samples, level.size), order="F"), np.zeros(design.n_samples)
    for k, part in enumerate(turn.T):
        np.negative(design.accurate_residual(part, nothing, -float(level[k])), out=found[:, k])
    return found


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is not proved
def _moments(
    place: Place,  # noqa: ARG001 - a row is as good as any other
    rows: Rows,
    turn: Array,
    turned: Index,
    level: Array,
) -> Summary:
    """The moments of a tile with its turned columns in place of those that are there."""
    X: Any = rows.X
    is_sparse: bool = sp.issparse(X)
    table = np.array(X.toarray() if is_sparse else X, dtype=np.float64)
    table[:, turned] = _table(X, turn, level)
    found = moments_of(table, rows.y, rows.weight)
    return Summary() if found is None else Summary(sums={"moments": found})
