"""Newton steps on supports too large for a Gram matrix, by conjugate gradients (Hestenes and Stiefel 1952,
doi 10.6028/jres.049.044).

With the signs fixed the problem is a linear system in the coefficients that are not zero. Its matrix is never formed: a
product with it takes two with the data. Coefficients that would change their sign become zero (Bertsekas 1982,
doi 10.1137/0320018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._cached import cached_property
from ladreg._design import SparseDesign
from ladreg._least_squares.centred import Centred, GradientCheck
from ladreg._tolerances import LEAST_GAP

# Fractions of a Newton step, tried in this order until one does not lead uphill.
_PARTS = (1.0, 0.5, 0.25, 0.1, 0.02)


@dataclass(frozen=True)
class Part:
    """Some of the centred columns, and products with them."""

    columns: Centred
    features: Index

    @cached_property
    def _gathered(self) -> SparseDesign | None:
        """A copy of sparse columns, which costs as much as a few products; None for dense ones: they are not copied."""
        design = self.columns.design
        return design.select(self.features) if isinstance(design, SparseDesign) else None

    def forward(self, coef: Array) -> Array:
        """The predictions of coefficients of these columns."""
        part = self._gathered
        predicted = self.columns.design.matvec_of(self.features, coef) if part is None else part.matvec(coef)
        return predicted - float(self.columns.offset[self.features] @ coef)

    def backward(self, dual: Array) -> Array:
        """The product of these columns with a vector."""
        part = self._gathered
        slope = self.columns.design.rmatvec_of(self.features, dual) if part is None else part.rmatvec(dual)
        return slope - self.columns.offset[self.features] * float(dual.sum())

    def curve(self, coef: Array) -> Array:
        """The product with the Hessian of the smooth part."""
        ridge = self.columns.penalty.ridge[self.features]
        return self.backward(self.columns.weight * self.forward(coef)) + ridge * coef


def active(columns: Centred, coef: Array, slope: Array) -> Index:
    """The support, and the features that violate their condition; no constant and no excluded features."""
    penalty = columns.penalty
    entering = (penalty.excess(slope - penalty.ridge * coef) > penalty.strength) & ~columns.hidden
    return np.flatnonzero(((coef != 0) | entering) & (columns.curvature > 0) & np.isfinite(penalty.strength))


def newton_step(
    columns: Centred, coef: Array, look: GradientCheck, features: Index, share: float, limit: int
) -> tuple[Array | None, int]:
    """One step towards the minimum in the active features, if it does not lead uphill.

    Parameters
    ----------
    columns
        The problem.
    coef, look
        Where the step begins, and the gradient check there.
    features
        Those that are `active`.
    share
        Relative residual at which conjugate gradients stop, in the norm of their preconditioner.
    limit
        Largest number of products with the Hessian.

    Returns
    -------
    coef, n_products
        `coef` is None where every fraction of the step leads uphill.

    Notes
    -----
    1. Signs: those of the coefficients, and of the slopes where these are zero.
    2. Conjugate gradients.
    3. The largest fraction of the step that does not lead uphill, with coefficients that changed sign set to zero.
    """
    part, penalty = Part(columns, features), columns.penalty.at(features)
    here = coef[features]
    # 1.
    slope = look.slope[features] - penalty.ridge * here
    sign = np.sign(np.where(here != 0, here, slope))
    signed = (penalty.strength > 0) | penalty.positive
    # 2.
    size = columns.curvature[features] + penalty.ridge
    step, n_products = _solved(part.curve, slope - penalty.strength * sign, size, share, limit)
    # 3.
    before = (look.loss + penalty.value(here)) * (1 + LEAST_GAP)
    for length in _PARTS:
        there = here + length * step
        there[signed & (there * sign < 0)] = 0.0
        residual = look.residual - part.forward(there - here)
        if 0.5 * float(columns.weight @ residual**2) + penalty.value(there) <= before:
            after = coef.copy()
            after[features] = there
            return after, n_products
    return None, n_products


def _solved(curve: Callable[[Array], Array], right: Array, size: Array, share: float, limit: int) -> tuple[Array, int]:
    """The solution of a positive semidefinite system, preconditioned by its diagonal, and the number of products."""
    solution, rest = np.zeros(right.size), right.copy()
    scaled = rest / size
    direction, square = scaled.copy(), float(rest @ scaled)
    goal = share**2 * square
    for number in range(limit):
        if not square > goal:
            return solution, number
        moved = curve(direction)
        bend = float(direction @ moved)
        if not bend > 0:  # no curvature in this direction
            return solution, number + 1
        length = square / bend
        solution += length * direction
        rest -= length * moved
        scaled = rest / size
        before, square = square, float(rest @ scaled)
        direction = scaled + (square / before) * direction
    return solution, limit
