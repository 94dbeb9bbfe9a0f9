"""Any loss with limits of coefficients or ridges: the pieces by an interior point method, then a linear system.

The pieces are: which rows are on the loss's kink, on which side the others are (for Huber's loss: which are on its
parabola), and which coefficients are at zero or at a limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._certificate import prove
from ladreg._piecewise import linprog, piece_system, separable, ties
from ladreg._piecewise.near_rows import LIMIT, among_near_rows, near_fit, near_limits, on_all_rows
from ladreg._piecewise.newton_step import newton_step
from ladreg._piecewise.piece_system import PieceSolution, system
from ladreg._piecewise.row_problem import RowProblem
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import Coefficients, Problem, Settings, StopReason, Uncertified
from ladreg._tolerances import LEAST_GAP, NO_RIDGE, PROVED_GAP, ROUNDING_GAP, SUMMED, VERTEX

# Largest number of guesses at the pieces.
_GUESSES = 40
# Largest number of guesses from the pieces of a start; the neighbours of a path are 1 to 3 apart.
_GUESSES_NEAR = 6
# Solve the system of the pieces 3 times for what is left: each solve but the first removes rounding of the last.
_ROUNDS = 3


def solve_any_penalty(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Uncertified:
    """Solve a problem at unit scale (see `scaling`) with any loss and any penalty that excludes no feature.

    Parameters
    ----------
    problem
        The problem; p features take matrices of p x p.
    settings
        `tol` is the relative gap that counts as solved, `max_iter` the limit of interior point steps.
    start
        Coefficients to start from.

    Notes
    -----
    1. Leave out ridges that are nothing at this scale. Take out the features whose limits leave one value, or whose
       strength keeps them at rest: what they cost there would hide all else. Where the others fit every row at rest,
       that is the optimum.
    2. A piecewise linear loss without ridges is a linear program; of many rows the rows near the fit of a sample and
       of Newton steps on all rows are solved, the others held on their sides (see `preprocessing`).
    3. Without kinks of the loss solve the system of the pieces of `start`, if there is one, and correct the pieces
       until they stay. For a squared loss they are those of a lasso on the Gram matrix of all columns.
    4. Where that proves nothing, take the pieces that an interior point method finds on all kinks, of rows and of
       coefficients; of many rows with a piecewise linear loss first on few rows, as in 2. Without kinks of the loss the
       pieces of an answer that is not proved are corrected once more, as those of a start.
    5. Where the optimum is not unique, go to the canonical one.
    """
    # 1.
    if np.any((problem.penalty.ridge > 0) & (problem.penalty.ridge <= NO_RIDGE)):
        problem = replace(problem, penalty=problem.penalty.without_ridges(NO_RIDGE))
    fixed = _is_fixed(problem)
    if fixed.any():
        return _without_fixed(problem, settings, start, fixed)
    residual = problem.at_rest()
    centre = replace(problem, y=residual).null_intercept()
    if not (residual - centre).any():
        rest = problem.penalty.rest.copy()
        return Uncertified(rest, centre, np.zeros(residual.size), 1, StopReason.EXACT, "rest", {})
    # 2.
    table = RowProblem(problem, settings.tuned(PiecewiseTuning))
    if problem.loss.is_piecewise_linear and not problem.penalty.curved:
        return _of_few_rows(table, settings, start) or linprog.solve_by_linprog(problem, settings, start)
    # 3.
    stats = dict.fromkeys(("n_ip_iter", "n_guesses", "rows_solved", "n_passes", "n_rounds"), 0.0)
    if problem.loss.is_square:
        start = _by_gram(table)
    if start is not None and not problem.loss.has_kink:  # too many rows come to a kink and leave it
        best, number = _settled(problem, _pieces_of(problem, start), None, _GUESSES_NEAR)
        limited, stats["n_guesses"] = False, stats["n_guesses"] + number
    # 4.
    if start is None or problem.loss.has_kink or not _is_solved(problem, best, 0.0):
        best, limited = _by_kinks(table, settings, start, stats)
        if not (problem.loss.has_kink or limited or _is_solved(problem, best, settings.tol)):
            near = Coefficients(best.coef, best.intercept)
            other, number = _settled(problem, _pieces_of(problem, near), None, _GUESSES_NEAR)
            best, stats["n_guesses"] = best.better(other), stats["n_guesses"] + number
    # 5.
    best, unique, stopped = piece_system.canonical(problem, best)
    if not _is_solved(problem, best, settings.tol):
        stopped = StopReason.ITERATION_LIMIT if limited else StopReason.STALLED
    n_iter = int(stats["n_ip_iter"] or stats["n_guesses"])
    return Uncertified(best.coef, best.intercept, best.dual, n_iter, stopped, "interior point", stats, unique)


def _by_gram(table: RowProblem) -> Coefficients:
    """The optimum of a squared loss up to the rounding of the Gram matrix of all columns."""
    penalty = table.problem.penalty
    point = table.join(penalty.rest, table.problem.null_intercept())
    point = point + newton_step(table.gram, table.gram @ point - table.linear, point, penalty)
    coef, intercept = table.split(point)
    return Coefficients(penalty.within(coef), intercept)


def _by_kinks(
    table: RowProblem, settings: Settings, start: Coefficients | None, stats: dict[str, float]
) -> tuple[PieceSolution, bool]:
    """Step 4: the answer, and whether the interior point method was ended by its limit."""
    near = near_fit(table, settings, start, stats)
    found = None if near is None else among_near_rows(*near, settings, stats)
    if found is not None:
        best, limited = _guessed(table, found, settings, stats)
        if _is_solved(table.problem, best, settings.tol):
            return best, limited
    return _guessed(table, on_all_rows(table, settings, start), settings, stats)


def _guessed(
    table: RowProblem, found: separable.KinkPoint, settings: Settings, stats: dict[str, float]
) -> tuple[PieceSolution, bool]:
    """The answer of the pieces that the interior point method found, and whether that was ended by its limit."""
    best, number = _settled(table.problem, _first(table, found), _as_it_is(table, found), _GUESSES)
    stats["n_ip_iter"] += found.n_iter
    stats["n_guesses"] += number
    return best, found.n_iter >= settings.limit(LIMIT) and not found.is_optimal


def _of_few_rows(table: RowProblem, settings: Settings, start: Coefficients | None) -> Uncertified | None:
    """Step 2 for many rows; None where rows are few, or the answer is not proved."""
    stats = dict.fromkeys(("rows_solved", "n_passes", "n_rounds", "n_lp_iter", "n_ip_iter"), 0.0)
    near = near_fit(table, settings, start, stats)
    found = None if near is None else linprog.solve_near_rows(*near, settings, stats)
    if found is None:
        return None
    gap = prove(table.problem, found.coef, found.intercept, found.dual).relative_gap
    return found if gap <= max(settings.tol, ROUNDING_GAP) else None


def _is_solved(problem: Problem, best: PieceSolution, tol: float) -> bool:
    """Whether the gap is within `tol` of the objective, or what rounding costs at unit scale.

    Squares may be far below the size of y: their `tol`, and their rounding, are relative to the squares of centred y.
    """
    if best.proof.relative_gap <= max(tol, ROUNDING_GAP):
        return True
    if not problem.loss.is_square:
        return best.proof.gap <= PROVED_GAP
    size = float(problem.weight @ (problem.y - problem.null_intercept()) ** 2)
    return best.proof.gap <= max(tol * size, SUMMED * max(size, float(problem.weight @ problem.null_residual() ** 2)))


def _is_fixed(problem: Problem) -> NDArray[np.bool_]:
    """The features that are at rest in the canonical optimum, whatever the others are: no slope exceeds their strength.

    A slope is at most the largest value of the column times the loss's largest slope.
    """
    lower, upper = problem.penalty.ends
    reach = problem.design.reach()
    ends = problem.loss.interval() if problem.loss.has_bounded_slopes else (-np.inf, np.inf)
    steepest = float(problem.weight.sum()) * max(-ends[0], ends[1])
    most = np.zeros(reach.size)
    np.multiply(reach, steepest, out=most, where=reach > 0)
    return (lower == upper) | (reach == 0) | (problem.penalty.strength > (1.0 + SUMMED) * most)


def _without_fixed(
    problem: Problem, settings: Settings, start: Coefficients | None, fixed: NDArray[np.bool_]
) -> Uncertified:
    """Step 1."""
    values = np.where(fixed, problem.penalty.rest, 0.0)
    others = np.flatnonzero(~fixed)
    y = problem.y - problem.design.matvec(values)
    part = replace(problem, design=problem.design.select(others), y=y, penalty=problem.penalty.at(others))
    near = None if start is None else Coefficients(start.coef[others], start.intercept)
    found = solve_any_penalty(part, settings, near)
    values[others] = found.coef
    return replace(found, coef=values)


@dataclass(frozen=True)
class _Pieces:
    """A guess at the pieces: rows on the kink, sides of all rows, rows on a parabola, features that do not move, the
    sign of the absolute value's slope for the others, and coefficients with those that do not move in their place.
    """

    kinked: Index
    sides: Array
    parabola: NDArray[np.bool_]
    still: NDArray[np.bool_]
    signs: Array
    coef: Array
    intercept: float

    def is_like(self, other: _Pieces) -> bool:
        """Whether both guesses have the same system."""
        return (
            np.array_equal(self.kinked, other.kinked)
            and np.array_equal(self.still, other.still)
            and np.array_equal(self.sides, other.sides)
            and np.array_equal(self.parabola, other.parabola)
            and np.array_equal(self.signs[~self.still], other.signs[~self.still])
            and np.array_equal(self.coef[self.still], other.coef[self.still])
        )


def _first(table: RowProblem, found: separable.KinkPoint) -> _Pieces:
    """The pieces that the interior point method found."""
    problem, loss = table.problem, table.problem.loss
    n_rows = 0 if loss.is_square else problem.n_samples
    coef, intercept = table.split(found.point.copy())
    lower, upper = problem.penalty.ends
    strength = problem.penalty.strength
    kinked = np.flatnonzero((strength > 0) & (lower < 0) & (upper > 0))
    below, above = near_limits(problem)
    at_zero, at_lower, at_upper = np.split(found.reached[n_rows:], np.cumsum([kinked.size, below.size]))
    still = np.zeros(coef.size, dtype=bool)
    for columns, reached, values in (
        (below, at_lower, lower),
        (above, at_upper, upper),
        (kinked, at_zero, np.zeros(coef.size)),
    ):
        chosen = columns[reached]
        coef[chosen], still[chosen] = values[chosen], True
    residual = problem.residual(coef, intercept)
    rows = np.flatnonzero(found.reached[:n_rows]) if loss.has_kink else np.zeros(0, dtype=np.intp)
    sides = np.where(problem.residual(*table.split(found.point)) > 0, 1.0, -1.0)
    signs = np.where(coef < 0, -1.0, 1.0)
    return _Pieces(rows, sides, _on_parabola(problem, residual), still, signs, coef, intercept)


def _pieces_of(problem: Problem, start: Coefficients) -> _Pieces:
    """The pieces of given coefficients, for a loss without kinks."""
    (lower, upper), coef = problem.penalty.ends, problem.penalty.within(start.coef)
    residual = problem.residual(coef, start.intercept)
    still = ((coef == 0) & (problem.penalty.strength > 0)) | (coef <= lower) | (coef >= upper)
    sides, signs = np.where(residual > 0, 1.0, -1.0), np.where(coef < 0, -1.0, 1.0)
    rows = np.zeros(0, dtype=np.intp)
    return _Pieces(rows, sides, _on_parabola(problem, residual), still, signs, coef, start.intercept)


def _on_parabola(problem: Problem, residual: Array) -> NDArray[np.bool_]:
    """Rows at which the loss is curved."""
    loss = problem.loss
    if loss.has_kink or loss.is_square:
        return np.full(residual.size, loss.curvature > 0)
    return np.abs(residual) <= loss.residual_at(np.array(loss.interval()[1]))


def _settled(problem: Problem, pieces: _Pieces, best: PieceSolution | None, limit: int) -> tuple[PieceSolution, int]:
    """The best answer, from guesses at the pieces that are corrected until they stay, and the number of guesses."""
    for number in range(limit):
        coef, intercept, dual, held = _solved(problem, pieces)
        within = problem.penalty.within(coef)
        answer = PieceSolution.of(problem, within, intercept, dual)
        best = answer if best is None or answer.proof.relative_gap <= LEAST_GAP else best.better(answer)
        after = _corrected(problem, pieces, coef, intercept, dual, held)
        if after.is_like(pieces):
            return best, number + 1
        pieces = after
    assert best is not None  # limit is at least 1
    return best, limit


def _as_it_is(table: RowProblem, found: separable.KinkPoint) -> PieceSolution:
    """The answer of the interior point method, at the kinks that its coefficients miss by rounding, if that is proved.

    Coefficients come to a kink from one side and never reach it.
    """
    problem = table.problem
    coef, intercept = table.split(found.point)
    coef = problem.penalty.within(coef)
    first = _with_dual(problem, coef, intercept, found.dual)
    there = _at_kinks(problem, coef)
    if np.array_equal(there, coef):
        return first
    second = _with_dual(problem, there, intercept, found.dual)
    return second if second.proof.relative_gap <= max(first.proof.relative_gap, ROUNDING_GAP) else first


def _with_dual(problem: Problem, coef: Array, intercept: float, held: Array) -> PieceSolution:
    """The answer whose dual is that of its residuals on the curved piece, and `held` on the kinks of rows."""
    dual = problem.loss.curvature * problem.weight * problem.residual(coef, intercept)
    if not problem.loss.is_square:
        dual = dual + held[: problem.n_samples]
    return PieceSolution.of(problem, coef, intercept, dual)


def _at_kinks(problem: Problem, coef: Array) -> Array:
    """The coefficients, at zero or at a limit where rounding parts them from it: so they are in exact arithmetic."""
    penalty, small = problem.penalty, SUMMED * max(float(np.abs(coef).max(initial=0.0)), 1.0)
    for value in (*penalty.ends, np.where(penalty.strength > 0, 0.0, np.inf)):
        coef = np.where(np.abs(coef - value) <= small, value, coef)
    return coef


def _solved(problem: Problem, pieces: _Pieces) -> tuple[Array, float, Array, Array]:
    """The solution of the system of the pieces: coefficients, intercept, dual, and the kink's part of the dual.

    As in `piece_system`, what is left is computed from the data, anew in every round.
    """
    penalty, loss, weight = problem.penalty, problem.loss, problem.weight
    features, border, kinked = np.flatnonzero(~pieces.still), problem.fit_intercept, pieces.kinked
    n_columns = features.size + border
    equations = ties.basis(problem, kinked, features, border) if kinked.size > n_columns else kinked
    rows = problem.design.rows(equations, features, border)
    curved = loss.curvature if loss.has_kink or loss.is_square else loss.smoothness
    hessian = np.zeros((n_columns, n_columns))
    if curved > 0 and n_columns:
        hessian = curved * problem.design.gram(np.where(pieces.parabola, weight, 0.0), features, border)
    hessian[np.arange(features.size), np.arange(features.size)] += penalty.ridge[features]
    solve = system(hessian, rows)
    ends = loss.kink() if loss.has_kink else loss.interval()
    flat = np.where(pieces.sides > 0, ends[1], ends[0]) if not loss.is_square else np.zeros(problem.n_samples)
    coef, intercept, moved = pieces.coef.copy(), pieces.intercept, np.zeros(equations.size)
    for number in range(_ROUNDS + 1):
        residual = problem.residual(coef, intercept)
        if loss.has_kink:
            slopes = loss.curvature * residual + flat
        else:
            slopes = np.where(pieces.parabola, curved * residual, flat)
        slopes[kinked] = loss.curvature * residual[kinked]
        dual = weight * slopes
        smooth = dual[kinked]
        if number == _ROUNDS:
            break
        dual[equations] += moved
        gradient = problem.design.rmatvec_of(features, dual) - penalty.strength[features] * pieces.signs[features]
        gradient = gradient - penalty.ridge[features] * coef[features]
        gradient = np.append(gradient, dual.sum()) if border else gradient
        step, change = solve(gradient, residual[equations])
        if not (np.isfinite(step).all() and np.isfinite(change).all()):
            break
        coef[features] += step[: features.size]
        intercept += float(step[-1]) if border else 0.0
        moved = moved + change
    held = ties.spread(problem, kinked, features, border, np.zeros(kinked.size), equations, moved)
    coef = np.where(pieces.still, coef, _at_kinks(problem, coef))
    dual[kinked] = smooth + np.clip(held, ends[0] * weight[kinked], ends[1] * weight[kinked])
    return coef, intercept, dual, held


def _corrected(problem: Problem, pieces: _Pieces, coef: Array, intercept: float, dual: Array, held: Array) -> _Pieces:
    """The pieces without what the solution of their system contradicts."""
    penalty, loss = problem.penalty, problem.loss
    lower, upper = penalty.ends
    residual = problem.residual(coef, intercept)
    sides, kinked = pieces.sides.copy(), pieces.kinked
    if loss.has_kink:
        low, high = loss.kink()
        weight = problem.weight[kinked]
        stays = (held >= low * weight) & (held <= high * weight)
        sides[kinked[~stays]] = np.sign(held[~stays])
        crossed = sides * residual < 0
        crossed[kinked] = False
        kinked = np.union1d(kinked[stays], np.flatnonzero(crossed))
    elif not loss.is_square:
        sides = np.where(residual > 0, 1.0, -1.0)
    # Coefficients that moved past a kink of the penalty stop there.
    turned = ~pieces.still & (penalty.strength > 0) & (pieces.signs * coef < 0)
    after = penalty.within(np.where(turned, 0.0, coef))
    at_limit = (after <= lower) | (after >= upper)
    stopped = ~pieces.still & (turned | at_limit | ((after == 0) & (penalty.strength > 0)))
    # Coefficients at a kink whose slope is beyond the kink's ends leave it.
    slope = problem.design.rmatvec(dual) - penalty.ridge * after
    rounding = VERTEX * problem.design.reach()
    above, below = np.where(after < 0, -1.0, 1.0), np.where(after > 0, 1.0, -1.0)
    rises = pieces.still & (after < upper) & (slope > above * penalty.strength + rounding)
    falls = pieces.still & (after > lower) & (slope < below * penalty.strength - rounding)
    still = (pieces.still | stopped) & ~(rises | falls)
    signs = np.where(rises, above, np.where(falls, below, pieces.signs))
    return _Pieces(kinked, sides, _on_parabola(problem, residual), still, signs, after, intercept)
