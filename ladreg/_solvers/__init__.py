"""The choice of the engine for a problem, the largest useful alpha, and certificates of given fits."""

from ladreg._presolve import Solver
from ladreg._solvers.choose import (
    choose_solver,
    is_square,
    largest_alpha,
    recover_dual,
    solve_alphas,
    solve_quantiles,
    verify,
)

__all__ = [
    "Solver",
    "choose_solver",
    "is_square",
    "largest_alpha",
    "recover_dual",
    "solve_alphas",
    "solve_quantiles",
    "verify",
]
