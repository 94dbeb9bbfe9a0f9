"""Exact steps on the support by a QR decomposition of its columns, where their Gram matrix is too inexact.

A Gram matrix has the square of its columns' condition number: columns that differ by 1e-7 of their length leave it
two digits. With the signs fixed the problem is least squares with a linear term (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389); each step starts from the residual of the data, and removes the rounding of the one
before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ladreg._arrays import Array, Index
from ladreg._least_squares.centred import Centred, GradientCheck
from ladreg._tolerances import BALANCED, INDEPENDENT

# Whole steps with one decomposition: each but the first removes the rounding of the one before.
_REFINED = 3
# Multiplications for all decompositions of one call, at most.
_WORK = 2e10
# Numbers in the matrix of one decomposition, at most.
_ENTRIES = 1 << 22


def applies(columns: Centred, coef: Array) -> bool:
    """Whether the support is small enough for at least 10 decompositions."""
    size = int(np.count_nonzero(coef)) + columns.penalty.free_features.size + 1
    n_rows = columns.problem.n_samples + size
    return n_rows * size <= _ENTRIES and 10.0 * n_rows * size**2 <= _WORK


@dataclass(frozen=True)
class _Factor:
    """The QR decomposition of weighted columns divided by their lengths `size`, with the roots of their ridges below.

    If the columns are dependent, `null` is a vector of coefficients with predictions of rounding size, else None.
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
        matrix = columns.weighted_columns(support)
        ridge = columns.penalty.ridge[support]
        if ridge.any():
            matrix = np.vstack([matrix, np.diag(np.sqrt(ridge))])
        size = np.linalg.norm(matrix, axis=0)
        size[size == 0] = 1.0
        q, upper, places = scipy.linalg.qr(matrix / size, mode="economic", pivoting=True)
        pivot, order = np.abs(np.diag(upper)), places.astype(np.intp)
        rank = int(np.argmin(np.append(pivot > INDEPENDENT, False)))
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
        """The nearest residual whose products with the support are `cost` plus the slopes of the ridges."""
        move = self.q.T @ self._rest(residual, coef) - self._pull(cost)
        root = np.sqrt(self.columns.weight)
        balanced = residual - np.divide(self.q[: root.size] @ move, root, out=np.zeros_like(root), where=root > 0)
        return np.where(root > 0, balanced, residual)

    def _rest(self, residual: Array, coef: Array) -> Array:
        """Residuals times the roots of the weights, and ``-sqrt(ridge) * coef`` below if there are ridges."""
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
        Feasible coefficients to start from.
    max_steps
        Largest number of steps.

    Returns
    -------
    coef, look, n_steps
        Coefficients, the gradient check there, and steps. The residual of the check is the one that coefficients
        without rounding would have: its slopes in the support are exact. `look` is None where not all conditions hold
        up to rounding.

    Notes
    -----
    1. A step to the minimum with the signs of the support fixed, cut where the first sign would change. That feature
       leaves the support.
    2. If columns are dependent, a step along the null vector, on which the penalty falls, until a coefficient is zero.
    3. After `_REFINED` whole steps the feature that violates its condition most enters.
    """
    penalty = columns.penalty
    signed = (penalty.strength > 0) | penalty.positive
    coef, work, n_steps = coef.copy(), _WORK, 0
    support = np.flatnonzero((coef != 0) | (penalty.free() & (columns.curvature > 0)))
    sign = np.sign(coef)
    tolerance = BALANCED * float(np.abs(columns.slope).max(initial=0.0))
    factor, whole = None, 0
    seen: set[bytes] = set()
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
        key = support.tobytes() + sign[support].tobytes()
        if key in seen:  # in exact arithmetic the objective falls between two visits
            break
        seen.add(key)
        sign[worst] = 1.0 if penalty.positive else np.sign(slope[worst])
        support, factor = np.union1d(support, [worst]), None
    return coef, None, n_steps
