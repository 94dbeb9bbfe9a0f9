"""Inference agrees with its definitions in plain NumPy, with R's quantreg, with pyfixest and with statsmodels."""

from copy import deepcopy
from functools import cache

import numpy as np
import pytest

from ladreg import HuberLossRegressor, QuantileRegressor, infer
from ladreg._estimators import LastStep
from ladreg._inference import bofinger, differences, hall_sheather, kernel_density, read, robust_density
from tests.inference_oracle import COLUMNS, QUANTILES, THEIR_EPSILON, Oracle, load, reference

THEIRS = reference("quantreg")["data"]
every_case = pytest.mark.parametrize(("name", "quantile"), [(name, tau) for name in COLUMNS for tau in QUANTILES])

# Ties among the targets of these data leave a choice among duals (stackloss), or an optimum that is not unique.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(lie on the fit|cross in|proved to be unique|groups are few):UserWarning"
)


@cache
def unweighted(name, quantile):
    return QuantileRegressor(quantile=quantile, alpha=0).fit(*load(name))


def fitted(name, quantile, weight=None):
    X, y = load(name)
    if weight is None:
        return deepcopy(unweighted(name, quantile)), X, y  # since some tests change the model
    return QuantileRegressor(quantile=quantile, alpha=0).fit(X, y, sample_weight=weight), X, y


