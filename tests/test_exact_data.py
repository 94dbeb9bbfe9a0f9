"""Targets that a plane fits exactly, in all rows or most: work and memory follow the columns, not the rows."""

import warnings

import numpy as np
import pytest

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor
from tests import public
from tests.faults import always
from tests.problems import peak_of

MODELS = [
    LADRegressor(),
    LADRegressor(0.01),
    QuantileRegressor(quantile=0.1, alpha=0),
    QuantileRegressor(quantile=0.8, alpha=0.01),
    CombinedLossRegressor(),
    CombinedLossRegressor(0.95),
    CombinedLossRegressor(0.5, 0.01),
    HuberLossRegressor(),
]


def targets(X, rng):
    """Most of them on a plane, named by what the others are."""
    n, p = X.shape
    plane = X @ np.arange(1.0, p + 1)
    wild = rng.choice([-1.0, 1.0], n) * np.exp(rng.uniform(0, 12, n))
    return {
        "none": plane,
        "rounding": plane * (1 + 2.2e-16 * rng.integers(-1, 2, n)),
        "a tenth, gross": plane + np.where(rng.random(n) < 0.1, wild, 0.0),
        "four tenths, above": plane + np.where(rng.random(n) < 0.4, np.exp(rng.uniform(0, 6, n)), 0.0),
        "half, noise": plane + np.where(rng.random(n) < 0.5, rng.standard_normal(n), 0.0),
        "most, noise": plane + np.where(rng.random(n) < 0.8, rng.standard_normal(n), 0.0),
        "zeros": np.where(rng.random(n) < 0.6, 0.0, np.exp(rng.standard_normal(n))),
    }


