"""Bounds of coefficients: the optimum under them, its proof, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import KFold

from ladreg import (
    CombinedLossRegressor,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    LADRegressor,
    LADRegressorCV,
    LassoCD,
    LassoCDCV,
    QuantileRegressor,
    alpha_max,
    combined_path,
    enet_path,
    huber_path,
    infer,
    lad_path,
    lasso_path,
)
from ladreg._design import as_design
from ladreg._least_squares import rows_in_gram
from ladreg._problem import Absolute, Coefficients, Combined, ElasticNet, HalfSquared, Huber, Pinball, Problem, Settings
from ladreg._solvers import solve, verify
from tests.campaign.bounds import complaint
from tests.public import solutions

LOSSES = [Absolute(), Pinball(0.3), HalfSquared(), Huber(1.35), Huber(0.3), Combined(1.0, 0.5), Combined(0.01, 0.5)]
KINDS = [
    LADRegressor(alpha=0.05),
    QuantileRegressor(quantile=0.3, alpha=0.02),
    HuberLossRegressor(alpha=0.03),
    CombinedLossRegressor(alpha=0.03),
    LassoCD(alpha=0.1),
    ElasticNetCD(alpha=0.1, standardize=True),
]
GLMNET = {
    False: [2.0894647197781504, 0.2, -0.0261976902096386, 0.3, 0.6091829573076791],
    True: [2.052212055216690, 0.2, -0.017470955372142, 0.3, 0.577195868347530],
}
every_kind = pytest.mark.parametrize("model", KINDS, ids=lambda model: type(model).__name__)


def table(seed, n=40, p=5):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal(p) + rng.standard_t(2, n)


def drawn(seed, loss, ridges=True):
    """A nasty problem with limits, ridges, or both."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(2, 40)), int(rng.integers(1, 12))
    X = rng.standard_normal((n, p))
    X = np.round(X) if seed % 3 == 0 else X
    y = X @ rng.standard_normal(p) + rng.standard_cauchy(n)
    y = np.round(y) if seed % 4 == 0 else y
    weight = rng.uniform(0.1, 2, n) if seed % 2 else np.ones(n)
    strength = rng.choice([0, 0.1, 0.5], p) * rng.choice([0, 1.0])
    lower, length = rng.choice([-np.inf, -1, -0.3, 0, 0.2], p), rng.choice([0, 0.4, 1, np.inf], p)
    upper = np.where(
        np.isinf(lower), rng.choice([-0.5, 0, 0.5, np.inf], p), np.where(np.isinf(lower), 0, lower) + length
    )
    ridge = rng.choice([0, 0.01, 0.3], p) * (ridges and rng.choice([0, 1.0]))
    limits = () if seed % 5 == 4 else (lower, upper)
    penalty = ElasticNet(strength, False, ridge, *limits)
    design = as_design(sp.csr_array(X) if seed % 5 == 0 else X)
    return Problem(design, y, weight / weight.sum(), loss, penalty, bool(rng.integers(2)))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_optimum_is_proved(loss):
    for seed in range(12):
        problem = drawn(seed, loss)
        found = solve(problem, Settings())
        assert found.stopped.good, seed
        assert found.relative_gap <= 1e-11, seed
        again = verify(problem, found.coef, found.intercept)
        assert again.relative_gap <= 1e-9, seed


def test_fenchel_young_terms_are_those_of_a_grid():
    rng = np.random.default_rng(0)
    for _ in range(200):
        lower, upper = np.sort(rng.choice([-2.0, -1.0, 0.0, 0.5, 1.5], 2))
        strength, ridge = rng.choice([0.0, 0.7]), rng.choice([0.0, 0.3])
        penalty = ElasticNet(np.array([strength]), False, np.array([ridge]), np.array([lower]), np.array([upper]))
        grid, slope, coef = np.linspace(lower, upper, 2001), rng.normal(), rng.uniform(lower, upper)
        conjugate = np.max(slope * grid - strength * np.abs(grid) - 0.5 * ridge * grid**2)
        wanted = penalty.value(np.array([coef])) + conjugate - slope * coef
        found = penalty.fenchel_young(np.array([coef]), np.array([slope]))[0]
        assert wanted - 1e-12 <= found <= wanted + 1e-3
        # At a coefficient from which the slope comes there is no cancellation.
        nearest = penalty.nearest_slope(np.array([coef]), np.array([slope]))
        assert penalty.fenchel_young(np.array([coef]), nearest)[0] <= 1e-15