def apart(found, wanted):
    """The largest difference, relative to the largest number."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    return np.abs(found - wanted).max() / np.abs(wanted).max()


def same_optimum(inference, coef):
    """Whether another optimum, one of several, has not been taken."""
    return apart(inference.coef, coef) < 1e-7


def test_bandwidths_are_those_of_quantreg():
    for row in reference("quantreg_bandwidth")["rows"]:
        n, tau = row["n"], row["tau"]
        assert hall_sheather(n, tau, row["alpha"]) == pytest.approx(row["hall_sheather"], rel=1e-14)
        assert bofinger(n, tau) == pytest.approx(row["bofinger"], rel=1e-14)


@every_case
@pytest.mark.parametrize("method", ["robust", "uniform", "gaussian", "iid"])
def test_covariances_are_those_of_the_definitions(name, quantile, method):
    model, X, y = fitted(name, quantile)
    options = {"method": "kernel", "kernel": method} if method in ("uniform", "gaussian") else {"method": method}
    assert apart(infer(model, X, y, **options).cov, Oracle(X, y, quantile).cov(method)) < 1e-10


@every_case
@pytest.mark.parametrize("weights", ["probability", "frequency"])
@pytest.mark.parametrize("method", ["robust", "iid"])
def test_weighted_covariances_are_those_of_the_definitions(name, quantile, weights, method):
    X, y = load(name)
    weight = np.array(THEIRS[name]["weight"]) if weights == "probability" else 1.0 + (np.arange(y.size) * 5) % 3
    model = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y, sample_weight=weight)
    found = infer(model, X, y, weight, method=method, weights=weights)
    assert apart(found.cov, Oracle(X, y, quantile, weight, weights).cov(method)) < 1e-10


@pytest.mark.parametrize("name", ["engel", "barro", "het60", "het500"])
@pytest.mark.parametrize("quantile", QUANTILES)
@pytest.mark.parametrize("method", ["robust", "uniform"])
def test_clustered_covariances_are_those_of_the_definitions(name, quantile, method):
    model, X, y = fitted(name, quantile)
    groups = np.array(reference("pyfixest")["data"][name]["group"])
    found = infer(model, X, y, method="kernel" if method == "uniform" else method, groups=groups)
    assert apart(found.cov, Oracle(X, y, quantile).clustered(method, groups)) < 1e-10
    assert found.df == np.unique(groups).size - 1


@pytest.mark.parametrize("name", ["engel", "barro", "het500"])
@pytest.mark.parametrize("lags", [1, 7, 10_000])
def test_covariances_of_rows_in_time_are_those_of_the_definitions(name, lags):
    (model, X, y), weight = fitted(name, 0.25), np.array(THEIRS[name]["weight"])
    found = infer(model, X, y, lags=lags)
    assert apart(found.cov, Oracle(X, y, 0.25).serial("robust", lags)) < 1e-9
    weighted = infer(model.fit(X, y, weight), X, y, weight, lags=lags)
    assert apart(weighted.cov, Oracle(X, y, 0.25, weight).serial("robust", lags)) < 1e-9


@every_case
@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
def test_robust_errors_are_those_of_quantreg(name, quantile, kind):
    theirs = THEIRS[name][kind][str(quantile)]
    if theirs["nid_hs"] is None:
        pytest.skip("quantreg fails here: a density is 0")
    weight = np.array(THEIRS[name]["weight"]) if kind == "weighted" else None
    model, X, y = fitted(name, quantile, weight)
    ours = infer(model, X, y, weight)
    if not same_optimum(ours, theirs["coef"]):
        pytest.skip("the optimum is not unique")
    sample, fits, _ = read(LastStep.of(model), X, y, weight, None, "probability")
    (difference,) = differences(fits, np.array([ours.bandwidth]))
    epsilon = THEIR_EPSILON / (1.0 if weight is None else weight)
    density = robust_density(difference, ours.bandwidth, epsilon, epsilon)
    Z = np.column_stack([np.ones(y.size), X])
    inverse = np.linalg.inv(Z.T @ (Z * (sample.weight * density)[:, None]))
    cov = quantile * (1 - quantile) * inverse @ (Z.T @ (Z * sample.square[:, None])) @ inverse
    met = np.abs(difference) < 1e-6 * np.median(np.abs(difference))
    if not met.any():  # where two quantiles meet, densities are as large as rounding makes them
        assert apart(cov, theirs["nid_hs"]["cov"]) < 1e-10
        error = np.sqrt(np.diag(theirs["nid_hs"]["cov"]))
        np.testing.assert_allclose(ours.standard_errors, error, rtol=1e-4)
        np.testing.assert_allclose(ours.pvalues, theirs["nid_hs"]["p"], rtol=1e-3, atol=1e-12)


@every_case
def test_gaussian_kernel_errors_are_those_of_quantreg(name, quantile):
    theirs = THEIRS[name]["unweighted"][str(quantile)]
    model, X, y = fitted(name, quantile)
    for rule, key in (("hall_sheather", "ker_hs"), ("bofinger", "ker_bofinger")):
        ours = infer(model, X, y, method="kernel", kernel="gaussian", bandwidth=rule)
        if theirs[key] is None or not same_optimum(ours, theirs["coef"]):
            continue
        wanted = theirs[key].get("se") or np.sqrt(np.diag(theirs[key]["cov"]))
        np.testing.assert_allclose(ours.standard_errors, wanted, rtol=1e-11)


@every_case
def test_goodness_of_fit_is_that_of_quantreg(name, quantile):
    """Without weights: quantreg leaves weights out of these numbers."""
    theirs = THEIRS[name]["unweighted"][str(quantile)]
    model, X, y = fitted(name, quantile)
    ours = infer(model, X, y, method="iid")
    assert ours.r1 == pytest.approx(theirs["R1"], rel=1e-12)
    assert ours.log_likelihood == pytest.approx(theirs["logLik"], rel=1e-12)
    assert ours.aic == pytest.approx(theirs["AIC"], rel=1e-12)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("kind", ["nid", "ker"])
def test_intervals_of_predictions_are_those_of_quantreg(name, kind):
    options = {"method": "robust"} if kind == "nid" else {"method": "kernel", "kernel": "gaussian"}
    new = np.array(THEIRS[name]["newdata"], dtype=float)
    for quantile, theirs in THEIRS[name]["predict"].items():
        model, X, y = fitted(name, float(quantile))
        ours = infer(model, X, y, **options)
        if f"{kind}_0.95" not in theirs or not isinstance(theirs[f"{kind}_0.95"], list):
            continue
        wanted = np.array(theirs[f"{kind}_0.95"])
        if not same_optimum(ours, THEIRS[name]["unweighted"][quantile]["coef"]) or ours.n_crossed:
            continue
        columns = load(name)[0].columns
        found = ours.predict_interval(
            X.iloc[:0].reindex(range(len(new))).assign(**dict(zip(columns, new.T, strict=True)))
        )
        np.testing.assert_allclose(found, wanted[:, 1:], rtol=1e-10 if kind == "ker" else 1e-4)
        narrow = ours.predict_interval(new, level=0.9)
        np.testing.assert_allclose(
            narrow, np.array(theirs[f"{kind}_0.9"])[:, 1:], rtol=1e-10 if kind == "ker" else 1e-4
        )


@pytest.mark.parametrize("name", ["engel", "barro", "het60", "het500"])
@pytest.mark.parametrize("kind", ["nid", "ker"])
def test_wald_tests_are_those_of_quantreg(name, kind):
    options = {"method": "robust"} if kind == "nid" else {"method": "kernel", "kernel": "gaussian"}
    for key, theirs in THEIRS[name]["nested_wald"].items():
        quantile, _, dropped = key.partition("_drop_")
        model, X, y = fitted(name, float(quantile))
        ours = infer(model, X, y, **options)
        if "Tn" not in theirs.get(kind, {}) or ours.n_crossed:
            continue
        if not same_optimum(ours, THEIRS[name]["unweighted"][quantile]["coef"]):
            continue
        chosen = list(X.columns) if dropped == "all" else [X.columns[-1]]
        test = ours.wald(chosen)
        tolerance = 1e-10 if kind == "ker" else 1e-4
        assert test.statistic == pytest.approx(theirs[kind]["Tn"], rel=tolerance)
        assert test.df == theirs[kind]["ndf"]
        assert test.df_denominator == theirs[kind]["ddf"]
        assert test.pvalue == pytest.approx(theirs[kind]["pvalue"], rel=1e-8 if kind == "ker" else 1e-3)


@pytest.mark.parametrize("kind", ["nid", "ker"])
def test_equal_slopes_are_tested_as_by_quantreg(kind):
    """The same statistic; their denominator counts every row once for each quantile."""
    options = {"method": "robust"} if kind == "nid" else {"method": "kernel", "kernel": "gaussian"}
    compared = 0
    for name, key in [(one, key) for one in COLUMNS for key in THEIRS[one]["equal_slopes"] if key.endswith(kind)]:
        theirs = THEIRS[name]["equal_slopes"][key]
        quantiles = key.removesuffix(f"_joint_{kind}").split("_")
        X, y = load(name)
        model = QuantileRegressor(quantile=[float(tau) for tau in quantiles], alpha=0).fit(X, y)
        ours = infer(model, X, y, **options)
        coefs = [THEIRS[name]["unweighted"][tau]["coef"] for tau in quantiles]
        if not same_optimum(ours, coefs) or (kind == "nid" and ours.n_crossed.any()):
            continue
        test = ours.equal_slopes()
        assert test.statistic == pytest.approx(theirs["Tn"], rel=1e-9 if kind == "ker" else 1e-4)
        assert test.df == theirs["ndf"]
        assert test.df_denominator == y.size - X.shape[1] - 1
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize("name", ["engel", "barro", "het60", "het500"])
def test_clustered_errors_are_those_of_pyfixest(name):
    """With its scores, which count rows on the fit as below it, in place of those of the dual."""
    theirs = reference("pyfixest")["data"][name]
    groups, compared = np.array(theirs["group"]), 0
    for quantile in QUANTILES:
        if theirs[str(quantile)] is None:
            continue
        model, X, y = fitted(name, quantile)
        ours = infer(model, X, y, method="kernel")
        if not same_optimum(ours, theirs[str(quantile)]["coef"]):
            continue
        Z = np.column_stack([np.ones(y.size), X])
        residual = y - Z @ ours.coef
        score = quantile - (residual <= 1e-9 * np.abs(y).max())
        density = kernel_density(residual, np.ones(y.size), quantile, ours.bandwidth, "uniform")
        inverse = np.linalg.inv(Z.T @ (Z * density[:, None]))
        sums = np.array([score[groups == one] @ Z[groups == one] for one in np.unique(groups)])
        (n, p), G = Z.shape, len(sums)
        cov = G / (G - 1) * (n - 1) / (n - p) * inverse @ sums.T @ sums @ inverse
        if apart(np.sqrt(np.diag(cov)), theirs[str(quantile)]["se"]) < 1e-6:
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize("name", ["stackloss", "engel", "het60", "het500"])
def test_huber_errors_are_those_of_statsmodels(name):
    theirs = reference("statsmodels_huber")["data"][name]
    X, y = load(name)
    model = HuberLossRegressor(epsilon=theirs["epsilon"], scale=theirs["scale"]).fit(X, y)
    np.testing.assert_allclose(infer(model, X, y, method="iid").standard_errors, theirs["H1"], rtol=1e-6)
    np.testing.assert_allclose(infer(model, X, y).standard_errors, theirs["sandwich_HC1"], rtol=1e-6)
