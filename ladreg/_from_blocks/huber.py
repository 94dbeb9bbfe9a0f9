"""Exact fits of Huber's loss to rows in blocks: Newton's method, one pass for each step, each of which is proved."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from ladreg._arrays import Array, is_regular
from ladreg._certificate import missed_slopes
from ladreg._design import as_design
from ladreg._from_blocks.huber_passes import HuberSolution, HuberStep, PosedHuber
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey
from ladreg._piecewise import newton_step
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, ElasticNet, HalfSquared, Huber, Problem, Settings, Solution, StopReason
from ladreg._row_blocks import Summary
from ladreg._solvers import solve
from ladreg._tolerances import AT_END, EPS, PINNED, PROVED_GAP, ROUNDED, ROUNDING_GAP, SUMMED

# Newton steps, at most, where the settings have no limit: each is a pass.
_STEPS = 50
# Where a gap that is small enough did not fall to a quarter by a step, the rest is rounding.
_FALLS = 0.25
# Stop after 8 steps that did not prove a smaller gap.
_PATIENCE = 8
# A point stays where predictions would move by at most 1e-4 of the curved piece, which costs its square.
_STAYS = 1e-4
# Ridges to try in turn, as fractions of the diagonal, as in memory.
_RIDGES = (1e-12, 1e-8, 1e-4, 1e-2)


def solve_huber_blocks(
    question: Question, settings: Settings, seen: Survey, start: Coefficients, known: Solution | None = None
) -> Generator[Request, Summary, Solution]:
    """Minimise Huber's loss over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Huber`; any penalty.
    settings
        As for data in memory; `max_iter` is the limit of steps, None for 50.
    seen
        The survey of the same rows.
    start
        A fit to the sample, or to all rows.
    known
        A fit of absolute values to all rows, and the bound of Huber's loss that it proves. Steps from there end as soon
        as that bound leaves no more than rounding.

    Notes
    -----
    1. A pass sums up, at a point, the gradient and the products of the rows inside the curved piece. They prove the
       point (`_certificate/sums_of_squares.py`), and give the next one: the minimum of the loss with these pieces and
       the penalty. Where the objective rose, half of the step is tried.
    2. Stop where the proved gap is rounding. Where no row changes its piece a step is exact, and each step changes
       few: the number of rows that do falls with the square of the step.

    Coefficients in the user's units are rounded, which a narrow piece shows. The dual is that of the numbers before
    they were rounded (`HuberStep.lean`), and the gap the sum of the Fenchel-Young terms of rows.
    """
    _, scaling = scaled(question.of(seen.sample))
    posed = PosedHuber.of(question, seen, scaling.unit, start)
    stats = {"n_newton": 0.0} if known is None else {**known.stats, "n_newton": 0.0}
    best, stopped = yield from _descended(posed, posed.of_kept(start), settings, known, stats)
    if known is not None and stats["n_newton"] == 1:
        return posed.solution(best, stopped, stats, known.unique)
    unique = best.is_proved and _is_unique(posed, best)
    if best.is_proved and not unique and posed.penalty.is_nothing:
        point, lean = _shortest(posed, best)
        step = posed.proved(point, lean, (yield posed.asks(point, lean)))
        best = step if step.is_proved else best
    return posed.solution(best, stopped, stats, unique)


def _descended(
    posed: PosedHuber, point: Coefficients, settings: Settings, known: Solution | None, stats: dict[str, float]
) -> Generator[Request, Summary, tuple[HuberStep, StopReason]]:
    """The steps from a point: the one with the least gap, and why there are no more."""
    lean, length, since = np.zeros(posed.units.scale.size + 1), 1.0, 0
    here: HuberStep | None = None
    best: HuberStep | None = None
    for _ in range(max(settings.limit(_STEPS), 1)):
        step = posed.proved(point, lean, (yield posed.asks(point, lean)))
        stats["n_newton"] += 1
        bounded = step if known is None else posed.bounded(step, known)
        since = since + 1 if best is not None and bounded.gap >= best.gap else 0
        best = bounded if since == 0 else best
        assert best is not None
        if known is not None and best.gap <= ROUNDING_GAP * best.size:
            return best, StopReason.EXACT
        if since == _PATIENCE or not step.found.sums["gram"].any():
            return best, StopReason.STALLED if known is None or known.stopped.good else known.stopped
        rose = here is not None and step.objective > here.objective * (1.0 + ROUNDED) and not step.is_proved
        if here is None or not rose:
            fell = here is None or step.gap <= _FALLS * here.gap
            here = step if here is None or step.gap <= here.gap or not here.is_proved else here
            if here.is_last or (here.is_proved and not fell):
                return best, StopReason.EXACT
            move, length = _newton(posed, here), 1.0
        else:
            length *= 0.5
        point, lean = _moved(posed, here, move, length)
    assert best is not None
    return best, StopReason.ITERATION_LIMIT


def judged_huber(
    question: Question, seen: Survey, given: Coefficients, best: Solution, *, is_proof: bool
) -> Generator[Request, Summary, Solution]:
    """Given coefficients, proved in one pass by the bound that is known of the best ones or, if that `is_proof`, by the
    dual of these.
    """
    unit = float(np.ldexp(1.0, int(np.frexp(question.loss.delta)[1]))) if isinstance(question.loss, Huber) else 1.0
    posed = PosedHuber.of(question, seen, unit, best.coefficients)
    point, other = posed.of_kept(given), posed.of_kept(best.coefficients)
    change = np.append(other.coef - point.coef, other.intercept - point.intercept)
    if isinstance(best, HuberSolution):
        kept = posed.units.kept
        change += best.lean if kept is None else best.lean[np.append(kept, -1)]
    lean = posed.lean_of(change)
    step = posed.proved(point, lean, (yield posed.asks(point, lean)))
    step = posed.bounded(step if is_proof else posed.unproved(step), best)
    is_near = step.relative_gap <= PROVED_GAP
    return posed.solution(step, StopReason.GIVEN, {}, best.unique and is_near)


def _newton(posed: PosedHuber, step: HuberStep) -> Array:
    """The move, at unit scale with an intercept last, to the minimum of the loss with the pieces of a point."""
    sums, intercept, penalty = step.found.sums, posed.question.fit_intercept, posed.penalty
    columns = slice(None) if intercept else slice(-1)
    hessian = np.ascontiguousarray(sums["gram"][columns, columns])
    slope = np.append(sums["slope"], sums["total"])[columns]
    point = (np.append(step.coef, 0.0) + step.lean)[columns]
    if penalty.is_plain:
        move = newton_step(hessian, -slope, point, penalty, _RIDGES, flat=AT_END)
        move = _settled(hessian, slope, point, penalty, move)
    else:
        move = penalised_move(hessian, -slope, point, penalty)
    return move if intercept else np.append(move, 0.0)


def _settled(hessian: Array, slope: Array, point: Array, penalty: ElasticNet, move: Array) -> Array:
    """The move with the digits of the slopes, which those of large coefficients hide; zeros stay zero."""
    if not (penalty.strength.any() or penalty.positive):
        return move
    n_features = penalty.strength.size
    there = (point + move)[:n_features]
    is_open = np.append(~penalty.at_kink(there), np.ones(point.size - n_features, dtype=bool))
    chosen, held = np.flatnonzero(is_open), np.flatnonzero(~is_open)
    result = np.where(is_open, 0.0, -point)
    wanted = np.append(penalty.nearest_slope(there, slope[:n_features]), np.zeros(point.size - n_features))
    left = (slope - wanted)[chosen] - hessian[np.ix_(chosen, held)] @ result[held]
    some, free = np.ascontiguousarray(hessian[np.ix_(chosen, chosen)]), np.zeros(np.count_nonzero(is_open[:n_features]))
    result[chosen] = newton_step(some, -left, point[chosen], ElasticNet(free), _RIDGES, flat=AT_END)
    is_same = np.sign((point + result)[:n_features]) == np.sign(there)
    return result if is_same.all() else move


def penalised_move(hessian: Array, gradient: Array, point: Array, penalty: ElasticNet) -> Array:
    """The minimum of ``gradient'd + d'Hd / 2 + penalty(point + d)``, as a fit of squares to few rows."""
    n_features = penalty.strength.size
    inner, slope = hessian[:n_features, :n_features], -gradient[:n_features]
    has_border = hessian.shape[0] > n_features and hessian[-1, -1] > 0
    if has_border:
        last = hessian[-1, :n_features]
        inner, slope = inner - np.outer(last, last) / hessian[-1, -1], slope + last * (gradient[-1] / hessian[-1, -1])
    values, vectors = np.linalg.eigh(inner)
    values = np.maximum(values, _RIDGES[0] * float(np.diag(hessian).max()))
    root = np.sqrt(n_features * values)[:, None] * vectors.T
    # With R'R = n H, the target R b + n R^-T s has the gradient -s at b; each row weighs 1 / n.
    target = root @ point[:n_features] + (vectors.T @ slope) * np.sqrt(n_features / values)
    weight = np.full(n_features, 1.0 / n_features)
    problem = Problem(as_design(root), target, weight, HalfSquared(), penalty, fit_intercept=False)
    move = np.zeros(hessian.shape[0])
    move[:n_features] = solve(problem, Settings(tol=EPS)).coef - point[:n_features]
    if has_border:
        move[-1] = -(gradient[-1] + last @ move[:n_features]) / hessian[-1, -1]
    return move


def _moved(posed: PosedHuber, step: HuberStep, move: Array, length: float) -> tuple[Coefficients, Array]:
    """A point on the way of a move, in the user's units, and what rounding took from it, at unit scale.

    What becomes zero by the whole move is zero exactly. Where predictions would move by little more than their
    rounding, the point stays: residuals there have the same rounding again, so that the dual converges.
    """
    units, old = posed.units, step.point
    scale, whole = units.scale * units.unit, step.lean + length * move
    there = step.coef + whole[:-1]
    coef = posed.in_units(there, 0.0).coef
    change = coef.astype(np.longdouble) - old.coef
    # The intercept belongs to shifted columns: theirs moves by what the change of coefficients takes along.
    level = whole[-1] * np.longdouble(units.unit) - units.shift @ change
    intercept = float(old.intercept + level) if posed.question.fit_intercept else 0.0
    size = float(posed.reach @ np.abs(np.append(*units.kept_to_scaled(Coefficients(coef, intercept)))))
    little = max(SUMMED * size, min(PINNED * size, _STAYS * posed.delta))
    if posed.reach @ np.abs(whole) <= little and np.array_equal(coef == 0, old.coef == 0):
        return old, posed.visible(whole)
    lean = np.append(whole[:-1] - change / scale, (level - (np.longdouble(intercept) - old.intercept)) / units.unit)
    lean[:-1][posed.penalty.at_kink(coef / scale)] = 0.0
    lean[-1] *= posed.question.fit_intercept
    return Coefficients(coef, intercept), posed.visible(lean.astype(np.float64))


def _shortest(posed: PosedHuber, step: HuberStep) -> tuple[Coefficients, Array]:
    """The shortest coefficients among those with the same predictions of the rows inside the curved piece."""
    n_columns = posed.units.scale.size + posed.question.fit_intercept
    gram = step.found.sums["gram"][:n_columns, :n_columns]
    length = np.sqrt(np.diag(gram))
    length[length == 0] = 1.0
    values, vectors = np.linalg.eigh(gram / length / length[:, None])
    flat = vectors[:, values <= AT_END * values[-1]] / length[:, None]
    along = flat[: posed.units.scale.size] * posed.units.scale[:, None]  # a change of the user's coefficients
    change = along @ np.linalg.lstsq(along, -step.coef * posed.units.scale, rcond=AT_END)[0]
    intercept = flat[-1] @ np.linalg.lstsq(along, change, rcond=AT_END)[0] if posed.question.fit_intercept else 0.0
    return _moved(posed, step, np.append(change / posed.units.scale, intercept), 1.0)


def _is_unique(posed: PosedHuber, step: HuberStep) -> bool:
    """Whether the rows inside the curved piece determine every coefficient that an optimal dual leaves open."""
    sums, penalty = step.found.sums, posed.penalty
    slope = sums["slope"]
    least = AT_END * max(float(np.abs(slope).max(initial=0.0)), float(penalty.strength.max(initial=0.0)))
    length = np.sqrt(sums["column squares"])
    rounding = SUMMED * np.sqrt(sums["squares"]) * length  # of the slopes' terms, by Cauchy and Schwarz
    near = np.maximum(least, missed_slopes(penalty, step.coef, slope, length, rounding))
    held = penalty.at_kink(step.coef)
    for other in (slope - near, slope + near):
        held &= penalty.nearest_slope(step.coef, other) == other
    n_features = step.coef.size
    open_ones = np.flatnonzero(~held)
    chosen = np.append(open_ones, n_features) if posed.question.fit_intercept else open_ones
    hessian = sums["gram"][np.ix_(chosen, chosen)].copy()
    hessian[np.arange(open_ones.size), np.arange(open_ones.size)] += penalty.ridge[open_ones]
    return not chosen.size or is_regular(hessian)
