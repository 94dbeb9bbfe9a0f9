"""Small tables, and many of them: milliseconds a fit, against least squares and a linear program on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, QuantileRegressor

from ladreg import ElasticNetCD, LADRegressor, LassoCD, fit_many, infer
from tests.benchmarks.harness import heading

SIZES = ((30, 1), (235, 1), (1_000, 5), (2_000, 20))
# Problems, rows and columns of each.
MANY = (10_000, 100, 5)


def data(n_samples: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal columns, errors of Student's t with three degrees of freedom."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    return X, X.sum(axis=1) + rng.standard_t(3, n_samples)


def milliseconds(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The least time of each call, in turn, so that a drift of the machine's speed meets all of them.

    Each is called twice, and the second call is timed: a linear program that was solved before leaves nothing in the
    caches, which would count against whichever comes next.
    """
    best = dict.fromkeys(calls, np.inf)
    for _ in range(repeats):
        for name, call in calls.items():
            call()
            begin = time.perf_counter()
            call()
            best[name] = min(best[name], 1e3 * (time.perf_counter() - begin))
    return best


def small() -> None:
    """Lines of Markdown: single fits, a fit among many, and a replicate of the bootstrap."""
    heading("small", "| problem | solver | ms a fit | time / ours |\n|---|---|---|---|")
    highs = QuantileRegressor(quantile=0.5, alpha=0.0)
    for n_samples, n_features in SIZES:
        X, y = data(n_samples, n_features)
        models = {"ladreg": LADRegressor(), "LinearRegression": LinearRegression(), "scikit-learn highs": highs}
        _print(f"{n_samples:,} x {n_features}", milliseconds(_fits(models, X, y), 10))
    for name, (X, y) in {"diabetes": load_diabetes(return_X_y=True), "100 x 10": data(100, 10)}.items():
        lassos = {"LassoCD": LassoCD(alpha=0.1), "scikit-learn Lasso": Lasso(alpha=0.1)}
        nets = {"ElasticNetCD": ElasticNetCD(alpha=0.01), "scikit-learn ElasticNet": ElasticNet(alpha=0.01)}
        for models in (lassos, nets):
            _print(name, milliseconds(_fits(models, X, y), 100))
    number, n_samples, n_features = MANY
    X, y = data(number * n_samples, n_features)
    labels = np.repeat(np.arange(number), n_samples)
    part = slice(0, n_samples)
    calls = {
        "fit_many, 2 threads": lambda: fit_many(LADRegressor(), X, y, groups=labels, n_jobs=2),
        "ladreg, one by one": lambda: LADRegressor().fit(X[part], y[part]),
        "scikit-learn highs": lambda: highs.fit(X[part], y[part]),
    }
    found = milliseconds(calls, 3)
    found["fit_many, 2 threads"] /= number
    _print(f"{number:,} of {n_samples} x {n_features}", found)
    X, y = data(1_000, 5)
    model, options = LADRegressor().fit(X, y), {"method": "bootstrap", "random_state": 0, "n_jobs": 2}
    found = milliseconds({"bootstrap, 2 threads": lambda: infer(model, X, y, n_bootstrap=1000, **options)}, 3)
    _print("replicate of 1,000 x 5", {name: value / 1000 for name, value in found.items()})


def _fits(models: dict[str, Any], X: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], object]]:
    """A fit of each model to the same rows."""
    return {name: (lambda model=model: model.fit(X, y)) for name, model in models.items()}


def _print(problem: str, found: dict[str, float]) -> None:
    ours = next(iter(found.values()))
    for name, value in found.items():
        print(f"| {problem} | {name} | {value:.3g} | {value / ours:.2g} |", flush=True)
