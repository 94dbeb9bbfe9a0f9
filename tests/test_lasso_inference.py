"""Inference for the lasso agrees with hdi, with selectiveInference and with its definitions, and follows the data."""

import pickle
import warnings
from decimal import Decimal, getcontext

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from ladreg import ElasticNetCD, LADRegressor, LassoCD, LassoCDCV, LassoCDIC, LassoInference, infer
from ladreg._estimators import LastStep
from ladreg._inference import TruncatedNormal, nodewise, read_lasso, without_bias
from ladreg._least_squares import GramPath
from tests.inference_oracle import FOLDER, reference

rng = np.random.default_rng(0)
N, P = 80, 12
X = rng.standard_normal((N, P)) @ (np.eye(P) + 0.3)
y = X @ np.r_[1.0, 0.5, -0.5, np.zeros(P - 3)] + rng.standard_normal(N)
WEIGHT = rng.uniform(0.5, 2, N)
WIDE = rng.standard_normal((40, 60))
WIDE[:, 1] += WIDE[:, 0]
WIDE_Y = WIDE[:, 0] + rng.standard_normal(40)


def load(name):
    frame = pd.read_csv(FOLDER / f"{name}.csv")
    return frame.drop(columns="y").to_numpy(float), frame["y"].to_numpy(float)


def desparsified(X, y, weight=None, model=None, **options):
    model = model or LassoCD(alpha=0.1)
    return infer(model.fit(X, y, sample_weight=weight), X, y, weight, method="desparsified", **options)


def selective(X, y, weight=None, model=None, **options):
    model = model or LassoCD(alpha=0.15)
    return infer(
        model.fit(X, y, sample_weight=weight), X, y, weight, **{"method": "selective", "sigma": 1.0, **options}
    )


BOTH = pytest.mark.parametrize("inferred", [desparsified, selective])


def close(found, wanted, tolerance=1e-10):
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


# Known answers.


@pytest.mark.parametrize("name", ["lasso60", "lasso50x100"])
def test_desparsified_coefficients_are_those_of_hdi_given_the_nodewise_residuals(name):
    X, y = load(name)
    theirs, n = reference("hdi")["data"][name], y.size
    X, y, Z, lasso = X - X.mean(axis=0), y - y.mean(), np.array(theirs["Z"]), np.array(theirs["betahat"])
    kept = Z.shape[1]
    own = (Z * X[:, :kept]).sum(axis=0) / n
    coef, cov = without_bias(lasso[:kept], Z.T @ (y - X @ lasso) / n, own, Z.T @ Z / n**2, 1.0)
    close(coef, theirs["bhat"], 1e-12)
    close(np.sqrt(cov.diagonal()), theirs["se"], 1e-12)
    close(2 * norm.sf(np.abs(coef) / np.sqrt(cov.diagonal())), theirs["pval"], 1e-12)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_results_are_those_of_the_formulas(weight, fit_intercept):
    """Each nodewise lasso is an optimum by its conditions; coefficients and errors follow from its residuals."""
    w = (np.ones(N) if weight is None else weight) / (N if weight is None else weight.sum())
    model = LassoCD(alpha=0.1, fit_intercept=fit_intercept)
    found = desparsified(X, y, weight, model, sigma=2.0)
    centred = X - w @ X * fit_intercept
    size = np.sqrt(w @ centred**2)
    nodes = nodewise(*_columns(model, weight), None)
    Z = centred @ nodes.direction.T / np.array(_scale(model, weight))
    slopes = (centred / size).T @ (w[:, None] * Z / size)
    for j in range(P):
        others = np.arange(P) != j
        used = (nodes.direction[j] != 0) & others
        assert np.all(np.abs(slopes[others, j]) <= found.nodewise_alpha[j] * (1 + 1e-10))
        assert np.all(np.abs(slopes[used, j]) >= found.nodewise_alpha[j] * (1 - 1e-10))
    residual = y - model.predict(X)
    own = w @ (Z * centred)
    close(found.coef, model.coef_ + Z.T @ (w * residual) / own)
    close(found.standard_errors, 2 * np.sqrt(w**2 @ Z**2) / np.abs(own))
    close(found.cov[0, 1], 4 * (w**2 @ (Z[:, 0] * Z[:, 1])) / own[0] / own[1])
    close(
        found.bias_factor,
        np.sqrt(N) * np.max(np.abs(slopes - np.diag(slopes.diagonal())), axis=0) * size / np.sqrt(w @ Z**2),
    )
    assert found.nodewise_gap.max() < 1e-12


def _columns(model, weight):
    fit = read_lasso(LastStep.of(model), X, y, weight, "desparsified")[0]
    return fit.design, fit.weight, fit.fit_intercept, fit.names


