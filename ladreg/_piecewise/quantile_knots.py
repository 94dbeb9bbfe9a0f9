"""Quantile regression with the same penalty, from one quantile to another: a walk along the knots of the quantile.

The solution is piecewise constant in the quantile (Koenker and d'Orey 1987, doi 10.2307/2347802), with an L1 penalty as
well: what changes with the quantile is linear in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import certify
from ladreg._piecewise.knot_path import NAME, WALKS, distinct, finished, follows_knots, is_only_optimum, settled
from ladreg._piecewise.parametric import Walk
from ladreg._piecewise.ranges import pieces
from ladreg._piecewise.solution_process import is_followed
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._presolve import Scaling, scaled
from ladreg._problem import Coefficients, Pinball, Problem, Settings, Solution, Solver, StopReason
from ladreg._tolerances import EXACT_FIT, PROVED_GAP


def follows_quantiles(problem: Problem, number: int, settings: Settings) -> bool:
    """Whether that number of quantiles with the penalty of `problem` are worth solving by one walk.

    Not where only the rows near each fit are solved, or where exchanges are dear for the number of quantiles. With two
    columns per row or more each single fit would be a walk of its own.
    """
    tuning = settings.tuned(PiecewiseTuning)
    n_rows, n_columns = problem.n_samples, problem.n_features + problem.fit_intercept
    affordable = tuning.walk_entries * min(number - 1, tuning.walk_quantiles)
    return (
        number > 1
        and (n_rows * n_columns <= affordable or n_columns >= 2 * n_rows)
        and follows_knots(problem, np.ones(1), settings)
        and not is_followed(scaled(problem)[0], tuning)
    )


def solve_along_quantiles(
    problems: Iterable[Problem], values: Array, settings: Settings, *, solve: Solver
) -> Iterator[Solution]:
    """Solve problems that differ in their quantile by one walk.

    Parameters
    ----------
    problems
        Problems that share design, target, weights and penalty.
    values
        Their quantiles, which do not fall.
    settings
        Passed to `solve`.
    solve
        The solver for a problem on its own.

    Notes
    -----
    1. Follow the path of the penalty down to the one that is given, at the first quantile; then the quantile. Each
       vertex is certified on its problem.
    2. One that is not the only optimum goes to the canonical one; what is not proved to rounding is solved on its own.
    """
    posed = list(problems)
    found = _vertices_at(posed, values, settings)
    last: Coefficients | None = None
    for problem in posed:
        solution = next(found, None)
        if solution is None or not is_only_optimum(solution):
            solution = finished(problem, solution, settings, solve, last)
        last = solution.coefficients
        yield solution


def _vertices_at(problems: list[Problem], quantiles: Array, settings: Settings) -> Iterator[Solution]:
    """The vertices at quantiles that do not fall, certified; fewer if the walk gets stuck."""
    twin, units = scaled(problems[0])
    walk, k, before = Walk(twin, settings.tuned(PiecewiseTuning)), 0, 0
    for _ in walk.at(np.ones(1)):
        pass
    if walk.is_stuck:
        return
    walk.turn(1.0, float(quantiles[0]))
    for group in walk.at(1.0 - quantiles):
        for coef, dual, n_exchanges in zip(group.coef, group.dual, group.exchanges.tolist(), strict=True):
            yield _certified(problems[k], twin, units, walk, coef, dual, n_exchanges - before)
            k, before = k + 1, n_exchanges


def solve_all_quantiles(
    problem: Problem, high: float, settings: Settings, *, solve: Solver
) -> Iterator[tuple[float, Solution]]:
    """All solutions from the quantile of the problem's loss up to `high`, each with the highest quantile of its range.

    Parameters
    ----------
    problem
        With the loss of the lowest quantile.
    high
        The highest quantile.
    settings, solve
        For a solution that is not proved.

    Notes
    -----
    1. Follow the path of the penalty down to the one that is given. Where the features without penalty fit all rows,
       which leaves no basis to follow, the fit of one quantile is that of all.
    2. Follow the quantile from there.
    3. Each solution is proved in the middle of its range, as `solve_all_knots` does it.
    """
    twin, units = scaled(problem)

    def posed(quantile: float) -> Problem:
        return replace(problem, loss=Pinball(quantile))

    begin = problem.loss.interval()[1]
    last: Coefficients | None = None
    for seed in range(WALKS):
        # 1.
        walk, low = Walk(replace(twin, loss=Pinball(begin)), settings.tuned(PiecewiseTuning), seed), begin
        for _ in walk.at(np.ones(1)):
            pass
        if walk.is_stuck:
            solution = solve(replace(problem, loss=Pinball((low + high) / 2)), settings)
            if solution.objective <= EXACT_FIT * float(problem.weight @ np.abs(problem.y)):
                yield high, solution
                return
            continue
        # 2.
        walk.turn(1.0, low)
        for end, solution in _followed(problem, twin, units, walk, low, high):
            # 3.
            if solution.relative_gap <= PROVED_GAP:
                found = [(end, settled(posed((begin + end) / 2), solution))]
            else:
                found = pieces(posed, begin, end, settings, solve, last)
            begin, last = end, found[-1][1].coefficients
            yield from found
        if not walk.is_stuck:
            return
    raise RuntimeError(f"the quantiles could not be followed beyond {begin:.6g}: pass a list of quantiles to lad_path.")


def _followed(
    problem: Problem, twin: Problem, units: Scaling, walk: Walk, low: float, high: float
) -> Iterator[tuple[float, Solution]]:
    """The vertices from one quantile to another, certified in the middle of their ranges."""
    above, dual, before = 1.0 - low, np.zeros(0), walk.n_exchanges
    for vertex in walk.at(np.array([above])):
        dual = vertex.dual[0]
    for group in walk.knots(1.0 - high):
        np.maximum(group.alphas, 1.0 - high, out=group.alphas)  # a walk that is about to get stuck may go beyond
        for k in distinct(group.alphas, above).tolist():
            below, knot = float(group.alphas[k]), group.dual[k].copy()
            n_exchanges, single = int(group.exchanges[k]), replace(problem, loss=Pinball(1.0 - (above + below) / 2))
            middle = (dual + knot) / 2
            yield 1.0 - below, _certified(single, twin, units, walk, group.coef[k], middle, n_exchanges - before)
            above, dual, before = below, knot, n_exchanges


def _certified(
    problem: Problem, twin: Problem, units: Scaling, walk: Walk, point: Array, dual: Array, n_exchanges: int
) -> Solution:
    """A vertex of a walk along quantiles, certified on the problem as given."""
    scaled_coef = np.zeros(twin.n_features)
    scaled_coef[walk.features] = point[: walk.features.size]
    coef, intercept = units.to_original(scaled_coef, float(point[-1]) if twin.fit_intercept else 0.0)
    return certify(
        problem,
        np.maximum(coef, 0.0) if problem.penalty.positive else coef,
        intercept if problem.fit_intercept else 0.0,
        units.dual_to_original(dual, problem.n_samples),
        n_iter=max(n_exchanges, 1),
        stopped=StopReason.EXACT,
        solver=NAME,
        stats={"n_exchanges": max(n_exchanges, 1)},
    )
