"""`alphas="knots"`: held-out losses and criteria of every alpha are those of single fits, and the choice is best."""

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import (
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCDCV,
    QuantileRegressor,
    QuantileRegressorCV,
    QuantileRegressorIC,
)
from ladreg.metrics import l1_loss, pinball_loss


def table(shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    return X, X[:, :3] @ [2.0, -1.0, 0.5] + rng.standard_t(2, shape[0]) + 1.0


def tables():
    X, y = table((40, 5))
    weight = np.random.default_rng(1).integers(0, 4, 40)
    far = np.where(np.arange(40) % 9 == 4, 1e9 * np.sign(y), y)
    yield "plain", X, y, {}, None
    yield "weights", X, y, {}, weight
    yield "positive", X, y, {"positive": True}, None
    yield "strengths", X, y, {"penalty_weights": [1.0, 0.0, 2.0, np.inf, 0.5]}, None
    yield "no intercept", X, y, {"fit_intercept": False}, None
    yield "relaxed", X, y, {"post_selection": 0.5}, None
    yield "far targets", X, far, {}, None
    yield "integers", np.round(X), np.round(y), {}, None
    yield "repeats", np.repeat(X[::2], 2, axis=0), np.repeat(y[::2], 2), {}, None
    yield "sparse", sp.csr_array(np.where(np.abs(X) < 0.7, 0.0, X)), y, {}, None
    yield "units", 1e-90 * X, 1e90 * y, {}, None
    yield "wide", *table((25, 40)), {"eps": 0.05}, None


every_table = pytest.mark.parametrize(
    ("X", "y", "options", "weight"), [pytest.param(*given[1:], id=given[0]) for given in tables()]
)


def losses(model):
    return getattr(model, model._losses_name)


@every_table
@pytest.mark.parametrize("kind", [LADRegressorCV, QuantileRegressorCV])
def test_losses_are_those_of_a_grid_and_the_choice_is_best(kind, X, y, options, weight):
    options = {"cv": 3, "eps": 0.01, **options}
    if kind is QuantileRegressorCV:
        options["quantile"] = 0.3
    model = kind(alphas="knots", **options).fit(X, y, weight)
    assert model.knots_.shape == model.alphas_.shape
    upper = np.append(4 * model.knots_[0], model.knots_[:-1])
    assert np.all((model.knots_ < model.alphas_) & (model.alphas_ < upper))
    rng = np.random.default_rng(0)
    # Any alpha of a range, but for its ends, where there are other optima.
    place = np.sort(rng.integers(0, model.alphas_.size, 12))
    share = rng.uniform(0.01, 0.99, place.size)
    alphas = upper[place] ** share * model.knots_[place] ** (1 - share)
    order = np.argsort(-alphas)
    other = kind(alphas=alphas, **options).fit(X, y, weight)
    size = losses(model)[0].max()
    np.testing.assert_allclose(losses(model)[place[order]], losses(other), rtol=1e-9, atol=1e-13 * size)
    unit = np.abs(model.coef_path_).max()
    np.testing.assert_allclose(model.coef_path_[:, place[order]], other.coef_path_, rtol=1e-8, atol=1e-9 * unit)
    means = losses(model).mean(axis=1)
    best = int(np.argmin(means))
    assert model.alpha_ == model.alpha_min_ == model.alphas_[best]
    assert means[best] <= losses(other).mean(axis=1).min() * (1 + 1e-9)
    near = means[best] + losses(model)[best].std(ddof=1) / np.sqrt(3)
    assert model.alpha_1se_ == model.alphas_[np.flatnonzero(means <= near)[0]]
    assert model.certificate_.relative_gap < 1e-12


def test_single_fits_of_each_fold_agree():
    X, y = table((36, 4), 3)
    splits = [(np.flatnonzero(np.arange(36) % 3 != k), np.flatnonzero(np.arange(36) % 3 == k)) for k in range(3)]
    absolute = LADRegressorCV(alphas="knots", cv=splits, eps=0.05).fit(X, y)
    quantile = QuantileRegressorCV(quantile=0.7, alphas="knots", cv=splits, eps=0.05).fit(X, y)
    for model, single, loss in (
        (absolute, LADRegressor(), l1_loss),
        (quantile, QuantileRegressor(quantile=0.7), lambda y, found: pinball_loss(y, found, quantile=0.7)),
    ):
        for k in range(0, model.alphas_.size, 9):
            for fold, (train, test) in enumerate(splits):
                single.set_params(alpha=model.alphas_[k]).fit(X[train], y[train])
                assert losses(model)[k, fold] == pytest.approx(loss(y[test], single.predict(X[test])), rel=1e-10)


@every_table
@pytest.mark.parametrize("kind", [LADRegressorIC, QuantileRegressorIC])
def test_criteria_are_those_of_a_grid_and_the_choice_is_best(kind, X, y, options, weight):
    options = {"eps": 0.01, **options}
    model = kind("ebic", alphas="knots", **options).fit(X, y, weight)
    other = kind("ebic", alphas=model.alphas_[::-1], **options).fit(X, y, weight)
    np.testing.assert_allclose(model.criterion_, other.criterion_, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(model.n_selected_path_, other.n_selected_path_)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)]
    assert model.knots_.shape == model.criterion_.shape


def test_nothing_to_choose():
    X, _ = table((12, 3))
    model = LADRegressorCV(alphas="knots", cv=3).fit(X, np.full(12, 2.5))
    assert model.intercept_ == 2.5
    assert not losses(model).any()
    assert not model.coef_.any()


def test_a_later_fit_forgets_the_knots():
    X, y = table((20, 3))
    model = LADRegressorIC(alphas="knots").fit(X, y)
    assert not hasattr(model.set_params(alphas=5).fit(X, y), "knots_")


def test_what_knots_cannot_be_combined_with(monkeypatch):
    X, y = table((20, 3))
    with pytest.raises(ValueError, match="solver must be 'auto' with alphas='knots'"):
        LADRegressorCV(alphas="knots", solver="linprog").fit(X, y)
    with pytest.raises(ValueError, match="alphas"):
        LADRegressorCV(alphas="knot").fit(X, y)
    with pytest.raises(ValueError, match="alphas"):
        LassoCDCV(alphas="knots").fit(X, y)
    monkeypatch.setattr("ladreg._paths.knots._NUMBERS", 100)
    with pytest.raises(ValueError, match=r"the path has \d+ or more ranges .* raise eps, or pass a number of alphas"):
        LADRegressorCV(alphas="knots").fit(X, y)
