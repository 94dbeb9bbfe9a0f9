"""The lasso and the elastic net by coordinate descent with soft-thresholding.

Coordinate descent on a working set (Friedman, Hastie and Tibshirani 2010, doi 10.18637/jss.v033.i01) finds the support;
exact steps on the support finish. The stopping rule is a duality gap, never a change of coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ladreg._arrays import Array, Index, is_regular
from ladreg._certificate import canonical_optimum, certify, prove
from ladreg._kernels import _gram
from ladreg._least_squares import conjugate_gradients, qr_steps
from ladreg._least_squares.active_set import Support
from ladreg._least_squares.anderson import extrapolated
from ladreg._least_squares.centred import ROUNDING, Centred, GradientCheck, duality_gap, without_rounding
from ladreg._least_squares.dependent_columns import Redundant, redundant
from ladreg._presolve import Uncertified
from ladreg._problem import ElasticNet, Problem, StopReason

# Epochs over the working set between two looks at it.
_BURST = 30
# The same between two iterates of an extrapolation.
_SHORT_BURST = 3
# Working sets have at least so many times the square root of all features: their Gram matrix costs about one pass.
_LEAST_WORKING = 4.0
# So many times the features that violate their condition come in with those nearest to it, and at least so many.
_FILL, _LEAST_NEW = 2, 10
# Up to so many features of up to so many rows are all in the working set.
_SMALL, _SHORT = 100, 10_000
# Looks at a working set before all features are looked at again, and those after which exact steps that do not end go
# in circles: rounding chooses who comes in. Exact steps for each feature between two of them.
_ROUNDS, _CYCLES, _STEPS = 20, 3, 10
# Largest Gram matrix; larger working sets are descended by residuals.
_LARGEST_GRAM = 2000
# A working set is solved to this part of the whole gap.
_INNER = 0.03
# Without exact steps, to this part of the goal at least.
_LAST = 0.3
# When fewer features than this part of the support come in, exact steps alone are faster than epochs first.
_FEW = 0.1
# Iterates that an extrapolation is made of.
_ANDERSON = 5
# Newton steps without a Gram matrix are for supports of which less than this part is new. They leave this part of the
# slopes; where fewer features are new than that, as little as the goal asks for, but not less than the last part: the
# support changes again, and conjugate gradients lose little where they begin anew.
_SETTLED, _ROUGH, _FEW_FRESH, _FINEST = 0.5, 0.1, 0.01, 0.01
# Supports of more than this part of the rows are left to epochs, and so is what so many products do not solve.
_REGULAR, _PRODUCTS = 0.9, 300
# An objective that grows by more than this part, of itself and of the variance of y, is no descent.
_WORSE = 1e-9
# Looks in a row that may bring nothing. After the first of them, or after more that do not halve the gap, the support
# is decomposed once.
_PATIENCE, _SLOW = 3, 3
# Slopes of features that cost nothing, below this part of the largest there could be, are worth a proof.
_NEAR = 1e-8
# Gaps are relative to objectives of at least this part of mean(y^2).
_LEAST_SHARE = 1e-3
# Largest number of features for which the optimal face is decomposed, in time of its cube: with more, an optimum that
# the Gram matrix does not prove to be unique is left as it is.
_LARGEST_FACE = 1500
# Above this relative gap the dual is not exact enough to tell the optimal face.
_FACE_GAP = 1e-10

# What the solver is called, and what it counts.
NAME, COUNTS = "coordinate descent", ("n_epochs", "n_checks", "n_newton", "largest_working_set")


@dataclass
class _State:
    """Where the solver is: coefficients, the last look at all features, and what was counted."""

    coef: Array
    look: GradientCheck
    gap: float = np.inf
    shrink: float = 1.0
    support: Support = field(default_factory=Support)
    # Whether the last steps were exact, or exact ones are out of reach.
    exact: bool = False
    # Whether the Gram matrix is to be trusted, and whether the last step without one descended.
    by_gram: bool = True
    newton_helps: bool = True
    n_epochs: int = 0
    n_checks: int = 0
    n_newton: int = 0
    largest_working_set: int = 0

    @property
    def used(self) -> int:
        """Epochs and steps, which count alike against the limit."""
        return self.n_epochs + self.n_newton


@np.errstate(over="ignore", invalid="ignore")  # what is no number proves nothing
def solve_lasso(
    problem: Problem,
    *,
    start: tuple[Array, float] | None = None,
    tol: float = 1e-10,
    max_iter: int | None = None,
    precompute: bool | None = None,
    canonical: bool = True,
    relative: bool = False,
    largest_gram: int | None = None,
    columns: Centred | None = None,
) -> Uncertified:
    """Solve a problem with loss `HalfSquared` at unit scale (see `scaling`).

    Parameters
    ----------
    problem
        Loss `HalfSquared`, any penalty.
    start
        Coefficients to start from.
    tol
        Stop when the gap is at most ``tol * sum(weight * (y - mean)^2)``.
    max_iter
        Largest number of epochs over features and of steps on the support.
    precompute
        True for the Gram matrix of all features, False for a working set that grows; None to choose.
    canonical
        Without it step 4 is left out, which costs more than the solution where the support is very large.
    relative
        Whether `tol` is a part of the objective instead, or of a thousandth of that sum where it is smaller.
    largest_gram
        The largest working set that is solved by its Gram matrix, to the last digit; None for the default.
    columns
        The problem with the intercept eliminated, where that is known.

    Notes
    -----
    1. GradientCheck at all features: residual, slopes, gap. Stop at the tolerance.
    2. Working set: the features that are not zero, and those that violate their optimality condition most.
    3. On it, bursts of coordinate descent and exact steps on the support, until the gap of the restricted problem is a
       small part of the whole one's; the last steps are exact whatever the tolerance.
    4. Where the optimum is not unique, go to the canonical one.
    """
    columns = columns or Centred(problem)
    coef = np.zeros(problem.n_features) if start is None else start[0].copy()
    if problem.penalty.positive:
        coef = np.maximum(coef, 0.0)
    coef[np.isinf(problem.penalty.strength)] = 0.0
    limit = 10_000 if max_iter is None else max_iter
    largest_gram = _LARGEST_GRAM if largest_gram is None else largest_gram
    rounding = ROUNDING * columns.size
    state = _State(coef, columns.look(coef))
    # Equal columns have equal slopes, wherever the start is.
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
        goal = max(tol * (max(value, _LEAST_SHARE * columns.size) if relative else columns.size), rounding)
        met = state.gap <= goal and _balanced(columns, state, goal if is_settled else 0.0)
        if met and (state.exact or state.gap <= rounding):
            stopped = StopReason.TOLERANCE
            break
        slow = 0 if state.gap < 0.5 * best else slow + 1
        idle = 0 if value < lowest - 1e-15 * columns.size or slow == 0 else idle + 1
        best, lowest = min(best, state.gap), min(lowest, value)
        if is_settled or idle >= _PATIENCE or state.used >= limit or not np.isfinite(state.gap):
            short = StopReason.ITERATION_LIMIT if state.used >= limit else StopReason.STALLED
            stopped = StopReason.TOLERANCE if met else short
            break
        if _bounds_the_gap(columns, state):
            columns.screen(state.coef, state.look.slope, state.gap, state.shrink)
        if (idle == 1 or slow == _SLOW) and qr_steps.applies(columns, state.coef):
            is_settled = _settle(columns, state, limit)
            if is_settled:
                continue
        # 2.
        working = _working_set(columns, state, precompute)
        state.largest_working_set = max(state.largest_working_set, working.size)
        # 3.
        enough = 0.0 if met or _INNER * state.gap <= goal else _INNER * state.gap
        if state.by_gram and (working.size <= largest_gram or precompute):
            coef = _descend(columns, working, state, enough, limit)
        else:
            coef = _descend_without_gram(columns, working, state, goal, max(enough, _LAST * goal), limit)
        look = columns.look(coef)
        # The Gram matrix of columns that are all but dependent may see a descent where there is none.
        if state.by_gram and look.loss + problem.penalty.value(coef) > value * (1 + _WORSE) + _WORSE * columns.size:
            state.by_gram, idle, best = False, -1, np.inf
            continue
        state.coef, state.look = coef, look
    return _finished(problem, columns, state, stopped, canonical, spare)


def _settle(columns: Centred, state: _State, limit: int) -> bool:
    """Step 3 by a decomposition of the support's columns; whether all conditions hold now up to rounding."""
    coef, look, n_steps = qr_steps.settle(columns, state.coef, limit - state.used)
    state.n_newton += n_steps
    if look is None:
        return False
    # What only the last digits of columns ask for costs more, rounded in the user's numbers, than it gains.
    design, penalty = columns.problem.design, columns.problem.penalty
    size = float(np.abs(coef) @ (design.reach() + np.abs(design.shift * design.scale)))
    rounding = 0.5 * (float(np.finfo(np.float64).eps) * size) ** 2
    before = state.look.loss + penalty.value(state.coef)
    if look.loss + penalty.value(coef) + rounding > before * (1 + _WORSE) + _WORSE * columns.size:
        return False
    state.coef, state.look, state.exact = coef, look, True
    return True


