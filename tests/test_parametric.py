"""Paths from knot to knot: every alpha is what it is alone, and knots are those of exact arithmetic."""

import warnings
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes

from ladreg import LADRegressor, LADRegressorCV, QuantileRegressor, lad_path, quantile_path, quantile_process
from ladreg._certificate import prove
from ladreg._kernels import _parametric
from ladreg._piecewise import PiecewiseTuning, follows_knots
from ladreg._problem import Absolute, Pinball, Settings
from ladreg._solvers import confirm, largest_alpha, solve, solve_alphas, solve_quantile_knots, solve_quantiles
from ladreg.metrics import pinball_loss
from tests.campaign.paths import drawn
from tests.faults import always
from tests.problems import make


def random_table(seed):
    """A small table of some kind, and what else its problem needs."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(3, 40)), int(rng.integers(1, 20))
    X = rng.standard_normal((n, p))
    kind = seed % 8
    if kind == 1:
        X = np.round(X)
    elif kind == 2:
        X = (rng.random((n, p)) < 0.3).astype(float)
    elif kind == 3:
        X = X[rng.integers(0, n, n)]
    elif kind == 4 and p > 2:
        X[:, -1], X[:, 0] = X[:, 1], 1.5
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.5)) + rng.standard_t(2, n)
    if kind in (1, 2, 5):
        y = np.round(y)
    if kind == 6:
        y[: n // 5] *= 1e8
    more = {"alpha": np.ones(p), "loss": Absolute() if rng.random() < 0.5 else Pinball(float(rng.uniform(0.1, 0.9)))}
    if rng.random() < 0.4:
        more["weight"] = rng.integers(0, 4, n) + np.eye(1, n)[0]
    if rng.random() < 0.4:
        more["alpha"] = rng.choice([0.0, 0.5, 1.0, 3.0, np.inf], p)
        more["alpha"][0] = 1.0
    more["positive"] = bool(rng.random() < 0.2)
    more["fit_intercept"] = bool(rng.random() < 0.8)
    return X, y, more


@pytest.mark.parametrize("block", range(8))
def test_every_alpha_is_what_it_is_alone(block):
    walked = total = 0
    for seed in range(block, 120, 8):
        X, y, more = random_table(seed)
        problem = make(X, y, **more)
        largest = largest_alpha(problem)
        if not largest > 0:
            continue
        alphas = largest * np.sort(np.append(np.random.default_rng(seed).uniform(0.0, 1.1, 5) ** 2, 1.0))[::-1]
        for alpha, solution in zip(alphas, solve_alphas(problem, alphas, Settings(1e-12)), strict=True):
            single = problem.with_penalty(problem.penalty.times(alpha))
            alone = solve(single, Settings(1e-12))
            size = single.objective(0 * alone.coef, 0.0)
            total += 1
            walked += "n_exchanges" in solution.stats
            assert solution.objective <= alone.objective * (1 + 1e-12) + 1e-14 * size, (seed, alpha)
            assert prove(single, solution.coef, solution.intercept, solution.dual).gap <= 1e-12 * size, (seed, alpha)
            if alone.relative_gap < 1e-12:
                np.testing.assert_allclose(
                    solution.coef, alone.coef, rtol=1e-8, atol=1e-8 * np.abs(alone.coef).max(initial=1e-3), err_msg=seed
                )
                assert solution.unique == alone.unique, (seed, alpha)
    assert walked >= (0.7 if block == 6 else 0.95) * total  # far targets (6) may cross the fit: solved alone


@pytest.mark.parametrize("block", range(2))
def test_long_steps_and_knots_give_the_same_optima(block):
    for seed in range(block, 80, 2):
        X, y, more = random_table(seed)
        problem = make(X, y, **more)
        largest = largest_alpha(problem)
        if not largest > 0:
            continue
        alphas = largest * np.sort(np.random.default_rng(seed).uniform(0.03, 1.1, 6) ** 2)[::-1]
        by_knots, by_long_steps = (
            list(solve_alphas(problem, alphas, Settings(1e-12, tuning=(PiecewiseTuning(long_step_rows=rows),))))
            for rows in (1 << 20, 1)
        )
        for alpha, one, other in zip(alphas, by_knots, by_long_steps, strict=True):
            size = problem.with_penalty(problem.penalty.times(alpha)).objective(0 * one.coef, 0.0)
            assert one.objective == pytest.approx(other.objective, rel=1e-12, abs=1e-14 * size), (seed, alpha)
            assert one.gap <= 1e-12 * size
            assert other.gap <= 1e-12 * size
            if max(one.relative_gap, other.relative_gap) < 1e-12:
                assert one.unique == other.unique, (seed, alpha)
                scale = np.abs(one.coef).max(initial=1e-3)
                np.testing.assert_allclose(one.coef, other.coef, rtol=1e-8, atol=1e-8 * scale, err_msg=seed)


def test_long_steps_pass_knots():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1200, 8))
    problem = make(X, X @ rng.standard_normal(8) + rng.standard_t(2, 1200), alpha=1.0)
    alphas = largest_alpha(problem) * np.geomspace(1.0, 0.01, 10)
    exchanges = [
        sum(
            solution.stats["n_exchanges"]
            for solution in solve_alphas(problem, alphas, Settings(tuning=(PiecewiseTuning(long_step_rows=rows),)))
        )
        for rows in (1 << 20, 4)
    ]
    assert 4 * exchanges[1] < exchanges[0]


def solved(matrix, target):
    """The solution of a square system of fractions; None where it is singular."""
    rows = [[*row, value] for row, value in zip(matrix, target, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = next((i for i in range(k, size) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(size):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def exact_knots(X, y):
    """Knots of mean |y - Xb - c| + alpha * |b|_1 in fractions: the lower envelope of the lines of all vertices."""
    n, p = X.shape
    table = [[*map(Fraction, row), Fraction(1)] for row in X.tolist()]
    equations = table + [[Fraction(int(j == k)) for k in range(p + 1)] for j in range(p)]
    targets = [Fraction(value) for value in y.tolist()] + [Fraction(0)] * p
    lines = set()
    for chosen in combinations(range(n + p), p + 1):
        point = solved([equations[i] for i in chosen], [targets[i] for i in chosen])
        if point is not None:
            residuals = (abs(targets[i] - sum(a * b for a, b in zip(table[i], point, strict=True))) for i in range(n))
            lines.add((sum(abs(b) for b in point[:-1]), sum(residuals) / n))
    slope, value = min(lines)
    knots = []
    while steeper := [((value - b) / (a - slope), a, b) for a, b in lines if a > slope and b < value]:
        alpha, slope, value = max(steeper)
        knots.append(alpha)
    return knots


@pytest.mark.parametrize("seed", range(12))
def test_knots_are_those_of_exact_arithmetic(seed):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(3, 8)), int(rng.integers(1, 3))
    X, y = rng.integers(-4, 5, (n, p)).astype(float), rng.integers(-9, 10, n).astype(float)
    knots = np.array([float(alpha) for alpha in exact_knots(X, y)])
    if knots.size == 0:
        return
    alphas, coefs, intercepts, gaps = lad_path(X, y, method="knots", eps=0.9 * knots[-1] / knots[0])
    np.testing.assert_allclose(alphas[:-1], knots, rtol=1e-12)
    assert gaps.max() <= 1e-13 * np.abs(y).mean()
    for k in range(1, alphas.size):
        for alpha in np.linspace(alphas[k], alphas[k - 1], 3):
            found = np.abs(y - X @ coefs[:, k] - intercepts[k]).mean() + alpha * np.abs(coefs[:, k]).sum()
            assert found == pytest.approx(LADRegressor(alpha=alpha).fit(X, y).objective_, rel=1e-12)


def test_work_is_counted():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 600))
    problem = make(X, X[:, :5].sum(axis=1) + rng.standard_t(2, 150), alpha=1.0)
    alphas = largest_alpha(problem) * np.geomspace(1.0, 0.05, 30)
    found = list(solve_alphas(problem, alphas, Settings()))
    assert sum(solution.unique for solution in found) == 29  # all but the largest alpha, which is a knot
    exchanges = sum(solution.stats["n_exchanges"] for solution in found)
    assert exchanges < 3000
    assert sum(solution.stats["rows_read"] for solution in found) < 150 * exchanges
    alone = solve(problem.with_penalty(problem.penalty.times(alphas[-1])), Settings())
    assert alone.objective == pytest.approx(found[-1].objective, rel=1e-13)
    assert alone.stats["n_exchanges"] < 3000


def test_knots_and_lists_of_alphas_exclude_each_other():
    X, y = np.eye(4), np.arange(4.0)
    for given in ({"alphas": 5}, {"quantiles": [0.5]}):
        with pytest.raises(ValueError, match="must be None with method='knots'"):
            lad_path(X, y, method="knots", **given)
    with pytest.raises(ValueError, match="method"):
        lad_path(X, y, method="lars")


def test_knots_of_a_table_whose_dense_copy_is_too_large_are_refused():
    X = sp.eye(20_000, 10_000, format="csr")
    y = np.arange(20_000.0) % 7
    for call in (lambda: lad_path(X, y, method="knots"), lambda: quantile_process(X, y, alpha=0.01)):
        with pytest.raises(ValueError, match=r"two dense copies of X, .*: pass a number of alphas, or a list"):
            call()


def test_a_sparse_table_has_no_dense_copies_that_dwarf_it():
    rng = np.random.default_rng(0)
    X = sp.random_array((2500, 500), density=0.01, rng=rng, format="csr")
    y = X[:, :3].sum(axis=1) + rng.standard_t(2, 2500)
    alphas = np.array([0.5, 0.4])
    assert follows_knots(make(X.toarray(), y, alpha=1.0), alphas, Settings())
    assert not follows_knots(make(X, y, alpha=1.0), alphas, Settings())
    assert follows_knots(make(X[:200], y[:200], alpha=1.0), alphas, Settings())
    many = sp.random_array((10_000, 2000), density=0.001, rng=rng, format="csr")
    with pytest.raises(ValueError, match="far larger than a sparse X of 10000 rows by 2000 columns with 20000 stored"):
        lad_path(many, np.arange(10_000.0) % 7, method="knots")


@pytest.mark.parametrize("far", [1e6, 1e15, 1e200])
def test_knots_do_not_depend_on_how_far_outliers_are(far):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = X @ [2.0, -1.0, 0.5, 0.0, 0.0] + rng.standard_t(2, 60)
    near, there = y.copy(), y.copy()
    near[:6], there[:6] = 1e3 * np.tile([1.0, -1.0], 3), far * np.tile([1.0, -1.0], 3)
    expected, found = (lad_path(X, one, method="knots", eps=1e-2) for one in (near, there))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-9, atol=1e-9)
    assert found[3].max() < 1e-11  # far targets hide no gap of the others


def test_far_targets_that_are_fitted_have_knots():
    """Where the quantile is among the outliers, these are not moved."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 3))
    y = X @ [2.0, -1.0, 0.5] + rng.standard_normal(40)
    y[:6] = 1e9 * (1.0 + rng.random(6))
    alphas, coefs, *_ = quantile_path(X, y, quantile=0.95, method="knots", eps=0.1)
    for k in range(1, alphas.size, 4):
        single = QuantileRegressor(quantile=0.95, alpha=np.sqrt(alphas[k - 1] * alphas[k])).fit(X, y)
        np.testing.assert_allclose(coefs[:, k], single.coef_, rtol=1e-7, atol=1e-7 * np.abs(single.coef_).max())


