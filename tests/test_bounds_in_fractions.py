"""No lower bound of a certificate is above the optimum, which is computed in fractions."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import clone

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor, blocks
from tests.campaign.exact import optimum
from tests.campaign.formula import Formula, Loss

# The rounding of the sums of a certificate.
ROUNDING = Fraction(1, 10**11)
LOSSES = {
    "lad": (LADRegressor(), Loss(up=1.0, down=1.0)),
    "quantile": (QuantileRegressor(quantile=0.25, alpha=0.0), Loss(up=0.25, down=0.75)),
    "squares": (LassoCD(0.0), Loss(square=0.5)),
}


def nearly_equal(seed, centre, n=7):
    """Two columns that differ by 1e-12 to 1e-3 of their spread, and a third."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 3)), rng.normal(size=n)
    X[:, 1] = X[:, 0] + 10.0 ** rng.uniform(-12, -3) * rng.normal(size=n)
    return X + centre, y


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("centre", "fit_intercept"), [(0.0, True), (0.0, False), (1e4, True)])
@pytest.mark.parametrize("strength", [0.0, 0.1])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_nearly_equal_free_columns(name, centre, fit_intercept, strength):
    """Products of a dual with columns are rounded, and the coefficients of the optimum may be 1e10.

    The third column is penalised by `strength`.
    """
    model, loss = LOSSES[name]
    weights = np.array([0.0, 0.0, 1.0])
    model = clone(model).set_params(alpha=strength, penalty_weights=weights, fit_intercept=fit_intercept)
    for seed in range(10):
        X, y = nearly_equal(seed, centre)
        best = optimum(Formula.of(X, y, None, loss, strength * weights, fit_intercept=fit_intercept))
        assert Fraction(model.fit(X, y).certificate_.bound) <= best * (1 + ROUNDING)
        assert Fraction(model.fit(blocks.arrays(X, y, rows=3)).certificate_.bound) <= best * (1 + ROUNDING)


IN_BLOCKS = {
    "lad": LADRegressor(),
    "quantile": QuantileRegressor(quantile=0.25, alpha=0.0),
    "squares": LassoCD(0.0),
    "huber": HuberLossRegressor(alpha=0.0, scale=1.0),
    "combined": CombinedLossRegressor(alpha=0.0),
}


@pytest.mark.parametrize("name", IN_BLOCKS)
@pytest.mark.parametrize(("centre", "fit_intercept"), [(0.0, True), (0.0, False), (1e4, True)])
@pytest.mark.parametrize("seed", [5, 14])
def test_nearly_equal_free_columns_of_rows_that_are_not_held(name, centre, fit_intercept, seed):
    """No bound is above the objective that memory reaches, and a larger objective is told."""
    X, y = nearly_equal(seed, centre, n=3000)
    model = clone(IN_BLOCKS[name]).set_params(fit_intercept=fit_intercept)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        reached = model.fit(X, y).objective_
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = model.fit(blocks.arrays(X, y, rows=1000).holding(600))
    assert found.certificate_.bound <= reached * (1 + 1e-11)
    assert told or found.objective_ <= reached * (1 + 2e-9)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_limits_that_are_far_from_the_coefficients(name, fit_intercept):
    """The rounding of a slope times a limit of 1e9 is 1e-7; no coefficient is at that limit."""
    model, loss = LOSSES[name]
    limits = -1e9, 1e9
    model = clone(model).set_params(bounds=limits, fit_intercept=fit_intercept)
    for seed in range(4):
        X, y = nearly_equal(seed, 0.0)
        best = optimum(Formula.of(X, y, None, loss, np.zeros(3), fit_intercept=fit_intercept, bounds=limits))
        assert Fraction(model.fit(X, y).certificate_.bound) <= best * (1 + ROUNDING)


@pytest.mark.parametrize(
    ("centre", "fit_intercept", "seeds"),
    [(0.0, True, [3, 14, 35, 36]), (0.0, False, [2, 3, 13, 19]), (1e4, True, [2, 13, 14, 15, 16, 24])],
)
def test_squares_of_nearly_equal_free_columns_are_proved(centre, fit_intercept, seeds):
    """By other columns of the same span: the slopes of coefficients of 1e8 left gaps of 1e-9 to 1e-6, a warning."""
    model = LassoCD(0.1, penalty_weights=[0, 0, 1], fit_intercept=fit_intercept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in seeds:
            model.fit(*nearly_equal(seed, centre))
