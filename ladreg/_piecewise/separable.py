"""Interior point method for kinks of rows and of coefficients beside a quadratic: any loss, limits and ridges.

The problem is ``sum_k rho_k(t_k - a_k'b) + b'Hb / 2 - c'b``. Each rho_k has the slope `low_k` below zero and `high_k`
above, either of which may be infinite: a limit of a coefficient is such a kink. Huber's loss has a parabola between the
slopes, as wide as the compliance `soft_k` says. The dual d of the kinks satisfies ``A'd = Hb - c``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, cholesky_solver
from ladreg._piecewise.dual_program import weighted_gram
from ladreg._tolerances import HALF_DIGITS, LEAST_GAP

# Go 0.995 of the way to the boundary: Mehrotra's (1992, doi 10.1137/0802028) usual fraction.
_STEP = 0.995
# End at a step shorter than 1e-10, or with 1e6 times as much left as in the best iterate: rounding is all there is.
_SHORT = 1e-10
_LOST = 1e6


@dataclass(frozen=True)
class Kinks:
    """The program.

    Attributes
    ----------
    A
        Rows of the problem, an intercept last; empty where their loss has no kink.
    columns
        The column of each kink of a coefficient; these kinks come after those of rows.
    target, low, high, soft
        t, both slopes and the compliance of every kink.
    hessian, linear
        H and c.
    """

    A: Array | sp.csr_array
    columns: Index
    target: Array
    low: Array
    high: Array
    soft: Array
    hessian: Array
    linear: Array

    def forward(self, point: Array) -> Array:
        """``a_k'b`` of every kink."""
        return np.concatenate([self.A @ point, point[self.columns]])

    def backward(self, dual: Array) -> Array:
        """``A'd``."""
        n_rows = self.A.shape[0]
        product: Array = self.A.T @ dual[:n_rows]
        return product + np.bincount(self.columns, dual[n_rows:], minlength=product.size)

    def matrix(self, weight: Array) -> Array:
        """``A' diag(weight) A + H``."""
        n_rows = self.A.shape[0]
        gram = weighted_gram(self.A, weight[:n_rows]) + self.hessian
        gram.ravel()[:: gram.shape[0] + 1] += np.bincount(self.columns, weight[n_rows:], minlength=gram.shape[0])
        return gram


@dataclass(frozen=True)
class KinkPoint:
    """Coefficients, the dual of every kink, which kinks are reached, and the number of iterations."""

    point: Array
    dual: Array
    reached: NDArray[np.bool_]
    n_iter: int
    is_optimal: bool


