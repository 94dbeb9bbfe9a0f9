"""Multiples of a penalty solved along the knots of their path, each certified on the problem as given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import Answers, canonical_optimum, certify, proofs
from ladreg._design import Design, DoubledSum
from ladreg._piecewise.parametric import Vertices, Walk
from ladreg._piecewise.ranges import pieces, solved_alone
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._presolve import Scaling, scaled
from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver, StopReason
from ladreg._tolerances import AT_END, PROVED_GAP, SAME_KNOT, SUMMED

# Walk where a table has at most 2^23 entries, of which two dense copies are made (64 MB each).
_TABLE = 1 << 23
# Or, where it is sparse, 2^20 entries or 16 times what it stores: copies of more would dwarf X.
_SPARSE_TABLE, _PER_STORED = 1 << 20, 16
NAME = "parametric simplex"
# A walk that gets stuck is begun again with another perturbation, twice.
WALKS = 3


def follows_knots(problem: Problem, alphas: Array, settings: Settings) -> bool:
    """Whether multiples of a penalty are worth solving by a walk from knot to knot."""
    tuning = settings.tuned(PiecewiseTuning)
    penalty, loss = problem.penalty, problem.loss
    n_rows, n_columns = problem.n_samples, problem.n_features + problem.fit_intercept
    return bool(
        loss.is_piecewise_linear
        and not penalty.curved
        and np.any(penalty.bounds & np.isfinite(penalty.strength))
        and alphas.size
        and alphas[0] > 0
        and n_rows <= max(tuning.knot_rows, tuning.knot_rows_per_column * n_columns)
        and n_rows * n_columns <= _TABLE
        and is_worth_copying(problem.design, _SPARSE_TABLE)
    )


def is_worth_copying(design: Design, small: int) -> bool:
    """Whether dense copies of X have at most `small` entries, or few for each value that X stores."""
    return design.n_samples * design.n_features <= max(small, _PER_STORED * design.n_stored)


def solve_along_knots(
    problems: Iterable[Problem],
    values: Array,
    settings: Settings,
    *,
    solve: Solver,
) -> Iterator[Solution]:
    """Solve multiples of a penalty by walking from knot to knot.

    Parameters
    ----------
    problems
        Problems that share design, target and weights, whose penalties are multiples of each other. The first is read,
        and stands for the others.
    values
        The multiples, which do not rise; the first is above zero.
    settings
        Passed to `solve`.
    solve
        The solver for a problem on its own.

    Notes
    -----
    1. The walk gives a vertex and its dual for each alpha.
    2. The certificate takes several alphas in two products with the data. A vertex whose basic duals and other slopes
       are strictly inside their intervals is the only optimum.
    3. Others go to the canonical optimum of the face that their dual describes.
    4. What is not proved to rounding is solved on its own.
    """
    unit = next(iter(problems))
    alphas = values / values[0]
    last: Coefficients | None = None
    found = _proved_vertices(unit, alphas, settings)
    for alpha in alphas.tolist():
        solution = next(found, None)
        if solution is None or not is_only_optimum(solution):
            problem = unit.with_penalty(unit.penalty.times(alpha))
            solution = finished(problem, solution, settings, solve, last)
        last = solution.coefficients
        yield solution


def is_only_optimum(vertex: Solution) -> bool:
    """Whether a vertex is proved to be the only optimum."""
    return vertex.unique and vertex.relative_gap <= PROVED_GAP


def finished(
    problem: Problem, vertex: Solution | None, settings: Settings, solve: Solver, start: Coefficients | None
) -> Solution:
    """Steps 3 and 4, for a vertex that is not proved to be the only optimum, or none."""
    found = None if vertex is None else canonical(problem, vertex)
    return proved(problem, found, settings, solve, start)


def solve_all_knots(
    problem: Problem, end: float, settings: Settings, *, solve: Solver
) -> Iterator[tuple[float, Solution]]:
    """All solutions of the path, each with the lowest alpha of its range, which begins where the one before ends.

    Parameters
    ----------
    problem
        With the penalty at alpha = 1, and a piecewise linear loss.
    end
        The last alpha, above zero.
    settings, solve
        For a solution that is not proved.

    Notes
    -----
    A solution is that of the middle of its range. At both ends of the range the duals of the knots are feasible, so
    that its gap at any alpha of the range is at most twice the gap in the middle.
    """
    twin, units = scaled(problem)

    def posed(alpha: float) -> Problem:
        return problem.with_penalty(problem.penalty.times(alpha))

    last: tuple[float, Array] | None = None
    start: Coefficients | None = None
    for seed in range(WALKS):
        walk = Walk(twin, settings.tuned(PiecewiseTuning), seed)
        if last is not None:
            for _ in walk.at(np.array([last[0]])):
                pass
        before = walk.n_exchanges, walk.rows_read
        for group in walk.knots(end):
            np.maximum(group.alphas, end, out=group.alphas)  # a walk that is about to get stuck may go beyond
            kept = distinct(group.alphas, np.inf if last is None else last[0])
            if kept.size == 0:
                continue
            vertices = Vertices(*(values[kept] for values in vars(group).values()))
            middle = _middles(vertices, last)
            last = float(vertices.alphas[-1]), vertices.dual[-1].copy()
            found = _proved(problem, twin, units, walk, middle, before)
            before = walk.n_exchanges, walk.rows_read
            for alpha, inside, solution in zip(vertices.alphas.tolist(), middle.alphas.tolist(), found, strict=True):
                if solution.relative_gap <= PROVED_GAP:
                    found_there = [(alpha, settled(posed(inside), solution))]
                else:
                    found_there = pieces(posed, 2 * inside - alpha, alpha, settings, solve, start)
                start = found_there[-1][1].coefficients
                yield from found_there
        if not walk.is_stuck:
            return
    raise RuntimeError(f"the path could not be followed below alpha={walk.place.alpha:.6g}: raise eps, or pass alphas.")


def _middles(vertices: Vertices, last: tuple[float, Array] | None) -> Vertices:
    """The vertices in the middle of their ranges; `last` are the alpha and the dual where the first range begins."""
    above = np.append(3.0 * vertices.alphas[0] if last is None else last[0], vertices.alphas[:-1])
    dual = np.vstack([vertices.dual[:1] if last is None else last[1][None], vertices.dual[:-1]])
    return replace(vertices, alphas=(above + vertices.alphas) / 2, dual=(dual + vertices.dual) / 2)


def distinct(alphas: Array, last: float) -> Index:
    """The vertices whose range is not a point: knots that coincide are told apart by the perturbation only."""
    kept = []
    for k, alpha in enumerate(alphas.tolist()):
        if alpha < last * (1.0 - SAME_KNOT):
            kept.append(k)
            last = alpha
    return np.array(kept, dtype=np.intp)


def proved(
    problem: Problem, found: Solution | None, settings: Settings, solve: Solver, start: Coefficients | None
) -> Solution:
    """Step 4: a solution with a small gap, or else the best of it and of those of `solve` from `start` and without it.

    What is not proved is no start: its coefficients may be far from the fit.
    """
    if found is not None and found.relative_gap <= PROVED_GAP:
        return found
    alone = solve(problem, settings, start)
    if start is not None and not alone.relative_gap <= PROVED_GAP:
        again = solve(problem, settings)
        alone = again if again.gap < alone.gap else alone
    return found if found is not None and found.gap < alone.gap else solved_alone(alone)


def settled(problem: Problem, vertex: Solution) -> Solution:
    """The canonical optimum where a vertex that is proved is not the only one; the vertex where that is not proved."""
    solution = vertex if vertex.unique else canonical(problem, vertex)
    return solution if solution.relative_gap <= PROVED_GAP else vertex


def canonical(problem: Problem, solution: Solution) -> Solution:
    """Step 3: the canonical optimum of the face that a vertex's dual describes; the vertex where that fails."""
    found = on_face(problem, solution)
    return replace(solution, stopped=StopReason.NOT_CANONICAL) if found is None else found