def test_coefficients_of_integer_tables_that_are_zero_are_exactly_zero():
    """Of a vertex with more rows than columns a coefficient may be zero that the basis does not hold at zero."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n, p = int(rng.integers(8, 30)), int(rng.integers(2, 7))
        X, y = rng.integers(-2, 3, (n, p)) / rng.choice([1.0, 10.0]), rng.integers(0, 4, n).astype(float)
        for path in (
            lad_path(X, y, alphas=6, eps=0.02),
            lad_path(X, y, method="knots", eps=0.02),
            quantile_path(X, y, quantile=0.25, alphas=6, eps=0.02),
            quantile_process(X, y, alpha=0.02),
        ):
            size = np.abs(path[1])
            assert not np.any((size > 0) & (size < 1e-12)), f"integer {seed}"


def test_a_target_without_knots_has_one_solution():
    X = np.arange(6.0).reshape(3, 2)
    alphas, coefs, intercepts, _ = lad_path(X, np.full(3, 2.5), method="knots")
    assert alphas.shape == (1,)
    assert not coefs.any()
    assert intercepts == [2.5]


def test_paths_of_a_quantile_are_single_fits_and_half_of_lad():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = X @ [1.0, -1.0, 0.0, 0.0, 2.0] + rng.standard_t(2, 60)
    median, absolute = quantile_path(X, y, alphas=9), lad_path(X, y, alphas=9)
    np.testing.assert_allclose(2 * median[0], absolute[0], rtol=1e-14)
    np.testing.assert_allclose(median[1], absolute[1], atol=1e-12)
    alphas, coefs, intercepts, gaps = quantile_path(X, y, quantile=0.8, method="knots", eps=0.01)
    assert gaps.max() < 1e-13
    for k in range(1, alphas.size, 5):
        model = QuantileRegressor(quantile=0.8, alpha=np.sqrt(alphas[k - 1] * alphas[k])).fit(X, y)
        np.testing.assert_allclose(coefs[:, k], model.coef_, rtol=1e-9, atol=1e-11)
        assert intercepts[k] == pytest.approx(model.intercept_, rel=1e-9)
    with pytest.raises(ValueError, match="quantile must be one number here"):
        quantile_path(X, y, quantile=[0.2, 0.5])


@pytest.mark.parametrize("block", range(8))
def test_every_quantile_is_what_it_is_alone(block):
    for seed in range(block, 60, 8):
        X, y, more = random_table(seed)
        rng = np.random.default_rng(seed)
        shares = [0.0, 0.3] if block == 0 else [0.3]
        for share in shares:  # of the largest alpha of the median, where there is one; else no penalty
            problem = make(X, y, **more | {"loss": Pinball(0.02)})
            alpha = share * largest_alpha(make(X, y, **more | {"loss": Pinball(0.5)}))
            problem = problem.with_penalty(problem.penalty.times(alpha))
            low = 0.02
            for high, solution in solve_quantile_knots(problem, 0.98, Settings(1e-12)):
                if rng.random() < 0.1:
                    single = make(X, y, **more | {"loss": Pinball(rng.uniform(low, high))})
                    single = single.with_penalty(problem.penalty)
                    alone = solve(single, Settings(1e-12))
                    size = single.objective(0 * alone.coef, 0.0)
                    found = single.objective(solution.coef, solution.intercept)
                    assert found <= alone.objective * (1 + 1e-12) + 1e-14 * size, (seed, low, high)
                    if alone.unique:
                        unit = np.abs(alone.coef).max(initial=1e-3)
                        np.testing.assert_allclose(solution.coef, alone.coef, rtol=1e-8, atol=1e-8 * unit, err_msg=seed)
                assert high > low
                low = high
            assert low == pytest.approx(0.98, rel=1e-15)


@pytest.mark.parametrize("block", range(8))
def test_a_list_of_quantiles_is_what_each_is_alone(block):
    walked = total = 0
    for seed in range(block, 24, 8):
        X, y, more = random_table(seed)
        median = make(X, y, **more | {"loss": Pinball(0.5)})
        largest, rng = largest_alpha(median), np.random.default_rng(seed)
        if not largest > 0:
            continue
        penalty = median.penalty.times(largest * rng.choice([0.5, 0.1, 0.01]))
        problems = [replace(median, loss=Pinball(tau), penalty=penalty) for tau in rng.uniform(0.02, 0.98, 3)]
        for problem, solution in zip(problems, solve_quantiles(problems, Settings(1e-12)), strict=True):
            alone, size = solve(problem, Settings(1e-12)), problem.objective(np.zeros(X.shape[1]), 0.0)
            total += 1
            walked += solution.solver == "parametric simplex"
            assert solution.objective <= alone.objective * (1 + 1e-12) + 1e-14 * size, seed
            assert prove(problem, solution.coef, solution.intercept, solution.dual).gap <= 1e-12 * size, seed
            if alone.relative_gap < 1e-12:
                unit = np.abs(alone.coef).max(initial=1e-3)
                np.testing.assert_allclose(solution.coef, alone.coef, rtol=1e-8, atol=1e-8 * unit, err_msg=str(seed))
                assert solution.unique == alone.unique, seed
    assert walked >= (0.3 if block == 6 else 0.9) * total  # quantiles among far targets (6) are solved alone


def test_a_list_of_quantiles_shares_its_exchanges():
    """Single fits of a wide table walk from the largest alpha; of a list only the first quantile does."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 60))
    y, taus = X[:, :3].sum(axis=1) + rng.standard_t(2, 40), [0.7, 0.2, 0.3, 0.5, 0.3]
    alpha = 0.05 * QuantileRegressor(alpha=1.0).alpha_max(X, y)
    together = QuantileRegressor(quantile=taus, alpha=alpha).fit(X, y)
    problem = make(X, y, loss=Pinball(0.5), alpha=alpha)
    problems = [replace(problem, loss=Pinball(tau)) for tau in taus]
    found, alone = solve_quantiles(problems, Settings()), [solve(one, Settings()) for one in problems]
    exchanges = [sum(one.stats["n_exchanges"] for one in solutions) for solutions in (found, alone)]
    assert 2 * exchanges[0] < exchanges[1]
    np.testing.assert_array_equal(together.coef_, [solution.coef for solution in found])


