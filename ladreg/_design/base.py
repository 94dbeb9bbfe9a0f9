"""The interface of dense and sparse design matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import NOTHING, Array, Index
from ladreg._design.block_structure import BlockGram, BlockPattern
from ladreg._design.doubled_sum import DoubledSum

_Fact = TypeVar("_Fact")

# Columns with a variance of at most 1e-28 times their mean square are constant up to rounding.
CONSTANT = 1e-28
# A variance below 1e-8 times the squared extent of its column may contain rounding of the column's mean.
_CONCENTRATED = 1e-8
# In a variance below 2^-53 times the squared mean, rounding of the mean (by 2^-53) exceeds 2^-53 of the variance.
_FAR = 2.0**-53


@dataclass(frozen=True)
class Design(ABC):
    """A design matrix of shape (n_samples, n_features)."""

    X: Any
    shift: Array = field(default_factory=lambda: NOTHING)
    scale: Array = field(default_factory=lambda: NOTHING)
    # Cached facts about X, which every design with the same X shares.
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.scale.size != self.n_features:
            object.__setattr__(self, "shift", np.zeros(self.n_features))
            object.__setattr__(self, "scale", np.ones(self.n_features))

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self.X.shape[1])

    @property
    def n_stored(self) -> int:
        """Number of values that X stores: of a sparse one, those that need not be zero."""
        return int(self.X.size)

    def known(self, key: Hashable, found: Callable[[], _Fact]) -> _Fact:
        """A fact about X, whatever shift and scale, which every design with the same X shares."""
        if key not in self._known:
            self._known[key] = found()
        fact: _Fact = self._known[key]
        return fact

    def rescaled(self, shift: Array, scale: Array) -> Self:
        """The columns of this design, `shift` subtracted and `scale` multiplied; X is shared, not copied."""
        return type(self)(self.X, self.shift + shift / self.scale, self.scale * scale, self._known)

    def at_origin(self) -> Self:
        """The design with columns far from zero moved as `extent` says; itself where none is far or some are moved.

        The values of columns that far are subtracted without rounding: they are within a factor of two of the shift.
        """
        if self._known.get("is at origin") or self.shift.any():
            return self
        shift = self.extent(True)[0]
        if shift.any():
            return self.rescaled(shift, np.ones_like(shift))
        self._known["is at origin"] = True
        return self

    @property
    @abstractmethod
    def is_finite(self) -> bool:
        """Whether every value is finite; it may be False if only the sum of their sizes overflows."""

    @abstractmethod
    def matvec(self, coef: Array) -> Array:
        """Product with a vector (n_features,) or a matrix (n_features, k)."""

    @abstractmethod
    def rmatvec(self, dual: Array) -> Array:
        """Product of the transpose with a vector (n_samples,) or a matrix (n_samples, k)."""

    def accurate_residual(self, coef: Array, y: Array, offset: float) -> Array:
        """``y - offset - X @ coef`` with the digits that are lost where terms cancel (`DoubledSum`)."""
        residual = DoubledSum.of(y)
        with np.errstate(over="ignore", invalid="ignore"):
            residual.subtract(slice(None), offset)
            self._subtract_columns(np.flatnonzero(coef), coef, residual)
            return residual.rounded()

    @abstractmethod
    def _subtract_columns(self, features: Index, coef: Array, residual: DoubledSum) -> None:
        """Subtract the products of chosen columns with their coefficients."""

    def rmatvec_at(self, rows: Index, dual: Array) -> Array:
        """`rmatvec` of a dual that is zero in all but the chosen rows, in ascending order."""
        if 4 * rows.size > self.n_samples:
            full = np.zeros(self.n_samples)
            full[rows] = dual
            return self.rmatvec(full)
        return self.take(rows).rmatvec(dual)

    @abstractmethod
    def matvec_of(self, features: Index, coef: Array) -> Array:
        """`matvec` of coefficients (k,) or (k, m) that are zero in all but the chosen k columns."""

    @abstractmethod
    def rmatvec_of(self, features: Index, dual: Array) -> Array:
        """The chosen entries of `rmatvec`, of a vector or a matrix."""

    @abstractmethod
    def sweep(
        self, coef: Array, y: Array, offset: float, weight: Array, ends: tuple[float, float]
    ) -> tuple[Array, Array, float]:
        """Residual ``y - offset - X @ coef``, and ``X'd`` and the sum of d for the dual d at the residuals' ends.

        ``d = weight * ends[1]`` where the residual is positive, and ``weight * ends[0]`` elsewhere.
        """

    @abstractmethod
    def audit(
        self, coef: Array, y: Array, offset: float, weight: Array, dual: Array, sizes: bool
    ) -> tuple[Array, Array, Array | None]:
        """Residual ``y - offset - X @ coef``, ``X'dual`` followed by the sum of `dual`, `magnitudes` where `sizes`."""

    def gradient(self, coef: Array, y: Array, offset: float, weight: Array) -> tuple[Array, Array, Array]:
        """Residual ``y - offset - X @ coef``, the dual ``weight * residual``, and ``X'dual`` followed by its sum."""
        residual = y - offset - self.matvec(coef)
        dual = weight * residual
        return residual, dual, np.append(self.rmatvec(dual), dual.sum())

    def knows_magnitudes(self, weight: Array) -> bool:  # noqa: ARG002 - a sparse design does not
        """Whether `magnitudes` needs no pass over X."""
        return False

    @abstractmethod
    def magnitudes(self, weight: Array) -> Array:
        """Column sums of ``weight * |x|``."""

    @abstractmethod
    def curvatures(self, weight: Array, center: Array) -> Array:
        """Column sums of ``weight * (x - center)^2``."""

    def means_from(self, center: Array, weight: Array) -> Array:
        """Weighted means of ``x - center``, the centre rounded as it is by `curvatures`."""
        return self.rescaled(center, np.ones_like(center)).means(weight)

    @abstractmethod
    def absolute_matvec(self, coef: Array) -> Array:
        """``|X| @ |coef|``: the size of the numbers that cancel in a product."""

    @abstractmethod
    def reach(self) -> Array:
        """An upper bound of the absolute values in each column."""

    @abstractmethod
    def spread(self, centred: bool) -> Array:
        """An upper bound of the mean square of each column, about its mean if `centred`, whatever the weights."""

    @abstractmethod
    def extent(self, centred: bool) -> tuple[Array, Array]:
        """A shift and a typical distance from it (0 for a constant column), one of each per column.

        Both are in the units of this design, whose own shift and scale count.
        """

    @abstractmethod
    def rows(self, index: Index, features: Index | None = None, border: bool = False) -> Array:
        """The chosen rows, in all or in the chosen columns, as a dense array; a column of ones last if `border`."""

    def table(self, border: bool = False) -> Array:
        """All rows as a dense array; a column of ones last if `border`."""
        return self.rows(np.arange(self.n_samples), border=border)

    @abstractmethod
    def take(self, index: Index | slice) -> Self:
        """The design of the chosen rows; those of a slice may be shared, not copied."""

    @abstractmethod
    def transposed_csc(self, index: Index) -> sp.csc_array:
        """Transpose of the chosen rows, in the form that an LP solver takes."""

    @abstractmethod
    def gram(self, weight: Array, features: Index, border: bool) -> Array:
        """``Z' diag(weight) Z`` for the chosen columns, followed by a column of ones if `border`."""

    def by_groups(self, border: bool) -> Design:  # noqa: ARG002 - a sparse design is by groups already
        """A sparse design of the same values where they are a table of groups (`blocks`), else the design itself."""
        return self

    def blocks(self, border: bool) -> BlockPattern | None:  # noqa: ARG002 - a dense design has none
        """Columns no two of which share a row, and the others; None where there are few such columns."""
        return None

    def block_gram(self, weight: Array, border: bool) -> BlockGram:
        """`gram` of all columns, in the blocks of `blocks`."""
        raise NotImplementedError

    def block_groups(self, index: Index, border: bool) -> tuple[Index, Array]:
        """`BlockPattern.groups`: each chosen row's column in D, and the value there."""
        raise NotImplementedError

    def block_rows(self, index: Index, border: bool) -> tuple[Index, Array, sp.csr_array]:
        """`BlockPattern.rows`: each chosen row's column in D, the value there, and the values in S."""
        raise NotImplementedError

    @abstractmethod
    def cross(self, weight: Array, features: Index, others: Index) -> Array:
        """Products of chosen columns with others, ``Z_f' diag(weight) Z_o``; half the work where both are one array."""

    def weighted_columns(self, features: Index, weight: Array) -> Array | None:  # noqa: ARG002 - for dense designs
        """Chosen columns times the roots of the weights, one per row; None for a sparse design."""
        return None

    def moments(self, weight: Array, others: Array) -> tuple[Array, Array]:
        """``Z' diag(weight) Z``, and ``Z' diag(weight) others`` for columns `others` of shape (n_samples, k)."""
        features = np.arange(self.n_features)
        return self.cross(weight, features, features), self.rmatvec(weight[:, None] * others)

    @abstractmethod
    def select(self, features: Index) -> Self:
        """The design of the chosen columns, which are copied."""

    def means(self, weight: Array) -> Array:
        """Column means, weighted by `weight` of sum one."""
        return self.rmatvec(weight)

    def deviations(self, weight: Array, of_constant: float = 1.0) -> Array:
        """Standard deviation of each column, weighted by `weight` of sum one; `of_constant` where it is constant.

        A column is constant if its deviation is at most 1e-14 times the root mean square of its unshifted values: its
        values (sums of shares, for example) are one number up to rounding.
        """
        shift, distance = self.extent(True)
        exponent = np.frexp(distance)[1]
        unit = np.ldexp(1.0, np.clip(-exponent, -1000, 1000))
        near = self.rescaled(shift, unit)
        mean = near.means(weight)
        square = near.curvatures(weight, mean)
        size = mean + (shift + self.shift * self.scale) * unit
        # The mean is too inaccurate if nearly all weight is on one value, or if the column is far from the origin.
        if np.any((square < _CONCENTRATED) | (square < _FAR * size**2)):
            rest = near.means_from(mean, weight)
            square = np.maximum(square - rest**2, 0.0)
        constant = (square <= CONSTANT * (square + size**2)) | (distance == 0)
        return np.where(constant, of_constant, np.ldexp(np.sqrt(square), np.clip(exponent, -1000, 1000)))
