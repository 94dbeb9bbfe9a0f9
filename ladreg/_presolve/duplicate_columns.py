"""Columns that repeat others: one of each stands for all, and the canonical optimum shares its coefficient equally."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._cached import cached_property
from ladreg._design import Design, SparseDesign
from ladreg._problem import ElasticNet
from ladreg._tolerances import SOLVED

# Columns with equal products are compared with at most 8 different columns.
_TRIES = 8
# Compare 16 rows before whole columns.
_ROWS = 16


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

    def shared(self, coef: Array) -> Array:
        """Coefficients of leaders shared among all columns they stand for; `coef` may have one row per solution."""
        return np.asarray((coef / np.maximum(self._counts, 1))[..., self.leader])

    def stand_for_others(self, chosen: NDArray[np.bool_]) -> bool:
        """Whether any of the chosen leaders stands for other columns."""
        return bool(np.any(self._counts[chosen] > 1))

    def led(self, coef: Array) -> Array:
        """The coefficients of leaders that give the same predictions."""
        return np.asarray(np.bincount(self.leader, coef, minlength=self.leader.size), dtype=np.float64)


def repeats(design: Design, products: Array, penalty: ElasticNet) -> Repeats | None:
    """The columns that repeat others, with the same penalty and without ridge, none of them free; None without any.

    Parameters
    ----------
    design
        The columns.
    products
        Of each column with the same vector: they tell which columns may be equal.
    penalty
        Strengths and ridges.
    """
    able = np.flatnonzero((penalty.ridge == 0) & np.isfinite(penalty.strength) & ~penalty.free())
    near = np.diff(np.sort(products[able])) <= SOLVED * float(np.abs(products).max(initial=0.0))
    if not near.any():
        return None
    order = able[np.argsort(products[able], kind="stable")]
    group = np.cumsum(np.append(True, ~near)[: order.size])
    alike = np.append(near, False) | np.append(False, near)
    leader = _led(design, penalty, order[alike], group[alike])
    return None if np.array_equal(leader, np.arange(products.size)) else Repeats(leader)


def _led(design: Design, penalty: ElasticNet, features: Index, group: Index) -> Index:
    """The leader of each column, where only those of a group may be equal."""
    leader = np.arange(penalty.strength.size)
    place = np.lexsort((features, group))
    features, group = features[place], group[place]
    for _ in range(_TRIES):
        first = np.append(True, np.diff(group) > 0)
        heads = features[first][np.cumsum(first) - 1]
        rest = np.flatnonzero(~first)
        if rest.size == 0:
            break
        same = penalty.strength[heads[rest]] == penalty.strength[features[rest]]
        same[same] = _equal(design, heads[rest[same]], features[rest[same]])
        leader[features[rest[same]]] = heads[rest[same]]
        features, group = features[rest[~same]], group[rest[~same]]
        if features.size == 0:
            break
    return leader


def _equal(design: Design, one: Index, other: Index) -> NDArray[np.bool_]:
    """Whether the columns of each pair are equal."""
    X = design.X
    if not isinstance(design, SparseDesign):
        # A few rows show the difference of most columns that differ.
        few = X[np.linspace(0, X.shape[0] - 1, min(_ROWS, X.shape[0])).astype(np.intp)]
        equal = np.all(few[:, one] == few[:, other], axis=0)
        for k in np.flatnonzero(equal):
            equal[k] = np.array_equal(X[:, one[k]], X[:, other[k]])
        return np.asarray(equal)
    if X.format != "csc":
        return np.zeros(one.size, dtype=bool)
    lengths = np.diff(X.indptr)
    equal = lengths[one] == lengths[other]
    pairs, counts = np.flatnonzero(equal), lengths[one[equal]]
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    left, right = (np.repeat(X.indptr[side[pairs]], counts) + within for side in (one, other))
    differ = (X.indices[left] != X.indices[right]) | (X.data[left] != X.data[right])
    equal[np.repeat(pairs, counts)[differ]] = False
    return equal
