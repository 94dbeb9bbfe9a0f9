"""A limit of features ends paths before the first fit with more, and the choice of alpha is among what is left."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes

from ladreg import (
    CombinedLossRegressorCV,
    ElasticNetCDCV,
    HuberLossRegressorCV,
    LADRegressorCV,
    LADRegressorIC,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressorCV,
    combined_path,
    enet_path,
    huber_path,
    lad_path,
    lasso_path,
    quantile_path,
)

X, Y = (part[::4] for part in load_diabetes(return_X_y=True))
PATHS = {
    "lasso": lambda **given: lasso_path(X, Y, fit_intercept=True, **given),
    "enet": lambda **given: enet_path(X, Y, l1_ratio=0.9, alphas=20, **given),
    "lad": lambda **given: lad_path(X, Y, alphas=10, **given),
    "knots": lambda **given: lad_path(X, Y, method="knots", eps=0.1, **given),
    "quantile": lambda **given: quantile_path(X, Y, quantile=0.7, alphas=10, **given),
    "huber": lambda **given: huber_path(X, Y, alphas=10, **given),
    "combined": lambda **given: combined_path(X, Y, alphas=10, **given),
}
MODELS = [
    LassoCDCV(alphas=30),
    LassoCDCV(alphas=30, selection="1se", post_selection=0),
    ElasticNetCDCV(alphas=[30.0, 3.0, 0.3, 0.1, 0.01, 0], l1_ratio=0.9),
    LADRegressorCV(alphas=6, eps=0.05, cv=3),
    LADRegressorCV(alphas=6, eps=0.05, cv=3, solver="linprog"),
    LADRegressorCV(alphas="knots", eps=0.1, cv=3),
    QuantileRegressorCV(quantile=0.3, alphas=6, eps=0.05, cv=3),
    HuberLossRegressorCV(alphas=6, eps=0.05, cv=3),
    CombinedLossRegressorCV(alphas=6, eps=0.05, cv=3),
    LassoCDIC("aic", alphas=30),
    LADRegressorIC("aic", alphas=10, scale="classical"),
    LADRegressorIC("aic", alphas="knots", eps=0.1),
]


def first_over(coefs, limit):
    """The number of fits before the first one with more features than the limit."""
    many = np.count_nonzero(coefs, axis=0) > limit
    return int(many.argmax()) if many.any() else many.size


@pytest.mark.parametrize("limit", [1, 4, 10])
@pytest.mark.parametrize("name", PATHS)
def test_paths_end_before_the_first_fit_with_more(name, limit):
    whole, found = PATHS[name](), PATHS[name](max_features=limit)
    number = first_over(whole[1], limit)
    assert found[0].size == number
    for part, everything in zip(found, whole, strict=True):
        np.testing.assert_allclose(part, everything[..., :number], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_choice_is_among_what_is_left(model):
    whole = clone(model).fit(X, Y)
    number = first_over(whole.coef_path_, 3)
    found = clone(model).set_params(max_features=3).fit(X, Y)
    assert np.count_nonzero(found.coef_) <= 3
    assert np.count_nonzero(found.coef_path_, axis=0).max() <= 3
    assert found.alpha_ in found.alphas_
    name = getattr(type(model), "_losses_name", "criterion_")
    left = getattr(whole, name)[:number]
    if model.alphas != "knots" or name == "criterion_":
        assert found.alphas_.size == number
        np.testing.assert_array_equal(found.alphas_, whole.alphas_[:number])
        np.testing.assert_allclose(getattr(found, name), left, rtol=1e-9)
    smallest = left.mean(axis=1).min() if left.ndim == 2 else left.min()
    ours = getattr(found, name)
    assert (ours.mean(axis=1) if ours.ndim == 2 else ours).min() == pytest.approx(smallest, rel=1e-9)
    if number == whole.alphas_.size:
        assert found.alpha_ == whole.alpha_


def test_each_share_has_its_own_end():
    model = ElasticNetCDCV(alphas=20, l1_ratio=[0.3, 1.0], max_features=4).fit(X, Y)
    for ratio, alphas, losses in zip(model.l1_ratio, model.alphas_, model.mse_path_, strict=True):
        single = ElasticNetCDCV(alphas=20, l1_ratio=ratio, max_features=4).fit(X, Y)
        number = single.alphas_.size
        np.testing.assert_array_equal(alphas[:number], single.alphas_)
        np.testing.assert_allclose(losses[:number], single.mse_path_, rtol=1e-9)
        assert np.isnan(alphas[number:]).all()
        assert np.isnan(losses[number:]).all()
    best = np.nanargmin(model.mse_path_.mean(axis=2)) // model.alphas_.shape[1]
    assert model.l1_ratio_ == model.l1_ratio[best]


def test_wide_tables_stop_early():
    """The part of the path that is not asked for is not solved."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((40, 200))
    target = wide[:, 0] + rng.standard_normal(40)
    *_, gaps, n_iters = lasso_path(wide, target, max_features=5, return_n_iter=True)
    assert len(n_iters) == gaps.size < 50
    assert LassoCDCV(max_features=5).fit(wide, target).mse_path_.shape == (gaps.size, 5)


