"""Exact steps on the support by a QR decomposition of its columns, where their Gram matrix has lost the digits.

A Gram matrix has the square of its columns' condition number: of columns that differ by 1e-7 of their length it knows
nothing. With the signs fixed the problem is least squares with a linear term (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389); its steps come from the residual of the data, each removing the rounding of the one
before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ladreg._arrays import Array, Index
from ladreg._least_squares.centred import Centred, GradientCheck

# Columns of length one are dependent below this distance from the span of the others. It is smaller than that of
# `dependent_columns`, so that free columns are independent here as well.
_RANK = 1e-14
# Steps with one decomposition: each but the first removes the rounding of the one before.
_REFINED = 3
# A violation below this part of the largest slope is rounding.
_ROUNDING = 1e-14
# Multiplications for all decompositions, and numbers in one.
_WORK, _ENTRIES = 2e10, 1 << 22


def applies(columns: Centred, coef: Array) -> bool:
    """Whether the support is small enough for some dozens of decompositions."""
    size = int(np.count_nonzero(coef)) + columns.penalty.free_features.size + 1
    n_rows = columns.problem.n_samples + size
    return n_rows * size <= _ENTRIES and 10.0 * n_rows * size**2 <= _WORK


@dataclass(frozen=True)
class _Factor:
    """The QR decomposition of weighted columns of length `size`, with the roots of their ridges below.

    `null` is a vector of coefficients that gives next to nothing, where the columns are dependent.
    """

    columns: Centred
    support: Index
    size: Array
    q: Array
    upper: Array
    order: Index
    null: Array | None

    @classmethod
    def of(cls, columns: Centred, support: Index) -> _Factor:
        matrix = columns.weighed(support)
        ridge = columns.penalty.ridge[support]
        if ridge.any():
            matrix = np.vstack([matrix, np.diag(np.sqrt(ridge))])
        size = np.linalg.norm(matrix, axis=0)
        size[size == 0] = 1.0
        q, upper, places = scipy.linalg.qr(matrix / size, mode="economic", pivoting=True)
        pivot, order = np.abs(np.diag(upper)), places.astype(np.intp)
        rank = int(np.argmin(np.append(pivot > _RANK, False)))
        null = None
        if rank < support.size:
            null = np.zeros(support.size)
            null[order[:rank]] = -scipy.linalg.solve_triangular(upper[:rank, :rank], upper[:rank, rank])
            null[order[rank]] = 1.0
            null /= size
        return cls(columns, support, size, q, upper, order, null)

    def step(self, coef: Array, cost: Array) -> Array:
        """The step to the minimum of the smooth part plus ``cost @ coef``, from the residual at `coef`."""
        move = self.q.T @ self._rest(self.columns.residual(coef), coef) - self._pull(cost)
        step = np.empty(cost.size)
        step[self.order] = scipy.linalg.solve_triangular(self.upper, move)
        return step / self.size

    def balanced(self, residual: Array, coef: Array, cost: Array) -> Array:
        """The residual nearest to one whose products with the support are `cost`, with the ridges' slopes."""
        move = self.q.T @ self._rest(residual, coef) - self._pull(cost)
        root = np.sqrt(self.columns.weight)
        balanced = residual - np.divide(self.q[: root.size] @ move, root, out=np.zeros_like(root), where=root > 0)
        return np.where(root > 0, balanced, residual)

    def _rest(self, residual: Array, coef: Array) -> Array:
        """Weighted residuals, and what ridges leave of zero."""
        rest = np.sqrt(self.columns.weight) * residual
        ridge = self.columns.penalty.ridge[self.support]
        return np.append(rest, -np.sqrt(ridge) * coef[self.support]) if ridge.any() else rest

    def _pull(self, cost: Array) -> Array:
        return np.asarray(scipy.linalg.solve_triangular(self.upper, (cost / self.size)[self.order], trans="T"))


def settle(columns: Centred, coef: Array, max_steps: int) -> tuple[Array, GradientCheck | None, int]:
    """Go to the optimum from coefficients near it.

    Parameters
    ----------
    columns
        The problem; its free columns are independent.
    coef
        Coefficients to start from, which are allowed.
    max_steps
        Largest number of steps.

    Returns
    -------
    coef, look, n_steps
        Coefficients, what is seen there, and steps. The residual that is seen is the one that coefficients without
        rounding would have: its slopes in the support are exact. None where not all conditions hold up to rounding.

    Notes
    -----
    1. The minimum with the signs of the support as they are, and the way there as far as they stay so. What becomes
       zero leaves the support.
    2. Where columns are dependent, the penalty falls along them until a coefficient is zero.
    3. After a whole step the feature comes in that violates its condition most.
    """
    penalty = columns.penalty
    signed = (penalty.strength > 0) | penalty.positive
    coef, work, n_steps = coef.copy(), _WORK, 0
    support = np.flatnonzero((coef != 0) | (penalty.free() & (columns.curvature > 0)))
    sign = np.sign(coef)
    tolerance = _ROUNDING * float(np.abs(columns.slope).max(initial=0.0))
    factor, whole = None, 0
    while n_steps < max_steps:
        n_steps += 1
        if factor is None:
            work -= float(columns.problem.n_samples + support.size) * support.size**2
            if work < 0:
                break
            factor, whole = _Factor.of(columns, support), 0
        cost = penalty.strength[support] * sign[support]
        # 2.
        if factor.null is not None:
            step, most = factor.null, np.inf
            slope = columns.design.rmatvec_of(support, columns.weight * columns.residual(coef))
            step = -step if float(step @ (cost - slope)) > 0 else step
        # 1.
        else:
            step, most = factor.step(coef, cost), 1.0
        share = np.full(support.size, np.inf)
        np.divide(np.abs(coef[support]), np.abs(step), out=share, where=signed[support] & (step * sign[support] < 0))
        part = min(float(share.min(initial=np.inf)), most)
        if not np.isfinite(part):
            break
        coef[support] += part * step
        if part < most:
            where = int(np.argmin(share))
            coef[support[where]] = 0.0
            support, factor = np.delete(support, where), None
            continue
        whole += 1
        if whole < _REFINED:
            continue
        # 3.
        look = columns.look_at(factor.balanced(columns.residual(coef), coef, cost))
        slope = look.slope
        violation = penalty.excess(slope) - penalty.strength
        violation[support], violation[columns.curvature <= 0] = 0.0, 0.0
        worst = int(np.argmax(violation))
        if not violation[worst] > tolerance:
            return coef, look, n_steps
        sign[worst] = 1.0 if penalty.positive else np.sign(slope[worst])
        support, factor = np.union1d(support, [worst]), None
    return coef, None, n_steps