def solve(program: Kinks, point: Array, max_iter: int) -> KinkPoint:
    """Solve the program from `point`.

    Notes
    -----
    With ``s = high - d``, ``a = d - low`` and the residual ``t - a'b - soft d = over - under`` the optimum has ``over s
    = under a = 0``. Each iteration is a predictor and a corrector by one factor.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _iterate(program, point, max_iter)


class _Iterate:
    """Coefficients, dual, and the parts of the residual: `over` where the dual is at `high`, `under` where at `low`."""

    def __init__(self, program: Kinks, point: Array) -> None:
        low, high = program.low, program.high
        self.program, self.point = program, point
        self.up, self.down = np.isfinite(high), np.isfinite(low)
        both = self.up & self.down
        width = np.where(both, high - low, 0.0)
        self.typical = float(width.max(initial=0.0)) or 1.0
        self.size = np.where(width > 0, width, self.typical)
        self.dual = np.where(both, low / 2 + high / 2, np.where(self.up, high - 1.0, low + 1.0))
        residual = program.target - program.forward(point)
        # Limits may be at any distance: kinks with two finite slopes tell how large residuals are.
        self.both = both
        floor = 0.1 * max(self._mean(np.abs(residual)), HALF_DIGITS)
        self.over = np.where(self.up, np.maximum(residual, 0.0) + floor, 0.0)
        self.under = np.where(self.down, np.maximum(-residual, 0.0) + floor, 0.0)
        self.n_pairs = max(int(self.up.sum() + self.down.sum()), 1)

    def _mean(self, size: Array) -> float:
        """The mean over kinks with two finite slopes; one, the unit at this scale, without any."""
        return float(np.mean(size[self.both])) if self.both.any() else 1.0

    def measure(self) -> float:
        """Compute what is left to solve, and return its largest part relative to the sizes of the terms."""
        program = self.program
        self.s = np.where(self.up, program.high - self.dual, 1.0)
        self.a = np.where(self.down, self.dual - program.low, 1.0)
        residual, product = program.target - program.forward(self.point), program.hessian @ self.point
        self.short = product - program.linear - program.backward(self.dual)
        self.apart = residual - program.soft * self.dual - self.over + self.under
        self.total = float(self.over @ self.s + self.under @ self.a)
        worth = float(np.abs(residual) @ np.where(self.both, self.size, 0.0)) + abs(float(self.point @ product))
        # The larger of both parts of a residual that is far from its limit is rounded by more than it is worth.
        apart = np.abs(self.apart) / np.maximum(np.maximum(self.over, self.under), 1.0)
        left = max(self.total, float(apart @ self.size)) / (worth + HALF_DIGITS)
        return max(left, float(np.abs(self.short).max(initial=0.0)) / self.typical)

    def move(self) -> float:
        """Take a step and return its length, zero where the matrix is singular."""
        program, s, a = self.program, self.s, self.a
        q = 1.0 / (program.soft + self.over / s + self.under / a)
        factor = cholesky_solver(program.matrix(q))
        if factor is None:
            return 0.0
        centre, second = 0.0, (np.zeros(q.size), np.zeros(q.size))
        for attempt in (1, 2):
            to_over = np.where(self.up, (centre - second[0]) / s - self.over, 0.0)
            to_under = np.where(self.down, (centre - second[1]) / a - self.under, 0.0)
            push = q * (self.apart - to_over + to_under)
            step = factor(program.backward(push) - self.short)
            change = push - q * program.forward(step)
            over = to_over + self.over / s * change
            under = to_under - self.under / a * change
            length = self._longest(change, over, under)
            if attempt == 1:
                after = (self.over + length * over) @ np.where(self.up, s - length * change, 0.0)
                after += (self.under + length * under) @ np.where(self.down, a + length * change, 0.0)
                share = max(float(after) / self.total, 0.0) if self.total > 0 else 0.0
                centre = share**3 * self.total / self.n_pairs
                second = (-change * over, change * under)
        length *= _STEP
        self.point = self.point + length * step
        self.dual = self.dual + length * change
        self.over = np.where(self.up, self.over + length * over, 0.0)
        self.under = np.where(self.down, self.under + length * under, 0.0)
        return length

    def _longest(self, change: Array, over: Array, under: Array) -> float:
        """The longest step, up to 1 / `_STEP`, at which nothing is below zero that may not be."""
        longest = 1.0 / _STEP
        pairs = (self.s, -change, self.up), (self.a, change, self.down), (self.over, over, self.up)
        for value, moved, counts in (*pairs, (self.under, under, self.down)):
            falls = counts & (moved < 0)
            if falls.any():
                longest = min(longest, float(np.min(value[falls] / -moved[falls])))
        return longest

    def result(self, n_iter: int, is_optimal: bool) -> KinkPoint:
        """The point, with the kinks whose dual is clearly inside its interval."""
        spread = max(self._mean(self.over + self.under), 1e-300)
        reached = ~self.up | (self.s / self.size > self.over / spread)
        reached &= ~self.down | (self.a / self.size > self.under / spread)
        return KinkPoint(self.point, self.dual, reached, n_iter, is_optimal)


def _iterate(program: Kinks, point: Array, max_iter: int) -> KinkPoint:
    here = _Iterate(program, point)
    left = here.measure()
    best, least, number = here.result(1, left <= LEAST_GAP), left, 0
    while number < max_iter and left > LEAST_GAP and np.isfinite(left) and left <= _LOST * least:
        number += 1
        if here.move() < _SHORT:
            break
        left = here.measure()
        if left <= least:
            best, least = here.result(number, left <= LEAST_GAP), left
    return replace(best, n_iter=max(number, 1))
