"""The lasso and the elastic net on a small dense table whose features are all penalised: one Gram matrix, one check.

Where that does not end in the only optimum, up to rounding, `coordinate_descent` solves the problem.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, is_regular
from ladreg._certificate import slope_margin
from ladreg._design import CONSTANT, DenseDesign
from ladreg._kernels import _gram
from ladreg._least_squares.centred import MOST_EPOCHS, duality_gap, without_rounding
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._problem import Problem, Settings, StopReason, Uncertified
from ladreg._tolerances import AT_END, BALANCED, SQUARES_GAP


def solve_small_table(problem: Problem, settings: Settings) -> Uncertified | None:
    """The only optimum of a small problem at unit scale; None for others, or where it is not found to rounding.

    1. Centre the table, multiply its rows and the target by the roots of the weights, and form the products of the
       columns with each other and with the target.
    2. Epochs of coordinate descent on the Gram matrix, to which ridges are added, then exact steps on the support.
    3. One pass over the table: residual, slopes, gap. The optimum is unique if all features are independent, or those
       whose slopes may be at their strength.
    """
    penalty, n, p, tuning = problem.penalty, problem.n_samples, problem.n_features, settings.tuned(LeastSquaresTuning)
    n_steps = tuning.steps * (p + 1)
    is_small = 0 < p <= tuning.small_columns and 1 < n <= tuning.small_rows
    is_penalised = penalty.all_bound or (penalty.curved and bool((penalty.strength + penalty.ridge > 0).all()))
    is_plain = is_penalised and not (penalty.excluded or penalty.limited) and settings.precompute is None
    can_end = settings.limit(MOST_EPOCHS) >= tuning.epochs + n_steps
    if not (is_small and is_plain and can_end and isinstance(problem.design, DenseDesign)):
        return None
    # 1.
    root = np.sqrt(problem.weight)
    A, y, mean, y_mean = _centred(problem)
    A, y = np.multiply(A, root[:, None], out=A), y * root
    gram, square = A.T @ A, float(y @ y)
    variance = gram.diagonal()
    if not (square > 0 and (variance > CONSTANT * (variance + mean * mean)).all()):
        return None
    # 2.
    curvature = gram + np.diag(penalty.ridge) if penalty.curved else gram
    coef, slope = np.zeros(p), y @ A
    n_epochs = _gram.gram_burst(curvature, penalty.strength, penalty.positive, tuning.epochs, coef, slope)
    support, factor = np.zeros(p, dtype=np.intp), np.zeros((p, p))
    rounding = BALANCED * float(np.abs(slope).max())
    _, n_newton = _gram.settle(
        curvature, penalty.strength, penalty.positive, n_steps, rounding, coef, slope, support, factor, 0
    )
    # 3.
    residual = y - A @ coef
    slope, loss = residual @ A, 0.5 * float(residual @ residual)
    gap, shrink = duality_gap(penalty, coef, slope, loss)
    if not (n_newton < n_steps and gap <= max(settings.tol, SQUARES_GAP) * square):
        return None
    if not is_regular(curvature):
        spread = problem.design.spread(problem.fit_intercept)
        reach = penalty.excess(slope) / shrink + slope_margin(problem, spread, gap)
        active = np.flatnonzero(reach >= penalty.strength * (1 - AT_END))
        if not is_regular(curvature[active[:, None], active]):
            return None
    if not (coef == without_rounding(penalty, coef, variance, square)).all():
        return None
    return Uncertified(
        coef=coef,
        intercept=y_mean - float(mean @ coef),
        dual=root * residual,
        n_iter=max(n_epochs + n_newton, 1),
        stopped=StopReason.TOLERANCE,
        solver="coordinate descent",
        stats={"n_epochs": n_epochs, "n_checks": 1, "n_newton": n_newton, "largest_working_set": p},
        unique=True,
    )


def _centred(problem: Problem) -> tuple[Array, Array, Array, float]:
    """The table and the target without their weighted means, and these; means of zero where there is no intercept."""
    A = problem.design.table()
    if not problem.fit_intercept:
        return A, problem.y, np.zeros(A.shape[1]), 0.0
    weight = np.ascontiguousarray(problem.weight)
    mean, y_mean = weight @ A, float(weight @ problem.y)
    A -= mean
    return A, problem.y - y_mean, np.asarray(mean), y_mean