@pytest.mark.parametrize("model", [LassoCDCV(alphas=5), LADRegressorCV(alphas=3), LassoCDIC(alphas=5)], ids=repr)
def test_features_without_penalty_may_be_too_many(model):
    free = clone(model).set_params(penalty_weights=np.arange(10) > 2, max_features=2)
    with pytest.raises(ValueError, match=r"max_features must be larger, got 2: .*unpenalised.* Raise max_features"):
        free.fit(X, Y)
    with pytest.raises(ValueError, match="max_features must be larger, got 2"):
        lasso_path(X, Y, alphas=5, penalty_weights=np.arange(10) > 2, max_features=2)


def test_quantiles_have_no_limit():
    with pytest.raises(ValueError, match="max_features must be None where quantiles are given, got 2: raise alpha"):
        lad_path(X, Y, quantiles=[0.2, 0.8], max_features=2)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_intercepts_of_squares_are_returned_last(fit_intercept):
    given = {"alphas": 5, "fit_intercept": fit_intercept}
    alphas, coefs, gaps, intercepts = lasso_path(X, Y, return_intercept=True, **given)
    expected = Y.mean() - X.mean(axis=0) @ coefs if fit_intercept else np.zeros(5)
    np.testing.assert_allclose(intercepts, expected, rtol=1e-9)
    *first, n_iters, last = lasso_path(X, Y, return_intercept=True, return_n_iter=True, **given)
    for one, other in zip(first, (alphas, coefs, gaps), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(last, intercepts)
    assert len(n_iters) == 5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("far", [1e3, 1e250])
@pytest.mark.parametrize("model", [LADRegressorCV(cv=2), LADRegressorIC()], ids=lambda one: type(one).__name__)
def test_the_fit_has_no_coefficient_that_is_zero_on_the_path(model, far, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, (24, 3)).astype(float)
    X[:, 0] = X[:, 2] - 2 * X[:, 1]
    y = -2 * X[:, 0]
    y[:9] = rng.choice([-1, 1], 9) * far
    # Solved again, the column without penalty comes out as 1e-16.
    model = clone(model).set_params(alphas=5, penalty_weights=[0, 1, 0], fit_intercept=False)
    model.fit(X, y)
    k = np.flatnonzero(model.alphas_ == model.alpha_)[0]
    assert not np.any(model.coef_[model.coef_path_[:, k] == 0])
    np.testing.assert_allclose(model.coef_, [-2, 0, 0], atol=1e-12)
    assert model.certificate_.relative_gap <= 1e-13
    assert model.verify(X, y).relative_gap <= 1e-13
