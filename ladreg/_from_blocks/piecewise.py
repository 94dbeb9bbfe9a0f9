"""Exact fits of absolute and quantile losses to rows in blocks, in four passes where nothing is out of the ordinary."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import Array
from ladreg._design import Design, as_design
from ladreg._from_blocks.piecewise_tasks import Near, check, gather, gather_means, look, means_of
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._piecewise import doubtful, newton_step, weighted_gram
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, ElasticNet, Problem, Settings, Solution, StopReason
from ladreg._row_blocks import Rows, Summary, merged, picked, stacked
from ladreg._solvers import solve, solve_near_targets
from ladreg._tolerances import EXACT_FIT, HALF_DIGITS, PROVED_GAP

# Newton steps on all rows, at most, and rounds of adding rows held on the wrong side: more were never needed where the
# rows in doubt fit into memory at all.
_STEPS, _ROUNDS = 8, 8
# Rows that estimate the density of residuals at zero: 60 for each column, or one in 64 of all rows.
_PER_COLUMN, _PART = 60, 64
# Rows that a fit to a sample of m of n rows leaves in doubt: 5 n sqrt(q / m), for q columns.
_SAMPLED = 5.0
# Gather 1.3 rows for each row that is expected to be in doubt, and at least 40 for each column and 2,000 in all.
_SPARE, _LEAST, _FEWEST = 1.3, 40, 2000
# Where the answer of the gathered rows is not proved, four times as many are tried, after another step; three times.
_WIDER, _ATTEMPTS = 4, 4
# Newton's step is not trusted where it differs from that of the sample by more than its length, as these are squared:
# rows far out in X bend the objective, but are rarely near the fit.
_AGREE = 1.0
# A table whose sample has at most half as many distinct rows as rows is solved as its distinct rows, if they are few.
_REPEATED = 0.5
# The sample is compared as a whole where at most 0.95 of 4096 of its rows are distinct.
_ALIKE, _COMPARED = 0.95, 1 << 12
# Means that are farther from the fit than 64 typical residuals are moved there.
_NEAR_MEAN = 64.0
# Distance from the fit, in typical residuals, of rows that are never to be reached.
_FAR = 1e6
# Rows that are too many are solved as means of groups, whose numbers are 2^19 at most: 4 MB from each worker.
_MEANS = 1 << 19
# A tile may bring 64 rows more than eight times its share of the rows that are allowed.
_SHARE, _EXTRA = 8, 64


@dataclass
class _State:
    """Where a fit is: a point at unit scale, with an intercept last, and the counts so far."""

    question: Question
    settings: Settings
    seen: Survey
    units: Units
    penalty: ElasticNet
    pilot: Problem
    point: Array
    budget: int
    # Rows whose side is in doubt, the last step, the objective before it, and the Hessian, at unit scale.
    doubt: float
    step: Array
    value: float = np.inf
    hessian: Array | None = None
    # Whether the last attempt failed, and the number of rows that it was to gather.
    failed: bool = False
    size: float = 0.0
    # Whether rows near the fit were too many, so that means of groups of them are solved.
    has_means: bool = False
    # Distinct rows of all, as far as the sample tells; infinite where it does not.
    n_distinct: float = np.inf
    # The best coefficients so far, and the largest lower bound of the objective.
    best: Solution | None = None
    bound: float = 0.0
    is_proved: bool = False
    stats: dict[str, float] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[float, float]:
        """The slopes of the loss."""
        return self.question.loss.kink()

    @property
    def columns(self) -> slice:
        """The entries of the point that may move."""
        return slice(None) if self.question.fit_intercept else slice(-1)

    @property
    def n_columns(self) -> int:
        """Number of columns of the features that may differ from zero, and the intercept."""
        coef = self.point[:-1]
        costly = (self.penalty.strength > 0) | self.penalty.positive
        return int(np.count_nonzero(~costly | (coef != 0))) + int(self.question.fit_intercept)

    def residual(self) -> Array:
        """Residuals of the random rows of the sample."""
        return self.pilot.residual(self.point[:-1], float(self.point[-1]))[: self.seen.n_random]

    def most(self) -> int:
        """Rows that a tile of 2^14 rows may bring."""
        return int(_SHARE * self.budget / max(self.seen.n_rows / (1 << 14), 1.0)) + _EXTRA

    def radius(self, sizes: Array, count: float) -> float:
        """The size that about `count` of all rows are below, from the sizes in the sample."""
        ordered = np.sort(sizes)
        place = count * ordered.size / self.seen.n_rows
        least = min(50, ordered.size - 1)
        if place >= least:
            return float(ordered[min(int(place), ordered.size - 1)])
        return float(ordered[least]) * place / max(least, 1)


def solve_piecewise_blocks(
    question: Question, settings: Settings, seen: Survey, n_held: int
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
    """
    if seen.is_complete:
        return solve(question.of(seen.sample), settings)
    state = _begun(question, settings, seen, n_held)
    for _ in range(_ATTEMPTS):
        yield from _refined(state)
        found = yield from _gathered(state)
        yield from _checked(state, *found)
        if state.is_proved or state.has_means:
            break
        state.failed, state.size = True, _WIDER * state.size
        state.stats["n_failed"] += 1
    return (yield from _answer(state))


