"""The rows near a fit, means of all others, and what they prove of all rows in blocks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import prove
from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.piecewise_tasks import Near, check, gather, gather_means, means_of
from ladreg._from_blocks.refinement import rows_below, uncertainty
from ladreg._from_blocks.side_by_side import Request
from ladreg._problem import Coefficients, Problem, Solution, StopReason
from ladreg._row_blocks import Rows, Summary, stacked
from ladreg._solvers import solve_near_targets
from ladreg._tolerances import AT_END, EXACT_FIT, HALF_DIGITS, PROVED_GAP

# Gather 1.3 rows for each row that is expected to be in doubt, and at least 40 for each column and 2,000 in all.
_SPARE, _LEAST, _FEWEST = 1.3, 40, 2000
# Gather a quarter of the rows where they are too many.
_FEWER = 4
# Means that are farther from the fit than 64 typical residuals are moved there.
_NEAR_MEAN = 64.0
# The sums of held rows are less those that join, but for rounding of the larger: held rows are summed anew where less
# than half of a side's weight is left, or where those that join have half of the mean size of a column (1, about).
_LEFT = 0.5
# Rows that are too many are solved as means of groups, whose numbers are 2^19 at most: 4 MB from each worker.
MEANS = 1 << 19


@dataclass(frozen=True)
class _Mean:
    """The mean of held rows, at unit scale; the slope of their loss; how far it is moved to come near.

    `distance` is how far the targets of the rows were moved before, in the mean.
    """

    x: Array
    y: float
    weight: float
    end: float
    shift: float
    distance: float


@dataclass(frozen=True)
class Candidate:
    """A solution of a reduced problem, at unit scale and in the user's units.

    `problem` is that problem with the means where they were; None if there is none.
    """

    solution: Solution
    coefficients: Coefficients
    # What moving the means near took from the objective, and what it may cost the bound.
    moved: float = 0.0
    charge: float = 0.0
    problem: Problem | None = None


class Reduced(NamedTuple):
    """The last reduced problem: which rows are near and how many, these with repeated ones merged, and its solution."""

    near: Near
    n_near: int
    rows: Rows
    candidate: Candidate


def gathered(state: FitState) -> Generator[Request, Summary, tuple[Near, Summary]]:
    """The rows nearest to the fit, fewer of them where they are too many; means where they are so in any case."""
    spread = uncertainty(state)
    moves = state.pilot.design.absolute_matvec(spread[:-1]) + spread[-1]
    distance = np.abs(state.residual()) / np.maximum(moves[: state.seen.n_random], 1e-300)
    least = _LEAST * max(state.n_columns, 1)
    if state.n_distinct <= state.budget:
        everything = Near(state.units, state.point, spread, np.inf)
        seen = yield "gather", gather, (everything, state.most())
        if not (_count(brought(seen)) > 2 * state.budget or seen.sums["left out"]):
            return everything, seen
        state.n_distinct = np.inf
    size = min(max(_SPARE * state.doubt, state.size, least, _FEWEST), state.budget, state.seen.n_rows)
    widest: Near | None = None
    while True:
        near = Near(state.units, state.point, spread, state.radius(distance, size))
        seen = yield "gather", gather, (near, state.most())
        if not (_count(brought(seen)) > 2 * state.budget or seen.sums["left out"]):
            state.size = size
            return near, seen
        widest = widest or near
        if size <= least or near.radius == 0:
            state.stats["rows_needed"] = int(seen.sums["near"])
            return (yield from _grouped(state, widest))
        size = max(size / _FEWER, least)


def _grouped(state: FitState, near: Near) -> Generator[Request, Summary, tuple[Near, Summary]]:
    """Means of groups of the rows that are near."""
    near = replace(near, radius=max(near.radius, HALF_DIGITS))  # fitted exactly, up to rounding
    state.has_means = True
    n_groups = max(min(state.budget, MEANS // (state.seen.n_features + 2)) // 3, 1)
    seen = yield "gather", gather_means, (near, n_groups)
    seen.rows["plain"] = [means_of(seen, state.seen.is_sparse)]
    return near, seen


def brought(seen: Summary) -> list[Rows]:
    """The rows that a pass brought."""
    return [*seen.rows.get("plain", []), *seen.rows.get("distinct", [])]


def _count(parts: list[Rows]) -> int:
    return sum(part.y.size for part in parts)


def checked(
    state: FitState, near: Near, seen: Summary, n_rounds: int, *, are_shared: bool = False
) -> Generator[Request, Summary, Reduced]:
    """Solve the gathered rows and check all rows; add those held on the wrong side, until there are none.

    Gathered rows that other fits have as well (`are_shared`) are copied for each solution, and no copy is kept.
    """
    parts, n_near, held = brought(seen), seen.sums["near"], seen
    for number in range(n_rounds):
        if not are_shared:
            parts = [stacked(parts)]  # in place of its parts: they are as large
        rows = stacked(parts)
        candidate = reduced(state, rows, held)
        last = Reduced(near, n_near, rows, candidate)
        state.tried = np.append(candidate.solution.coef, candidate.solution.intercept)
        n_gathered = _count(parts)
        state.stats["rows_solved"] += n_gathered
        state.stats["n_rounds"] += 1
        seen = yield "certify", check, (near, state.ends, candidate.coefficients, state.most())
        if seen.sums["near"] != n_near:
            raise RuntimeError(
                f"{n_near} rows were near the fit in one pass and {seen.sums['near']} in the next: the data changed, "
                "or the workers have processors that round differently."
            )
        best = judge(state, candidate, seen)
        # Rows that are fitted exactly, and were not gathered, may show that the optimum is unique.
        is_open = state.wants_ties or not state.is_proved or not (best.unique or number)
        joins = brought(seen)
        is_full = seen.sums["left out"] or n_gathered + _count(joins) > 2 * state.budget
        if is_full and not state.has_means:
            state.stats["rows_needed"] = int(n_near + seen.sums["joins"])
        if not is_open or is_full or state.has_crossed or seen.sums["joins"] == 0:
            break
        parts, n_near = [*parts, *joins], n_near + seen.sums["joins"]
        near = replace(near, checked=(*near.checked, candidate.coefficients))
        held = _still_held(held, seen) or (yield "gather", gather, (near, 0))
    return last


def _still_held(held: Summary, seen: Summary) -> Summary | None:
    """The sums of the held rows without those that join; None where too little is left of them."""
    sums = dict(held.sums)
    if not float(seen.sums["joining size"].max()) <= _LEFT:
        return None
    for side in ("below", "above"):
        for part in "nwyx":
            sums[f"{side} {part}"] = held.sums[f"{side} {part}"] - seen.sums[f"joining {side} {part}"]
        if not sums[f"{side} n"]:
            sums[f"{side} w"] = 0.0
        elif sums[f"{side} w"] < _LEFT * held.sums[f"{side} w"]:
            return None
    return Summary(sums=sums)


def reduced(state: FitState, rows: Rows, seen: Summary) -> Candidate:
    """Step 3: the optimum of the gathered rows and the means of the others."""
    units, question = state.units, state.question
    means = _means(state, seen)
    problem = Problem(
        rows_below(units.design(rows), np.reshape([mean.x for mean in means], (len(means), units.scale.size))),
        np.concatenate([units.target(rows.y), [mean.y - mean.shift for mean in means]]),
        np.concatenate([units.weight(rows), [mean.weight for mean in means]]),
        question.loss,
        state.penalty,
        question.fit_intercept,
    )
    state.reduced = problem if state.wants_ties else None
    solution = solve_near_targets(problem, state.settings, Coefficients(state.point[:-1], float(state.point[-1])))
    far = rows.y.size + np.flatnonzero([mean.distance > 0 for mean in means])
    solution = _proved_at_fit(problem, solution, far)
    coef, intercept = units.to_original(solution.coef, solution.intercept)
    coefficients = Coefficients(coef, intercept if question.fit_intercept else 0.0)
    moved = sum(mean.shift * mean.end * mean.weight for mean in means)
    # The bound of the problem with the means where they were has the same dual, times their own targets.
    charge = 0.0
    for mean, dual in zip(means, solution.dual[rows.y.size :], strict=True):
        off = mean.end * mean.weight - float(dual)
        if not mean.distance:
            charge += mean.shift * off
        elif abs(off) > AT_END * mean.weight:
            charge += (abs(mean.shift) + mean.distance) * abs(off)
    y = np.append(problem.y[: rows.y.size], [mean.y + np.copysign(mean.distance, mean.end) for mean in means])
    return Candidate(solution, coefficients, moved, max(charge, 0.0), replace(problem, y=y))


def _means(state: FitState, seen: Summary) -> list[_Mean]:
    """The means of the held rows of each side, and of those whose targets were moved near."""
    means = []
    for kind in ("", "far "):
        for name, end in zip(("below", "above"), state.ends, strict=True):
            side = kind + name
            weight = seen.sums[f"{side} w"]
            if seen.sums[f"{side} n"] and weight > 0:
                x, y = seen.sums[f"{side} x"] / weight, float(seen.sums[f"{side} y"] / weight)
                # The loss of a mean is linear: a far one comes near, as `_presolve/clipping.py` has it.
                residual = float(y - x @ state.point[:-1] - state.point[-1])
                shift = float(np.copysign(max(abs(residual) - _NEAR_MEAN, 0.0), residual))
                distance = seen.sums[f"far {name} distance"] / weight if kind else 0.0
                means.append(_Mean(x, y, weight, end, shift, distance))
    return means


def _proved_at_fit(problem: Problem, solution: Solution, far: Index) -> Solution:
    """The solution with the proof of far means no farther from the fit than other rows, if their duals are at an end.

    The gap of a row is its residual times the distance of its dual from the end, which is rounding there.
    """
    if far.size == 0:
        return solution
    residual = problem.residual(solution.coef, solution.intercept)
    size = np.abs(residual)
    size[far] = 0.0
    y = problem.y.copy()
    y[far] -= np.copysign(np.maximum(np.abs(residual[far]) - float(size.max(initial=0.0)), 0.0), residual[far])
    proof = prove(replace(problem, y=y), solution.coef, solution.intercept, solution.dual)
    ends = np.where(residual[far] > 0, problem.loss.kink()[1], problem.loss.kink()[0])
    off = np.abs(proof.dual[far] - ends * problem.weight[far])
    if proof.gap < solution.gap and (off <= AT_END * problem.weight[far]).all():
        return replace(solution, dual=proof.dual, gap=proof.gap)
    return solution


def judge(state: FitState, candidate: Candidate, seen: Summary) -> Solution:
    """Keep the coefficients with the least objective, and the largest lower bound; returns the best so far."""
    units, question, solution = state.units, state.question, candidate.solution
    coef = units.filled(candidate.coefficients.coef, state.seen.n_features)
    # The objective of rows whose targets were not moved; gross outliers are no measure of what is proved of these.
    ordinary = float(seen.sums["loss"]) + question.penalty.value(coef)
    null = float(seen.sums["null"])
    size = ordinary if ordinary > EXACT_FIT * null else null
    objective = ordinary + float(seen.sums["moved loss"])
    reduced, excess = (solution.objective + candidate.moved) * units.unit, float(seen.sums["excess"])
    unproved = (solution.gap + candidate.charge) * units.unit
    # What is neither on the wrong side nor in the gap of the reduced problem is the rounding of one of both objectives.
    rounding = max(objective - reduced - excess, 0.0)
    gap = unproved + excess + rounding
    state.bound = max(state.bound, reduced - unproved)
    # Nor are those whose loss is that of moved means.
    near = min(size, size + float(seen.sums["moved loss"]) - candidate.moved * units.unit)
    # No coefficients are below a bound: of huge ones, the residuals have lost their digits.
    lost = state.bound - objective if state.bound - objective > HALF_DIGITS * size else 0.0
    is_proved = lost == 0 and unproved + excess <= PROVED_GAP * near and rounding <= PROVED_GAP * size
    state.has_crossed = seen.sums["far crossed"] > 0 and not is_proved
    state.beyond_bound = constant(state, seen) * units.unit
    if is_proved or state.best is None or (lost == 0 and _is_better(state.best, objective, gap)):
        # No objective is below zero, and every bound is one for all coefficients.
        gap = max(min(gap, objective + float(seen.sums["far"])), lost)
        state.beyond = float(seen.sums["far"])
        state.best_point = np.append(solution.coef, solution.intercept)
        state.best = Solution(
            coef=coef,
            intercept=candidate.coefficients.intercept,
            dual=np.zeros(0),
            objective=objective,
            gap=gap,
            relative_gap=_relative(gap, size if is_proved else near),
            unique=solution.unique and is_proved,
            n_iter=solution.n_iter,
            stopped=StopReason.TOO_MANY_ROWS,
            solver="reduced rows of blocks",
            stats={**solution.stats, **state.stats},
        )
    state.is_proved = state.is_proved or is_proved
    assert state.best is not None
    return state.best


def constant(state: FitState, seen: Summary) -> float:
    """What far targets lost by being moved near, at unit scale, for coefficients that keep them on their side."""
    return abs(state.ends[0]) * seen.sums["far below distance"] + state.ends[1] * seen.sums["far above distance"]


def _relative(gap: float, size: float) -> float:
    """The gap relative to a size; that of gross outliers would hide what is not proved of the other rows."""
    return gap / size if size > 0 else (0.0 if gap == 0 else np.inf)


def _is_better(best: Solution | None, objective: float, gap: float) -> bool:
    """Whether an objective is less than the best so far, or the same up to rounding with a smaller gap."""
    if best is None or objective < best.objective * (1.0 - PROVED_GAP):
        return True
    return objective <= best.objective * (1.0 + PROVED_GAP) and gap < best.gap
