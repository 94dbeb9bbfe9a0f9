"""The lasso and the elastic net by coordinate descent with soft-thresholding.

Coordinate descent on a working set (Friedman, Hastie and Tibshirani 2010, doi 10.18637/jss.v033.i01) finds the support;
exact steps on the support finish. The stopping rule is a duality gap, never a change of coefficients.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import canonical_optimum, certify, prove
from ladreg._least_squares import qr_steps
from ladreg._least_squares.centred import (
    MOST_EPOCHS,
    Centred,
    duality_gap,
    without_rounding,
)
from ladreg._least_squares.dependent_columns import Redundant, redundant
from ladreg._least_squares.descent_state import COUNTS, State
from ladreg._least_squares.gram_descent import descend_in_gram
from ladreg._least_squares.residual_descent import descend_on_data
from ladreg._least_squares.small_lasso import solve_small_table
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._problem import Coefficients, Problem, Settings, StopReason, Uncertified
from ladreg._tolerances import ASCENT, HALF_DIGITS, ROUNDING_GAP, SQUARES_GAP, SUPPORT_GAP

# A relative tolerance refers to max(objective, 1e-3 * variance of y).
_LEAST_SHARE = 1e-3

# Name of the solver.
NAME = "coordinate descent"


@np.errstate(over="ignore", invalid="ignore")  # inf and NaN prove nothing
def solve_lasso(
    problem: Problem,
    settings: Settings,
    start: Coefficients | None = None,
    *,
    canonical: bool = True,
    relative: bool = False,
    columns: Centred | None = None,
) -> Uncertified:
    """Solve a problem with loss `HalfSquared` at unit scale (see `scaling`).

    Parameters
    ----------
    problem
        Loss `HalfSquared`, any penalty.
    settings
        Stop when the gap is at most ``tol * sum(weight * (y - mean)^2)``, or after `max_iter` (None for 10,000) epochs
        over features and steps on the support. With `precompute` there is one working set, of all features.
    start
        Coefficients to start from.
    canonical
        Whether to do step 4, which for a very large support costs more than the solution.
    relative
        Whether `tol` is relative to the objective instead, or to a thousandth of that sum if that is larger.
    columns
        The problem with the intercept eliminated; None to compute it.

    Notes
    -----
    A small dense table is tried by `small_lasso` first. Otherwise:

    1. Gradient check of all features: residual, slopes, gap. Stop at the tolerance.
    2. Working set: the features that are not zero, and those that violate their optimality condition most.
    3. On the working set, bursts of coordinate descent and exact steps on the support, until the gap of the restricted
       problem is a small fraction of the whole gap; the last steps are exact whatever the tolerance.
    4. Where the optimum is not unique, go to the canonical one.
    """
    if columns is None and start is None and canonical and not relative:
        small = solve_small_table(problem, settings)
        if small is not None:
            return small
    columns = columns or Centred(problem)
    coef = np.zeros(problem.n_features) if start is None else start.coef.copy()
    if problem.penalty.positive:
        coef = np.maximum(coef, 0.0)
    coef[np.isinf(problem.penalty.strength)] = 0.0
    limit = settings.limit(MOST_EPOCHS)
    tuning = settings.tuned(LeastSquaresTuning)
    rounding = SQUARES_GAP * columns.size
    state = State(coef, columns.look(coef), tuning)
    # Slopes at any start tell which columns may be equal: equal columns have equal slopes.
    spare = redundant(columns, state.look.slope, canonical)
    if spare is not None:
        columns = columns.with_penalty(spare.hidden(problem.penalty))
        state.coef = spare.led(coef)
    idle, slow, best, lowest, is_settled = 0, 0, np.inf, np.inf, False
    while True:
        # 1.
        state.n_checks += 1
        state.gap, state.shrink = duality_gap(problem.penalty, state.coef, state.look.slope, state.look.loss)
        value = state.look.loss + problem.penalty.value(state.coef)
        goal = max(settings.tol * (max(value, _LEAST_SHARE * columns.size) if relative else columns.size), rounding)
        met = state.gap <= goal and _balanced(columns, state, goal if is_settled else 0.0)
        if met and (state.exact or state.gap <= rounding):
            stopped = StopReason.TOLERANCE
            break
        slow = 0 if state.gap < 0.5 * best else slow + 1
        idle = 0 if value < lowest - 1e-15 * columns.size or slow == 0 else idle + 1
        best, lowest = min(best, state.gap), min(lowest, value)
        if is_settled or idle >= tuning.patience or state.used >= limit or not np.isfinite(state.gap):
            short = StopReason.ITERATION_LIMIT if state.used >= limit else StopReason.STALLED
            stopped = StopReason.TOLERANCE if met else short
            break
        if _bounds_the_gap(columns, state):
            columns.screen(state.coef, state.look.slope, state.gap, state.shrink)
        if (idle == 1 or slow == tuning.patience) and qr_steps.applies(columns, state.coef):
            is_settled = _settle(columns, state, limit)
            if is_settled:
                continue
        # 2.
        working = working_set(columns, state, settings.precompute)
        state.largest_working_set = max(state.largest_working_set, working.size)
        # 3.
        enough = 0.0 if met or tuning.inner * state.gap <= goal else tuning.inner * state.gap
        if state.by_gram and (working.size <= tuning.largest_gram or settings.precompute):
            coef = descend_in_gram(columns, working, state, enough, limit)
        else:
            coef = descend_on_data(columns, working, state, goal, enough, limit)
        look = columns.look(coef)
        # The Gram matrix of nearly dependent columns may show a descent where the objective grows.
        if state.by_gram and look.loss + problem.penalty.value(coef) > value * (1 + ASCENT) + ASCENT * columns.size:
            state.by_gram, idle, best = False, -1, np.inf
            continue
        state.coef, state.look = coef, look
    return _finished(problem, columns, state, stopped, canonical, spare)


def _settle(columns: Centred, state: State, limit: int) -> bool:
    """Step 3 by a QR decomposition of the support's columns; returns whether all conditions hold up to rounding."""
    coef, look, n_steps = qr_steps.settle(columns, state.coef, limit - state.used)
    state.n_newton += n_steps
    if look is None:
        return False
    # Reject the step if the objective, plus what rounding of unshifted columns may add, grows by more than `ASCENT`.
    design, penalty = columns.problem.design, columns.problem.penalty
    size = float(np.abs(coef) @ (design.reach() + np.abs(design.shift * design.scale)))
    rounding = 0.5 * (float(np.finfo(np.float64).eps) * size) ** 2
    before = state.look.loss + penalty.value(state.coef)
    if look.loss + penalty.value(coef) + rounding > before * (1 + ASCENT) + ASCENT * columns.size:
        return False
    state.coef, state.look, state.exact = coef, look, True
    return True


