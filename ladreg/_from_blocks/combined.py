"""Exact fits of the combined loss to rows in blocks: squares by moments, absolute values by the rows near the fit."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, is_regular
from ladreg._from_blocks.combined_rows import HeldRows, ReducedFit, solve_held
from ladreg._from_blocks.combined_state import CombinedFit, half_squared, no_rows, proved
from ladreg._from_blocks.combined_tasks import measure
from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.piecewise_tasks import Near
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.reduced_rows import brought, gathered
from ladreg._from_blocks.refinement import descended
from ladreg._from_blocks.sample_problem import Start
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._piecewise import newton_step
from ladreg._problem import Coefficients, Settings, Solution, StopReason
from ladreg._row_blocks import Rows, Summary, picked, stacked
from ladreg._solvers import solve
from ladreg._tolerances import AT_END, HALF_DIGITS, PROVED_GAP, SOLVED

# Rounds of solving the rows near the fit, at most, for each attempt.
_ROUNDS = 8
# Where the answer is not proved, four times the rows are tried after another step, in four attempts at most.
_WIDER, _ATTEMPTS = 4, 4
# Where a gap that is small enough did not fall to a quarter by a correction, the rest is rounding.
_FALLS = 0.25
# Rows are not solved again for a gap, but for rounding, of at most 1e-18 of the squares: coefficients have nine digits.
_NEARLY = AT_END**2
# Passes that look for the dual of rows that are fitted exactly, and are too many.
_TILTS = 8
# Pairs of rows are 2 of the largest residuals of such rows from the fit: more would cost digits.
_APART = 2.0
# The absolute part of the loss, as its slope at unit scale.
_ENDS = (-1.0, 1.0)


def solve_combined_blocks(
    question: Question, settings: Settings, seen: Survey, n_held: int, start: Start | None = None
) -> Generator[Request, Summary, Solution]:
    """Minimise the combined loss, or squares, over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Combined` or `Squared`; any penalty.
    settings
        As for data in memory.
    seen
        The survey of the same rows.
    n_held
        Rows of the sample; half as many may be gathered.
    start
        The fit of the sample, if it is known.

    Notes
    -----
    1. Solve the sample. Where it is all rows, this is the solution.
    2. Newton steps on all rows, until the rows whose side is in doubt fit into memory. The first pass also sums up the
       products of all columns: squares need nothing else.
    3. Gather these rows. A row that is held on a side costs a square and a linear term, so that few rows with the
       moments of all held ones take their place. Solve that problem exactly, as any problem in memory.
    4. Measure all rows at its solution: `prove_from_sums` proves it by the sides of the rows, the kink's dual of the
       gathered ones, and the products of all columns. Rows on another side are gathered as well, and step 3 is done
       again. Where there are none, and the few rows do not have the products to all digits that the coefficients need,
       a Newton step with all pieces held corrects these (`_polished`).
    5. Where too many rows are near, prove the point that steps 2 and 3 began at, if it can be proved (`_tilted`).
    """
    if seen.is_complete:
        return solve(question.of(seen.sample), settings)
    fit = CombinedFit.of(question, settings, seen, n_held, start)
    state, stopped = fit.state, StopReason.TOO_MANY_ROWS
    for _ in range(_ATTEMPTS):
        if fit.height and not state.has_means:
            yield from fit.joined(_refined(fit))
        near, found = yield from fit.joined(gathered(state) if fit.height else _nothing(state))
        is_open = yield from _checked(fit, near, found)
        assert fit.best is not None
        if fit.best.is_proved or not is_open:
            stopped = StopReason.EXACT if fit.best.is_proved else StopReason.STALLED
            break
        if state.has_means:  # rows that are fitted exactly have means that are: groups of others have not
            if np.array_equal(state.point, state.best_point):
                break
            state.point = state.best_point
        state.failed, state.size = True, _WIDER * state.size
        state.stats["n_failed"] += 1
    return fit.solution(stopped)


def judged_combined(
    question: Question, seen: Survey, given: Coefficients, best: Solution
) -> Generator[Request, Summary, Solution]:
    """Given coefficients with the lower bound that was proved with the best ones, in one pass."""
    units = Units.of(seen, None, 0.0, 1.0, question.fit_intercept)
    n_features = seen.n_features
    nothing = Near(units, np.zeros(n_features + 1), np.append(np.zeros(n_features), 1.0), -1.0)
    found = (yield "verify", measure, (nothing, given, question.penalty.rest, 0)).sums
    height, factor = half_squared(question, 1.0)
    penalty = question.penalty.value(given.coef)
    objective = factor * (0.5 * float(found["squares"]) + height * float(found["absolute"])) + penalty
    gap = max(objective - best.objective, 0.0) + best.gap
    relative = best.relative_gap * (gap / best.gap) if best.gap > 0 else (gap / objective if gap > 0 else 0.0)
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


def _nothing(state: FitState) -> Generator[Request, Summary, tuple[Near, Summary]]:
    """No row is near where the loss has no kink: the moments say all."""
    nothing = np.append(np.zeros(state.point.size - 1), 1.0)
    yield "moments", None, ()
    return Near(state.units, state.point, nothing, -1.0), Summary(sums={"near": 0})


def _refined(fit: CombinedFit) -> Generator[Request, Summary, None]:
    """Step 2, in place."""
    state, columns = fit.state, fit.state.columns

    def loss(seen: Summary) -> float:
        return 0.5 * fit.known.squares(state.point)[0] + fit.height * float(seen.sums["loss"])

    def newton(seen: Summary, width: float) -> tuple[Array, Array]:
        gram = seen.sums["gram"][columns, columns]
        hessian = gram * (fit.height / width) + fit.known.bordered_gram()[columns, columns]
        slope = (fit.known.squares(state.point)[1] + fit.height * seen.sums["slope"])[columns]
        return hessian, newton_step(hessian, -slope, state.point[columns], state.penalty, flat=HALF_DIGITS)

    return descended(state, _ENDS, loss, newton)


def _checked(fit: CombinedFit, near: Near, seen: Summary) -> Generator[Request, Summary, bool]:
    """Steps 3 and 4, until no row is on another side than it was held on, and all digits are there.

    Returns whether more rows may prove more.
    """
    state, n_near = fit.state, seen.sums["near"]
    parts, last, is_open = brought(seen), np.inf, True
    polished: ReducedFit | None = None
    for number in range(_ROUNDS):
        parts = [stacked(parts)] if parts else []
        kept = parts[0] if parts else no_rows(state)
        found = polished or _solved(fit, kept, HeldRows.of(fit.known, seen, kept, fit.height, state.point), number)
        given = fit.in_units(found.point)
        seen = yield fit.asks(near, given, state.most())
        if seen.sums["near"] != n_near:
            raise RuntimeError(
                f"{n_near} rows were near the fit in one pass and {seen.sums['near']} in the next: the data changed, "
                "or the workers have processors that round differently."
            )
        step = proved(fit, given, kept, found, seen)
        fit.keep(step, found.point)
        joins = brought(seen)
        n_all = kept.y.size + sum(part.y.size for part in joins)
        if step.is_last:
            return False
        if step.crossed and (seen.sums["left out"] or n_all > 2 * state.budget):
            break
        if step.crossed == 0:
            # What is left is what the few rows that stand for the held ones do not have of their moments; where a step
            # does not gain it, they are solved again with another distance.
            is_rounding = step.is_proved and step.left > _FALLS * last
            is_stalled = is_rounding or not step.left < last
            if is_stalled and (polished is None or not fit.height or step.left <= _NEARLY * step.size):
                is_open = state.has_means
                break
            last = min(last, step.left)
            polished = None if is_stalled else _polished(fit, kept, found, step.slope)
        else:
            polished = None
            parts, n_near = [*parts, *joins], n_near + seen.sums["joins"]
            near = replace(near, checked=(*near.checked, given))
    if is_open and not step.is_proved:
        yield from _tilted(fit)
    return is_open


def _polished(fit: CombinedFit, kept: Rows, found: ReducedFit, slope: Array) -> ReducedFit:
    """A Newton step from a point at which products of the dual with the columns miss `slope`, all pieces held.

    Coefficients at zero or at a limit stay, and kept rows whose dual is inside the kink are moved onto it: their duals
    change.
    """
    state, height = fit.state, fit.height
    columns = np.flatnonzero(np.append(~state.penalty.at_kink(found.point[:-1]), state.question.fit_intercept))
    pinned = np.flatnonzero(np.abs(found.sides) < height * (1.0 - AT_END))
    some = picked(kept, pinned)
    table = state.units.design(some).rows(np.arange(pinned.size), border=True)
    rows, residual = table[:, columns], state.units.target(some.y) - table @ found.point
    hessian = fit.known.bordered_gram()[np.ix_(columns, columns)]
    hessian[np.diag_indices_from(hessian)] += np.append(state.penalty.ridge, 0.0)[columns]
    length = np.sqrt(np.diag(hessian))
    length[length == 0] = 1.0
    rows, n_pinned = rows / length, pinned.size
    system = np.block([[hessian / length / length[:, None], -rows.T], [rows, np.zeros((n_pinned, n_pinned))]])
    step = np.linalg.lstsq(system, np.append(slope[columns] / length, residual), rcond=None)[0]
    point, sides = found.point.copy(), found.sides.copy()
    point[columns] += step[: columns.size] / length
    sides[pinned] += step[columns.size :] / state.units.weight(kept)[pinned]
    return replace(found, point=point, sides=np.clip(sides, -height, height))


def _tilted(fit: CombinedFit) -> Generator[Request, Summary, None]:
    """Prove the point that the reduced problem was made at, where more rows are fitted exactly than may be gathered.

    A dual of these rows that is linear in their columns, and clipped to the kink, balances the other rows: the linear
    function is found by Newton steps, each a pass.
    """
    state, given = fit.state, fit.in_units(fit.state.point)
    tilt, pinned = np.zeros(state.point.size), np.append(np.zeros(state.point.size - 1), 1.0)
    near = Near(state.units, state.point, pinned, HALF_DIGITS)
    intercept = state.question.fit_intercept
    found = ReducedFit(state.point, np.zeros(0), is_regular(fit.known.gram(intercept)), 1)
    last = np.inf
    for _ in range(_TILTS):
        seen = yield fit.asks(near, given, 0, tilt)
        step = proved(fit, given, no_rows(state), found, seen)
        fit.keep(step, state.point)
        if step.is_proved or not seen.sums["near"] or not step.proof.gap < last:
            return
        last = step.proof.gap
        columns = np.append(~state.penalty.at_kink(state.point[:-1]) | (step.slope[:-1] != 0), intercept)
        gram = fit.height * seen.sums["near gram"][np.ix_(columns, columns)]
        tilt[columns] -= np.linalg.lstsq(gram, step.slope[columns], rcond=SOLVED)[0]


def _solved(fit: CombinedFit, kept: Rows, held: HeldRows, number: int) -> ReducedFit:
    """Step 3: the optimum of the kept rows and those that stand for the others."""
    state = fit.state
    state.stats["rows_solved"] += kept.y.size
    state.stats["n_rounds"] += 1
    units = state.units
    problem = replace(state.pilot, design=units.design(kept), y=units.target(kept.y), weight=units.weight(kept))
    # Another distance in each round: where the engine misses a piece by rounding, it may not do so again.
    return solve_held(problem, held, state.settings, state.point, _APART + number)
