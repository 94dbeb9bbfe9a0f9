"""Replicates of the bootstrap are the weighted fits, proved from the rows near the fit."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from ladreg import HuberLossRegressor, LADRegressor, QuantileRegressor, infer
from ladreg._estimators import LastStep
from ladreg._inference import NearRows, draft_covariance, read
from tests.inference_oracle import load, reference

rng = np.random.default_rng(0)
N = 600
X = np.column_stack([rng.uniform(0, 4, N), 1e3 + rng.standard_normal(N)])
y = X[:, 0] + (0.5 + 0.5 * X[:, 0]) * rng.standard_t(3, N)
GROUPS = np.arange(N) % 60
ONE = QuantileRegressor(quantile=0.3, alpha=0)


def drawn(model, X, y, weight=None, **options):
    options = {"n_bootstrap": 40, "random_state": 0, **options}
    return infer(model.fit(X, y, sample_weight=weight), X, y, weight, method="bootstrap", **options)


def near_rows(model, X, y):
    sample, fits, _ = read(LastStep.of(model.fit(X, y)), X, y, None, None, "probability")
    return sample, fits[0], NearRows.of(sample, fits[0], draft_covariance(sample, fits))


def refitted(sample, fit, near, weight):
    """A replicate's coefficients from the rows near the fit, or None."""
    gradient = sample.regressors.products((near.score * weight)[:, None])[:, 0]
    change = near.refit(fit.quantile, weight[near.rows], gradient)
    return None if change is None else fit.point + near.unit * (sample.regressors.to_original() @ change)


@pytest.mark.parametrize("model", [LADRegressor(), ONE, QuantileRegressor(quantile=0.95, alpha=0)], ids=str)
def test_replicates_are_weighted_fits(model):
    sample, fit, near = near_rows(model, X, y)
    assert near.rows.size < N
    proved = 0
    for kind in ("pairs", "exponential"):
        for _ in range(10):
            weight = rng.multinomial(N, np.full(N, 1 / N)).astype(float) if kind == "pairs" else rng.exponential(size=N)
            found = refitted(sample, fit, near, weight)
            whole = model.fit(X, y, sample_weight=weight)
            if found is None:
                continue
            proved += 1
            np.testing.assert_allclose(found, [whole.intercept_, *whole.coef_], rtol=1e-9)
    assert proved >= 17


def test_replicates_are_those_of_quantreg():
    """quantreg ends at a vertex; where there are several optima, the replicate is the middle of all."""
    theirs = reference("quantreg_replicates")
    table, target = load("het60")
    model = QuantileRegressor(quantile=theirs["tau"], alpha=0)
    sample, fit, near = near_rows(model, table, target)
    indices = np.array(theirs["indices_1based_n_by_20"]) - 1
    pairs = [np.bincount(column, minlength=60).astype(float) for column in indices.T]
    exponential = list(np.array(theirs["exponential_weights_n_by_20"]).T)
    for weights, coefs in ((pairs, "coef_xy_p_by_20"), (exponential, "coef_wxy_p_by_20")):
        found = [refitted(sample, fit, near, weight) for weight in weights]
        assert sum(one is not None for one in found) >= 18  # the others are left to a fit of all rows
        for weight, one, wanted in zip(weights, found, np.array(theirs[coefs]).T, strict=True):
            if one is None:
                continue
            whole = clone(model).fit(table, target, sample_weight=weight)
            np.testing.assert_allclose(one, [whole.intercept_, *whole.coef_], rtol=1e-10, atol=1e-12)
            if whole.certificate_.unique:
                np.testing.assert_allclose(one, wanted, rtol=1e-10, atol=1e-12)


def test_what_the_near_rows_do_not_prove_is_fitted_to_all_rows():
    sample, fit, near = near_rows(ONE, X, y)
    weight = rng.multinomial(N, np.full(N, 1 / N)).astype(float)
    assert refitted(sample, fit, near, weight) is not None
    assert refitted(sample, fit, replace(near, radius=1e-6), weight) is None


def test_a_replicate_with_an_edge_of_optima_is_its_middle():
    """A binary column, and weights that are integers: the medians of both groups may lie between two targets."""
    n = 62  # two odd groups, so that the fit itself is the only optimum
    table, target = np.column_stack([np.arange(n) % 2.0, rng.standard_normal(n)]), rng.standard_normal(n)
    sample, fit, near = near_rows(LADRegressor(), table, target)
    several = 0
    for _ in range(40):
        weight = rng.multinomial(n, np.full(n, 1 / n)).astype(float)
        found, whole = refitted(sample, fit, near, weight), LADRegressor().fit(table, target, sample_weight=weight)
        if not (whole.certificate_.unique or found is None):
            several += 1
            np.testing.assert_allclose(found, [whole.intercept_, *whole.coef_], rtol=1e-10, atol=1e-12)
    assert several >= 10


def test_faces_of_several_dimensions_are_fitted_to_all_rows():
    """Without other columns the medians of two groups move each on its own."""
    halves, target = np.repeat([0.0, 1.0], 20)[:, None], rng.standard_normal(40)
    with pytest.warns(UserWarning, match="not proved to be unique"):
        found = drawn(LADRegressor(), halves, target)
    assert 0 < found.n_whole <= 20


