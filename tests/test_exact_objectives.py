"""The objective of a certificate is that of the coefficients that are returned: it is compared in fractions."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor, blocks, fit_many
from ladreg._arrays import exact_dot
from ladreg._design import as_design
from ladreg._paths import solve_path
from ladreg._problem import Absolute, HalfSquared, Settings
from ladreg._tolerances import HIDDEN
from tests.problems import make

QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)


KINDS = "far", "far without intercept", "nearly equal", "nearly equal far", "targets far"


def huber(r):
    return r * r / 2 if abs(r) <= HALF else HALF * abs(r) - HALF / 4


LOSSES = {
    "lad": (LADRegressor(), abs),
    "quantile": (QuantileRegressor(quantile=0.25, alpha=0.0), lambda r: r * QUARTER if r > 0 else (QUARTER - 1) * r),
    "huber": (HuberLossRegressor(0.5, scale=1.0), huber),
    "combined": (CombinedLossRegressor(0.5), lambda r: (abs(r) + r * r) / 2),
    "squares": (LassoCD(0.0), lambda r: r * r / 2),
}


def table(kind, seed, n_rows):
    """Rows whose predictions are sums of numbers far larger than they are."""
    rng = np.random.default_rng(seed)
    X, distance = rng.normal(size=(n_rows, 3)), 10.0 ** rng.integers(0, 13, 3)
    y = rng.normal(size=n_rows)
    if "nearly equal" in kind:
        X[:, 1] = X[:, 0] + 10.0 ** rng.uniform(-10, -4) * rng.normal(size=n_rows)
    else:
        y = y + X.sum(axis=1)
    if "far" in kind and "targets" not in kind:
        X = X + (1e3 if "nearly equal" in kind else distance * rng.choice([-1.0, 1.0], 3))
    return X, y + 1e9 * (kind == "targets far" or (kind == "far" and seed % 2))


def exact_objective(X, y, loss, coef, intercept, alpha=0.0):
    """The mean loss and an L1 penalty in fractions; the mean is over all rows."""
    coef, intercept = [Fraction(b) for b in np.asarray(coef).tolist()], Fraction(float(intercept))
    rows = [[Fraction(x) for x in row] for row in X.tolist()]
    predicted = [intercept + sum(x * b for x, b in zip(row, coef, strict=True)) for row in rows]
    losses = [loss(Fraction(t) - p) for t, p in zip(y.tolist(), predicted, strict=True)]
    return sum(losses) / len(rows) + Fraction(alpha) * sum(map(abs, coef))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("held", [0, 50])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_claimed_objectives_have_their_digits(kind, name, held):
    """Rounding of far columns, or of large coefficients that cancel, is no part of an objective.

    In blocks `held` rows are kept in memory, of which there are more.
    """
    model, loss = LOSSES[name]
    for seed in range(3 if held else 6):
        X, y = table(kind, seed, 200 if held else 20)
        model.set_params(fit_intercept="without" not in kind)
        model = model.fit(blocks.arrays(X, y, rows=70).holding(held)) if held else model.fit(X, y)
        exact = exact_objective(X, y, loss, model.coef_, model.intercept_)
        assert abs(Fraction(model.certificate_.objective) - exact) <= HIDDEN * exact


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_rows", [3, 8, 20])
@pytest.mark.parametrize("loss", [Absolute(), HalfSquared()], ids=["lad", "squares"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_objectives_of_paths_have_their_digits(kind, loss, n_rows):
    """Their answers are proved together."""
    one, alphas = LOSSES["squares" if loss.is_square else "lad"][1], np.array([1e-3, 1e-6, 1e-9])
    for seed in range(5):
        X, y = table(kind, seed, n_rows)
        problem = make(X, y, loss=loss, alpha=1.0, fit_intercept="without" not in kind)
        path = solve_path(problem, alphas, Settings(1e-9))
        for k, alpha in enumerate(alphas.tolist()):
            exact = exact_objective(X, y, one, path.coef[:, k], path.intercept[k], alpha)
            assert abs(Fraction(path.objective[k]) - exact) <= HIDDEN * exact


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_objectives_of_many_fits_have_their_digits(kind):
    """Those of many targets, and of many quantiles."""
    for seed in range(5):
        X, y = table(kind, seed, 20)
        y = np.column_stack([y, y[::-1]])
        fits = fit_many(LADRegressor(fit_intercept="without" not in kind), X, y)
        for k in range(2):
            exact = exact_objective(X, y[:, k], abs, fits.coef[k], fits.intercept[k])
            assert abs(Fraction(fits.objective[k]) - exact) <= HIDDEN * exact
        quantiles = np.array([0.25, 0.5])
        model = QuantileRegressor(quantile=quantiles, alpha=0.0, fit_intercept="without" not in kind).fit(X, y[:, 0])
        for k, loss in enumerate((LOSSES["quantile"][1], lambda r: abs(r) / 2)):
            exact = exact_objective(X, y[:, 0], loss, model.coef_[k], model.intercept_[k])
            assert abs(Fraction(model.certificate_[k].objective) - exact) <= HIDDEN * exact


def test_a_sum_of_products_is_rounded_once():
    """Also where the terms cancel; a product that overflows makes the sum what float64 has for it."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        values, factors = rng.normal(size=(2, 4)) * 10.0 ** rng.uniform(-20, 20, (2, 4))
        terms = [float(rng.normal()), -float(values @ factors)]
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(values.tolist(), factors.tolist(), strict=True))
        assert exact_dot(values, factors, *terms) == float(exact + sum(map(Fraction, terms)))
    assert exact_dot(np.array([1e-300]), np.array([1e-300]), 1.0) == 1.0
    assert exact_dot(np.array([1e300]), np.array([1e300]), 1.0) == np.inf


@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sp.csr_array, sp.csc_array])
def test_an_accurate_residual_has_the_digits_of_cancelling_columns(form):
    """Coefficients of 1e10 and -1e10 of columns that differ by 1e-9, also beside zeros."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4)) * (rng.random((50, 4)) < 0.7)
    X[:, 1] = X[:, 0] + 1e-9 * X[:, 1]
    y, coef = rng.normal(size=50), np.array([1e10, -1e10, 0.0, 3.0])
    found = as_design(form(X)).accurate_residual(coef, y, 0.1)
    terms = [[-Fraction(x) * Fraction(b) for x, b in zip(row, coef.tolist(), strict=True)] for row in X.tolist()]
    exact = [float(Fraction(t) - Fraction(0.1) + sum(row)) for t, row in zip(y.tolist(), terms, strict=True)]
    np.testing.assert_array_equal(found, exact)
