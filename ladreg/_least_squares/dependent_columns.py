"""Free columns that depend on other free columns, and on the intercept's: the solver works on an independent subset.

A QR decomposition with column pivoting (Businger and Golub 1965, doi 10.1007/BF01436084) of the centred free columns Z
finds the subset. The others are left out of the problem, which changes neither predictions nor objective; in the end
the coefficients of all free columns are the shortest vector with the same ``Z @ coef``, the canonical optimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, pivoted_triangle
from ladreg._design import CONSTANT
from ladreg._least_squares.centred import Centred
from ladreg._presolve import Repeats, repeats
from ladreg._problem import ElasticNet
from ladreg._tolerances import SOLVED

# A column is also dependent if that distance is at most 1e-14 of its uncentred root mean square: rounding of its mean.
_ROUNDING = float(np.sqrt(CONSTANT))
# Numbers in a block of rows that is decomposed at a time.
_BLOCK = 1 << 22
# Largest number of multiplications for a decomposition; without one, conjugate gradients solve dependent columns too.
_WORK = 1e12


@dataclass(frozen=True)
class Dependent:
    """Free columns of which some depend on others.

    Attributes
    ----------
    features : ndarray of shape (k,)
        All free columns.
    chosen, rest : ndarray of shape (rank,), (k - rank,)
        Places in `features` of the independent subset, and of the others.
    triangle : ndarray of shape (rank, k)
        R with ``R'R = Z'WZ``; an upper triangle in the columns `chosen`.
    measure : ndarray of shape (k,)
        The unit of each coefficient, relative to the largest: its weight in the norm.
    row_space : ndarray of shape (k, rank)
        An orthonormal basis of the row space of ``triangle / measure``.
    """

    features: Index
    chosen: Index
    rest: Index
    triangle: Array
    measure: Array
    row_space: Array

    def hidden(self, penalty: ElasticNet) -> ElasticNet:
        """The penalty with all but the independent subset excluded."""
        strength = penalty.strength.copy()
        strength[self.features[self.rest]] = np.inf
        return replace(penalty, strength=strength)

    def led(self, coef: Array) -> Array:
        """The coefficients that give the same predictions with the subset alone."""
        values = np.zeros(self.features.size)
        values[self.chosen] = self._basic(self.triangle @ coef[self.features])
        led = coef.copy()
        led[self.features] = values
        return led

    def shared(self, coef: Array) -> Array:
        """The shortest coefficients that give the same predictions; of several solutions in rows."""
        given = coef[..., self.features]
        if not given.any():
            return coef
        values = (given * self.measure) @ self.row_space @ self.row_space.T / self.measure
        # With scales far apart, rounding remains in the columns of large numbers: the subset corrects for it.
        values[..., self.chosen] += self._basic((given - values) @ self.triangle.T)
        shared = coef.copy()
        shared[..., self.features] = values
        return shared

    def _basic(self, products: Array) -> Array:
        """Coefficients of the subset with ``R @ coef = products``; of several in rows."""
        if self.chosen.size == 0:  # every column is constant
            return products
        triangle = self.triangle[:, self.chosen]
        try:
            return np.asarray(scipy.linalg.solve_triangular(triangle, products.T, check_finite=False)).T
        except np.linalg.LinAlgError:  # LAPACK gave up
            return np.asarray(np.linalg.lstsq(triangle, products.T, rcond=None)[0]).T


@dataclass(frozen=True)
class Redundant:
    """The columns that a solver does without: repeats of others, and dependent free ones."""

    equal: Repeats | None
    dependent: Dependent | None

    @property
    def _kinds(self) -> list[Repeats | Dependent]:
        return [kind for kind in (self.equal, self.dependent) if kind is not None]

    def hidden(self, penalty: ElasticNet) -> ElasticNet:
        """The penalty with these columns excluded."""
        for kind in self._kinds:
            penalty = kind.hidden(penalty)
        return penalty

    def led(self, coef: Array) -> Array:
        """Coefficients without these columns that give the same predictions."""
        for kind in self._kinds:
            coef = kind.led(coef)
        return coef

    def shared(self, coef: Array) -> Array:
        """The canonical solution for one without these columns; for several in rows."""
        for kind in self._kinds:
            coef = kind.shared(coef)
        return coef

    def leave_open(self, chosen: NDArray[np.bool_]) -> bool:
        """Whether other coefficients give the same predictions as those of the chosen columns."""
        return self.dependent is not None or (self.equal is not None and self.equal.stand_for_others(chosen))


def redundant(columns: Centred, products: Array, canonical: bool = True) -> Redundant | None:
    """The columns that the solver does without; None where there are none.

    Parameters
    ----------
    columns
        The problem with the intercept eliminated.
    products
        Products of all columns with one vector: columns with equal products may be equal.
    canonical
        Whether penalised columns that repeat others are redundant, too.
    """
    penalty = columns.penalty
    found = _dependent(columns, penalty.free_features)
    equal = repeats(columns.design, products, penalty) if canonical else None
    return None if equal is None and found is None else Redundant(equal, found)


def _dependent(columns: Centred, free: Index) -> Dependent | None:
    """The dependences among free columns; None where they are independent."""
    if free.size == 0:
        return None
    key = free.tobytes()
    if key not in columns.dependences:
        columns.dependences.clear()  # one set at a time: a path asks for its supports in turn
        try:
            columns.dependences[key] = _analysed(columns, free)
        except np.linalg.LinAlgError:  # LAPACK gave up: the columns count as independent, and the proof decides
            columns.dependences[key] = None
    known: Dependent | None = columns.dependences[key]
    return known


def _analysed(columns: Centred, free: Index) -> Dependent | None:
    n_rows = int(np.count_nonzero(columns.weight)) - columns.problem.fit_intercept
    if free.size * min(free.size, n_rows) * float(columns.problem.n_samples) > _WORK:
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # inf and NaN are not independent
        if free.size <= n_rows and columns.gram.are_independent(columns.gram.work_on(free)):
            return None
        triangle = columns.triangle(free, _BLOCK)
    length = np.linalg.norm(triangle, axis=0)
    if not np.isfinite(length).all():
        return None
    reach = np.hypot(length, columns.mean[free])
    length[length <= _ROUNDING * reach] = 0.0
    size = np.where(length > 0, length, 1.0)
    upper, order = pivoted_triangle(np.where(length > 0, triangle / size, 0.0))
    pivot = np.abs(np.diag(upper))
    least = np.maximum(SOLVED, _ROUNDING * reach / size)[order[: pivot.size]]
    rank = int(np.argmin(np.append(pivot > least, False)))
    if rank == free.size:
        return None
    # Remove rounding: with units far apart it would count as much as the rest.
    upper[np.abs(upper) <= SOLVED] = 0.0
    rows = np.zeros((rank, free.size))
    rows[:, order] = upper[:rank] * size[order]
    measure = columns.problem.design.scale[free]
    measure = measure / measure.max()
    measured = rows / measure
    measured /= np.linalg.norm(measured, axis=1)[:, None]
    row_space = np.asarray(np.linalg.qr(measured.T)[0])
    return Dependent(free, order[:rank], np.sort(order[rank:]), rows, measure, row_space)