def test_the_proximal_operator_is_a_minimum_over_a_grid():
    rng = np.random.default_rng(1)
    for positive in [True, False] * 30:
        lower, upper = (0.0, np.inf) if positive else np.sort(rng.choice([-2.0, -1.0, 0.0, 0.5, 1.5], 2))
        limits = () if positive else (np.array([lower]), np.array([upper]))
        penalty = ElasticNet(np.array([rng.choice([0.0, 0.7])]), positive, np.array([rng.choice([0.0, 0.3])]), *limits)
        z, step = rng.normal(scale=2.0), rng.uniform(0.1, 3.0)
        grid = np.append(np.linspace(lower, min(upper, 10.0), 2001), penalty.prox(np.array([z]), step))
        values = [0.5 * (b - z) ** 2 + step * penalty.value(np.array([b])) for b in grid]
        assert values[-1] <= min(values) + 1e-12


@every_kind
@pytest.mark.parametrize("far", [2.0**12, 2.0**266])
def test_bounds_that_are_far_count_as_none(model, far):
    """The optimum, its proof and the zeros are those of infinite bounds, where several coefficients are optimal too."""
    for seed, (n, p) in enumerate([(20, 4), (3, 6)]):
        X, y = table(seed, n, p)
        lower = np.where(np.arange(p) % 3, -np.inf, 0.0)
        for alpha in (0.0, model.alpha):
            asked = clone(model).set_params(alpha=alpha)
            wanted = clone(asked).set_params(bounds=(lower, np.inf)).fit(X, y)
            found = asked.set_params(bounds=(np.maximum(lower, -far), far)).fit(X, y)
            np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-9, atol=1e-11)
            np.testing.assert_array_equal(found.coef_ == 0, wanted.coef_ == 0)
            assert found.dual_gap_ <= 1e-13


def primal(problem):
    """The optimum of a piecewise linear loss by linprog on the primal, which shares nothing with the solvers."""
    X, (n, p) = problem.design.rows(np.arange(problem.n_samples)), (problem.n_samples, problem.n_features)
    low, high = problem.loss.interval()
    cost = np.concatenate([np.zeros(p), problem.penalty.strength, problem.weight * high, problem.weight * -low, [0.0]])
    eye, wide = np.eye(p), np.zeros((p, 2 * n + 1))
    ends = np.column_stack(problem.penalty.ends).tolist()
    bounds = [*ends, *[(0, None)] * (p + 2 * n), (None, None) if problem.fit_intercept else (0, 0)]
    found = scipy.optimize.linprog(
        cost,
        A_ub=np.vstack([np.hstack([eye, -eye, wide]), np.hstack([-eye, -eye, wide])]),
        b_ub=np.zeros(2 * p),
        A_eq=np.hstack([X, np.zeros((n, p)), np.eye(n), -np.eye(n), np.ones((n, 1))]),
        b_eq=problem.y,
        bounds=bounds,
    )
    return found.fun


def test_lad_and_quantiles_are_their_linear_programs():
    for seed in range(12):
        problem = drawn(seed, LOSSES[seed % 2], ridges=False)
        assert solve(problem, Settings()).objective == pytest.approx(primal(problem), rel=1e-8, abs=1e-12), seed


def test_objectives_are_those_of_a_conic_solver():
    assert [text for text in map(complaint, range(16)) if text] == []


def test_coefficients_are_those_of_glmnet():
    # R 4.2.2, glmnet 4.1.6, lower.limits and upper.limits, thresh=1e-24, standardize=FALSE and TRUE.
    x = np.arange(1.0, 11.0)
    X = np.column_stack([x, (x - 4) ** 2, np.tile([1.0, -1.0], 5), [0, 3, 1, 0, 2, 5, 1, 1, 0, 4]])
    y = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.5])
    bounds = [-0.1, -0.05, -1.0, -np.inf], [0.2, 0.2, 0.3, 1.5]
    for standardize, wanted in GLMNET.items():
        model = LassoCD(0.1, bounds=bounds, standardize=standardize).fit(X, y)
        np.testing.assert_allclose([model.intercept_, *model.coef_], wanted, rtol=0, atol=1e-9)


