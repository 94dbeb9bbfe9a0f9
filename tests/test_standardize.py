"""`standardize=True` is what StandardScaler does before the fit, for columns without spread and far from zero too."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ladreg import ElasticNetCD, ElasticNetCDCV, LassoCD, LassoCDCV, LassoCDIC, lasso_path


def shares(seed, n_samples=90):
    """Shares of a whole, their sum (1 up to rounding), the same sum in other units, and three columns beside them."""
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet(np.ones(4), n_samples)
    whole = parts.sum(axis=1)
    X = np.c_[parts, whole, 1e6 * whole, -3e-5 * whole, rng.standard_normal((n_samples, 3))]
    return X, 3 * X[:, 0] + rng.standard_normal(n_samples), slice(4, 7)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array])
@pytest.mark.filterwarnings("error", "ignore:alpha=.* is the smallest that was tried")
def test_columns_that_are_constant_up_to_rounding_are_constant(seed, l1_ratio, kind):
    X, y, constant = shares(seed)
    assert np.all(X[:, constant].std(axis=0) > 0)
    model = ElasticNetCD(0.05, l1_ratio=l1_ratio, standardize=True).fit(kind(X), y)
    scaled = make_pipeline(StandardScaler(), ElasticNetCD(0.05, l1_ratio=l1_ratio)).fit(X, y)
    np.testing.assert_allclose(model.predict(X), scaled.predict(X), rtol=1e-9)
    assert not model.coef_[constant].any()
    assert model.certificate_.relative_gap < 1e-12
    # In a fold as well.
    options = {"alphas": 12, "eps": 0.05, "cv": 4}
    tuned = ElasticNetCDCV(l1_ratio=l1_ratio, standardize=True, **options).fit(kind(X), y)
    rest = np.delete(X, np.arange(X.shape[1])[constant], axis=1)
    expected = ElasticNetCDCV(l1_ratio=l1_ratio, standardize=True, **options).fit(rest, y)
    np.testing.assert_allclose(tuned.mse_path_, expected.mse_path_, rtol=1e-8)
    assert not tuned.coef_path_[constant].any()
    if l1_ratio == 1.0:
        assert not LassoCDIC(standardize=True, alphas=12, eps=0.05).fit(kind(X), y).coef_path_[constant].any()


def far(seed, n_samples=80, n_features=12, middle=1e3, spread=1e-4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    y = X[:, 0] + 0.3 * X[:, 1] - X[:, -1] + rng.standard_normal(n_samples)
    X[:, 8:] = middle + spread * X[:, 8:]
    return X, y


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", [(80, 12), (30, 60)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("splitter", [TimeSeriesSplit(3), KFold(4)], ids=["ordered", "partition"])
@pytest.mark.filterwarnings("ignore:.*Rounding errors left nothing")  # of the proof by columns as they are
# Gaps of 3e-9 of the variance of y, where the warning begins at 1e-9: BLAS, and so the processor, decides.
@pytest.mark.filterwarnings(
    "error", "ignore:.*Rounding errors prevent", "ignore:alpha=.* is the smallest that was tried"
)
def test_sparse_columns_far_from_zero_are_dense_ones(seed, standardize, shape, weighted, kind, splitter):
    X, y = far(seed, *shape)
    weight = np.random.default_rng(seed).uniform(0.5, 2.0, y.size) if weighted else None
    options = {"standardize": standardize, "alphas": 12, "eps": 0.2, "cv": splitter}
    ours = LassoCDCV(**options).fit(kind(X), y, sample_weight=weight)
    dense = LassoCDCV(**options).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.alphas_, dense.alphas_, rtol=1e-8)
    np.testing.assert_allclose(ours.mse_path_, dense.mse_path_, rtol=1e-7)
    np.testing.assert_allclose(ours.predict(X), dense.predict(X), rtol=1e-7, atol=1e-7)
    # The mean is far from the middle of a fold's columns, too, where rows are sorted.
    order = np.argsort(X[:, -1])
    single = LassoCD(dense.alpha_, standardize=standardize)
    first, other = (single.fit(given[order[:20]], y[order[:20]]).predict(X) for given in (kind(X), X))
    np.testing.assert_allclose(first, other, rtol=1e-7, atol=1e-7)


def test_a_path_of_sparse_columns_far_from_zero_is_that_of_centred_ones():
    X, y = far(0)
    alphas, ours, _ = lasso_path(sp.csc_array(X - X[0]), y - y.mean(), alphas=10, fit_intercept=True, eps=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*fits along the path did not reach")
        found = lasso_path(sp.csc_array(X), y, alphas=alphas, fit_intercept=True)[1]
    np.testing.assert_allclose(found, ours, rtol=1e-6, atol=1e-6)