def _balanced(columns: Centred, state: _State, enough: float = 0.0) -> bool:
    """Whether the slopes of free features, for which the dual must be corrected, are zero up to rounding.

    Or up to what a proof with a gap of `enough` needs.
    """
    free = columns.penalty.free() | columns.penalty.one_sided
    if not free.any():
        return True
    problem, coef = columns.problem, state.coef
    proof = prove(problem, coef, columns.intercept(coef), columns.weight * state.look.residual)
    return bool(proof.gap <= max(10 * max(state.gap, ROUNDING * columns.size), enough))


def _bounds_the_gap(columns: Centred, state: _State) -> bool:
    """Whether the gap, which knows nothing of features that cost nothing, bounds that of the whole problem."""
    penalty, slope = columns.penalty, state.look.slope
    beyond = np.where(penalty.free(), np.abs(slope), np.maximum(slope, 0.0) * penalty.one_sided)
    if not beyond.any():
        return True
    if not penalty.bounds.any():  # nothing would be left out
        return False
    spread = columns.problem.design.spread(columns.problem.fit_intercept)
    return bool(np.all(beyond <= _NEAR * np.sqrt(columns.size * spread))) and _balanced(columns, state)


def _working_set(columns: Centred, state: _State, precompute: bool | None) -> Index:
    """The support, and the features that violate their condition most or are nearest to it.

    At most as many come in as there are, and twice as many as violate their condition.
    """
    penalty, coef = columns.penalty, state.coef
    n_samples, n_features = columns.problem.n_samples, coef.size
    everything = precompute if precompute is not None else n_features <= _SMALL and n_samples <= _SHORT
    if everything:
        return np.flatnonzero(np.isfinite(penalty.strength)) if penalty.excluded else np.arange(n_features)
    violation = penalty.excess(state.look.slope) - penalty.strength
    violation[columns.hidden] = -np.inf
    inside = (coef != 0) | (penalty.strength == 0)
    violation[inside] = np.inf
    known = int(np.count_nonzero(inside))
    violating = int(np.count_nonzero(violation > 0)) - known
    room = max(int(_LEAST_WORKING * np.sqrt(n_features)), 2 * known)
    room = min(room, known + max(_FILL * violating, _LEAST_NEW))
    if room >= n_features:
        return np.flatnonzero(violation > -np.inf)
    least = np.partition(violation, n_features - room)[n_features - room]
    wanted = np.flatnonzero(violation > least)
    if least == -np.inf:
        return wanted
    return np.concatenate([wanted, np.flatnonzero(violation == least)[: room - wanted.size]])


