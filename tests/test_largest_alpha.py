"""The largest alpha: above it no penalised coefficient is left, below it one is."""

import numpy as np
import pytest

from ladreg import HuberLossRegressor, QuantileRegressor


def nearly_equal_free_columns(rng):
    """Free columns that differ by 1e-5, with coefficients of 1e5, and targets of 0 and 1."""
    Z, noise = rng.standard_normal((12, 2)), 1e-5 * rng.standard_normal(12)
    X = np.c_[Z, Z[:, 0] + noise, rng.integers(-2, 3, (12, 6))]
    return X, rng.integers(0, 2, 12), np.repeat([0.0, 1.0], [3, 6]), 0.9


def repeated_powers(rng):
    """Powers of one column, the first of them twice, and integer targets."""
    X = np.power.outer(rng.uniform(0, 2, 30), [1, 2, 3, 4, 1])
    return X, rng.integers(-3, 4, 30), np.ones(5), 0.05


@pytest.mark.parametrize(
    ("drawn", "seed", "solver"),
    [
        *[(nearly_equal_free_columns, seed, "highs-ds") for seed in (8, 54)],
        *[(repeated_powers, seed, "highs-ipm") for seed in (1, 25, 27, 32, 35)],
    ],
)
def test_above_it_penalised_coefficients_are_exactly_zero(drawn, seed, solver):
    """A linear program's vertex leaves coefficients of its tolerance, and these are not kept for a last digit."""
    X, y, factors, quantile = drawn(np.random.default_rng(seed))
    model = QuantileRegressor(quantile=quantile, alpha=1.0, penalty_weights=factors, solver=solver)
    largest = model.alpha_max(X, y)
    assert largest > 0
    model.set_params(alpha=1.1 * largest).fit(X, y)
    assert not model.coef_[factors > 0].any()
    assert model.certificate_.relative_gap <= 1e-8


def test_it_is_zero_where_y_is_constant_beside_a_wide_delta():
    X, weight = np.random.default_rng(0).standard_normal((30, 3)), np.random.default_rng(1).uniform(size=30)
    model = HuberLossRegressor(epsilon=20.0, scale=10.0)
    assert model.alpha_max(X, np.full(30, -1.0), weight) == 0.0
    y = X[:, 0] + 1.0
    centred = y - np.average(y, weights=weight)
    slopes = (weight / weight.sum() * centred) @ X
    for unit in (1.0, 1e-20):
        assert model.alpha_max(X, unit * y, weight) == pytest.approx(unit * np.abs(slopes).max(), rel=1e-13, abs=0)
