"""Solvers: functions from a Problem to a certified Solution, one algorithm a file.

`choose_solver` is the only place where a default is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ladreg._problem import Problem
from ladreg.solvers import coordinate_descent, linprog, scaling
from ladreg.solvers.scaling import Solver

__all__ = ["Solver", "choose_solver"]


def choose_solver(problem: Problem, name: str = "auto", options: Mapping[str, Any] | None = None) -> Solver:
    """The solver for `problem`: coordinate descent for a smooth loss, linprog for a piecewise linear one.

    Parameters
    ----------
    problem
        The problem to be solved.
    name
        "auto", or "linprog" for the LP solver on the whole problem.
    options
        Options of the LP solver.
    """
    if problem.loss.curvature > 0:
        return partial(scaling.solve, inner=coordinate_descent.solve)
    if name not in ("auto", "linprog"):
        raise ValueError(f"solver must be 'auto' or 'linprog', got {name!r}.")
    return partial(scaling.solve, inner=partial(linprog.solve, options=options))
