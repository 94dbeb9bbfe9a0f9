"""How stability selection draws: whole groups, classes, penalties of the randomised lasso; ties, and callbacks."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ladreg import LADRegressor, LassoCD, LassoCDCV, QuantileRegressor, StabilitySelection
from tests.recorder import Recorder

rng = np.random.default_rng(0)
X = rng.standard_normal((90, 8))
Y = X[:, 0] - X[:, 1] + rng.standard_normal(90)
GROUPS = np.repeat(np.arange(30), 3)[rng.permutation(90)]
CLASSES = GROUPS % 3
SMALL = {"n_pairs": 6, "random_state": 0, "alphas": 4}
SEEN = []


class Spy(RegressorMixin, BaseEstimator):
    """Writes down the rows it is fitted to: their numbers are in the first column."""

    def __init__(self, alpha=1.0, penalty_weights=None):
        self.alpha, self.penalty_weights = alpha, penalty_weights

    def fit(self, X, y):  # noqa: ARG002
        SEEN.append((X[:, 0].astype(int), self.penalty_weights))
        self.coef_ = np.ones(X.shape[1])
        return self


def seen(weakness=None, table=X, **given):
    """The rows of each half, in pairs, and the penalties of its fit."""
    SEEN.clear()
    numbered = np.column_stack([np.arange(len(table)), table])
    spy = StabilitySelection(Spy(), alphas=None, n_pairs=20, random_state=1, weakness=weakness)
    spy.fit(numbered, np.zeros(len(table)), **given)
    return list(zip(SEEN[::2], SEEN[1::2], strict=True))


def test_whole_groups_are_drawn():
    counts = np.zeros(30)
    for (first, _), (second, _) in seen(groups=GROUPS):
        assert not set(GROUPS[first]) & set(GROUPS[second])
        for rows in (first, second):
            assert rows.size == 45
            assert np.unique(GROUPS[rows]).size == 15
            counts[np.unique(GROUPS[rows])] += 1
    assert np.all(counts == 20)


def test_names_and_order_of_groups_do_not_matter_to_single_rows():
    """Groups of one row each are rows."""
    plain = StabilitySelection(**SMALL).fit(X, Y).stability_paths_
    single = StabilitySelection(**SMALL).fit(X, Y, groups=[f"{k:03}" for k in range(90)]).stability_paths_
    np.testing.assert_array_equal(single, plain)


def test_halves_have_half_of_each_class_given():
    for halves in seen(stratify=CLASSES):
        for rows, _ in halves:
            assert np.all(np.abs(np.bincount(CLASSES[rows]) - np.bincount(CLASSES) / 2) <= 1)
    for halves in seen(stratify=CLASSES, groups=GROUPS):
        for rows, _ in halves:
            assert np.all(np.bincount(np.unique(GROUPS[rows]) % 3) == 5)


def test_rows_of_weight_zero_take_their_groups_with_them():
    weight = np.where(GROUPS < 10, 0.0, 1.0)
    kept = weight > 0
    one = StabilitySelection(**SMALL).fit(X, Y, groups=GROUPS, stratify=CLASSES, sample_weight=weight)
    other = StabilitySelection(**SMALL).fit(X[kept], Y[kept], groups=GROUPS[kept], stratify=CLASSES[kept])
    np.testing.assert_array_equal(one.stability_paths_, other.stability_paths_)


def test_estimators_with_folds_get_the_groups_of_their_half():
    folds = GroupKFold(3)
    for estimator in (LassoCDCV(cv=folds, alphas=4), GridSearchCV(LassoCD(), {"alpha": [0.05, 0.2]}, cv=folds)):
        getter = (lambda model: model.best_estimator_.coef_) if hasattr(estimator, "estimator") else "auto"
        given = {"alphas": None, "n_pairs": 2, "random_state": 0, "importance_getter": getter}
        selector = StabilitySelection(estimator, **given).fit(X, Y, groups=GROUPS)
        assert selector.get_support()[0]
        with config_context(enable_metadata_routing=True):
            routed = StabilitySelection(estimator, **given).fit(X, Y, groups=GROUPS)
        np.testing.assert_array_equal(routed.stability_paths_, selector.stability_paths_)
    plain = StabilitySelection(LassoCD(), **SMALL).fit(X, Y, groups=GROUPS, stratify=CLASSES)
    with config_context(enable_metadata_routing=True):
        routed = StabilitySelection(LassoCD(), **SMALL).fit(X, Y, groups=GROUPS, stratify=CLASSES)
    np.testing.assert_array_equal(routed.stability_paths_, plain.stability_paths_)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": np.zeros(90)}, "groups must have at least two groups, got 1"),
        ({"groups": [1, 2]}, r"groups must have shape \(90,\), one label per row, got \(2,\)"),
        ({"stratify": np.zeros((90, 2))}, r"stratify must have shape \(90,\), one label per row, got \(90, 2\)"),
        ({"groups": GROUPS, "stratify": np.arange(90)}, "stratify must be the same in all rows of a group, but group"),
    ],
)
def test_groups_and_classes_that_make_no_sense(given, message):
    with pytest.raises(ValueError, match=message):
        StabilitySelection(**SMALL).fit(X, Y, **given)


def test_penalties_of_the_randomised_lasso():
    """Each fit has weights of 1 and 1 / weakness, drawn anew, about as many of one as of the other."""
    pairs = seen(weakness=0.25)
    drawn = np.array([weights for pair in pairs for _, weights in pair])
    assert set(np.unique(drawn)) == {1.0, 4.0}
    assert len({row.tobytes() for row in drawn}) > 30
    assert abs(np.mean(drawn == 4.0) - 0.5) < 3 * 0.5 / np.sqrt(drawn.size)
    twice = np.column_stack([X, X[:, :3]])
    for pair in seen(weakness=0.25, table=twice):
        for _, weights in pair:
            np.testing.assert_array_equal(weights[1:4], weights[9:12])


@pytest.mark.parametrize("estimator", [LassoCD(), LADRegressor(), make_pipeline(StandardScaler(), LassoCD())], ids=repr)
def test_a_weakness_of_one_is_none(estimator):
    given = {**SMALL, "n_pairs": 3, "alphas": [0.3, 0.1]}
    if not isinstance(estimator, LassoCD | LADRegressor):
        given |= {"parameter": "lassocd__alpha", "importance_getter": "named_steps.lassocd.coef_"}
    plain = StabilitySelection(estimator, **given).fit(X, Y)
    one = StabilitySelection(estimator, weakness=1.0, **given).fit(X, Y)
    np.testing.assert_array_equal(one.stability_paths_, plain.stability_paths_)
    some = StabilitySelection(estimator, weakness=0.2, **given).fit(X, Y)
    assert some.stability_paths_.sum() < plain.stability_paths_.sum()
    np.testing.assert_array_equal(
        StabilitySelection(estimator, weakness=0.2, n_jobs=2, **given).fit(X, Y).stability_paths_, some.stability_paths_
    )


@pytest.mark.parametrize("limit", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("weakness", [None, 0.3])
@pytest.mark.parametrize("container", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("estimator", [LassoCD(), LADRegressor(), QuantileRegressor(quantile=0.4)], ids=repr)
def test_equal_columns_get_equal_probabilities(limit, weakness, container, estimator):
    twice = np.column_stack([X, X[:, [0, 1, 5]]])
    given = {**SMALL, "n_pairs": 4, "max_features_per_fit": limit, "weakness": weakness}
    selector = StabilitySelection(estimator, **given).fit(container(twice), Y)
    paths = selector.stability_paths_
    np.testing.assert_array_equal(paths[[0, 1, 5]], paths[[8, 9, 10]])
    assert limit is None or selector.n_features_per_fit_ <= limit


def test_features_that_stand_in_for_each_other_take_turns():
    """What the randomised lasso is for: where two columns are alike, the lasso always takes the better one."""
    first = rng.standard_normal(200)
    second = 0.8 * first + 0.5 * rng.standard_normal(200)
    table = np.column_stack([first, second, rng.standard_normal((200, 10))])
    target = 2 * first + 0.3 * rng.standard_normal(200)
    given = {"alphas": [0.7], "n_pairs": 25, "random_state": 0}
    plain = StabilitySelection(**given).fit(table, target).selection_probabilities_
    random = StabilitySelection(weakness=0.5, **given).fit(table, target).selection_probabilities_
    assert plain[1] < 0.1
    assert random[1] > 0.15
    assert random[2:].max() <= plain[2:].max()


def test_a_weakness_needs_penalty_weights():
    with pytest.raises(ValueError, match=r"weakness=0.5 divides penalty_weights, but Lasso\(\) has no parameter"):
        StabilitySelection(Lasso(), weakness=0.5).fit(X, Y)
    excluded = StabilitySelection(LassoCD(penalty_weights=np.r_[np.inf, np.ones(7)]), weakness=0.5, **SMALL).fit(X, Y)
    assert excluded.selection_probabilities_[0] == 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_are_told_of_pairs(n_jobs):
    pytest.importorskip("sklearn.callback")
    recorder, name = Recorder(), "StabilitySelection"
    selector = StabilitySelection(n_jobs=n_jobs, **SMALL).set_callbacks(recorder)
    plain = clone(selector).set_callbacks().fit(X, Y)
    selector.fit(X, Y)
    assert [word for word, _ in recorder.events[:2]] == ["setup", "begin"]
    assert [word for word, _ in recorder.events[-2:]] == ["end", "teardown"]
    assert recorder.begun[0][:3] == recorder.ended[-1][:3] == (name, "fit", 0)
    for pairs in (recorder.begun[1:], recorder.ended[:-1]):
        assert {one[:3] for one in pairs} == {(name, "pair", k) for k in range(6)}
    np.testing.assert_array_equal(selector.stability_paths_, plain.stability_paths_)