def _descend(columns: Centred, working: Index, state: _State, goal: float, limit: int) -> Array:
    """Step 3 on the Gram matrix of the working set: no pass over rows until its gap is at most `goal`.

    A goal of zero asks for exact steps, which cost a factorisation; with another one bursts may be enough.
    """
    state.exact = False
    working = columns.gram.work_on(working)
    restricted = _Restricted.of(columns, working, state)
    here, slope = restricted.begin.copy(), restricted.begin_slope.copy()
    penalty, gram = restricted.penalty, restricted.gram
    # The gap says nothing of features that cost nothing: their slopes must be zero.
    free = bool((penalty.strength == 0).any())
    known = int(np.count_nonzero(here))
    fresh = known == 0 or working.size - known > _FEW * known
    for number in range(_ROUNDS):
        n_epochs = min(_BURST, limit - state.used)
        if n_epochs > 0 and (fresh or number > 0):
            state.n_epochs += _gram.gram_burst(gram, penalty.strength, penalty.positive, n_epochs, here, slope)
        left = limit - state.used
        if left <= 0 or (not free and restricted.gap(here, slope) <= goal):
            break
        before, value = here.copy(), restricted.value(here, slope)
        left = min(left, _STEPS * (working.size + 1))
        n_steps, done = state.support.settle(working, gram, penalty, here, slope, left)
        state.n_newton += n_steps
        slope = restricted.slope(here)
        if restricted.value(here, slope) > value + 1e-14 * (value + restricted.begin_loss):
            here, slope, done = before, restricted.slope(before), False
        state.exact = done
        if done or number >= _CYCLES or (not free and restricted.gap(here, slope) <= goal):
            break
    coef = state.coef.copy()
    coef[working] = here
    return coef


