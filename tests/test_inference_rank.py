"""Rank intervals are the values that the rank test does not reject, each end exact."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import t as student

from ladreg import HuberLossRegressor, LADRegressor, QuantileRegressor, infer
from tests.inference_oracle import COLUMNS, Oracle, RankOracle, load, reference

rng = np.random.default_rng(0)
N = 80
X = np.column_stack([rng.uniform(0, 4, N), 1e3 + rng.standard_normal(N), rng.integers(0, 2, N)])
y = 1 + X @ [0.5, 0.3, 0.4] + (0.5 + 0.5 * X[:, 0]) * rng.standard_normal(N)
COUNTS = rng.integers(1, 4, N)
ONE = QuantileRegressor(quantile=0.3, alpha=0)
TOGETHER = QuantileRegressor(quantile=[0.3, 0.6], alpha=0)
OPTIONS = {"robust": {}, "iid": {"density": "iid"}, "interpolated": {"interpolate": True}}

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(lie on the fit|cross in|proved to be unique|are infinite):UserWarning"
)
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def ranked(model, X, y, weight=None, **options):
    return infer(model.fit(X, y, sample_weight=weight), X, y, weight, method="rank", **options)


def close(found, wanted, tolerance):
    found, wanted = np.asarray(found), np.asarray(wanted)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(wanted))
    kept = np.isfinite(wanted)
    assert np.abs(found - wanted)[kept].max() <= tolerance * np.abs(wanted[kept]).max()


# The definition ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantile", [0.3, 0.5, 0.85])
@pytest.mark.parametrize("density", ["robust", "iid"])
@pytest.mark.parametrize("weight", [None, COUNTS], ids=["rows", "counts"])
def test_the_statistic_jumps_across_the_critical_value_at_each_end(quantile, density, weight):
    """And the statistic of the table, and its p-value, are those where the coefficient is zero."""
    options = {} if weight is None else {"weights": "frequency"}
    found = ranked(QuantileRegressor(quantile=quantile, alpha=0), X, y, weight, level=0.9, density=density, **options)
    oracle = Oracle(X, y, quantile, weight, "frequency" if weight is not None else "probability")
    f = oracle.density("robust") if density == "robust" else None
    critical = student.ppf(0.95, found.df)
    for j, (low, high) in enumerate(found.conf_int()):
        test = RankOracle(oracle.Z, y, j, quantile, f, oracle.weight)
        step = 1e-6 * (high - low)
        assert test.statistic(low - step) > critical > test.statistic(low + step)
        assert test.statistic(high - step) > -critical > test.statistic(high + step)
        assert found.statistic[j] == pytest.approx(test.statistic(0.0), abs=1e-6)
    np.testing.assert_allclose(found.pvalues, 2 * student.sf(np.abs(found.statistic), found.df), rtol=1e-10)


@every_option
def test_what_the_interval_holds_is_not_rejected(options):
    """The p-value of a value is at least 1 - level inside a closed interval, and less outside."""
    j, level = 1, 0.9
    low, high = ranked(ONE, X, y, level=level, density=options.get("density", "robust")).conf_int()[j]
    for value, inside in ((low + 1e-6, True), (high - 1e-6, True), (low - 1e-6, False), (high + 1e-6, False)):
        shifted = ranked(ONE, X, y - value * X[:, j - 1], level=level, **options)
        assert (shifted.pvalues[j] >= 1 - level) == inside


def test_a_single_column_is_tested_without_any_other():
    target = 0.2 + rng.standard_normal(N)
    one = ranked(LADRegressor(fit_intercept=False), np.ones((N, 1)), target, density="iid")
    above = np.count_nonzero(target > 0)
    assert one.statistic[0] == pytest.approx((above - N / 2) / (0.5 * np.sqrt(N)))
    # The interval of a median: order statistics.
    order = np.sort(target)
    critical = student.ppf(0.975, N - 1) * np.sqrt(N) / 2
    outside = int(np.floor(N / 2 - critical))
    np.testing.assert_allclose(one.conf_int()[0], [order[outside], order[N - 1 - outside]], rtol=1e-12)


@pytest.mark.parametrize("quantile", [0.97, 0.03])
def test_an_interval_has_no_end_where_no_value_is_rejected(quantile):
    with pytest.warns(UserWarning, match=r"\d limits of intervals are infinite"):
        found = ranked(QuantileRegressor(quantile=quantile, alpha=0), X, y, density="iid")
    for j, ends in enumerate(found.conf_int()):
        test = RankOracle(np.column_stack([np.ones(N), X]), y, j, quantile)
        for end, side in zip(ends, (-1, 1), strict=True):
            limit = -side * test.statistic(side * 1e4)
            assert np.isinf(end) == (limit < student.ppf(0.975, found.df))


# quantreg ------------------------------------------------------------------------------------------------------------

# An end at which quantreg's list of knots leaves out a jump of the statistic, by the definition.
LEFT_OUT = {("stackloss", 0.1, 2, 0)}


def knots(name, density):
    """Our intervals, and quantreg's with and without interpolation, wherever it does not fail."""
    X, y = load(name)
    for quantile in (0.1, 0.75) if density == "iid" else (0.5,):
        ranks = reference("quantreg")["data"][name]["unweighted"][str(quantile)]["rank"]
        key = f"alpha0.1_{'nid' if density == 'robust' else 'iid'}"
        if ranks.get(key) is None:
            continue
        model = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y)
        options = {"method": "rank", "density": density, "level": 0.9}
        exact = infer(model, X, y, **options)
        if exact.certificate.unique:
            smooth = infer(model, X, y, interpolate=True, **options).conf_int()
            theirs = np.array(ranks[f"{key}_nointerp"], dtype=float)[:, [0, 3]]
            yield quantile, exact.conf_int(), theirs, smooth, np.array(ranks[key], dtype=float).T


