"""Targets far from zero beside a column of ones: as good a fit as with an intercept."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor
from ladreg._problem import Combined
from tests.faults import faulty, gives_up
from tests.problems import make, solve

MODELS = [
    LADRegressor(),
    QuantileRegressor(quantile=0.3, alpha=0.0),
    HuberLossRegressor(1.35, scale=1.0),
    CombinedLossRegressor(0.5),
    LassoCD(0.0),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("level", [1e6, 1e7, 1e8])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # gaps of 1e-9: coefficients of 1e8 round
def test_a_column_of_ones_is_as_good_as_an_intercept(model, level):
    """At unit scale the residuals are 1e-8: they were taken for rounding, and the fit was .1 to 2 times too bad."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, e = rng.normal(size=(60, 2)), rng.normal(size=60)
        y = level + X @ [1.0, 2.0] + (np.round(e) if seed % 2 else e)
        best = model.set_params(fit_intercept=True).fit(X, y).objective_
        found = model.set_params(fit_intercept=False).fit(np.column_stack([np.ones(60), X]), y).objective_
        assert found == pytest.approx(best, rel=1e-8)


def test_only_what_is_not_proved_is_solved_again():
    X, e = np.ones((60, 1)), np.random.default_rng(0).normal(size=60)
    for level, times in ((1e3, 0), (1e9, 1)):
        problem = make(X, level + e, loss=Combined(0.5, 0.5), fit_intercept=False)
        assert solve(problem).stats.get("targets_predicted", 0) == 60 * times


def test_without_least_squares_the_first_solution_stays():
    X, y = np.ones((60, 1)), 1e9 + np.random.default_rng(0).normal(size=60)
    with faulty(np.linalg, "lstsq", 1, gives_up) as calls, pytest.warns(ConvergenceWarning, match="did not reach tol"):
        CombinedLossRegressor(0.5, fit_intercept=False).fit(X, y)
    assert calls
