"""Standard errors follow the data: their laws, what is refused, and what is returned."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.signal import lfilter
from scipy.stats import f as f_distribution
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import d2_pinball_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ladreg import (
    CombinedLossRegressor,
    HuberLossRegressor,
    Inference,
    LADRegressor,
    LassoCD,
    QuantileRegressor,
    blocks,
    infer,
)
from ladreg._estimators import LastStep
from ladreg._inference import bandwidth, read, weighted_median, weighted_quantile

rng = np.random.default_rng(0)
N = 120
X = np.column_stack([rng.uniform(0, 4, N), rng.standard_normal(N), rng.integers(0, 2, N)]).astype(float)
y = 1 + X @ [1.0, -0.5, 2.0] + (0.5 + 0.5 * X[:, 0]) * rng.standard_normal(N)
GROUPS = np.arange(N) % 24
WEIGHT = rng.uniform(0.5, 2, N)
COUNTS = rng.integers(0, 4, N)

MODELS = {
    "lad": LADRegressor(),
    "quantile": QuantileRegressor(quantile=0.3, alpha=0),
    "quantiles": QuantileRegressor(quantile=[0.7, 0.3, 0.5], alpha=0),
    "huber": HuberLossRegressor(),
}
OPTIONS = {
    "robust": {},
    "kernel": {"method": "kernel"},
    "gaussian": {"method": "kernel", "kernel": "gaussian"},
    "iid": {"method": "iid"},
    "clusters": {"groups": GROUPS},
    "kernel clusters": {"method": "kernel", "groups": GROUPS},
}
CASES = [
    (model, option) for model in MODELS for option in OPTIONS if model != "huber" or not option.startswith(("k", "g"))
]
every_case = pytest.mark.parametrize(("model", "option"), CASES)


def inferred(model, X, y, weight=None, **options):
    chosen = MODELS[model] if isinstance(model, str) else model
    return infer(chosen.fit(X, y, sample_weight=weight), X, y, weight, **options)


def close(found, wanted, tolerance):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


# Laws ----------------------------------------------------------------------------------------------------------------


@every_case
@pytest.mark.parametrize("unit", [1e-9, 1e12])
def test_the_units_of_y_are_those_of_the_errors(model, option, unit):
    first, second = inferred(model, X, y, **OPTIONS[option]), inferred(model, X, unit * y, **OPTIONS[option])
    close(second.standard_errors / unit, first.standard_errors, 1e-9)
    close(second.statistic, first.statistic, 1e-9)


@every_case
def test_adding_a_line_to_y_moves_coefficients_only(model, option):
    first = inferred(model, X, y, **OPTIONS[option])
    second = inferred(model, X, y + X @ [3.0, 0.0, -7.0] + 100, **OPTIONS[option])
    close(second.cov, first.cov, 1e-9)
    close(second.coef - first.coef, np.broadcast_to([100, 3, 0, -7], first.coef.shape), 1e-10)


@every_case
def test_the_units_and_origins_of_columns_are_those_of_the_coefficients(model, option):
    unit, origin = np.array([1e6, 1e-5, -2.0]), np.array([2e6, 0.0, 1.0])
    first, second = inferred(model, X, y, **OPTIONS[option]), inferred(model, X * unit + origin, y, **OPTIONS[option])
    close(second.standard_errors[..., 1:] * np.abs(unit), first.standard_errors[..., 1:], 1e-9)
    # The prediction of a row, and its interval, do not know of the units.
    close(second.predict_interval(X[:5] * unit + origin), first.predict_interval(X[:5]), 1e-9)


@every_case
def test_the_order_of_rows_and_columns_does_not_matter(model, option):
    order, columns = rng.permutation(N), [2, 0, 1]
    options = dict(OPTIONS[option])
    first = inferred(model, X, y, WEIGHT, **options)
    if "groups" in options:
        options["groups"] = np.array([f"group {one}" for one in GROUPS[order]])
    second = inferred(model, X[order][:, columns], y[order], WEIGHT[order], **options)
    places = [0, *(1 + np.array(columns))]
    close(second.standard_errors, first.standard_errors[..., places], 1e-9)


@every_case
def test_frequency_weights_are_repeated_rows(model, option):
    rows, options = np.repeat(np.arange(N), COUNTS), dict(OPTIONS[option])
    # The first rows would lie on one plane, each more than once, were all counts above 1.
    weighted = inferred(model, X, y, COUNTS, weights="frequency", **options)
    if "groups" in options:
        options["groups"] = GROUPS[rows]
    repeated = inferred(model, X[rows], y[rows], **options)
    close(weighted.cov, repeated.cov, 1e-12 if option != "robust" else 1e-11)
    assert weighted.df == repeated.df
    assert weighted.n_samples == COUNTS.sum()
    if model != "huber":
        np.testing.assert_allclose(weighted.r1, repeated.r1, rtol=1e-12)
        np.testing.assert_allclose(weighted.log_likelihood, repeated.log_likelihood, rtol=1e-12)


@every_case
def test_only_the_ratios_of_probability_weights_matter(model, option):
    first = inferred(model, X, y, WEIGHT, **OPTIONS[option])
    close(inferred(model, X, y, 1e6 * WEIGHT, **OPTIONS[option]).cov, first.cov, 1e-9)


@every_case
def test_rows_of_weight_zero_are_as_if_not_there(model, option):
    weight = np.where(np.arange(N) % 3 == 0, 0.0, WEIGHT)
    kept, options = weight > 0, dict(OPTIONS[option])
    wild = np.where(kept, y, 1e9)
    first = inferred(model, X, wild, weight, **options)
    if "groups" in options:
        options["groups"] = GROUPS[kept]
    second = inferred(model, X[kept], y[kept], weight[kept], **options)
    close(first.cov, second.cov, 1e-9)
    assert first.n_samples == np.count_nonzero(kept)


@every_case
def test_sparse_and_dense_agree(model, option):
    dense = inferred(model, X, y, **OPTIONS[option])
    for kind in (sp.csr_array, sp.csc_array):
        sparse = inferred(model, kind(X), y, **OPTIONS[option])
        close(sparse.cov, dense.cov, 1e-9)
        close(sparse.predict_interval(kind(X[:7])), dense.predict_interval(X[:7]), 1e-9)


@every_case
def test_an_excluded_feature_is_as_if_not_there(model, option):
    wide = np.column_stack([X[:, :1], np.arange(N) ** 2.0, X[:, 1:]])
    weights = [1, np.inf, 1, 1]
    chosen = type(MODELS[model])(**{**MODELS[model].get_params(), "penalty_weights": weights})
    found, plain = inferred(chosen, wide, y, **OPTIONS[option]), inferred(model, X, y, **OPTIONS[option])
    close(found.cov, plain.cov, 1e-9)
    assert found.names == ["intercept", "x0", "x2", "x3"]
    close(found.predict_interval(wide[:4]), plain.predict_interval(X[:4]), 1e-9)


def test_lad_is_the_median():
    for options in OPTIONS.values():
        lad, median = (
            inferred("lad", X, y, **options),
            inferred(QuantileRegressor(quantile=0.5, alpha=0), X, y, **options),
        )
        close(lad.cov, median.cov, 1e-10)
        assert lad.quantile == 0.5
        assert lad.r1 == pytest.approx(median.r1, rel=1e-12)


@pytest.mark.parametrize("option", OPTIONS)
def test_several_quantiles_have_the_covariances_of_each(option):
    together = inferred("quantiles", X, y, **OPTIONS[option])
    assert together.cov.shape == (12, 12)
    np.testing.assert_array_equal(together.cov, together.cov.T)
    for k, quantile in enumerate([0.7, 0.3, 0.5]):
        alone = inferred(QuantileRegressor(quantile=quantile, alpha=0), X, y, **OPTIONS[option])
        close(together.cov[4 * k : 4 * k + 4, 4 * k : 4 * k + 4], alone.cov, 1e-8)
        np.testing.assert_allclose(together.bandwidth[k], alone.bandwidth)
        np.testing.assert_allclose(together.conf_int()[k], alone.conf_int(), rtol=1e-7)
        np.testing.assert_allclose(together.predict_interval(X[:3])[:, k], alone.predict_interval(X[:3]), rtol=1e-7)
    values = np.linalg.eigvalsh(together.cov)
    assert values.min() > -1e-9 * values.max()


@pytest.mark.parametrize("model", MODELS)
def test_scores_balance(model):
    """The weighted sum of scores times x is zero, the rows on the fit counted by their dual."""
    fitted = MODELS[model].fit(X, y, sample_weight=WEIGHT)
    _, fits, _ = read(LastStep.of(fitted), X, y, WEIGHT, None, "probability")
    for fit in fits:
        products = np.column_stack([np.ones(N), X]).T @ (WEIGHT * fit.score)
        assert np.abs(products).max() < 1e-11 * np.abs(WEIGHT @ np.abs(X)).max()
        if np.isfinite(fit.quantile):
            on = np.abs(fit.residual) < 1e-9
            signs = np.where(fit.residual > 0, fit.quantile, fit.quantile - 1)
            np.testing.assert_allclose(fit.score[~on], signs[~on], atol=1e-12)
            assert np.count_nonzero(on) == 4


def test_one_group_a_row_is_the_scores_own_sandwich():
    """With psi^2 in place of its expectation, and the factor of clusters; n - 1 degrees of freedom."""
    found = inferred("huber", X, y, groups=np.arange(N))
    close(found.cov, inferred("huber", X, y).cov * (N - 4) / N * (N / (N - 1)) * ((N - 1) / (N - 4)), 1e-10)
    assert found.df == N - 1


def test_float32_tables_are_read_as_they_are():
    single = X.astype(np.float32)
    model = LADRegressor().fit(single, y)
    assert model.coef_.dtype == np.float32
    close(infer(model, single, y).cov, inferred("lad", single.astype(float), y).cov, 1e-4)


def test_columns_that_are_nearly_equal_keep_their_digits():
    near = np.column_stack([X[:, 0], X[:, 0] + 1e-7 * X[:, 1]])
    turned = np.column_stack([X[:, 0], X[:, 1]])
    first, second = inferred("lad", near, y, method="kernel"), inferred("lad", turned, y, method="kernel")
    assert first.standard_errors[2] == pytest.approx(1e7 * second.standard_errors[2], rel=1e-5)


# Parts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantile", [0.003, 0.02, 0.5, 0.98, 0.997])
@pytest.mark.parametrize("rule", ["hall_sheather", "bofinger", "chamberlain", 0.4])
def test_bandwidths_stay_between_zero_and_one(rule, quantile):
    h = bandwidth(rule, 20, quantile)
    assert 0 < quantile - h < quantile + h < 1
    whole = bandwidth(rule, 1e9, quantile) if isinstance(rule, str) else h
    assert whole <= h


def test_weighted_quantiles_are_those_of_repeated_values():
    values, counts = rng.standard_normal(30), rng.integers(1, 5, 30).astype(float)
    every = np.repeat(values, counts.astype(int))
    assert weighted_median(values, counts) == np.median(every)
    assert weighted_median(-values, 0.1 * counts) == -np.median(every)
    for probability in (0.25, 0.5, 0.75, 0.1):
        assert weighted_quantile(values, counts, probability) == pytest.approx(
            np.quantile(every, probability), rel=1e-14
        )


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_r1_is_that_of_scikit_learn(quantile):
    model = QuantileRegressor(quantile=quantile, alpha=0)
    for weight in (None, WEIGHT, COUNTS.astype(float)):
        found = inferred(model, X, y, weight, method="iid").r1
        wanted = d2_pinball_score(y, model.predict(X), alpha=quantile, sample_weight=weight)
        assert found == pytest.approx(wanted, rel=1e-12)


# What is refused -----------------------------------------------------------------------------------------------------


def refused(message, model, *data, **options):
    with pytest.raises(ValueError, match=message):
        infer(model, *data, **options)


def test_another_optimum_is_refused():
    model = LADRegressor().fit(X, y)
    refused(r"not optimal for these data.*Pass the X, y and sample_weight", model, X, y + X[:, 0] ** 2)
    refused("not optimal for these data", model, X, y, WEIGHT)
    refused("not optimal for these data", model, X[:-9], y[:-9])
    model.coef_ = model.coef_ * (1 + 1e-5)
    refused("not optimal for these data", model, X, y)


def test_penalties_are_refused():
    for model in (LADRegressor(alpha=0.01), QuantileRegressor(alpha="pivotal"), HuberLossRegressor(alpha=0.1)):
        refused(r"penalty \(alpha > 0\).*Fit with alpha=0.*fit these to other rows", model.fit(X, y), X, y)
    free = LADRegressor(alpha=5.0, penalty_weights=[0, 0, 0]).fit(X, y)
    close(infer(free, X, y).cov, inferred("lad", X, y).cov, 1e-12)


def test_coefficients_held_at_zero_are_refused():
    model = LADRegressor(positive=True).fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)
    refused(r"positive=True holds coefficients at 0: b\.", model, pd.DataFrame(X, columns=["a", "b", "c"]), y)
    free = LADRegressor(positive=True).fit(X[:, [0, 2]], y)
    close(infer(free, X[:, [0, 2]], y).cov, inferred("lad", X[:, [0, 2]], y).cov, 1e-9)


def test_a_singular_table_is_refused_by_the_names_of_its_columns():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "twice a": 2 * X[:, 0]})
    refused(
        r"X is singular.*constant or linearly dependent: a, twice a\. Drop one",
        LADRegressor().fit(frame, y),
        frame,
        y,
    )
    dummies = pd.DataFrame({"a": X[:, 0], "no": 1 - X[:, 2], "yes": X[:, 2]})
    refused(r": intercept, no, yes\.", LADRegressor().fit(dummies, y), dummies, y)
    constant = np.column_stack([X[:, 0], np.full(N, 7.0)])
    refused(r": x1\.", LADRegressor().fit(constant, y), constant, y)
    refused(r": x1\.", LADRegressor().fit(sp.csr_array(constant), y), sp.csr_array(constant), y)
    assert infer(LADRegressor(fit_intercept=False).fit(dummies, y), dummies, y).names == ["a", "no", "yes"]


@pytest.mark.filterwarnings("ignore:.*proved to be unique:UserWarning")
def test_too_few_rows_are_refused():
    for n in (2, 4):
        refused(f"{n} rows .* too few for 4 coefficients", LADRegressor().fit(X[:n], y[:n]), X[:n], y[:n])
    weight = (np.arange(N) < 4).astype(float)
    refused("4 rows .* too few for 4 coefficients", LADRegressor().fit(X, y, weight), X, y, weight)


def test_other_models_are_refused():
    for model in (LassoCD(alpha=0), CombinedLossRegressor()):
        with pytest.raises(TypeError, match=rf"got {type(model).__name__}\. If alpha or the features were chosen"):
            infer(model.fit(X, y), X, y)
        with pytest.raises(TypeError, match=rf"a pipeline that ends with one, got {type(model).__name__}\."):
            infer(make_pipeline(StandardScaler(), model).fit(X, y), X, y)


@pytest.mark.parametrize("model", [LADRegressor(), QuantileRegressor(quantile=[0.3, 0.6], alpha=0)], ids=str)
def test_a_pipeline_is_its_last_step_on_transformed_columns(model):
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    inner = make_pipeline(StandardScaler(), clone(model))
    for pipeline in (inner, make_pipeline(FunctionTransformer(np.exp, feature_names_out="one-to-one"), inner)):
        pipeline.fit(table, y)
        found = infer(pipeline, table, y)
        last, before = LastStep.of(pipeline).estimator, LastStep.of(pipeline)
        plain = infer(last, before.transformed(table), y)
        assert found.names == ["intercept", "a", "b", "c"]
        assert plain.names == ["intercept", "x0", "x1", "x2"]
        np.testing.assert_array_equal(found.cov, plain.cov)
        np.testing.assert_array_equal(
            found.predict_interval(table[:5]), plain.predict_interval(before.transformed(table[:5]))
        )
        assert pickle.loads(pickle.dumps(found)).wald(["a"]) == found.wald(["a"])


def test_pipelines_without_names_and_of_a_lasso():
    pipeline = make_pipeline(FunctionTransformer(np.exp), LADRegressor()).fit(X, y)
    assert infer(pipeline, X, y).names == ["intercept", "x0", "x1", "x2"]
    lasso = make_pipeline(StandardScaler(), LassoCD(alpha=0.1)).fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)
    assert infer(lasso, pd.DataFrame(X, columns=["a", "b", "c"]), y, method="desparsified").names == ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"infer\(pipeline\[-1\], data.map\(pipeline\[:-1\].transform\)\)"):
        infer(pipeline, blocks.arrays(X, y))


@pytest.mark.filterwarnings("ignore:.*(lie on the fit|cross in):UserWarning")
def test_densities_that_leave_too_few_rows_are_refused():
    flat = np.where(np.arange(N) < 5, rng.standard_normal(N), 0.0)
    model = LADRegressor().fit(X, flat)
    for options in ({}, {"method": "kernel"}, {"method": "iid"}):
        refused(r"density of the errors is 0 in \d+ of 120 rows", model, X, flat, **options)


def test_errors_of_rows_in_time():
    """Of 20,000 rows in several blocks: the autocorrelation of the signs says how much larger they are."""
    shocks = np.random.default_rng(0).standard_normal(20_000)
    target = lfilter([1.0], [1.0, -0.8], shocks)
    table = np.column_stack([np.ones(target.size), np.roll(target, 5000)])
    for model in (QuantileRegressor(quantile=[0.3, 0.5], alpha=0, fit_intercept=False), HuberLossRegressor()):
        kept = table if isinstance(model, QuantileRegressor) else table[:, 1:]
        plain, found = inferred(model, kept, target), inferred(model, kept, target, lags=60)
        ratio = found.standard_errors[..., 0] / plain.standard_errors[..., 0]
        assert np.all(ratio > 1.5)
        assert "in the order of time, 60 lags" in str(found)
        if isinstance(model, QuantileRegressor):
            signs = np.sign(target - table @ model.coef_[1])
            products = [(1 if j == 0 else 2) * (1 - j / 61) * signs[j:] @ signs[: signs.size - j] for j in range(61)]
            assert ratio[1] == pytest.approx(np.sqrt(np.sum(products) / signs.size), rel=0.02)


def test_parameters_are_checked():
    model = LADRegressor().fit(X, y)
    refused("lags must be an integer >= 1", model, X, y, lags=0)
    for options in ({"groups": GROUPS}, {"method": "iid"}, {"method": "bootstrap"}, {"weights": "frequency"}):
        refused('lags is only for method="robust" and "kernel"', model, X, y, lags=3, **options)
    holes = (np.arange(N) % 5 > 0).astype(float)
    refused("no row may have a weight of zero", LADRegressor().fit(X, y, holes), X, y, holes, lags=3)
    refused("method must be one of 'robust', 'kernel', 'iid'", model, X, y, method="nid")
    refused("weights must be one of", model, X, y, weights="analytic")
    refused("kernel must be one of", model, X, y, kernel="epanechnikov")
    refused("bandwidth must be one of 'hall_sheather'", model, X, y, bandwidth="silverman")
    refused("bandwidth must be a finite number strictly between 0 and 1", model, X, y, bandwidth=1.5)
    for level in (0, 1, 95, "0.95"):
        refused("level must be a finite number strictly between 0 and 1", model, X, y, level=level)
    refused('"iid" assumes independent errors', model, X, y, method="iid", groups=GROUPS)
    refused("at least two groups", model, X, y, groups=np.zeros(N))
    refused("1d array", model, X, y, groups=np.column_stack([GROUPS, GROUPS]))
    with pytest.raises(NotFittedError):
        infer(LADRegressor(), X, y)
    refused("inconsistent numbers of samples", model, X, y, groups=GROUPS[:-1])
    refused("kernel.* is for quantiles", HuberLossRegressor().fit(X, y), X, y, method="kernel")


def test_targets_far_from_zero_are_those_of_the_model():
    far = inferred("lad", X, np.round(y, 3) + 1e9)
    close(far.standard_errors, inferred("lad", X, np.round(y, 3)).standard_errors, 1e-4)


@pytest.mark.parametrize("kernel", ["uniform", "gaussian"])
def test_rounding_is_no_scale_of_the_errors(kernel):
    """Six of nine rows are on a plane, which leaves the kernel no width."""
    for seed in range(6):
        draw = np.random.default_rng(seed)
        table = draw.standard_normal((9, 4))
        target = np.pi * table @ [1.0, 2, 3, 4] + np.where(np.arange(9) < 3, draw.standard_normal(9), 0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # more rows on the fit than coefficients
            with pytest.raises(ValueError, match="density of the errors is 0 in 9 of 9 rows"):
                inferred("lad", table, target, method="kernel", kernel=kernel)


@pytest.mark.parametrize("method", ["robust", "iid"])
def test_rounding_is_no_scale_of_hubers_loss(method):
    """20 of 30 rows are on a plane."""
    target = X[:30] @ [1.0, 2.0, 0.0] + np.where(np.arange(30) < 10, y[:30], 0.0)
    with pytest.raises(ValueError, match="or all of them fitted exactly"):
        inferred("huber", X[:30], target, method=method)


@pytest.mark.parametrize("method", ["robust", "iid"])
def test_neighbours_that_are_one_fit_have_no_density(method):
    for seed in (2, 18):
        draw = np.random.default_rng(seed)
        table, target = draw.standard_normal((8, 3)), draw.standard_normal(8)
        with pytest.raises(ValueError, match="density of the errors is 0 in 8 of 8 rows"):
            inferred("lad", table, target, method=method, bandwidth=0.02)


@pytest.mark.parametrize("options", [{"lags": 2}, {"groups": np.arange(30) % 6}], ids=["lags", "groups"])
@pytest.mark.filterwarnings("ignore:6 groups are few")
def test_scores_of_equal_rows_are_equal(options):
    """How rows on the fit that repeat each other share their score would depend on the memory of the table."""
    for seed in range(4):
        draw = np.random.default_rng(seed)
        table = draw.standard_normal((10, 3))[draw.integers(0, 10, 30)]
        target = np.round(2 * table[:, 0]) + draw.integers(0, 3, 30)
        first = inferred("lad", table, target, method="kernel", **options).cov
        for other in (np.asfortranarray(table), sp.csr_array(table)):
            close(inferred("lad", other, target, method="kernel", **options).cov, first, 1e-9)


# What is warned of ---------------------------------------------------------------------------------------------------


def test_few_groups_are_warned_of():
    with pytest.warns(UserWarning, match="12 groups are few"):
        inferred("lad", X, y, groups=np.arange(N) % 12)


def test_ties_are_warned_of():
    whole = rng.integers(0, 4, (N, 2)).astype(float)
    coarse = whole.sum(axis=1) + rng.integers(-1, 2, N)
    assert np.unique(coarse).size <= 9
    with pytest.warns(
        UserWarning, match=r"distinct rows lie on the fit, but only 3 .* asymptotic standard errors are not valid"
    ):
        inferred("lad", whole, coarse, method="kernel")


def test_many_equal_targets_are_warned_of():
    """60 % of the targets are zero, so that the fit goes through them."""
    target = np.where(np.arange(N) % 5 < 3, 0.0, 10 * rng.standard_normal(N))
    with pytest.warns(UserWarning, match=r"\d+ distinct rows lie on the fit"):
        inferred("lad", X, target, method="bootstrap", n_bootstrap=2)


def test_an_optimum_that_is_not_unique_is_warned_of():
    halves = np.repeat([[0.0], [1.0]], 6, axis=0)
    with pytest.warns(UserWarning, match="not proved to be unique"):
        found = inferred("lad", halves, rng.standard_normal(12), method="kernel")
    assert not found.certificate.unique
    assert "not proved unique" in str(found)


def test_crossing_is_warned_of():
    small = rng.standard_normal((25, 5))
    target = rng.standard_normal(25)
    with pytest.warns(UserWarning, match=r"cross in \d+ of 25 rows"):
        inferred(QuantileRegressor(quantile=0.9, alpha=0), small, target)


# What is returned ----------------------------------------------------------------------------------------------------


def test_numbers_of_one_quantile_follow_from_its_covariance():
    found = inferred("quantile", X, y)
    errors = np.sqrt(np.diag(found.cov))
    np.testing.assert_array_equal(found.standard_errors, errors)
    np.testing.assert_allclose(found.pvalues, 2 * student.sf(np.abs(found.coef / errors), N - 4), rtol=1e-10)
    half = student.ppf(0.975, N - 4) * errors
    np.testing.assert_allclose(found.conf_int(), np.column_stack([found.coef - half, found.coef + half]))
    assert np.all(np.diff(found.conf_int(0.5)) < np.diff(found.conf_int()))
    assert isinstance(found, Inference)
    assert found.certificate.relative_gap < 1e-12
    with pytest.raises(ValueError, match="level must be"):
        found.conf_int(2)


def test_predict_interval_is_the_interval_of_the_line():
    found = inferred("quantile", X, y)
    Z = np.column_stack([np.ones(N), X])
    half = student.ppf(0.95, N - 4) * np.sqrt(np.einsum("ij,jk,ik->i", Z, found.cov, Z))
    np.testing.assert_allclose(
        found.predict_interval(X, level=0.9), np.column_stack([Z @ found.coef - half, Z @ found.coef + half])
    )
    with pytest.raises(ValueError, match="X has 2 features, but the model was fitted to 3"):
        found.predict_interval(X[:, :2])
    through_origin = inferred(LADRegressor(fit_intercept=False), X, y)
    assert through_origin.names == ["x0", "x1", "x2"]
    assert through_origin.df == N - 3
    np.testing.assert_array_equal(through_origin.predict_interval(np.zeros((1, 3))), [[0.0, 0.0]])


def test_simultaneous_intervals_hold_all_at_once():
    """Wider than each alone, narrower than Bonferroni's; for uncorrelated coefficients that of independent ones."""
    found = inferred("quantiles", X, y)
    ratio = np.diff(found.conf_int(simultaneous=True)) / np.diff(found.conf_int())
    half = ratio.ravel()[0] * student.ppf(0.975, N - 4)
    np.testing.assert_allclose(ratio, ratio.ravel()[0])
    assert norm.ppf(0.975) < half < norm.ppf(1 - 0.025 / 12)
    np.testing.assert_array_equal(found.conf_int(simultaneous=True), found.conf_int(simultaneous=True))


