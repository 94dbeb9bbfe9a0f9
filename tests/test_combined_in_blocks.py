"""The combined loss from rows in blocks: moments for squares, rows near the fit, and the proof from sums."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import CombinedLossRegressor, HuberLossRegressor, blocks
from ladreg._certificate import Kink, SquareSums, prove, prove_from_sums
from ladreg._design import as_design
from ladreg._from_blocks import turned
from ladreg._problem import Combined, ElasticNet, Problem, Settings
from ladreg._solvers import solve

N = 8_000


def table(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, 4)) * [1, 10, 0.1, 1] + [0, 3, 0, 1000]
    return X, X @ [1, 0.2, 0, 0.5] + rng.standard_t(2, N), rng.uniform(0.5, 2, N)


def assert_same(model, X, y, w=None, *, held=2000, n_passes=4):
    there = clone(model).fit(blocks.arrays(X, y, w, rows=1500).holding(held))
    here = clone(model).fit(X, y, w)
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-12, abs=0)
    reach = np.append(np.abs(X).max(axis=0).toarray() if sp.issparse(X) else np.abs(X).max(axis=0), 1.0)
    found, known = (np.append(one.coef_, one.intercept_) * reach for one in (there, here))
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-9 * np.abs(known).max())
    assert there.certificate_.relative_gap <= 1e-12
    assert there.certificate_.unique == here.certificate_.unique
    assert there.n_passes_ <= n_passes
    return there


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.05},
        {"positive": True, "penalty_weights": [1, 0, np.inf, 1], "alpha": 0.1},
        {"bounds": ([-1, 0.1, 0, -1], [0.5, 1, 1, 2])},
        {"alpha": 0.1, "penalty_l1_ratio": 0.3},
        {"fit_intercept": False},
    ],
)
def test_the_fit_is_that_of_memory(parameters):
    X, y, w = table()
    assert_same(CombinedLossRegressor(**parameters), X, y, n_passes=6)
    assert_same(CombinedLossRegressor(0.95, **parameters), X, y, w)


def test_either_part_may_be_small_or_nothing():
    X, y, w = table(1)
    for ratio, n_passes in ((0.0, 3), (1e-40, 3), (1e-6, 4), (1 - 1e-9, 7), (1.0, 4)):
        assert_same(CombinedLossRegressor(ratio), X, y, w, n_passes=n_passes)
    assert_same(CombinedLossRegressor(), X, 1e-40 * y, n_passes=6)
    assert_same(CombinedLossRegressor(), X, 1e40 * y, n_passes=4)


def test_tables_of_other_kinds():
    X, y, _ = table(2)
    rng = np.random.default_rng(3)
    dummies = np.eye(6)[rng.integers(0, 6, N)]
    assert_same(CombinedLossRegressor(0.9), dummies[:, 1:], rng.poisson(3, N) * 1.0)
    assert_same(CombinedLossRegressor(), sp.csr_array(dummies), y, rng.integers(0, 3, N) * 1.0, held=500, n_passes=6)
    assert_same(CombinedLossRegressor(), X, np.where(rng.random(N) < 0.01, 1e12, y), held=500, n_passes=6)
    assert_same(CombinedLossRegressor(), X, np.round(y))
    assert_same(CombinedLossRegressor(), np.column_stack([X, X[:, 0] + X[:, 1]]), y, n_passes=6)
    assert_same(CombinedLossRegressor(), rng.standard_cauchy((N, 3)), y, n_passes=6)
    assert_same(CombinedLossRegressor(), np.column_stack([X[:, 0], np.full(N, 3.0)]), y + 1e6, n_passes=6)
    exact = CombinedLossRegressor().fit(blocks.arrays(X, X @ np.ones(4), rows=1500).holding(2000))
    np.testing.assert_allclose(exact.coef_, 1.0, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_targets_close_to_a_plane_keep_the_digits_of_memory(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((3000, 8))
    X = np.hstack([X, X[:, :3] @ rng.standard_normal((3, 2))])  # the last columns depend on others
    y = X[:, :5].sum(axis=1) + 1e-4 * rng.standard_t(3, 3000)
    assert_same(CombinedLossRegressor(), X, y, held=800, n_passes=6)


@pytest.mark.parametrize("seed", [1, 2, 5])
@pytest.mark.parametrize(("alpha", "ratio"), [(0.02, 1.0), (0.02, 0.5), (1e-3, 0.5)])
def test_coefficients_of_columns_that_depend_on_each_other_nearly_have_nine_digits(seed, alpha, ratio):
    """Powers of a number: an objective within 1e-12 of the optimum leaves six digits of coefficients, or four."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 2, 600)
    X, y = x[:, None] ** np.arange(1, 13), np.round(3 * np.sin(3 * x) + rng.standard_t(2, 600))
    model = CombinedLossRegressor(0.1, alpha, penalty_l1_ratio=ratio)
    there, here = clone(model).fit(blocks.arrays(X, y, rows=200).holding(200)), clone(model).fit(X, y)
    found, known = there.coef_ * X.max(axis=0), here.coef_ * X.max(axis=0)
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-9 * np.abs(known).max())
    assert there.n_passes_ <= 8