@pytest.mark.parametrize("options", [{}, {"groups": GROUPS}, {"bootstrap": "exponential"}], ids=str)
def test_a_seed_gives_the_same_replicates_with_any_number_of_threads(options):
    model = QuantileRegressor(quantile=[0.3, 0.6], alpha=0)
    first = drawn(model, X, y, **options)
    assert first.replicates.shape == (40, 2, 3)
    np.testing.assert_array_equal(drawn(model, X, y, n_jobs=2, **options).replicates, first.replicates)
    assert np.all(drawn(model, X, y, random_state=1, **options).standard_errors != first.standard_errors)
    # The first replicates of more are the same.
    np.testing.assert_allclose(
        drawn(model, X, y, n_bootstrap=70, **options).replicates[:40], first.replicates, rtol=1e-9
    )
    cov = np.cov(first.replicates.reshape(40, -1), rowvar=False)
    np.testing.assert_allclose(first.cov, cov)


def test_whole_groups_are_drawn():
    """Three equal rows in each group: the replicates are those of one row each."""
    rows = np.repeat(np.arange(N), 3)
    tripled = drawn(ONE, X[rows], y[rows], groups=rows)
    np.testing.assert_allclose(tripled.replicates, drawn(ONE, X, y).replicates, rtol=1e-8)
    assert tripled.df == N - 1


def test_frequency_weights_draw_as_many_rows_as_they_sum_to():
    counts = rng.integers(1, 4, N)
    weighted = drawn(ONE, X, y, counts, weights="frequency", n_bootstrap=300)
    repeated = drawn(ONE, X[np.repeat(np.arange(N), counts)], np.repeat(y, counts), n_bootstrap=300)
    np.testing.assert_allclose(weighted.standard_errors, repeated.standard_errors, rtol=0.25)
    with pytest.raises(ValueError, match="frequency weights must be integers"):
        drawn(ONE, X, y, counts + 0.5, weights="frequency")
    gamma = drawn(ONE, X, y, counts + 0.5, weights="frequency", bootstrap="exponential", n_bootstrap=300)
    np.testing.assert_allclose(gamma.standard_errors, weighted.standard_errors, rtol=0.4)


@pytest.mark.parametrize("options", [{}, {"groups": GROUPS}, {"bootstrap": "exponential"}], ids=str)
def test_standard_errors_are_near_the_robust_ones(options):
    """300 replicates have a standard error of 4 %; the two estimates differ by more."""
    robust = infer(ONE.fit(X, y), X, y, groups=options.get("groups"))
    found = drawn(ONE, X, y, n_bootstrap=300, **options)
    np.testing.assert_allclose(found.standard_errors, robust.standard_errors, rtol=0.3)
    assert found.n_whole == 0
    assert found.df == robust.df


def test_the_unit_of_y_is_that_of_the_replicates():
    first = drawn(ONE, X, y).replicates
    np.testing.assert_allclose(drawn(ONE, X, 1e-9 * y).replicates * 1e9, first, rtol=1e-7)


def test_intervals_of_replicates():
    found = drawn(ONE, X, y, interval="percentile")
    np.testing.assert_allclose(found.conf_int(0.9), np.quantile(found.replicates, [0.05, 0.95], axis=0).T)
    lines = found.replicates @ np.column_stack([np.ones(5), X[:5]]).T
    np.testing.assert_allclose(found.predict_interval(X[:5]), np.quantile(lines, [0.025, 0.975], axis=0).T)
    together = drawn(QuantileRegressor(quantile=[0.3, 0.6], alpha=0), X, y, interval="percentile")
    assert together.predict_interval(X[:5]).shape == (5, 2, 2)
    np.testing.assert_allclose(together.predict_interval(X[:5])[:, 0], found.predict_interval(X[:5]), rtol=1e-6)
    half = np.diff(found.conf_int(simultaneous=True))[:, 0] / 2 / found.standard_errors
    ratio = np.abs(found.replicates - found.coef) / found.standard_errors
    np.testing.assert_allclose(half, np.quantile(ratio.max(axis=1), 0.95))
    assert "bootstrap replicates" in str(found)


def test_parameters_of_the_bootstrap_are_checked():
    for message, options in (
        ("n_bootstrap must be at least 2, got 1", {"n_bootstrap": 1}),
        ("n_bootstrap must be", {"n_bootstrap": 2.5}),
        ("bootstrap must be one of 'pairs', 'exponential'", {"bootstrap": "wild"}),
        ("interval must be one of 't', 'percentile'", {"interval": "bca"}),
        ("verbose must be an integer or a bool", {"verbose": "yes"}),
    ):
        with pytest.raises(ValueError, match=message):
            drawn(ONE, X, y, **options)
    with pytest.warns(UserWarning, match="6 groups are few"):
        assert drawn(ONE, X, y, groups=np.arange(N) % 6).df == 5


def test_progress_is_told_where_asked(capsys):
    drawn(ONE, X, y, n_bootstrap=3)
    assert capsys.readouterr().err == ""
    drawn(ONE, X, y, n_bootstrap=3, verbose=1)
    assert "Done" in capsys.readouterr().err


def test_the_bootstrap_is_for_quantiles():
    with pytest.raises(ValueError, match='method="bootstrap" is for quantiles'):
        drawn(HuberLossRegressor(), X, y)