def _begun(question: Question, settings: Settings, seen: Survey, n_held: int) -> _State:
    """Step 1."""
    finite = np.isfinite(question.penalty.strength)
    kept = None if finite.all() else np.flatnonzero(finite)
    whole = question.of(seen.sample)
    _, scaling = scaled(whole)
    units = Units.of(seen, kept, scaling.y_shift, scaling.unit, question.fit_intercept)
    penalty = units.penalty(question.penalty)
    pilot = replace(whole, design=units.design(seen.sample), y=units.target(whole.y), penalty=penalty)
    found = solve(pilot, settings)
    point = np.append(found.coef, found.intercept)
    state = _State(
        question,
        settings,
        seen,
        units,
        penalty,
        pilot,
        point,
        max(n_held // 2, 1),
        doubt=0.0,
        step=np.zeros(point.size),
    )
    some = np.arange(min(seen.n_random, _COMPARED))
    if merged(picked(seen.sample, some)).y.size <= _ALIKE * some.size:
        n_distinct = merged(seen.sample).y.size
        state.n_distinct = n_distinct if n_distinct <= _REPEATED * seen.sample.y.size else np.inf
    state.doubt = _SAMPLED * seen.n_rows * float(np.sqrt(state.n_columns / pilot.n_samples))
    state.stats = {"n_refined": 0, "n_failed": 0, "rows_solved": 0, "n_rounds": 0}
    return state


def _answer(state: _State) -> Generator[Request, Summary, Solution]:
    """The best coefficients with their proof; those of the last step, without more of a proof than none, if not one."""
    if state.best is None or (not state.is_proved and state.best.gap > HALF_DIGITS * state.best.objective):
        coef, intercept = state.units.to_original(state.point[:-1], float(state.point[-1]))
        last = Coefficients(coef, intercept if state.question.fit_intercept else 0.0)
        nothing = Near(state.units, state.point, np.zeros(state.point.size), -1.0)
        seen = yield "certify", check, (nothing, state.ends, last, 0)
        _judge(state, _Candidate(_without_proof(state), last), seen)
    best = state.best
    assert best is not None
    if state.is_proved:
        return replace(best, stopped=StopReason.EXACT, stats={**best.stats, **state.stats})
    gap = min(best.gap, best.objective - state.bound)
    return replace(
        best, gap=gap, relative_gap=best.relative_gap * (gap / best.gap), stats={**best.stats, **state.stats}
    )


def _without_proof(state: _State) -> Solution:
    """The point of a state as a solution of nothing, with a bound of zero."""
    coef, intercept = state.point[:-1], float(state.point[-1])
    stalled = StopReason.TOO_MANY_ROWS
    return Solution(coef, intercept, np.zeros(0), 0.0, 0.0, 0.0, False, 1, stalled, "reduced rows of blocks")


def _window(state: _State) -> float:
    """A width of residuals within which their density at zero is estimated."""
    count = max(_PER_COLUMN * state.n_columns, state.seen.n_rows // _PART)
    return state.radius(np.abs(state.residual()), count)


def _refined(state: _State) -> Generator[Request, Summary, None]:
    """Step 2, in place, until the rows in doubt fit into memory; at least one step where an attempt failed."""
    for _ in range(_STEPS):
        width = _window(state)
        is_done = state.n_distinct <= state.budget or (state.stats["n_refined"] >= _STEPS and not state.failed)
        if is_done or (state.doubt <= state.budget and not state.failed) or not width > HALF_DIGITS:
            return
        state.failed = False
        seen = yield "refine", look, (state.units, state.ends, state.point, width)
        state.stats["n_refined"] += 1
        here = seen.sums["loss"] + state.penalty.value(state.point[:-1])
        if here > state.value:  # the last step was too long: back half the way
            state.step, state.doubt = -0.5 * state.step, 2.0 * state.doubt
        else:
            state.value = here
            _newton(state, seen, width)
        state.point = state.point + state.step


def _newton(state: _State, seen: Summary, width: float) -> None:
    """The Newton step at a point, and the number of rows that it leaves in doubt."""
    columns, gram = state.columns, seen.sums["gram"][state.columns, state.columns]
    state.hessian = gram * ((state.ends[1] - state.ends[0]) / (2 * width))
    part = newton_step(
        state.hessian, -seen.sums["slope"][columns], state.point[columns], state.penalty, flat=HALF_DIGITS
    )
    other = (_corrected(state, seen) - state.point)[columns]
    apart = part - other
    is_far = apart @ gram @ apart > _AGREE * (other @ gram @ other)
    if is_far or state.stats["n_failed"] or not state.penalty.is_plain:
        part = other
    state.step = np.zeros(state.point.size)
    state.step[columns] = part
    moved = float(np.sqrt(max(part @ gram @ part, 0.0) / max(seen.sums["mass"], 1e-300)))
    state.doubt = doubtful(state.n_columns, int(seen.sums["near"]), moved / width)


def _corrected(state: _State, seen: Summary) -> Array:
    """The optimum of the sample with the gradient of all rows at the point in place of its own.

    Two rows far from the fit have the difference of the gradients.
    """
    pilot, (lower, upper) = state.pilot, state.ends
    coef, intercept = state.point[:-1], float(state.point[-1])
    _, slope, total = pilot.design.sweep(coef, pilot.y, intercept, pilot.weight, state.ends)
    missing = seen.sums["slope"] - np.append(slope, total)
    missing[-1] *= state.question.fit_intercept
    below = abs(missing[-1]) + 1.0
    above = (missing[-1] - lower * below) / upper
    rows = np.array([missing[:-1] / (above * upper), np.zeros(coef.size)])
    target = rows @ coef + intercept + np.array([_FAR, -_FAR])
    problem = replace(
        pilot,
        design=_below(pilot.design, rows),
        y=np.append(pilot.y, target),
        weight=np.concatenate([pilot.weight, [above, below]]),
    )
    found = solve_near_targets(problem, state.settings, Coefficients(coef, intercept))
    return np.append(found.coef, found.intercept)


def _uncertainty(state: _State) -> Array:
    """The uncertainty of each coefficient relative to the others."""
    hessian = state.hessian
    if hessian is None:
        near = np.flatnonzero(np.abs(state.residual()) <= _window(state))
        rows = state.pilot.design.rows(near, border=True)
        hessian = weighted_gram(rows, state.pilot.weight[near])[state.columns, state.columns]
    diagonal = np.diag(hessian)
    spread = np.zeros(state.point.size)
    spread[state.columns] = 1.0 / np.sqrt(np.maximum(diagonal, max(1e-12 * float(diagonal.max(initial=0.0)), 1e-300)))
    return np.asarray(spread / (float(spread.max(initial=0.0)) or 1.0))


@dataclass(frozen=True)
class _Candidate:
    """A solution of a reduced problem, at unit scale and in the user's units."""

    solution: Solution
    coefficients: Coefficients
    # What moving the means near took from the objective, and what it may cost the bound.
    moved: float = 0.0
    charge: float = 0.0


def _gathered(state: _State) -> Generator[Request, Summary, tuple[Near, Summary]]:
    """The rows nearest to the fit, fewer of them where they are too many; means where they are so in any case."""
    spread = _uncertainty(state)
    moves = state.pilot.design.absolute_matvec(spread[:-1]) + spread[-1]
    distance = np.abs(state.residual()) / np.maximum(moves[: state.seen.n_random], 1e-300)
    least = _LEAST * max(state.n_columns, 1)
    if state.n_distinct <= state.budget:
        everything = Near(state.units, state.point, spread, np.inf)
        seen = yield "gather", gather, (everything, state.most())
        if not (_count(_brought(seen)) > 2 * state.budget or seen.sums["left out"]):
            return everything, seen
        state.n_distinct = np.inf
    size = min(max(_SPARE * state.doubt, state.size, least, _FEWEST), state.budget, state.seen.n_rows)
    widest: Near | None = None
    while True:
        near = Near(state.units, state.point, spread, state.radius(distance, size))
        seen = yield "gather", gather, (near, state.most())
        if not (_count(_brought(seen)) > 2 * state.budget or seen.sums["left out"]):
            state.size = size
            return near, seen
        widest = widest or near
        if size <= least or near.radius == 0:
            state.stats["rows_needed"] = int(seen.sums["near"])
            return (yield from _grouped(state, widest))
        size = max(size / _WIDER, least)


def _grouped(state: _State, near: Near) -> Generator[Request, Summary, tuple[Near, Summary]]:
    """Means of groups of the rows that are near."""
    near = replace(near, radius=max(near.radius, HALF_DIGITS))  # fitted exactly, up to rounding
    state.has_means = True
    n_groups = max(min(state.budget, _MEANS // (state.seen.n_features + 2)) // 3, 1)
    seen = yield "gather", gather_means, (near, n_groups)
    seen.rows["plain"] = [means_of(seen, state.seen.is_sparse)]
    return near, seen


def _brought(seen: Summary) -> list[Rows]:
    """The rows that a pass brought."""
    return [*seen.rows.get("plain", []), *seen.rows.get("distinct", [])]


def _count(parts: list[Rows]) -> int:
    return sum(part.y.size for part in parts)


def _checked(state: _State, near: Near, seen: Summary) -> Generator[Request, Summary, None]:
    """Solve the gathered rows and check all rows; add those held on the wrong side, until there are none."""
    parts, n_near = _brought(seen), seen.sums["near"]
    for number in range(_ROUNDS):
        candidate = _reduced(state, stacked(parts), seen)
        n_gathered = _count(parts)
        state.stats["rows_solved"] += n_gathered
        state.stats["n_rounds"] += 1
        seen = yield "certify", check, (near, state.ends, candidate.coefficients, state.most())
        if seen.sums["near"] != n_near:
            raise RuntimeError(
                f"{n_near} rows were near the fit in one pass and {seen.sums['near']} in the next: the data changed, "
                "or the workers have processors that round differently."
            )
        best = _judge(state, candidate, seen)
        # Rows that are fitted exactly, and were not gathered, may show that the optimum is unique.
        is_open = not state.is_proved or not (best.unique or number)
        joins = _brought(seen)
        is_full = seen.sums["left out"] or n_gathered + _count(joins) > 2 * state.budget
        if is_full and not state.has_means:
            state.stats["rows_needed"] = int(n_near + seen.sums["joins"])
        if not is_open or is_full or seen.sums["joins"] == 0:
            return
        parts, n_near = [*parts, *joins], n_near + seen.sums["joins"]
        near = replace(near, checked=(*near.checked, candidate.coefficients))


def _reduced(state: _State, rows: Rows, seen: Summary) -> _Candidate:
    """Step 3: the optimum of the gathered rows and the means of the others."""
    units, question = state.units, state.question
    means: list[Array] = []
    targets, weights, shifts, ends = [], [], [], []
    for name, end in zip(("below", "above"), state.ends, strict=True):
        weight = seen.sums[f"{name} w"]
        if seen.sums[f"{name} n"] and weight > 0:
            means.append(seen.sums[f"{name} x"] / weight)
            targets.append(seen.sums[f"{name} y"] / weight)
            weights.append(weight)
            # The loss of a mean is linear: a far one, of gross outliers, comes near, as `_presolve/clipping.py` has it.
            residual = float(targets[-1] - means[-1] @ state.point[:-1] - state.point[-1])
            shifts.append(float(np.copysign(max(abs(residual) - _NEAR_MEAN, 0.0), residual)))
            ends.append(end * weight)
    problem = Problem(
        _below(units.design(rows), np.reshape(means, (len(means), units.scale.size))),
        np.concatenate([units.target(rows.y), np.subtract(targets, shifts)]),
        np.concatenate([units.weight(rows), weights]),
        question.loss,
        state.penalty,
        question.fit_intercept,
    )
    solution = solve_near_targets(problem, state.settings, Coefficients(state.point[:-1], float(state.point[-1])))
    coef, intercept = units.to_original(solution.coef, solution.intercept)
    coefficients = Coefficients(coef, intercept if question.fit_intercept else 0.0)
    # The bound of the problem with the means where they were has the same dual, times their own targets.
    off = np.array(ends) - solution.dual[rows.y.size :]
    return _Candidate(solution, coefficients, float(np.dot(shifts, ends)), float(np.dot(shifts, off)))


def _below(design: Design, means: Array) -> Design:
    """The rows of a design, and rows at its scale below them, with the columns' scale kept beside their values."""
    below: Any = means / design.scale
    if sp.issparse(design.X):
        parts: list[Any] = [design.X, sp.csr_array(below)]
        X: Any = sp.csr_array(sp.vstack(parts, format="csr"))
    else:
        X = np.vstack([design.X - design.shift, below])
    return as_design(X).rescaled(np.zeros(design.scale.size), design.scale)


def _judge(state: _State, candidate: _Candidate, seen: Summary) -> Solution:
    """Keep the coefficients with the least objective, and the largest lower bound; returns the best so far."""
    units, question, solution = state.units, state.question, candidate.solution
    coef = units.filled(candidate.coefficients.coef, state.seen.n_features)
    objective = float(seen.sums["loss"]) + question.penalty.value(coef)
    reduced, excess = (solution.objective + candidate.moved) * units.unit, float(seen.sums["excess"])
    unproved = (solution.gap + max(candidate.charge, 0.0)) * units.unit
    # What is neither on the wrong side nor in the gap of the reduced problem is the rounding of one of both objectives.
    rounding = max(objective - reduced - excess, 0.0)
    gap = unproved + excess + rounding
    state.bound = max(state.bound, reduced - unproved)
    null = float(seen.sums["null"])
    size = objective if objective > EXACT_FIT * null else null
    # Gross outliers, whose loss is that of moved means, are no measure of what is proved of the other rows.
    near = size - candidate.moved * units.unit
    is_proved = unproved + excess <= PROVED_GAP * near and rounding <= PROVED_GAP * size
    if is_proved or state.best is None or objective < state.best.objective or gap < state.best.gap:
        # No objective is below zero, and every bound is one for all coefficients.
        gap = min(gap, objective)
        state.best = Solution(
            coef=coef,
            intercept=candidate.coefficients.intercept,
            dual=np.zeros(0),
            objective=objective,
            gap=gap,
            relative_gap=gap / size if size > 0 else 0.0,
            unique=solution.unique and is_proved,
            n_iter=solution.n_iter,
            stopped=StopReason.TOO_MANY_ROWS,
            solver="reduced rows of blocks",
            stats={**solution.stats, **state.stats},
        )
    state.is_proved = state.is_proved or is_proved
    return state.best


def judged_piecewise(
    question: Question, seen: Survey, given: Coefficients, best: Solution
) -> Generator[Request, Summary, Solution]:
    """Given coefficients with the lower bound that was proved with the best ones, in one pass."""
    nothing = np.zeros(seen.n_features + 1)
    units = Units.of(seen, None, 0.0, 1.0, False)
    nowhere = Near(units, nothing, nothing, -1.0)
    answer = yield "verify", check, (nowhere, question.loss.kink(), given, 0)
    objective = float(answer.sums["loss"]) + question.penalty.value(given.coef)
    null = float(answer.sums["null"])
    size = objective if objective > EXACT_FIT * null else null
    gap = max(objective - best.objective, 0.0) + best.gap
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