def test_wald_tests():
    found = inferred("quantile", X, y)
    single = found.wald([0, 0, 1, 0])
    assert single.statistic == pytest.approx(found.statistic[2] ** 2)
    assert single.pvalue == pytest.approx(found.pvalues[2])
    assert found.wald("x1") == single
    joint = found.wald(["x0", "x2"], r=[1.0, 2.0])
    part = np.ix_([1, 3], [1, 3])
    apart = found.coef[[1, 3]] - [1, 2]
    statistic = apart @ np.linalg.solve(found.cov[part], apart) / 2
    assert joint.statistic == pytest.approx(statistic)
    assert joint.pvalue == pytest.approx(f_distribution.sf(statistic, 2, N - 4))
    with pytest.raises(ValueError, match="R must have 4 columns"):
        found.wald([[1, 0]])
    with pytest.raises(ValueError, match="no coefficient 'age'; there are intercept, x0"):
        found.wald(["age"])
    with pytest.raises(ValueError, match="linearly dependent"):
        found.wald([[0, 1, 0, 0], [0, 2, 0, 0]])
    with pytest.raises(ValueError, match="equal_slopes compares quantiles"):
        found.equal_slopes()


def test_equal_slopes():
    found = inferred("quantiles", X, y)
    whole, part = found.equal_slopes(), found.equal_slopes(["x0"])
    assert (whole.df, part.df) == (6, 2)
    assert part == found.equal_slopes([1])
    assert part.pvalue < 0.01  # the spread grows with x0
    assert found.equal_slopes(["x1"]).pvalue > 0.01
    contrast = np.zeros((1, 12))
    contrast[0, [1, 5]] = 1, -1
    two = inferred(QuantileRegressor(quantile=[0.7, 0.3], alpha=0), X, y)
    assert found.wald(contrast).statistic == pytest.approx(two.equal_slopes(["x0"]).statistic, rel=1e-6)