def on_face(problem: Problem, solution: Solution) -> Solution | None:
    """The canonical optimum of the face that the dual of a solution describes, certified; None where that fails."""
    twin, units = scaled(problem)
    found = canonical_optimum(twin, units.dual_to_scaled(solution.dual))
    if found is None:
        return None
    coef, intercept = units.to_original(*found[:2])
    return certify(
        problem,
        np.maximum(coef, 0.0) if problem.penalty.positive else coef,
        intercept if problem.fit_intercept else 0.0,
        units.dual_to_original(found[2], problem.n_samples),
        n_iter=solution.n_iter,
        stopped=StopReason.EXACT,
        solver=solution.solver,
        stats=solution.stats,
    )


def _proved_vertices(unit: Problem, alphas: Array, settings: Settings) -> Iterator[Solution]:
    """Steps 1 and 2, for multiples of the penalty of `unit` above zero, to a vertex that is singular up to rounding."""
    twin, units = scaled(unit)
    walk = Walk(twin, settings.tuned(PiecewiseTuning))
    before = 0, 0
    for group in walk.at(alphas[alphas > 0]):
        if not np.isfinite(group.coef).all():
            return
        yield from _proved(unit, twin, units, walk, group, before)
        before = walk.n_exchanges, walk.rows_read


def _proved(
    unit: Problem, twin: Problem, units: Scaling, walk: Walk, group: Vertices, before: tuple[int, int]
) -> Iterator[Solution]:
    """The solutions of a group of vertices; `before` counts the exchanges and rows read for the groups before it.

    The group's duals become those of the solutions.
    """
    lower, upper = twin.loss.interval()
    n_features = walk.features.size
    width = AT_END * (upper - lower)
    inside = (group.dual < (upper - width) * twin.weight) & (group.dual > (lower + width) * twin.weight)
    np.clip(group.dual, lower * twin.weight, upper * twin.weight, out=group.dual)
    dual = np.multiply(group.dual, units.factor / units.unit, out=group.dual)
    if units.rows.size:
        full = np.zeros((dual.shape[0], unit.n_samples))
        full[:, units.rows] = dual
        dual = full
    coef = np.zeros((group.alphas.size, unit.n_features))
    scale = units.column_scale[walk.features] * units.unit
    coef[:, walk.features] = group.coef[:, :n_features] * scale
    if unit.penalty.positive:
        np.maximum(coef, 0.0, out=coef)
    intercept = np.zeros(group.alphas.size)
    if unit.fit_intercept:
        intercept = DoubledSum.dots(coef, -units.column_shift, group.coef[:, -1] * units.unit, units.y_shift)
    used = np.flatnonzero(coef.any(axis=0))
    residual = np.empty_like(dual)  # one contiguous row per alpha, as the dual
    np.subtract(unit.y, intercept[:, None], out=residual)  # far targets and their intercept cancel
    residual -= unit.design.matvec_of(used, np.ascontiguousarray(coef[:, used].T)).T
    slope = unit.at_origin.design.rmatvec(np.asfortranarray(dual.T)).T
    given = Answers(group.alphas, used, coef[:, used], intercept, residual, dual, slope, dual.sum(axis=1))
    found = proofs(unit, given)
    size = unit.penalty.excess(slope) if unit.penalty.positive else np.abs(slope)
    excluded = np.isinf(unit.penalty.strength)
    rounding = np.multiply.outer(SUMMED * np.abs(dual).sum(axis=1), unit.at_origin.design.reach())
    least = np.multiply.outer((1 - AT_END) * group.alphas, np.where(excluded, 0.0, unit.penalty.strength))
    active = size + rounding >= least  # equal columns have equal slopes up to rounding
    n_active = np.count_nonzero(active & ~excluded, axis=1) + unit.fit_intercept
    unique = (np.count_nonzero(inside, axis=1) == group.size) & (n_active == group.size)
    exchanges, read = np.diff(group.exchanges, prepend=before[0]), np.diff(group.read, prepend=before[1])
    for k in range(group.alphas.size):
        yield Solution(
            coef=coef[k],
            intercept=float(intercept[k]),
            dual=dual[k],
            objective=float(found.objective[k]),
            gap=float(found.gap[k]),
            relative_gap=float(found.relative_gap[k]),
            unique=bool(unique[k]),
            n_iter=max(int(exchanges[k]), 1),
            stopped=StopReason.EXACT,
            solver=NAME,
            stats={"n_exchanges": int(exchanges[k]), "rows_read": int(read[k])},
        )
