"""Lassos from blocks of rows: the fits of memory, from one pass for the moments of the folds and one for the proof."""

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import PredefinedSplit
from threadpoolctl import threadpool_limits

from ladreg import (
    ElasticNetCD,
    ElasticNetCDCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressorIC,
    alpha_max,
    blocks,
    lasso_path,
)
from ladreg._certificate import SquareSums, prove, prove_from_sums
from ladreg._design import as_design
from ladreg._from_blocks import RowFolds, moments
from ladreg._problem import ElasticNet, HalfSquared, Problem, Settings
from ladreg._row_blocks import Passes
from ladreg._solvers import solve
from ladreg.blocks import BlockError
from tests.problems import NamedBlocks, Simulated, peak_of


def table(seed=0, n=600, p=7):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ (np.eye(p) + 0.2 * rng.standard_normal((p, p)))
    return X, X @ np.where(np.arange(p) % 3 == 0, 2.0, 0.0) + rng.standard_normal(n) + 5.0


def drawn(rng):
    """A table of some kind, weights or None, and parameters of a fit."""
    n, p = int(rng.integers(30, 800)), int(rng.integers(1, 15))
    X = rng.standard_normal((n, p))
    kind = rng.integers(7)
    if kind == 0:
        X = np.column_stack([X, np.eye(5)[np.sort(rng.integers(0, 5, n))]])
    elif kind == 1:
        X = np.column_stack([X, X[:, 0], -X[:, -1], np.full(n, 3.0)])
    elif kind == 2:
        X = X * 10.0 ** rng.integers(-3, 4, p) + 10.0 * rng.standard_normal(p)
    elif kind == 3:
        X = np.where(rng.random((n, p)) < 0.7, 0.0, X)
        X = sp.csr_array(X)
    elif kind == 4:
        X = rng.integers(0, 3, (n, p)).astype(float)
    elif kind == 5:
        X = X.astype(np.float32)
    y = X @ rng.standard_normal(X.shape[1]) + rng.standard_normal(n) + 3.0
    weight = None if rng.random() < 0.5 else rng.integers(0, 4, n) + (np.arange(n) < 2.0)
    params = {"fit_intercept": rng.random() < 0.7, "positive": rng.random() < 0.3, "standardize": rng.random() < 0.3}
    if rng.random() < 0.2:
        params.update(positive=False, bounds=(-0.5, np.where(np.arange(X.shape[1]) % 2, 0.3, np.inf)))
    if rng.random() < 0.3:
        factors = np.ones(X.shape[1])
        factors[0], factors[-1] = 0.0, np.inf
        params["penalty_weights"] = factors if X.shape[1] > 1 else None
    return X, y, None if weight is None else weight.astype(float), params


def assert_same(found, wanted, size=1.0):
    assert found.objective_ == pytest.approx(wanted.objective_, rel=1e-12, abs=1e-26 * size)
    scale = np.abs(wanted.coef_).max(initial=0.0)
    tol = 1e-9 if wanted.coef_.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=0, atol=tol * scale)
    assert found.coef_.dtype == wanted.coef_.dtype
    assert found.certificate_.relative_gap <= 1e-12
    assert found.certificate_.unique == wanted.certificate_.unique


def test_random_tables_have_the_fits_of_memory():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X, y, weight, params = drawn(rng)
        share, alpha = rng.choice([0.5, 1.0]), rng.choice([0.0, 0.003, 0.1])
        wanted = ElasticNetCD(alpha, l1_ratio=share, **params).fit(X, y, weight)
        data = blocks.arrays(X, y, weight, rows=int(rng.integers(20, 300)))
        found = ElasticNetCD(alpha, l1_ratio=share, **params).fit(data)
        try:
            assert_same(found, wanted, float(y @ y))
            assert found.intercept_ == pytest.approx(wanted.intercept_, rel=1e-6, abs=1e-6)
            # Columns may depend on each other where they are free; what they have beside others is asked in a pass.
            assert found.n_passes_ in ((2, 3) if alpha == 0.0 else (2,))
            is_rounded = found.coef_.dtype == np.float32
            assert found.verify(data).relative_gap <= (1e-6 if is_rounded else 1e-12)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.filterwarnings("ignore:alpha=.* is the smallest that was tried")