def test_several_targets_are_a_list():
    Y = np.column_stack([y, X[:, 0] + rng.standard_normal(N)])
    found = infer(LADRegressor().fit(X, Y), X, Y, method="kernel")
    assert len(found) == 2
    for one, target in zip(found, Y.T, strict=True):
        close(one.cov, inferred("lad", X, target, method="kernel").cov, 1e-9)


def test_tables():
    frame = pd.DataFrame(X, columns=["income", "<age>", "x"])
    found = infer(LADRegressor().fit(frame, y), frame, y)
    table = found.to_frame()
    assert list(table.index) == found.names == ["intercept", "income", "<age>", "x"]
    assert list(table.columns) == ["coef", "std err", "t", "p", "low", "high"]
    np.testing.assert_array_equal(table[["low", "high"]], found.conf_int())
    text, html = str(found), found._repr_html_()
    for part in (
        "120 rows",
        "116 degrees of freedom",
        "quantile 0.5",
        "R1",
        "bandwidth",
        "rows crossed",
        "optimum proved to",
    ):
        assert part in text
        assert part in html
    assert repr(found) == text
    assert "*" not in text
    assert "<age>" in text
    assert "&lt;age&gt;" in html
    assert f"{found.standard_errors[1]:.6g}" in text
    many = inferred("quantiles", X, y, groups=GROUPS, level=0.9)
    assert many.to_frame().loc[(0.3, "x1"), "coef"] == many.coef[1, 2]
    assert str(many).count("std err") == 3
    assert "in 24 groups, 23 degrees" in str(many)
    assert "95 %" in str(many)
    assert "quantile" not in str(inferred("huber", X, y))


def test_results_can_be_saved():
    found = inferred("quantiles", X, y)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.conf_int(), found.conf_int())
    with pytest.raises(AttributeError):
        found.coef = 1
