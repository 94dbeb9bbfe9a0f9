"""A lasso in Gram form whose penalty changes: every solution starts from the last one and the factor of its support.

With the signs fixed the solution is linear in the penalty (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389), so that the first exact step from one solution predicts the next.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg.lapack
from numpy.typing import NDArray

from ladreg._face import is_regular
from ladreg._kernels import _gram
from ladreg._penalties import ElasticNet

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Epochs that settle most signs where many features come in at once: so many, and this part of the support.
_BURST, _MANY, _SHARE = 30, 10, 0.25
# Changes of the support after which its factor is computed again.
_CHANGES = 30
# A violation below this part of a strength is rounding.
_ROUNDING = 1e-14
# Work of one call of the kernel in multiplications: between two calls Ctrl-C is heard.
_WORK = 2e8
# A smallest eigenvalue, by an estimate, from which the support is regular without a doubt, as `is_regular` would find.
_REGULAR = 1e-8


class Trail:
    """Where the walk is: `coef`, and `slope`, the gradient of minus the loss there.

    Parameters
    ----------
    gram
        Gram matrix of shape (q, q), without ridges.
    coef
        Coefficients to start from.
    slope
        The gradient of minus the loss at `coef`.
    """

    def __init__(self, gram: Array, coef: Array, slope: Array) -> None:
        size = coef.size
        self.gram, self.coef, self.slope = np.ascontiguousarray(gram), coef.copy(), slope.copy()
        self._ridged = self.gram
        self._support, self._factor = np.zeros(size, dtype=np.intp), np.zeros((size, size))
        self._size = 0
        self._ridge = np.zeros(size)
        self._refactor()

    @property
    def support(self) -> Index:
        """The features that may be different from zero, in the order of the factor."""
        return self._support[: self._size]

    def follow(self, penalty: ElasticNet, max_steps: int) -> tuple[int, bool]:
        """Go to the solution for `penalty`; its strengths are finite.

        Returns
        -------
        n_steps, done
            Epochs and exact steps, and whether all conditions hold up to rounding.

        Notes
        -----
        1. Ridges join the diagonal; where they changed, the factor is computed again.
        2. Where many features come in at once, epochs of coordinate descent settle most of the signs.
        3. Exact steps on the support.
        4. The slopes from the Gram matrix, so that rounding does not add up along the way.
        """
        begin, begin_slope = self.coef.copy(), self.slope.copy()
        # 1.
        slope = self.slope - penalty.ridge * self.coef
        if not np.array_equal(penalty.ridge, self._ridge):
            self._ridge = penalty.ridge
            self._ridged = self.gram + np.diag(penalty.ridge) if penalty.curved else self.gram
            self._refactor()
        tolerance = _ROUNDING * max(float(penalty.strength.max(initial=0.0)), float(np.abs(slope).max(initial=0.0)))
        # 2.
        n_steps = 0
        entering = np.count_nonzero((penalty.excess(slope) > penalty.strength + tolerance) & (self.coef == 0))
        if entering > max(_MANY, _SHARE * self._size):
            n_steps += self._burst(penalty, slope, min(_BURST, max_steps))
        # 3.
        done = False
        at_once = max(10, int(_WORK / max(self.coef.size, 1) ** 2))
        while not done and n_steps < max_steps:
            limit = min(at_once, max_steps - n_steps)
            self._size, steps = _gram.settle(
                self._ridged,
                penalty.strength,
                penalty.positive,
                limit,
                tolerance,
                self.coef,
                slope,
                self._support,
                self._factor,
                self._size,
            )
            n_steps += steps
            done = steps < limit
        # 4.
        if not np.isfinite(self.coef).all():
            self.coef, self._size = begin.copy(), 0
            return n_steps, False
        moved = np.flatnonzero(self.coef != begin)
        if 4 * moved.size > self.coef.size:
            self.slope = begin_slope - self.gram @ (self.coef - begin)
        else:
            self.slope = begin_slope - (self.coef - begin)[moved] @ self.gram[moved]
        return n_steps, done

    def is_regular(self) -> bool:
        """Whether the Gram matrix of the support, ridges included, is safely regular."""
        size = self._size
        if size == 0:
            return True
        lower = self._factor[:size, :size]
        diagonal = self._ridged.ravel()[:: self.coef.size + 1][self.support]
        # Columns of length one, so that units do not count; the triangle of LAPACK's transpose is the upper one.
        unit = lower / np.sqrt(diagonal)[:, None]
        norm = float(np.abs(unit).sum(axis=0).max() * np.abs(unit).sum(axis=1).max())
        reciprocal, _ = scipy.linalg.lapack.dpocon(unit.T, norm, uplo="U")
        if reciprocal * norm > _REGULAR * size:
            return True
        return is_regular(self._ridged[np.ix_(self.support, self.support)])

    def _burst(self, penalty: ElasticNet, slope: Array, n_epochs: int) -> int:
        before = self.coef != 0
        done = _gram.gram_burst(self._ridged, penalty.strength, penalty.positive, n_epochs, self.coef, slope)
        if np.count_nonzero(before != (self.coef != 0)) > _CHANGES:
            self._refactor()
        return done

    def _refactor(self) -> None:
        """The factor of the present support; nothing is known where that is not regular."""
        chosen = np.flatnonzero(self.coef)
        self._size = 0
        if chosen.size == 0:
            return
        try:
            lower = np.linalg.cholesky(self._ridged[np.ix_(chosen, chosen)])
        except np.linalg.LinAlgError:
            return
        diagonal = self._ridged.ravel()[:: self.coef.size + 1][chosen]
        if not np.min(np.diag(lower) ** 2 / diagonal) > 1e-10:  # nor is NaN
            return
        self._size = chosen.size
        self._support[: chosen.size], self._factor[: chosen.size, : chosen.size] = chosen, lower
