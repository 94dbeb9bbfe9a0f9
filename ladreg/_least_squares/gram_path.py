"""The path of a lasso in Gram form: every solution starts from the last one and the factor of its support.

With the signs fixed the solution is linear in the penalty (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389), so that the first exact step from one solution predicts the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._kernels import _gram
from ladreg._least_squares.active_set import factored, steps_at_once
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._presolve import largest
from ladreg._problem import ElasticNet
from ladreg._tolerances import BALANCED


@dataclass(frozen=True)
class Stretch:
    """Solutions for several penalties, one row per penalty.

    Attributes
    ----------
    coef, slope : ndarray of shape (n_alphas, n_features)
        Coefficients, and the gradient of minus the loss there.
    n_steps : ndarray of shape (n_alphas,)
        Epochs and exact steps.
    done : ndarray of shape (n_alphas,)
        1 where all conditions hold up to rounding, else 0.
    """

    coef: Array
    slope: Array
    n_steps: Index
    done: Index

    def part(self, rows: slice) -> Stretch:
        """Some of the solutions; the arrays are shared."""
        return Stretch(self.coef[rows], self.slope[rows], self.n_steps[rows], self.done[rows])

    @classmethod
    def empty(cls, n_alphas: int, size: int) -> Stretch:
        """Zero arrays for the solutions, to be filled in."""
        shape = n_alphas, size
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(n_alphas, np.intp), np.zeros(n_alphas, np.intp))


class GramPath:
    """A path in Gram form, at the solution `coef`, where `slope` is the gradient of minus the loss.

    Parameters
    ----------
    gram
        Gram matrix of shape (q, q), without ridges.
    coef
        Coefficients to start from.
    slope
        The gradient of minus the loss at `coef`.
    known
        Whether a feature's row of `gram` is computed; None if all are.
    fill
        Given the places of features, fills in their rows of `gram` and returns True, or returns False.
    tuning
        Speed numbers; None for the default.
    """

    def __init__(
        self,
        gram: Array,
        coef: Array,
        slope: Array,
        known: NDArray[np.bool_] | None = None,
        fill: Callable[[Index], bool] | None = None,
        tuning: LeastSquaresTuning | None = None,
    ) -> None:
        size = coef.size
        self.tuning = tuning or LeastSquaresTuning()
        self.gram, self.coef, self.slope = np.ascontiguousarray(gram), coef.copy(), slope.copy()
        self.known, self.fill = np.ones(size, dtype=bool) if known is None else known, fill
        self._support, self._factor = np.zeros(size, dtype=np.intp), np.empty((size, size))
        self._size = self._refactor(self.gram)

    def follow(self, unit: ElasticNet, alphas: Array, max_steps: int) -> Stretch:
        """Solve for one alpha after the other; stop at the first for which a row of `gram` is missing.

        Parameters
        ----------
        unit
            The penalty at alpha = 1; its strengths are finite.
        alphas
            Multiples of `unit`, the nearest to the start first.
        max_steps
            Largest number of epochs and steps for each alpha.
        """
        found = Stretch.empty(alphas.size, self.coef.size)
        if not unit.curved:
            return found.part(slice(self._follow(self.gram, unit, alphas, max_steps, self.slope, found)))
        for k in range(alphas.size):
            if not self._follow_ridged(unit.times(alphas[k]), max_steps, found.part(slice(k, k + 1))):
                return found.part(slice(k))
        return found

    def _follow_ridged(self, penalty: ElasticNet, max_steps: int, found: Stretch) -> bool:
        """One solution with ridges on the diagonal, which change with alpha: the factor is computed again."""
        begin, ridged = self.coef.copy(), self.gram.copy()
        _raise(ridged, np.flatnonzero(self.known), penalty.ridge)
        self._size = self._refactor(ridged, penalty)
        solved = self._follow(ridged, penalty, np.ones(1), max_steps, self.slope - penalty.ridge * self.coef, found)
        # Slopes without ridges, from the Gram matrix: adding ``ridge * coef`` back might cancel.
        moved = np.flatnonzero(self.coef != begin)
        self.slope -= (self.coef - begin)[moved] @ self.gram[moved]
        found.slope[0] = self.slope
        return solved > 0

    def _follow(
        self, gram: Array, unit: ElasticNet, alphas: Array, max_steps: int, slope: Array, found: Stretch
    ) -> int:
        """Update `coef` and `slope` in place; returns how many penalties were solved."""
        at, used = 0, 0
        limits = unit.ends if unit.limited else (None, None)
        while at < alphas.size:
            self._size, at, used, is_missing = _gram.follow(
                gram,
                self.known,
                unit.strength,
                unit.positive,
                alphas,
                max_steps,
                steps_at_once(self.coef.size, self.tuning),
                BALANCED,
                self.coef,
                slope,
                self._support,
                self._factor,
                self._size,
                found.coef,
                found.slope,
                found.n_steps,
                found.done,
                at,
                used,
                *limits,
            )
            if is_missing:
                places = self._wanting(unit, alphas[at], slope)
                if self.fill is None or places.size == 0 or not self.fill(places):
                    break
                if gram is not self.gram:
                    gram[places] = self.gram[places]
                    _raise(gram, places, unit.ridge)
        return at

    def _wanting(self, unit: ElasticNet, alpha: float, slope: Array) -> Index:
        """Features without a row that are nearest to their strength."""
        lack = unit.excess(slope) - alpha * unit.strength
        near = np.flatnonzero((lack >= (self.tuning.wanted - 1.0) * alpha * unit.strength) & ~self.known)
        return largest(lack, near, self.tuning.entering)

    def _refactor(self, gram: Array, penalty: ElasticNet | None = None) -> int:
        """Factorise the Gram matrix of the support; returns the size of the factor, 0 if the matrix is singular."""
        inside = self.coef != 0
        if penalty is not None and penalty.limited:
            inside &= (penalty.lower < self.coef) & (self.coef < penalty.upper)
        chosen = np.flatnonzero(inside)
        lower = factored(gram, chosen)
        if lower is None:
            return 0
        self._support[: chosen.size], self._factor[: chosen.size, : chosen.size] = chosen, lower
        return int(chosen.size)


def _raise(gram: Array, places: Index, ridge: Array) -> None:
    """Add the ridges to the diagonal at these places."""
    gram[places, places] += ridge[places]
