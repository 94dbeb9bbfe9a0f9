"""Which engine solves a problem: the only place where a default is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, tee

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import certify, prove
from ladreg._least_squares import solve_tall_lasso
from ladreg._piecewise import (
    dual_at,
    follows_knots,
    follows_quantiles,
    is_bulky,
    on_face,
    solve_all_knots,
    solve_all_quantiles,
    solve_along_knots,
    solve_along_quantiles,
    solve_any_penalty,
    solve_by_cascade,
    solve_by_linprog,
    solve_huber,
    solve_process,
)
from ladreg._presolve import (
    Scaling,
    as_proved,
    clip,
    clip_at,
    generates_columns,
    kept_solution,
    moved_to_origin,
    scaled,
    solve_at_unit_scale,
    solve_by_columns,
    solve_by_other_columns,
    solve_clipped,
    solve_predicted_targets,
    with_stall,
)
from ladreg._problem import Coefficients, Pinball, Problem, Settings, Solution, Solver, StopReason
from ladreg._solvers import alpha_max
from ladreg._tolerances import FACE_GAP, PROVED_GAP, ROUNDING_GAP, SAME_KNOT


def solve(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve a problem by the engine that its loss and the settings ask for.

    Coordinate descent for a square, Newton's method for Huber's loss, the cascade or linprog for a loss with a kink.
    All but coordinate descent solve for few of many penalised features at a time.
    """
    if problem.loss.is_square:
        if problem.penalty.limited:
            return _solve_few_at_once(problem, settings, start)
        found = solve_tall_lasso(problem, settings, start)
        is_open = found.stopped is StopReason.STALLED
        return solve_by_other_columns(problem, settings, found, solve=solve_tall_lasso) if is_open else found
    return solve_clipped(_by_groups(problem), settings, start, solve=solve_near_targets)


def _by_groups(problem: Problem) -> Problem:
    """The problem with a sparse design where X is a dense table of groups."""
    if problem.penalty.limited:
        return problem
    design = problem.design.by_groups(problem.fit_intercept)
    return problem if design is problem.design else replace(problem, design=design)


