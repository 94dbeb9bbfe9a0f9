"""Paths of LAD with an L1 penalty, and the cross-validation along them, against peers with the same alphas.

The quality is that of the worst alpha: how far its objective, computed here, is above the best of all that were found.
"""

from __future__ import annotations

import time
import warnings
from functools import partial

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LassoCV, QuantileRegressor

from ladreg import LADRegressor, LADRegressorCV, lad_path
from tests.benchmarks.family import t2_noise
from tests.benchmarks.harness import SUMMARY, heading, summarised
from tests.benchmarks.peers import in_library_of_r, in_r, installed

_ALPHAS = 20
# Each rival runs 3 times, in turn; one that takes longer than 2 s runs once.
_REPEATS, _LONG = 3, 2.0
# conquer.cv.reg takes minutes for larger tables.
_LARGEST_CV = 50_000


def problems(parts, *more):
    """Names, X and y, of those whose names contain one of the parts, if there are any; `more` are other shapes."""
    found = [("diabetes 442 x 10", *load_diabetes(return_X_y=True))]
    for n_samples, n_features in ((1000, 50), (200, 100), (200, 500), *more):
        found.append((f"{n_samples:,} x {n_features}", *t2_noise(n_samples, n_features)))
    return [problem for problem in found if not parts or any(part in problem[0] for part in parts)]


def ours(X, y, alphas):
    """Coefficients and intercepts, one column and one number for each alpha."""
    _, coefs, intercepts, _ = lad_path(X, y, alphas=alphas)
    return coefs, intercepts


def quantile_regressor(X, y, alphas):
    """scikit-learn's linear program, one fit for each alpha, which is half of ours."""
    fits = [QuantileRegressor(alpha=alpha / 2, solver="highs").fit(X, y) for alpha in alphas]
    return np.array([fit.coef_ for fit in fits]).T, np.array([fit.intercept_ for fit in fits])


def quantreg_lasso(X, y, alphas):
    """R's rq.fit.lasso, one fit for each alpha, whose lambdas are n times ours. It is timed inside R."""
    lambdas = ", ".join(repr(float(alpha * y.size)) for alpha in alphas)
    coefs, intercepts, seconds = in_r(
        f"sapply(c({lambdas}), function(l) rq.fit.lasso(X, y, tau = 0.5, lambda = c(0, rep(l, p)))$coefficients)"
    )(X, y)
    return coefs.T, intercepts, seconds


def conquer_lasso(X, y, alphas):
    """R's conquer.reg, which smooths the loss and gives its lambdas, half of ours, in ascending order.

    Its columns are to be of size one: on those of diabetes it is 40 % above the best objective.
    """
    lambdas = ", ".join(repr(float(alpha / 2)) for alpha in alphas)
    fit = in_r(f"conquer.reg(X[, -1], y, lambda = c({lambdas}), tau = 0.5)$coeff", "conquer")
    coefs, intercepts, seconds = fit(X, y)
    return coefs[::-1].T, intercepts[::-1], seconds


def conquer_cv(X, y):
    """Processor seconds of R's conquer.cv.reg: 5 folds of every tenth alpha of ours, with a smoothed loss."""
    lambdas = ", ".join(repr(float(alpha / 2)) for alpha in lad_path(X, y)[0][::10])
    choice = in_r(f"conquer.cv.reg(X[, -1], y, lambdaSeq = c({lambdas}), tau = 0.5)$coeff.min", "conquer", "user.self")
    return choice(X, y)[2]


def pinball_lasso(X, y, alphas):
    """pinball-qr's lasso, one fit for each alpha, whose lambdas are n times ours; the first column is not penalised."""
    from pinball.linear.solvers.lasso import LassoSolver

    rows = np.column_stack([np.ones(y.size), X])
    fits = np.array([LassoSolver(lambda_=float(alpha * y.size)).solve(rows, y, 0.5).coefficients for alpha in alphas])
    return fits[:, 1:].T, fits[:, 0]


def asgl_lasso(X, y, alphas):
    """asgl's lasso for the quantile one half, by CVXPY, one fit for each alpha, which is half of ours."""
    import asgl

    fits = [asgl.Regressor(model="qr", penalization="lasso", lambda1=alpha / 2, tol=0.0).fit(X, y) for alpha in alphas]
    return np.array([np.ravel(fit.coef_) for fit in fits]).T, np.array([float(fit.intercept_) for fit in fits])


def rivals():
    """Functions of X, y and alphas; those that are not installed are named and left out."""
    found = {"ladreg": ours, "scikit-learn QuantileRegressor": quantile_regressor}
    others = {
        "R quantreg rq.fit.lasso": (quantreg_lasso, in_library_of_r("quantreg")),
        "R conquer.reg (smoothed)": (conquer_lasso, in_library_of_r("conquer")),
        "pinball-qr lasso": (pinball_lasso, installed("pinball")),
        "asgl lasso": (asgl_lasso, installed("asgl")),
    }
    for name, (fit, is_here) in others.items():
        if is_here:
            found[name] = fit
        else:
            print(f"{name} is not installed")
    return found


def objectives(X, y, alphas, found):
    """Mean absolute residual plus alpha times the sum of absolute coefficients, for each alpha."""
    coefs, intercepts = found[:2]
    return np.abs(y[:, None] - X @ coefs - intercepts).mean(axis=0) + alphas * np.abs(coefs).sum(axis=0)


def in_turn(*works, clock=time.perf_counter):
    """The least seconds of each, and its answer."""
    seconds, answers = [np.inf] * len(works), [None] * len(works)
    for repeat in range(_REPEATS):
        for k, work in enumerate(works):
            if repeat == 0 or seconds[k] <= _LONG:
                begin = clock()
                answers[k] = work()
                spent = clock() - begin
                inside = answers[k][2:] if isinstance(answers[k], tuple) else ()  # timed by the rival itself
                seconds[k] = min(seconds[k], *(inside or (spent,)))
    return seconds, answers


def lad_paths(*parts):
    """Grids of alphas to 1/100 of the largest; 5 folds of 100 alphas by the defaults, beside LassoCV and one fit.

    The second table has seconds of processor time.
    """
    warnings.simplefilter("ignore")  # LassoCV does not converge to 1e-6 everywhere
    here = rivals()
    heading("lad-paths", SUMMARY)
    for name, X, y in problems(parts):
        alphas = lad_path(X, y, alphas=_ALPHAS, eps=0.01)[0]
        seconds, answers = in_turn(*(partial(fit, X, y, alphas) for fit in here.values()))
        values = [objectives(X, y, alphas, found) for found in answers]
        best = np.min(values, axis=0)
        worst = [float(((value - best) / best).max()) for value in values]
        print(summarised(name, list(here), seconds, worst), flush=True)
    heading(
        "lad-cv",
        "| problem | LADRegressorCV | LassoCV(tol=1e-6) | ratio | one LADRegressor | CV in fits | R conquer.cv.reg |\n"
        "|---|---|---|---|---|---|---|",
    )
    for name, X, y in problems(parts, (100_000, 20)):
        models = LADRegressorCV(), LassoCV(tol=1e-6), LADRegressor()
        (one, other, fit), _ = in_turn(*(partial(model.fit, X, y) for model in models), clock=time.process_time)
        smooth = conquer_cv(X, y) if "R conquer.reg (smoothed)" in here and X.size <= _LARGEST_CV else np.nan
        row = f"| {name} | {one:.4f} | {other:.4f} | {one / other:.2f} | {fit:.4f} | {one / fit:.0f} | {smooth:.1f} |"
        print(row, flush=True)
