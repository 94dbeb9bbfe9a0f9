"""What the interior point method asks of a program in the bounded dual of a loss, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ladreg._arrays import Array, Index, difference
from ladreg._kernels import _rows
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._tolerances import AT_END

# For a weighted Gram matrix copy 2048 rows at a time, or the number of columns if that is more: larger copies cost
# memory, smaller ones sums of Gram matrices.
_BLOCK = 2048

# A matrix, or its products alone where a program has a Gram matrix by blocks.
Rows = Array | sp.csr_array | LinearOperator


def weighted_gram(A: Array | sp.csr_array, weight: Array) -> Array:
    """``A.T @ diag(weight) @ A`` as a dense matrix, for weights >= 0."""
    gram = np.zeros((A.shape[1], A.shape[1]))
    if isinstance(A, np.ndarray):
        root, step = np.sqrt(weight)[:, None], max(A.shape[1], _BLOCK)
        for begin in range(0, A.shape[0], step):
            scaled = A[begin : begin + step] * root[begin : begin + step]
            gram += scaled.T @ scaled
        return gram
    _rows.sparse_gram(A.data, A.indices, A.indptr, weight, gram)
    return gram


def transposed_product(A: Rows, dual: Array) -> Array:
    """``A.T @ dual``; the transpose that SciPy makes of an operator would copy `dual`."""
    return np.asarray(A.rmatvec(dual) if isinstance(A, LinearOperator) else A.T @ dual)


DEFAULT = PiecewiseTuning()


@dataclass(frozen=True)
class InteriorPointResult:
    """Coefficients, the rows' dual, and how it went.

    Attributes
    ----------
    coef
        The multipliers of the equations.
    dual
        The dual with every row that is not basic put at its end.
    inside
        The dual of the last iterate, before any row is put at its end.
    rank
        How clearly each row is basic: a row above 0 counts as basic. Pseudo-rows, basic where the coefficient is zero,
        come last.
    """

    coef: Array
    dual: Array
    inside: Array
    rank: Array
    relative_gap: float
    n_iter: int


class DualProgram(ABC):
    """What the method asks of a program: its data, and its linear algebra at a *point*, which stands for coefficients.

    Attributes
    ----------
    y, lower, upper
        Target and bounds of each row's dual, of shape (m,).
    goal
        What A'd must equal.
    penalised, strength, origin
        Columns whose coefficient is penalised, how strongly, and the values that their coefficients are measured from:
        the pseudo-row's residual is ``-origin - coef``.
    ceiling
        Where no coefficient may be negative, a typical size of the penalised features' slopes at zero; None otherwise.
    tuning
        How the program is solved.
    """

    y: Array
    lower: Array
    upper: Array
    goal: Array
    penalised: Index
    strength: Array
    origin: Array
    ceiling: Array | None = None
    tuning: PiecewiseTuning = DEFAULT

    @property
    @abstractmethod
    def n_basic(self) -> int:
        """Number of basic rows of a vertex."""

    @property
    def is_curved(self) -> bool:
        """Whether there is a smooth part."""
        return False

    @property
    def width(self) -> Array:
        """The length of each interval, pseudo-rows last; a typical length for half lines."""
        pseudo = 2 * self.strength if self.ceiling is None else self.strength + self.ceiling
        return followed(difference(self.upper, self.lower), pseudo)

    @abstractmethod
    def forward(self, point: Array) -> Array:
        """The predictions of all rows at a point, pseudo-rows last, as a new array."""

    @abstractmethod
    def backward(self, dual: Array) -> Array:
        """The right-hand side that `factor` takes for a vector of one number a row, pseudo-rows included."""

    @abstractmethod
    def factor(self, q: Array) -> Callable[[Array], Array] | None:
        """The map from ``backward(q * push) - short`` to the step of the point; None where the matrix is singular.

        It must not refer to the array `q`, which is overwritten.

        The step's predictions ``moved`` are those for which ``q * (push - moved)`` makes up for `short`.
        """

    @abstractmethod
    def short(self, dual: Array, point: Array) -> Array:
        """The residual of the equations, ``goal + Hb - A'd``."""

    def asked(self, point: Array) -> float:  # noqa: ARG002 - for programs that know
        """``goal'b`` of the coefficients that a point stands for; NaN where that is not known."""
        return np.nan

    @abstractmethod
    def curved(self, point: Array) -> float:
        """``b'Hb``."""

    @abstractmethod
    def vertex(self, basic: Index, gap: float, n_iter: int) -> InteriorPointResult | None:
        """The vertex of the basic rows, if strict complementarity proves that it is the only optimum."""


def clear_vertex(program: DualProgram, residual: Array, dual: Array, basic: Index) -> bool:
    """Whether basic duals are inside their intervals and other residuals differ from zero, both by `AT_END`."""
    lower = followed(program.lower, -program.strength)
    place = (dual[basic] - lower[basic]) / program.width[basic]
    off = np.abs(residual)
    off[basic] = np.inf
    largest = max(float(np.abs(program.y).max()), float(np.abs(program.origin).max(initial=0.0)))
    return bool(place.min() > AT_END and place.max() < 1 - AT_END and off.min() > AT_END * largest)


def followed(rows: Array, pseudo: Array) -> Array:
    """One number a row, followed by those of the pseudo-rows; `rows` itself where there are none."""
    return np.concatenate([rows, pseudo]) if pseudo.size else rows
