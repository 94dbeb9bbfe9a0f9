"""A cascade of solvers from the fastest to the most reliable: the first answer that its certificate proves is taken."""

from __future__ import annotations

from dataclasses import replace

from ladreg._certificate import canonical_optimum, certify, is_unique, prove
from ladreg._least_squares import solve_lasso
from ladreg._piecewise import linprog, preprocessing
from ladreg._piecewise.any_penalty import solve_any_penalty
from ladreg._piecewise.interpolation import interpolant
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._piecewise.vertices import solve_vertex
from ladreg._presolve import Scaling, certified, merged_rows, scaled, solve_at_unit_scale
from ladreg._problem import Coefficients, Problem, Settings, Solution, StopReason, Uncertified
from ladreg._tolerances import PROVED_GAP


def solve_by_cascade(problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
    """Solve a problem whose loss has a kink, with more rows than unpenalised columns.

    Parameters
    ----------
    problem
        Loss `Absolute`, `Pinball` or `Combined`.
    settings
        The last rung must reach `tol`; `max_iter` is the limit of each rung.
    start
        Coefficients that may be near the optimum.

    Notes
    -----
    0. A simplex method in one compiled call, for few rows and columns, and from its vertex to the canonical optimum.
    1. Interior point on reduced rows.
    2. Interior point on all rows.
    3. linprog on the rows near the best answer so far, for a piecewise linear loss; for the combined loss the interior
       point method of `any_penalty`, to which narrow kinks beside a large curvature are no obstacle.
    4. linprog on everything, for a piecewise linear loss.

    All work on the problem at unit scale, 1. and 2. with identical rows merged; the answer of each is certified on
    `problem` itself. The number of the rung that gave the answer is `stats["rung"]`.
    """
    twin, units = scaled(problem)
    near = units.to_scaled(*start) if start is not None else None
    if not twin.loss.has_kink:  # the kink is lost in rounding
        return certified(problem, twin, units, solve_lasso(twin, settings, near))
    # 0.
    solution = _from_vertex(problem, twin, units, settings)
    if solution is not None:
        return solution
    # 1. and 2.
    best: tuple[Solution, Uncertified] | None = None
    fewer = merged_rows(twin, settings)
    rows = twin if fewer is None else fewer.problem
    fitted = interpolant(twin)
    if fitted is not None:
        solution = certified(problem, twin, units, fitted, rung=1)
        settled = _settled(solution, twin, fitted, units, settings.tol)
        if settled is not None:
            return settled
    for number in (1, 2) if preprocessing.reduces(rows, settings.tuned(PiecewiseTuning)) else (1,):
        draft = preprocessing.solve_reduced(rows, settings, near, reduce=number == 1)
        if fewer is not None:
            draft = replace(
                draft, dual=fewer.spread(draft.dual), stats={**draft.stats, "rows_distinct": rows.n_samples}
            )
        solution = certified(problem, twin, units, draft, rung=number)
        if best is None or solution.gap < best[0].gap:
            best = solution, draft
        settled = _settled(solution, twin, draft, units, settings.tol)
        if settled is not None:
            return settled
    assert best is not None
    if not twin.loss.is_piecewise_linear:
        return _of_curved_loss(problem, settings, *best)
    # 3.
    draft = best[1]
    first = certify(
        twin, draft.coef, draft.intercept, draft.dual, n_iter=draft.n_iter, stopped=draft.stopped, solver=draft.solver
    )
    refined = linprog.refine(twin, settings, first).uncertified()
    solution = certified(problem, twin, units, refined, rung=3)
    settled = _settled(solution, twin, refined, units, settings.tol)
    if settled is not None:
        return settled
    # 4.
    last = linprog.solve_by_linprog(twin, settings, near)
    final = certified(problem, twin, units, last, rung=4)
    return final if final.gap <= solution.gap else solution


def _of_curved_loss(problem: Problem, settings: Settings, solution: Solution, draft: Uncertified) -> Solution:
    """The solution of rungs 1 and 2, made from `draft`, or that of rung 3 where that one is not proved."""
    most, is_fewer = settings.max_iter, settings.limit(preprocessing.LIMIT) < preprocessing.LIMIT
    limited = most is not None and (draft.stats["n_ip_iter"] >= most or (is_fewer and not draft.stopped.good))
    if not limited and solution.relative_gap > settings.tol:
        other = solve_at_unit_scale(problem, settings, engine=solve_any_penalty)
        limited = other.stopped is StopReason.ITERATION_LIMIT
        solution = replace(other, stats={**other.stats, "rung": 3}) if other.gap < solution.gap else solution
    if solution.relative_gap <= settings.tol:
        return solution
    return replace(solution, stopped=StopReason.ITERATION_LIMIT if limited else StopReason.STALLED)


def _from_vertex(problem: Problem, twin: Problem, units: Scaling, settings: Settings) -> Solution | None:
    """Rung 0: the only optimum, or the canonical one of the face that the vertex's dual tells; None if not proved."""
    vertex = solve_vertex(twin, settings.tuned(PiecewiseTuning))
    if vertex is None:
        return None
    solution = _settled(certified(problem, twin, units, vertex, rung=0), twin, vertex, units, settings.tol)
    if solution is None or solution.unique:
        return solution
    optimum = canonical_optimum(twin, vertex.dual)
    if optimum is None:
        return None
    vertex = replace(vertex, **optimum._asdict())
    return _settled(certified(problem, twin, units, vertex, rung=0), twin, vertex, units, settings.tol)


def _settled(solution: Solution, twin: Problem, draft: Uncertified, units: Scaling, tol: float) -> Solution | None:
    """The solution if no other rung can do better, or None: it is proved, or the draft is on the twin.

    Then only the rounding of coefficients in the units of the data is left, as where y is far from zero. On the twin a
    canonical optimum may miss as much as the last digits of residuals explain, within `tol`.
    """
    if not draft.stopped.good:
        return None
    if solution.gap <= PROVED_GAP * max(units.factor, solution.objective):
        return solution
    proof = prove(twin, draft.coef, draft.intercept, draft.dual)
    if proof.gap > PROVED_GAP * max(1.0, proof.objective) and not linprog.is_exact(twin, draft, proof, tol):
        return None
    unique = is_unique(twin, draft.coef, draft.intercept, proof) if draft.unique is None else draft.unique
    return replace(solution, unique=unique)
