"""Cross-validation along a path says what single fits to the folds say, whatever the options."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold

from ladreg import CombinedLossRegressorCV, ElasticNetCD, ElasticNetCDCV, HuberLossRegressorCV, LassoCDCV, alpha_max

ORDERS = {
    "jumps": 10.0 ** -np.arange(4.0),
    "unsorted": np.array([1e-3, 0.9, 1.0001e-3, 1e-5]),
    "spaced": np.geomspace(1.0, 1e-3, 6),
}


def drawn(seed, n_samples, n_features, sparse):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * np.exp(rng.standard_normal(n_features))
    if sparse:
        X *= rng.random(X.shape) < 0.5
    # Half of the coefficients are above zero, so that coefficients of both signs would be chosen by positive=True.
    y = X[:, ::2] @ rng.random(X[:, ::2].shape[1]) + rng.standard_normal(n_samples)
    return rng, X, y


def objective(X, y, weight, coef, intercept, alpha, l1_ratio, units):
    loss = 0.5 * np.average((y - X @ coef - intercept) ** 2, weights=weight)
    strengths, squares = units
    return loss + alpha * (l1_ratio * strengths @ np.abs(coef) + 0.5 * (1 - l1_ratio) * squares @ coef**2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", [(60, 40), (30, 40)])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.02])
@pytest.mark.parametrize("standardize", [False, True])
def test_folds_and_paths_are_single_fits(order, shape, positive, l1_ratio, standardize):
    """A quarter of all combinations, in which any three options meet in all ways."""
    sparse = (shape[0] > 40) ^ positive ^ (l1_ratio < 1)
    weights = positive ^ (l1_ratio < 1) ^ standardize
    seed = sum(map(ord, f"{order}{shape}{positive}{l1_ratio}{weights}{standardize}{sparse}"))
    rng, X, y = drawn(seed, *shape, sparse)
    sample_weight = rng.integers(1, 4, y.size).astype(float) if weights else None
    penalty_weights = rng.uniform(0.2, 2.0, X.shape[1]) if weights else None
    options = {"l1_ratio": l1_ratio, "positive": positive, "standardize": standardize}
    options["penalty_weights"] = penalty_weights
    alphas = alpha_max(X, y, sample_weight=sample_weight, **options) * ORDERS[order]
    splits = list(KFold(4, shuffle=True, random_state=0).split(X))
    given = sp.csc_array(X) if sparse else X
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "alpha=.* is the smallest that was tried")
        model = ElasticNetCDCV(alphas=alphas, cv=splits, tol=1e-14, **options).fit(
            given, y, sample_weight=sample_weight
        )
    mass = np.ones(y.size) if sample_weight is None else sample_weight

    expected = np.empty_like(model.mse_path_)
    for fold, (train, test) in enumerate(splits):
        for k, alpha in enumerate(model.alphas_):
            single = ElasticNetCD(alpha, tol=1e-14, **options).fit(X[train], y[train], mass[train])
            expected[k, fold] = np.average((y[test] - single.predict(X[test])) ** 2, weights=mass[test])
    # A gap of 1e-14 leaves predictions of other rows 1e-7 of them, times what a small ridge lets coefficients move.
    np.testing.assert_allclose(model.mse_path_, expected, rtol=2e-6)
    assert model.alpha_ == model.alphas_[expected.mean(axis=1).argmin()]

    unit = np.sqrt(np.cov(X.T, aweights=mass, bias=True).diagonal()) if standardize else np.ones(X.shape[1])
    factor = np.ones(X.shape[1]) if penalty_weights is None else penalty_weights
    units = factor * unit, factor * unit**2
    for k, alpha in enumerate(model.alphas_):
        single = ElasticNetCD(alpha, tol=1e-14, **options).fit(X, y, sample_weight)
        coef, intercept = model.coef_path_[:, k], model.intercept_path_[k]
        assert not positive or np.all(coef >= 0)
        ours = objective(X, y, mass, coef, intercept, alpha, l1_ratio, units)
        np.testing.assert_allclose(ours, single.objective_, rtol=1e-9)


@pytest.mark.parametrize("model", [HuberLossRegressorCV(), CombinedLossRegressorCV(), LassoCDCV()], ids=repr)
def test_folds_far_from_their_optimum_are_told(model):
    """One step of Newton's method, of the interior point method or of coordinate descent is not enough."""
    X, y = load_diabetes(return_X_y=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.set_params(alphas=2, cv=2, max_iter=1).fit(X, y)
    told = [str(one.message) for one in caught if "fits to the training rows of folds" in str(one.message)]
    assert len(told) == 1
    assert "of 4 fits" in told[0]
    assert "raise max_iter" in told[0]