@pytest.mark.parametrize("model", [CombinedLossRegressor(), HuberLossRegressor(scale=1.0)])
@pytest.mark.parametrize("apart", [1e-5, 1e-8])
def test_columns_that_are_nearly_equal_are_fitted_as_their_difference(model, apart):
    X, y, w = table(2)
    difference = np.random.default_rng(5).standard_normal(N)
    there = clone(model).fit(
        blocks.arrays(np.column_stack([X, X[:, 0] + apart * difference]), y, w, rows=1500).holding(2000)
    )
    here = clone(model).fit(np.column_stack([X, difference]), y, w)
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-16 * np.abs(there.coef_).max() + 1e-12, abs=0)
    assert there.certificate_.relative_gap <= 1e-12
    assert there.coef_[-1] * apart == pytest.approx(here.coef_[-1], rel=1e-6)
    assert there.n_passes_ <= 8


def test_rows_fitted_exactly_may_be_too_many():
    """Nine of ten targets are zero, and so are all coefficients: the dual of these rows is found by passes."""
    X, y, _ = table(4)
    y = np.where(np.random.default_rng(5).random(N) < 0.9, 0.0, y - X[:, 3] / 2)
    assert_same(CombinedLossRegressor(0.999), X, y, held=120, n_passes=12)
    assert_same(CombinedLossRegressor(0.9, alpha=0.1, positive=True), X, y, held=120, n_passes=12)


@pytest.mark.parametrize("seed", [2, 7])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_point_where_too_many_rows_are_fitted_is_no_optimum_for_that(seed):
    """The optimum of the sample fits all zeros exactly; that of all rows does not, though not by much."""
    rng = np.random.default_rng(seed)
    x, slope = rng.standard_normal((N, 1)), 1.6 if seed == 2 else 1.8
    y = np.where(rng.random(N) < 0.45, 0.0, slope * x[:, 0] + rng.standard_normal(N))
    there = CombinedLossRegressor(0.99).fit(blocks.arrays(x, y, rows=1500).holding(120))
    here = CombinedLossRegressor(0.99).fit(x, y)
    assert there.certificate_.bound <= here.objective_ * (1 + 1e-12)
    assert there.certificate_.relative_gap <= 1e-12 or there.objective_ > here.objective_


def test_what_is_not_proved_is_said():
    X, y, _ = table(6)
    X = np.column_stack([X, X[:, 0] + 1e-8 * np.random.default_rng(0).standard_normal(N)])
    with pytest.warns(ConvergenceWarning, match="did not reach tol"):
        there = CombinedLossRegressor(alpha=1e-9, tol=0.0).fit(blocks.arrays(X, y, rows=1500).holding(2000))
    assert there.certificate_.bound <= CombinedLossRegressor().fit(X[:, :4], y).objective_


def test_bits_do_not_depend_on_the_readers():
    X, y, w = table(7)
    data = blocks.arrays(X, y, w, rows=1500).holding(2000)
    first = CombinedLossRegressor(0.8, 0.01).fit(data)
    for n_workers in (1, 3):
        with ThreadPoolExecutor(n_workers) as pool:
            again = clone(first).fit(data.on(pool))
        assert again.coef_.tobytes() == first.coef_.tobytes()
        assert (again.intercept_, again.certificate_) == (first.intercept_, first.certificate_)


