"""The largest alpha: above it no penalised coefficient is left, below it one is."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from ladreg import ElasticNetCD, HuberLossRegressor, LADRegressor, QuantileRegressor, alpha_max
from ladreg._design import as_design
from ladreg._problem import Absolute, ElasticNet, Problem
from ladreg._solvers import largest_alpha_at
from tests.campaign.largest import found, posed


def nearly_equal_free_columns(rng):
    """Free columns that differ by 1e-5, with coefficients of 1e5, and targets of 0 and 1."""
    Z, noise = rng.standard_normal((12, 2)), 1e-5 * rng.standard_normal(12)
    X = np.c_[Z, Z[:, 0] + noise, rng.integers(-2, 3, (12, 6))]
    return X, rng.integers(0, 2, 12), np.repeat([0.0, 1.0], [3, 6]), 0.9


def repeated_powers(rng):
    """Powers of one column, the first of them twice, and integer targets."""
    X = np.power.outer(rng.uniform(0, 2, 30), [1, 2, 3, 4, 1])
    return X, rng.integers(-3, 4, 30), np.ones(5), 0.05


@pytest.mark.parametrize(
    ("drawn", "seed", "solver"),
    [
        *[(nearly_equal_free_columns, seed, "highs-ds") for seed in (8, 54)],
        *[(repeated_powers, seed, "highs-ipm") for seed in (1, 25, 27, 32, 35)],
    ],
)
def test_above_it_penalised_coefficients_are_exactly_zero(drawn, seed, solver):
    """A linear program's vertex leaves coefficients of its tolerance, and these are not kept for a last digit."""
    X, y, factors, quantile = drawn(np.random.default_rng(seed))
    model = QuantileRegressor(quantile=quantile, alpha=1.0, penalty_weights=factors, solver=solver)
    largest = model.alpha_max(X, y)
    assert largest > 0
    model.set_params(alpha=1.1 * largest).fit(X, y)
    assert not model.coef_[factors > 0].any()
    assert model.certificate_.relative_gap <= 1e-8


def test_it_is_zero_where_y_is_constant_beside_a_wide_delta():
    X, weight = np.random.default_rng(0).standard_normal((30, 3)), np.random.default_rng(1).uniform(size=30)
    model = HuberLossRegressor(epsilon=20.0, scale=10.0)
    assert model.alpha_max(X, np.full(30, -1.0), weight) == 0.0
    y = X[:, 0] + 1.0
    centred = y - np.average(y, weights=weight)
    slopes = (weight / weight.sum() * centred) @ X
    for unit in (1.0, 1e-20):
        assert model.alpha_max(X, unit * y, weight) == pytest.approx(unit * np.abs(slopes).max(), rel=1e-13, abs=0)


def least_slope(X, y, origin, lower, upper, unit=1e4):
    """The least of the largest slopes of ``X + origin`` without an intercept; their common part is a variable."""
    X, dual, tied, farthest = X / unit, np.where(y > 0, upper, lower) / y.size, y == 0, np.abs(origin).max()
    dual[tied] = 0.0
    rows = np.column_stack([X[tied].T, origin / farthest])
    ends = [*[(lower / y.size, upper / y.size)] * int(tied.sum()), (None, None), (0, None)]
    solved = linprog(
        np.append(np.zeros(rows.shape[1]), 1.0),
        A_ub=np.column_stack([np.vstack([rows, -rows]), -np.ones(2 * rows.shape[0])]),
        b_ub=np.concatenate([-X.T @ dual, X.T @ dual]),
        A_eq=np.concatenate([np.ones(tied.sum()), [-unit / farthest, 0.0]])[None],
        b_eq=[-dual.sum()],
        bounds=ends,
    )
    return unit * solved.fun


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("model", [LADRegressor(fit_intercept=False), QuantileRegressor(fit_intercept=False)], ids=repr)
def test_columns_far_from_zero_without_an_intercept(model, form):
    """A dual whose sum is nothing leaves of their slopes what they are about their origin, and a common part."""
    lower, upper = (-1.0, 1.0) if isinstance(model, LADRegressor) else (-0.5, 0.5)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, y = np.round(1e4 * rng.standard_normal((19, 5))), np.repeat([1.0, 0.0], [seed % 4 + 5, 14 - seed % 4])
        origin = np.array([1.7e12, 1.7e12, -4e11, 1.7e12, 0.0 if seed % 2 else 1e10])
        largest = model.alpha_max(form(X + origin), y)
        assert largest == pytest.approx(least_slope(X, y, origin, lower, upper), rel=1e-6, abs=1e-3)


