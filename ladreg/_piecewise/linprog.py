"""LAD and quantile regression as a linear program through `scipy.optimize.linprog` (HiGHS): the reference solver.

HiGHS gets the *dual* (Koenker and Bassett 1978, doi 10.2307/1913643): p rows and n bounded columns,

    maximise y'd  subject to  X'd = t,  1'd = 0,  weight * lower <= d <= weight * upper,  |t_j| <= strength_j,

whose marginals are the coefficients. An L1 penalty adds one bounded column t_j per feature; without a penalty t_j = 0.
A limit u of a coefficient adds a column v_j >= 0 to t_j, at the price of ``u v_j``, a lower limit one that is <= 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array, unit_of
from ladreg._certificate import Proof, canonical_optimum, certify, prove, tied_rows
from ladreg._piecewise.row_problem import Iterate
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._presolve import without_rounding
from ladreg._problem import Coefficients, Problem, Settings, Solution, StopReason, Uncertified
from ladreg._tolerances import (
    AT_END,
    DIRECTION,
    FACE_GAP,
    HIGHS,
    INSIDE,
    LEAST_GAP,
    PROVED_GAP,
    ROUNDING_GAP,
    SOLVED,
    SUMMED,
    VERTEX,
)

# Iteration limit of HiGHS: 10,000, and 20 for each row and column. Tables of up to 400,000 numbers took at most one for
# each; where weights differ by 1e22, or a round of refinement has only rounding to remove, its simplex method, interior
# point method and crossover were seen to iterate forever.
_ENDLESS, _ENDLESS_EACH = 10_000, 20
# The largest weight is at most 2^8 in the units of the first LP: sums of duals round by EPS times that, and must be
# known to HiGHS's tolerance of 1e-10. Where it was 1e12, an LP of 10 rows and 2,489 columns took 12 s and failed.
_HEAVIEST = 2.0**8
# Residuals of more than 2^32 are not typical ones, and their largest is the unit: beside costs of 5e12 the presolve of
# HiGHS 1.12 wrote beyond its arrays.
_LARGEST = 2.0**32


@dataclass(frozen=True)
class _Answer:
    """The answer of HiGHS; `coef` is None where HiGHS found no point."""

    coef: Array | None
    intercept: float
    dual: Array
    n_iter: int
    stopped: StopReason


def solve_by_linprog(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Uncertified:
    """Solve a piecewise linear problem at unit scale (see `scaling`) and go to its canonical optimum.

    Parameters
    ----------
    problem
        Loss `Absolute` or `Pinball`.
    settings
        An answer is accepted without another round if it reaches `tol`; `max_iter` is the limit of each call of HiGHS.
    start
        Coefficients to measure residuals from; HiGHS has no warm start, but an LP in small residuals is solved more
        exactly.

    Notes
    -----
    1. Solve the LP; take the dual to the canonical optimum and certify it.
    2. While the gap is more than rounding explains, solve the LP of the rows near the fit again, in residuals scaled up
       (iterative refinement: Gleixner, Steffy and Wolter 2016, doi 10.1287/ijoc.2016.0692), in each unit of weights
       (`_masses`).
    3. The best certified answer is returned; without any, a least-squares fit is.
    """
    small = problem.n_samples * problem.n_features <= settings.tuned(PiecewiseTuning).simplex_entries
    method, options = _options(problem, settings, "highs-ds" if small else "highs-ipm")
    everything = np.arange(problem.n_samples)
    origin = start if start is not None else Coefficients(problem.penalty.rest, 0.0)
    name = f"linprog ({method})"
    # 1.
    masses = _masses(problem)
    answer = _solve_rows(problem, origin, everything, method, options, masses[0])
    n_iter = answer.n_iter
    if answer.coef is None:
        best = _fallback(problem, origin, answer.stopped, name, max(n_iter, 1))
    else:
        best = _finish(problem, answer, n_iter, name)
    # 2.
    stats = {"rows_solved": problem.n_samples, "n_rounds": 1, "n_lp_iter": n_iter}
    best = replace(best, n_iter=max(n_iter, 1), solver=name, stats=stats)
    for mass in masses if answer.coef is not None else ():
        best = refine(problem, settings, best, mass)
    # 3.
    if best.stopped.good and best.relative_gap > settings.tol:
        best = replace(best, stopped=StopReason.STALLED)
    return best.uncertified()


def solve_near_rows(place: Iterate, size: int, settings: Settings, stats: dict[str, float]) -> Uncertified | None:
    """Solve the LP of the `size` rows nearest to a fit, all others held on their sides, until all signs are right.

    Parameters
    ----------
    place
        A fit near the optimum.
    size
        Rows to begin with; those that were held on the wrong side are added.
    settings
        As in `solve_by_linprog`.
    stats
        Counts to add to.

    Returns
    -------
    Uncertified or None
        None where the LP failed, or too many rows were held on the wrong side.
    """
    table, problem = place.table, place.table.problem
    method, options = _options(problem, settings, "highs-ds")
    rows = place.nearest(min(size, problem.n_samples))
    for _ in range(table.tuning.rounds):
        stats["n_rounds"] += 1
        stats["rows_solved"] += rows.size
        answer = _solve_rows(problem, table.split(place.point), rows, method, options)
        stats["n_lp_iter"] += answer.n_iter
        if answer.coef is None:
            return None
        moved = table.predict(table.join(answer.coef, answer.intercept) - place.point)
        stats["n_passes"] += 1
        wrong = np.setdiff1d(place.crossed(moved, VERTEX), rows, assume_unique=True)
        if wrong.size == 0:
            name = f"linprog ({method}) on reduced rows"
            best = _finish(problem, answer, max(int(stats["n_lp_iter"]), 1), name)
            return refine(problem, settings, replace(best, stats=stats)).uncertified()
        if wrong.size > rows.size:
            return None
        rows = np.sort(np.concatenate([rows, wrong]))
    return None


def refine(problem: Problem, settings: Settings, best: Solution, mass: float | None = None) -> Solution:
    """Solve the LP of the rows near a fit again, in residuals scaled up, until the gap is rounding.

    Parameters
    ----------
    problem, settings
        As in `solve_by_linprog`.
    best
        A certified solution; the rows near it must hold those whose side is in doubt.
    mass
        The unit of the weights in the LP; None for the first of `_masses`.
    """
    method, options = _options(problem, settings, "highs-ds")
    stats = {"rows_solved": 0, "n_rounds": 0, "n_lp_iter": 0, **best.stats}
    for _ in range(settings.tuned(PiecewiseTuning).refinements - 1):
        if best.relative_gap <= min(settings.tol, LEAST_GAP) or is_exact(problem, best, best, settings.tol):
            break
        mass = _masses(problem)[0] if mass is None else mass
        rows = _near(problem, best)
        answer = _solve_rows(problem, best.coefficients, rows, method, options, mass)
        stats["n_lp_iter"] += answer.n_iter
        stats["n_rounds"] += 1
        if answer.coef is None:
            break
        found = _finish(problem, answer, best.n_iter + answer.n_iter, f"linprog ({method})")
        if found.gap >= best.gap:
            break
        stats["rows_solved"] = max(stats["rows_solved"], rows.size)
        best = found
    return replace(best, stats=stats)


def _masses(problem: Problem) -> list[float]:
    """Units of the weights in the LP: that of a typical one; before it, if others are far heavier, one nearer to them.

    In the first the LP is solved to the digits of the heaviest rows, in the second to those of a typical row.
    """
    typical, heavy = float(np.median(problem.weight)), float(problem.weight.max(initial=0.0)) / _HEAVIEST
    return [unit_of(heavy), unit_of(typical)] if heavy > typical else [unit_of(typical)]


def most_iterations(n_rows: int, n_columns: int) -> int:
    """An iteration limit of HiGHS that no program reaches which it solves."""
    return _ENDLESS + _ENDLESS_EACH * (n_rows + n_columns)


def _options(problem: Problem, settings: Settings, default: str) -> tuple[str, dict[str, Any]]:
    """The method and the options of scipy.optimize.linprog."""
    options = dict(settings.options)
    method = options.pop("method", None) or default
    if settings.max_iter is not None:
        options.setdefault("maxiter", settings.max_iter)
    options.setdefault("maxiter", most_iterations(problem.n_samples, problem.n_features))
    return method, options


def dual_at(problem: Problem, coef: Array, intercept: float) -> Array | None:
    """The dual that proves given coefficients optimal, for a problem at unit scale; None where they are not.

    The dual is that of the LP of the rows that the coefficients fit exactly.
    """
    rows = tied_rows(problem, coef, intercept, AT_END)
    answer = _solve_rows(problem, Coefficients(coef, intercept), rows, "highs-ds", {})
    if answer.coef is None or prove(problem, coef, intercept, answer.dual).relative_gap > FACE_GAP:
        return None
    return answer.dual


def _near(problem: Problem, solution: Solution) -> NDArray[np.intp]:
    """Rows whose side may still be in doubt: a small residual, or a dual inside its interval."""
    residual = np.abs(problem.residual(solution.coef, solution.intercept))
    lower, upper = problem.loss.interval()
    ratio = solution.dual / problem.weight
    inside = (ratio < upper - AT_END) & (ratio > lower + AT_END)
    doubt: NDArray[np.intp] = np.flatnonzero(inside | (residual <= 1e-4))
    return doubt


def _solve_rows(
    problem: Problem,
    origin: Coefficients,
    rows: NDArray[np.intp],
    method: str,
    options: Mapping[str, Any],
    mass: float | None = None,
) -> _Answer:
    """Solve the LP of the chosen rows for the change from `origin`; every other row keeps the side it has there.

    `mass` is the unit of the weights; None for the unit of a typical one.
    Penalised coefficients that are no rounding, and more than about 16 times as large as the chosen residuals, keep
    their sign, unless all rows are chosen.
    """
    residual = problem.residual(*origin)
    lower, upper = problem.loss.interval()
    dual = problem.weight * np.where(residual > 0, upper, lower)
    dual[rows] = 0.0
    fixed_slope, fixed_sum = problem.design.rmatvec(dual), dual.sum()
    # 1. Scaling: the chosen residuals, and weights in units of `mass`, become numbers near one.
    reach = float(np.abs(residual[rows]).max(initial=0.0))
    unit = unit_of(reach) if rows.size < problem.n_samples or reach > _LARGEST else 1.0
    mass = _masses(problem)[-1] if mass is None else mass
    # 2. Penalised features: one bounded column each, or a fixed slope where the sign of the coefficient is settled.
    strength = problem.penalty.strength
    coef = origin.coef
    few = rows.size < problem.n_samples and not problem.penalty.limited
    settled = (strength > 0) & (np.abs(coef) > max(16 * unit, SOLVED)) if few else np.zeros(coef.size, bool)
    bounded = np.flatnonzero(((strength > 0) | problem.penalty.positive) & ~settled)
    goal = -fixed_slope + np.where(settled, strength * np.sign(coef), 0.0)
    # 3. Assemble: one row per feature, one for the intercept.
    matrix = problem.design.transposed_csc(rows)
    below, above = (np.flatnonzero(np.isfinite(end)) for end in (problem.penalty.lower, problem.penalty.upper))
    every = np.concatenate([bounded, below, above])
    identity = sp.csc_array((-np.ones(every.size), (every, np.arange(every.size))), shape=(coef.size, every.size))
    blocks = [[matrix, identity]]
    if problem.fit_intercept:
        ones = sp.csc_array(np.ones((1, rows.size)))
        blocks.append([ones, sp.csc_array((1, every.size))])
        goal = np.append(goal, -fixed_sum)
    weight = problem.weight[rows] / mass
    slopes = strength[bounded] / mass
    least = np.full(bounded.size, -np.inf) if problem.penalty.positive else -slopes
    low = np.concatenate([lower * weight, least, np.full(below.size, -np.inf), np.zeros(above.size)])
    high = np.concatenate([upper * weight, slopes, np.zeros(below.size), np.full(above.size, np.inf)])
    bounds = np.column_stack([low, high])
    # In the objective to maximise, t_j = X_j'd has the coefficient at `origin` as its factor, less the limit if any.
    held = coef[below] - problem.penalty.lower[below], coef[above] - problem.penalty.upper[above]
    cost = -np.concatenate([residual[rows], coef[bounded], *held]) / unit
    result = _call(cost, sp.csc_array(sp.block_array(blocks)), goal / mass, bounds, method, options)
    if not _usable(result):
        return _Answer(None, 0.0, dual, _iterations(result), _reason(result, options))
    dual[rows] = result.x[: rows.size] * mass
    change = -np.asarray(result.eqlin.marginals) * unit
    intercept = origin.intercept + (float(change[-1]) if problem.fit_intercept else 0.0)
    coef = coef + change[: coef.size]
    coef = problem.penalty.within(coef)  # marginals are multipliers up to a tolerance
    return _Answer(coef, intercept, dual, _iterations(result), StopReason.TOLERANCE)


def _call(
    cost: Array, matrix: sp.csc_array, goal: Array, bounds: Array, method: str, options: Mapping[str, Any]
) -> Any:
    """One call of linprog, repeated with its presolve where it fails without; None where it raised."""
    # HiGHS's presolve was measured to cost more than it saves on this dual.
    choices = [{"presolve": False, **HIGHS, **options}, {**options}]
    linprog: Any = scipy.optimize.linprog
    result = None
    for chosen in choices:
        try:
            result = linprog(cost, A_eq=matrix, b_eq=goal, bounds=bounds, method=method, options=chosen)
        except (TypeError, ValueError, FloatingPointError, RuntimeError):
            if chosen is choices[-1] and options.keys() - {"maxiter"}:
                raise  # the user's own options
            continue
        if result.status == 1 or _usable(result):
            break
    return result


def _usable(result: Any) -> bool:
    """Whether linprog found a point whose numbers are all finite."""
    if result is None or result.x is None or result.status != 0:
        return False
    marginals = getattr(result.get("eqlin"), "marginals", None)
    return marginals is not None and bool(np.isfinite(result.x).all() and np.isfinite(marginals).all())


def _iterations(result: Any) -> int:
    return int(getattr(result, "nit", 0) or 0)


def _reason(result: Any, options: Mapping[str, Any]) -> StopReason:
    if result is None or result.status != 1:
        return StopReason.FAILURE
    if "time_limit" in options and "time" in str(result.message).lower():
        return StopReason.TIME_LIMIT
    return StopReason.ITERATION_LIMIT


def _finish(problem: Problem, answer: _Answer, n_iter: int, name: str) -> Solution:
    """The canonical optimum on the answer's optimal face, or the answer itself where that is better."""
    assert answer.coef is not None
    counts: dict[str, Any] = {"n_iter": n_iter, "solver": name}
    raw = certify(problem, answer.coef, answer.intercept, answer.dual, stopped=answer.stopped, **counts)
    faces, unit = [(AT_END, _rounding(problem, raw))], 1.0 + raw.objective
    # Slopes of nearly equal columns miss their strength by any number: a face that costs more than rounding has one too
    # many there, an empty one has one too few. Where the answer is proved, narrower faces are tried, then a wider one.
    if raw.gap <= PROVED_GAP * unit:
        faces += [(at_end, ROUNDING_GAP * unit) for at_end in (DIRECTION, VERTEX, INSIDE)]
    for at_end, room in faces:
        exact = canonical_optimum(problem, raw.dual, at_end)
        if exact is not None:
            finished = certify(problem, *exact, stopped=StopReason.EXACT, **counts)
            if finished.gap <= raw.gap + room:
                return finished
    coef = without_rounding(problem, raw)
    bare = raw if coef is raw.coef else certify(problem, coef, raw.intercept, raw.dual, stopped=raw.stopped, **counts)
    return bare if raw.unique else replace(bare, stopped=StopReason.NOT_CANONICAL)


