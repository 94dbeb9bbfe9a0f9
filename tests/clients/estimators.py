"""Libraries that fit estimators: forecasts, effects, selection, tuning. A function asserts what its row says."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline

from ladreg import (
    HuberLossRegressor,
    LADRegressor,
    LADRegressorCV,
    LassoCD,
    LassoCDCV,
    QuantileRegressor,
    StabilitySelection,
)
from tests.clients.data import TABLE, TARGET, X, raised, y
from tests.clients.table import row


def airline():
    """A trend with a season, and a few wrong values."""
    time = np.arange(120)
    values = 0.3 * time + 5 * np.sin(2 * np.pi * time / 12) + np.random.default_rng(0).standard_t(2, size=120)
    return pd.Series(values, index=pd.period_range("2010-01", periods=120, freq="M"))


def next_by_lags(model, values, n_lags):
    """The forecast of the next value by a regression on the last ones."""
    lags = np.lib.stride_tricks.sliding_window_view(values, n_lags)
    return clone(model).fit(lags[:-1], values[n_lags:]).predict(lags[-1:])[0]


@row(
    "sktime",
    "sktime",
    works="`make_reduction` with its strategies (recursive, direct, dirrec, multioutput); "
    "`ForecastingGridSearchCV` over `estimator__alpha`",
    remark="Several targets are fitted separately, so that multioutput and direct give the same forecasts.",
)
def sktime():
    from sktime.forecasting.compose import make_reduction
    from sktime.forecasting.model_selection import ForecastingGridSearchCV
    from sktime.split import ExpandingWindowSplitter

    series = airline()
    expected = next_by_lags(LADRegressor(), series.to_numpy(), 12)
    found = {}
    for strategy in ("recursive", "direct", "dirrec", "multioutput"):
        forecaster = make_reduction(LADRegressor(), window_length=12, strategy=strategy)
        found[strategy] = forecaster.fit(series, fh=[1, 2, 3]).predict().to_numpy()
    np.testing.assert_allclose(found["recursive"][0], expected, rtol=1e-9)
    assert abs(found["dirrec"][0] - expected) < 2
    np.testing.assert_allclose(found["multioutput"], found["direct"], rtol=1e-9)
    folds = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=90, step_length=12)
    reduction = make_reduction(LADRegressor(), window_length=12)
    search = ForecastingGridSearchCV(reduction, folds, {"estimator__alpha": [0, 100.0]}, backend="None")
    assert search.fit(series, fh=[1]).best_params_ == {"estimator__alpha": 0}


@row(
    "skforecast",
    "skforecast",
    works="`ForecasterRecursive` and `ForecasterDirect` with weights, importances and conformal intervals; "
    "`grid_search_forecaster`",
    remark="One quantile per forecaster: a list of quantiles raises an error.",
)
def skforecast():
    from skforecast.direct import ForecasterDirect
    from skforecast.model_selection import TimeSeriesFold, grid_search_forecaster
    from skforecast.recursive import ForecasterRecursive

    series = pd.Series(airline().to_numpy())
    for model in (LADRegressor(), QuantileRegressor(quantile=0.9, alpha=0)):
        forecaster = ForecasterRecursive(estimator=model, lags=12)
        forecaster.fit(y=series)
        expected = next_by_lags(model, series.to_numpy(), 12)
        np.testing.assert_allclose(forecaster.predict(steps=1), expected, rtol=1e-9)
        assert len(forecaster.get_feature_importances()) == 12
        direct = ForecasterDirect(estimator=model, lags=12, steps=2)
        direct.fit(y=series)
        assert direct.predict(steps=2).shape == (2,)
    weighted = ForecasterRecursive(
        estimator=LADRegressor(), lags=12, weight_func=lambda index: np.linspace(0.1, 1.0, len(index))
    )
    weighted.fit(y=series, store_in_sample_residuals=True)
    assert np.all(np.diff(weighted.predict_interval(steps=3, method="conformal")[["lower_bound", "upper_bound"]]) > 0)
    folds = TimeSeriesFold(steps=6, initial_train_size=90, verbose=False)
    quiet = {"show_progress": False, "verbose": False, "return_best": False}
    search = grid_search_forecaster(
        weighted, series, cv=folds, param_grid={"alpha": [0.0, 100.0]}, metric="mean_absolute_error", **quiet
    )
    assert search["alpha"].iloc[0] == 0.0
    several = ForecasterRecursive(estimator=QuantileRegressor(quantile=[0.1, 0.9], alpha=0), lags=12)
    assert "shapes" in raised(ValueError, several.fit, y=series)


def treated(n_samples=800):
    """Confounders, a treatment and an outcome with heavy tails, which the treatment raises by 2 a unit."""
    rng = np.random.default_rng(0)
    confounders = rng.standard_normal((n_samples, 5))
    treatment = confounders[:, 0] + rng.standard_normal(n_samples)
    return confounders, treatment, 2 * treatment + confounders @ [1, -1, 0, 0, 0] + rng.standard_t(3, size=n_samples)


@row(
    "EconML",
    "econml",
    works="First stages of `LinearDML` with weights and several outcomes, final stages of `DML`, metalearners",
    remark="Medians as first stages need symmetric errors, since the theory is about conditional means.",
)
def econml():
    from econml.dml import DML, LinearDML
    from econml.metalearners import TLearner

    W, treatment, outcome = treated()
    for model in (LADRegressor(), LassoCDCV(alphas=10, cv=3)):
        found = LinearDML(model_y=model, model_t=model, random_state=0)
        found.fit(outcome, treatment, W=W, sample_weight=np.ones(len(W)))
        low, high = found.effect_interval()
        assert abs(found.effect() - 2) < 0.2
        assert low < 2 < high
    final = LADRegressor(fit_intercept=False)
    robust = DML(model_y=LADRegressor(), model_t=LADRegressor(), model_final=final, random_state=0)
    robust.fit(outcome, treatment, X=W[:, 1:2], W=W)
    assert np.all(np.abs(robust.effect(W[:3, 1:2]) - 2) < 0.3)
    both = LinearDML(model_y=LADRegressor(), model_t=LADRegressor(), random_state=0)
    effects = both.fit(np.column_stack([outcome, -outcome]), treatment, W=W).effect()
    np.testing.assert_allclose(effects, [[effects[0, 0], -effects[0, 0]]], rtol=1e-6)
    learner = TLearner(models=LADRegressor()).fit(outcome, (treatment > 0).astype(int), X=W)
    assert np.median(learner.effect(W)) > 1


@row(
    "DoubleML",
    "DoubleML",
    works="Learners of `DoubleMLPLR`, `tune_ml_models`",
    remark="As for EconML: medians as learners need symmetric errors.",
)
def doubleml():
    import optuna
    from doubleml import DoubleMLData, DoubleMLPLR

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    np.random.seed(0)  # noqa: NPY002 - its sample splitting has no other seed
    W, treatment, outcome = treated()
    data = DoubleMLData.from_arrays(W, outcome, treatment)
    for model in (LassoCDCV(alphas=10, cv=3), LADRegressor()):
        found = DoubleMLPLR(data, model, clone(model)).fit()
        assert abs(found.coef[0] - 2) < 4 * found.se[0]
    grids = {name: lambda trial: {"alpha": trial.suggest_float("alpha", 0.0, 0.02)} for name in ("ml_l", "ml_m")}
    found.tune_ml_models(grids, optuna_settings={"n_trials": 3})
    assert abs(found.fit().coef[0] - 2) < 0.5


@row(
    "Feature-engine",
    "feature_engine",
    works="Selection by recursive elimination, by shuffling and by probe features",
    remark="Pass `scoring`; its default is for classifiers. `SklearnTransformerWrapper` accepts only a list of "
    "scikit-learn's transformers: put `StabilitySelection` into the pipeline without it.",
)
def feature_engine():
    from feature_engine.selection import ProbeFeatureSelection, RecursiveFeatureElimination, SelectByShuffling
    from feature_engine.wrappers import SklearnTransformerWrapper

    for selector in (
        RecursiveFeatureElimination(LADRegressor(), scoring="neg_mean_absolute_error", cv=3),
        SelectByShuffling(LADRegressor(), scoring="neg_mean_absolute_error", cv=3, random_state=0),
        ProbeFeatureSelection(LassoCD(alpha=0.1), scoring="r2", cv=3, random_state=0),
    ):
        kept = set(selector.fit(X, y).get_feature_names_out())
        assert "s5" in kept
        assert kept < set(X)
    refused = raised(NotImplementedError, SklearnTransformerWrapper, StabilitySelection())
    assert "not compatible with the wrapper" in refused


@row(
    "mlxtend",
    "mlxtend",
    works="``SequentialFeatureSelector``, `ExhaustiveFeatureSelector`, `StackingCVRegressor`, `bias_variance_decomp`",
)
def mlxtend():
    from mlxtend.evaluate import bias_variance_decomp
    from mlxtend.feature_selection import ExhaustiveFeatureSelector, SequentialFeatureSelector
    from mlxtend.regressor import StackingCVRegressor

    scoring = "neg_mean_absolute_error"
    forward = SequentialFeatureSelector(LADRegressor(), k_features=3, cv=3, scoring=scoring).fit(X, y)
    assert {"bmi", "s5"} <= set(forward.k_feature_names_)
    all_pairs = ExhaustiveFeatureSelector(
        LADRegressor(), min_features=2, max_features=2, cv=3, scoring=scoring, print_progress=False
    )
    assert set(all_pairs.fit(X, y).best_feature_names_) == {"bmi", "s5"}
    stack = StackingCVRegressor([LADRegressor(), LassoCD(alpha=0.1)], HuberLossRegressor(), cv=3, random_state=0)
    assert stack.fit(TABLE, TARGET).score(TABLE, TARGET) > 0.45
    halves = TABLE[:300], TARGET[:300], TABLE[300:], TARGET[300:]
    loss, bias, variance = bias_variance_decomp(LADRegressor(), *halves, loss="mse", num_rounds=5, random_seed=0)
    np.testing.assert_allclose(loss, bias + variance, rtol=1e-9)


@row(
    "Optuna",
    "optuna",
    works="Studies of any parameter, with cross-validation as the objective",
    remark="To tune only alpha, `LADRegressorCV` and the other `CV` estimators compute the whole path.",
)
def optuna():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def error(trial):
        model = LADRegressor(alpha=trial.suggest_float("alpha", 1e-5, 1.0, log=True))
        return -cross_val_score(model, X, y, scoring="neg_mean_absolute_error", cv=5).mean()

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(error, n_trials=20)
    path = LADRegressorCV(cv=5, alphas="auto").fit(X, y)
    assert study.best_value < 1.01 * path.mae_path_.mean(axis=1).min()


@row(
    "Dask",
    "dask",
    "distributed",
    works="The joblib backend `dask` for searches and for `n_jobs` of ladreg, with bit-identical results; arrays and "
    "frames in `fit` and `predict`: :doc:`dask`",
)
def dask():
    import dask.array as da
    from dask.distributed import Client, LocalCluster

    search = GridSearchCV(LADRegressor(), {"alpha": [0, 0.01, 0.1]}, cv=3, scoring="neg_mean_absolute_error")
    selector = StabilitySelection(n_pairs=5, random_state=0, n_jobs=2)
    here = clone(search).fit(X, y).cv_results_["mean_test_score"], clone(selector).fit(X, y).stability_paths_
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
    with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        there = (
            search.set_params(n_jobs=2).fit(X, y).cv_results_["mean_test_score"],
            selector.fit(X, y).stability_paths_,
        )
        model = LADRegressor().fit(da.from_array(TABLE, chunks=(100, -1)), da.from_array(TARGET, chunks=100))
    np.testing.assert_array_equal(there[0], here[0])
    np.testing.assert_array_equal(there[1], here[1])
    np.testing.assert_allclose(model.coef_, LADRegressor().fit(X, y).coef_, rtol=1e-9)


@row(
    "category_encoders",
    "category_encoders",
    works="Encoders of categories by target, quantile and one-hot before a model, in pipelines and cross-validation",
)
def category_encoders():
    import category_encoders

    frame = X.assign(sex=np.where(X["sex"] > 0, "a", "b"), ward=pd.Series(np.arange(len(X)) % 5).map("ward {}".format))
    encoders = (
        category_encoders.TargetEncoder(),
        category_encoders.OneHotEncoder(use_cat_names=True),
        category_encoders.CatBoostEncoder(),
        category_encoders.QuantileEncoder(),
    )
    for encoder in encoders:
        pipeline = make_pipeline(encoder, LADRegressor())
        error = mean_absolute_error(y, cross_val_predict(pipeline, frame, y, cv=3))
        assert error < 0.75 * mean_absolute_error(y, np.full(len(y), np.median(y)))


@row(
    "Fairlearn",
    "fairlearn",
    works="`MetricFrame`, `CorrelationRemover`, `GridSearch` and `ExponentiatedGradient` with bounded group losses",
    remark="Its losses are defined on an interval: scale y to it first.",
)
def fairlearn():
    from fairlearn.metrics import MetricFrame
    from fairlearn.preprocessing import CorrelationRemover
    from fairlearn.reductions import AbsoluteLoss, BoundedGroupLoss, ExponentiatedGradient, GridSearch

    groups = np.where(X["sex"] > 0, "a", "b")
    scaled = (y - y.min()) / (y.max() - y.min())
    model = make_pipeline(CorrelationRemover(sensitive_feature_ids=["sex"]), LADRegressor()).fit(X, y)
    frame = MetricFrame(metrics=mean_absolute_error, y_true=y, y_pred=model.predict(X), sensitive_features=groups)
    assert frame.by_group.max() < 60
    for reduction in (
        GridSearch(LADRegressor(), BoundedGroupLoss(AbsoluteLoss(0, 1), upper_bound=0.2), grid_size=3),
        ExponentiatedGradient(LADRegressor(), BoundedGroupLoss(AbsoluteLoss(0, 1), upper_bound=0.2), max_iter=5),
    ):
        reduction.fit(X, scaled, sensitive_features=groups)
        assert mean_absolute_error(scaled, reduction.predict(X)) < 0.15