def test_paths_of_random_tables_have_the_errors_of_memory():
    for seed in range(100, 124):
        rng = np.random.default_rng(seed)
        X, y, weight, params = drawn(rng)
        params.pop("bounds", None)  # their paths take seconds
        settings = {"alphas": 12, "cv": int(rng.integers(2, 6)), "selection": str(rng.choice(["min", "1se"]))}
        settings["post_selection"] = 0.5 if rng.random() < 0.3 else None
        data = blocks.arrays(X, y, weight, rows=int(rng.integers(20, 300)))
        wanted = LassoCDCV(**settings, **params).fit(X, y, weight)
        found = LassoCDCV(**settings, **params).fit(data)
        try:
            # Small errors are differences of sums as large as the first.
            rounding = 1e-14 * wanted.mse_path_.max()
            np.testing.assert_allclose(found.mse_path_, wanted.mse_path_, rtol=1e-12, atol=rounding)
            assert found.n_passes_ == 2
            assert found.alpha_ == pytest.approx(wanted.alpha_, rel=1e-12)
            assert_same(found, wanted)
            np.testing.assert_allclose(found.coef_path_, wanted.coef_path_, atol=1e-6 * np.abs(wanted.coef_path_).max())
            np.testing.assert_allclose(found.intercept_path_, wanted.intercept_path_, atol=1e-5)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_other_choices_of_alpha_are_those_of_memory():
    X, y = table()
    weight = np.random.default_rng(1).integers(0, 3, y.size).astype(float)
    data = blocks.arrays(X, y, weight, rows=130)
    wanted, found = (ElasticNetCDCV(l1_ratio=[0.5, 1.0], alphas=15).fit(*given) for given in ((X, y, weight), (data,)))
    np.testing.assert_allclose(found.mse_path_, wanted.mse_path_, rtol=1e-12)
    assert (found.l1_ratio_, found.n_passes_) == (wanted.l1_ratio_, 2)
    for criterion in ("aic", "bic", "ebic"):
        wanted, found = (LassoCDIC(criterion, alphas=15).fit(*given) for given in ((X, y, weight), (data,)))
        np.testing.assert_allclose(found.criterion_, wanted.criterion_, rtol=1e-12)
        assert_same(found, wanted)


def test_folds_are_the_values_of_a_column():
    X, y = table(p=3)
    X[:, 2] = np.random.default_rng(0).integers(0, 4, y.size) * 2.0
    model = LassoCDCV(alphas=15, penalty_weights=[1, 1, np.inf])
    wanted = model.set_params(cv=PredefinedSplit((X[:, 2] / 2).astype(int))).fit(X, y)
    mse, coef = wanted.mse_path_, wanted.coef_
    found = model.set_params(cv="month").fit(NamedBlocks(X, y))
    np.testing.assert_allclose(found.mse_path_, mse, rtol=1e-12)
    np.testing.assert_allclose(found.coef_, coef, rtol=1e-9)
    assert found.n_passes_ == 3  # of this source the rows are counted first
    assert list(found.feature_names_in_) == ["a", "b", "month"]
    with pytest.raises(ValueError, match="the name of a column of X, got 'year'"):
        LassoCDCV(cv="year").fit(NamedBlocks(X, y))
    with pytest.raises(ValueError, match="at least 2 distinct values, got only 0"):
        LassoCDCV(cv="month").fit(NamedBlocks(X * 0.0, y))
    with pytest.raises(ValueError, match="names a column, which is possible only for data in blocks"):
        LassoCDCV(cv="month").fit(X, y)


def bits(data):
    single, tuned = LassoCD(alpha=0.1).fit(data), LassoCDCV(alphas=10).fit(data)
    return pickle.dumps(
        [single.coef_, single.objective_, single.dual_gap_, tuned.coef_, tuned.mse_path_, tuned.objective_]
    )


def processes():
    return ProcessPoolExecutor(2, mp_context=get_context("fork"))


