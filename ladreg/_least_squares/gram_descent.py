"""Coordinate descent and exact steps on the Gram matrix of a working set, without a pass over rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._kernels import _gram
from ladreg._least_squares.centred import Centred, duality_gap
from ladreg._least_squares.descent_state import State
from ladreg._problem import ElasticNet


def descend_in_gram(columns: Centred, working: Index, state: State, goal: float, limit: int) -> Array:
    """Step 3 on the Gram matrix of the working set, without a pass over rows, until its gap is at most `goal`.

    A goal of zero requires exact steps, which cost a factorisation; for a larger goal bursts may be enough.
    """
    state.exact = False
    working = columns.gram.work_on(working)
    restricted = Restricted.of(columns, working, state)
    here, slope = restricted.begin.copy(), restricted.begin_slope.copy()
    penalty, gram, tuning = restricted.penalty, restricted.gram, state.tuning
    # The gap leaves out features of strength 0, whose slopes must be zero: with any of these it ends no round.
    free = bool((penalty.strength == 0).any())
    known = int(np.count_nonzero(here))
    fresh = known == 0 or working.size - known > tuning.fresh * known
    for number in range(tuning.rounds):
        n_epochs = min(tuning.epochs, limit - state.used)
        if n_epochs > 0 and (fresh or number > 0):
            state.n_epochs += _gram.gram_burst(gram, penalty.strength, penalty.positive, n_epochs, here, slope)
        left = limit - state.used
        if left <= 0 or (not free and restricted.gap(here, slope) <= goal):
            break
        before, value = here.copy(), restricted.value(here, slope)
        left = min(left, tuning.steps * (working.size + 1))
        n_steps, done = state.support.settle(working, gram, penalty, here, slope, left)
        state.n_newton += n_steps
        slope = restricted.slope(here)
        if restricted.value(here, slope) > value + 1e-14 * (value + restricted.begin_loss):
            here, slope, done = before, restricted.slope(before), False
        state.exact = done
        if done or number >= tuning.patience or (not free and restricted.gap(here, slope) <= goal):
            break
    coef = state.coef.copy()
    coef[working] = here
    return coef


@dataclass(frozen=True)
class Restricted:
    """The problem in a working set, by its Gram matrix and the coefficients, slopes and loss at one point.

    Ridges are on the diagonal of `gram`, as a term of the smooth function; `penalty` has the strengths alone.
    """

    gram: Array
    full: ElasticNet
    penalty: ElasticNet
    begin: Array
    begin_slope: Array
    begin_loss: float

    @classmethod
    def of(cls, columns: Centred, working: Index, state: State) -> Restricted:
        full = columns.penalty.at(working)
        begin, slope, loss = state.coef[working], state.look.slope[working], state.look.loss
        gram = columns.gram.matrix
        if full.curved:
            loss += 0.5 * float(full.ridge @ begin**2)
            slope = slope - full.ridge * begin
            gram = gram + np.diag(full.ridge)
        return cls(gram, full, ElasticNet(full.strength, full.positive), begin, slope, loss)

    def slope(self, coef: Array) -> Array:
        """The gradient of minus the smooth function."""
        return self.begin_slope - self.gram @ (coef - self.begin)

    def _smooth(self, coef: Array, slope: Array) -> float:
        return max(self.begin_loss - 0.5 * float((coef - self.begin) @ (self.begin_slope + slope)), 0.0)

    def value(self, coef: Array, slope: Array) -> float:
        """The objective at `coef`, whose slopes are `slope`."""
        return self._smooth(coef, slope) + self.penalty.value(coef)

    def gap(self, coef: Array, slope: Array) -> float:
        """Duality gap of the problem in these features."""
        loss = self._smooth(coef, slope)
        if self.full.curved:
            loss = max(loss - 0.5 * float(self.full.ridge @ coef**2), 0.0)
            slope = slope + self.full.ridge * coef
        return duality_gap(self.full, coef, slope, loss)[0]