def _descend_without_gram(
    columns: Centred, working: Index, state: _State, goal: float, enough: float, limit: int
) -> Array:
    """Step 3 for working sets whose Gram matrix would be too large: Newton steps where the support is all but known."""
    if not (state.by_gram and state.newton_helps):
        return _descend_by_residuals(columns, working, state, enough, limit)
    features = conjugate_gradients.active(columns, state.coef, state.look.slope)
    known = int(np.count_nonzero(state.coef))
    fresh = features.size - known
    # Beyond the rank the signs contradict each other.
    settled = fresh <= _SETTLED * known and features.size <= _REGULAR * np.count_nonzero(columns.weight)
    if settled:
        rough = fresh > _FEW_FRESH * known or state.gap <= goal
        share = _ROUGH if rough else min(max(_LAST * goal / state.gap, _FINEST), _ROUGH)
        most = min(limit - state.used, _PRODUCTS)
        coef, n_products = conjugate_gradients.newton_step(columns, state.coef, state.look, features, share, most)
        state.n_epochs += n_products
        state.n_newton += 1
        state.newton_helps = coef is not None
        if coef is not None:
            state.exact = True
            return coef
    return _descend_by_residuals(columns, working, state, enough, limit)


def _descend_by_residuals(columns: Centred, working: Index, state: _State, goal: float, limit: int) -> Array:
    """Step 3 for working sets whose Gram matrix would be too large: bursts, extrapolated (Anderson)."""
    state.exact = True
    coef, penalty = state.coef.copy(), columns.penalty.at(working)
    residual = state.look.residual.copy()
    weight = columns.weight
    iterates = [coef[working]]
    lowest, kept = state.look.loss + columns.penalty.value(coef), coef.copy()
    for _ in range(_ROUNDS):
        for _ in range(_ANDERSON):
            n_epochs = min(_SHORT_BURST, limit - state.used)
            if n_epochs <= 0:
                break
            columns.burst(working, n_epochs, coef, residual)
            state.n_epochs += n_epochs
            iterates.append(coef[working])
        # The residual from the data: a burst's own drifts by rounding.
        residual = columns.residual(coef)
        here = 0.5 * float(weight @ residual**2) + penalty.value(coef[working])
        # Where one row has nearly all of the weight, slopes of sparse columns are rounding, and descent is none.
        if not here <= lowest + 1e-9 * columns.size:
            return kept
        bold = extrapolated(iterates[-_ANDERSON - 1 :], penalty)
        if bold is not None:
            leap = coef.copy()
            leap[working] = bold
            after = columns.residual(leap)
            there = 0.5 * float(weight @ after**2) + penalty.value(bold)
            if there < here:
                coef, residual, here = leap, after, there
                iterates = [bold]
        lowest, kept = here, coef.copy()
        dual = weight * residual
        gap = duality_gap(
            penalty, coef[working], columns.design.rmatvec_of(working, dual), 0.5 * float(dual @ residual)
        )[0]
        if gap <= goal or state.used >= limit:
            break
    return coef