def test_least_squares_are_those_of_scipy():
    for seed in range(10):
        X, y = table(seed)
        lower, upper = np.full(5, -0.3), np.array([0.2, 0.5, 0.1, np.inf, 0.3])
        model = LassoCD(alpha=0, fit_intercept=False, bounds=(lower, upper)).fit(X, y)
        reference = scipy.optimize.lsq_linear(X, y, (lower, upper), method="bvls", tol=1e-14)
        np.testing.assert_allclose(model.coef_, reference.x, rtol=0, atol=1e-10)


@every_kind
def test_bounds_of_zero_and_infinity_are_positive_and_infinite_ones_are_none(model):
    X, y = table(1)
    for bounds, other in (((0, np.inf), {"positive": True}), ((-np.inf, np.full(5, np.inf)), {})):
        kind, given = type(model), model.get_params()
        found, wanted = kind(**{**given, "bounds": bounds}).fit(X, y), kind(**{**given, **other}).fit(X, y)
        np.testing.assert_array_equal(found.coef_, wanted.coef_)


@every_kind
def test_bounds_that_hold_nothing_change_nothing(model):
    X, y = table(2)
    kind, given = type(model), model.get_params()
    free = kind(**given).fit(X, y)
    for reach in (1.5 * np.abs(free.coef_) + 1.0, 1e9):
        held = kind(**{**given, "bounds": (-reach, reach)}).fit(X, y)
        assert held.objective_ == pytest.approx(free.objective_, rel=1e-12, abs=0)
        np.testing.assert_allclose(held.coef_, free.coef_, rtol=0, atol=1e-9)


@every_kind
def test_bounds_are_in_the_units_of_the_coefficients(model):
    X, y = table(3)
    kind, given = type(model), {**model.get_params(), "standardize": True} if hasattr(model, "standardize") else {}
    given = given or {**model.get_params(), "alpha": 0.0}
    bounds = np.array([-0.2, 0.1, -np.inf, -1.0, 0.0]), np.array([0.3, 0.4, 0.2, np.inf, 0.5])
    unit = np.array([1e-6, 1e3, -1.0, 7.0, -1e4])
    found = kind(**{**given, "bounds": bounds}).fit(X, y)
    ends = np.sort([bounds[0] * unit, bounds[1] * unit], axis=0)
    other = kind(**{**given, "bounds": (ends[0], ends[1])}).fit(X / unit, y)
    np.testing.assert_allclose(other.coef_, found.coef_ * unit, rtol=1e-9, atol=0)
    assert np.all((found.coef_ >= bounds[0]) & (found.coef_ <= bounds[1]))


@every_kind
def test_moving_both_bounds_moves_the_target(model):
    X, y = table(4)
    kind, given = type(model), {**model.get_params(), "alpha": 0.0}
    given |= {"scale": 1.0} if "scale" in given else {}
    lower, upper, shift = np.full(5, -0.1), np.full(5, 0.4), np.array([0.0, 1.0, -2.0, 0.3, 5.0])
    found = kind(**{**given, "bounds": (lower, upper)}).fit(X, y)
    moved = kind(**{**given, "bounds": (lower + shift, upper + shift)}).fit(X, y + X @ shift)
    np.testing.assert_allclose(moved.coef_ - shift, found.coef_, rtol=0, atol=1e-9)


