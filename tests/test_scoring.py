"""Cross-validation judged by scikit-learn's scorers says what a grid search with the same scorer says."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import make_scorer, mean_absolute_error, median_absolute_error
from sklearn.model_selection import GridSearchCV, KFold

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    LassoCD,
    LassoCDCV,
    QuantileRegressor,
    QuantileRegressorCV,
)
from ladreg.metrics import mean_pinball_scorer

X, Y = (part[::4] for part in load_diabetes(return_X_y=True))
FOLDS = KFold(3, shuffle=True, random_state=0)
MODELS = [
    (LassoCDCV(alphas=8, eps=0.01), LassoCD()),
    (LassoCDCV(alphas=8, eps=0.01, standardize=True), LassoCD(standardize=True)),
    (ElasticNetCDCV(alphas=5, eps=0.01, l1_ratio=0.5), ElasticNetCD(l1_ratio=0.5)),
    (LADRegressorCV(alphas=4, eps=0.05), LADRegressor()),
    (QuantileRegressorCV(quantile=0.3, alphas=4, eps=0.05), QuantileRegressor(quantile=0.3)),
    (HuberLossRegressorCV(alphas=4, eps=0.05), HuberLossRegressor()),
    (CombinedLossRegressorCV(alphas=4, eps=0.05), CombinedLossRegressor()),
]
every = pytest.mark.parametrize(("model", "plain"), MODELS, ids=lambda model: repr(model))


def absolute(estimator, X, y):
    """A scorer that is a function."""
    return -np.abs(y - estimator.predict(X)).max()


@every
@pytest.mark.parametrize("scoring", ["neg_median_absolute_error", "r2", absolute], ids=["median", "r2", "function"])
def test_scores_are_grid_searchs(model, plain, scoring):
    model = clone(model).set_params(cv=FOLDS, scoring=scoring).fit(X, Y)
    search = GridSearchCV(plain, {"alpha": model.alphas_}, scoring=scoring, cv=FOLDS).fit(X, Y)
    expected = np.transpose([search.cv_results_[f"split{k}_test_score"] for k in range(3)])
    np.testing.assert_allclose(model.scores_path_, expected, rtol=1e-10)
    assert model.alpha_ == model.alpha_min_ == search.best_params_["alpha"]
    means = expected.mean(axis=1)
    error = expected[means.argmax()].std(ddof=1) / np.sqrt(3)
    assert model.alpha_1se_ == model.alphas_[np.argmax(means >= means.max() - error)]
    assert not hasattr(model, model._losses_name)


@every
def test_the_losses_own_scorer_chooses_the_same(model, plain):
    losses = clone(model).fit(X, Y)
    if isinstance(model, LassoCDCV | ElasticNetCDCV):
        scoring = "neg_mean_squared_error"
    elif isinstance(model, QuantileRegressorCV):
        scoring = make_scorer(lambda y, z: -np.mean(np.maximum(0.3 * (y - z), 0.7 * (z - y))))
    elif isinstance(model, LADRegressorCV):
        scoring = "neg_mean_absolute_error"
    else:
        return
    scores = clone(model).set_params(scoring=scoring).fit(X, Y)
    np.testing.assert_allclose(-scores.scores_path_, getattr(losses, model._losses_name), rtol=1e-9)
    assert scores.alpha_ == losses.alpha_
    np.testing.assert_allclose(scores.coef_, losses.coef_, rtol=1e-6, atol=1e-6)
    again = scores.set_params(scoring=None).fit(X, Y)  # nothing of the earlier fit is left
    assert not hasattr(again, "scores_path_")
    np.testing.assert_array_equal(getattr(again, model._losses_name), getattr(losses, model._losses_name))


@pytest.mark.parametrize("container", [sp.csr_array, sp.coo_matrix, pd.DataFrame, np.ndarray.tolist, np.asfortranarray])
def test_x_in_every_form(container):
    model = LassoCDCV(alphas=5, eps=0.01, scoring="neg_median_absolute_error")
    given = container(X) if container is not pd.DataFrame else pd.DataFrame(X, columns=[f"x{k}" for k in range(10)])
    expected = clone(model).fit(X, Y)
    np.testing.assert_allclose(clone(model).fit(given, Y).scores_path_, expected.scores_path_, rtol=1e-9)


def test_every_share_every_knot_and_relaxed_fits():
    model = ElasticNetCDCV(alphas=4, eps=0.01, l1_ratio=[0.5, 1.0], scoring="r2", post_selection=0.5, n_jobs=2)
    found = model.fit(X, Y)
    losses = clone(model).set_params(scoring=None).fit(X, Y)
    assert found.scores_path_.shape == (2, 4, 5)
    folds = [test for _, test in KFold(5).split(X)]
    spread = np.array([Y[test].var() for test in folds])
    np.testing.assert_allclose(found.scores_path_, 1 - losses.mse_path_ / spread, rtol=1e-7, atol=1e-9)
    knots = LADRegressorCV(alphas="knots", eps=0.3, cv=3)
    scored = clone(knots).set_params(scoring="neg_mean_absolute_error").fit(X, Y)
    np.testing.assert_allclose(-scored.scores_path_, knots.fit(X, Y).mae_path_, rtol=1e-9)
    assert scored.alpha_ == knots.alpha_


def test_weights_go_to_the_scorer():
    weight = np.random.default_rng(0).integers(0, 3, Y.size).astype(float)
    model = LADRegressorCV(alphas=4, eps=0.05, cv=FOLDS)
    losses = clone(model).fit(X, Y, sample_weight=weight)
    scored = clone(model).set_params(scoring="neg_mean_absolute_error").fit(X, Y, sample_weight=weight)
    np.testing.assert_allclose(-scored.scores_path_, losses.mae_path_, rtol=1e-9)
    with pytest.raises(ValueError, match="scoring must take sample_weight if weights are given, got <function"):
        clone(model).set_params(scoring=absolute).fit(X, Y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        for asked, expected in ((True, losses.mae_path_), (False, None)):
            scorer = make_scorer(mean_absolute_error, greater_is_better=False).set_score_request(sample_weight=asked)
            routed = clone(model).set_params(scoring=scorer).set_fit_request(sample_weight=True)
            found = -routed.fit(X, Y, sample_weight=weight).scores_path_
            assert (expected is not None) == np.allclose(found, losses.mae_path_, rtol=1e-9)


def test_scores_that_are_no_numbers_are_named():
    model = LassoCDCV(alphas=2, scoring=lambda *_: np.nan)
    with pytest.raises(ValueError, match=r"scoring must return finite numbers, got nan for .* held-out rows at alpha="):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        ("best", "got 'best': sklearn.metrics.get_scorer_names"),
        (["r2"], r"got \['r2'\]"),
        (
            median_absolute_error,
            "got the metric median_absolute_error: make it a scorer by sklearn.metrics.make_scorer",
        ),
    ],
)
def test_what_is_no_scorer_is_named(scoring, message):
    with pytest.raises(ValueError, match=f"scoring must be None, the name .*{message}"):
        LassoCDCV(alphas=2, scoring=scoring).fit(X, Y)


def test_scorers_of_several_quantiles():
    model = QuantileRegressorCV(quantile=0.3, alphas=3, eps=0.05, scoring=mean_pinball_scorer([0.3]))
    assert model.fit(X, Y).scores_path_.shape == (3, 5)
