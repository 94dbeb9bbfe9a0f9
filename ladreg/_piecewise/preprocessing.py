"""Shrink a problem whose loss has a kink to the rows whose side is in doubt, solve that, and check every row.

A row whose residual's sign is known enters the program through its right-hand side alone (Portnoy and Koenker 1997,
doi 10.1214/ss/1030037960). Which rows are in doubt is found by a pilot fit on a random sample and a few Newton
steps on all rows. A row that was held on the wrong side shows as a wrong sign and is added to the reduced problem; an
error that remains shows in the certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import canonical_optimum, prove
from ladreg._design import BlockGram
from ladreg._piecewise import exact_fit, interior_point, piece_system, reduced_problem
from ladreg._piecewise.dual_program import weighted_gram
from ladreg._piecewise.exact_plane import is_exact, least_tied
from ladreg._piecewise.newton_step import newton_step
from ladreg._piecewise.reduced_problem import Held
from ladreg._piecewise.row_problem import Iterate, RowProblem
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import Coefficients, Optimum, Problem, Settings, StopReason, Uncertified
from ladreg._tolerances import (
    AT_END,
    FACE_GAP,
    HALF_DIGITS,
    INSIDE,
    LEAST_GAP,
    PROVED_GAP,
    ROUNDING_GAP,
    SUMMED,
    VERTEX,
)

# In a table of groups the equations of rows on the kink are kept by a curvature of 1e7 times the heaviest row's own
# (`piece_system`): each solve leaves 1e-7 of an error, and rounding of the curvature is 1e-9 of that of the loss.
_STIFF = 1e7
# Iterations of each interior point solve, at most, where `max_iter` is None: most take 8 to 20.
LIMIT = 50


def solve_reduced(
    problem: Problem, settings: Settings, start: Coefficients | None = None, *, reduce: bool = True
) -> Uncertified:
    """Solve a problem whose loss has a kink, at unit scale (see `scaling`).

    Parameters
    ----------
    problem
        Loss `Absolute`, `Pinball` or `Combined`.
    settings
        `max_iter` is the limit of each interior point solve. The reduced problem is solved as exactly as its vertex
        demands, whatever `tol` is.
    start
        Coefficients that take the pilot's place, where there is one.
    reduce
        Without it all rows are solved by the interior point method, without steps 1, 2 and 4.

    Notes
    -----
    1. Pilot: solve a random sample to low accuracy.
    2. Refine on a larger sample, then on all rows: gradient, Hessian from the density of residuals at zero, exact line
       search.
    3. Solve the rows with the smallest residuals, the others held at the end of their interval on their side.
    4. Check the signs of all rows; add the wrong ones and solve again. Where these are too many, most rows may be
       fitted exactly: see `exact_fit`.
    5. Go to the canonical optimum of the full-length dual; where the loss is curved, solve the system of the pieces.
    """
    tuning = settings.tuned(PiecewiseTuning)
    table = RowProblem(problem, tuning)
    stats: dict[str, float] = {"rows_solved": 0, "n_passes": 0, "n_rounds": 0, "n_ip_iter": 0}
    blocks = problem.design.blocks(problem.fit_intercept)
    if blocks is not None:
        stats["n_schur"] = blocks.others.size
    limit = settings.limit(LIMIT)
    fewer = reduce and reduces(problem, tuning)
    # 1.
    if start is not None and fewer:
        point = table.join(*start)
    else:
        point = _pilot(table, limit, stats) if fewer else np.zeros(table.n_columns)
    # 2.
    if fewer and problem.n_samples >= 8 * tuning.middle_rows:
        middle = Iterate(table.sample(tuning.middle_rows), point)
        refine(middle, {"n_passes": 0})
        point = middle.point
    place = Iterate(table, point)
    stats["n_passes"] += 1
    largest = float(np.abs(place.residual).max(initial=0.0))
    if not point.any() and largest <= SUMMED:
        return Uncertified(
            *table.split(point), np.zeros(problem.n_samples), 1, StopReason.EXACT, "interior point", stats
        )
    may_be_exact = fewer and (largest <= HALF_DIGITS or is_exact(place))
    exact = exact_fit.solve(place, limit, stats) if may_be_exact else None
    if exact is not None:
        return _fitted(exact, stats)
    size = refine(place, stats) if fewer else problem.n_samples
    # 3. and 4.
    gap = 0.1 * LEAST_GAP if table.is_curved else ROUNDING_GAP
    held, stopped = reduced_problem.solve(place, size, gap, limit, stats)
    if not isinstance(held, Optimum) and not fewer:
        held = _refitted(table, place.point + held.step, limit, stats) or held
    if isinstance(held, Optimum):
        return _fitted(held, stats)
    # 5.
    unique = None
    if stopped.good and table.is_curved:
        exact, unique, stopped = _settled(place, held)
    coef, intercept = table.split(place.point + held.step)
    del place  # its residuals are one number a row
    if stopped.good and not table.is_curved:
        exact = _finished(table, held, Coefficients(coef, intercept))
        stopped = StopReason.NOT_CANONICAL if exact is None else StopReason.EXACT
    assert held.dual is not None
    coef, intercept, dual = exact or Optimum(coef, intercept, held.dual)
    return Uncertified(
        coef=coef,
        intercept=intercept,
        dual=dual,
        n_iter=max(int(stats["n_ip_iter"]), 1),
        stopped=stopped,
        solver="interior point on reduced rows" if fewer else "interior point",
        stats=stats,
        unique=unique,
    )


def _finished(table: RowProblem, held: Held, near: Coefficients) -> Optimum | None:
    """Step 5 for a piecewise linear loss: from `held.dual`, or from `held.square` where that leaves a gap."""
    assert held.dual is not None
    # Slopes of active features equal their strengths only to the accuracy of the interior point method.
    at_end = INSIDE if table.penalised.size else AT_END
    exact = canonical_optimum(table.problem, held.dual, at_end, held.products, held.rows, near)
    if held.square is None or (exact is not None and prove(table.problem, *exact).gap <= PROVED_GAP):
        return exact
    return canonical_optimum(table.problem, held.square, 0.0, among=held.rows) or exact


def _settled(place: Iterate, held: Held) -> tuple[Optimum, bool, StopReason]:
    """Step 5 for a curved loss: the linear system of the pieces that the interior point method found."""
    table, problem = place.table, place.table.problem
    assert held.rows is not None
    assert held.rank is not None
    coef, intercept = _reached(place, held)
    kinked = held.rows[held.rank[: held.rows.size] > 0]
    zero = table.penalised[held.rank[held.rows.size :] > 0]
    active = np.setdiff1d(np.arange(table.n_columns), zero, assume_unique=True)
    curvature = problem.loss.curvature
    stiffness = _STIFF * curvature * float(problem.weight.max())

    def hessian(columns: Index, kinked: Index) -> Array | BlockGram:
        if not table.has_blocks:
            return curvature * table.products(columns)
        weight = curvature * problem.weight
        weight[kinked] += stiffness
        return problem.design.block_gram(weight, problem.fit_intercept).of(columns)

    pieces = piece_system.Pieces(hessian, kinked, active, stiffness)
    found = piece_system.settled(problem, pieces, coef, intercept)
    if found.proof.relative_gap > LEAST_GAP:
        found = found.better(_by_residuals(place, held, pieces))
    found, unique, stopped = piece_system.canonical(problem, found)
    return Optimum(found.coef, found.intercept, found.dual), unique, stopped


def _reached(place: Iterate, held: Held) -> Coefficients:
    """The coefficients of the interior point; those of columns without rows, which nothing determines, are zero."""
    problem = place.table.problem
    coef, intercept = place.table.split(place.point + held.step)
    return Coefficients(np.where(problem.design.magnitudes(problem.weight) > 0, coef, 0.0), intercept)


def _by_residuals(place: Iterate, held: Held, pieces: piece_system.Pieces) -> piece_system.PieceSolution:
    """The optimum of `_settled` with the interior point's own dual, for pieces that the ranks of rows do not determine.

    A row may be on the kink with its dual at an end, or rows on the kink may be linearly dependent.
    """
    table, problem = place.table, place.table.problem
    assert held.rows is not None
    assert held.inside is not None
    coef, intercept = _reached(place, held)
    dual = table.sides(place.residual)
    dual[held.rows] = held.inside
    residual = problem.residual(coef, intercept)
    near = replace(pieces, kinked=held.rows[np.abs(residual[held.rows]) <= INSIDE])
    exact = piece_system.settled(problem, near, coef, intercept, guesses=1, held=dual[near.kinked])
    bare = np.where(np.isin(np.arange(coef.size), pieces.active), coef, 0.0)
    bare = np.maximum(bare, 0.0) if problem.penalty.positive else bare

    def answer(coef: Array, intercept: float) -> piece_system.PieceSolution:
        curved = problem.loss.curvature * problem.weight * problem.residual(coef, intercept)
        return piece_system.PieceSolution.of(problem, coef, intercept, curved + dual)

    first = answer(exact.coef, exact.intercept)
    return first if first.proof.relative_gap <= LEAST_GAP else first.better(answer(bare, intercept)).better(exact)


def _refitted(table: RowProblem, point: Array, limit: int, stats: dict[str, float]) -> Optimum | None:
    """The optimum by `exact_fit` where a solution of all rows fits more rows exactly than a vertex does."""
    residual = table.problem.residual(*table.split(point))
    if np.count_nonzero(np.abs(residual) <= HALF_DIGITS) < least_tied(table):
        return None
    return exact_fit.solve(Iterate(table, point), limit, stats)


def _fitted(exact: Optimum, stats: Mapping[str, float]) -> Uncertified:
    """The result for an optimum whose dual proves it."""
    n_iter = max(int(stats["n_ip_iter"]), 1)
    return Uncertified(*exact, n_iter, StopReason.EXACT, "interior point on reduced rows", stats)


def reduces(problem: Problem, tuning: PiecewiseTuning) -> bool:
    """Whether the problem has enough rows for the reduction to leave some out, and no cheaper way to solve them all."""
    n_columns = problem.n_features + problem.fit_intercept
    is_cheaper = n_columns**3 >= tuning.group_rows * problem.n_samples
    if is_cheaper and problem.design.blocks(problem.fit_intercept) is not None:
        return False
    least = RowProblem(problem, tuning).per_column(tuning.rows_per_column)
    return n_columns > 0 and problem.n_samples > max(tuning.pilot_rows, 2 * least)


def _pilot(table: RowProblem, limit: int, stats: dict[str, float]) -> Array:
    """Step 1; zeros where the interior point method fails."""
    tuning = table.tuning
    least = tuning.pilot_rows if table.n_columns < tuning.many_columns else 0
    size = max(least, table.per_column(tuning.rows_per_column))
    if size < table.problem.n_samples:
        table = table.sample(size)
    everything = np.arange(table.problem.n_samples)
    nothing = np.zeros(table.n_columns)
    origin = np.zeros(table.penalised.size)
    program = table.program(everything, table.rows(everything), table.problem.y, -table.linear, origin, 1.0)
    found = interior_point.solve(program, nothing, tol=table.tuning.pilot_gap, max_iter=limit, vertex=False)
    if found is None:
        return nothing
    stats["n_ip_iter"] += found.n_iter
    return found.coef


def refine(place: Iterate, stats: dict[str, float]) -> int:
    """Step 2, in place; returns the number of rows for the reduced problem.

    The Hessian comes from the density of residuals at zero.
    """
    table, problem, tuning = place.table, place.table.problem, place.table.tuning
    least = table.per_column(tuning.rows_per_column)
    most = max(least, problem.n_samples // (tuning.pass_worth * table.n_columns))
    window = max(table.per_column(tuning.window_per_column), problem.n_samples // tuning.window_part)
    window = min(window, problem.n_samples)
    for _ in range(tuning.rounds):
        nearest = place.nearest(window)
        width = float(np.abs(place.residual[nearest]).max())
        density = problem.weight[nearest] * (table.upper - table.lower) / (2 * max(width, VERTEX))
        hessian = table.gram + weighted_gram(table.rows(nearest), density)
        place.spread = 1.0 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
        step = newton_step(hessian, place.smooth, place.point, problem.penalty)
        moved = table.predict(step)
        length = place.search(step, moved)
        stats["n_passes"] += 1
        if length <= 0:
            break
        gain = -length * place.slope(step)
        place.advance(step, moved, length)
        # A start at the optimum gains nothing (the loss is of size one at unit scale).
        if gain < FACE_GAP:
            break
        part = max(length, 1.0) * float(np.sqrt(np.mean(moved[nearest] ** 2))) / max(width, VERTEX)
        left = doubtful(table.n_columns, window, part)
        if length < 1.5 and left <= most:
            return int(max(least, left))
    return least


def doubtful(n_columns: int, window: int, part: float) -> float:
    """How many rows a good Newton step leaves in doubt, where it moved by the fraction `part` of the window's width.

    The Hessian's error is that of a mean over the window, and the rows that the step moved to the other side have
    random sizes. The result is 3.5 standard deviations each way, in rows.
    """
    return 3.5 * float(np.sqrt(n_columns * window * (part * part + 1.6 * part)))