@every_kind
def test_sparse_columns_and_repeated_rows_are_dense_columns_and_weights(model):
    X, y = table(5, n=25)
    X = np.where(np.abs(X) > 0.5, X, 0.0)
    counts = np.random.default_rng(0).integers(0, 4, 25)
    kind, given = type(model), {**model.get_params(), "bounds": (-0.2, [0.1, 0.2, 0.3, np.inf, 1.0])}
    dense = kind(**given).fit(X, y, sample_weight=counts)
    repeated = kind(**given).fit(sp.csc_array(np.repeat(X, counts, axis=0)), np.repeat(y, counts))
    np.testing.assert_allclose(repeated.coef_, dense.coef_, rtol=0, atol=1e-9)
    assert repeated.intercept_ == pytest.approx(dense.intercept_, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_canonical_optimum_does_not_depend_on_the_order_of_rows(loss):
    for seed in range(0, 40, 8):
        problem = drawn(seed, loss)
        order = np.random.default_rng(seed).permutation(problem.n_samples)
        other = Problem(
            problem.design.take(order),
            problem.y[order],
            problem.weight[order],
            loss,
            problem.penalty,
            problem.fit_intercept,
        )
        found, again = solve(problem, Settings()), solve(other, Settings())
        assert again.unique == found.unique, seed
        np.testing.assert_allclose(again.coef, found.coef, rtol=0, atol=1e-7, err_msg=str(seed))


def test_equal_columns_share_their_coefficient_up_to_their_bounds():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50)
    X, y = np.column_stack([x, x, x]), 3 * x + 0.1 * rng.standard_normal(50)
    for model in (LADRegressor(bounds=(0, [0.4, 9, 9])), LassoCD(alpha=0.01, bounds=(0, [0.4, 9, 9]))):
        model.fit(X, y)
        assert not model.certificate_.unique
        assert model.coef_[0] == 0.4
        assert model.coef_[1] == pytest.approx(model.coef_[2], rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_coefficients_whose_slopes_hold_them_at_a_limit_are_there_exactly(seed):
    """An interior point method comes near a limit, and never reaches it."""
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-3, 4, (20, 6)).astype(float), rng.integers(0, 5, 20).astype(float)
    model = HuberLossRegressor(scale=1e-4, alpha=1e-9, bounds=(0, 0.5)).fit(X, y)
    apart = np.abs(model.coef_[:, None] - [0.0, 0.5]).min(axis=1)
    assert np.all((apart == 0) | (apart > 1e-12)), model.coef_
    assert model.certificate_.unique


@pytest.mark.parametrize("strength", [1e4, 1e16, 1e40])
def test_the_penalty_of_coefficients_that_bounds_keep_off_zero_hides_no_middle(strength):
    """The first strength is the largest slope of its column: all coefficients from -1 to its bound cost the same."""
    X, y = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]]), np.array([-1.0, -2.0, -2.0])
    bounds = [-np.inf, 0.01, -np.inf, 0.5], [-0.2, np.inf, -1.0, np.inf]
    model = LADRegressor(alpha=0.25, penalty_weights=[1, 0, strength, strength], bounds=bounds, fit_intercept=False)
    model.fit(X, y, sample_weight=[1, 1, 2])
    assert not model.certificate_.unique
    np.testing.assert_allclose(model.coef_, [-0.6, 0.01, -1.0, 0.5], rtol=1e-9)


def test_many_features_are_solved_few_at_a_time():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 600))
    y = X[:, :3] @ [2.0, -1.0, 1.0] + 0.1 * rng.standard_normal(60)
    problem = Problem(as_design(X), y, np.full(60, 1 / 60), HalfSquared(), ElasticNet(np.full(600, 0.1)), True)
    held = ElasticNet(np.full(600, 0.1), False, np.zeros(600), np.full(600, -0.5), np.full(600, 0.7))
    found = solve(problem.with_penalty(held), Settings())
    assert found.relative_gap <= 1e-12
    assert found.stats["n_columns"] < 300
    assert found.coef[0] == 0.7
    assert found.coef[1] == -0.5


@every_kind
@pytest.mark.parametrize("bounds", [(-0.2, 0.3), (0.1, np.inf), (-1.0, 0.0)], ids=str)
def test_alpha_max_is_where_the_first_coefficient_moves(model, bounds):
    X, y = table(6)
    kind, given = type(model), {**model.get_params(), "bounds": bounds}
    if isinstance(model, ElasticNetCD):
        options = {name: given[name] for name in ("bounds", "standardize") if name in given}
        largest = alpha_max(X, y, l1_ratio=model.l1_ratio, **options)
    else:
        largest = kind(**given).alpha_max(X, y)
    rest = np.clip(0.0, *bounds)
    assert np.all(kind(**{**given, "alpha": 1.001 * largest}).fit(X, y).coef_ == rest)
    assert np.any(kind(**{**given, "alpha": 0.999 * largest}).fit(X, y).coef_ != rest)


