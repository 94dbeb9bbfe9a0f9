"""Exact steps on the support of a lasso problem, from its Gram matrix and a Cholesky factor kept between calls.

With the signs fixed the problem is a linear system in the coefficients that are not zero (Osborne, Presnell and Turlach
2000, doi 10.1093/imanum/20.3.389). The steps themselves are in the kernel `settle`.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._kernels import _gram
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._problem import ElasticNet
from ladreg._tolerances import BALANCED, PIVOT


class Support:
    """The features in the support, and the Cholesky factor of their Gram matrix."""

    def __init__(self, tuning: LeastSquaresTuning | None = None) -> None:
        self.tuning = tuning or LeastSquaresTuning()
        self.features = np.zeros(0, dtype=np.intp)
        self.factor = np.zeros((0, 0))

    def settle(
        self, working: Index, gram: Array, penalty: ElasticNet, coef: Array, slope: Array, max_steps: int
    ) -> tuple[int, bool]:
        """Minimise over the features `working`, whose coefficients and slopes are updated in place.

        Parameters
        ----------
        working
            Numbers of the features.
        gram
            Their Gram matrix.
        penalty
            Strengths of these features; their ridges are in `gram`.
        coef, slope
            Coefficients, and the gradient of minus the smooth part of the objective at them.
        max_steps
            Largest number of steps.

        Returns
        -------
        n_steps, done
            Steps, and whether all conditions hold up to rounding.
        """
        size = working.size
        support, factor = np.zeros(size, dtype=np.intp), np.zeros((size, size))
        known = self._known(working, gram, coef, support, factor)
        tolerance = BALANCED * float(np.abs(slope).max(initial=0.0))
        at_once = min(max_steps, steps_at_once(size, self.tuning))
        limits = penalty.ends if penalty.limited else ()
        known, n_steps = _gram.settle(
            gram, penalty.strength, penalty.positive, at_once, tolerance, coef, slope, support, factor, known, *limits
        )
        self.features, self.factor = working[support[:known]], factor[:known, :known]
        return n_steps, n_steps < at_once

    def _known(self, working: Index, gram: Array, coef: Array, support: Index, factor: Array) -> int:
        """Write the support and its factor into the kernel's arrays; returns their size, 0 where no factor is known."""
        if self.features.size:
            place = np.full(1 + max(working.max(initial=0), self.features.max(initial=0)), -1, dtype=np.intp)
            place[working] = np.arange(working.size)
            at = place[self.features]
            if at.min() >= 0 and np.count_nonzero(coef[at]) >= at.size - self.tuning.downdates:
                support[: at.size], factor[: at.size, : at.size] = at, self.factor
                return int(at.size)
        at = coef.nonzero()[0]
        lower = factored(gram, at)
        if lower is None:
            return 0
        support[: at.size], factor[: at.size, : at.size] = at, lower
        return int(at.size)


def factored(gram: Array, chosen: Index) -> Array | None:
    """The Cholesky factor of the Gram matrix of the chosen features, None where that is not safely regular."""
    part = gram[chosen[:, None], chosen]
    try:
        lower = np.asarray(np.linalg.cholesky(part), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    left = lower.diagonal() ** 2 / part.diagonal()
    return lower if left.min(initial=1.0) > PIVOT else None  # None for NaN too


def steps_at_once(size: int, tuning: LeastSquaresTuning) -> int:
    """Largest number of steps of one kernel call on `size` features."""
    return max(10, int(tuning.work / max(size, 1) ** 2))
