"""Standard errors of rows in blocks are those of the same rows in memory."""

import logging

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor, blocks, infer

N = 12_000
EXACT = ("df", "names", "quantile", "bandwidth", "n_crossed", "n_samples", "n_groups", "features", "fit_intercept")


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    return X, X @ [1.0, 2.0, 3.0] + rng.standard_t(3, n) * (1 + X[:, 0] ** 2), rng.uniform(0.2, 2.0, n)


def assert_same(model, X, y, w=None, held=3000, **asked):
    here = infer(model.fit(X, y, w), X, y, w, **asked)
    there = infer(model, blocks.arrays(X, y, w, rows=2500).holding(held), **asked)
    np.testing.assert_allclose(there.cov, here.cov, rtol=0, atol=1e-10 * np.abs(here.cov).max())
    for name in ("standard_errors", "r1", "log_likelihood", "aic"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-10)
    np.testing.assert_array_equal(there.coef, here.coef)
    for name in EXACT:
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert np.all([proof.unique for proof in np.ravel(there.certificate)])
    return there


def test_standard_errors_are_those_in_memory():
    X, y, w = table()
    for method in ("robust", "iid"):
        assert_same(LADRegressor(), X, y, method=method)
        assert_same(QuantileRegressor(quantile=[0.2, 0.7], alpha=0), X, y, w, method=method, level=0.9)
    assert_same(LADRegressor(), X, y, np.random.default_rng(1).integers(0, 3, N) * 1.0, weights="frequency")
    assert_same(QuantileRegressor(quantile=0.3, alpha=0, fit_intercept=False), X + 5, y, bandwidth="bofinger")
    assert_same(LADRegressor(penalty_weights=[1, np.inf, 1], positive=True), X, y, w)
    assert_same(LADRegressor(), X[:500], y[:500], w[:500])
    assert_same(LADRegressor(), sp.csr_array(X * (X > 0.5)), y)


def test_kernels_and_groups_are_those_in_memory():
    X, y, w = table(7)
    for kernel in ("gaussian", "uniform"):
        assert_same(LADRegressor(), X, y, method="kernel", kernel=kernel)
        assert_same(QuantileRegressor(quantile=[0.2, 0.7], alpha=0), X, y, w, method="kernel", kernel=kernel)
    whole = np.random.default_rng(1).integers(0, 3, N) * 1.0
    assert_same(LADRegressor(), X, y, whole, method="kernel", weights="frequency")
    assert_same(LADRegressor(), X, np.round(y * 20) / 20, held=100, method="kernel", kernel="gaussian")


@pytest.mark.parametrize("method", ["robust", "kernel"])
@pytest.mark.parametrize("given", ["none", "weights", "frequency"])
def test_groups_are_a_column(method, given):
    X, y, w = table(8)
    rng = np.random.default_rng(9)
    group = rng.integers(0, 40, N) * 1.5
    y = y + rng.standard_normal(60)[(group / 1.5).astype(int)]
    X = np.column_stack([X, group])
    w = None if given == "none" else w if given == "weights" else rng.integers(0, 3, N) * 1.0
    asked = {"method": method, "weights": "frequency" if given == "frequency" else "probability"}
    model = QuantileRegressor(quantile=[0.3, 0.5], alpha=0, penalty_weights=[1, 1, 1, np.inf]).fit(X, y, w)
    here = infer(model, X, y, w, groups=group, **asked)
    data = blocks.arrays(X, y, w, rows=2500).holding(3000)
    there = infer(model, data, groups=3, **asked)
    np.testing.assert_allclose(there.cov, here.cov, rtol=0, atol=1e-9 * np.abs(here.cov).max())
    assert (there.n_groups, there.df) == (here.n_groups, here.df) == (40, 39)
    assert there.n_samples == here.n_samples


def test_columns_may_be_far_from_zero_and_of_any_size():
    X, y, _ = table(3)
    X = np.column_stack([X[:, 0] * 1e-3 + 5.0, X[:, 1] * 1e6, X[:, 2] + 1e5])
    model = LADRegressor().fit(X, y)
    there = infer(model, blocks.arrays(X, y, rows=2500).holding(3000))
    np.testing.assert_allclose(there.standard_errors, infer(model, X, y).standard_errors, rtol=1e-8)


def test_neighbours_share_the_passes_of_the_fit(caplog):
    X, y, w = table(4)
    data = blocks.arrays(X, y, w, rows=2500).holding(3000)
    with caplog.at_level(logging.INFO, logger="ladreg"):
        model = QuantileRegressor(quantile=[0.3, 0.6], alpha=0).fit(data)
        n_fit = len(caplog.messages)
        infer(model, data)
    assert n_fit == model.n_passes_
    assert len(caplog.messages) - n_fit <= n_fit + 4
    assert "(verify+spread)" in caplog.messages[-1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_collections_of_dask():
    da = pytest.importorskip("dask.array")
    X, y, w = table(5, n=2000)
    model = LADRegressor().fit(X, y, w)
    there = infer(model, *(da.from_array(values, chunks=700) for values in (X, y, w)))
    np.testing.assert_allclose(there.cov, infer(model, X, y, w).cov, rtol=1e-9, atol=1e-12)


def test_what_has_no_standard_errors_is_said():
    X, y, _ = table(6, n=400)
    data, model = blocks.arrays(X, y), LADRegressor().fit(X, y)
    for method in ("rank", "bootstrap"):
        with pytest.raises(ValueError, match=f'method="{method}" needs all rows in memory: .* .robust. or .kernel. or'):
            infer(model, data, method=method)
    with pytest.raises(ValueError, match="lags needs all rows in memory"):
        infer(model, data, lags=2)
    with pytest.raises(ValueError, match="groups must be the name or index of a column of X"):
        infer(model, data, groups=np.arange(400))
    for column in ("month", 3, -1):
        with pytest.raises(ValueError, match=f"groups={column!r} is not a column of X"):
            infer(model, data, groups=column)
    ones = np.ones((400, 1))
    with pytest.raises(ValueError, match="groups must have at least two groups"):
        infer(LADRegressor(fit_intercept=False).fit(ones, y), blocks.arrays(ones, y), groups=0)
    for other in (HuberLossRegressor().fit(X, y), LassoCD().fit(X, y)):
        with pytest.raises(TypeError, match=f"{type(other).__name__}, which needs all rows in memory"):
            infer(other, data)
    with pytest.raises(TypeError, match="LassoCD needs all rows in memory"):
        infer(LassoCD().fit(X, y), data, method="desparsified")
    with pytest.raises(ValueError, match="the coefficients are not optimal for these data"):
        infer(model, blocks.arrays(X, y + X[:, 0]))
    with pytest.raises(ValueError, match=r"the model has a penalty \(alpha > 0\)"):
        infer(LADRegressor(alpha=0.1).fit(data), data)
    twice = np.column_stack([X, X[:, 0]])
    with pytest.raises(ValueError, match="linearly dependent: x0, x3"):
        infer(LADRegressor().fit(twice, y), blocks.arrays(twice, y))
    with pytest.raises(ValueError, match=r"3 rows .* are too few for 4 coefficients"):
        infer(LADRegressor().fit(X[:3], y[:3]), blocks.arrays(X[:3], y[:3]))
    with pytest.raises(ValueError, match="y"):
        infer(model, X)
    y[::2] = X[::2].sum(axis=1)
    with pytest.warns(UserWarning, match="distinct rows lie on the fit, but only 4"):
        infer(LADRegressor().fit(X, y), blocks.arrays(X, y), bandwidth=0.45)
