"""Squares in the penalty, weights of features, standardised penalties: against other people's answers and by laws."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ladreg import ElasticNetCD, LassoCD, alpha_max
from ladreg._problem import HalfSquared
from tests.faults import faulty
from tests.problems import make, solve
from tests.strategies import tables


def value(model, X, y, weight=None):
    """The objective as the docstring writes it."""
    weight = np.ones(len(y)) if weight is None else weight
    weights = np.ones(X.shape[1]) if model.penalty_weights is None else np.asarray(model.penalty_weights)
    used = model.coef_ != 0
    size = (
        np.sqrt(np.cov(X.T, aweights=weight, ddof=0).reshape(X.shape[1], -1).diagonal()) if model.standardize else 1.0
    )
    coef = (model.coef_ * size)[used]
    cost = weights[used] * (model.l1_ratio * np.abs(coef) + (1 - model.l1_ratio) / 2 * coef**2)
    return weight @ (y - model.predict(X)) ** 2 / (2 * weight.sum()) + model.alpha * cost.sum()


def features(n_features, seed=0):
    """Weights of the penalty: none, one, larger ones and infinity."""
    return np.random.default_rng(seed).choice([0.0, 1.0, 1.0, 2.5, np.inf], n_features)


@given(
    tables(),
    st.sampled_from([0.01, 0.3]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["auto", True, False]),
    st.integers(0, 3),
)
def test_optimality_conditions(table, alpha, l1_ratio, positive, fit_intercept, precompute, seed):
    X, y, weight = table
    assume(X.shape[1] > 0)
    weights = features(X.shape[1], seed) if seed else None
    model = ElasticNetCD(
        alpha,
        l1_ratio=l1_ratio,
        positive=positive,
        fit_intercept=fit_intercept,
        penalty_weights=weights,
        precompute=precompute,
    ).fit(X, y, sample_weight=weight)
    coef, weights = model.coef_, np.ones(X.shape[1]) if weights is None else weights
    assert model.objective_ == pytest.approx(value(model, X, y, weight), rel=1e-12)
    assert model.dual_gap_ <= 1e-10 * (weight @ y**2) / weight.sum() + 1e-30
    assert not coef[np.isinf(weights)].any()
    residual = y - model.predict(X)
    slope = X.T @ (weight * residual) / weight.sum()
    inside = np.isfinite(weights)
    slope[inside] -= alpha * (1 - l1_ratio) * weights[inside] * coef[inside]
    strength = alpha * l1_ratio * weights[inside]
    slope, coef = slope[inside], coef[inside]
    small = 1e-7 * (1 + np.abs(X).max() ** 2) * (1 + np.abs(y).max())
    active = coef != 0
    assert np.all(np.abs(slope - strength * np.sign(coef))[active] <= small)
    assert np.all((slope if positive else np.abs(slope)) <= strength + small)
    if positive:
        assert (coef >= 0).all()
    if fit_intercept:
        assert abs(weight @ residual) <= 1e-9 * weight.sum() * (1 + np.abs(y).max())


@given(tables(), st.sampled_from([0.01, 0.3]), st.sampled_from([0.1, 0.7]), st.booleans(), st.booleans())
def test_the_answer_is_scikit_learns(table, alpha, l1_ratio, positive, fit_intercept):
    X, y, weight = table
    assume(X.shape[1] > 0)
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive, "fit_intercept": fit_intercept}
    ours = ElasticNetCD(**options, tol=1e-14).fit(X, y, sample_weight=weight)
    theirs = ElasticNet(**options, tol=1e-15, max_iter=200_000).fit(X, y, sample_weight=weight)
    # A ridge makes the coefficients unique.
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    theirs.penalty_weights, theirs.standardize = None, False
    assert ours.objective_ <= value(theirs, X, y, weight) * (1 + 1e-12) + 1e-28


@pytest.mark.parametrize("storage", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("shape", [(60, 5), (20, 50)], ids=str)
def test_squares_alone_are_ridge_regression(storage, shape):
    rng = np.random.default_rng(0)
    X = np.where(rng.random(shape) < 0.5, 0.0, rng.standard_normal(shape))
    y = X @ rng.standard_normal(shape[1]) + 3.0
    ours = ElasticNetCD(alpha=0.1, l1_ratio=0.0).fit(storage(X), y)
    theirs = Ridge(alpha=0.1 * len(y)).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)
    assert ours.certificate_.unique
    assert ours.certificate_.relative_gap < 1e-12


def test_an_l1_ratio_of_one_is_the_lasso_bit_by_bit():
    X, y = load_diabetes(return_X_y=True)
    np.testing.assert_array_equal(ElasticNetCD(0.1, l1_ratio=1.0).fit(X, y).coef_, LassoCD(0.1).fit(X, y).coef_)
    assert "l1_ratio" not in LassoCD().get_params()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_standardised_penalty_is_a_scaler_before_the_model(l1_ratio, storage):
    rng = np.random.default_rng(1)
    X = np.where(rng.random((50, 6)) < 0.3, 0.0, rng.standard_normal((50, 6))) * 10.0 ** np.arange(-3, 3)
    X[:, 4] = 7.0
    y = X[:, :3] @ [900.0, -20.0, 1.0] + rng.standard_normal(50)
    weight = rng.random(50)
    ours = ElasticNetCD(0.1, l1_ratio=l1_ratio, standardize=True).fit(storage(X), y, sample_weight=weight)
    pipeline = make_pipeline(StandardScaler(), ElasticNetCD(0.1, l1_ratio=l1_ratio))
    pipeline.fit(X, y, standardscaler__sample_weight=weight, elasticnetcd__sample_weight=weight)
    np.testing.assert_allclose(ours.coef_ * pipeline[0].scale_, pipeline[1].coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.predict(X), pipeline.predict(X), rtol=1e-9)
    # Hence units of columns do not matter.
    other = ElasticNetCD(0.1, l1_ratio=l1_ratio, standardize=True).fit(storage(X * 2.0**20), y, sample_weight=weight)
    np.testing.assert_allclose(other.coef_ * 2.0**20, ours.coef_, rtol=1e-9)


def test_weights_of_features_are_units_of_columns():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    weights = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    ours = LassoCD(0.05, penalty_weights=weights).fit(X, y)
    scaled = LassoCD(0.05).fit(X / weights, y)
    np.testing.assert_allclose(ours.coef_, scaled.coef_ / weights, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_infinity_excludes_and_zero_forces_in(storage):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
    weights = np.array([0.0, np.inf, 1.0, 0.0, np.inf, 1.0])
    ours = LassoCD(0.02, penalty_weights=weights).fit(storage(X), y)
    kept = np.isfinite(weights)
    without = LassoCD(0.02, penalty_weights=weights[kept]).fit(X[:, kept], y)
    np.testing.assert_allclose(ours.coef_[kept], without.coef_, rtol=1e-9, atol=1e-12)
    assert not ours.coef_[~kept].any()
    alone = LassoCD(1e6, penalty_weights=weights).fit(storage(X), y)
    squares = LinearRegression().fit(X[:, weights == 0], y)
    np.testing.assert_allclose(alone.coef_[weights == 0], squares.coef_, rtol=1e-9)
    assert alone.certificate_.relative_gap < 1e-12
    assert ours.verify(storage(X), y).relative_gap < 1e-12


def test_the_adaptive_lasso():
    X, y = load_diabetes(return_X_y=True)
    first = ElasticNetCD(0.001, l1_ratio=0.0).fit(X, y)
    second = LassoCD(200.0, penalty_weights=1 / np.abs(first.coef_)).fit(X, y)
    assert set(np.flatnonzero(second.coef_)) < set(np.flatnonzero(LassoCD(0.05).fit(X, y).coef_))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("standardize", [False, True])
def test_alpha_max_is_where_the_last_penalised_feature_goes(positive, l1_ratio, standardize):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((50, 6)) * [1.0, 2.0, 0.1, 5.0, 1.0, 3.0]
    y = X[:, 0] + X[:, 3] + rng.standard_normal(50)
    options = {
        "l1_ratio": l1_ratio,
        "positive": positive,
        "standardize": standardize,
        "penalty_weights": [0.0, 1.0, 2.0, 0.5, np.inf, 1.0],
    }
    edge = alpha_max(X, y, **options)
    penalised = [1, 2, 3, 5]
    assert not ElasticNetCD(1.001 * edge, **options).fit(X, y).coef_[penalised].any()
    assert ElasticNetCD(0.99 * edge, **options).fit(X, y).coef_[penalised].any()
    assert alpha_max(X, y, penalty_weights=np.zeros(6)) == 0.0
    with pytest.raises(ValueError, match="l1_ratio must be > 0"):
        alpha_max(X, y, l1_ratio=0.0)


@given(tables(), st.sampled_from([0.01, 0.2]), st.booleans())
def test_weights_count_repeats(table, alpha, standardize):
    X, y, _ = table
    assume(X.shape[1] > 0)
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    counts[0] += 1
    model = ElasticNetCD(alpha, l1_ratio=0.5, standardize=standardize)
    weighted = model.fit(X, y, sample_weight=counts).coef_
    rows = np.repeat(np.arange(len(y)), counts)[::-1]
    np.testing.assert_allclose(model.fit(X[rows], y[rows]).coef_, weighted, atol=1e-7)


@pytest.mark.parametrize("y_scale", [1e-120, 1.0, 1e120])
@pytest.mark.parametrize("x_scale", [1e-60, 1.0, 1e60])
def test_units_do_not_matter(y_scale, x_scale):
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((30, 40)), rng.standard_normal(30)
    plain = ElasticNetCD(0.1, l1_ratio=0.9, standardize=True).fit(X, y)
    scaled = ElasticNetCD(
        0.1 * y_scale, l1_ratio=0.9 / (0.9 + 0.1 / y_scale) if y_scale == 1.0 else 1.0, standardize=True
    ).fit(X * x_scale, y * y_scale)
    if y_scale == 1.0:
        np.testing.assert_allclose(scaled.coef_ * x_scale, plain.coef_, rtol=1e-9, atol=1e-13)
    else:
        lasso = LassoCD(0.1, standardize=True).fit(X, y)
        np.testing.assert_allclose(scaled.coef_ / y_scale * x_scale, lasso.coef_, rtol=1e-9, atol=1e-13)


def test_precompute_changes_the_work_and_not_the_result():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((80, 300))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(80)
    alpha = 0.1 * alpha_max(X, y)
    fits = [LassoCD(alpha, precompute=how).fit(X, y) for how in ("auto", True, False)]
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.coef_, fits[0].coef_, atol=1e-12)


def test_several_targets_share_a_penalty():
    rng = np.random.default_rng(7)
    X, Y = rng.standard_normal((40, 8)), rng.standard_normal((40, 3))
    model = ElasticNetCD(0.05, penalty_weights=features(8, 1), standardize=True)
    together = model.fit(X, Y).coef_
    np.testing.assert_array_equal(together, [model.fit(X, y).coef_ for y in Y.T])


def test_a_rough_fit_of_many_features_does_not_search_for_a_proof_of_uniqueness():
    rng = np.random.default_rng(8)
    X = rng.standard_normal((20, 400))
    y = X[:, 0] + rng.standard_normal(20)
    problem = make(X, y, loss=HalfSquared(), alpha=0.1)
    with faulty(np.linalg, "svd", 0, None) as decompositions:
        solution = solve(problem, tol=0.1)
    assert not decompositions
    assert not solution.unique
    assert solution.relative_gap > 1e-9


@pytest.mark.parametrize("precompute", ["auto", False])
def test_a_warm_start_forgets_what_is_excluded_now(precompute):
    rng = np.random.default_rng(9)
    X, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
    model = LassoCD(0.01, warm_start=True, precompute=precompute).fit(X, y)
    weights = np.array([1.0, np.inf, 1.0, 1.0, np.inf, 1.0])
    again = model.set_params(penalty_weights=weights).fit(X, y).coef_
    np.testing.assert_allclose(again, LassoCD(0.01, penalty_weights=weights).fit(X, y).coef_, atol=1e-12)
