"""All solutions of quantile regression with the same penalty, from one quantile to another: a walk from knot to knot.

The solution is piecewise constant in the quantile (Koenker and d'Orey 1987, doi 10.2307/2347802), with an L1 penalty as
well: what changes with the quantile is linear in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import certify
from ladreg._piecewise.knot_path import NAME, WALKS, distinct, settled
from ladreg._piecewise.parametric import Walk
from ladreg._piecewise.ranges import pieces
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._presolve import Scaling, scaled
from ladreg._problem import Coefficients, Pinball, Problem, Settings, Solution, Solver, StopReason
from ladreg._tolerances import EXACT_FIT, PROVED_GAP


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
            inside, middle = (above + below) / 2, (dual + knot) / 2
            coef = np.zeros(twin.n_features)
            coef[walk.features] = group.coef[k, : walk.features.size]
            intercept = float(group.coef[k, -1]) if twin.fit_intercept else 0.0
            dual_there = np.clip(middle, 0.0, twin.weight) - inside * twin.weight
            n_exchanges = int(group.exchanges[k])
            single = replace(problem, loss=Pinball(1.0 - inside))
            yield 1.0 - below, _certified(single, units, coef, intercept, dual_there, max(n_exchanges - before, 1))
            above, dual, before = below, knot, n_exchanges


def _certified(
    problem: Problem, units: Scaling, coef: Array, intercept: float, dual: Array, n_exchanges: int
) -> Solution:
    """A vertex at unit scale, certified on the problem as given."""
    coef, intercept = units.to_original(coef, intercept)
    return certify(
        problem,
        np.maximum(coef, 0.0) if problem.penalty.positive else coef,
        intercept if problem.fit_intercept else 0.0,
        units.dual_to_original(dual, problem.n_samples),
        n_iter=n_exchanges,
        stopped=StopReason.EXACT,
        solver=NAME,
        stats={"n_exchanges": n_exchanges},
    )
