"""Which engine solves a problem: the only place where a default is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import certify
from ladreg._least_squares import solve_lasso
from ladreg._piecewise import dual_at, solve_by_cascade, solve_by_linprog, solve_huber, solve_process
from ladreg._presolve import (
    Solver,
    clip,
    clip_at,
    generates_columns,
    scaled,
    solve_at_unit_scale,
    solve_by_columns,
    solve_clipped,
    solve_each_clipped,
)
from ladreg._problem import Loss, Problem, Solution, StopReason
from ladreg._solvers import alpha_max

# Solve by linprog if at least n / 2 columns are unpenalised (n rows, piecewise linear loss): the interior point method
# needs a dual strictly inside its intervals.
_TALL = 0.5
# Relative gap asked of the solver whose dual verifies given coefficients.
_VERIFIED = 1e-9


def choose_solver(
    problem: Problem,
    name: str = "auto",
    options: Mapping[str, Any] | None = None,
    precompute: bool | None = None,
) -> Solver:
    """The solver for `problem`.

    Coordinate descent for a square, Newton's method for Huber's loss, the cascade or linprog for a loss with a kink.
    All but coordinate descent solve for few of many penalised features at a time.

    Parameters
    ----------
    problem
        The problem to be solved.
    name
        "auto", or "linprog" for the LP solver on the whole problem.
    options
        Options of the LP solver.
    precompute
        Whether coordinate descent works on the Gram matrix of all features; None to choose.
    """
    if is_square(problem.loss):
        return partial(solve_at_unit_scale, inner=partial(solve_lasso, precompute=precompute))
    if name not in ("auto", "linprog"):
        raise ValueError(f"solver must be 'auto' or 'linprog', got {name!r}.")
    direct = partial(_in_all_columns, name=name, options=options)
    return partial(solve_clipped, inner=partial(_in_few_columns, inner=direct))


def _in_few_columns(problem: Problem, inner: Callable[[Problem], Solver]) -> Solver:
    """The solver for few columns at a time, where that pays."""
    return partial(solve_by_columns, inner=inner) if generates_columns(problem) else inner(problem)


def is_square(loss: Loss) -> bool:
    """Whether a loss is curved everywhere: smooth, and with slopes of any size."""
    return bool(np.isfinite(loss.smoothness) and not np.isfinite(loss.interval()[1]))


def _in_all_columns(problem: Problem, name: str, options: Mapping[str, Any] | None) -> Solver:
    """The solver for a loss that is not a square, all columns at once."""
    if np.isfinite(problem.loss.smoothness):
        return partial(solve_at_unit_scale, inner=solve_huber)
    wide = problem.loss.curvature == 0 and np.count_nonzero(problem.penalty.free()) >= _TALL * problem.n_samples
    if name == "linprog" or wide:
        return partial(solve_at_unit_scale, inner=partial(solve_by_linprog, options=options))
    return partial(solve_by_cascade, options=options)


def verify(problem: Problem, coef: Array, intercept: float) -> Solution:
    """Certify given coefficients, from the data alone; far targets on their own side count as near ones."""
    clipped = clip_at(problem, coef, intercept)
    while clipped is not None:
        solution = _judged(clipped.problem, coef, intercept)
        rows, heavy = clipped.broken(solution)
        if not (rows.size or heavy.size):
            return clipped.restored(solution, np.inf)
        clipped = clipped.less(rows, heavy)
    solution, far = _judged(problem, coef, intercept), clip(problem)
    return solution if far is None else far.judged(solution, np.inf)


def _judged(problem: Problem, coef: Array, intercept: float) -> Solution:
    dual = recover_dual(problem, coef, intercept)
    return certify(problem, coef, intercept, dual, n_iter=1, stopped=StopReason.GIVEN, solver="verify")


def recover_dual(problem: Problem, coef: Array, intercept: float) -> Array:
    """A dual for given coefficients, from the data alone.

    For a loss that is smooth at unit scale these are the residuals' slopes. For a loss with a kink the dual of the rows
    that are fitted exactly is determined if the coefficients are optimal; if not, the problem is solved for its dual.
    """
    twin, units = scaled(problem)
    if np.isfinite(twin.loss.smoothness):
        return problem.weight * problem.loss.derivative(problem.residual(coef, intercept))
    if twin.loss.curvature == 0 and not problem.penalty.excluded:
        dual = dual_at(twin, *units.to_scaled(coef, intercept))
        if dual is not None:
            return units.dual_to_original(dual, problem.n_samples)
    return choose_solver(problem)(problem, start=(coef, intercept), tol=_VERIFIED).dual


def largest_alpha(problem: Problem) -> float:
    """The smallest multiple of the penalty's strengths for which all penalised coefficients are zero."""
    return alpha_max.largest_alpha(problem, choose_solver)


def solve_quantiles(
    problems: Sequence[Problem],
    *,
    tol: float,
    max_iter: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Solution]:
    """Solve problems that differ in their quantiles only, each from those beside it, in their order."""
    values = np.array([problem.loss.interval()[1] for problem in problems])
    order = np.argsort(values, kind="stable")
    ascending = (problems[place] for place in order)
    choose = partial(choose_solver, options=options)
    together = partial(solve_process, values=values[order], choose=choose, tol=tol, max_iter=max_iter)
    found = solve_each_clipped(ascending, together=together, alone=choose, tol=tol, max_iter=max_iter)
    solutions = dict(zip(order.tolist(), found, strict=True))
    return [solutions[place] for place in range(len(problems))]


def solve_alphas(
    problem: Problem,
    alphas: Array,
    *,
    tol: float,
    max_iter: int | None = None,
    choose: Callable[[Problem], Solver] = choose_solver,
) -> Iterator[Solution]:
    """Solve a problem whose loss is not a square for multiples of its penalty, each from those before it.

    Parameters
    ----------
    problem
        With the penalty at alpha = 1.
    alphas
        The multiples, decreasing and >= 0.
    tol, max_iter
        Passed to the solver of single problems.
    choose
        Chooses that solver, for what cannot be solved from the others.
    """
    problems = (problem.with_penalty(problem.penalty.times(alpha)) for alpha in alphas.tolist())
    together = partial(solve_process, values=alphas, choose=choose, tol=tol, max_iter=max_iter, from_zero=True)
    return solve_each_clipped(problems, together=together, alone=choose, tol=tol, max_iter=max_iter)
