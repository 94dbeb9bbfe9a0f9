"""Newton steps on all rows in blocks, until few rows are in doubt."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import Array
from ladreg._design import Design, as_design
from ladreg._from_blocks.fit_state import FitState, window
from ladreg._from_blocks.piecewise_tasks import along, look
from ladreg._from_blocks.side_by_side import Request
from ladreg._piecewise import doubtful, newton_step, weighted_gram
from ladreg._problem import Coefficients, Problem
from ladreg._row_blocks import Summary
from ladreg._solvers import solve_near_targets
from ladreg._tolerances import HALF_DIGITS

# Newton steps on all rows, at most: more were never needed where the rows in doubt fit into memory at all.
_STEPS = 8
# Newton's step is not trusted where it differs from that of the sample by more than its length, as these are squared:
# rows far out in X bend the objective, but are rarely near the fit.
_AGREE = 1.0
# Parts of a step that are tried, where the whole one leads too far.
_LENGTHS = 0.5 ** np.arange(16)
# Distance from the fit, in typical residuals, of rows that are never to be reached.
_FAR = 1e6


def refined(state: FitState) -> Generator[Request, Summary, None]:
    """Step 2 for a piecewise linear loss."""
    return descended(state, state.ends, lambda seen: float(seen.sums["loss"]), partial(_newton, state))


def shortened(state: FitState, step: Array) -> Generator[Request, Summary, bool]:
    """Move the point by the best length of a step that all rows know, in one pass; whether there was one."""
    seen = yield "refine", along, (state.units, state.ends, state.point, step, _LENGTHS)
    ways = [state.point + length * step for length in (0.0, *_LENGTHS)]
    values = seen.sums["losses"] + [state.penalty.value(way[:-1]) for way in ways]
    best = int(np.argmin(values))
    state.step, state.point, state.value = ways[best] - state.point, ways[best], float(values[best])
    return best > 0


def descended(
    state: FitState,
    ends: tuple[float, float],
    loss: Callable[[Summary], float],
    newton: Callable[[Summary, float], tuple[Array, Array]],
) -> Generator[Request, Summary, None]:
    """Newton steps, in place, until the rows in doubt fit into memory; at least one where an attempt failed.

    `ends` are the slopes of the loss beside its kink. From what a pass saw at the point, `loss` makes the loss of all
    rows; `newton`, which also takes the window, the Hessian and the step of the columns that may move.
    """
    for _ in range(_STEPS):
        width = window(state)
        is_done = state.n_distinct <= state.budget or (state.stats["n_refined"] >= _STEPS and not state.failed)
        if is_done or (state.doubt <= state.budget and not state.failed) or not width > HALF_DIGITS:
            return
        state.failed = False
        seen = yield "refine", look, (state.units, ends, state.point, width)
        state.stats["n_refined"] += 1
        here = loss(seen) + state.penalty.value(state.point[:-1])
        if here > state.value:  # the last step was too long: back half the way
            state.step, state.doubt = -0.5 * state.step, 2.0 * state.doubt
        else:
            state.value = here
            state.hessian, part = newton(seen, width)
            _take(state, seen, part, width)
        state.point = state.point + state.step


def _take(state: FitState, seen: Summary, part: Array, width: float) -> None:
    """Make a change of the columns that may move the next step, and count the rows that it leaves in doubt."""
    gram = seen.sums["gram"][state.columns, state.columns]
    state.step = np.zeros(state.point.size)
    state.step[state.columns] = part
    moved = float(np.sqrt(max(part @ gram @ part, 0.0) / max(seen.sums["mass"], 1e-300)))
    state.doubt = doubtful(state.n_columns, int(seen.sums["near"]), moved / width)


def _newton(state: FitState, seen: Summary, width: float) -> tuple[Array, Array]:
    """The Hessian at a point, and the Newton step, or that of the sample where the two are far apart.

    So they are where rows near the point have no Hessian along a direction: there the sample sees the objective grow.
    """
    columns, gram = state.columns, seen.sums["gram"][state.columns, state.columns]
    hessian, part = plain_step(state, state.point, seen, width)
    problem, end = _corrected(state, seen)
    other = (end - state.point)[columns]
    apart, there = part - other, state.point.copy()
    there[columns] += part
    is_far = apart @ gram @ apart > _AGREE * (other @ gram @ other)
    is_far |= _objective(problem, there) > _objective(problem, state.point)
    return hessian, other if is_far or state.stats["n_failed"] or not state.penalty.is_plain else part


def plain_step(state: FitState, point: Array, seen: Summary, width: float) -> tuple[Array, Array]:
    """The Hessian at a point, and the Newton step from there, of the columns that may move."""
    columns = state.columns
    hessian = seen.sums["gram"][columns, columns] * ((state.ends[1] - state.ends[0]) / (2 * width))
    step = newton_step(hessian, -seen.sums["slope"][columns], point[columns], state.penalty, flat=HALF_DIGITS)
    return hessian, step


def _objective(problem: Problem, point: Array) -> float:
    return problem.objective(point[:-1], float(point[-1]))


def _corrected(state: FitState, seen: Summary) -> tuple[Problem, Array]:
    """The problem of the sample with the gradient of all rows at the point in place of its own, and its optimum.

    Two rows far from the fit have the difference of the gradients.
    """
    pilot, (lower, upper) = state.pilot, state.ends
    coef, intercept = state.point[:-1], float(state.point[-1])
    _, slope, total = pilot.design.sweep(coef, pilot.y, intercept, pilot.weight, state.ends)
    missing = seen.sums["slope"] - np.append(slope, total)
    missing[-1] *= state.question.fit_intercept
    below = abs(missing[-1]) + 1.0
    above = (missing[-1] - lower * below) / upper
    rows = np.array([missing[:-1] / (above * upper), np.zeros(coef.size)])
    target = rows @ coef + intercept + np.array([_FAR, -_FAR])
    problem = replace(
        pilot,
        design=rows_below(pilot.design, rows),
        y=np.append(pilot.y, target),
        weight=np.concatenate([pilot.weight, [above, below]]),
    )
    found = solve_near_targets(problem, state.settings, Coefficients(coef, intercept))
    return problem, np.append(found.coef, found.intercept)


def rows_below(design: Design, means: Array) -> Design:
    """The rows of a design, and rows at its scale below them, with the columns' scale kept beside their values."""
    below: Any = means / design.scale
    if sp.issparse(design.X):
        parts: list[Any] = [design.X, sp.csr_array(below)]
        X: Any = sp.csr_array(sp.vstack(parts, format="csr"))
    else:
        X = np.empty((design.n_samples + len(below), below.shape[1]))
        np.subtract(design.X, design.shift, out=X[: design.n_samples])
        X[design.n_samples :] = below
    return as_design(X).rescaled(np.zeros(design.scale.size), design.scale)


def uncertainty(state: FitState) -> Array:
    """The uncertainty of each coefficient relative to the others."""
    hessian = state.hessian
    if hessian is None:
        near = np.flatnonzero(np.abs(state.residual()) <= window(state))
        rows = state.pilot.design.rows(near, border=True)
        hessian = weighted_gram(rows, state.pilot.weight[near])[state.columns, state.columns]
    diagonal = np.diag(hessian)
    spread = np.zeros(state.point.size)
    spread[state.columns] = 1.0 / np.sqrt(np.maximum(diagonal, max(1e-12 * float(diagonal.max(initial=0.0)), 1e-300)))
    return np.asarray(spread / (float(spread.max(initial=0.0)) or 1.0))
