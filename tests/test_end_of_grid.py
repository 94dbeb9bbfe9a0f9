"""A best alpha at the end of its grid is told, and `alphas="auto"` goes on until it is inside."""

import re
import warnings

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
    QuantileRegressorCV,
)

X, Y = (part[::4] for part in load_diabetes(return_X_y=True))
rng = np.random.default_rng(0)
EXACT = rng.standard_normal((60, 4))
LINEAR = EXACT @ [1.0, -2.0, 3.0, 0.5]
MODELS = [
    LassoCDCV(),
    ElasticNetCDCV(l1_ratio=[0.5, 1.0]),
    LADRegressorCV(),
    QuantileRegressorCV(quantile=0.4),
    HuberLossRegressorCV(),
    CombinedLossRegressorCV(),
]
every = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def told(model, X, y):
    """What a fit warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@every
def test_the_end_of_a_grid_is_told(model):
    short = clone(model).set_params(alphas=4, eps=0.7, cv=3)
    (message,) = told(short, EXACT, LINEAR)
    assert short.alpha_ == np.min(short.alphas_)
    assert message == (
        f"alpha={short.alpha_:.4g} is the smallest that was tried, and the mean loss of held-out rows falls up to "
        "there: a smaller one may be better. Lower eps, which is 0.7, or set alphas='auto', which extends the grid."
    )
    assert not told(clone(short).set_params(alphas=[*np.ravel(short.alphas_), 0.0]), EXACT, LINEAR)
    assert "Add smaller alphas, or 0" in told(clone(short).set_params(alphas=np.ravel(short.alphas_)), EXACT, LINEAR)[0]
    assert not told(clone(short).set_params(alphas=[short.alpha_]), EXACT, LINEAR)  # nothing was compared


@pytest.mark.parametrize("model", MODELS[:4], ids=lambda model: type(model).__name__)
def test_a_longer_grid_is_one_of_these_alphas(model):
    auto = clone(model).set_params(alphas="auto", eps=0.5, cv=3)
    few, many = X[:60, :4], Y[:60]
    if not isinstance(model, LassoCDCV | ElasticNetCDCV):
        few, many = EXACT[:30], LINEAR[:30] + 0.3 * rng.standard_normal(30)
    messages = told(auto, few, many)
    alphas = np.atleast_2d(auto.alphas_)
    number = alphas.shape[1]
    assert number in (100, 133, 166, 199)
    decades = np.geomspace(1, 1e-3, 100)[1 : number - 99]
    np.testing.assert_allclose(alphas[:, 100:], alphas[:, 99:100] * decades, rtol=1e-12)
    assert not messages or number == 199
    name = model._losses_name
    at = auto._choice if alphas.shape[0] > 1 else 0
    given = clone(model).set_params(alphas=alphas[at], cv=3)
    if alphas.shape[0] > 1:
        given.set_params(l1_ratio=auto.l1_ratio_)
    told(given, few, many)
    losses = getattr(auto, name)[at] if alphas.shape[0] > 1 else getattr(auto, name)
    np.testing.assert_allclose(losses, getattr(given, name), rtol=1e-6)
    np.testing.assert_allclose(auto.coef_, given.coef_, rtol=1e-6, atol=1e-6)
    assert auto.coef_path_.shape == (4, number)


def test_the_limit_is_told():
    auto = LassoCDCV(alphas="auto")
    (message,) = told(auto, EXACT, LINEAR)
    assert auto.alphas_.size == 199
    assert auto.alphas_[-1] == pytest.approx(1e-6 * auto.alphas_[0], rel=1e-12)
    assert "It is the limit of alphas='auto', 1e-3 times the first grid: alphas=[0] has no penalty." in message


def test_where_the_curve_is_flat_nothing_is_told():
    """The losses of pure noise and of a long grid of well known coefficients."""
    assert not told(LassoCDCV(), X, Y)
    assert not told(LassoCDCV(eps=1e-6), EXACT, LINEAR + rng.standard_normal(60))
    assert not told(LassoCDCV(alphas="auto"), EXACT, rng.standard_normal(60))


def test_a_limit_of_features_is_no_end_of_the_grid():
    model = LassoCDCV(max_features=2)
    assert not told(model, EXACT, LINEAR)
    assert model.alpha_ == model.alphas_[-1]
    auto = LassoCDCV(max_features=2, alphas="auto")
    assert not told(auto, EXACT, LINEAR)
    np.testing.assert_array_equal(auto.alphas_, model.alphas_)
    late = ElasticNetCDCV(alphas="auto", eps=0.6, max_features=3, l1_ratio=[0.5, 1.0])
    assert not told(late, EXACT, LINEAR)
    assert 100 < late.alphas_.shape[1] < 199
    assert np.isnan(late.alphas_).any()


def test_scores_and_knots_are_told_as_well():
    assert "mean score of held-out rows rises" in told(LassoCDCV(alphas=4, eps=0.3, scoring="r2"), EXACT, LINEAR)[0]
    (message,) = told(LADRegressorCV(alphas="knots", eps=0.3), EXACT, LINEAR + 0.1 * rng.standard_normal(60))
    assert re.search("Lower eps, which is 0.3.$", message)
    scored = LassoCDCV(alphas="auto", eps=0.3, scoring="neg_mean_squared_error")
    plain = LassoCDCV(alphas="auto", eps=0.3)
    told(scored, EXACT, LINEAR)
    told(plain, EXACT, LINEAR)
    assert scored.alpha_ == plain.alpha_


def test_criteria_have_no_automatic_grid():
    with pytest.raises(ValueError, match="alphas must be an integer >= 1, got 'auto'"):
        LADRegressorIC(alphas="auto").fit(X, Y)
