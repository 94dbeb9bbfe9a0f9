"""The adaptive lasso is the lasso with the weights of a pilot fit, which knows no held-out rows."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
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
    QuantileRegressor,
    QuantileRegressorCV,
    QuantileRegressorIC,
    StabilitySelection,
    alpha_max,
    combined_path,
    fit_many,
    huber_path,
    infer,
    lad_path,
    lasso_path,
    quantile_path,
    quantile_process,
)
from ladreg.blocks import arrays

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 8)) * np.exp(rng.standard_normal(8))
Y = X[:, 0] / X[:, 0].std() - X[:, 1] / X[:, 1].std() + rng.standard_normal(60)
WIDE = rng.standard_normal((30, 50)) * np.exp(rng.standard_normal(50)) + 3.0
TARGET = WIDE[:, 0] - 2 * WIDE[:, 1] + rng.standard_normal(30)
ADAPTIVE = {"penalty_weights": "adaptive"}


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_weights_are_those_of_least_squares(gamma, weighted, fit_intercept, container):
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    pilot = LinearRegression(fit_intercept=fit_intercept).fit(X, Y, weight).coef_
    model = LassoCD(0.01, gamma=gamma, fit_intercept=fit_intercept, **ADAPTIVE).fit(container(X), Y, weight)
    np.testing.assert_allclose(model.penalty_weights_, np.abs(pilot) ** -gamma, rtol=1e-7)
    given = clone(model).set_params(penalty_weights=model.penalty_weights_).fit(container(X), Y, weight)
    np.testing.assert_array_equal(model.coef_, given.coef_)
    assert not hasattr(given, "penalty_weights_")
    assert model.verify(container(X), Y, weight).relative_gap < 1e-9
    assert not hasattr(model.set_params(penalty_weights=None).fit(X, Y), "penalty_weights_")


def test_wide_tables_have_a_ridge_that_generalised_cross_validation_chooses():
    for weight in (np.ones(30), rng.integers(1, 4, 30).astype(float)):
        mass = weight / weight.sum()
        centred = WIDE - mass @ WIDE
        unit = np.sqrt(mass @ centred**2)
        A, t = centred / unit * np.sqrt(mass)[:, None], (TARGET - mass @ TARGET) * np.sqrt(mass)
        largest = np.linalg.norm(A, 2) ** 2
        scores = {}
        for ridge in np.geomspace(1e-6, 1.0, 61) * largest:
            hat = A @ np.linalg.solve(A.T @ A + ridge * np.eye(50), A.T)
            scores[ridge] = np.sum((t - hat @ t) ** 2) / (29 - np.trace(hat)) ** 2
        best = max(ridge for ridge, score in scores.items() if score <= 1.001 * min(scores.values()))
        pilot = Ridge(best, fit_intercept=False, tol=1e-12).fit(A, t).coef_
        model = LassoCD(0.01, **ADAPTIVE).fit(WIDE, TARGET, weight)
        np.testing.assert_allclose(model.penalty_weights_, 1 / np.abs(pilot / unit), rtol=1e-6)
        scaled = LassoCD(0.01, standardize=True, **ADAPTIVE).fit(WIDE, TARGET, weight)
        np.testing.assert_allclose(scaled.penalty_weights_, 1 / np.abs(pilot), rtol=1e-6)


@pytest.mark.parametrize(("table", "target"), [(X, Y), (WIDE, TARGET)], ids=["long", "wide"])
@pytest.mark.parametrize("standardize", [False, True])
def test_held_out_rows_do_not_leak(table, target, standardize):
    """A grid search fits each pilot to training rows alone."""
    folds = KFold(3, shuffle=True, random_state=0)
    own = {"standardize": standardize, "tol": 1e-14, **ADAPTIVE}
    model = LassoCDCV(alphas=6, eps=0.03, cv=folds, **own).fit(table, target)
    plain = LassoCD(**own)
    search = GridSearchCV(plain, {"alpha": model.alphas_}, cv=folds, scoring="neg_mean_squared_error")
    search.fit(table, target)
    expected = -np.transpose([search.cv_results_[f"split{k}_test_score"] for k in range(3)])
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-6)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(model.penalty_weights_, search.best_estimator_.penalty_weights_)
    assert model.verify(table, target).relative_gap < 1e-9
    # The path of a fold does not change with the targets of its held-out rows.
    train, test = next(folds.split(table))
    other = target.copy()
    other[test] += 100 * rng.standard_normal(test.size)
    scored = {"cv": [(train, test)], "alphas": model.alphas_, "standardize": standardize, **ADAPTIVE}
    seen = []
    for values in (target, other):
        score = lambda fitted, table, values: seen.append(fitted.coef_) or 0.0  # noqa: ARG005, E731
        LassoCDCV(scoring=score, **scored).fit(table, values)
    np.testing.assert_array_equal(seen[:6], seen[6:])


# An estimator, the one that chooses alpha by cross-validation, the one by a criterion, and the path, with a parameter.
LOSSES = {
    "lad": (LADRegressor, LADRegressorCV, LADRegressorIC, lad_path, {}),
    "quantile": (QuantileRegressor, QuantileRegressorCV, QuantileRegressorIC, quantile_path, {"quantile": 0.3}),
    "huber": (HuberLossRegressor, HuberLossRegressorCV, None, huber_path, {"epsilon": 1.0}),
    "combined": (CombinedLossRegressor, CombinedLossRegressorCV, None, combined_path, {"l1_ratio": 0.7}),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_pilot_of_a_loss_is_its_fit_without_penalty(loss, weighted):
    plain, _, _, path, own = LOSSES[loss]
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    pilot = plain(alpha=0.0, **own).fit(X, Y, weight).coef_
    model = plain(alpha=0.05, gamma=0.7, **own, **ADAPTIVE).fit(X, Y, weight)
    np.testing.assert_allclose(model.penalty_weights_, np.abs(pilot) ** -0.7, rtol=1e-7)
    given = clone(model).set_params(penalty_weights=model.penalty_weights_).fit(X, Y, weight)
    np.testing.assert_array_equal(model.coef_, given.coef_)
    assert not hasattr(given, "penalty_weights_")
    assert model.verify(X, Y, weight).relative_gap < 1e-9
    assert model.verify(X[:40], Y[:40]).objective == given.verify(X[:40], Y[:40]).objective
    assert model.alpha_max(X, Y, weight) == given.alpha_max(X, Y, weight)
    ours, theirs = (
        path(X, Y, alphas=4, sample_weight=weight, gamma=0.7, penalty_weights=weights, **own)
        for weights in ("adaptive", model.penalty_weights_)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    wide = plain(alpha=0.05, **own, **ADAPTIVE).fit(WIDE, TARGET)
    squares = LassoCD(0.05, **ADAPTIVE).fit(WIDE, TARGET)
    np.testing.assert_array_equal(wide.penalty_weights_, squares.penalty_weights_)
    if not plain(**own)._loss().is_piecewise_linear:
        return  # squares of the targets overflow
    with warnings.catch_warnings():
        # Beside such losses a penalty is below rounding: of all exact fits the least penalised one is not known.
        warnings.filterwarnings("ignore", message=".*rounding errors hide the canonical one")
        huge = plain(alpha=0.05, **own, **ADAPTIVE).fit(WIDE, 2.0**600 * TARGET)
    np.testing.assert_allclose(huge.penalty_weights_ * 2.0**600, squares.penalty_weights_, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("table", "target"), [(X, Y), (WIDE, TARGET)], ids=["long", "wide"])
def test_held_out_rows_do_not_leak_into_any_loss(loss, table, target):
    plain, tuned, _, _, own = LOSSES[loss]
    train, test = next(KFold(3, shuffle=True, random_state=0).split(table))
    common = {"cv": [(train, test)], "alphas": [0.3, 0.03], **own, **ADAPTIVE}
    other = target.copy()
    other[test] += 100 * rng.standard_normal(test.size)
    seen = []
    for values in (target, other):
        score = lambda fitted, table, values: seen.append(fitted.coef_) or 0.0  # noqa: ARG005, E731
        model = tuned(scoring=score, **common).fit(table, values)
        assert model.verify(table, values).relative_gap < 1e-9
        single = plain(alpha=model.alpha_, **own, **ADAPTIVE).fit(table, values)
        np.testing.assert_array_equal(model.penalty_weights_, single.penalty_weights_)
        np.testing.assert_allclose(model.coef_, single.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(seen[:2], seen[2:])
    for alpha, coef in zip(common["alphas"], seen, strict=False):
        alone = plain(alpha=alpha, **own, **ADAPTIVE).fit(table[train], target[train])
        np.testing.assert_allclose(coef, alone.coef_, rtol=1e-6, atol=1e-9)


def test_each_quantile_has_weights_of_its_own():
    quantiles = [0.2, 0.5, 0.7]
    several = QuantileRegressor(quantile=quantiles, alpha=0.02, **ADAPTIVE).fit(X, Y)
    proofs = several.verify(X, Y)
    _, coefs, _, _ = lad_path(X, Y, quantiles=quantiles, alpha=0.02, **ADAPTIVE)
    for k, quantile in enumerate(quantiles):
        one = QuantileRegressor(quantile=quantile, alpha=0.02, **ADAPTIVE).fit(X, Y)
        np.testing.assert_array_equal(several.penalty_weights_[k], one.penalty_weights_)
        np.testing.assert_array_equal(several.coef_[k], one.coef_)
        np.testing.assert_array_equal(coefs[:, k], one.coef_)
        assert proofs[k].relative_gap < 1e-9
        assert several.alpha_max(X, Y)[k] == one.alpha_max(X, Y)
    wide = QuantileRegressor(quantile=quantiles, alpha=0.02, **ADAPTIVE).fit(WIDE, TARGET)
    assert wide.penalty_weights_.shape == (3, 50)
    with pytest.raises(ValueError, match="require 2 fits, but the model was fitted to 3"):
        several.set_params(quantile=[0.2, 0.5]).verify(X, Y)


@pytest.mark.parametrize("loss", ["lad", "quantile"])
def test_criteria_choose_among_the_fits_with_these_weights(loss):
    plain, cross, kind, _, own = LOSSES[loss]
    model = kind(alphas=6, eps=0.01, **own, **ADAPTIVE).fit(X, Y)
    given = clone(model).set_params(penalty_weights=model.penalty_weights_).fit(X, Y)
    np.testing.assert_array_equal(model.criterion_, given.criterion_)
    np.testing.assert_array_equal(model.coef_, given.coef_)
    knots = cross(alphas="knots", eps=0.1, cv=3, **own, **ADAPTIVE).fit(X, Y)
    single = plain(alpha=knots.alpha_, **own, **ADAPTIVE).fit(X, Y)
    np.testing.assert_allclose(knots.coef_, single.coef_, rtol=1e-6, atol=1e-9)
    fits = fit_many(plain(alpha=0.0, **own, **ADAPTIVE), X, Y, groups=np.arange(60) % 2)
    np.testing.assert_allclose(fits.coef[0], plain(alpha=0.0, **own).fit(X[::2], Y[::2]).coef_, rtol=1e-9, atol=1e-12)


def test_standardised_is_scaled():
    model = LassoCDIC(alphas=10, standardize=True, **ADAPTIVE).fit(X, Y)
    inside = make_pipeline(StandardScaler(), LassoCDIC(alphas=10, **ADAPTIVE)).fit(X, Y)
    np.testing.assert_allclose(model.criterion_, inside[-1].criterion_, rtol=1e-8)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), inside[-1].coef_, rtol=1e-6, atol=1e-9)
    net = ElasticNetCDCV(l1_ratio=[0.5, 1.0], alphas=5, eps=0.01, **ADAPTIVE).fit(X, Y)
    again = ElasticNetCD(net.alpha_, l1_ratio=net.l1_ratio_, **ADAPTIVE).fit(X, Y)
    np.testing.assert_allclose(net.coef_, again.coef_, rtol=1e-6, atol=1e-8)


def test_paths_and_the_largest_alpha():
    weights = LassoCD(1.0, gamma=0.7, **ADAPTIVE).fit(X, Y).penalty_weights_
    largest = alpha_max(X, Y, gamma=0.7, **ADAPTIVE)
    assert largest == alpha_max(X, Y, penalty_weights=weights)
    ours = lasso_path(X, Y, alphas=5, fit_intercept=True, gamma=0.7, **ADAPTIVE)
    theirs = lasso_path(X, Y, alphas=5, fit_intercept=True, penalty_weights=weights)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    groups = np.arange(60) % 2
    fits = fit_many(LassoCD(0.01, **ADAPTIVE), X, Y, groups=groups)
    np.testing.assert_allclose(fits.coef[0], LassoCD(0.01, **ADAPTIVE).fit(X[::2], Y[::2]).coef_, rtol=1e-9, atol=1e-12)
    assert StabilitySelection(LassoCD(**ADAPTIVE), alphas=3, n_pairs=3, random_state=0).fit(X, Y).get_support()[0]


def test_verify_keeps_the_weights_of_the_fit():
    model = LassoCD(0.05, **ADAPTIVE).fit(X, Y)
    other = clone(model).set_params(penalty_weights=model.penalty_weights_)
    other.fit(X, Y)
    assert model.verify(X[:40], Y[:40]).objective == other.verify(X[:40], Y[:40]).objective


def test_a_column_without_use_is_excluded():
    table = np.column_stack([X, np.zeros(60)])
    model = LassoCD(0.001, **ADAPTIVE).fit(table, Y)
    assert np.isinf(model.penalty_weights_[-1])
    assert model.coef_[-1] == 0
    assert not LassoCD(0.1, **ADAPTIVE).fit(X, np.ones(60)).coef_.any()


@pytest.mark.parametrize(("table", "target"), [(X, Y), (WIDE, TARGET)], ids=["long", "wide"])
@pytest.mark.parametrize(
    "model",
    [
        LassoCD(0.01, standardize=True),
        LADRegressor(0.05),
        HuberLossRegressor(alpha=0.01, l1_ratio=0.5),
        CombinedLossRegressor(alpha=0.01),
        QuantileRegressor(quantile=0.3, alpha=0.01),
    ],
    ids=repr,
)
def test_each_target_has_a_pilot(model, table, target):
    model, several = clone(model).set_params(**ADAPTIVE), np.column_stack([target, target**3 - 5, 0 * target])
    found = clone(model).fit(table, several)
    proofs = found.verify(table, several)
    for k, single in enumerate(several.T):
        alone = clone(model).fit(table, single)
        np.testing.assert_array_equal(found.penalty_weights_[k], alone.penalty_weights_)
        np.testing.assert_array_equal(found.coef_[k], alone.coef_)
        assert proofs[k] == alone.verify(table, single)
    with pytest.raises(ValueError, match=r"y has 2 targets, but the model was fitted to 3|require 2 fits"):
        found.verify(table, several[:, :2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: LassoCD(**ADAPTIVE).fit(arrays(X, Y)),
            "must be numbers for data in blocks, got 'adaptive'",
        ),
        (
            lambda: LassoCDCV(**ADAPTIVE).fit(arrays(X, Y)),
            "must be numbers for data in blocks, got 'adaptive'",
        ),
        (lambda: LassoCD(gamma=0.0, **ADAPTIVE).fit(X, Y), "gamma must be"),
        (
            lambda: LADRegressor(**ADAPTIVE).fit(arrays(X, Y)),
            "must be numbers for data in blocks, got 'adaptive'",
        ),
        (
            lambda: QuantileRegressor(alpha="pivotal", **ADAPTIVE).fit(X, Y),
            "alpha='pivotal' cannot be combined with penalty_weights='adaptive': .* Pass alpha as a number",
        ),
        (
            lambda: quantile_process(X, Y, **ADAPTIVE),
            "must be numbers in quantile_process, got 'adaptive'",
        ),
        (
            lambda: infer(LADRegressor(**ADAPTIVE).fit(X, Y), X, Y),
            "penalty_weights='adaptive' computes the penalty factors from y",
        ),
        (
            lambda: StabilitySelection(LassoCD(**ADAPTIVE), weakness=0.5).fit(X, Y),
            "weakness=0.5 divides penalty_weights, which must then be numbers, got 'adaptive'",
        ),
        (
            lambda: infer(LassoCD(0.01, **ADAPTIVE).fit(X, Y), X, Y, method="selective"),
            "penalty_weights='adaptive' computes the penalty factors from y",
        ),
        (
            lambda: infer(LassoCDCV(alphas=5, **ADAPTIVE).fit(X, Y), X, Y, method="desparsified"),
            "penalty_weights='adaptive' computes the penalty factors from y",
        ),
    ],
    ids=[
        "blocks",
        "cv",
        "gamma",
        "lad_blocks",
        "pivotal",
        "process",
        "infer",
        "weakness",
        "selective",
        "desparsified",
    ],
)
def test_what_makes_no_sense(call, message):
    with pytest.raises(ValueError, match=message):
        call()