@pytest.mark.parametrize("origin", [1e6, 1e9])
def test_alpha_max_under_bounds_does_not_depend_on_where_columns_are(origin):
    bounds = [0.02, -np.inf, 0, 0.01, -np.inf], [np.inf, -0.2, np.inf, np.inf, np.inf]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X, y = np.round(100 * rng.standard_normal((26, 5))), rng.standard_normal(26)
        largest = alpha_max(X + origin, y, bounds=bounds)
        assert largest == pytest.approx(alpha_max(X, y, bounds=bounds), rel=1e-13, abs=0)
        coef = LassoCD(largest, bounds=bounds).fit(X + origin, y).coef_
        np.testing.assert_array_equal(coef, np.clip(0.0, *bounds))


@pytest.mark.parametrize("l1_ratio", [0.5, 1 - 1e-6])
def test_at_alpha_max_coefficients_are_at_rest_beside_dependent_free_columns(l1_ratio):
    weights, kept = np.r_[0.0, 0.0, np.ones(8)], np.r_[0.1, np.zeros(7)]
    bounds = np.r_[-9.0, -9.0, 0.1, np.full(7, -1.0)], np.r_[np.full(9, 1.0), np.inf]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((30, 10)), rng.integers(0, 4, 30)
        X[:, 1] = 2 * X[:, 0]
        options = {"penalty_weights": weights, "bounds": bounds, "l1_ratio": l1_ratio}
        coef = ElasticNetCD(alpha_max(X, y, **options), **options).fit(X, y).coef_
        assert coef[0] != 0
        np.testing.assert_array_equal(coef[2:], kept)