def solve_near_targets(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve from knot to knot, or for few features at a time, where there are many; targets stay where they are.

    For losses other than a square.
    """
    if not generates_columns(problem, settings):
        return _solve_all_columns(problem, settings, start)
    if settings.solver == "auto" and follows_knots(problem, np.ones(1), settings):
        return next(solve_along_knots([problem], np.ones(1), settings, solve=_solve_few_columns))
    return _solve_few_columns(problem, settings, start)


def _solve_few_at_once(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve a problem with limits or ridges, for few features at a time where there are many."""
    engine = partial(solve_at_unit_scale, engine=solve_any_penalty)
    if generates_columns(problem, settings):
        return solve_by_columns(problem, settings, start, solve=engine)
    return engine(problem, settings, start)


def _solve_few_columns(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve for few features at a time."""
    return solve_by_columns(problem, settings, start, solve=_solve_all_columns)


def _solve_all_columns(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve for all features at once, for a loss that is not a square; for other columns where little is proved."""
    found = _solve_given_columns(problem, settings, start)
    found = solve_predicted_targets(problem, settings, found, solve=_solve_given_columns)
    return solve_by_other_columns(problem, settings, found, solve=_solve_given_columns)


def _solve_given_columns(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve for all features at once, for a loss that is not a square."""
    if not problem.penalty.is_plain:
        return solve_at_unit_scale(problem, settings, start, engine=solve_any_penalty)
    if not problem.loss.has_kink:
        return solve_at_unit_scale(problem, settings, start, engine=solve_huber)
    if settings.solver == "linprog" or (problem.loss.is_piecewise_linear and is_bulky(problem)):
        return solve_at_unit_scale(problem, settings, start, engine=solve_by_linprog)
    return solve_by_cascade(problem, settings, start)


def verify(problem: Problem, coef: Array, intercept: float) -> Solution:
    """Certify given coefficients, from the data alone; far targets on their own side count as near ones."""
    found = kept_solution(clip_at(problem, coef, intercept), np.inf, lambda twin: _judged(twin, coef, intercept))
    if found is not None:
        return found
    solution, far = _judged(problem, coef, intercept), clip(problem)
    return solution if far is None else far.judged(solution, np.inf)


def _judged(problem: Problem, coef: Array, intercept: float) -> Solution:
    dual = recover_dual(problem, coef, intercept)
    return certify(problem, coef, intercept, dual, n_iter=1, stopped=StopReason.GIVEN, solver="verify")


def with_zeros_of(
    problem: Problem, solution: Solution, point: Coefficients, tol: float, most: int | None = None
) -> Solution:
    """The solution with the coefficients of `point`, where it has others than zero that are zero there by rounding.

    It stays as it is where its dual proves less of the point than of its own coefficients, unless more than `most` of
    these are not zero.
    """
    if not np.any((solution.coef != 0) & (point.coef == 0)):
        return solution
    prove_point = partial(
        certify,
        coef=point.coef,
        intercept=point.intercept,
        n_iter=solution.n_iter,
        stopped=solution.stopped,
        solver=solution.solver,
        stats=solution.stats,
        unique=solution.unique,
    )
    clipped, found = clip_at(problem, *point), None
    if clipped is not None:
        there = prove_point(clipped.problem, dual=solution.dual / clipped.total)
        found = clipped.restored(there, tol) if clipped.keeps(there) else None
    found = with_stall(problem, found or prove_point(problem, dual=solution.dual), tol)
    is_over = most is not None and np.count_nonzero(solution.coef) > most
    if not (is_over or found.relative_gap <= max(solution.relative_gap, ROUNDING_GAP)):
        return solution
    return found if problem.loss.is_square else as_proved(found, tol)


def confirm(problem: Problem, settings: Settings, start: Coefficients | None = None, *, found: Solution) -> Solution:
    """The canonical optimum of the face that the dual of `found` describes, where the data prove it.

    Elsewhere, and for losses with a curved piece, limits or ridges, that of `solve` from `start`.
    """
    if not (problem.loss.is_piecewise_linear and problem.penalty.is_plain):
        return solve(problem, settings, start)
    posed = _by_groups(problem)
    clipped = clip(posed)
    if clipped is None:
        solution = on_face(posed, found)
    else:
        solution = on_face(clipped.problem, replace(found, dual=found.dual / clipped.total))
        is_kept = solution is not None and clipped.keeps(solution)
        solution = clipped.restored(solution, settings.tol) if solution is not None and is_kept else None
    if solution is not None and solution.relative_gap <= PROVED_GAP:
        return solution
    return solve(problem, settings, start)


def recover_dual(problem: Problem, coef: Array, intercept: float) -> Array:
    """A dual for given coefficients, from the data alone.

    For a loss that is smooth, as given or at unit scale, these are the residuals' slopes; or the dual of the kink that
    it is at unit scale, if that proves more. For a loss with a kink the dual of the rows that are fitted exactly is
    determined if the coefficients are optimal; if not, the problem is solved for its dual.
    """
    twin, units = scaled(problem)
    if problem.loss.has_kink and twin.loss.has_kink:
        return _dual_of_kink(problem, twin, units, coef, intercept)
    slopes = problem.weight * problem.loss.derivative(problem.residual(coef, intercept))
    gap = prove(problem, coef, intercept, slopes).relative_gap if twin.loss.has_kink else 0.0
    if gap <= ROUNDING_GAP:
        return slopes
    dual = _dual_of_kink(problem, twin, units, coef, intercept)
    return dual if prove(problem, coef, intercept, dual).relative_gap < gap else slopes


def _dual_of_kink(problem: Problem, twin: Problem, units: Scaling, coef: Array, intercept: float) -> Array:
    """A dual of a problem whose twin's loss has a kink, for given coefficients."""
    if twin.loss.is_piecewise_linear and not (problem.penalty.excluded or problem.penalty.curved):
        dual = dual_at(twin, *units.to_scaled(coef, intercept))
        if dual is not None:
            return units.dual_to_original(dual, problem.n_samples)
    return solve(problem, Settings(tol=FACE_GAP), Coefficients(coef, intercept)).dual


def largest_alpha(problem: Problem) -> float:
    """The smallest multiple of the penalty's strengths for which all penalised coefficients are zero."""
    return alpha_max.largest_alpha(problem, solve)


def solve_quantiles(
    problems: Sequence[Problem], settings: Settings, start: tuple[float, Coefficients] | None = None
) -> list[Solution]:
    """Solve problems that differ in their quantiles, by one walk or each from those beside it, in their order.

    `start` is a quantile near the lowest one, and its solution. Problems with penalties of their own are not walked.
    """
    moved = moved_to_origin(problems[0])
    if moved is not None:
        near = None if start is None else (start[0], moved.start(start[1]))
        there = solve_quantiles([moved.like(problem) for problem in problems], settings, near)
        return [moved.restored(one, problem.loss) for one, problem in zip(there, problems, strict=True)]
    values = np.array([problem.loss.interval()[1] for problem in problems])
    order = np.argsort(values, kind="stable")
    penalty, engine = problems[0].penalty, _solve_one_by_one
    if penalty.is_plain:
        same = start is None and all(problem.penalty is penalty for problem in problems)
        walks = same and follows_quantiles(problems[0], values.size, settings)
        engine = solve_along_quantiles if walks else partial(solve_process, start=start)
    found = _solve_in_order((_by_groups(problems[place]) for place in order), values[order], settings, engine)
    solutions = dict(zip(order.tolist(), found, strict=True))
    return [solutions[place] for place in range(len(problems))]


def solve_alphas(problem: Problem, alphas: Array, settings: Settings) -> Iterator[Solution]:
    """Solve a problem whose loss is not a square for multiples of its penalty: from knot to knot, or one by one.

    Parameters
    ----------
    problem
        With the penalty at alpha = 1.
    alphas
        The multiples, decreasing and >= 0.
    settings
        For what cannot be solved from the other solutions.
    """
    moved = moved_to_origin(problem)
    if moved is not None:
        return (moved.restored(one, problem.loss) for one in solve_alphas(moved.problem, alphas, settings))
    problems = (problem.with_penalty(problem.penalty.times(alpha)) for alpha in alphas.tolist())
    engine: Callable[..., Iterator[Solution]]
    if not problem.penalty.is_plain:
        return _solve_in_order(problems, alphas, settings, _solve_one_by_one)
    engine = solve_along_knots if follows_knots(problem, alphas, settings) else partial(solve_process, from_zero=True)
    return _solve_in_order(problems, alphas, settings, engine)


def solve_knots(problem: Problem, end: float, settings: Settings) -> Iterator[tuple[float, Solution]]:
    """All solutions of a path with a piecewise linear loss down to the alpha `end`, above zero.

    Each comes with the lowest alpha of its range.

    Knots are followed with far targets moved near, as far as this changes no solution.
    """
    moved = moved_to_origin(problem)
    if moved is not None:
        for knot, solution in solve_knots(moved.problem, end, settings):
            yield knot, moved.restored(solution, problem.loss)
        return
    if not largest_alpha(problem) > end:  # no penalised coefficient differs from zero
        yield end, solve(problem.with_penalty(problem.penalty.times(end)), settings)
        return
    last, clipped = np.inf, clip(problem)
    found = iter(()) if clipped is None else solve_all_knots(clipped.problem, end, settings, solve=solve)
    for knot, solution in found:
        assert clipped is not None
        inside = 2.0 * knot if np.isinf(last) else (last + knot) / 2  # the alpha of the solution
        twin = clipped.like(problem.with_penalty(problem.penalty.times(inside)))
        if not twin.keeps(solution):
            break
        yield knot, twin.restored(solution, settings.tol)
        last = knot
    if last == np.inf or last > end * (1.0 + SAME_KNOT):
        for knot, solution in solve_all_knots(problem, end, settings, solve=solve):
            if knot < last * (1.0 - SAME_KNOT):
                yield knot, solution


def solve_quantile_knots(problem: Problem, high: float, settings: Settings) -> Iterator[tuple[float, Solution]]:
    """All solutions from the quantile of the problem's loss up to the quantile `high`.

    Each comes with the highest quantile of its range. Far targets are moved near, as `solve_knots` does it.
    """
    last, moved = problem.loss.interval()[1], moved_to_origin(problem)
    if moved is not None:
        for knot, solution in solve_quantile_knots(moved.problem, high, settings):
            yield knot, moved.restored(solution, Pinball((last + knot) / 2))
            last = knot
        return
    clipped = clip(problem)
    found = iter(()) if clipped is None else solve_all_quantiles(clipped.problem, high, settings, solve=solve)
    for knot, solution in found:
        assert clipped is not None
        twin = clipped.like(replace(problem, loss=Pinball((last + knot) / 2)))
        if not twin.keeps(solution):
            break
        yield knot, twin.restored(solution, settings.tol)
        last = knot
    if last < high:
        yield from solve_all_quantiles(replace(problem, loss=Pinball(last)), high, settings, solve=solve)


def _solve_one_by_one(
    problems: Iterable[Problem], values: Array, settings: Settings, *, solve: Solver
) -> Iterator[Solution]:
    """Solve problems each from the solution of the one before."""
    start: Coefficients | None = None
    for problem, _ in zip(problems, values, strict=True):
        solution = solve(problem, settings, start)
        start = solution.coefficients
        yield solution


def _solve_in_order(
    problems: Iterator[Problem],
    values: Array,
    settings: Settings,
    engine: Callable[..., Iterator[Solution]] = solve_process,
) -> Iterator[Solution]:
    """Solve problems that share design, target and weights, by way of their clipped twins.

    A problem whose twin had another optimum is solved on its own.
    """
    first = next(problems)
    problems, clipped = chain([first], problems), clip(first)
    if clipped is None:
        yield from engine(problems, values, settings, solve=solve)
        return
    twins, posed = tee(map(clipped.like, problems))
    found = engine((twin.problem for twin in posed), values, settings, solve=solve)
    for twin, solution in zip(twins, found, strict=True):
        if twin.keeps(solution):
            yield twin.restored(solution, settings.tol)
        else:
            yield solve(twin.original, settings, solution.coefficients)
