"""One pass of Huber's loss over rows in blocks: what it asks of them at coefficients, and what it proves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array, exact_dot
from ladreg._certificate import Curved, SquareSums, prove_from_sums
from ladreg._from_blocks.far_targets import FarTargets
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._presolve import typical
from ladreg._problem import Coefficients, ElasticNet, Huber, Solution, StopReason
from ladreg._row_blocks import Place, Rows, Summary
from ladreg._tolerances import INSIDE, PROVED_GAP, ROUNDED

# A step is the last where the gap is at most 1e-22 of the squares: coefficients then have eleven digits.
_LAST = 1e-22


@dataclass(frozen=True)
class HuberSolution(Solution):
    """A solution of Huber's loss whose dual is clipped residuals at ``coef + lean[:-1]`` and ``intercept + lean[-1]``.

    Where the curved piece is narrow beside y, coefficients of 16 digits do not have those that the dual needs.
    """

    lean: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def best(self) -> Coefficients:
        """The coefficients that the dual belongs to."""
        return Coefficients(self.coef + self.lean[:-1], float(self.intercept + self.lean[-1]))


@dataclass(frozen=True)
class PosedHuber:
    """A question at unit scale: the loss is ``factor`` times Huber's loss of slope one.

    The loss of residuals above `far` in size, of gross outliers, is no measure of what is proved of other rows.
    """

    question: Question
    seen: Survey
    units: Units
    delta: float
    far: float
    factor: float
    penalty: ElasticNet

    @classmethod
    def of(cls, question: Question, seen: Survey, unit: float, near: Coefficients) -> PosedHuber:
        """The question in units of `unit`, a power of two; coefficients `near` the fit tell which residuals are far."""
        assert isinstance(question.loss, Huber)
        whole, delta = question.of(seen.sample), question.loss.delta / unit
        targets = FarTargets.of(whole.y, whole.weight, whole.residual(*near), near)
        far = np.inf if targets is None else max(targets.near / unit, delta)
        finite = np.isfinite(question.penalty.strength)
        kept = None if finite.all() else np.flatnonzero(finite)
        y_shift = typical(whole.y) if question.fit_intercept else 0.0
        units = Units.of(seen, kept, y_shift, unit, question.fit_intercept)
        factor = question.loss.stiffness * unit * unit
        penalty = question.penalty if kept is None else question.penalty.at(kept)
        penalty = penalty.rescaled(units.scale * unit, factor)
        return cls(question, seen, units, delta, far, factor, penalty)

    def in_units(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the kept features in the user's units, within their limits."""
        coef, intercept = self.units.to_original(coef, intercept)
        penalty = self.question.penalty
        if penalty.limited:
            penalty = penalty if self.units.kept is None else penalty.at(self.units.kept)
            coef = penalty.within(coef)
        return Coefficients(coef, intercept if self.question.fit_intercept else 0.0)

    def of_kept(self, given: Coefficients) -> Coefficients:
        """The coefficients of the kept features in the user's units."""
        kept = self.units.kept
        return Coefficients(given.coef if kept is None else given.coef[kept], given.intercept)

    def lean_of(self, change: Array) -> Array:
        """A change of kept coefficients, and of the intercept, at unit scale, where the intercept is another one."""
        units = self.units
        level = exact_dot(units.shift, change[:-1], change[-1]) / units.unit
        return np.append(change[:-1] / (units.scale * units.unit), level)

    @property
    def reach(self) -> Array:
        """The largest size of a number of each column, and of the intercept's, at unit scale."""
        return np.append(np.maximum(*self.ends(0.0)), 1.0)

    def visible(self, lean: Array) -> Array:
        """A lean, or zero where it moves no dual by more than rounding: it costs one more product with X."""
        return lean if self.reach @ np.abs(lean) > ROUNDED * self.delta else np.zeros(lean.size)

    def asks(self, point: Coefficients, lean: Array) -> Request:
        """The pass at coefficients in the user's units, and a dual at coefficients that differ by `lean`."""
        rest = self.penalty.rest * (self.units.scale * self.units.unit)
        return "newton", _pieces, (self.units, (self.delta, self.far), point, lean, rest)

    def proved(self, point: Coefficients, lean: Array, found: Summary) -> HuberStep:
        """What a pass proves of coefficients in the user's units."""
        coef = self.units.kept_to_scaled(point).coef
        sums = self._sums(found)
        proof = prove_from_sums(self.penalty, coef, sums)
        size = float(found.sums["ordinary"])
        return HuberStep(point, lean, coef, proof.objective, proof.gap, proof.relative_gap, sums.squares, size, found)

    def ends(self, mean: Array | float) -> list[Array]:
        """How far the least and the largest number of each column are from a mean, at unit scale."""
        units = self.units
        ends = [part if units.kept is None else part[units.kept] for part in (self.seen.low, self.seen.high)]
        return [np.abs((end - units.shift) * units.scale - mean) for end in ends]

    def _sums(self, found: Summary) -> SquareSums:
        sums, n_features = found.sums, self.units.scale.size
        gram, mass = sums["gram"][:-1, :-1], float(sums["gram"][-1, -1])
        intercept = self.question.fit_intercept
        mean = np.zeros(n_features)
        if intercept and mass > 0:
            mean = sums["gram"][-1, :-1] / mass
            gram = gram - mass * np.outer(mean, mean)
        curved = Curved(
            loss=float(sums["loss"]),
            mass=mass,
            slope=sums["inner slope"] - mean * sums["inner total"],
            total=float(sums["inner total"]),
            off_slope=sums["off slope"] - mean * sums["off total"],
            off_total=float(sums["off total"]),
            reach=np.maximum(*self.ends(mean)),
            inner=(1.0 - INSIDE) * self.delta,
            end=self.delta,
            beyond=float(sums["beyond"]),
            apart=float(sums["apart"]),
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

    @staticmethod
    def unproved(step: HuberStep) -> HuberStep:
        """A step of which nothing is proved but that no objective is below zero."""
        relative = step.relative_gap * (step.objective / step.gap) if step.gap > 0 else 1.0
        return replace(step, gap=step.objective, relative_gap=relative)

    def bounded(self, step: HuberStep, other: Solution) -> HuberStep:
        """A step with the bound that is proved by another solution of the question, if that is larger.

        Rounding of either objective is in their difference.
        """
        apart = max(step.objective - other.objective / self.factor, 0.0) + ROUNDED * step.objective
        gap = apart + other.gap / self.factor
        if not gap < step.gap:
            return step
        return replace(step, gap=gap, relative_gap=step.relative_gap * (gap / step.gap))

    def solution(self, step: HuberStep, stopped: StopReason, stats: dict[str, float], unique: bool) -> HuberSolution:
        """The coefficients of a step with their proof."""
        lean = step.lean[:-1] * self.units.scale * self.units.unit
        level = step.lean[-1] * self.units.unit - float(self.units.shift @ lean)
        return HuberSolution(
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
            lean=np.append(self.units.filled(lean, self.seen.n_features), level),
        )


@dataclass(frozen=True)
class HuberStep:
    """Coefficients in the user's units and at unit scale, the proof, and what a pass found there.

    The dual is that of coefficients that differ by `lean`, at unit scale; `size` is the loss without gross outliers.
    """

    point: Coefficients
    lean: Array
    coef: Array
    objective: float
    gap: float
    relative_gap: float
    squares: float
    size: float
    found: Summary

    @property
    def is_last(self) -> bool:
        """Whether what is left is rounding."""
        return self.gap <= _LAST * self.squares

    @property
    def is_proved(self) -> bool:
        """Whether the gap is small beside the loss of the rows that are no gross outliers."""
        return self.gap <= PROVED_GAP * self.size


@np.errstate(over="ignore", invalid="ignore")  # an objective that is not finite is reported
def _pieces(
    place: Place,  # noqa: ARG001
    rows: Rows,
    units: Units,
    ends: tuple[float, float],
    point: Coefficients,
    lean: Array,
    rest: Array,
) -> Summary:
    """At a point in the user's units: loss, gradient, and the products of the rows inside the curved piece, all scaled.

    All but the loss are those of a point that differs by `lean` at unit scale, which the dual belongs to.
    """
    design, own, weight, (delta, far) = units.design(rows), units.own_design(rows), units.weight(rows), ends
    residual = units.residual(rows, point) / units.unit
    residual[weight == 0] = 0.0
    size = np.abs(residual)
    inner = np.minimum(size, delta)
    leant = residual
    if lean.any():
        leant = residual - design.matvec(lean[:-1]) - lean[-1]
        leant[weight == 0] = 0.0
    clipped = np.minimum(np.maximum(leant, -delta), delta)
    inside = np.where(np.abs(leant) <= (1.0 - INSIDE) * delta, weight, 0.0)
    dual, part, away = weight * clipped, inside * clipped, residual - clipped
    off = inside * away
    null = np.abs(rows.y - own.matvec(rest) if rest.any() else rows.y) / units.unit
    null[weight == 0] = 0.0
    features = np.arange(units.scale.size)
    found: dict[str, Any] = {
        "squares": float(dual @ clipped),
        "loss": 0.5 * float(weight @ (inner * inner)) + delta * float(weight @ (size - inner)),
        "ordinary": 0.5 * float(weight @ (inner * inner)) + delta * float(weight @ (np.minimum(size, far) - inner)),
        "beyond": float(dual @ away),
        "apart": float(weight @ Huber(delta).fenchel_young(residual, clipped)) if lean.any() else 0.0,
        "slope": design.rmatvec(dual),
        "total": float(dual.sum()),
        "inner slope": design.rmatvec(part),
        "inner total": float(part.sum()),
        "off slope": design.rmatvec(off) if lean.any() else np.zeros(features.size),
        "off total": float(off.sum()),
        "gram": design.gram(inside, features, border=True),
        "column squares": design.curvatures(weight, np.zeros(features.size)),
        "null": float(weight @ Huber(delta).value(null)),
    }
    return Summary(sums=found)