@pytest.mark.parametrize("model", [LassoCDCV(cv=3), ElasticNetCDCV(l1_ratio=0.7, cv=3, standardize=True)], ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_paths_and_held_out_errors_under_bounds_are_those_of_single_fits(model, weighted):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
    y, weight = y + X @ np.array([1.0, -1, 0.5, 0.2, 0, 0]), rng.uniform(0.5, 2, 40) if weighted else None
    lower, upper = np.array([-0.2, -np.inf, 0.1, 0, 0, -np.inf]), np.array([0.5, -0.3, np.inf, 0, 1, np.inf])
    X[:, 5] = X[:, 4]  # of equal columns one is positive
    model = clone(model).set_params(alphas=[0.3, 0.1, 0.01, 0], bounds=(lower, upper))
    model.fit(X, y, sample_weight=weight)
    names = ("l1_ratio", "standardize", "bounds")
    single = ElasticNetCD(**{name: value for name, value in model.get_params().items() if name in names}, tol=1e-14)
    single.set_params(l1_ratio=getattr(model, "l1_ratio", 1.0))
    for k, alpha in enumerate(model.alphas_):
        single.set_params(alpha=alpha).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(model.coef_path_[:, k], single.coef_, rtol=0, atol=1e-7)
        assert model.intercept_path_[k] == pytest.approx(single.intercept_, abs=1e-7)
        for fold, (train, test) in enumerate(KFold(3).split(X)):
            single.fit(X[train], y[train], sample_weight=None if weight is None else weight[train])
            left = (y[test] - single.predict(X[test])) ** 2
            wanted = np.average(left, weights=None if weight is None else weight[test])
            assert model.mse_path_[k, fold] == pytest.approx(wanted, rel=1e-7)


MANY = ("dense", "sparse", "dummies", "integers", "equal columns", "leverage")


@pytest.mark.parametrize("kind", MANY)
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_many_rows_under_bounds_and_ridges_are_solved_by_few_and_proved_by_all(kind, ratio, quantile):
    rng = np.random.default_rng(MANY.index(kind))
    n, p = 6000, 8
    X = rng.standard_normal((n, p)) * (np.exp(rng.standard_normal((n, 1))) if kind == "leverage" else 1.0)
    if kind == "sparse":
        X *= rng.random((n, p)) < 0.3
    elif kind == "dummies":
        X[:, :4] = np.eye(4)[rng.integers(0, 4, n)]
    elif kind == "integers":
        X = np.round(X)
    elif kind == "equal columns":
        X[:, 1] = X[:, 0]
    y = X @ rng.standard_normal(p) + rng.standard_t(3, n)
    y, weight = np.round(y, 1 if kind == "integers" else 15), rng.exponential(1.0, n) if kind == "dense" else None
    bounds = rng.choice([-np.inf, -0.3, 0.1], p), rng.choice([np.inf, 0.2, 0.5], p)
    model = QuantileRegressor(quantile=quantile, alpha=0.01, l1_ratio=ratio, bounds=bounds)
    with solutions() as stored:
        model.fit(sp.csr_array(X) if kind == "sparse" else X, y, sample_weight=weight)
    assert 0 < stored[0].stats["rows_solved"] < n / 4
    with solutions() as whole:
        clone(model).set_params(solver="linprog").fit(X, y, sample_weight=weight)
    assert model.certificate_.relative_gap <= 1e-13
    assert model.objective_ == pytest.approx(whole[0].objective, rel=1e-12)
    np.testing.assert_allclose(model.coef_, whole[0].coef, rtol=0, atol=1e-9)


def test_a_start_takes_the_place_of_the_pilot_and_a_wrong_one_costs_rows_alone():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 5))
    y = X @ np.ones(5) + rng.standard_t(3, 6000)
    penalty = ElasticNet(np.full(5, 0.01), lower=np.full(5, -1.0), upper=np.full(5, 0.9))
    problem = Problem(as_design(X), y, np.full(6000, 1 / 6000), Pinball(0.3), penalty, fit_intercept=True)
    cold = solve(problem, Settings())
    for start in (cold.coefficients, Coefficients(np.full(5, -1.0), 100.0)):
        warm = solve(problem, Settings(), start)
        assert warm.objective == pytest.approx(cold.objective, rel=1e-13)
        assert warm.relative_gap <= 1e-13
    assert solve(problem, Settings(), cold.coefficients).stats["n_ip_iter"] == 0


def test_alphas_under_bounds_are_solved_together_on_one_gram_matrix():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 20))
    y = X @ rng.standard_normal(20) + rng.standard_normal(200)
    lower, upper = rng.choice([-np.inf, -0.3, 0, 0.1], 20), rng.choice([np.inf, 0.2, 0.5], 20)
    unit = ElasticNet(np.ones(20), lower=lower, upper=upper)
    alphas = np.geomspace(3.0, 1e-3, 100)
    (found, unique), *others = rows_in_gram(X.T @ X / 200, X.T @ y / 200, y @ y / 200, unit, alphas, Settings())
    assert not others
    assert unique.all()  # none is solved again
    assert found.done.all()
    assert found.n_steps.sum() < 300
    assert np.all((lower <= found.coef) & (found.coef <= upper))


def test_the_pieces_of_a_start_are_corrected_and_the_proof_does_not_trust_them():
    """Most steps along a path need no interior point method, about ten steps each, and all find what it finds."""
    X, y = table(7, n=80, p=10)
    *_, n_iters = lasso_path(X, y, alphas=40, bounds=(-0.5, 0.5), return_n_iter=True)
    assert np.mean(n_iters[1:]) < 2.5
    free = 0
    for loss in (HalfSquared(), Huber(1.35)):
        for seed in range(6):
            problem = drawn(seed, loss)
            cold = solve(problem, Settings())
            near = solve(problem.with_penalty(problem.penalty.times(1.2)), Settings()).coefficients
            far = Coefficients(1.0 - near.coef, 9.0)
            for start in (near, far):
                warm = solve(problem, Settings(), start)
                assert warm.relative_gap <= 1e-11, seed
                assert warm.objective == pytest.approx(cold.objective, rel=1e-11, abs=1e-13), seed
                np.testing.assert_allclose(warm.coef, cold.coef, rtol=0, atol=1e-7, err_msg=str(seed))
                free += start is near and not warm.stats.get("n_ip_iter", 0)
    assert free >= 6