def columns(kind, n, p, rng):
    if kind == "normal":
        return rng.standard_normal((n, p))
    if kind == "integers":
        return rng.integers(-50, 51, (n, p)).astype(float)
    if kind == "few integers":
        return rng.integers(0, 3, (n, p)).astype(float)
    return rng.standard_normal((n // 10, p))[rng.integers(0, n // 10, n)]


KINDS = ("normal", "integers", "few integers", "repeated rows")
OTHERS = tuple(targets(np.zeros((10, 1)), np.random.default_rng(0)))


def fitted(model, X, y):
    """The model, fitted without a warning, and the counts of its solver."""
    with warnings.catch_warnings(), public.solutions() as stored:
        warnings.simplefilter("error")
        model.fit(X, y)
    return model, stored[-1].stats


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_solved_follow_the_columns(model, kind, others):
    rng = np.random.default_rng(0)
    n, p = 12_000, 6
    X = columns(kind, n, p, rng)
    y = targets(X, rng)[others]
    model, stats = fitted(model, X, y)
    assert model.certificate_.relative_gap < 1e-12
    assert stats.get("rung", 1) <= 1
    # 40 rows a column are the reduced problem, and the rows that a plane is guessed from. One with noise may have a
    # sixth of the rows a column instead, which cost no more than one pass, and rows that were on the wrong side join.
    # A table of at most 2,000 distinct rows is not worth a reduction.
    n_solved, most = stats.get("rows_solved", 0), max(3 * 40 * (p + 1), n / (3 * (p + 1)))
    assert n_solved <= most or n_solved <= np.unique(np.c_[X, y], axis=0).shape[0] <= 2000


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("others", ["none", "a tenth, gross", "most, noise"])
def test_memory_follows_the_columns(model, others):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((20_000, 20))
    y = targets(X, rng)[others]
    peak = peak_of(lambda: model.fit(X, y))
    # Temporary arrays of blocks of rows are a part of a table as small as this one.
    assert peak < 2.0 * X.nbytes


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("shape", [(60, 2), (300, 20), (1500, 4)])
def test_small_tables_need_no_linear_program(model, shape, others):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    model, stats = fitted(model, X, targets(X, rng)[others])
    assert model.certificate_.relative_gap < 1e-11
    assert stats.get("rung", 1) <= 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("quantile", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("n", [100, 1000, 20_000])
def test_a_majority_on_a_plane_is_the_fit(seed, quantile, n):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    coef = rng.integers(-3, 4, 3)
    y = X @ coef + 5
    wrong = rng.permutation(n)[: n // 10]
    y[wrong] += rng.standard_normal(wrong.size) * 10.0 ** rng.uniform(-3, 6, wrong.size)
    model = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y)
    np.testing.assert_allclose([*model.coef_, model.intercept_], [*coef, 5], atol=1e-11)
    assert model.certificate_.unique


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("others", ["none", "a tenth, gross"])
def test_columns_that_depend_on_others_have_the_smallest_coefficients(model, others):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 3))
    y = targets(X, rng)[others]
    one = model.fit(X, y).predict(X)
    objective = model.objective_
    both = model.fit(np.column_stack([X, X[:, 0]]), y)
    assert both.objective_ == pytest.approx(objective, rel=1e-9, abs=1e-14)
    np.testing.assert_allclose(X @ (both.coef_[:3] + np.array([both.coef_[3], 0, 0])) + both.intercept_, one, atol=1e-9)
    assert both.coef_[0] == pytest.approx(both.coef_[3], abs=1e-9)


@pytest.mark.parametrize("n", [40, 100, 4000])
def test_systems_of_the_combined_loss_have_no_more_equations_than_columns(n):
    """With 5 to 34 rows on the kink in a table of four columns, the intercept's among them."""
    rng, sizes = np.random.default_rng(0), []
    X, y = rng.integers(0, 3, (n, 3)).astype(float), rng.integers(0, 4, n).astype(float)
    with always(np.linalg, "inv", lambda real, matrix: sizes.append(matrix.shape[-1]) or real(matrix)):
        model = CombinedLossRegressor(0.95).fit(X, y)
    assert model.certificate_.relative_gap < 1e-12
    assert np.count_nonzero(np.abs(y - model.predict(X)) < 1e-12) > 4
    assert 4 < max(sizes) <= 2 * 4


def rare_dummies(n, p, rng):
    """A factor of 20 levels and a number, beside `p` dummies with 3 to 60 rows each that overlap."""
    level = (rng.integers(0, 20, n)[:, None] == np.arange(1, 20)).astype(float)
    dummies = np.zeros((n, p))
    for column in dummies.T:
        column[rng.choice(n, rng.integers(3, 60), replace=False)] = 1.0
    return np.hstack([level, rng.standard_normal((n, 1)), dummies])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", [LADRegressor(), QuantileRegressor(quantile=0.6, alpha=0)], ids=repr)
def test_columns_without_rows_near_the_fit_are_fitted_to_their_own(model, seed):
    """A plane of the factor alone holds for nine rows in ten; of a dummy, any part of the rows may be off it."""
    rng = np.random.default_rng(seed)
    n, p = 8000, 60
    X = rare_dummies(n, p, rng)
    wrong = rng.random(n) < 0.1
    y = X[:, :19] @ rng.integers(1, 9, 19) + np.where(wrong, rng.integers(1, 4, n), 0)
    model, stats = fitted(model, X, y)
    assert model.certificate_.relative_gap < 1e-12
    assert stats["rung"] == 1
    # 20 per column, which is a quarter of the rows: all others are tied, or held on their side.
    assert stats["rows_solved"] <= 20 * (X.shape[1] + 1)


def test_duals_of_few_tied_rows_balance_what_few_others_ask():
    """One row in fifty is off the plane: the duals of one tied row in three, at most, need not be zero."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12_000, 3))
    y = X @ np.ones(3) + np.where(rng.random(12_000) < 0.02, rng.exponential(1.0, 12_000), 0.0)
    model, stats = fitted(LADRegressor(), X, y)
    assert model.certificate_.unique
    assert model.certificate_.relative_gap < 1e-12
    assert stats["rows_balanced"] <= 4000
