"""Huber's loss by Newton's method: with the piece of each residual held, the problem is a lasso in few columns.

The method is finite (Madsen and Nielsen 1990, BIT 30, 682-699): where no residual changes its piece, the step is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._design import BlockGram
from ladreg._piecewise import cascade, piece_system, preprocessing
from ladreg._piecewise.newton_step import newton_step
from ladreg._piecewise.piece_system import PieceSolution
from ladreg._piecewise.row_problem import RowProblem
from ladreg._piecewise.small_newton import solve_small_table
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._presolve import clip, solve_clipped
from ladreg._problem import (
    Absolute,
    Coefficients,
    ElasticNet,
    Huber,
    Problem,
    Settings,
    Solution,
    StopReason,
    Uncertified,
)
from ladreg._tolerances import ROUNDED, ROUNDING_GAP, SUMMED

# Ridges to try in turn, as fractions of the diagonal: they keep the step short where few rows are on the curved piece.
_RIDGES = (1e-12, 1e-8, 1e-4, 1e-2)
# Take the full step if the objective falls by at least 1e-4 times the decrease that its slope predicts (Armijo).
_KEPT = 1e-4
# Slopes that a line search looks at, at most.
_LINE = 30
# It ends where the slope is at most 1e-9 of that at the beginning.
_FLAT = 1e-9
# Multiples of the curved piece's end that are solved in turn, before the end itself (step 4).
_WIDER = (1e6, 1e4, 1e3, 1e2, 30.0, 10.0, 3.0)
# Stop at an objective of at most 1e-28: that is rounding, at unit scale.
_NOTHING = 1e-28


def solve_huber(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Uncertified:
    """Minimise Huber's loss at unit scale (see `scaling`).

    Parameters
    ----------
    problem
        Loss `Huber`, or `Absolute` in its place.
    settings
        `tol` is the relative gap above which step 4 follows; `max_iter` is the limit of Newton steps, None for 200.
    start
        Coefficients that may be near the optimum.

    Notes
    -----
    1. Start from the fit by absolute values; of many rows, solve a sample first.
    2. Newton steps: the Gram matrix of the rows on the curved piece, kept up to date by the rows that enter and leave
       it; a step of the penalised model; a line search where it does not descend enough.
    3. Stop where no row changes its piece, and solve the system of the pieces to rounding.
    4. Where the gap is still above `tol`, follow the optimum from losses that are curved farther out.
    """
    if problem.loss.has_kink:  # the curved piece is lost in rounding
        return cascade.solve_by_cascade(problem, settings, start).uncertified()
    small = solve_small_table(problem, settings, start)
    if small is not None:
        return small
    limit = settings.limit(200)
    stats: dict[str, float] = {"n_newton": 0, "n_passes": 0}
    table = RowProblem(problem, settings.tuned(PiecewiseTuning))
    # 1.
    hessian = None
    if start is None or _samples(table):
        start, hessian = _first(table, start, settings, limit, stats)
    # 2. and 3.
    found, stopped = _solved(table, start, hessian, limit, stats)
    if stopped.good and found.proof.relative_gap > settings.tol:
        # 4.
        found, stopped = _continued(table, found, limit, stats)
    found, unique, stopped = piece_system.canonical(problem, found, stopped)
    if stopped.good and found.proof.relative_gap > settings.tol:
        stopped = StopReason.STALLED
    n_iter = max(int(stats["n_newton"]), 1)
    return Uncertified(found.coef, found.intercept, found.dual, n_iter, stopped, "Newton", stats, unique)


def _solved(
    table: RowProblem, start: Coefficients, hessian: Array | None, limit: int, stats: dict[str, float]
) -> tuple[PieceSolution, StopReason]:
    """Steps 2 and 3."""
    problem = table.problem
    place = _HuberIterate(table, table.join(*start), stats)
    stopped = _descend(place, hessian, limit)
    gram = place.gram()

    def part(columns: Index, kinked: Index) -> Array | BlockGram:  # noqa: ARG001 - no row is on a kink
        return gram.of(columns) if isinstance(gram, BlockGram) else gram[np.ix_(columns, columns)]

    pieces = piece_system.Pieces(part, np.zeros(0, np.intp), place.active())
    found = piece_system.settled(problem, pieces, *table.split(place.point))
    if found.proof.relative_gap > ROUNDING_GAP:
        found = found.better(PieceSolution.of(problem, *table.split(place.point), place.dual()))
    return found, stopped


def _continued(
    table: RowProblem, found: PieceSolution, limit: int, stats: dict[str, float]
) -> tuple[PieceSolution, StopReason]:
    """Step 4."""
    problem = table.problem
    delta = problem.loss.residual_at(np.array(problem.loss.interval()[1]))
    start = Coefficients(found.coef, found.intercept)
    for wider in (*_WIDER, 1.0):
        loss = Huber(float(delta) * wider, problem.loss.smoothness)
        part = RowProblem(replace(problem, loss=loss), table.tuning)
        other, stopped = _solved(part, start, None, limit, stats)
        start = Coefficients(other.coef, other.intercept)
    return found.better(other), stopped


def _first(
    table: RowProblem, start: Coefficients | None, settings: Settings, limit: int, stats: dict[str, float]
) -> tuple[Coefficients, Array | None]:
    """Step 1: where to start, and the Hessian of a sample there, if one was solved."""
    problem = table.problem
    if _samples(table):
        part = table.sample(table.tuning.huber_sample)
        near = start if start is not None else _first(part, None, settings, limit, stats)[0]
        place = _HuberIterate(part, part.join(*near), {"n_newton": 0, "n_passes": 0})
        _descend(place, None, limit)
        return table.split(place.point), place.dense_gram()
    upper = problem.loss.interval()[1]
    penalty = ElasticNet(problem.penalty.strength / upper, problem.penalty.positive)
    absolute = replace(problem, loss=Absolute(), penalty=penalty)
    found = _by_absolute_values(absolute, replace(settings, max_iter=None))
    # Where all rows can be fitted exactly, one least-squares step finds that fit.
    square = _HuberIterate(table, np.zeros(table.n_columns), {"n_passes": 0})
    step = newton_step(
        square.hessian(problem.weight),
        -table.backward(problem.weight * square.residual) * problem.loss.smoothness,
        square.point,
        problem.penalty,
        _RIDGES,
        flat=SUMMED,
    )
    starts = [table.split(step), Coefficients(found.coef, found.intercept)]
    return min(starts, key=lambda start: problem.objective(*start)), None


def _by_absolute_values(absolute: Problem, settings: Settings) -> Solution | Uncertified:
    """The fit by absolute values; where weights dwarf the others, these are lowered: light rows are fitted as well."""
    clipped = clip(absolute)
    if clipped is not None and clipped.heavy.size:
        return solve_clipped(absolute, settings, solve=cascade.solve_by_cascade)
    return preprocessing.solve_reduced(absolute, settings)


def _samples(table: RowProblem) -> bool:
    """Whether a sample of the rows is solved first: not of tables of groups, of some of which it would have no row."""
    return not table.has_blocks and table.problem.n_samples > table.tuning.huber_many * table.tuning.huber_sample


class _HuberIterate:
    """Coefficients and what follows from them: residuals, pieces, and the Gram matrix of the rows that are curved."""

    def __init__(self, table: RowProblem, point: Array, stats: dict[str, float]) -> None:
        self.table, self.problem, self.stats = table, table.problem, stats
        self.in_blocks = table.has_blocks
        self._gram: tuple[Array, NDArray[np.bool_]] | None = None
        self.move_to(point)

    def move_to(self, point: Array, residual: Array | None = None) -> None:
        """Go to a point, whose residuals may be known."""
        self.point, self.reaches = point, False
        self.residual = self.problem.residual(*self.table.split(point)) if residual is None else residual
        self.slopes = self.problem.loss.derivative(self.residual)
        self.stats["n_passes"] += residual is None

    def dual(self) -> Array:
        """The dual of the residuals: the slopes of their losses times their weights."""
        return self.problem.weight * self.slopes

    def gradient(self) -> Array:
        """Gradient of the loss, one entry per column."""
        self.stats["n_passes"] += 1
        return -self.table.backward(self.dual())

    def curved(self, residual: Array) -> NDArray[np.bool_]:
        """Rows on the curved piece."""
        return np.abs(residual) <= self.problem.loss.residual_at(np.array(self.problem.loss.interval()[1]))

    def value(self, point: Array, residual: Array) -> float:
        """The objective."""
        coef = self.table.split(point)[0]
        return float(self.problem.weight @ self.problem.loss.value(residual)) + self.problem.penalty.value(coef)

    def gram(self) -> Array | BlockGram:
        """Hessian of the loss, by blocks where the table has groups."""
        if not self.in_blocks:
            return self.dense_gram()
        gram = self.hessian(np.where(self.curved(self.residual), self.problem.weight, 0.0))
        assert isinstance(gram, BlockGram)
        empty = gram.diagonal == 0
        return gram.plus(gram.separate[empty], self._reaching(gram.separate, empty)) if empty.any() else gram

    def hessian(self, weight: Array) -> Array | BlockGram:
        """Hessian of the loss where the curved rows have these weights, all others zero."""
        problem = self.problem
        if not self.in_blocks:
            return self.weighted(weight)
        return problem.design.block_gram(problem.loss.smoothness * weight, problem.fit_intercept)

    def _reaching(self, separate: Index, empty: NDArray[np.bool_]) -> Array:
        """Curvatures for groups without curved rows: a step goes to the nearest row that the gradient pulls towards, or
        to a coefficient of zero.

        Where any does, `reaches` is true: the model is not that of the loss, and its step not exact.
        """
        problem, dual = self.problem, self.dual()
        group, value, _ = problem.design.block_rows(np.arange(problem.n_samples), problem.fit_intercept)
        rows = np.flatnonzero((group >= 0) & empty[group])
        own, value, residual = group[rows], value[rows], self.residual[rows]
        slope = np.bincount(own, value * dual[rows], minlength=empty.size)
        pull = self._beyond_penalty(separate, slope.astype(np.float64))
        size = np.bincount(own, np.abs(value * dual[rows]), minlength=empty.size)
        nearer = residual * value * pull[own] > 0
        coef = self.point[separate]
        distance = np.where(problem.penalty.kinked[separate] & (coef * pull < 0), np.abs(coef), np.inf)
        np.minimum.at(distance, own[nearer], np.abs(residual[nearer] / value[nearer]))
        moves = (np.abs(pull) > ROUNDED * size) & np.isfinite(distance) & (distance > 0)
        self.reaches = bool(moves[empty].any())
        return np.divide(np.abs(pull), distance, out=np.ones_like(distance), where=moves)[empty]

    def _beyond_penalty(self, features: Index, slope: Array) -> Array:
        """What the penalty leaves of the slopes of minus the loss."""
        coef, penalty = self.point[features], self.problem.penalty
        strength = penalty.strength[features]
        at_zero = np.sign(slope) * np.maximum(penalty.excess(slope) - strength, 0.0)
        return np.where(coef == 0, at_zero, slope - strength * np.sign(coef))

    def dense_gram(self) -> Array:
        """Hessian of the loss; only the rows that changed their piece are read again."""
        curved = self.curved(self.residual)
        if self._gram is None:
            self._gram = self.weighted(np.where(curved, self.problem.weight, 0.0)), curved
        known, before = self._gram
        entered, left = np.flatnonzero(curved & ~before), np.flatnonzero(before & ~curved)
        if entered.size + left.size:
            change = np.zeros(curved.size)
            change[entered] = self.problem.weight[entered]
            known = known + self.weighted(change)
            change[entered] = 0.0
            change[left] = self.problem.weight[left]
            known = known - self.weighted(change)
            self._gram = known, curved
        return known

    def weighted(self, weight: Array) -> Array:
        """The dense `hessian`."""
        problem = self.problem
        gram = problem.design.gram(weight, np.arange(problem.n_features), problem.fit_intercept)
        return problem.loss.smoothness * gram

    def active(self) -> Index:
        """Columns that are not zero or not penalised."""
        zero = self.table.penalised[self.point[self.table.penalised] == 0]
        return np.setdiff1d(np.arange(self.table.n_columns), zero, assume_unique=True)


def _descend(place: _HuberIterate, hessian: Array | None, limit: int) -> StopReason:
    """Step 2; `hessian`, if given, is used for the first steps."""
    problem, table = place.problem, place.table
    value = place.value(place.point, place.residual)
    ridge = 0
    for _ in range(limit):
        place.stats["n_newton"] += 1
        exact = hessian is None
        model = place.gram() if hessian is None else hessian
        before = place.curved(place.residual)
        flat = SUMMED if exact and before.all() else 0.0
        step = newton_step(model, place.gradient(), place.point, problem.penalty, _RIDGES[ridge:], flat=flat)
        moved = table.predict(step)
        place.stats["n_passes"] += 1
        length, after = _length(place, step, moved, value)
        if length == 0.0:
            if exact and ridge + 1 >= len(_RIDGES):
                return StopReason.TOLERANCE
            ridge, hessian = ridge + exact, None
            continue
        residual = place.residual - length * moved
        point = place.point + length * step
        changed = int(np.count_nonzero(before != place.curved(residual)))
        same = exact and length == 1.0 and not changed and not place.reaches
        settled_here = same and not np.any((place.residual > 0) != (residual > 0), where=~before)
        gained = value - after
        place.move_to(point, residual)
        value = after
        if settled_here:
            return StopReason.EXACT
        # Replace the sample's Hessian once at most 8 rows per column change pieces, or the gain is small.
        if not exact and (changed <= 8 * table.n_columns or gained <= 1e-6 * value):
            hessian = None
        if exact and (gained <= ROUNDED * value or value <= _NOTHING):
            return StopReason.TOLERANCE
    return StopReason.ITERATION_LIMIT


def _length(place: _HuberIterate, step: Array, moved: Array, value: float) -> tuple[float, float]:
    """The step length and the objective there: 1 if that descends enough, else the minimum along the step."""

    def at(length: float) -> float:
        return place.value(place.point + length * step, place.residual - length * moved)

    full = at(1.0)
    promise = _slope(place, step, moved, 0.0)
    if not promise < 0:
        return 0.0, value
    if full <= value + _KEPT * promise:
        return 1.0, full
    length = _stationary(lambda length: _slope(place, step, moved, length), promise)
    best = at(length)
    return (length, best) if best < value else (0.0, value)


def _stationary(slope: Callable[[float], float], first: float) -> float:
    """The length in (0, 1] where a rising slope, `first` at 0, changes its sign; 1 if it does not.

    False position with the Illinois rule (Dowell and Jarratt 1971, doi 10.1007/BF01934364): exact once both ends are
    on the linear piece of the root.
    """
    low, high, under, over = 0.0, 1.0, first, slope(1.0)
    if not over > 0:
        return 1.0
    kept = 0
    for _ in range(_LINE):
        middle = low - under * (high - low) / (over - under)
        found = slope(middle)
        if abs(found) <= -_FLAT * first or not low < middle < high:
            return middle
        if found < 0:
            low, under, over, kept = middle, found, over / 2 if kept < 0 else over, -1
        else:
            high, over, under, kept = middle, found, under / 2 if kept > 0 else under, 1
    return low


def _slope(place: _HuberIterate, step: Array, moved: Array, length: float) -> float:
    """One-sided derivative of the objective along a step, `length` times the step away."""
    slopes = place.problem.loss.derivative(place.residual - length * moved)
    loss = float((place.problem.weight * slopes) @ moved)
    return place.table.cost(place.point + length * step, step) - loss