@pytest.mark.filterwarnings("ignore:alpha=0.1 is the smallest")
def test_paths_and_cross_validation_are_single_fits():
    X, y = table(7)
    bounds = -0.3, np.array([0.2, 0.4, 0.6, 0.8, np.inf])
    pairs = [
        (lad_path, LADRegressor),
        (huber_path, HuberLossRegressor),
        (combined_path, CombinedLossRegressor),
        (lasso_path, LassoCD),
        (enet_path, ElasticNetCD),
    ]
    for path, kind in pairs:
        alphas, coefs, *_, gaps = path(X, y, alphas=[0.2, 0.05, 0.01], bounds=bounds)
        options = {} if kind not in (LassoCD, ElasticNetCD) else {"fit_intercept": False}
        for alpha, coef in zip(alphas, coefs.T, strict=True):
            single = kind(alpha=alpha, bounds=bounds, **options).fit(X, y)
            np.testing.assert_allclose(coef, single.coef_, rtol=0, atol=1e-8)
        assert gaps.max() < 1e-10
    for model in (LassoCDCV, ElasticNetCDCV, LADRegressorCV):
        # Bounds that hold nothing leave the losses of held-out rows as they are.
        free = model(alphas=[0.5, 0.1], cv=3).fit(X, y)
        held = model(alphas=[0.5, 0.1], cv=3, bounds=(-50, 50)).fit(X, y)
        name = model._losses_name
        np.testing.assert_allclose(getattr(held, name), getattr(free, name), rtol=1e-8)
    with pytest.raises(ValueError, match="pass a number of alphas"):
        lad_path(X, y, method="knots", bounds=bounds)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (3, r"pair \(lower, upper\).*got 3"),
        ((1, 2, 3), r"pair \(lower, upper\)"),
        ((1, 0), "feature 0: lower 1, upper 0. Exchange them"),
        ((0, [1, 1, -1, 1, 1]), "feature 2: lower 0, upper -1"),
        ((np.nan, 1), r"bounds\[0\] has NaN for feature 0: -inf means no limit"),
        ((0, [1, np.nan, 1, 1, 1]), r"bounds\[1\] has NaN for feature 1: inf"),
        (([0, 0], 1), r"bounds\[0\] must be a number or have shape \(5,\).*got \(2,\)"),
        ((np.inf, np.inf), "feature 0: lower inf.*finite number"),
        (("a", 1), r"bounds\[0\] must be a number"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(bounds, message):
    X, y = table(8)
    for model in KINDS:
        with pytest.raises(ValueError, match=message):
            type(model)(bounds=bounds).fit(X, y)
    with pytest.raises(ValueError, match=r"raised to 0 by positive=True\), upper -1"):
        LADRegressor(positive=True, bounds=(-2, -1)).fit(X, y)
    with pytest.raises(ValueError, match=r"excludes feature 1, .* bounds require 0\.5 to 1"):
        LADRegressor(penalty_weights=[1, np.inf, 1, 1, 1], bounds=([0, 0.5, 0, 0, 0], 1)).fit(X, y)


def test_coefficients_beyond_their_bounds_prove_nothing():
    X, y = table(9)
    model = LADRegressor(bounds=(-0.1, 0.2)).fit(X, y)
    model.coef_ = model.coef_ + 1.0
    with pytest.raises(ValueError, match=r"coef_\[0\] is .*: bounds require -0.1 to 0.2"):
        model.verify(X, y)
    with pytest.raises(ValueError, match="bounds hold coefficients at their ends: x"):
        infer(LADRegressor(bounds=(-0.1, 0.2)).fit(X, y), X, y)


@every_kind
def test_float32_coefficients_stay_within_bounds_that_float32_rounds(model):
    X, y = table(10)
    X = X.astype(np.float32)
    fitted = type(model)(**{**model.get_params(), "bounds": (-0.1, 0.1)}).fit(X, y)
    assert np.all(np.abs(fitted.coef_.astype(np.float64)) <= 0.1)
    assert fitted.verify(X, y).relative_gap < 1e-4
