"""Several targets in the estimators that choose alpha: each is fitted as it is alone, or all have one alpha."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    CVCurveDisplay,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    PathDisplay,
    QuantileRegressor,
    QuantileRegressorCV,
    QuantileRegressorIC,
    infer,
)
from tests.public import TUNED

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 5))
Y = np.column_stack(
    [
        X @ [1.0, -2.0, 0.0, 0.0, 0.5] + rng.laplace(size=40),
        100 * X[:, 2] + rng.standard_normal(40),
        5 * rng.standard_normal(40),
    ]
)
WEIGHT = rng.integers(0, 3, 40).astype(float)
FOLDS = KFold(3, shuffle=True, random_state=0)
pytestmark = pytest.mark.filterwarnings("ignore:.*is the smallest that was tried:UserWarning")
SHORT = {"alphas": 4, "eps": 0.05}
OPTIONS = [
    LassoCDCV(alphas="auto", cv=2),
    LassoCDCV(alphas=[0.1, 0.01], standardize=True, penalty_weights="adaptive"),
    ElasticNetCDCV(**SHORT, l1_ratio=[0.3, 0.9], cv=2, max_features=2, selection="1se"),
    LADRegressorCV(alphas="knots", eps=0.3, cv=2, max_features=2),
    LADRegressorCV(**SHORT, cv=2, scoring="neg_median_absolute_error"),
    HuberLossRegressorCV(**SHORT, cv=2, penalty_weights="adaptive"),
    LADRegressorIC(alphas="knots", eps=0.3, post_selection=0.5),
    LADRegressorIC(**SHORT, scale="classical"),
    LassoCDIC(**SHORT, max_features=2),
]


def fitted(model):
    """What a fit found."""
    return {name: value for name, value in vars(model).items() if name.endswith("_") and name != "n_features_in_"}


def same(found, expected):
    """The same numbers; what ended earlier than for another target is filled up."""
    found, expected = np.asarray(found), np.asarray(expected)
    inside = tuple(slice(size) for size in expected.shape)
    np.testing.assert_array_equal(found[inside] if expected.ndim else found, expected)
    if expected.ndim and found.shape != expected.shape:
        rest = np.ones(found.shape, dtype=bool)
        rest[inside] = False
        assert np.all(np.isnan(found[rest]) if found.dtype.kind == "f" else found[rest] == -1)


@pytest.mark.parametrize("model", [*TUNED, *OPTIONS], ids=repr)
def test_each_target_is_fitted_as_it_is_alone(model):
    model = clone(model).set_params(alpha_per_target=True)
    several = clone(model).fit(X, Y, WEIGHT)
    proofs, predicted = several.verify(X, Y, WEIGHT), several.predict(X)
    assert several.coef_path_.shape[:2] == (3, 5)
    for k, target in enumerate(Y.T):
        alone = clone(model).fit(X, target, WEIGHT)
        assert fitted(several).keys() == fitted(alone).keys()
        for name, value in fitted(alone).items():
            same(getattr(several, name)[k], value)
        assert several.certificate_[k] == alone.certificate_
        assert proofs[k] == alone.verify(X, target, WEIGHT)
        np.testing.assert_allclose(predicted[:, k], alone.predict(X), rtol=1e-12)
    with pytest.raises(ValueError, match="y has 2 targets, but the model was fitted to 3"):
        several.verify(X, Y[:, :2], WEIGHT)
    single = several.fit(X, Y[:, 0], WEIGHT)  # nothing of the earlier fit is left
    for name, value in fitted(clone(model).set_params(alpha_per_target=False).fit(X, Y[:, 0], WEIGHT)).items():
        np.testing.assert_array_equal(getattr(single, name), value)


def root(y, predicted):
    return -np.sqrt(np.mean((y - predicted) ** 2))


GRIDS = [
    (LassoCDCV(), LassoCD(tol=1e-14)),
    (LassoCDCV(penalty_weights="adaptive", tol=1e-14), LassoCD(penalty_weights="adaptive", tol=1e-14)),
    (ElasticNetCDCV(l1_ratio=0.5), ElasticNetCD(l1_ratio=0.5, tol=1e-14)),
    (LADRegressorCV(), LADRegressor()),
    (QuantileRegressorCV(quantile=0.3), QuantileRegressor(quantile=0.3)),
    (HuberLossRegressorCV(), HuberLossRegressor()),
    (CombinedLossRegressorCV(), CombinedLossRegressor()),
]


@pytest.mark.parametrize(("model", "plain"), GRIDS, ids=lambda model: repr(model))
@pytest.mark.parametrize("scoring", ["neg_mean_absolute_error", "r2"])
def test_one_alpha_is_that_of_a_grid_search(model, plain, scoring):
    model = clone(model).set_params(**SHORT, cv=FOLDS, scoring=scoring).fit(X, Y)
    search = GridSearchCV(plain, {"alpha": model.alphas_}, scoring=scoring, cv=FOLDS).fit(X, Y)
    expected = np.transpose([search.cv_results_[f"split{k}_test_score"] for k in range(3)])
    np.testing.assert_allclose(model.scores_path_.mean(axis=0), expected, rtol=1e-10)
    assert model.alpha_ == model.alpha_min_ == search.best_params_["alpha"]
    means = expected.mean(axis=1)
    error = expected[means.argmax()].std(ddof=1) / np.sqrt(3)
    assert model.alpha_1se_ == model.alphas_[np.argmax(means >= means.max() - error)]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-6, atol=1e-7)
    assert max(one.relative_gap for one in model.verify(X, Y)) < 1e-10


@pytest.mark.parametrize("model", [*TUNED, *OPTIONS], ids=repr)
def test_one_alpha_has_the_smallest_mean_over_targets(model):
    several = clone(model).fit(X, Y, WEIGHT)
    own = clone(model).set_params(alpha_per_target=True).fit(X, Y, WEIGHT)
    assert np.ndim(several.alpha_) == 0
    assert several.alphas_.max() >= np.nanmax(own.alphas_) * (1 - 1e-12)
    losses = next(getattr(several, name) for name in fitted(several) if name in (*LOSSES, "criterion_", "scores_path_"))
    means = losses.mean(axis=0) * (-1 if hasattr(several, "scores_path_") else 1)
    means = means.mean(axis=-1) if means.ndim > several.alphas_.ndim else means
    best = np.unravel_index(np.argmin(means), means.shape)
    chosen = several.alphas_[best[-1]] if several.alphas_.ndim == 1 else several.alphas_[best]
    assert chosen == getattr(several, "alpha_min_", several.alpha_)
    if model.max_features is not None:
        assert np.count_nonzero(several.coef_path_, axis=1).max() <= model.max_features
    # Each target is fitted as it is alone with the same alphas.
    if isinstance(model.alphas, str) or isinstance(getattr(model, "l1_ratio", 1.0), list):
        return
    for k, target in enumerate(Y.T):
        alone = clone(model).set_params(alphas=several.alphas_, max_features=None).fit(X, target, WEIGHT)
        np.testing.assert_array_equal(several.coef_path_[k], alone.coef_path_)


LOSSES = ("mse_path_", "mae_path_", "pinball_path_", "huber_path_", "combined_path_")


@pytest.mark.parametrize("model", [LADRegressorCV(cv=2), LADRegressorIC()], ids=repr)
def test_one_alpha_among_all(model):
    """Between the knots of all targets no loss changes: no grid finds a better alpha."""
    knots = clone(model).set_params(alphas="knots", eps=0.3).fit(X, Y)
    grid = clone(model).set_params(alphas=40, eps=0.3).fit(X, Y)
    best = [getattr(one, "mae_path_", one.coef_path_) for one in (knots, grid)]
    if hasattr(knots, "criterion_"):
        best = [one.criterion_[..., None] for one in (knots, grid)]
    best = [losses.mean(axis=(0, 2)) for losses in best]
    assert best[0].min() <= best[1].min() * (1 + 1e-9)
    place = np.searchsorted(-knots.knots_, -grid.alphas_)
    np.testing.assert_allclose(best[0][place[1:]], best[1][1:], rtol=1e-7)  # at the largest alpha two fits are optimal


def test_order_and_units_of_targets():
    model = LassoCDCV(**SHORT, cv=FOLDS)
    one, other = clone(model).fit(X, Y), clone(model).fit(X, Y[:, ::-1])
    np.testing.assert_array_equal(other.coef_, one.coef_[::-1])
    assert other.alpha_ == one.alpha_
    own = clone(model).set_params(alpha_per_target=True)
    scaled = clone(own).fit(X, Y * [1.0, 2.0, 0.25])
    np.testing.assert_allclose(scaled.alpha_, own.fit(X, Y).alpha_ * [1.0, 2.0, 0.25], rtol=1e-12)


@pytest.mark.parametrize("container", [sp.csr_array, np.float32, np.asfortranarray])
def test_tables_in_every_form(container):
    model = LassoCDCV(**SHORT, alpha_per_target=True)
    several = clone(model).fit(container(X), Y)
    for k, target in enumerate(Y.T):
        alone = clone(model).fit(container(X), target)
        np.testing.assert_array_equal(several.coef_[k], alone.coef_)
        assert several.coef_.dtype == alone.coef_.dtype


def test_constant_targets_take_no_part_in_the_grid():
    flat = np.column_stack([Y[:, 0], np.full(40, 7.0)])
    for model in (LassoCDCV(**SHORT), LADRegressorCV(**SHORT), LADRegressorIC(alphas="knots", eps=0.3)):
        found = clone(model).fit(X, flat)
        np.testing.assert_array_equal(found.alphas_, clone(model).fit(X, Y[:, 0]).alphas_)
        assert not found.coef_[1].any()


def test_what_is_said_names_the_target(capsys):
    LassoCDCV(**SHORT, cv=2, verbose=1, alpha_per_target=True).fit(X, Y[:, :2])
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("target 1: ") for line in lines] == [0] * 4 + [1] * 4
    LassoCDCV(**SHORT, cv=2, verbose=1).fit(X, Y[:, :2])
    assert sum("target 1: fold" in line for line in capsys.readouterr().out.splitlines()) == 2
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        LassoCDCV(alphas=3, eps=0.5, alpha_per_target=True).fit(X, Y)
    assert {str(one.message).partition(": ")[0] for one in told} <= {"target 0", "target 1", "target 2"}
    assert len(told) >= 2
    assert {one.filename for one in told} == {__file__}


def test_pictures_show_one_target_or_the_mean():
    own = LassoCDCV(**SHORT, alpha_per_target=True).fit(X, Y)
    shared = LassoCDCV(**SHORT).fit(X, Y)
    alone = LassoCDCV(**SHORT).fit(X, Y[:, 1])
    for kind in (CVCurveDisplay, PathDisplay):
        shown, expected = kind.from_estimator(own, target=1), kind.from_estimator(alone)
        for name, value in vars(expected).items():
            np.testing.assert_array_equal(getattr(shown, name), value)
        assert kind.from_estimator(shared, target=1).alphas.shape == (4,)
        for wrong in (None, 3, -1, True, "y"):
            with pytest.raises(ValueError, match="target must be the number of a column of y from 0 to 2, got"):
                kind.from_estimator(own, target=wrong)
        with pytest.raises(ValueError, match="target must be the number of a column of y from 0 to 0, got 2"):
            kind.from_estimator(alone, target=2)
    np.testing.assert_array_equal(CVCurveDisplay.from_estimator(shared).losses, shared.mse_path_.mean(axis=0))
    ragged = ElasticNetCDCV(**SHORT, l1_ratio=[0.3, 0.9], max_features=2, alpha_per_target=True).fit(X, Y)
    for k, ratio in enumerate(ragged.l1_ratio_):
        alphas = ragged.alphas_[k, [0.3, 0.9].index(ratio)]
        np.testing.assert_array_equal(PathDisplay.from_estimator(ragged, target=k).alphas, alphas[np.isfinite(alphas)])


def test_inference_takes_each_target():
    own = LassoCDCV(**SHORT, alpha_per_target=True).fit(X, Y)
    found = infer(own, X, Y, method="desparsified")
    for k, one in enumerate(found):
        alone = infer(LassoCDCV(**SHORT).fit(X, Y[:, k]), X, Y[:, k], method="desparsified")
        np.testing.assert_allclose(one.coef, alone.coef, rtol=1e-9)


def test_a_scorer_is_asked_for_one_target_at_a_time():
    shapes = set()
    scorer = make_scorer(lambda y, z: shapes.add((y.ndim, z.ndim)) or root(y, z))
    LassoCDCV(**SHORT, scoring=scorer).fit(X, Y)
    assert shapes == {(1, 1)}


def test_quantiles_of_criteria():
    found = QuantileRegressorIC(**SHORT, quantile=0.3).fit(X, Y)
    assert found.alpha_ == found.alphas_[found.criterion_.mean(axis=0).argmin()]
