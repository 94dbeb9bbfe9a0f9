"""Huber's loss whose curved piece is narrow beside y: solved as a kink, and with its curve where that leaves a gap."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ladreg import HuberLossRegressor

SLOPE = 3.0


def fitted(y, *, scale=1e-3, epsilon=20.0, weight=None, **others):
    X = np.full((y.size, 1), SLOPE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = HuberLossRegressor(epsilon=epsilon, scale=scale, fit_intercept=False, **others)
        return X, model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("origin", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("weight", [np.ones(6), np.array([1e12, 1e12, 1.0, 1.0, 1.0, 1.0])], ids=["equal", "heavy"])
@pytest.mark.parametrize("bounds", [None, (0.0, 1e9)], ids=["free", "bounds"])
def test_rows_fitted_exactly_leave_no_gap_of_the_width(origin, weight, bounds):
    y = np.full(6, origin + 1.0)
    X, model = fitted(y, weight=weight, bounds=bounds)
    # A kink proves delta^2 / 2, which is 2e-4; the rounding of y costs its square.
    rounding = (4 * np.finfo(float).eps * origin) ** 2
    assert model.dual_gap_ <= rounding
    assert model.verify(X, y, sample_weight=weight).gap <= rounding


@pytest.mark.parametrize("epsilon", [1.35, 20.0])
@pytest.mark.parametrize("origin", [1e3, 1e6, 1e9])
def test_residuals_on_the_curved_piece_balance_the_slope_of_an_outlier(epsilon, origin):
    y = np.full(5, origin + 1.0)
    y[4] *= 2
    X, model = fitted(y, epsilon=epsilon)
    # Four rows with residual -delta / 4 balance one at the end of its interval.
    shift = SLOPE * model.coef_[0] - y[0]
    assert shift == pytest.approx(epsilon * 1e-3 / 4, abs=2 * np.finfo(float).eps * origin)
    assert model.verify(X, y).gap <= 1e-12 * model.objective_


def test_a_heavy_row_proves_a_small_objective_of_light_ones():
    y, weight = np.full(5, 1e9 + 1.0), np.array([1e12, 1e12, 1.0, 1.0, 1.0])
    y[4] *= 2
    _, model = fitted(y, weight=weight)
    assert model.objective_ == pytest.approx(20e-3 * 1e9 / 2e12, rel=1e-6)
    assert model.dual_gap_ <= (4 * np.finfo(float).eps * 1e9) ** 2  # the heavy rows' rounding costs its square
    assert model.certificate_.relative_gap <= 1e-9
