"""Exact fits of absolute and quantile losses to rows in blocks, in four passes where nothing is out of the ordinary."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array
from ladreg._from_blocks.centre import centred
from ladreg._from_blocks.far_targets import FarTargets
from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.null_fit import largest_alpha_by_slopes, side_taken
from ladreg._from_blocks.piecewise_tasks import Near, check, compare
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.reduced_rows import Candidate, checked, constant, gathered, judge
from ladreg._from_blocks.refinement import refined, shortened
from ladreg._from_blocks.sample_problem import SampleProblem, Start
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._from_blocks.tied_dual import prove_ties
from ladreg._problem import Coefficients, Settings, Solution, StopReason
from ladreg._row_blocks import Summary
from ladreg._solvers import largest_alpha, solve
from ladreg._tolerances import EXACT_FIT, HALF_DIGITS, PINNED, PROVED_GAP

# Where the answer of the gathered rows is not proved, four times as many are tried, after another step; three times.
_WIDER, _ATTEMPTS, _PILOT = 4, 4, 2
# The null fit is that with twice the alpha that no slope of a penalised feature can exceed.
_ABOVE = 2.0
# A point is moved from rows that it fits exactly by at most 1e-6 of the size of y: other rows are farther away.
_NUDGE = 1e-6
# Rounds of adding rows held on the wrong side: more were never needed where the rows in doubt fit into memory at all.
_ROUNDS = 8


def solve_piecewise_blocks(
    question: Question,
    settings: Settings,
    seen: Survey,
    n_held: int,
    start: Start | None = None,
    is_first: bool = False,
) -> Generator[Request, Summary, Solution]:
    """Solve a problem with a piecewise linear loss over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Absolute` or `Pinball`; any penalty.
    settings
        As for data in memory.
    seen
        The survey of the same rows.
    n_held
        Rows of the sample; half as many may be gathered.
    start
        The fit of the sample, if it is known.
    is_first
        Whether another fit with more rows follows where this one is not proved: two attempts are enough then.

    Notes
    -----
    1. Solve the sample. Where it is all rows, this is the solution.
    2. Newton steps on all rows, until the rows whose side is in doubt fit into memory.
    3. Gather these rows. All others are summed up by sides: the rows above the fit become one row, their mean, with
       the sum of their weights, and so do those below. Solve that problem exactly, as any problem in memory.
       Where they are too many, they are solved as means of groups of them, drawn by their numbers: rows that are
       fitted exactly have a mean that is.
    4. Check all rows. The loss of a mean is at most the mean of the losses, so that the lower bound that is proved
       for the problem of step 3 is one for all rows, whatever their sides; and if no row is on another side than it was
       held on, both have the same objective. Rows on another side are gathered as well, and step 3 is done again.

    In steps 2 to 4 gross outliers in y are near the fit, on their side of it (`FarTargets`): their loss is linear,
    and its size would round away what is known of the other rows. Where the fit comes to one of them, all are put back.
    """
    if seen.is_complete:
        return solve(question.of(seen.sample), settings)
    state = begun(question, settings, seen, n_held, start)
    state.follows = start is not None
    yield from _descended(state, _PILOT if is_first else _ATTEMPTS)
    return (yield from _answer(state, is_last=not is_first))


def _descended(state: FitState, n_attempts: int = _ATTEMPTS) -> Generator[Request, Summary, None]:
    """Steps 2 to 4."""
    if state.follows:
        yield from split(state)
    for attempt in range(n_attempts):
        if not (state.has_means or (state.is_split and attempt == 0)):
            yield from refined(state)
        found = yield from gathered(state)
        is_first = state.has_means and state.refined_point is None
        last = yield from checked(state, *found, n_rounds=1 if is_first else _ROUNDS)
        if is_first and not (state.is_proved or state.has_crossed):
            by_means = state.best, state.best_point
            yield from _judged_last(state)
            lean = yield from prove_ties(state)
            if not state.is_proved and state.best is not None and _breaks_ties(state, state.best.coefficients, lean):
                continue
            if not state.is_proved:  # means of rows near the best point of these may lead on
                state.best, state.best_point = by_means
        if state.is_proved:
            if not (state.has_means or state.wants_ties) and state.refined_point is None:
                yield from centred(state, last)
            break
        is_shorter = False
        if state.has_crossed:
            # The fit follows targets that are far from all others: from now on they are where they are.
            state.restore_far_targets()
            state.failed = True
            state.stats["n_failed"] += 1
            continue
        if state.has_means:
            # Rows that are fitted exactly at the best point so far have means that are: groups of others have not.
            state.refined_point = state.point if state.refined_point is None else state.refined_point
            state.point = state.best_point
        elif state.tried.size:
            is_shorter = yield from shortened(state, state.tried - state.point)
            if state.value * state.units.unit <= state.bound * (1.0 + PROVED_GAP):
                yield from _judged_last(state)
                break
        state.failed, state.size = not is_shorter, _WIDER * state.size
        state.stats["n_failed"] += 1


def split(state: FitState) -> Generator[Request, Summary, None]:
    """Take rows that are fitted exactly without features to their sides, where they are more than may be gathered."""
    if state.wants_ties:
        return
    residual = state.residual()
    share = float(np.mean(np.abs(residual) <= PINNED))
    if share * state.seen.n_rows <= state.budget or state.n_distinct <= state.budget:
        return
    coef, intercept = state.units.to_original(state.point[:-1], float(state.point[-1]))
    point = Coefficients(state.units.filled(coef, state.seen.n_features), intercept)
    move = yield from side_taken(state.question, point, state.units, state.settings, state.seen)
    if move is not None:
        state.is_split = _breaks_ties(state, point, move)


def _breaks_ties(state: FitState, tied: Coefficients, lean: Array) -> bool:
    """Move the point from coefficients a little in a direction, along which the rows that they fit are on two sides.

    Whether there was such a direction. Few of these rows are near the point, as if they had never been tied.
    """
    design = state.pilot.design
    reach = float(np.abs(design.matvec(lean[:-1]) + lean[-1]).max(initial=0.0))
    if not np.isfinite(reach) or reach == 0:
        return False
    state.point = np.append(*state.units.to_scaled(tied)) + (_NUDGE / reach) * lean
    state.has_means, state.refined_point = False, state.point
    return True


def begun(question: Question, settings: Settings, seen: Survey, n_held: int, start: Start | None) -> FitState:
    """Step 1."""
    sampled = SampleProblem.of(question, seen) if start is None else start.sampled
    units, whole = sampled.units, sampled.whole
    pilot = replace(sampled.pilot, penalty=units.penalty(question.penalty))
    found = solve(pilot, settings) if start is None else units.to_scaled(start.coefficients)
    coefficients = Coefficients(*units.to_original(found.coef, found.intercept))
    residual = pilot.residual(found.coef, found.intercept) * units.unit
    units = replace(units, far=FarTargets.of(whole.y, whole.weight, residual, coefficients))
    point = np.append(found.coef, found.intercept)
    return FitState.of(question, settings, seen, units, pilot, point, n_held)


def largest_alpha_of_piecewise(
    question: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, float]:
    """The largest useful alpha of a piecewise linear loss, from the fit that leaves all penalised coefficients at rest.

    Rows that are held are on their sides there, and their duals at the ends: rows near the fit and means of all others
    have the same largest alpha as all rows. Where more rows are fitted exactly than may be gathered, groups of them
    have one dual, which bounds it from above: then it is that of the slopes at the fit (`largest_alpha_by_slopes`).
    """
    penalty = question.penalty
    chosen = (penalty.strength > 0) & np.isfinite(penalty.strength)
    # No slope is larger than the largest number of its column times the steepest slope of the loss.
    reach = np.maximum(np.abs(seen.low), np.abs(seen.high))[chosen] / penalty.strength[chosen]
    bound = float(reach.max(initial=0.0)) * max(np.abs(question.loss.kink()))
    if seen.is_complete or bound == 0:
        return largest_alpha(question.of(seen.sample))
    state = begun(replace(question, penalty=penalty.times(_ABOVE * bound)), settings, seen, n_held, None)
    state.wants_ties = True
    yield from _descended(state)
    best = state.best
    if (state.has_means or state.is_split) and best is not None and not penalty.limited:
        return (yield from largest_alpha_by_slopes(question, best.coefficients, settings, seen, n_held))
    assert state.reduced is not None
    return largest_alpha(state.reduced.with_penalty(state.units.penalty(penalty)))


def _answer(state: FitState, *, is_last: bool) -> Generator[Request, Summary, Solution]:
    """The best coefficients with their proof; those of the last step, without more of a proof than none, if not one."""
    best = state.best
    gap = np.inf if best is None else min(best.gap, best.objective - state.bound)
    if best is None or (not state.is_proved and gap > HALF_DIGITS * best.objective):
        if state.refined_point is not None:
            state.point = state.refined_point
        yield from _judged_last(state)
        if is_last:
            yield from prove_ties(state)
    best = state.best
    assert best is not None
    gap = best.gap
    if state.bound - best.objective <= HALF_DIGITS * state.bound:  # otherwise the objective has lost its digits
        gap = min(gap, max(best.objective - state.bound, 0.0))  # without what far targets add to both: it would round
    best = replace(best, objective=best.objective + state.beyond, stats={**best.stats, **state.stats})
    if state.is_proved:
        return replace(best, stopped=StopReason.EXACT)
    share = gap / best.gap if best.gap > 0 else 1.0
    return replace(best, gap=gap, relative_gap=best.relative_gap * share)


def _judged_last(state: FitState) -> Generator[Request, Summary, None]:
    """The objective of the point of the last step, of which nothing is proved."""
    coef, intercept = state.units.to_original(state.point[:-1], float(state.point[-1]))
    last = Coefficients(coef, intercept if state.question.fit_intercept else 0.0)
    nothing = Near(state.units, state.point, np.zeros(state.point.size), -1.0)
    seen = yield "certify", check, (nothing, state.ends, last, 0)
    # The bound of zero is that of the loss with far targets where they are.
    judge(state, Candidate(_without_proof(state), last, charge=constant(state, seen)), seen)


def _without_proof(state: FitState) -> Solution:
    """The point of a state as a solution of nothing, with a bound of zero."""
    coef, intercept = state.point[:-1], float(state.point[-1])
    stalled = StopReason.TOO_MANY_ROWS
    return Solution(coef, intercept, np.zeros(0), 0.0, 0.0, 0.0, False, 1, stalled, "reduced rows of blocks")


def judged_piecewise(
    question: Question, seen: Survey, given: Coefficients, best: Solution, *, is_elsewhere: bool = False
) -> Generator[Request, Summary, Solution]:
    """Given coefficients with the lower bound that was proved with the best ones, in one pass over both.

    Where the best ones were proved `is_elsewhere`, with other columns, their objective there is what the bound is
    known from.
    """
    whole, other = question.of(seen.sample), Coefficients(best.coef, best.intercept)
    far = FarTargets.of(whole.y, whole.weight, whole.residual(*other), other)
    units = replace(Units.of(seen, None, 0.0, 1.0, question.fit_intercept), far=far)
    answer = yield "verify", compare, (units, question.loss.kink(), given, other)
    penalty = question.penalty.value(given.coef)
    ordinary, null = float(answer.sums["loss"]) + penalty, float(answer.sums["null"])
    size = ordinary if ordinary > EXACT_FIT * null else null
    objective = ordinary + float(answer.sums["moved loss"]) + float(answer.sums["far"])
    more = float(answer.sums["more"]) + penalty - question.penalty.value(best.coef)
    more = max(more, objective - best.objective) if is_elsewhere else more
    gap = max(more, 0.0) + best.gap
    relative = gap / size if size > 0 else 0.0
    return replace(
        best,
        coef=given.coef,
        intercept=given.intercept,
        objective=objective,
        gap=gap,
        relative_gap=relative,
        unique=best.unique and relative <= PROVED_GAP,
        n_iter=1,
        stopped=StopReason.GIVEN,
        solver="verify",
    )