def _scale(model, weight):
    """Residuals of nodes are in units of the columns at unit scale."""
    return read_lasso(LastStep.of(model), X, y, weight, "desparsified")[0].regressors.scale ** -1.0


def test_progress_is_told_where_asked(capsys):
    desparsified(X, y)
    assert capsys.readouterr().err == ""
    desparsified(X, y, verbose=1)
    assert "Done" in capsys.readouterr().err


def test_alphas_of_the_nodes():
    """The common one has the least error in held-out rows; each falls from there until the variance is 1.25 times."""
    rows, p = WIDE[:, :8], 8
    fit = read_lasso(LastStep.of(LassoCD(alpha=0.1).fit(rows, WIDE_Y)), rows, WIDE_Y, None, "desparsified")[0]
    nodes = nodewise(fit.design, fit.weight, True, fit.names, None)
    Z = (rows - rows.mean(axis=0)) / rows.std(axis=0)

    def node(j, alpha, train):
        others = np.arange(p) != j
        return Z[:, j] - LassoCD(alpha=alpha).fit(Z[train][:, others], Z[train, j]).predict(Z[:, others])

    def variance(j, alpha):
        z = node(j, alpha, np.arange(40))
        return z @ z / (z @ Z[:, j]) ** 2

    def error(alpha):
        fold = np.random.default_rng(0).permutation(40) % 10
        return sum(np.sum(node(j, alpha, fold != k)[fold == k] ** 2) for k in range(10) for j in range(p))

    step = 0.001 ** (1 / 43)
    errors = [error(nodes.common * step**k) for k in (-1, 0, 1)]
    assert np.argmin(errors) == 1
    for j in range(0, p, 4):
        most = 1.25 * variance(j, nodes.common)
        assert nodes.alpha[j] < nodes.common
        assert variance(j, nodes.alpha[j]) < most
        assert nodes.alpha[j] < 0.0101 * nodes.common or variance(j, 0.9 * nodes.alpha[j]) >= most
    assert len({float(alpha) for alpha in nodes.alpha}) > 1


def test_selection_ends_are_those_of_selective_inference():
    for name, alphas in reference("selective")["data"].items():
        X, y = load(name)
        for alpha, theirs in alphas.items():
            found = selective(X, y, model=LassoCD(alpha=float(alpha), tol=1e-14))
            assert found.features.tolist() == [j - 1 for j in theirs["vars_1based"]]
            close(found.coef, np.ravel(theirs["estimate"]), 1e-10)
            close(found.standard_errors, theirs["sd"], 1e-10)
            for law, sign, low, high in zip(found.laws, theirs["sign"], theirs["vlo"], theirs["vup"], strict=True):
                ends = sorted([sign * float(low), sign * float(high)])
                assert law.value - law.below == pytest.approx(ends[0], rel=1e-7)
                assert law.value + law.above == pytest.approx(ends[1], rel=1e-7)


def exact_integral(low, high):
    """``int_low^high exp(-s^2/2) ds`` by its power series, with as many digits as it needs."""
    getcontext().prec = 60 + int(max(abs(low), abs(high)) ** 2)

    def from_zero(x):
        x, total, term, k = Decimal(x), Decimal(0), Decimal(1), 0
        while k < 10 or abs(term) > Decimal(10) ** -getcontext().prec:
            total += term / (2 * k + 1)
            k += 1
            term *= -(x * x) / (2 * k)
        return x * total

    return from_zero(high) - from_zero(low)


@pytest.mark.parametrize(
    ("value", "below", "above", "mean"),
    [(1.0, 0.5, 0.5, 0), (1.0, 0.5, 2, 9), (0.25, 3, 0.5, 0), (2, 0.001, 0.002, -8), (12, 1, 3, 0), (-3, 9, 0.25, 4)],
)
def test_tails_are_those_of_many_digits(value, below, above, mean):
    law = TruncatedNormal(float(value), 1.0, float(below), float(above))
    z = value - mean
    left, right = exact_integral(z - below, z), exact_integral(z, z + above)
    wanted = [float((part / (left + right)).ln()) for part in (left, right)]
    assert law.log_tails(float(mean)) == pytest.approx(wanted, rel=1e-13)
    low, high = law.interval(0.9)
    assert law.log_tails(low)[1] == pytest.approx(np.log(0.05), rel=1e-10)
    assert law.log_tails(high)[0] == pytest.approx(np.log(0.05), rel=1e-10)


