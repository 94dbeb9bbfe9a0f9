"""Exact fits of Huber's loss to rows in blocks: Newton's method, one pass for each step, each of which is proved."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array, is_regular
from ladreg._certificate import Curved, SquareSums, prove_from_sums
from ladreg._design import as_design
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._piecewise import newton_step
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, ElasticNet, HalfSquared, Huber, Problem, Settings, Solution, StopReason
from ladreg._row_blocks import Place, Rows, Summary
from ladreg._solvers import solve
from ladreg._tolerances import AT_END, EPS, INSIDE, PROVED_GAP, ROUNDED

# Newton steps, at most, where the settings have no limit: each is a pass.
_STEPS = 50
# A step is the last where the gap is at most 1e-22 of the squares: coefficients then have eleven digits.
_LAST = 1e-22
# Where a gap that is small enough did not fall to a quarter by a step, the rest is rounding.
_FALLS = 0.25
# Ridges to try in turn, as fractions of the diagonal, as in memory.
_RIDGES = (1e-12, 1e-8, 1e-4, 1e-2)


@dataclass(frozen=True)
class _Posed:
    """A question at unit scale: the loss is ``factor`` times Huber's loss of slope one."""

    question: Question
    seen: Survey
    units: Units
    delta: float
    factor: float
    penalty: ElasticNet

    @classmethod
    def of(cls, question: Question, seen: Survey, y_shift: float, unit: float) -> _Posed:
        """The question with targets less `y_shift` in units of `unit`, a power of two."""
        assert isinstance(question.loss, Huber)
        finite = np.isfinite(question.penalty.strength)
        kept = None if finite.all() else np.flatnonzero(finite)
        units = Units.of(seen, kept, y_shift, unit, question.fit_intercept)
        factor = question.loss.stiffness * unit * unit
        penalty = question.penalty if kept is None else question.penalty.at(kept)
        penalty = penalty.rescaled(units.scale * unit, factor)
        return cls(question, seen, units, question.loss.delta / unit, factor, penalty)

    def in_units(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the kept features in the user's units, within their limits."""
        coef, intercept = self.units.to_original(coef, intercept)
        penalty = self.question.penalty
        if penalty.limited:
            penalty = penalty if self.units.kept is None else penalty.at(self.units.kept)
            coef = penalty.within(coef)
        return Coefficients(coef, intercept if self.question.fit_intercept else 0.0)

    def asks(self, point: Coefficients) -> Request:
        """The pass at coefficients in the user's units."""
        return (
            "newton",
            _pieces,
            (self.units, self.delta, point, self.penalty.rest * (self.units.scale * self.units.unit)),
        )

    def proved(self, point: Coefficients, found: Summary) -> _Step:
        """What a pass proves of coefficients in the user's units."""
        coef = point.coef / (self.units.scale * self.units.unit)
        sums = self._sums(found)
        proof = prove_from_sums(self.penalty, coef, sums)
        return _Step(point, coef, proof.objective, proof.gap, proof.relative_gap, sums.squares, found)

    def _sums(self, found: Summary) -> SquareSums:
        sums, n_features = found.sums, self.units.scale.size
        gram, mass = sums["gram"][:-1, :-1], float(sums["gram"][-1, -1])
        intercept = self.question.fit_intercept
        mean = np.zeros(n_features)
        if intercept and mass > 0:
            mean = sums["gram"][-1, :-1] / mass
            gram = gram - mass * np.outer(mean, mean)
        low, high = (
            (part if self.units.kept is None else part[self.units.kept]) for part in (self.seen.low, self.seen.high)
        )
        ends = [np.abs((end - self.units.shift) * self.units.scale - mean) for end in (low, high)]
        curved = Curved(
            mass=mass,
            slope=sums["inner slope"] - mean * sums["inner total"],
            total=float(sums["inner total"]),
            reach=np.maximum(*ends),
            inner=(1.0 - INSIDE) * self.delta,
            end=self.delta,
            beyond=float(sums["beyond"]),
        )
        return SquareSums(
            squares=float(sums["squares"]),
            slope=sums["slope"] - mean * sums["total"],
            total=float(sums["total"]),
            gram=np.ascontiguousarray(gram),
            column_squares=sums["column squares"],
            y_square=2.0 * float(sums["null"]),
            fit_intercept=intercept,
            curved=curved,
        )

    def solution(self, step: _Step, stopped: StopReason, stats: dict[str, float], unique: bool) -> Solution:
        """The coefficients of a step with their proof."""
        return Solution(
            coef=self.units.filled(step.point.coef, self.seen.n_features),
            intercept=step.point.intercept,
            dual=np.zeros(0),
            objective=step.objective * self.factor,
            gap=step.gap * self.factor,
            relative_gap=step.relative_gap,
            unique=unique,
            n_iter=max(int(stats.get("n_newton", 1)), 1),
            stopped=stopped,
            solver="Newton on blocks",
            stats=stats,
        )


@dataclass(frozen=True)
class _Step:
    """Coefficients in the user's units and at unit scale, the proof, and what a pass found there."""

    point: Coefficients
    coef: Array
    objective: float
    gap: float
    relative_gap: float
    squares: float
    found: Summary

    @property
    def is_last(self) -> bool:
        """Whether what is left is rounding."""
        return self.gap <= _LAST * self.squares

    @property
    def is_proved(self) -> bool:
        """Whether the gap is small beside the part of the loss that gross outliers do not dominate."""
        return self.gap <= PROVED_GAP * self.squares


def solve_huber_blocks(question: Question, settings: Settings, seen: Survey) -> Generator[Request, Summary, Solution]:
    """Minimise Huber's loss over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Huber`, with a curved piece that is wider than rounding; any penalty.
    settings
        As for data in memory; `max_iter` is the limit of steps, None for 50.
    seen
        The survey of the same rows.

    Notes
    -----
    1. Solve the sample. Where it is all rows, this is the solution.
    2. A pass sums up, at a point, the gradient and the products of the rows inside the curved piece. They prove the
       point (`_certificate/sums_of_squares.py`), and give the next one: the minimum of the loss with these pieces and
       the penalty. Where the objective rose, half of the step is tried.
    3. Stop where the proved gap is rounding. Where no row changes its piece a step is exact, and each step changes
       few: the number of rows that do falls with the square of the step.
    """
    whole = question.of(seen.sample)
    if seen.is_complete:
        return solve(whole, settings)
    # 1.
    start = solve(whole, settings)
    _, scaling = scaled(whole)
    posed = _Posed.of(question, seen, scaling.y_shift, scaling.unit)
    kept = posed.units.kept
    point = Coefficients(start.coef if kept is None else start.coef[kept], start.intercept)
    best: _Step | None = None
    stopped, stats, length = StopReason.ITERATION_LIMIT, {"n_newton": 0.0}, 1.0
    # 2.
    for _ in range(max(settings.limit(_STEPS), 1)):
        step = posed.proved(point, (yield posed.asks(point)))
        stats["n_newton"] += 1
        rose = best is not None and step.objective > best.objective * (1.0 + ROUNDED) and not step.is_proved
        if best is None or not rose:
            fell = best is None or step.gap <= _FALLS * best.gap
            best = step if best is None or step.gap <= best.gap or not best.is_proved else best
            # 3.
            if best.is_last or (best.is_proved and not fell):
                stopped = StopReason.EXACT
                break
            move, length = _newton(posed, best), 1.0
        else:
            length *= 0.5
            if length < EPS:
                stopped = StopReason.STALLED
                break
        point = _moved(posed, best, move, length)
    assert best is not None
    unique = best.is_proved and _is_unique(posed, best)
    if best.is_proved and not unique and posed.penalty.is_nothing:
        point = _shortest(posed, best)
        step = posed.proved(point, (yield posed.asks(point)))
        best = step if step.is_proved else best
    return posed.solution(best, stopped, stats, unique)


def judged_huber(
    question: Question, seen: Survey, given: Coefficients, best: Solution
) -> Generator[Request, Summary, Solution]:
    """Given coefficients, proved in one pass by their own dual, or by the bound of the best ones."""
    unit = float(np.ldexp(1.0, int(np.frexp(question.loss.delta)[1]))) if isinstance(question.loss, Huber) else 1.0
    posed = _Posed.of(question, seen, 0.0, unit)
    kept = posed.units.kept
    point = Coefficients(given.coef if kept is None else given.coef[kept], given.intercept)
    step = posed.proved(point, (yield posed.asks(point)))
    other = max(step.objective - best.objective / posed.factor, 0.0) + best.gap / posed.factor
    if other < step.gap:
        step = replace(step, gap=other, relative_gap=step.relative_gap * (other / step.gap))
    is_near = step.relative_gap <= PROVED_GAP
    return posed.solution(step, StopReason.GIVEN, {}, best.unique and is_near)


def _newton(posed: _Posed, step: _Step) -> Array:
    """The move, at unit scale with an intercept last, to the minimum of the loss with the pieces of a point."""
    sums, intercept = step.found.sums, posed.question.fit_intercept
    columns = slice(None) if intercept else slice(-1)
    hessian = np.ascontiguousarray(sums["gram"][columns, columns])
    gradient = -np.append(sums["slope"], sums["total"])[columns]
    point = np.append(step.coef, 0.0)[columns]
    if posed.penalty.is_plain:
        move = newton_step(hessian, gradient, point, posed.penalty, _RIDGES, flat=AT_END)
    else:
        move = _penalised_move(hessian, gradient, point, posed.penalty)
    return move if intercept else np.append(move, 0.0)


def _penalised_move(hessian: Array, gradient: Array, point: Array, penalty: ElasticNet) -> Array:
    """The minimum of ``gradient'd + d'Hd / 2 + penalty(point + d)``, as a fit of squares to few rows."""
    n_features = penalty.strength.size
    inner, slope = hessian[:n_features, :n_features], -gradient[:n_features]
    has_border = hessian.shape[0] > n_features and hessian[-1, -1] > 0
    if has_border:
        last = hessian[-1, :n_features]
        inner, slope = inner - np.outer(last, last) / hessian[-1, -1], slope + last * (gradient[-1] / hessian[-1, -1])
    values, vectors = np.linalg.eigh(inner)
    values = np.maximum(values, _RIDGES[0] * max(float(values[-1]), 1e-300))
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


def _moved(posed: _Posed, step: _Step, move: Array, length: float) -> Coefficients:
    """A point on the way of a move, in the user's units: what becomes zero by the whole move is zero exactly."""
    there = step.coef + length * move[:-1]
    change = posed.in_units(there, 0.0).coef - step.point.coef
    moved = posed.in_units(there, 0.0).coef
    # The intercept belongs to shifted columns: theirs moves by what the change of coefficients takes along.
    intercept = step.point.intercept + length * float(move[-1]) * posed.units.unit
    intercept -= float(posed.units.shift @ change)
    return Coefficients(moved, intercept if posed.question.fit_intercept else 0.0)


def _shortest(posed: _Posed, step: _Step) -> Coefficients:
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


def _is_unique(posed: _Posed, step: _Step) -> bool:
    """Whether the rows inside the curved piece determine every coefficient that an optimal dual leaves open."""
    sums, penalty = step.found.sums, posed.penalty
    slope = sums["slope"]
    near = AT_END * max(float(np.abs(slope).max(initial=0.0)), float(penalty.strength.max(initial=0.0)))
    held = penalty.at_kink(step.coef)
    for other in (slope - near, slope + near):
        held &= penalty.nearest_slope(step.coef, other) == other
    n_features = step.coef.size
    open_ones = np.flatnonzero(~held)
    chosen = np.append(open_ones, n_features) if posed.question.fit_intercept else open_ones
    hessian = sums["gram"][np.ix_(chosen, chosen)].copy()
    hessian[np.arange(open_ones.size), np.arange(open_ones.size)] += penalty.ridge[open_ones]
    return not chosen.size or is_regular(hessian)


@np.errstate(over="ignore", invalid="ignore")  # an objective that is not finite is reported
def _pieces(
    place: Place,  # noqa: ARG001
    rows: Rows,
    units: Units,
    delta: float,
    point: Coefficients,
    rest: Array,
) -> Summary:
    """At a point in the user's units: loss, gradient, and the products of the rows inside the curved piece."""
    design, own, weight = units.design(rows), units.own_design(rows), units.weight(rows)
    residual = (rows.y - own.matvec(point.coef) - point.intercept) / units.unit
    residual[weight == 0] = 0.0
    size, clipped = np.abs(residual), np.minimum(np.maximum(residual, -delta), delta)
    inside = np.where(size <= (1.0 - INSIDE) * delta, weight, 0.0)
    dual, part = weight * clipped, inside * residual
    null = np.abs(rows.y - own.matvec(rest) if rest.any() else rows.y) / units.unit
    null[weight == 0] = 0.0
    features = np.arange(units.scale.size)
    found: dict[str, Any] = {
        "squares": float(dual @ clipped),
        "beyond": delta * float(weight @ (size - np.abs(clipped))),
        "slope": design.rmatvec(dual),
        "total": float(dual.sum()),
        "inner slope": design.rmatvec(part),
        "inner total": float(part.sum()),
        "gram": design.gram(inside, features, border=True),
        "column squares": design.curvatures(weight, np.zeros(features.size)),
        "null": float(weight @ Huber(delta).value(null)),
    }
    return Summary(sums=found)