def test_bits_do_not_depend_on_who_reads():
    X, y = table(n=3000)
    data = blocks.arrays(X, y, np.linspace(0.5, 2.0, y.size), rows=170)
    wanted = bits(data)
    for workers in (1, 2, 3):
        with ThreadPoolExecutor(workers) as pool:
            assert bits(data.on(pool)) == wanted
    assert bits(data.on(processes)) == wanted


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_do_not_depend_on_the_threads_of_blas(threads):
    """OpenBLAS sums products of these shapes in another order with two threads."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((7000, 150)), rng.standard_normal(7000)
    seen = []
    for number in (1, threads):
        with threadpool_limits(number, "blas"):
            passes = Passes(blocks.arrays(X, y, rows=7000).source)
            seen.append(moments(passes, RowFolds(np.array([0, 7000])), None).total.products)
    assert np.array_equal(*seen)


def test_nothing_as_long_as_the_rows_is_kept():
    data = blocks.Blocks(Simulated(40))
    model = LassoCDCV(alphas=5).fit(blocks.arrays(*table()))  # what is imported and compiled once
    with ThreadPoolExecutor(1) as pool:
        peak = peak_of(lambda: model.fit(data.on(pool)))
    assert model.n_passes_ == 2
    assert peak < 200_000 * 8  # one number a row


def test_columns_may_be_far_from_the_origin_and_drift():
    """The fit is that of centred data, which the fit in memory loses digits of."""
    X, y = table(n=900)
    X = np.round(X * 2.0**10) / 2.0**10  # exact far away as well
    y = np.round(y * 2.0**10) / 2.0**10
    wanted = LassoCD(alpha=0.1).fit(X, y)
    found = LassoCD(alpha=0.1).fit(blocks.arrays(X + 2.0**40, y - 2.0**41, rows=200))
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-12)
    assert found.certificate_.relative_gap <= 1e-12
    drift = X + 1e3 * np.arange(900.0)[:, None]
    wanted, found = (LassoCD(alpha=0.1).fit(*given) for given in ((drift, y), (blocks.arrays(drift, y, rows=100),)))
    assert found.certificate_.relative_gap <= 1e-12
    assert found.objective_ <= wanted.objective_ * (1 + 1e-12)
    assert found.n_passes_ == 3  # columns that differ by a millionth: the sums alone leave a gap of 1e-8


def test_sparse_columns_may_be_far_from_the_origin():
    X, y = table(n=400, p=3)
    far = sp.csr_array(X + 1e6)
    wanted, found = (LassoCD(alpha=0.1).fit(blocks.arrays(given, y, rows=90)) for given in (X, far))
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-8)


def test_standard_deviations_are_those_of_memory_where_means_dwarf_them():
    """Without an intercept the few rows with the moments are where the columns are, with few digits of deviations."""
    X, y = table(n=400, p=1)
    weight = np.where(np.arange(400) == 7, 1e12, 1.0)
    for columns, weights in ((np.round(X * 2.0**10) / 2.0**10 + 2.0**37, None), (X, weight)):
        model = ElasticNetCD(alpha=0.1, standardize=True, fit_intercept=False)
        wanted = model.fit(columns, y, weights).objective_
        found = model.fit(blocks.arrays(columns, y, weights, rows=90))
        assert found.objective_ == pytest.approx(wanted, rel=1e-13, abs=0)
        given = found.verify(columns, y, weights)
        assert given.objective == pytest.approx(found.objective_, rel=1e-13, abs=0)


@pytest.mark.parametrize("positive", [False, True])
def test_what_gram_matrices_cannot_tell_is_told_by_what_columns_have_beside_others(positive):
    """Columns equal but for 1e-9 of their size differ less than their products' rounding: one more pass knows them."""
    X, y = table()
    X[:, 1] = X[:, 0] + 1e-9 * X[:, 1]
    for given in (X, sp.csr_array(X)):
        model = LassoCD(alpha=1e-10, positive=positive)
        wanted, found = (model.fit(*rows).verify(X, y) for rows in ((X, y), (blocks.arrays(given, y, rows=100),)))
        assert found.relative_gap <= 1e-12
        assert found.objective <= wanted.objective * (1 + 1e-13)
        assert model.n_passes_ <= 5