def test_tails_far_from_the_mean_and_near_an_end():
    """Tails have limits that are known: exponential far outside; at an end one side of the interval is infinite."""
    law = TruncatedNormal(0.0, 1.0, 1e-6, np.inf)
    mean = -1e7
    assert law.log_tails(mean)[1] == pytest.approx(-1e-6 * 1e7, rel=1e-6)
    assert np.isfinite(law.interval(0.95)).all()
    assert TruncatedNormal(1.0, 1.0, 0.0, 2.0).interval(0.95)[0] == -np.inf
    assert TruncatedNormal(1.0, 1.0, 2.0, 0.0).interval(0.95)[1] == np.inf
    free = TruncatedNormal(1.5, 2.0, np.inf, np.inf)
    assert free.interval(0.95) == pytest.approx(1.5 + 2 * norm.ppf([0.025, 0.975]), rel=1e-12)
    assert free.pvalue == pytest.approx(2 * norm.sf(0.75), rel=1e-12)


def test_without_penalty_both_are_least_squares():
    coef = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), y, rcond=None)[0][:-1]
    close(desparsified(X, y, model=LassoCD(alpha=0)).coef, coef)
    found = selective(X, y, model=LassoCD(alpha=0))
    close(found.coef, coef)
    close(found.conf_int(), coef[:, None] + np.outer(found.standard_errors, norm.ppf([0.025, 0.975])))


@pytest.mark.parametrize("positive", [False, True])
def test_the_selection_is_that_of_every_y_between_the_ends(positive):
    model = LassoCD(alpha=0.15, positive=positive)
    found = selective(X, y, WEIGHT, model)
    w = WEIGHT / WEIGHT.sum()
    columns = (X - w @ X)[:, found.features]
    eta = w[:, None] * columns @ np.linalg.inv(columns.T @ (w[:, None] * columns))
    close(found.coef, eta.T @ y)

    def signs(target):
        return np.sign(LassoCD(alpha=0.15, positive=positive).fit(X, target, sample_weight=WEIGHT).coef_)

    for k, law in enumerate(found.laws):
        for end, side in ((law.below, -1), (law.above, 1)):
            if np.isfinite(end) and end < 1e6:
                step = side * end * eta[:, k] / (eta[:, k] @ eta[:, k])
                assert np.array_equal(signs(y + 0.999 * step), np.sign(model.coef_))
                assert not np.array_equal(signs(y + 1.001 * step), np.sign(model.coef_))


# Laws.


@BOTH
def test_the_units_of_y_and_of_columns_are_those_of_the_coefficients(inferred):
    found = inferred(X, y, model=LassoCD(alpha=0.15, standardize=True), sigma=1.0)
    units = 10.0 ** np.linspace(-6, 6, P)
    other = inferred(X * units + units, 1e-3 * y, model=LassoCD(alpha=0.15e-3, standardize=True), sigma=1e-3)
    close(other.coef * units[found.features], 1e-3 * found.coef, 1e-8)
    close(other.standard_errors * units[found.features], 1e-3 * found.standard_errors, 1e-8)
    close(other.pvalues, found.pvalues, 1e-7)


@BOTH
def test_sparse_float32_and_rows_of_weight_zero(inferred):
    found = inferred(X, y)
    close(inferred(sp.csr_array(X), y).conf_int(), found.conf_int(), 1e-8)
    more = inferred(np.vstack([X, X[:3] + 1]), np.r_[y, 5, 5, 5], np.r_[np.ones(N), 0, 0, 0])
    close(more.conf_int(), found.conf_int(), 1e-8)
    single = np.float32(X)
    close(inferred(single, y).conf_int(), inferred(np.float64(single), y).conf_int(), 1e-5)


@BOTH
def test_an_excluded_feature_is_as_if_not_there(inferred):
    weights = np.r_[np.inf, np.ones(P - 1)]
    found = inferred(X, y, model=LassoCD(alpha=0.15, penalty_weights=weights), sigma=1.0)
    without = inferred(X[:, 1:], y, model=LassoCD(alpha=0.15), sigma=1.0)
    close(found.conf_int(), without.conf_int())
    assert found.features.tolist() == [j + 1 for j in without.features]


def test_the_number_of_threads_does_not_matter():
    one, two = (desparsified(WIDE, WIDE_Y, n_jobs=n_jobs) for n_jobs in (None, 2))
    assert np.array_equal(one.coef, two.coef)
    assert np.array_equal(one.cov, two.cov)


def test_cross_validation_chooses_and_sigma_is_that_of_its_residuals():
    model = LassoCDCV(cv=5).fit(WIDE, WIDE_Y)
    found = infer(model, WIDE, WIDE_Y, method="desparsified")
    left = 40 - 1 - np.count_nonzero(model.coef_)
    assert found.sigma == pytest.approx(np.sqrt(np.sum((WIDE_Y - model.predict(WIDE)) ** 2) / left), rel=1e-12)
    full = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), y, rcond=None)[1][0]
    assert selective(X, y, sigma=None).sigma == pytest.approx(np.sqrt(full / (N - P - 1)), rel=1e-12)


