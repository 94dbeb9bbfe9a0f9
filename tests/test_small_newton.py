"""Huber's loss on small tables: steps on the table itself, and the general method where they do not end."""

import numpy as np
import pytest

from ladreg import HuberLossRegressor
from ladreg._piecewise import PiecewiseTuning, solve_only_vertex
from ladreg._presolve import scaled
from ladreg._problem import Huber
from tests.faults import INSIDE, always, gives_nothing
from tests.problems import AS_LARGE, make, solve

KINDS = {
    "normal": lambda rng, X: X @ np.ones(X.shape[1]) + rng.standard_normal(len(X)),
    "gross outliers": lambda rng, X: X.sum(axis=1) + rng.standard_cauchy(len(X)),
    "integers": lambda rng, X: np.round(X.sum(axis=1) + rng.standard_t(2, len(X))),
    "mostly exact": lambda rng, X: X.sum(axis=1) + np.where(rng.random(len(X)) < 0.7, 0.0, rng.standard_t(2, len(X))),
    "far from zero": lambda rng, X: 1e9 + X.sum(axis=1) + rng.standard_t(3, len(X)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_small_tables_have_the_optimum_of_large_ones(kind):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, p, delta = int(rng.integers(8, 400)), int(rng.integers(1, 6)), float(rng.choice([1e-3, 0.5, 2.0, 100.0]))
        X = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-3, 4, p)
        X[:, 0] = np.round(X[:, 0])
        weight = rng.integers(1, 5, n) if seed % 2 else None
        problem = make(X, KINDS[kind](rng, X), loss=Huber(delta), weight=weight, fit_intercept=bool(seed % 3))
        small, large = solve(problem), solve(problem, tuning=AS_LARGE)
        assert small.stopped.good, seed
        assert small.relative_gap <= max(large.relative_gap, 1e-12), seed
        assert small.objective == pytest.approx(large.objective, rel=1e-12, abs=0.0), seed
        if small.unique and large.unique:
            size = np.abs(large.coef).max()
            np.testing.assert_allclose(small.coef, large.coef, rtol=1e-7, atol=1e-9 * size, err_msg=f"seed {seed}")


def test_ordinary_small_tables_take_a_few_steps_and_no_pass():
    rng = np.random.default_rng(0)
    for n, p in ((235, 1), (1000, 5), (5000, 20)):
        X = rng.standard_normal((n, p))
        solution = solve(make(X, X.sum(axis=1) + rng.standard_t(3, n), loss=Huber(1.35)))
        assert solution.unique
        assert solution.stats["n_passes"] == 0
        assert solution.stats["n_newton"] <= 8


def test_nearly_equal_columns_are_left_to_the_general_method():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2))
    X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]
    solution = solve(make(X, X[:, 0] + rng.standard_t(3, 100), loss=Huber(1.0)))
    assert solution.stats["n_passes"] > 0
    assert solution.relative_gap <= 1e-12


@pytest.mark.parametrize("kind", ["normal", "gross outliers", "far from zero"])
def test_the_scale_of_a_small_table_is_that_of_a_large_one(kind):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((301, 3))
    y = KINDS[kind](rng, X)
    small = HuberLossRegressor().fit(X, y)
    with always(*INSIDE["vertex of a scale"], gives_nothing):
        large = HuberLossRegressor().fit(X, y)
    assert small.scale_ == pytest.approx(large.scale_, rel=1e-9)
    np.testing.assert_allclose(small.coef_, large.coef_, rtol=1e-8)


def test_a_vertex_among_far_targets_or_ties_is_not_taken_without_its_certificate():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 2))
    y = X.sum(axis=1) + rng.standard_t(3, 60)
    tuning = PiecewiseTuning()
    assert solve_only_vertex(scaled(make(X, y))[0], tuning) is not None
    far = np.where(np.arange(60) == 7, 1e12, y)
    assert solve_only_vertex(scaled(make(X, far))[0], tuning) is None
    even = make(np.zeros((4, 0)), np.array([1.0, 2.0, 10.0, 20.0]))  # every constant from 2 to 10 is optimal
    assert solve_only_vertex(scaled(even)[0], tuning) is None
