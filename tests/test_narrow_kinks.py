"""The combined loss where the slopes of its absolute part are small beside those of its squares.

A row on the kink then has an interval that is narrow beside the slopes of all others, as narrow as rounding from
residuals of 1e16 on.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ladreg import CombinedLossRegressor

# Exponents of the size of y: intervals are 1e-22 to 1e-34 of the slopes of other rows, or less.
LARGE = (22.0, 34.0)


def table(seed):
    """Columns that are alike or not, and y of 1e22 to 1e34 with far targets."""
    g = np.random.default_rng(seed)
    n, p = int(g.integers(40, 300)), int(g.integers(1, 6))
    X = g.standard_normal((n, p))
    if seed % 2:
        X = g.standard_normal((n, 1)) + 1e-5 * X
    scale = 10 ** g.uniform(*LARGE)
    y = (X @ g.standard_normal(p) + g.standard_normal(n)) * scale
    far = g.random(n) < 0.2
    y[far] += scale * 10 ** g.uniform(2, 12) * g.standard_normal(int(far.sum()))
    return X, y, float(10 ** g.uniform(-3, -0.1))


@pytest.mark.parametrize("limited", [False, True], ids=["free", "limits"])
@pytest.mark.parametrize("seed", range(52))
def test_it_is_proved_at_any_scale_of_y(seed, limited):
    X, y, share = table(seed)
    model = CombinedLossRegressor(l1_ratio=(0.1, 0.5, 0.9)[seed % 3], fit_intercept=seed % 5 > 0)
    model.set_params(alpha=share * model.alpha_max(X, y))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
        if limited:
            largest = (2.0 if seed % 4 < 2 else 0.5) * float(np.abs(model.coef_).max())
            model.set_params(bounds=(-largest, largest)).fit(X, y)
    assert model.certificate_.relative_gap <= 1e-9
    assert model.verify(X, y).relative_gap <= 1e-9