def _balanced(columns: Centred, state: State, enough: float = 0.0) -> bool:
    """Whether the slopes of free and one-sided features are zero up to rounding, or up to a gap of `enough`.

    The dual must be corrected for these slopes: the gap of the corrected dual decides.
    """
    free = columns.penalty.free() | columns.penalty.one_sided
    if not free.any():
        return True
    problem, coef = columns.problem, state.coef
    proof = prove(problem, coef, columns.intercept(coef), columns.weight * state.look.residual)
    return bool(proof.gap <= max(10 * max(state.gap, SQUARES_GAP * columns.size), enough))


def _bounds_the_gap(columns: Centred, state: State) -> bool:
    """Whether the gap, which leaves out unpenalised features, bounds that of the whole problem."""
    penalty, slope = columns.penalty, state.look.slope
    beyond = np.where(penalty.free(), np.abs(slope), np.maximum(slope, 0.0) * penalty.one_sided)
    if not beyond.any():
        return True
    if not penalty.bounds.any():  # no slope is bounded by a strength: nothing to screen by
        return False
    spread = columns.problem.design.spread(columns.problem.fit_intercept)
    return bool(np.all(beyond <= HALF_DIGITS * np.sqrt(columns.size * spread))) and _balanced(columns, state)


def working_set(columns: Centred, state: State, precompute: bool | None) -> Index:
    """The support with the features of strength 0, and those that violate their condition most or are nearest to it.

    With k features of the first kind, v violators and p features, at most ``max(2 v, 10)`` features are added, up to
    a working set of ``max(4 sqrt(p), 2 k)``.
    """
    penalty, coef, tuning = columns.penalty, state.coef, state.tuning
    n_samples, n_features = columns.problem.n_samples, coef.size
    few = n_features <= tuning.few_features and n_samples <= tuning.few_rows
    everything = few if precompute is None else precompute
    if everything:
        return np.flatnonzero(np.isfinite(penalty.strength)) if penalty.excluded else np.arange(n_features)
    violation = penalty.excess(state.look.slope) - penalty.strength
    violation[columns.hidden] = -np.inf
    inside = (coef != 0) | (penalty.strength == 0)
    violation[inside] = np.inf
    known = int(np.count_nonzero(inside))
    violating = int(np.count_nonzero(violation > 0)) - known
    room = max(int(tuning.working_share * np.sqrt(n_features)), 2 * known)
    room = min(room, known + max(tuning.violators_share * violating, tuning.new_features))
    if room >= n_features:
        return np.flatnonzero(violation > -np.inf)
    least = np.partition(violation, n_features - room)[n_features - room]
    wanted = np.flatnonzero(violation > least)
    if least == -np.inf:
        return wanted
    return np.concatenate([wanted, np.flatnonzero(violation == least)[: room - wanted.size]])


