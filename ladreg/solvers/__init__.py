"""Solvers: functions from a Problem to a certified Solution, one algorithm a file.

`choose_solver` is the only place where a default is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._problem import Problem
from ladreg.solvers import coordinate_descent, ladder, linprog, scaling
from ladreg.solvers.scaling import Solver

__all__ = ["Solver", "choose_solver", "recover_dual"]

Array = NDArray[np.float64]

# The interior point method works on p x p matrices and needs a dual with an inside: tables with fewer columns than this
# part of their rows.
_TALL = 0.5
# Relative gap that a solver is asked for where its bound is wanted.
_VERIFIED = 1e-9


def choose_solver(
    problem: Problem,
    name: str = "auto",
    options: Mapping[str, Any] | None = None,
    precompute: bool | None = None,
) -> Solver:
    """The solver for `problem`: coordinate descent for a smooth loss, for a piecewise linear one the ladder or linprog.

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
    if problem.loss.curvature > 0:
        return partial(scaling.solve, inner=partial(coordinate_descent.solve, precompute=precompute))
    if name not in ("auto", "linprog"):
        raise ValueError(f"solver must be 'auto' or 'linprog', got {name!r}.")
    wide = problem.n_features >= _TALL * problem.n_samples
    if name == "linprog" or wide:
        return partial(scaling.solve, inner=partial(linprog.solve, options=options))
    return partial(ladder.solve, options=options)


def recover_dual(problem: Problem, coef: Array, intercept: float) -> Array:
    """A dual for given coefficients, from the data alone.

    For a smooth loss these are the residuals' slopes. For a piecewise linear one the rows that are fitted exactly have
    it if the coefficients are optimal; if not, the problem is solved, and the bound is the optimum.
    """
    if problem.loss.curvature > 0:
        return problem.weight * problem.loss.derivative(problem.residual(coef, intercept))
    twin, units = scaling.scaled(problem)
    dual = linprog.dual_at(twin, *units.into(coef, intercept))
    if dual is not None:
        return units.dual_out_of(dual, problem.n_samples)
    return choose_solver(problem)(problem, start=(coef, intercept), tol=_VERIFIED).dual