def test_a_list_that_cannot_be_walked_is_solved_one_by_one():
    """Penalties that differ, and a walk without a pivot."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    problem = make(X, X.sum(axis=1) + rng.standard_t(2, 60), loss=Pinball(0.3), alpha=0.02)
    problems = [problem, replace(problem, loss=Pinball(0.6))]
    expected = [solve(one, Settings()).objective for one in problems]
    with always(_parametric, "parametric", lambda _, *given: (3, 0, given[10], given[16], 0, 0)):
        found = solve_quantiles(problems, Settings())
    assert not any("n_exchanges" in solution.stats for solution in found)
    assert [solution.objective for solution in found] == pytest.approx(expected, rel=1e-13)
    other = problems[1].with_penalty(problem.penalty.times(2.0))
    found = solve_quantiles([problem, other], Settings())
    assert found[1].objective == pytest.approx(solve(other, Settings()).objective, rel=1e-13)


def test_quantiles_of_a_sample_change_at_its_ranks():
    y, weight = np.random.default_rng(0).permutation(20).astype(float), np.arange(1.0, 21.0)
    quantiles, coefs, intercepts, gaps = quantile_process(np.zeros((20, 1)), y, alpha=1.0)
    np.testing.assert_allclose(quantiles, [0.01, *np.arange(1, 20) / 20, 0.99], rtol=1e-14)
    np.testing.assert_array_equal(intercepts, np.arange(20.0))
    assert not coefs.any()
    assert gaps.max() < 1e-14
    quantiles, _, intercepts, _ = quantile_process(
        np.zeros((20, 1)), y, quantile_range=(0.1, 0.9), sample_weight=weight
    )
    ranks = np.cumsum(weight[np.argsort(y)]) / weight.sum()
    np.testing.assert_allclose(quantiles[1:-1], ranks[(ranks > 0.1) & (ranks < 0.9)], rtol=1e-13)
    np.testing.assert_array_equal(intercepts, np.sort(y)[np.searchsorted(ranks, (quantiles[:-1] + quantiles[1:]) / 2)])


def test_dependent_columns_have_a_process():
    """All dummies beside the intercept, and twin columns: slopes that are rounding bring no column in."""
    rng = np.random.default_rng(2)
    X = np.hstack([np.eye(5)[rng.integers(0, 5, 40)], np.repeat(rng.standard_normal((40, 2)), 2, axis=1)])
    y = X.sum(axis=1) + rng.standard_t(2, 40)
    quantiles, coefs, intercepts, gaps = quantile_process(X, y)
    assert gaps.max() < 1e-13
    for tau in (0.05, 0.3, 0.77):
        k = np.searchsorted(quantiles, tau) - 1
        alone = QuantileRegressor(quantile=tau, alpha=0.0).fit(X, y)
        assert pinball_loss(y, X @ coefs[:, k] + intercepts[k], quantile=tau) == pytest.approx(
            alone.objective_, rel=1e-13
        )


def test_ranges_hold_where_rounding_is_as_large_as_the_perturbation():
    """Targets of 1e7 among few values (the campaign's table 2527): most vertices of the walk are not proved."""
    X, y, _, options, quantile, _ = drawn(2527)
    alpha = 0.5 * QuantileRegressor(quantile=quantile, alpha=1.0, **options).alpha_max(X, y)
    quantiles, coefs, intercepts, _ = quantile_process(X, y, alpha=alpha, quantile_range=(0.92, 0.97), **options)
    used = np.isfinite(options["penalty_weights"])
    assert quantiles[-1] == pytest.approx(0.97)
    for tau in (0.925, 0.935, 0.945, 0.955, 0.965):
        k = np.searchsorted(quantiles, tau) - 1
        alone = QuantileRegressor(quantile=tau, alpha=alpha, **options).fit(X, y)
        loss = pinball_loss(y, X @ coefs[:, k] + intercepts[k], quantile=tau)
        penalty = options["penalty_weights"][used] @ np.abs(coefs[used, k])
        assert loss + alpha * penalty == pytest.approx(alone.objective_, rel=1e-12)


def _table(name):
    """X, y and a part of the largest alpha."""
    if name == "diabetes":
        return *load_diabetes(return_X_y=True), 1e-3
    shapes = {"tall": (400, 40, 1e-3), "square": (200, 100, 0.01), "wide": (100, 110, 0.03)}
    n, p, part = shapes.get(name, (150, 30, 1e-3))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    if name == "correlated":
        X[:, p // 2 :] = X[:, : p // 2] + 0.01 * X[:, p // 2 :]
    y = X[:, :10] @ np.linspace(1, 0.1, 10) + rng.standard_t(3, n)
    return (np.round(2 * X), np.round(y), part) if name == "integers" else (X, y, part)


@pytest.mark.parametrize("name", ["square", "tall", "wide", "diabetes", "correlated", "integers"])
def test_small_penalties_leave_no_quantile_to_single_fits(name):
    """Duals of vertices are exact to the rounding of the penalty, not to that of far larger sums over rows."""
    X, y, part = _table(name)
    problem = make(X, y, loss=Pinball(0.47), alpha=1.0)
    alpha = part * largest_alpha(replace(problem, loss=Pinball(0.5)))
    problem = problem.with_penalty(problem.penalty.times(alpha))
    found = [solution for _, solution in solve_quantile_knots(problem, 0.53, Settings())]
    assert len(found) > 20
    assert sum(solution.stats.get("solved_alone", 0) for solution in found) == 0
    assert max(solution.relative_gap for solution in found) < 5e-13


@pytest.mark.filterwarnings("ignore:.*rounding errors hide the canonical one")
def test_what_is_not_a_fit_is_no_start():
    """Twin columns far from zero: vertices with coefficients of 1e14 are solved on their own, from those before."""
    X, y, *_ = drawn(2047)
    quantiles, coefs, intercepts, _ = quantile_process(X, y, quantile_range=(0.22, 0.235))
    for k in range(0, quantiles.size - 1, 3):
        tau = (quantiles[k] + quantiles[k + 1]) / 2
        alone = QuantileRegressor(quantile=tau, alpha=0.0).fit(X, y)
        loss = pinball_loss(y, X @ coefs[:, k] + intercepts[k], quantile=tau)
        assert loss == pytest.approx(alone.objective_, rel=1e-12)


def test_the_process_has_an_exchange_for_each_solution():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 4))
    problem = make(X, X.sum(axis=1) + rng.standard_normal(100), loss=Pinball(0.05))
    found = [solution for _, solution in solve_quantile_knots(problem, 0.95, Settings())]
    assert all(solution.unique and solution.stats["n_exchanges"] == 1 for solution in found[1:])


