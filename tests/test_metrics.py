"""Losses as metrics: formulas written out, limits, weights, several outputs, scorers."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score

from ladreg import LADRegressor
from ladreg.metrics import combined_loss, huber_loss, l1_loss, l2_loss, pinball_loss

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