def test_squares_that_underflow_are_an_error():
    """Products of 1e-113 with themselves and a weight of 1e-140 are zero: the columns would seem to be constant."""
    X, y = table(n=90, p=2)
    with pytest.raises(OverflowError, match="underflow"):
        LassoCD(alpha=0.1).fit(blocks.arrays(X * 1e-113, y, np.full(90, 1e-140), rows=40))


def test_rows_of_little_weight_decide_what_rows_of_large_weight_leave_open():
    """Products of all rows have no digit of rows whose weights are 1e-12 of others'."""
    X, y = table(p=4)
    for number in (2, 3):
        weight = np.where(np.arange(y.size) < number, 1e12, 1.0)
        found = ElasticNetCD(alpha=0.0).fit(blocks.arrays(X, y, weight, rows=100))
        light = weight == 1.0
        # What is left where the rows of large weight are fitted exactly: nothing else is known of the optimum.
        rows = np.column_stack([X, np.ones(y.size)])
        _, _, turned = np.linalg.svd(rows[~light])
        exact, free = np.linalg.lstsq(rows[~light], y[~light])[0], turned[number:].T
        point = exact + free @ np.linalg.lstsq(rows[light] @ free, y[light] - rows[light] @ exact)[0]
        least = 0.5 * float(np.sum((y[light] - rows[light] @ point) ** 2)) / weight.sum()
        assert found.objective_ == pytest.approx(least, rel=1e-9, abs=0)
        np.testing.assert_allclose(np.append(found.coef_, found.intercept_), point, rtol=1e-5)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_sums_prove_what_the_rows_prove(positive, fit_intercept):
    """The gap bounds the distance from the optimum, for any coefficients, and is hardly larger than that of memory."""
    X, y = table(n=60)
    n, p = X.shape
    weight = np.full(n, 1.0 / n)
    rng = np.random.default_rng(0)
    middle = X.mean(axis=0) if fit_intercept else np.zeros(p)
    gram = (X - middle).T @ (X - middle) / n
    for k in range(60):
        strength = rng.choice([0.0, 0.01, 0.3, np.inf], p)
        limits = ()
        if k % 3 == 0 and not positive:
            limits = rng.choice([-np.inf, -0.5, 0.0], p), rng.choice([0.0, 0.2, np.inf], p)
        ridge = rng.choice([0.0, 0.1], p) * (k % 2) * np.isfinite(strength)
        penalty = ElasticNet(strength, positive, ridge, *limits)
        problem = Problem(as_design(X), y, weight, HalfSquared(), penalty, fit_intercept)
        best = solve(problem, Settings(tol=1e-14, max_iter=None))
        coef = np.where(np.isinf(strength), 0.0, best.coef + rng.choice([0.0, 1e-3, 1.0]) * rng.standard_normal(p))
        coef = penalty.within(coef)
        intercept = best.intercept + fit_intercept * rng.choice([0.0, 0.1])
        residual = y - X @ coef - intercept
        sums = SquareSums(
            squares=float(weight @ residual**2),
            slope=(X - middle).T @ (weight * residual),
            total=float(weight @ residual),
            gram=gram,
            column_squares=weight @ X**2,
            y_square=float(weight @ y**2),
            fit_intercept=fit_intercept,
        )
        proof, known = prove_from_sums(penalty, coef, sums), prove(problem, coef, intercept, weight * residual)
        assert proof.objective == pytest.approx(known.objective, rel=1e-13)
        assert proof.gap >= proof.objective - best.objective - 1e-14 * proof.objective
        assert proof.gap <= known.gap * (1 + 1e-9) + 1e-14 * proof.objective