def test_given_coefficients_are_proved():
    X, y, w = table(8)
    data = blocks.arrays(X, y, w, rows=1500).holding(2000)
    model = CombinedLossRegressor(alpha=0.01).fit(X, y, w)
    best = model.objective_
    assert model.verify(data).relative_gap < 1e-12
    model.coef_ = model.coef_ + 1e-3
    there, here = model.verify(data), model.verify(X, y, w)
    assert there.objective == pytest.approx(here.objective, rel=1e-13, abs=0)
    assert there.bound == pytest.approx(best, rel=1e-12, abs=0)
    assert not there.unique


@pytest.mark.parametrize("rounding", [0.0, 1e-17, 1e-12, 1.0])
def test_turned_rows_have_the_same_moments_whatever_they_are_turned_from(rounding):
    """From the pattern, its opposite, a constant, and a pattern that is kept: all of them but for rounding."""
    rng = np.random.default_rng(0)
    halves, turns = np.repeat([1.0, -1.0], 4), np.tile([1.0, -1.0], 4)
    table = rng.standard_normal((8, 3))
    for size in (turns, -turns, 3.0 + 0 * turns, halves, 0 * halves):
        values = size + rounding * rng.standard_normal(8)
        found = turned(table, values, turns, halves)
        np.testing.assert_allclose(found.mean(axis=0), table.mean(axis=0), rtol=0, atol=1e-15)
        np.testing.assert_allclose(found.T @ found, table.T @ table, rtol=0, atol=1e-14)
        np.testing.assert_allclose(halves @ found, halves @ table, rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_sums_prove_no_more_than_rows(seed):
    """The bound of the sums is below the optimum, wherever the coefficients are, whatever the kink's dual."""
    rng = np.random.default_rng(seed)
    n, p, height = 60, 3, 10.0 ** rng.integers(-2, 2)
    X, w = rng.standard_normal((n, p)), rng.uniform(0.5, 2.0, n)
    w /= w.sum()
    y = X @ np.ones(p) + rng.standard_t(2, n)
    penalty = ElasticNet(np.full(p, 0.1 * (seed % 3)), positive=seed % 2 == 0)
    problem = Problem(as_design(X), y, w, Combined(height, 0.5), penalty, fit_intercept=False)
    best = solve(problem, Settings())
    sides = np.clip(best.dual / w, -height, height)
    for size in (0.0, 1e-9, 1e-4, 0.1, 10.0):
        coef = penalty.within(best.coef + size * rng.standard_normal(p))
        residual = y - X @ coef
        for dual in (sides, height * np.sign(residual), height * rng.uniform(-1, 1, n)):
            sums = sums_at(X, y, w, height, residual, dual)
            proof = prove_from_sums(penalty, coef, sums)
            assert proof.objective == pytest.approx(problem.objective(coef, 0.0), rel=1e-13, abs=0)
            assert proof.objective - proof.gap <= best.objective * (1 + 1e-13)
            if dual is sides and size <= 1e-9:
                other = prove(problem, coef, 0.0, best.dual)
                assert proof.gap <= max(2.0 * other.gap, 1e-12 * proof.objective)


def sums_at(X, y, w, height, residual, dual):
    kink = Kink(
        height=height,
        slope=X.T @ (w * residual),
        total=float(w @ residual),
        loss=height * float(w @ np.abs(residual)),
        open=float(w @ (height * np.abs(residual) - dual * residual)),
        null=height * float(w @ np.abs(y)),
    )
    return SquareSums(
        squares=float(w @ residual**2),
        slope=X.T @ (w * (residual + dual)),
        total=float(w @ (residual + dual)),
        gram=X.T @ (w[:, None] * X),
        column_squares=w @ X**2,
        y_square=float(w @ y**2),
        fit_intercept=False,
        kink=kink,
    )


def test_a_sample_without_rows_is_fitted():
    """Half of the rows have weight zero, and the others are all held."""
    rng = np.random.default_rng(9)
    n_samples = int(rng.integers(20, 40))
    X = rng.standard_normal((n_samples, 2))
    X[:, 1] = 2 * X[:, 0]
    weight = rng.integers(0, 3, n_samples).astype(float)
    y = np.round(X[:, 0] + rng.standard_normal(n_samples))
    model = CombinedLossRegressor(alpha=float(10.0 ** rng.integers(-2, 2)), l1_ratio=0.9, positive=True)
    found = clone(model).fit(blocks.arrays(X, y, weight, rows=n_samples // 3).holding(n_samples // 2))
    here = clone(model).fit(X, y, sample_weight=weight)
    assert found.objective_ == pytest.approx(here.objective_, rel=1e-12)
