"""Columns that repeat others: one of each stands for all, and the canonical optimum shares its coefficient equally."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ladreg._design import SparseDesign
from ladreg._operator import Design
from ladreg._penalties import ElasticNet

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Products with columns that are equal differ by rounding of this size, relative to the largest.
_EQUAL = 1e-13
# Columns with equal products that are not equal: after so many no more are compared.
_TRIES = 8


@dataclass(frozen=True)
class Repeats:
    """Which column stands for each, where not all stand for themselves.

    Attributes
    ----------
    leader : ndarray of shape (n_features,)
        The first of the columns that are equal to each.
    """

    leader: Index

    def hidden(self, penalty: ElasticNet) -> ElasticNet:
        """The penalty with all but the leaders excluded."""
        others = self.leader != np.arange(self.leader.size)
        return replace(penalty, strength=np.where(others, np.inf, penalty.strength))

    @cached_property
    def _counts(self) -> Index:
        return np.bincount(self.leader, minlength=self.leader.size)

    def shared(self, coef: Array) -> tuple[Array, bool]:
        """Coefficients of leaders shared among all that they stand for; whether any was."""
        return (coef / np.maximum(self._counts, 1))[self.leader], bool(np.any(self._counts[coef != 0] > 1))

    def led(self, coef: Array) -> Array:
        """The coefficients of leaders that give the same predictions."""
        return np.asarray(np.bincount(self.leader, coef, minlength=self.leader.size), dtype=np.float64)


def repeats(design: Design, products: Array, penalty: ElasticNet) -> Repeats | None:
    """The columns that repeat others, with the same penalty and without ridge; None where there are none.

    Parameters
    ----------
    design
        The columns.
    products
        Of each column with the same vector: they tell which columns may be equal.
    penalty
        Strengths and ridges.
    """
    order = np.argsort(products, kind="stable")
    near = np.diff(products[order]) <= _EQUAL * float(np.abs(products).max(initial=0.0))
    if not near.any():
        return None
    leader = np.arange(products.size)
    begins = np.flatnonzero(near & np.append(True, ~near[:-1]))
    for begin in begins.tolist():
        end = begin + 1
        while end < near.size and near[end]:
            end += 1
        _gather(design, penalty, np.sort(order[begin : end + 1]), leader)
    return None if np.array_equal(leader, np.arange(products.size)) else Repeats(leader)


def _gather(design: Design, penalty: ElasticNet, alike: Index, leader: Index) -> None:
    """Find the equal ones of columns whose products are equal."""
    alike = alike[(penalty.ridge[alike] == 0) & np.isfinite(penalty.strength[alike])]
    leaders: list[int] = []
    for j in alike.tolist():
        for i in leaders:
            if penalty.strength[i] == penalty.strength[j] and _equal(design, i, j):
                leader[j] = i
                break
        else:
            if len(leaders) >= _TRIES:
                return
            leaders.append(j)


def _equal(design: Design, i: int, j: int) -> bool:
    if not isinstance(design, SparseDesign):
        return bool(np.array_equal(design.X[:, i], design.X[:, j]))
    X = design.X
    if X.format != "csc":
        return False
    one, other = (slice(X.indptr[k], X.indptr[k + 1]) for k in (i, j))
    return bool(np.array_equal(X.indices[one], X.indices[other]) and np.array_equal(X.data[one], X.data[other]))
