"""The choice of the engine for a problem, the largest useful alpha, and certificates of given fits."""

from ladreg._solvers.alpha_max import largest_alpha_at, least_slope_at, without_narrow_curve
from ladreg._solvers.choose import (
    confirm,
    largest_alpha,
    recover_dual,
    solve,
    solve_alphas,
    solve_knots,
    solve_near_targets,
    solve_quantile_knots,
    solve_quantiles,
    verify,
    with_zeros_of,
)

__all__ = [
    "confirm",
    "largest_alpha",
    "largest_alpha_at",
    "least_slope_at",
    "recover_dual",
    "solve",
    "solve_alphas",
    "solve_knots",
    "solve_near_targets",
    "solve_quantile_knots",
    "solve_quantiles",
    "verify",
    "with_zeros_of",
    "without_narrow_curve",
]
