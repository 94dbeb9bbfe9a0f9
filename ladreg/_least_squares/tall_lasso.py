"""The lasso on a dense table of many rows: working sets by their Gram matrix, checked by the certificate alone.

The residual of the user's own coefficients is the dual, so that one read of X gives the residual, the slopes of all
features and the proof. Where that does not end in the only optimum, `coordinate_descent` goes on from there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import Proof, prove
from ladreg._design import DenseDesign
from ladreg._least_squares.centred import MOST_EPOCHS, Centred, GradientCheck, without_rounding
from ladreg._least_squares.coordinate_descent import NAME, are_independent, possibly_active, solve_lasso, working_set
from ladreg._least_squares.dependent_columns import redundant
from ladreg._least_squares.descent_state import COUNTS, State
from ladreg._least_squares.gram_descent import descend_in_gram
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._presolve import Scaling, scaled, solve_at_unit_scale
from ladreg._problem import Coefficients, Problem, Settings, Solution, StopReason
from ladreg._tolerances import SQUARES_GAP


def solve_tall_lasso(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve a lasso with many more rows than columns; other problems of a square are solved by `solve_lasso`.

    1. Slopes at zero: the product of X with the centred target.
    2. Exact steps on the Gram matrix of a working set.
    3. The proof of these coefficients. Stop at the tolerance if the Gram matrix shows that the optimum is unique;
       go on with 2. from the slopes of the proof.
    """
    if start is not None or not _applies(problem, settings):
        return solve_at_unit_scale(problem, settings, start, engine=solve_lasso)
    tall = _TallLasso(problem, settings)
    return tall.solution() or solve_at_unit_scale(problem, settings, tall.point, engine=solve_lasso)


def _applies(problem: Problem, settings: Settings) -> bool:
    """Whether the table is dense, tall and near zero, and every feature is penalised by its absolute value alone."""
    penalty, tuning = problem.penalty, settings.tuned(LeastSquaresTuning)
    n, p = problem.n_samples, problem.n_features
    is_tall = n * p >= tuning.tall_numbers and n >= tuning.tall * p
    is_plain = penalty.all_bound and not (penalty.excluded or penalty.limited) and settings.precompute is None
    if not (is_tall and is_plain and isinstance(problem.design, DenseDesign) and problem.facts.all_present):
        return False
    # Of columns far from zero the residual at unit scale is the better dual.
    return not problem.design.extent(problem.fit_intercept)[0].any()


class _TallLasso:
    """A problem, its twin at unit scale, and the last coefficients that were proved."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.tuning = problem, settings.tuned(LeastSquaresTuning)
        self.limit = settings.limit(MOST_EPOCHS)
        twin, self.units = scaled(problem)
        self.columns = columns = Centred(twin)
        self.goal = max(settings.tol, SQUARES_GAP) * columns.size
        # The descent on a Gram matrix needs no residual.
        look = GradientCheck(columns.y, 0.5 * columns.size, columns.slope)
        # A feature more in the Gram matrix costs more than a round, which needs one read for the proof.
        self.state = State(np.zeros(twin.n_features), look, replace(self.tuning, violators_share=1))
        self.point: Coefficients | None = None

    def solution(self) -> Solution | None:
        """The only optimum; None where it is not found, or not proved to be the only one."""
        columns, state, gap = self.columns, self.state, np.inf
        if redundant(columns, state.look.slope) is not None:
            return None
        while state.used < self.limit:
            working = working_set(columns, state, None)
            if working.size > self.tuning.largest_gram:
                return None
            state.largest_working_set = max(state.largest_working_set, working.size)
            proof = self._descend(working)
            if state.exact and state.gap <= self.goal:
                return self._finished(proof)
            if not state.gap < 0.5 * gap:
                return None
            gap = state.gap
        return None

    def _descend(self, working: Index) -> Proof:
        """Steps 2 and 3 on one working set; the state becomes that of the proof."""
        columns, state, spread = self.columns, self.state, self.columns.problem.design.spread
        coef = descend_in_gram(columns, working, state, 0.0, self.limit)
        border = self.problem.fit_intercept
        coef = without_rounding(columns.penalty, coef, spread(border), columns.size)
        self.point = _in_units(self.units, self.problem, coef, columns.intercept(coef))
        proof = prove(self.problem, *self.point, None)
        unit, factor = self.units.unit, self.units.factor
        slope = proof.slope * (proof.shrink * unit / factor) * self.units.column_scale
        loss = (proof.objective - self.problem.penalty.cost(self.point.coef)) / factor
        state.coef, state.look = coef, GradientCheck(columns.y, loss, slope)
        state.n_checks, state.gap, state.shrink = state.n_checks + 1, proof.gap / factor, proof.shrink
        return proof

    def _finished(self, proof: Proof) -> Solution | None:
        """The solution if it is proved to be the only one."""
        active, state, point = possibly_active(self.columns, self.state), self.state, self.point
        if point is None or not (active.size == 0 or are_independent(self.columns, active)):
            return None
        return proof.solution(
            *point,
            unique=True,
            n_iter=max(state.used, 1),
            stopped=StopReason.TOLERANCE,
            solver=NAME,
            stats={name: getattr(state, name) for name in COUNTS},
        )


def _in_units(units: Scaling, problem: Problem, coef: Array, intercept: float) -> Coefficients:
    """Coefficients in the units of the problem."""
    point = units.to_original(np.maximum(coef, 0.0) if problem.penalty.positive else coef, intercept)
    return point if problem.fit_intercept else Coefficients(point.coef, 0.0)