@pytest.mark.parametrize("block", range(4))
def test_solutions_of_a_path_are_confirmed(block):
    """Its optimum is that of a solver, from the dual of the alpha; from that of another alpha a solver is asked."""
    for seed in range(12 * block, 12 * block + 12):
        X, y, more = random_table(seed)
        unit = make(X, y, **more)
        largest = largest_alpha(unit)
        if largest <= 0:
            continue
        alphas = largest * np.array([0.7, 0.1])
        found = list(solve_alphas(unit, alphas, Settings()))
        for k, alpha in enumerate(alphas):
            problem = unit.with_penalty(unit.penalty.times(alpha))
            expected = solve(problem, Settings())
            for given in found:
                solution = confirm(problem, Settings(), given.coefficients, found=given)
                assert solution.relative_gap <= max(1e-12, expected.relative_gap), seed
                proof = prove(problem, solution.coef, solution.intercept, solution.dual)
                assert proof.gap <= max(1e-12, expected.relative_gap) * proof.objective
                assert abs(solution.objective - expected.objective) <= 1e-9 * expected.objective
            sure = confirm(problem, Settings(), found=found[k])
            np.testing.assert_allclose(sure.coef, expected.coef, rtol=1e-7, atol=1e-9)


def test_last_fit_of_a_cross_validation_is_its_vertex():
    """No engine solves again what the path of all rows has solved; the certificate is that of the data."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((150, 6))
    y = X[:, 0] + rng.standard_t(2, 150)
    for far, weight in ((1.0, None), (1e8, None), (1.0, rng.integers(1, 4, 150))):
        y[:3] *= far
        model = LADRegressorCV(alphas=20, cv=3).fit(X, y, sample_weight=weight)
        single = LADRegressor(alpha=model.alpha_).fit(X, y, sample_weight=weight)
        assert (model.certificate_.solver, single.certificate_.solver) == ("parametric simplex", "interior point")
        assert model.certificate_.relative_gap <= 1e-14
        assert model.verify(X, y, sample_weight=weight).relative_gap <= 1e-13
        np.testing.assert_allclose(model.coef_, single.coef_, rtol=1e-12, atol=1e-14)
        y[:3] /= far


FAR = {"y": (0.0, 1e6), "y at 1e9": (0.0, 1e9), "years": (2e3, 0.0), "both": (1e5, -1e6)}


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("kind", ["knots", "grid", "quantiles", "process"])
def test_paths_far_from_zero_are_those_at_the_origin(kind, far):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((60, 6)) * 2**10) / 2**10  # exact where they are far
    y = X @ np.arange(6.0) + np.round(rng.standard_normal(60) * 2**10) / 2**10
    call = {
        "knots": partial(lad_path, method="knots"),
        "grid": lad_path,
        "quantiles": partial(lad_path, quantiles=np.arange(0.1, 1.0, 0.1), alpha=0.02),
        "process": partial(quantile_process, alpha=0.02),
    }[kind]
    columns, target = FAR[far]
    with warnings.catch_warnings():
        # Beside 1e9 an intercept has no digits below 1e-7, which is in the gap, and is said.
        warnings.filterwarnings("ignore", message=".*did not reach tol=1e-09.*Rounding")
        grid, coefs, intercepts, gaps = call(X + columns, y + target)
    here = call(X, y)
    rounding = 1e-15 * (abs(target) + 100 * columns)
    np.testing.assert_allclose(grid, here[0], rtol=1e-9)
    np.testing.assert_allclose(coefs, here[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(intercepts - target + columns * coefs.sum(axis=0), here[2], atol=1e-12 + rounding)
    assert np.all(gaps <= 1e-12 + rounding)


def test_the_gap_of_a_path_far_from_zero_is_that_of_its_coefficients():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 6)), 1e9 + rng.standard_normal(60)
    problem = make(X, y, alpha=1.0)
    alphas = 0.1 * largest_alpha(problem) * np.array([1.0, 0.5])
    for alpha, solution in zip(alphas, solve_alphas(problem, alphas, Settings()), strict=True):
        coef, intercept = [Fraction(b) for b in solution.coef.tolist()], Fraction(solution.intercept)
        loss = sum(
            abs(Fraction(target) - intercept - sum(Fraction(x) * b for x, b in zip(row, coef, strict=True)))
            for row, target in zip(X.tolist(), y.tolist(), strict=True)
        )
        value = loss / 60 + Fraction(float(alpha)) * sum(map(abs, coef))
        assert solution.objective == pytest.approx(float(value), rel=1e-12, abs=0)
        assert solution.gap > 1e-10  # of an intercept beside 1e9
        near = make(X, y - 1e9, alpha=float(alpha))
        best = solve(near, Settings())
        assert solution.gap == pytest.approx(float(value) - best.objective, rel=1e-3, abs=0)