def is_exact(problem: Problem, answer: Solution | Uncertified, proof: Solution | Proof, tol: float) -> bool:
    """Whether a canonical optimum at unit scale has no larger gap than `tol` and the last digits of residuals explain.

    Another LP has the same digits.
    """
    if answer.stopped is not StopReason.EXACT or proof.relative_gap > tol:
        return False
    return proof.gap <= _digits(problem, answer, proof.objective)


def _rounding(problem: Problem, raw: Solution) -> float:
    """What rounding costs at unit scale, however small the objective: where coefficients are large, their last digits.

    It is too little to hide the optimal face.
    """
    return max(ROUNDING_GAP * (1.0 + raw.objective), _digits(problem, raw, raw.objective))


def _digits(problem: Problem, answer: Solution | Uncertified, objective: float) -> float:
    """What the last digits of residuals cost, their terms' sizes given; at most what leaves the optimal face seen."""
    terms = problem.design.absolute_matvec(answer.coef) + (abs(answer.intercept) + np.abs(problem.y))
    return min(SUMMED * float(np.abs(answer.dual) @ terms), FACE_GAP * objective)


def _fallback(problem: Problem, origin: Coefficients, stopped: StopReason, name: str, n_iter: int) -> Solution:
    """A finite answer without the LP: the best of least squares, the start and coefficients of zero."""
    everything = np.arange(problem.n_samples)
    root = np.sqrt(problem.weight)[:, None]
    matrix = np.hstack([problem.design.rows(everything), np.ones((everything.size, int(problem.fit_intercept)))])
    null = Coefficients(problem.penalty.rest, problem.null_intercept())
    try:
        point = np.linalg.lstsq(matrix * root, problem.y * root[:, 0], rcond=None)[0]
        squares = Coefficients(point[: problem.n_features], float(point[-1]) if problem.fit_intercept else 0.0)
    except np.linalg.LinAlgError:
        squares = null
    if problem.penalty.positive or problem.penalty.limited or not np.isfinite(squares.coef).all():
        squares = null
    coef, intercept = min((origin, squares, null), key=lambda candidate: problem.objective(*candidate))
    dual = problem.weight * problem.loss.derivative(problem.residual(coef, intercept))
    return certify(problem, coef, intercept, dual, n_iter=n_iter, stopped=stopped, solver=name)