def _finished(
    problem: Problem, columns: Centred, state: State, stopped: StopReason, canonical: bool, spare: Redundant | None
) -> Uncertified:
    """Step 4: the solution that was found, or the canonical optimum of its face."""
    look, spread = state.look, problem.design.spread(problem.fit_intercept)
    coef = state.coef = without_rounding(columns.penalty, state.coef, spread, columns.size)
    dual = columns.weight * look.residual
    intercept = columns.intercept(coef)
    stats = {name: getattr(state, name) for name in COUNTS}
    active = possibly_active(columns, state)
    unique = canonical and (active.size == 0 or are_independent(columns, active))

    def draft(coef: Array, intercept: float, dual: Array, unique: bool, stopped: StopReason = stopped) -> Uncertified:
        return Uncertified(coef, intercept, dual, max(state.used, 1), stopped, NAME, stats, unique)

    if spare is not None:
        several = spare.leave_open(coef != 0)
        if canonical and not unique:
            rest = certify(columns.problem, coef, intercept, dual, n_iter=1, stopped=stopped, solver="")
            unique = rest.unique
        coef = spare.shared(coef)
        intercept = columns.intercept(coef)
        if unique:
            return draft(coef, intercept, dual, not several)
    if unique or not canonical or active.size > state.tuning.largest_face:
        return draft(coef, intercept, dual, unique)
    solution = certify(problem, coef, intercept, dual, n_iter=1, stopped=stopped, solver="")
    squares = float(problem.weight @ problem.y**2)
    rough = solution.gap > SUPPORT_GAP * max(solution.objective, squares * SUPPORT_GAP)
    # If no inequality bounds the slopes of the dual, any dual shows the face, however inexact.
    bound = problem.penalty.strength.any() or problem.penalty.positive
    if solution.unique or (rough and bound):
        return draft(coef, intercept, dual, solution.unique)
    exact = canonical_optimum(problem, solution.dual)
    # Where the data are fitted exactly, gaps are squares of rounding errors.
    rounding = 1e-12 * solution.objective + 1e-26 * squares
    if exact is not None and prove(problem, *exact).gap <= solution.gap + rounding:
        return draft(*exact, False)
    is_proved = stopped.good or solution.relative_gap <= ROUNDING_GAP
    return draft(coef, intercept, dual, False, StopReason.NOT_CANONICAL if is_proved else stopped)


def possibly_active(columns: Centred, state: State) -> Index:
    """The features without ridge that may differ from zero in an optimum."""
    penalty = columns.penalty
    possible = columns.possible(state.look.slope, state.gap, state.shrink) >= penalty.strength * (1 - 1e-9)
    possible[columns.hidden] = False  # zero, as `screen` proved
    return np.flatnonzero(possible & (penalty.ridge == 0))


def are_independent(columns: Centred, features: Index) -> bool:
    """Whether the Gram matrix of features is safely regular; False where rounding leaves a doubt."""
    return features.size <= columns.problem.n_samples and columns.gram.are_independent(features)