@dataclass(frozen=True)
class _Restricted:
    """The problem in a few features: everything follows from their Gram matrix and what is known at one place.

    Ridges are on the diagonal of `gram`: they belong to the smooth part here, and `penalty` has the strengths alone.
    """

    gram: Array
    full: ElasticNet
    penalty: ElasticNet
    begin: Array
    begin_slope: Array
    begin_loss: float

    @classmethod
    def of(cls, columns: Centred, working: Index, state: _State) -> _Restricted:
        full = columns.penalty.at(working)
        begin, slope, loss = state.coef[working], state.look.slope[working], state.look.loss
        gram = columns.gram.matrix
        if full.curved:
            loss += 0.5 * float(full.ridge @ begin**2)
            slope = slope - full.ridge * begin
            gram = gram + np.diag(full.ridge)
        return cls(gram, full, ElasticNet(full.strength, full.positive), begin, slope, loss)

    def slope(self, coef: Array) -> Array:
        """The gradient of minus the smooth part."""
        return self.begin_slope - self.gram @ (coef - self.begin)

    def _smooth(self, coef: Array, slope: Array) -> float:
        return max(self.begin_loss - 0.5 * float((coef - self.begin) @ (self.begin_slope + slope)), 0.0)

    def value(self, coef: Array, slope: Array) -> float:
        """The objective, where the slopes are `slope`."""
        return self._smooth(coef, slope) + self.penalty.value(coef)

    def gap(self, coef: Array, slope: Array) -> float:
        """Duality gap of the problem in these features."""
        loss = self._smooth(coef, slope)
        if self.full.curved:
            loss = max(loss - 0.5 * float(self.full.ridge @ coef**2), 0.0)
            slope = slope + self.full.ridge * coef
        return duality_gap(self.full, coef, slope, loss)[0]


def _finished(
    problem: Problem, columns: Centred, state: _State, stopped: StopReason, canonical: bool, spare: Redundant | None
) -> Uncertified:
    """Step 4: what was found, or the canonical optimum on its face."""
    look, spread = state.look, problem.design.spread(problem.fit_intercept)
    coef = state.coef = without_rounding(columns.penalty, state.coef, spread, columns.size)
    dual = columns.weight * look.residual
    intercept = columns.intercept(coef)
    stats = {name: getattr(state, name) for name in COUNTS}
    active = _possibly_active(columns, state)
    unique = canonical and (active.size == 0 or _are_independent(columns, active))

    def draft(coef: Array, intercept: float, dual: Array, unique: bool) -> Uncertified:
        return Uncertified(coef, intercept, dual, max(state.used, 1), stopped, NAME, stats, unique)

    if spare is not None:
        several = spare.leave_open(coef != 0)
        coef = spare.shared(coef)
        intercept = columns.intercept(coef)
        if unique:
            return draft(coef, intercept, dual, not several)
    if unique or not canonical or active.size > _LARGEST_FACE:
        return draft(coef, intercept, dual, unique)
    solution = certify(problem, coef, intercept, dual, n_iter=1, stopped=stopped, solver="")
    squares = float(problem.weight @ problem.y**2)
    rough = solution.gap > _FACE_GAP * max(solution.objective, squares * _FACE_GAP)
    # Without any constraint on the dual's slopes the face is known, however rough the dual.
    bound = problem.penalty.strength.any() or problem.penalty.positive
    if solution.unique or (rough and bound):
        return draft(coef, intercept, dual, solution.unique)
    exact = canonical_optimum(problem, solution.dual)
    if exact is None:
        return draft(coef, intercept, dual, False)
    gap = prove(problem, *exact).gap
    # Where the data are fitted exactly, gaps are squares of rounding errors.
    rounding = 1e-12 * solution.objective + 1e-26 * squares
    return draft(*exact, False) if gap <= solution.gap + rounding else draft(coef, intercept, dual, False)


def _possibly_active(columns: Centred, state: _State) -> Index:
    """The features without ridge that may differ from zero in an optimum."""
    penalty = columns.penalty
    possible = columns.possible(state.look.slope, state.gap, state.shrink) >= penalty.strength * (1 - 1e-9)
    possible[columns.hidden] = False  # zero, as `screen` proved
    return np.flatnonzero(possible & (penalty.ridge == 0))


def _are_independent(columns: Centred, features: Index) -> bool:
    """Whether the Gram matrix of features is safely regular; False where that is not clear."""
    return features.size <= columns.problem.n_samples and is_regular(columns.gram.of(features))