def test_several_targets_are_a_list():
    found = desparsified(X, np.column_stack([y, -2 * y]), model=LassoCD(alpha=0.0))
    close(found[1].coef, -2 * found[0].coef)


def test_simultaneous_intervals_are_wider():
    found = desparsified(X, y)
    each, all_at_once = found.conf_int(), found.conf_int(simultaneous=True)
    assert np.all(np.diff(all_at_once) > np.diff(each))
    with pytest.raises(ValueError, match="no simultaneous intervals"):
        selective(X, y).conf_int(simultaneous=True)


@BOTH
def test_tables_and_pickles(inferred):
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(P)])
    found = inferred(frame, y)
    table = found.to_frame()
    assert list(table.index) == found.names
    assert {"coef", "p", "low", "high"} <= set(table.columns)
    assert "lasso proved to" in str(found)
    assert "<table>" in found._repr_html_()
    again = pickle.loads(pickle.dumps(found))
    assert isinstance(again, LassoInference)
    assert np.array_equal(again.conf_int(0.8), found.conf_int(0.8))


def test_nothing_selected_is_an_empty_table():
    found = selective(X, y, model=LassoCD(alpha=100.0))
    assert found.conf_int().shape == (0, 2)
    assert found.pvalues.shape == (0,)
    assert "sigma" not in str(found)


# What is refused.


def refused(message, model, method, X=X, y=y, error=ValueError, **options):
    with pytest.raises(error, match=message):
        infer(model.fit(X, y), X, y, method=method, **options)


def test_other_models_are_refused():
    refused("LassoCD or LassoCDCV", ElasticNetCD(alpha=0.1), "desparsified", error=TypeError)
    refused("LassoCD or LassoCDCV", LADRegressor(), "desparsified", error=TypeError)
    refused("not have been chosen", LassoCDCV(cv=3), "selective", error=TypeError)
    refused("not have been chosen", LassoCDIC(), "selective", error=TypeError)
    refused('For LassoCD and LassoCDCV pass method="desparsified"', LassoCD(alpha=0.1), "robust", error=TypeError)
    refused("post_selection", LassoCDCV(cv=3, post_selection=0.0), "desparsified")
    refused("positive", LassoCD(alpha=0.1, positive=True), "desparsified")


@BOTH
def test_another_optimum_is_refused(inferred):
    model = LassoCD(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="not optimal for these data"):
        infer(model, X, y + X[:, 0], method=inferred.__name__)


def test_columns_that_are_nearly_equal_are_warned_of():
    twins = np.column_stack([X, X[:, 3] + 1e-4 * rng.standard_normal(N)])
    with pytest.warns(UserWarning, match=r"2 columns are nearly linear combinations of others.*: x3, x12\."):
        desparsified(twins, y)


def test_a_nodewise_lasso_that_is_not_proved_is_warned_of(monkeypatch):
    follow = GramPath.follow

    def stopped(self, unit, alphas, max_steps):
        return follow(self, unit, alphas, 1)

    monkeypatch.setattr(GramPath, "follow", stopped)
    with pytest.warns(UserWarning, match=r"of 60 nodewise lassos are not proved to 1e-09, the worst to"):
        found = desparsified(WIDE, WIDE_Y)
    assert found.nodewise_gap.max() > 1e-9


def test_data_and_parameters_are_checked():
    lasso = LassoCD(alpha=0.1)
    refused("constant columns.*x12", lasso, "desparsified", X=np.column_stack([X, np.ones(N)]))
    refused("x0 and x12", lasso, "desparsified", X=np.column_stack([X, -2 * X[:, 0]]))
    refused("Pass sigma", LassoCD(alpha=1e-8), "desparsified", X=WIDE, y=WIDE_Y)
    refused("pass sigma", lasso, "selective", X=WIDE, y=WIDE_Y)
    refused("sigma", lasso, "desparsified", sigma=0.0)
    refused("neither with groups", lasso, "desparsified", groups=np.arange(N))
    refused("frequency", lasso, "selective", weights="frequency")
    refused("sigma is for a lasso", LADRegressor(), "robust", sigma=1.0)


@pytest.mark.parametrize("method", ["desparsified", "selective"])
@pytest.mark.parametrize(("columns", "target"), [(0.0, 1e9), (1e9, 0.0)])
def test_inference_does_not_depend_on_the_origin(method, columns, target):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((100, 4)) * 2**10) / 2**10  # exact beside 1e9
    y = X @ np.arange(4) + np.round(rng.standard_normal(100) * 2**16) / 2**16
    here = infer(LassoCD(alpha=0.05).fit(X, y), X, y, method=method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the intercept has no digits below 1e-7
        moved = LassoCD(alpha=0.05).fit(X + columns, y + target)
        there = infer(moved, X + columns, y + target, method=method)
    np.testing.assert_allclose(there.conf_int(), here.conf_int(), atol=1e-6)
