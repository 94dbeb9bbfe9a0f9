"""Stability selection: against its definition, against published numbers, and by laws."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    OrthogonalMatchingPursuit,
    lars_path,
)
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from ladreg import LADRegressor, LassoCD, LassoCDCV, alpha_max
from ladreg.stability import StabilitySelection, complementary_halves, false_selections_bound

rng = np.random.default_rng(0)
X = rng.standard_normal((81, 12))
y = X[:, [1, 4]] @ [2.0, -1.5] + rng.standard_normal(81)
SMALL = {"n_pairs": 3, "alphas": 4, "random_state": 0}


class Marginal(RegressorMixin, BaseEstimator):
    """Covariances of the features with the target: quick enough for simulations."""

    def fit(self, X, y):
        self.coef_ = X.T @ (y - y.mean())
        return self


@parametrize_with_checks(
    [
        StabilitySelection(n_pairs=2, alphas=3),
        StabilitySelection(LADRegressor(), n_pairs=1, alphas=2, max_features_per_fit=2),
        StabilitySelection(
            LinearRegression(), alphas=None, n_pairs=2, threshold="auto", max_false_selections=5, max_features_per_fit=1
        ),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@given(st.integers(2, 50), st.integers(0, 1000))
def test_pairs_are_complementary(n_samples, seed):
    first, second = complementary_halves(n_samples, seed)
    assert first.size == second.size == n_samples // 2
    both = np.concatenate([first, second])
    assert np.unique(both).size == both.size
    assert set(both) <= set(range(n_samples))


def test_every_row_is_as_often_in_a_half():
    halves = [complementary_halves(5, seed) for seed in range(2000)]
    for side in (0, 1):
        shares = np.bincount(np.concatenate([pair[side] for pair in halves]), minlength=5) / 2000
        np.testing.assert_allclose(shares, 0.4, atol=0.04)


def test_paths_are_what_fits_to_the_halves_say():
    selector = StabilitySelection(**SMALL).fit(X, y)
    grid = np.geomspace(1, 0.1, 4) * alpha_max(X, y)
    np.testing.assert_allclose(selector.alphas_, grid, rtol=1e-12)
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=3)
    halves = [rows for seed in seeds for rows in complementary_halves(81, seed)]
    chosen = np.array([[LassoCD(alpha).fit(X[rows], y[rows]).coef_ != 0 for alpha in grid] for rows in halves])
    np.testing.assert_array_equal(selector.stability_paths_, chosen.mean(axis=0).T)
    np.testing.assert_array_equal(selector.selection_probabilities_, chosen.mean(axis=0).max(axis=0))
    n_selected = chosen.any(axis=1).sum(axis=1).mean()
    assert selector.n_features_per_fit_ == n_selected
    assert selector.expected_false_selections_ == false_selections_bound(n_selected, 12, 0.6, n_pairs=3)


@pytest.mark.parametrize("limit", [1, 3])
def test_the_limit_keeps_those_that_enter_first(limit):
    selector = StabilitySelection(n_pairs=4, alphas=150, eps=0.01, max_features_per_fit=limit, random_state=1)
    selector.fit(X, y)
    seeds = np.random.RandomState(1).randint(np.iinfo(np.int32).max, size=4)
    counts = np.zeros(12)
    for seed in seeds:
        for rows in complementary_halves(81, seed):
            half = X[rows] - X[rows].mean(axis=0)
            counts[lars_path(half, y[rows] - y[rows].mean(), method="lasso")[1][:limit]] += 1
    np.testing.assert_array_equal(selector.selection_probabilities_, counts / 8)
    assert (np.diff(selector.stability_paths_, axis=1) >= 0).all()
    assert selector.n_features_per_fit_ == selector.max_features_per_fit_ == limit


def test_informative_features_are_found_and_noise_is_not():
    table = np.random.default_rng(1).standard_normal((120, 60))
    target = table[:, [3, 7, 20]] @ [2.0, -2.0, 1.5] + np.random.default_rng(2).standard_normal(120)
    selector = StabilitySelection(threshold=0.8, max_false_selections=1, n_pairs=15, random_state=0).fit(table, target)
    np.testing.assert_array_equal(selector.get_support(indices=True), [3, 7, 20])
    assert selector.max_features_per_fit_ == 6
    assert selector.expected_false_selections_ == pytest.approx(36 / (0.6 * 60))


@pytest.mark.parametrize("assumption", [None, "unimodal"])
@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.9])
def test_nulls_respect_the_bound_on_average(threshold, assumption):
    generator = np.random.default_rng(3)
    selector = StabilitySelection(
        Marginal(), alphas=None, threshold=threshold, max_features_per_fit=5, n_pairs=10, assumption=assumption
    )
    false = []
    for _ in range(200):
        selector.set_params(random_state=int(generator.integers(1000)))
        selector.fit(generator.standard_normal((30, 20)), generator.standard_normal(30))
        false.append(selector.get_support().sum())
    assert np.mean(false) + 3 * np.std(false) / np.sqrt(200) <= selector.expected_false_selections_


def test_bounds_are_the_published_ones():
    # Meinshausen and Bühlmann (2010), section 2.4: at 0.9 the root of 0.8 p features make one false selection.
    assert false_selections_bound(np.sqrt(0.8 * 500), 500, 0.9) == pytest.approx(1.0)
    assert false_selections_bound(20, 88, 0.6) == pytest.approx(400 / (0.2 * 88))
    # As R's stabs prints it for q = 20 of 88, cutoff 0.8, with the unimodality assumption.
    assert false_selections_bound(20, 88, 0.8, assumption="unimodal") == pytest.approx(3.743316, abs=5e-7)
    assert false_selections_bound(20, 88, 0.5) == np.inf
    assert false_selections_bound(0, 88, 1.0) == 0.0
    # Of ten halves 0.61 is seven.
    assert false_selections_bound(2, 50, 0.61, n_pairs=5) == false_selections_bound(2, 50, 0.7, n_pairs=5)


@pytest.mark.parametrize("n_pairs", [1, 2, 5, 8])
def test_the_unimodal_bound_holds_for_every_distribution_with_one_peak(n_pairs):
    """With a given peak they are mixtures of uniform ones on intervals that contain it; two at a time are extreme."""
    grid = range(n_pairs + 1)
    for peak in grid:
        ends = np.array([(low, high) for low in range(peak + 1) for high in range(peak, n_pairs + 1)]).T
        means = ends.sum(axis=0) / (2 * n_pairs)
        for joint in range(1, n_pairs + 1):
            tails = np.maximum(ends[1] - np.maximum(ends[0], joint) + 1, 0) / (ends[1] - ends[0] + 1)
            for share in np.linspace(0.05, 3**-0.5, 12):
                mean = share**2
                below, above = np.flatnonzero(means <= mean), np.flatnonzero(means > mean)
                part = (mean - means[below][:, None]) / (means[above] - means[below][:, None])
                mixed = (1 - part) * tails[below][:, None] + part * tails[above]
                tau = 0.5 + joint / (2 * n_pairs)
                bound = false_selections_bound(share * 1000, 1000, tau, n_pairs=n_pairs, assumption="unimodal")
                assert max(mixed.max(initial=0), tails[below].max(initial=0)) <= bound / 1000 + 1e-12


@given(st.integers(1, 300), st.integers(1, 60), st.sampled_from([None, "unimodal"]))
def test_bounds_grow_with_features_and_fall_with_the_threshold(n_features, n_pairs, assumption):
    options = {"n_pairs": n_pairs, "assumption": assumption}
    by_limit = [false_selections_bound(q, n_features, 0.7, **options) for q in range(n_features + 1)]
    by_threshold = [false_selections_bound(1, n_features, tau, **options) for tau in np.linspace(0.4, 1, 50)]
    assert by_limit == sorted(by_limit)
    assert by_threshold == sorted(by_threshold, reverse=True)
    assert by_limit[-1] <= false_selections_bound(n_features, n_features, 0.7, n_pairs=n_pairs)


@pytest.mark.parametrize("assumption", [None, "unimodal"])
@pytest.mark.parametrize("wanted", [0.2, 1.0, 3.0])
def test_two_numbers_determine_the_third(wanted, assumption):
    options = {"alphas": None, "n_pairs": 10, "assumption": assumption, "max_false_selections": wanted}
    bound = lambda q, tau: false_selections_bound(q, 12, tau, n_pairs=10, assumption=assumption)  # noqa: E731
    by_limit = StabilitySelection(Marginal(), threshold=0.9, **options).fit(X, y)
    limit = by_limit.max_features_per_fit_
    assert by_limit.expected_false_selections_ == bound(limit, 0.9) <= wanted < bound(limit + 1, 0.9)
    by_threshold = StabilitySelection(Marginal(), threshold="auto", max_features_per_fit=1, **options).fit(X, y)
    assert by_threshold.expected_false_selections_ == bound(1, by_threshold.threshold_) <= wanted
    assert bound(1, by_threshold.threshold_ - 0.05) > wanted


@pytest.mark.parametrize("estimator", [None, RandomForestRegressor(3)], ids=["lasso", "forest"])
def test_threads_and_seeds_change_no_bit(estimator):
    selector = StabilitySelection(estimator, **SMALL | {"alphas": 4 if estimator is None else None})
    one = clone(selector).fit(X, y).stability_paths_
    np.testing.assert_array_equal(clone(selector).fit(X, y).stability_paths_, one)
    np.testing.assert_array_equal(clone(selector).set_params(n_jobs=2).fit(X, y).stability_paths_, one)
    other = clone(selector).set_params(random_state=np.random.RandomState(0)).fit(X, y)
    np.testing.assert_array_equal(other.stability_paths_, one)


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix])
def test_sparse_is_dense(container):
    table = np.where(np.abs(X) > 0.5, X, 0.0)
    weight = rng.integers(0, 3, 81)
    dense = StabilitySelection(**SMALL).fit(table, y, sample_weight=weight)
    sparse = StabilitySelection(**SMALL).fit(container(table), y, sample_weight=weight)
    np.testing.assert_array_equal(sparse.stability_paths_, dense.stability_paths_)
    assert sp.issparse(sparse.transform(container(table)))


def test_rows_of_weight_zero_are_absent_and_units_of_weights_do_not_matter():
    weight = rng.integers(0, 3, 81) * 0.7
    kept = weight > 0
    one = StabilitySelection(**SMALL).fit(X, y, sample_weight=weight)
    other = StabilitySelection(**SMALL).fit(X[kept], y[kept], sample_weight=1000 * weight[kept])
    np.testing.assert_array_equal(one.stability_paths_, other.stability_paths_)
    plain = StabilitySelection(**SMALL).fit(X[kept], y[kept])
    assert not np.array_equal(plain.stability_paths_, one.stability_paths_)


def test_weights_are_routed():
    weight = rng.integers(0, 3, 81)
    plain = StabilitySelection(**SMALL).fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        routed = StabilitySelection(LassoCD().set_fit_request(sample_weight=True), **SMALL)
        routed.fit(X, y, sample_weight=weight)
        inside = make_pipeline(clone(routed), LinearRegression().set_fit_request(sample_weight=False))
        inside.fit(X, y, sample_weight=weight)
    for selector in (routed, inside[0]):
        np.testing.assert_array_equal(selector.stability_paths_, plain.stability_paths_)


def test_frames_keep_their_names():
    frame = pd.DataFrame(X, columns=[f"column {k}" for k in range(12)])
    selector = StabilitySelection(**SMALL, threshold=0.9).fit(frame, pd.Series(y))
    assert list(selector.get_feature_names_out()) == [f"column {k}" for k in selector.get_support(indices=True)]
    assert {"column 1", "column 4"} <= set(selector.get_feature_names_out())
    assert list(selector.set_output(transform="pandas").transform(frame)) == list(selector.get_feature_names_out())


def test_other_selectors_find_its_importances():
    frame = pd.DataFrame(X, columns=[f"column {k}" for k in range(12)])
    selector = StabilitySelection(**SMALL)
    assert not hasattr(selector, "feature_importances_")
    outer = SelectFromModel(selector, threshold=0.6).set_output(transform="pandas").fit(frame, y)
    kept = clone(selector).fit(frame, y).get_feature_names_out()
    assert 0 < len(kept) < 12
    assert list(outer.transform(frame)) == list(outer.get_feature_names_out()) == list(kept)
    with config_context(enable_metadata_routing=True):
        weight = rng.integers(0, 3, 81)
        routed = SelectFromModel(StabilitySelection(LassoCD().set_fit_request(sample_weight=True), **SMALL))
        routed.fit(X, y, sample_weight=weight)
    expected = clone(selector).fit(X, y, sample_weight=weight).selection_probabilities_
    np.testing.assert_array_equal(routed.estimator_.feature_importances_, expected)
    assert set(RFE(selector, n_features_to_select=2).fit(X, y).get_support(indices=True)) == {1, 4}


def test_of_several_targets_any_counts():
    both = StabilitySelection(alphas=[0.4], n_pairs=3, random_state=0).fit(X, np.column_stack([X[:, 0], X[:, 5]]))
    np.testing.assert_array_equal(both.get_support(indices=True), [0, 5])


def test_in_a_pipeline_and_a_grid_search():
    pipeline = make_pipeline(StandardScaler(), StabilitySelection(**SMALL), LassoCD(0.01))
    grid = {"stabilityselection__threshold": [0.6, 1.0], "stabilityselection__estimator": [LassoCD(), Lasso()]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.7
    restored = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(restored.predict(X), search.predict(X))


@pytest.mark.parametrize(
    "selector",
    [
        StabilitySelection(LADRegressor(), **SMALL),
        StabilitySelection(Lasso(), **SMALL),
        StabilitySelection(ElasticNet(l1_ratio=0.8), **SMALL),
        StabilitySelection(RandomForestRegressor(5), **SMALL | {"alphas": None}),
        StabilitySelection(OrthogonalMatchingPursuit(), **SMALL | {"alphas": [3, 1, 2]}, parameter="n_nonzero_coefs"),
        StabilitySelection(
            make_pipeline(StandardScaler(), LassoCD()),
            **SMALL | {"alphas": [0.05, 0.2, 1.9]},
            parameter="lassocd__alpha",
            importance_getter="named_steps.lassocd.coef_",
        ),
        StabilitySelection(Marginal(), **SMALL | {"alphas": None}, importance_getter=lambda model: model.coef_),
    ],
    ids=lambda selector: type(selector.estimator).__name__,
)
def test_estimators_of_all_kinds(selector):
    selector.set_params(max_features_per_fit=2, threshold=0.8).fit(X, y)
    np.testing.assert_array_equal(selector.get_support(indices=True), [1, 4])
    assert selector.n_features_per_fit_ <= 2
    if selector.alphas_ is not None:
        few, many = selector.stability_paths_.sum(axis=0)[[0, -1]]
        assert few < many


def test_a_classifier_with_an_inverse_strength():
    table, classes = load_breast_cancer(return_X_y=True)
    names = np.array(["benign", "malignant"])[classes]
    machine = LinearSVC(penalty="l1", dual=False)
    selector = StabilitySelection(machine, parameter="C", alphas=[0.1, 0.001, 0.01], n_pairs=2, random_state=0)
    selector.fit(StandardScaler().fit_transform(table), names)
    np.testing.assert_array_equal(selector.alphas_, [0.001, 0.01, 0.1])
    assert 0 < selector.get_support().sum() < 30


def test_the_estimator_is_left_alone():
    estimator = LassoCD(0.3)
    selector = StabilitySelection(estimator, **SMALL).fit(X.astype(np.float32), y)
    assert not hasattr(estimator, "coef_")
    assert estimator.get_params() == LassoCD(0.3).get_params()
    assert clone(selector).get_params()["n_pairs"] == 3
    assert StabilitySelection().set_params(estimator=Lasso(), estimator__max_iter=7).estimator.max_iter == 7


@pytest.mark.parametrize(
    ("table", "target"),
    [
        (np.zeros((9, 3)), np.arange(9.0)),
        (X[:9], np.ones(9)),
        (np.ones((2, 1)), [0.0, 1.0]),
        (np.repeat(X[:10, :1], 4, axis=1), y[:10]),
        (np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]]), [1.0, 1.0, -1.0, -1.0]),
        (X * 1e150, y * 1e-100),
    ],
    ids=["zero X", "constant y", "two rows", "the same columns", "orthogonal", "units"],
)
def test_degenerate_data(table, target):
    for estimator in (LassoCD(), LADRegressor()):
        selector = StabilitySelection(estimator, n_pairs=2, alphas=3, random_state=0).fit(table, target)
        assert np.isfinite(selector.selection_probabilities_).all()
        assert np.isfinite(selector.alphas_).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_pairs": 0}, "n_pairs must be an integer"),
        ({"eps": 1.0}, "eps must be"),
        ({"threshold": 1.1}, "threshold must be a finite number"),
        ({"threshold": "best"}, "threshold must be one of 'auto'"),
        ({"assumption": "normal"}, "assumption must be one of"),
        ({"importance_getter": 3}, "importance_getter must be"),
        ({"max_features_per_fit": 0}, "max_features_per_fit must be"),
        ({"max_false_selections": 0.0}, "max_false_selections must be"),
        ({"threshold": "auto"}, "determine the third"),
        ({"threshold": "auto", "max_false_selections": 1}, "determine the third"),
        ({"max_features_per_fit": 2, "max_false_selections": 1}, "determine the third"),
        ({"max_false_selections": 1e-3}, r"cannot be met for n_features=12"),
        ({"max_false_selections": 1, "threshold": 0.5}, r"cannot be met"),
        ({"alphas": 0}, "alphas must be an integer >= 1"),
        ({"alphas": [[1.0]]}, "alphas must be None"),
        ({"alphas": []}, "alphas must be None"),
        ({"alphas": [np.nan]}, "alphas must be None"),
        ({"alphas": "many"}, "alphas must be None"),
        ({"alphas": [-1.0]}, "alpha must be a finite number"),
        ({"parameter": "beta"}, "no parameter 'beta'"),
        ({"parameter": "max_iter"}, "the largest max_iter"),
        ({"estimator": make_pipeline(LassoCD()), "alphas": None}, "neither coef_ nor feature_importances_"),
        ({"importance_getter": "intercept_"}, "one number for each of 12 features"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        StabilitySelection(**parameters).fit(X, y)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(81, -1.0), "Negative values in sample_weight"),
        (np.eye(81)[0], "at least two non-zero numbers"),
        (np.ones((81, 1)), "one-dimensional"),
        (np.ones(80), "inconsistent numbers of samples"),
        (np.full(81, np.nan), "sample_weight contains NaN"),
    ],
    ids=["negative", "single", "table", "short", "nan"],
)
def test_weights_that_make_no_sense(weight, message):
    with pytest.raises(ValueError, match=message):
        StabilitySelection(**SMALL).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="does not take it"):
        StabilitySelection(Marginal(), alphas=None).fit(X, y, sample_weight=np.ones(81))


GETTER = {"importance_getter": "named_steps.lassocd.coef_"}
AS_IT_IS = {"alphas": None, "n_pairs": 4, "random_state": 0}
names = list("abcdef")
frame = pd.DataFrame(np.random.default_rng(0).standard_normal((100, 6)), columns=names)
response = frame.a.to_numpy() + np.random.default_rng(1).standard_normal(100)


def by_name():
    return make_pipeline(ColumnTransformer([("scaled", StandardScaler(), names)]), LassoCD(0.1))


def imputing():
    return make_pipeline(SimpleImputer(), LassoCD(0.1))


@pytest.mark.parametrize(
    "kind", [lambda table: table, pl.from_pandas, pd.DataFrame.to_numpy], ids=["pandas", "polars", "array"]
)
def test_what_is_missing_is_left_to_the_estimator(kind):
    table = kind(frame.mask(np.random.default_rng(2).random(frame.shape) < 0.05))
    wanted = SelectFromModel(imputing(), threshold=1e-9, **GETTER).fit(table, response)
    found = StabilitySelection(imputing(), **AS_IT_IS, **GETTER).fit(table, response)
    assert found.get_support()[0]
    assert wanted.get_support()[0]
    with pytest.raises(ValueError, match="NaN"):
        StabilitySelection(LassoCD(0.1), **AS_IT_IS).fit(table, response)


@pytest.mark.parametrize("kind", [lambda table: table, pl.from_pandas], ids=["pandas", "polars"])
def test_columns_may_be_named(kind):
    found = StabilitySelection(by_name(), **AS_IT_IS, **GETTER).fit(kind(frame), response)
    plain = StabilitySelection(make_pipeline(StandardScaler(), LassoCD(0.1)), **AS_IT_IS, **GETTER)
    plain.fit(frame.to_numpy(), response)
    np.testing.assert_array_equal(found.stability_paths_, plain.stability_paths_)
    assert list(found.feature_names_in_) == names
    assert found.transform(kind(frame)).shape[1] == found.get_support().sum()


@pytest.mark.parametrize(
    "groups", [np.arange(100) // 5, list(range(100)), pd.Series(np.arange(100) % 10)], ids=["array", "list", "series"]
)
def test_what_has_one_entry_for_each_row_is_halved(groups):
    selector = StabilitySelection(LassoCDCV(cv=GroupKFold(3), alphas=5), **AS_IT_IS)
    assert selector.fit(frame, response, groups=groups).get_support()[0]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 100)
    inside = StabilitySelection(make_pipeline(StandardScaler(), LassoCD(0.1)), **AS_IT_IS, **GETTER)
    assert inside.fit(frame, response, lassocd__sample_weight=weight).get_support()[0]


@pytest.mark.parametrize(
    "estimator",
    [
        LassoCDCV(cv=KFold(3, shuffle=True), alphas=5),
        LassoCDCV(cv=ShuffleSplit(3, random_state=np.random.RandomState(3)), alphas=5),
        GridSearchCV(LassoCD(), {"alpha": [0.05, 0.2]}, cv=KFold(3, shuffle=True)),
    ],
    ids=["shuffled folds", "random splits", "grid search"],
)
def test_splitters_of_the_estimator_are_seeded(estimator):
    getter = (lambda model: model.best_estimator_.coef_) if hasattr(estimator, "estimator") else "auto"
    paths = [
        StabilitySelection(estimator, **AS_IT_IS, importance_getter=getter, n_jobs=n_jobs).fit(X, y).stability_paths_
        for n_jobs in (1, 2, 1)
    ]
    for other in paths[1:]:
        np.testing.assert_array_equal(paths[0], other)
    assert estimator.cv.random_state is None or isinstance(estimator.cv.random_state, np.random.RandomState)


@pytest.mark.parametrize("n_rare", [2, 3, 4])
@pytest.mark.parametrize("n_samples", [99, 100])
def test_halves_have_half_of_each_class(n_rare, n_samples):
    classes = (np.arange(n_samples) < n_rare).astype(int)
    for seed in range(50):
        halves = complementary_halves(n_samples, seed, classes)
        assert [rows.size for rows in halves] == [n_samples // 2] * 2
        assert np.intersect1d(*halves).size == 0
        counts = np.array([np.bincount(classes[rows]) for rows in halves])
        assert np.ptp(counts, axis=0).max() <= 1
        assert counts.min() > 0
    table = np.random.default_rng(0).standard_normal((n_samples, 4))
    selector = StabilitySelection(LogisticRegression(), **AS_IT_IS)
    selector.fit(table, np.array(["few", "many"])[1 - classes])
    assert selector.stability_paths_.shape == (4, 1)


def test_left_out_rows_take_turns():
    classes = np.zeros(9, dtype=int)
    seen = [np.concatenate(complementary_halves(9, seed, classes)) for seed in range(99)]
    assert {int(np.setdiff1d(np.arange(9), rows)[0]) for rows in seen} == set(range(9))