def test_errors_say_where_and_what():
    X, y = table(n=100)
    bad = X.copy()
    bad[73, 2] = np.nan
    with pytest.raises(BlockError, match="rows 60 to 79: column 2 of row 13 is nan"):
        LassoCD().fit(blocks.arrays(bad, y, rows=20))
    with pytest.raises(
        BlockError, match=r"rows 0 to 19: the weight of row 3 is -1: sample_weight must be finite and >= 0"
    ):
        LassoCD().fit(blocks.arrays(X, y, np.where(np.arange(100) == 3, -1.0, 1.0), rows=20))
    with pytest.raises(BlockError, match="rows 80 to 99: the target of row 19 is inf"):
        LassoCD().fit(blocks.arrays(X, np.where(np.arange(100) == 99, np.inf, y), rows=20))
    with pytest.raises(BlockError, match=r"rows 60 to 79: column 2 of row 13 is nan"):
        LassoCD().fit(blocks.arrays(sp.csr_array(bad), y, rows=20))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        LassoCD().fit(blocks.arrays(X, y, np.zeros(100), rows=20))
    with pytest.raises(ValueError, match="fold 1 of cv has no held-out rows, or none with a weight above zero"):
        LassoCDCV(cv=2).fit(blocks.arrays(X, y, np.where(np.arange(100) < 50, 1.0, 0.0), rows=20))
    with pytest.raises(ValueError, match="cv=101 is more than the number of rows, 100"):
        LassoCDCV(cv=101).fit(blocks.arrays(X, y, rows=20))
    with pytest.raises(ValueError, match="scoring must be None"):
        LassoCDCV(scoring="r2").fit(blocks.arrays(X, y, rows=20))
    with pytest.raises(ValueError, match="cv must be None, an integer or the name of a column"):
        LassoCDCV(cv=PredefinedSplit(np.arange(100) % 2)).fit(blocks.arrays(X, y, rows=20))
    with pytest.raises(TypeError, match="unexpected argument 'groups'"):
        LassoCDCV().fit(blocks.arrays(X, y, rows=20), groups=y)
    with pytest.raises(ValueError, match="y must be None for data in blocks"):
        LassoCD().fit(blocks.arrays(X, y, rows=20), y)
    with pytest.raises(OverflowError, match="overflow"):
        LassoCD().fit(blocks.arrays(X * 1e200, y, rows=20))
    model = LassoCD().fit(X[:, :2], y)
    with pytest.raises(ValueError, match="X has 7 features, but LassoCD is expecting 2"):
        model.verify(blocks.arrays(X, y, rows=20))


@pytest.mark.parametrize("model", [LADRegressorIC(), QuantileRegressorIC()], ids=str)
def test_others_name_those_that_take_blocks(model):
    data = blocks.arrays(*table(), rows=100)
    with pytest.raises(TypeError, match=rf"{type(model).__name__} needs all rows in memory\. For data in blocks use"):
        model.fit(data)
    assert not hasattr(model, "coef_")


def test_functions_that_need_all_rows_say_so():
    for call in (lasso_path, alpha_max):
        with pytest.raises(TypeError, match="needs all rows in memory"):
            call(blocks.arrays(*table(), rows=100), None)


def test_nothing_of_the_data_is_kept():
    X, y = table()
    data = blocks.arrays(X, y, rows=100)
    model = LassoCDCV(alphas=5).fit(data)
    assert len(pickle.dumps(model)) < 10_000
    wanted = model.coef_
    again = model.fit(X, y)
    assert not hasattr(again, "n_passes_")
    np.testing.assert_allclose(again.coef_, wanted, rtol=1e-9)
    warm = LassoCD(alpha=0.1, warm_start=True).fit(data)
    first = warm.coef_
    np.testing.assert_allclose(warm.fit(data).coef_, first, rtol=1e-12)


def test_dask_arrays_are_fitted_block_by_block():
    da = pytest.importorskip("dask.array")
    X, y = table()
    weight = np.linspace(1.0, 2.0, y.size)
    given = da.from_array(X, chunks=(150, -1)), da.from_array(y, chunks=150)
    found = LassoCD(alpha=0.1).fit(*given, sample_weight=da.from_array(weight, chunks=150))
    assert_same(found, LassoCD(alpha=0.1).fit(X, y, weight))
    assert found.n_passes_ == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # slopes have no digits that small
def test_a_strength_whose_square_leaves_float64():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0) % 4
    there = LassoCD(1e-300).fit(blocks.arrays(X, y, rows=7))
    assert there.objective_ == pytest.approx(LassoCD(1e-300).fit(X, y).objective_, rel=1e-12)
