"""Losses as metrics: formulas written out, limits, weights, several outputs, scorers."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import d2_pinball_score as d2_of_one
from sklearn.metrics import make_scorer, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score

from ladreg import LADRegressor, QuantileRegressor
from ladreg.metrics import (
    combined_loss,
    d2_pinball_score,
    d2_pinball_scorer,
    huber_loss,
    l1_loss,
    l2_loss,
    mean_pinball_scorer,
    pinball_loss,
)

FORMULAS = {
    l1_loss: np.abs,
    l2_loss: np.square,
    combined_loss: lambda r: 0.5 * np.abs(r) + 0.5 * r**2,
    huber_loss: lambda r: np.where(np.abs(r) <= 1, r**2 / 2, np.abs(r) - 0.5),
    pinball_loss: lambda r: np.abs(r) / 2,
}


@pytest.mark.parametrize("metric", FORMULAS, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_metric_is_the_mean_of_its_formula(metric, weighted):
    rng = np.random.default_rng(0)
    true, predicted = 2 * rng.standard_normal((2, 50, 3))
    weight = rng.random(50) if weighted else None
    raw = np.average(FORMULAS[metric](true - predicted), axis=0, weights=weight)
    options = {"sample_weight": weight}
    np.testing.assert_allclose(metric(true, predicted, multioutput="raw_values", **options), raw, rtol=1e-14)
    assert metric(true, predicted, **options) == pytest.approx(raw.mean(), rel=1e-14)
    assert metric(true, predicted, multioutput=[0, 1, 3], **options) == pytest.approx(raw @ [0, 0.25, 0.75])
    assert metric(list(true[:, 0]), list(predicted[:, 0]), **options) == pytest.approx(raw[0])
    assert metric(true, true) == 0.0


def test_limits_are_neighbours():
    rng = np.random.default_rng(1)
    true, predicted = rng.standard_normal((2, 30))
    assert combined_loss(true, predicted, l1_ratio=1.0) == l1_loss(true, predicted)
    assert combined_loss(true, predicted, l1_ratio=0.0) == l2_loss(true, predicted)
    assert huber_loss(true, predicted, delta=1e9) == pytest.approx(l2_loss(true, predicted) / 2)
    assert huber_loss(true, predicted, delta=1e-9) / 1e-9 == pytest.approx(l1_loss(true, predicted))
    both = pinball_loss(true, predicted, quantile=0.3) + pinball_loss(true, predicted, quantile=0.7)
    assert both == pytest.approx(l1_loss(true, predicted))


@pytest.mark.parametrize("metric", FORMULAS, ids=lambda metric: metric.__name__)
def test_bad_input_is_refused(metric):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="NaN"):
        metric([1.0, np.nan], [1.0, 2.0])


def test_parameters_are_checked():
    for metric, options in (
        (combined_loss, {"l1_ratio": 1.5}),
        (huber_loss, {"delta": 0.0}),
        (pinball_loss, {"quantile": -0.1}),
    ):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
            metric([1.0], [2.0], **options)


def test_a_scorer_prefers_the_model_that_minimises_the_metric():
    X, y = load_diabetes(return_X_y=True)
    y = y.copy()
    y[::7] += 3000
    scorer = make_scorer(l1_loss, greater_is_better=False)
    lad, squares = (
        cross_val_score(model, X, y, scoring=scorer).mean() for model in (LADRegressor(), LinearRegression())
    )
    assert squares < lad < 0


PINBALL = [(pinball_loss, mean_pinball_loss), (d2_pinball_score, d2_of_one)]


@pytest.mark.parametrize(("metric", "of_one"), PINBALL, ids=lambda one: one.__name__)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("quantiles", [[0.5], [0.9, 0.1, 0.4]], ids=str)
def test_several_quantiles_are_those_of_their_columns(metric, of_one, weighted, quantiles):
    rng = np.random.default_rng(2)
    true, predicted = rng.standard_normal(40), 3 * rng.standard_normal((40, len(quantiles)))
    weight = rng.random(40) if weighted else None
    raw = [of_one(true, one, alpha=q, sample_weight=weight) for q, one in zip(quantiles, predicted.T, strict=True)]
    options = {"quantile": quantiles, "sample_weight": weight}
    np.testing.assert_allclose(metric(true, predicted, multioutput="raw_values", **options), raw, rtol=1e-14)
    assert metric(true, predicted, **options) == pytest.approx(np.mean(raw), rel=1e-14)
    assert metric(true[:, None], predicted.tolist(), **options) == pytest.approx(np.mean(raw), rel=1e-14)
    parts = np.arange(1.0, 1.0 + len(quantiles))
    averaged = metric(true, predicted, multioutput=parts, **options)
    assert averaged == pytest.approx(np.average(raw, weights=parts))
    assert metric(true, predicted[:, 0], quantile=0.3) == of_one(true, predicted[:, 0], alpha=0.3)


@pytest.mark.parametrize("metric", [pinball_loss, d2_pinball_score])
def test_quantiles_that_do_not_fit_are_refused(metric):
    true, predicted = np.arange(4.0), np.zeros((4, 2))
    for options, message in (
        ({"quantile": [0.1, 0.5, 0.9]}, "quantile must have one number per column of y_pred, got 3"),
        ({"quantile": [0.1, 1.5]}, "quantile must be .* got 1.5"),
        ({"quantile": []}, "quantile must be a number or a non-empty list"),
        ({"quantile": [0.1, 0.9], "multioutput": [1.0]}, "multioutput must have one weight per quantile"),
        ({"quantile": [0.1, 0.9], "multioutput": "all"}, "multioutput must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            metric(true, predicted, **options)
    with pytest.raises(ValueError, match="y_true must be one-dimensional"):
        metric(predicted, predicted, quantile=[0.1, 0.9])
    with pytest.raises(ValueError, match="inconsistent"):
        metric(true[:3], predicted, quantile=[0.1, 0.9])


@pytest.mark.parametrize("quantiles", [[0.1, 0.5, 0.9], [0.8, 0.2], 0.3], ids=str)
def test_scorers_of_quantiles_work_in_cross_validation(quantiles):
    X, y = load_diabetes(return_X_y=True)
    model = QuantileRegressor(quantile=quantiles, alpha=0)
    train, test = np.arange(148, 442), np.arange(148)
    predicted = model.fit(X[train], y[train]).predict(X[test])
    for maker, metric, sign in ((mean_pinball_scorer, pinball_loss, -1), (d2_pinball_scorer, d2_pinball_score, 1)):
        scorer = pickle.loads(pickle.dumps(maker(quantiles)))
        scores = cross_val_score(model, X, y, scoring=scorer, cv=3)
        assert scores[0] == pytest.approx(sign * metric(y[test], predicted, quantile=quantiles))
        search = GridSearchCV(model, {"alpha": [0.0, 10.0]}, scoring=scorer, cv=3).fit(X, y)
        assert search.best_params_ == {"alpha": 0.0}
        assert search.best_score_ == pytest.approx(scores.mean())
        with pytest.raises(ValueError, match="quantile must be"):
            maker([0.5, 2.0])
    if np.ndim(quantiles):
        assert d2_pinball_score(y[test], predicted, quantile=quantiles) == pytest.approx(model.score(X[test], y[test]))
        other = cross_val_score(
            model, X, y, scoring=mean_pinball_scorer([0.1, 0.2, 0.3, 0.4]), cv=3, error_score=np.nan
        )
        assert np.isnan(other).all()
