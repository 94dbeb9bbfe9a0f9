"""Paths from knot to knot: every alpha is what it is alone, and knots are those of exact arithmetic."""

import numpy as np
import pytest

from ladreg._certificate import prove
from ladreg._problem import Absolute, Pinball, Settings
from ladreg._solvers import largest_alpha, solve, solve_alphas
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
