"""The lasso on small tables: one Gram matrix and one check, and coordinate descent where that does not end."""

import numpy as np
import pytest

from ladreg._least_squares import LeastSquaresTuning
from ladreg._problem import ElasticNet, HalfSquared
from tests.problems import make, solve

LARGE = (LeastSquaresTuning(small_rows=1),)


@pytest.mark.parametrize(("positive", "share"), [(False, 1.0), (True, 1.0), (False, 0.5), (True, 0.5), (False, 0.0)])
def test_small_tables_have_the_optimum_of_large_ones(positive, share):
    n_small = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, p = int(rng.integers(3, 120)), int(rng.integers(1, 30))
        X = (rng.standard_normal((n, p)) + 3 * rng.standard_normal((n, 1)) * (seed % 3)) * 10.0 ** rng.integers(
            -3, 4, p
        )
        if seed % 5 == 0:
            X[:, -1] = X[:, 0]
        y = 1e6 * (seed % 4 == 0) + X[:, 0] / np.abs(X[:, 0]).max() + rng.standard_normal(n)
        size = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / n
        alpha = size * 10.0 ** rng.uniform(-4, 0.1)
        weight = rng.integers(1, 5, n) if seed % 2 else None
        problem = make(
            X, y, loss=HalfSquared(), weight=weight, alpha=share * alpha, positive=positive, fit_intercept=seed % 7 > 0
        )
        if share < 1:
            ridge = (1 - share) * alpha * np.abs(X).mean(axis=0)
            problem = problem.with_penalty(ElasticNet(problem.penalty.strength, positive, ridge))
        small, large = solve(problem), solve(problem, tuning=LARGE)
        n_small += small.stats["n_checks"] == 1
        assert small.stopped.good, seed
        assert small.objective == pytest.approx(large.objective, rel=1e-10, abs=0.0), seed
        assert small.unique or not large.unique, seed
        # Bounded by the gaps where columns are nearly dependent: predictions are unique in any case.
        mean = [problem.design.matvec(one.coef) + one.intercept for one in (small, large)]
        apart = problem.weight @ (mean[0] - mean[1]) ** 2
        assert apart <= 4 * (small.gap + large.gap) + 1e-24 * (problem.weight @ y**2), seed
        if not small.unique:
            np.testing.assert_allclose(
                small.coef, large.coef, rtol=1e-6, atol=1e-8 * np.abs(large.coef).max(initial=0.0)
            )
    assert n_small >= 25


def test_equal_columns_and_few_epochs_are_left_to_coordinate_descent():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 4))
    y = X[:, 0] + rng.standard_normal(50)
    equal = solve(make(X[:, [0, 1, 0]], y, loss=HalfSquared(), alpha=0.1))
    assert not equal.unique
    assert equal.coef[0] == pytest.approx(equal.coef[2])
    limited = solve(make(X, y, loss=HalfSquared(), alpha=0.1), max_iter=3)
    assert limited.n_iter <= 3


def test_limits_of_coefficients_are_kept():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    problem = make(X, 3 * X[:, 0] + rng.standard_normal(50), loss=HalfSquared(), alpha=0.1)
    penalty = ElasticNet(problem.penalty.strength, lower=np.full(3, -np.inf), upper=np.array([1.0, np.inf, np.inf]))
    solution = solve(problem.with_penalty(penalty))
    assert solution.coef[0] == 1.0
    assert solution.relative_gap <= 1e-12
