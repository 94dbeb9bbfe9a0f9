"""Random bounds and ridges: every loss, weights of rows and features, sparse X; judged by Clarabel."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    CombinedLossRegressor,
    ElasticNetCD,
    HuberLossRegressor,
    LADRegressor,
    LassoCD,
    QuantileRegressor,
)

# Largest difference from the judge's objective, relative to it; Clarabel is asked for 1e-12.
APART = 1e-8
# Part of the problems that have a hundred times as many rows: few of them are solved.
MANY = 0.05
# Objectives below 1e-3 (targets have size one) are compared with that.
LEAST = 1e-3


@dataclass
class Bounded:
    """An estimator, its data, its loss as cvxpy writes it, and the shares of its penalty."""

    model: object
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    loss: object
    alpha: float
    ratio: float
    unit: np.ndarray

    def table(self, rng):
        """X, dense or sparse."""
        return sp.csc_array(self.X) if rng.random() < 0.4 else self.X

    def optimum(self):
        """The judge's objective, and whether it trusts itself."""
        own, p = self.model.get_params(), self.X.shape[1]
        coef, intercept = cp.Variable(p), cp.Variable()
        factors = np.asarray(own["penalty_weights"])
        rules = [] if own["fit_intercept"] else [intercept == 0]
        rules += [coef[j] == 0 for j in np.flatnonzero(np.isinf(factors))]
        factors = np.where(np.isinf(factors), 0, factors)
        for k, ends in enumerate(own["bounds"] or ()):
            rules += [(coef[j] >= ends[j], coef[j] <= ends[j])[k] for j in np.flatnonzero(np.isfinite(ends))]
        absolute, square = factors * self.unit * self.ratio, factors * self.unit**2 * (1 - self.ratio) / 2
        penalty = absolute @ cp.abs(coef) + square @ cp.square(coef)
        loss = (self.weight / self.weight.sum()) @ self.loss(self.y - self.X @ coef - intercept)
        problem = cp.Problem(cp.Minimize(loss + self.alpha * penalty), rules)
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        return problem.value, problem.status == "optimal"


def draw(seed):
    """A problem of any combination."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(5, 60)), int(rng.integers(1, 15))
    if np.random.default_rng([seed, 1]).random() < MANY:
        n *= 100
    X = rng.standard_normal((n, p))
    X = X * (rng.random((n, p)) < 0.4) if rng.random() < 0.3 else X
    X = np.round(X) if rng.random() < 0.2 else X
    if rng.random() < 0.2 and p > 1:
        X[:, 1] = X[:, 0]
    y = X @ rng.standard_normal(p) + rng.standard_t(2, n) + rng.integers(-5, 6)
    y = np.round(y) if rng.random() < 0.3 else y
    weight = rng.uniform(0.1, 3, n) if rng.random() < 0.5 else np.ones(n)
    lower, length = rng.choice([-np.inf, -1, -0.3, 0, 0.2], p), rng.choice([0, 0.4, 1, np.inf], p)
    other = rng.choice([-0.5, 0, 0.5, np.inf], p)
    upper = np.where(np.isinf(lower), other, np.where(np.isinf(lower), 0, lower) + length)
    bounds = (lower, upper) if rng.random() < 0.75 else None
    factors = rng.choice([0, 0.5, 1, 3], p) if rng.random() < 0.5 else np.ones(p)
    if bounds is None and rng.random() < 0.2:
        factors[0] = np.inf
    alpha, ratio = float(rng.choice([0, 0.01, 0.1, 1])), float(rng.choice([0, 0.3, 0.9, 1]))
    common = {"alpha": alpha, "fit_intercept": bool(rng.integers(2)), "bounds": bounds, "penalty_weights": factors}
    (model, loss), unit = _model(rng, seed % 6, ratio, common), np.ones(p)
    if model.get_params().get("standardize"):
        share = weight / weight.sum()
        unit = np.sqrt(share @ (X - share @ X) ** 2)
        unit[X.max(axis=0) == X.min(axis=0)] = 1.0
    ratio = 1.0 if isinstance(model, LassoCD) else ratio
    return Bounded(model, X, y, weight, loss, alpha, ratio, unit), rng


def _model(rng, kind, ratio, common):
    share, standardize = float(rng.choice([0.1, 0.5, 0.8])), bool(rng.integers(2))
    width = float(rng.choice([0.3, 1.35]))
    return [
        lambda: (LADRegressor(l1_ratio=ratio, **common), cp.abs),
        lambda: (
            QuantileRegressor(quantile=share, l1_ratio=ratio, **common),
            lambda r: cp.maximum(share * r, (share - 1) * r),
        ),
        lambda: (
            HuberLossRegressor(width, scale=1.0, l1_ratio=ratio, **common),
            lambda r: cp.huber(r, width) / 2,
        ),
        lambda: (
            CombinedLossRegressor(share, penalty_l1_ratio=ratio, **common),
            lambda r: share * cp.abs(r) + (1 - share) * cp.square(r),
        ),
        lambda: (LassoCD(standardize=standardize, **common), lambda r: cp.square(r) / 2),
        lambda: (ElasticNetCD(l1_ratio=ratio, standardize=standardize, **common), lambda r: cp.square(r) / 2),
    ][kind]()


def complaint(seed):
    """What is wrong with the fit of one problem; None for nothing, or where the judge has no opinion."""
    case, rng = draw(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        case.model.fit(case.table(rng), case.y, sample_weight=case.weight)
    bounds = case.model.bounds
    if bounds is not None and not np.all((case.model.coef_ >= bounds[0]) & (case.model.coef_ <= bounds[1])):
        return f"{seed}: {case.model} leaves its bounds: {case.model.coef_}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, is_sure = case.optimum()
    apart = (case.model.objective_ - wanted) / max(abs(wanted), LEAST)
    if apart > APART or (is_sure and apart < -APART):
        return f"{seed}: {case.model} has the objective {case.model.objective_!r}, the judge {wanted!r}"
    return None


def check_bounds(number, seed):
    """Judge `number` problems; 1 if anything is wrong."""
    first = seed * 10**6
    wrong = [text for text in map(complaint, range(first, first + number)) if text]
    print("\n".join([*wrong, f"{number} problems with bounds and ridges, {len(wrong)} wrong"]), file=sys.stderr)
    return int(bool(wrong))
