"""Functions that misbehave when they are told to, tables to fit meanwhile, and what is asked of the result."""

from contextlib import contextmanager

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressor,
    QuantileRegressorCV,
    QuantileRegressorIC,
    StabilitySelection,
)
from ladreg._estimators import huber_scale
from ladreg._least_squares import coordinate_descent, homotopy
from ladreg._piecewise import bounded_dual, interior_point, null_space
from ladreg._presolve import duplicate_rows


def table(n_samples, n_features, *, whole=False):
    rng = np.random.default_rng(n_samples)
    X = rng.standard_normal((n_samples, n_features))
    y = 2 * X[:, 0] - X[:, -1] + rng.standard_t(2, size=n_samples)
    return (np.round(X), np.round(y)) if whole else (X, y)


SMALL, TIED, MANY, WIDE = table(40, 3), table(30, 3, whole=True), table(10_500, 3), table(12, 30)
TWINS = np.column_stack([SMALL[0], SMALL[0][:, :2]]), SMALL[1]
SUMS = np.column_stack([SMALL[0], SMALL[0].sum(axis=1)]), SMALL[1]
# Rows in pairs far apart: every fit between them is optimal.
PAIRS = np.vstack([SMALL[0], SMALL[0]]), np.repeat([6.0, -5.0], 40) + np.tile(SMALL[0] @ [3.0, -2.0, 1.0], 2)
# Two columns that differ by 1e-8.
NEAR = np.column_stack([SMALL[0], SMALL[0][:, 0] + 1e-8 * SMALL[0][:, 1] ** 2]), SMALL[1]
SPARSE = sp.csr_array(np.where(np.abs(SMALL[0]) > 0.7, SMALL[0], 0.0)), SMALL[1]

# A fit of every kind, through every solver.
CASES = {
    "lad": (LADRegressor(), TIED),
    "lad by reduction": (LADRegressor(), MANY),
    "lad, more columns than rows": (LADRegressor(), WIDE),
    "lad, repeated columns": (LADRegressor(positive=True), TWINS),
    "lad, wide and penalised": (LADRegressor(alpha=0.05), WIDE),
    "lad by linprog": (LADRegressor(alpha=0.1, solver="linprog"), TIED),
    "lad, many optima": (LADRegressor(), PAIRS),
    "lad, sparse": (LADRegressor(), SPARSE),
    "quantiles": (QuantileRegressor(quantile=[0.2, 0.5, 0.8], alpha=0.01), MANY),
    "combined": (CombinedLossRegressor(alpha=0.05), TIED),
    "combined, repeated columns": (CombinedLossRegressor(), TWINS),
    "combined, nearly equal columns": (CombinedLossRegressor(), NEAR),
    "huber": (HuberLossRegressor(scale=1.0), SPARSE),
    "huber, repeated columns": (HuberLossRegressor(alpha=0.01), TWINS),
    "lasso": (LassoCD(alpha=0.01), WIDE),
    "lasso by residuals": (LassoCD(alpha=0.01, precompute=False), SPARSE),
    "least squares": (LassoCD(alpha=0.0), TWINS),
    "least squares, dependent columns": (LassoCD(alpha=0.0), SUMS),
    "elastic net": (ElasticNetCD(alpha=0.1, standardize=True), TWINS),
    "lasso, folds": (LassoCDCV(alphas=4, cv=2), WIDE),
    "elastic net, folds": (ElasticNetCDCV(alphas=4, cv=2), SMALL),
    "lad, folds": (LADRegressorCV(alphas=2, cv=2), SMALL),
    "lasso, criterion": (LassoCDIC(alphas=4), SMALL),
    "lad, criterion": (LADRegressorIC(alphas=2), SMALL),
    "quantile, folds": (QuantileRegressorCV(alphas=2, cv=2), SMALL),
    "huber, folds": (HuberLossRegressorCV(alphas=2, cv=2), SMALL),
    "combined, folds": (CombinedLossRegressorCV(alphas=2, cv=2), SMALL),
    "quantile, criterion": (QuantileRegressorIC(quantile=0.3, alphas=2), SMALL),
    "stability": (StabilitySelection(LADRegressor(), n_pairs=1, alphas=2, random_state=0), SMALL),
}


# Functions past the doors of their wings whose faults no input brings about: tests break them by these names.
INSIDE = {
    "interior point": (interior_point, "solve_or_fall"),
    "Cholesky factor": (bounded_dual, "cholesky_solver"),
    "null space": (null_space, "solve"),
    "Cholesky factor in the null space": (null_space, "cholesky_solver"),
    "keys of rows": (duplicate_rows, "_keys"),
    "draft of a path": (homotopy, "draft"),
    "canonical optimum of a lasso": (coordinate_descent, "canonical_optimum"),
    "vertex of a scale": (huber_scale, "solve_only_vertex"),
}


@contextmanager
def faulty(module, name, number, fault):
    """The function misbehaves at its call of that number; yields the count of calls."""
    real, calls = getattr(module, name), []

    def function(*args, **kwargs):
        calls.append(name)
        return fault(real, *args, **kwargs) if len(calls) == number else real(*args, **kwargs)

    setattr(module, name, function)
    try:
        yield calls
    finally:
        setattr(module, name, real)


@contextmanager
def always(module, name, fault):
    """The function misbehaves at every call."""
    real = getattr(module, name)
    setattr(module, name, lambda *args, **kwargs: fault(real, *args, **kwargs))
    try:
        yield
    finally:
        setattr(module, name, real)


def gives_up(*_, **__):
    """The fault of a decomposition that does not converge."""
    raise np.linalg.LinAlgError("injected")


def gives_nothing(*_, **__):
    """The fault of a function that says with None that it has no answer."""


def numbers():
    """1, 2, 3, 4, 6, 9, and so on by halves: a loop over them ends where the fault is no longer reached."""
    number = 1
    while True:
        yield number
        number += max(1, number // 2)


def certificates(found):
    return found if isinstance(found, list) else [found]


def proved(model, X, y):
    """Whether the coefficients are optimal, by what the fit says and by what the data say; both agree that it is not
    worse than told."""
    told = certificates(model.certificate_)
    judged = certificates(model.verify(X, y))
    for one, other in zip(told, judged, strict=True):
        assert one.objective == pytest.approx(other.objective, rel=1e-12)
        assert one.bound <= other.objective * (1 + 1e-12)
        assert other.gap <= one.gap + 1e-9 * abs(one.objective)
    scale = max(np.var(y), *(one.objective for one in told))  # that of the tolerance for squares
    return max(one.gap for one in [*told, *judged]) <= max(model.tol, 1e-12) * scale