@pytest.mark.parametrize("size", [100.0, 1e5])
def test_columns_far_from_zero_where_the_sum_of_the_dual_cannot_vanish(size):
    """The rows on the kink are at their ends, then."""
    X = 1.7e12 + np.round(size * np.random.default_rng(0).standard_normal((19, 5)))
    y = np.repeat([1.0, 0.0], [11, 8])
    dual = np.where(y > 0, 1.0, -1.0) / 19
    assert LADRegressor(fit_intercept=False).alpha_max(X, y) == pytest.approx(np.abs(X.T @ dual).max(), rel=1e-9)


def test_columns_far_from_zero_whose_slopes_all_vanish():
    X = 1.7e12 + 100.0 * (np.arange(11)[:, None] % 4 == np.arange(4))
    y = np.array([0.0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    assert LADRegressor(fit_intercept=False).alpha_max(X, y) == 0.0


@pytest.mark.parametrize("part", [1e-9, 1e-11])
def test_entries_of_a_column_that_are_far_below_its_largest(part):
    """In each group the medians are zero with room for slopes to vanish, so that they do in any sum of groups."""
    X = np.zeros((26, 3))
    X[:8, 1], X[8:21, 0], X[21:, 0], X[21:, 2] = 1.0, part, 1.0, 1.0
    y = np.zeros(26)
    y[[1, 13, 18, 21]] = 1.0
    assert LADRegressor(fit_intercept=False).alpha_max(X, y) <= 1e-9 * part


@pytest.mark.parametrize(
    "seed", [1314, 2776, 2866, 3445, 3569, 7593, 7748, 8208, 8573, 9233, 31433, 10121285, 20123650, 40002157]
)
def test_drawn_problems_that_once_were_wrong(seed):
    """Slopes of the linear program's tolerance, and rows whose duals are off the ends beside residuals of 1e-14."""
    assert not found(np.random.default_rng([seed, 7]))[2]


@pytest.mark.parametrize(
    ("seed", "largest"),
    [
        (22879, 0.0),
        (20120037, 0.0),  # an entry of 2e-11 of its row's largest
        (20122697, [1.79867873704e-6, 3.97417679734e-5, 4.56402059675e-4]),  # slopes of columns of 1e-14 of the largest
        (20124657, 3.76680073424e-5),
        (20120315, 0.160262379116),  # free columns that are nearly equal
        (20124516, 0.0389573516012),
    ],
)
def test_drawn_problems_with_answers_from_rational_arithmetic(seed, largest):
    """Those of the fit in integers (`simplex.py`) that has the first penalised coefficient as alpha falls."""
    model, case = posed(np.random.default_rng([seed, 7]))
    assert model.made().alpha_max(case.X, case.y, case.weight) == pytest.approx(largest, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("known", [None, np.zeros(5)])
def test_free_columns_that_tied_rows_cannot_balance_have_slopes_that_are_rounding(known):
    """Heavy rows at 0.1 + 0.2 and 0.3 balance to rounding; no tied row has that column, and the program fails."""
    X = np.array([[0.1 + 0.2, 1.0], [0.3, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    y, w = np.array([1.0, -1.0, 0.0, 0.0, 0.0]), np.array([3e7, 3e7, 1e-4, 1e-4, 1e-4])
    problem = Problem(as_design(X), y, w, Absolute(), ElasticNet(np.array([0.0, 1.0])), fit_intercept=True)
    assert largest_alpha_at(problem, np.zeros(2), 0.0, known) == pytest.approx(3e7, rel=1e-9)


@pytest.mark.parametrize("model", [LADRegressor(alpha=0.01), ElasticNetCD(alpha=0.01, l1_ratio=0.0)])
@pytest.mark.parametrize("seed", [1, 3, 6, 7])
def test_columns_of_zeros_have_coefficients_of_zero(model, seed):
    """Free ones come out of a solution of minimum norm as its rounding."""
    rng = np.random.default_rng(seed)
    X = 1.0 * (rng.integers(0, 12, 5)[:, None] == np.arange(12))
    X[:, :4] *= rng.integers(0, 2, 4)
    y, factors = rng.standard_normal(5), rng.integers(0, 2, 12)
    coef = model.set_params(penalty_weights=factors).fit(X, y).coef_
    assert coef.any()
    assert not coef[~X.any(axis=0)].any()


@pytest.mark.parametrize("seed", [103, 204, 1545])
def test_it_is_zero_where_free_columns_fit_the_means_of_equal_rows(seed):
    """Slopes are the rounding of computed coefficients, which is more than that of a sum: they were 2e-15."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2, 4))[np.repeat([0, 1], [5, 3])]
    y, weight = rng.integers(0, 4, 8), rng.integers(1, 4, 8)
    assert alpha_max(X, y, sample_weight=weight, penalty_weights=[0, 0, 1, 1]) == 0.0


@pytest.mark.filterwarnings("ignore:.*did not reach tol")
def test_it_has_the_digits_of_the_dual_that_the_fit_proves():
    """Duals of residuals, rounded beside weights of 1e12, gave 1.1 times as much."""
    model, case = posed(np.random.default_rng([40004610, 7]))
    factors, model = model.parameters["penalty_weights"], model.made()
    largest = model.alpha_max(case.contained(), case.y, case.weight)
    for share, moves in ((0.98, True), (1.02, False)):
        model.set_params(alpha=share * largest).fit(case.contained(), case.y, sample_weight=case.weight)
        assert model.coef_[factors > 0].any() == moves


def on_three_values(seed):
    """Targets 0, 1 and -1, and the question at coefficients of zero; the last column is constant."""
    rng = np.random.default_rng(seed)
    X = np.c_[np.round(rng.standard_normal((30, 3))), np.full(30, 0.1 * (seed + 1))]
    y, weight = np.repeat([0.0, 1.0, -1.0], [16, 8, 6]), (1 + rng.random(30)) / 30
    return X, Problem(as_design(X), y, weight, Absolute(), ElasticNet(np.array([1.0, 1.0, 2.0, 0.0])), True)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_constant_free_column_beside_an_intercept_changes_nothing(seed):
    """Its rounding about its mean became an equation that no dual meets: .07 where 0 is right."""
    X, problem = on_three_values(seed)
    bare = replace(problem, design=as_design(X[:, :3]), penalty=ElasticNet(np.array([1.0, 1.0, 2.0])))
    wanted = largest_alpha_at(bare, np.zeros(3), 0.0)
    assert largest_alpha_at(problem, np.zeros(4), 0.0) == pytest.approx(wanted, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("known", [None, np.zeros(30)])
def test_where_no_dual_balances_it_is_a_bound(known):
    """Of a point that is no fit: each dual of these sides has slopes within it. A dual of no side is none of them."""
    X, problem = on_three_values(3)
    problem = replace(problem, y=np.where(problem.y == 0, 0.0, 1.0), weight=np.where(problem.y == 0, 1e-3, 1.0) / 30)
    found, dual = largest_alpha_at(problem, np.zeros(4), 0.0, known), problem.weight * np.where(problem.y > 0, 1.0, 0.0)
    for end in np.random.default_rng(0).uniform(-1, 1, (9, 30)):
        slopes = np.abs(X.T @ (dual + np.where(problem.y == 0, problem.weight * end, 0.0)))
        assert np.max(slopes[:3] / [1.0, 1.0, 2.0]) <= found < np.inf
