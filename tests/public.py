"""Every public estimator, with settings that fit in a moment, and every public function: what is new is added here."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from unittest import mock

import numpy as np
from sklearn.base import BaseEstimator, clone

import ladreg
from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    ConformalQuantileRegressor,
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
    metrics,
)
from ladreg._estimators import CertifiedRegressor

PLAIN = [
    LADRegressor(alpha=0.05, bounds=(-0.1, 0.6)),
    HuberLossRegressor(alpha=0.05, l1_ratio=0.5),
    LADRegressor(),
    LADRegressor(alpha=0.1),
    QuantileRegressor(alpha=0.1),
    QuantileRegressor(quantile=0.2, alpha=0, positive=True),
    QuantileRegressor(quantile=[0.2, 0.5, 0.7], alpha=0.05),
    CombinedLossRegressor(),
    CombinedLossRegressor(alpha=0.1),
    HuberLossRegressor(),
    HuberLossRegressor(alpha=0.1, scale=0.5),
    LassoCD(alpha=0.1),
    ElasticNetCD(alpha=0.1, standardize=True),
]
CROSS_VALIDATED = [
    LassoCDCV(alphas=5, eps=0.01, cv=2),
    ElasticNetCDCV(alphas=4, eps=0.05, l1_ratio=[0.5, 0.9], cv=2, standardize=True),
    LADRegressorCV(alphas=4, eps=0.05, cv=2),
    QuantileRegressorCV(quantile=0.3, alphas=4, eps=0.05, cv=2, selection="1se"),
    HuberLossRegressorCV(scale=0.5, alphas=4, eps=0.05, cv=2, post_selection=0.5),
    HuberLossRegressorCV(alphas=4, eps=0.05, cv=2),
    CombinedLossRegressorCV(l1_ratio=0.4, alphas=4, eps=0.05, cv=2),
]
CRITERIA = [
    LassoCDIC(alphas=5, eps=0.01),
    LADRegressorIC("aic", alphas=4, eps=0.05),
    QuantileRegressorIC(quantile=0.3, alphas=4, eps=0.05),
]
TUNED = [*CROSS_VALIDATED, *CRITERIA]
SELECTORS = [StabilitySelection(alphas=3, n_pairs=3, random_state=0)]
INTERVALS = [ConformalQuantileRegressor(coverage=0.5, random_state=0)]
REGRESSORS = [*PLAIN, *TUNED]
ESTIMATORS = [*REGRESSORS, *SELECTORS, *INTERVALS]

# One fit of each class, for laws that take many fits.
ONE_EACH = list({type(model): model for model in ESTIMATORS}.values())


def classes():
    """The public estimators."""
    values = [getattr(ladreg, name) for name in ladreg.__all__]
    return [value for value in values if inspect.isclass(value) and issubclass(value, BaseEstimator)]


def functions():
    """The public functions, those of `metrics` as well."""
    values = [getattr(ladreg, name) for name in ladreg.__all__] + [getattr(metrics, name) for name in metrics.__all__]
    return [value for value in values if inspect.isfunction(value)]


def metric_functions():
    """Those that compare predictions with targets."""
    made = scorer_makers()
    return [function for function in functions() if function.__module__ == metrics.__name__ and function not in made]


def scorer_makers():
    """Those that make a scorer of a metric."""
    return [function for function in functions() if function.__name__.endswith("_scorer")]


def data_functions():
    """Those that take X, and y where they need it, as ``call(X, y, **others)``; the name stands for the function."""
    return {
        "lasso_path": lambda X, y, **others: ladreg.lasso_path(X, y, **{"alphas": 4, "fit_intercept": True, **others}),
        "enet_path": lambda X, y, **others: ladreg.enet_path(X, y, **{"alphas": 4, "fit_intercept": True, **others}),
        "lad_path": lambda X, y, **others: ladreg.lad_path(X, y, **{"alphas": 4, "eps": 0.05, **others}),
        "quantile_grid": lambda X, y, **others: ladreg.lad_path(X, y, **{"quantiles": [0.3, 0.5], **others}),
        "quantile_path": lambda X, y, **others: ladreg.quantile_path(X, y, **{"alphas": 4, "eps": 0.05, **others}),
        "quantile_process": lambda X, y, **others: ladreg.quantile_process(X, y, **{"alpha": 0.02, **others}),
        "huber_path": lambda X, y, **others: ladreg.huber_path(X, y, **{"alphas": 4, "eps": 0.05, **others}),
        "combined_path": lambda X, y, **others: ladreg.combined_path(X, y, **{"alphas": 4, "eps": 0.05, **others}),
        "alpha_max": ladreg.alpha_max,
        "pivotal_alpha": _pivotal,
        "infer": _inferred,
        "fit_many": _many,
    }


def _pivotal(X, y, **others):
    return ladreg.pivotal_alpha(X, **{"n_simulations": 20, **others})


def _many(X, y, sample_weight=None, **others):
    X, y = (values if values is None or hasattr(values, "shape") else np.asarray(values) for values in (X, y))
    given = {"window": 12, "step": 6, "sample_weight": sample_weight, **others}
    found = ladreg.fit_many(LADRegressor(), X, y, **given)
    return found.coef, found.intercept


def _inferred(X, y, sample_weight=None, **others):
    drawn = {"method": "bootstrap"} if others.keys() & {"n_jobs", "random_state"} else {}
    found = ladreg.infer(LADRegressor().fit(X, y, sample_weight), X, y, sample_weight, **drawn, **others)
    return found.coef, found.cov


def answers(fitted):
    """What a fit found, as arrays that must be finite and repeatable."""
    names = ("coef_", "intercept_", "objective_", "dual_gap_", "alpha_", "alphas_", "coef_path_", "intercept_path_")
    names += ("scale_", "calibration_scores_", "selection_probabilities_", "stability_paths_")
    return {name: np.asarray(getattr(fitted, name)) for name in names if hasattr(fitted, name)}


def slopes(fitted):
    """Coefficients, or what a selector has in their place."""
    return np.asarray(fitted.coef_ if hasattr(fitted, "coef_") else fitted.stability_paths_)


def rescaled(model, x, y):
    """The model for ``X * x`` and ``y * y``, whose coefficients are `y / x` times as large; None if there is none.

    Parameters with units are changed along. Where two terms of an objective grow apart by so much that their shares,
    which sum to one, cannot be told from 0 and 1, no parameters say it.
    """
    found, bounds = _rescaled(model, x, y), model.get_params(deep=False).get("bounds")
    if found is None or bounds is None:
        return found
    return found.set_params(bounds=tuple(np.array(bounds) * (y / x)))


def _rescaled(model, x, y):
    """The model, but for its bounds."""
    name, given = type(model).__name__, model.get_params(deep=False)
    if name.startswith("StabilitySelection"):
        return clone(model)
    if name.startswith(("LAD", "Quantile", "Conformal")):
        return _with_alpha(model, x) if given.get("l1_ratio", 1.0) == 1.0 else _with_shares(model, x, x * x / y, 1.0)
    if name.startswith("Huber") and given["l1_ratio"] != 1.0:
        return _with_shares(model, x * y, x * x, 1.0)
    if name.startswith("ElasticNet"):
        # The penalty of a standardised column has its deviation as a factor already.
        units = 1.0 if given["standardize"] else x
        return _with_shares(model, units * y, units * units, 1.0)
    if name.startswith("Combined"):
        return _with_shares(model, y, 1.0, x * y)
    found = _with_alpha(model, x * y)
    if isinstance(given.get("scale"), float):
        found.set_params(scale=given["scale"] * y)
    return found


def _with_alpha(model, factor):
    given = model.get_params(deep=False)
    if "alpha" in given:
        return clone(model).set_params(alpha=given["alpha"] * factor)
    assert np.ndim(given["alphas"]) == 0, "alphas that the data choose need no units"
    return clone(model)


def _with_shares(model, first, second, factor):
    """The model with the two terms, of shares `l1_ratio` and the rest, multiplied, and the objective divided."""
    if first > 1024 * second:
        return None
    ratio = np.asarray(model.l1_ratio, dtype=float)
    total = first * ratio + second * (1 - ratio)
    found = clone(model).set_params(l1_ratio=(first * ratio / total).tolist())
    if not hasattr(model, "alpha"):
        return _with_alpha(found, 1.0)
    combined = type(model).__name__.startswith("Combined")
    return found.set_params(alpha=model.alpha * float(factor / total if combined else total))


@contextmanager
def solutions():
    """Collects the solutions of the last fit, whose duals and counts no estimator keeps."""
    found, store = [], CertifiedRegressor._store

    def spied(self, data, problems, solutions):
        found[:] = solutions
        return store(self, data, problems, solutions)

    with mock.patch.object(CertifiedRegressor, "_store", spied):
        yield found