def equal(found, wanted):
    return np.isclose(
        found, np.where(np.abs(wanted) > 1e300, np.copysign(np.inf, wanted), wanted), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("density", ["robust", "iid"])
@pytest.mark.parametrize("name", COLUMNS)
def test_ends_are_those_of_quantreg(name, density):
    """Interpolated ones less often: quantreg interpolates to a pivot of its simplex method, where T need not jump."""
    near = []
    for quantile, found, wanted, smooth, theirs in knots(name, density):
        same = equal(found, wanted)
        for j, side in zip(*np.nonzero(~same), strict=True):
            assert (name, quantile, j, side) in LEFT_OUT
        near += equal(smooth, theirs).ravel().tolist()
        inside = np.sort([smooth[:, 0], smooth[:, 1]], axis=0)
        assert np.all((inside[0] >= found[:, 0] - 1e-9) & (inside[1] <= found[:, 1] + 1e-9))
    assert len(near) >= 4
    assert np.mean(near) >= 0.6


# Laws ----------------------------------------------------------------------------------------------------------------


@every_option
def test_units_are_those_of_the_ends(options):
    unit = 1e-9
    first, second = ranked(TOGETHER, X, y, **options), ranked(TOGETHER, X, unit * (y + X @ [2, 0, -1] + 5), **options)
    close(second.conf_int() / unit, first.conf_int() + np.array([5, 2, 0, -1])[:, None], 1e-7)
    scale, origin = np.array([1e5, 1e-4, -2.0]), np.array([1e6, 0.0, 1.0])
    moved = ranked(TOGETHER, X * scale + origin, y, **options)
    ends = np.sort(moved.conf_int()[:, 1:] * scale[:, None], axis=-1)
    close(ends, first.conf_int()[:, 1:], 1e-7)
    close(np.abs(moved.statistic[:, 1:]), np.abs(first.statistic[:, 1:]), 1e-8)


@every_option
def test_the_order_of_rows_and_columns_does_not_matter(options):
    first, order, columns = ranked(ONE, X, y, **options), rng.permutation(N), [2, 0, 1]
    for kind in (np.asarray, sp.csr_array, sp.csc_array):
        second = ranked(ONE, kind(X[order][:, columns]), y[order], **options)
        close(second.conf_int(), first.conf_int()[[0, 3, 1, 2]], 1e-8)
        close(second.pvalues, first.pvalues[[0, 3, 1, 2]], 1e-8)


@every_option
def test_frequency_weights_are_repeated_rows(options):
    rows = np.repeat(np.arange(N), COUNTS)
    weighted = ranked(ONE, X, y, COUNTS, weights="frequency", **options)
    repeated = ranked(ONE, X[rows], y[rows], **options)
    close(weighted.conf_int(), repeated.conf_int(), 1e-8)
    close(weighted.statistic, repeated.statistic, 1e-8)


def test_units_of_columns_do_not_matter_to_repeated_rows():
    """More rows than coefficients are on the fit then, and linear programs find the steps of the statistic."""
    model, options = QuantileRegressor(quantile=0.3, alpha=0), {"interpolate": True, "density": "iid"}
    for seed in (0, 8, 12):
        rng = np.random.default_rng(seed)
        table = rng.standard_normal((34, 4))
        table[:, 1], table[:, 3] = 1e-8 * table[:, 1], 1e4 * table[:, 3]
        target, counts = rng.standard_normal(34), rng.integers(1, 4, 34)
        weighted = ranked(model, table, target, counts, weights="frequency", **options).conf_int()
        repeated = ranked(model, np.repeat(table, counts, axis=0), np.repeat(target, counts), **options).conf_int()
        np.testing.assert_allclose(repeated, weighted, rtol=1e-6)


def test_only_what_counts_is_read():
    """Neither rows of weight zero nor excluded features; of several targets each is as it is alone."""
    first, weight = ranked(ONE, X, y), (np.arange(N + 9) < N).astype(float)
    wide = np.column_stack([X[:, 0], np.arange(N) ** 2.0, X[:, 1:]])
    excluding = QuantileRegressor(quantile=0.3, alpha=0, penalty_weights=[1, np.inf, 1, 1])
    more, wild = np.vstack([X, rng.standard_normal((9, 3))]), np.append(y, np.full(9, 1e9))
    for other in (ranked(excluding, wide, y), ranked(ONE, more, wild, weight)):
        close(other.conf_int(), first.conf_int(), 1e-9)
        close(other.pvalues, first.pvalues, 1e-9)
    two = ranked(LADRegressor(), X, np.column_stack([y, 1 - y]))
    close(two[1].conf_int()[1:], -two[0].conf_int()[1:, ::-1], 1e-9)
    np.testing.assert_array_equal(two[0].conf_int(), ranked(LADRegressor(), X, y).conf_int())


def test_ends_are_found_from_the_rows_near_the_fit():
    """Counted: no end asks for all rows, unless the optimum there is not unique or the interval infinite."""
    table = rng.standard_normal((3000, 4))
    found = ranked(TOGETHER, table, table.sum(axis=1) + rng.standard_t(3, 3000))
    assert found.n_whole == 0
    whole = ranked(QuantileRegressor(quantile=0.97, alpha=0), X, y, density="iid")
    assert whole.n_whole >= np.count_nonzero(np.isinf(whole.conf_int()))


def test_lattices_have_closed_intervals():
    """Whole numbers put many rows on a fit, and values at jumps: what the interval holds is what the test keeps."""
    whole = rng.integers(0, 4, (60, 2)).astype(float)
    target = whole.sum(axis=1) + rng.integers(-1, 2, 60)
    for value in (0.0, 0.5, 1.0, 1.5):
        found = ranked(LADRegressor(), whole, target - value * whole[:, 0], density="iid")
        low, high = found.conf_int()[1]
        assert (low <= 1e-9 and high >= -1e-9) == (found.pvalues[1] >= 0.05)


@pytest.mark.parametrize("n", [6, 9, 14])
def test_interpolated_ends_are_between_the_fit_and_the_exact_ends(n):
    """In few rows one step of the statistic is larger than twice the critical value."""
    few = ranked(LADRegressor(), X[:n], y[:n], density="iid", level=0.5)
    (low, high), coef = few.conf_int().T, few.coef
    below, above = ranked(LADRegressor(), X[:n], y[:n], density="iid", level=0.5, interpolate=True).conf_int().T
    assert np.all((low <= below) & (below <= coef) & (coef <= above) & (above <= high))


# The result ----------------------------------------------------------------------------------------------------------


def test_there_are_no_standard_errors():
    found = ranked(ONE, X, y, level=0.9)
    with pytest.raises(AttributeError, match=r'method="rank" has tests and intervals .* no standard errors'):
        _ = found.standard_errors
    for refused in (
        lambda: found.wald("x0"),
        lambda: found.predict_interval(X),
        lambda: found.conf_int(simultaneous=True),
        lambda: ranked(TOGETHER, X, y).equal_slopes(),
    ):
        with pytest.raises(ValueError, match="no standard errors or covariance"):
            refused()
    with pytest.raises(ValueError, match=r"were computed from the data at level=0\.9: call infer with level=0\.95"):
        found.conf_int(0.95)
    np.testing.assert_array_equal(found.conf_int(0.9), found.conf_int())
    assert found.cov is None
    assert "std err" not in str(found)
    assert "Rank tests" in found._repr_html_()
    assert list(found.to_frame().columns) == ["coef", "t", "p", "low", "high"]
    assert ranked(TOGETHER, X, y).to_frame().shape == (8, 5)


def test_what_rank_tests_cannot_do_is_refused():
    for message, model, weight, options in (
        ("assumes independent errors", ONE, None, {"groups": np.arange(N) % 40}),
        ('needs frequency weights: pass weights="frequency"', ONE, 1.0 + np.arange(N), {}),
        ("is for quantiles", HuberLossRegressor(), None, {}),
        ("density must be one of 'robust', 'iid'", ONE, None, {"density": "kernel"}),
    ):
        with pytest.raises(ValueError, match=message):
            ranked(model, X, y, weight, **options)
