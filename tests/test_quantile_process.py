"""Many quantiles at once: every one is what it is alone, and few are solved alone."""

import numpy as np
import pytest

from ladreg import QuantileRegressor
from ladreg._kernels import _simplex
from ladreg._problem import Pinball, Settings
from ladreg._solvers import solve_quantiles
from tests.faults import always
from tests.problems import make, solve

TAUS = (0.03, 0.5, 0.1, 0.1, 0.9, 0.7, 0.05, 0.55, 0.52, 0.48, 0.3, 0.33, 0.36, 0.99)


def tables():
    rng = np.random.default_rng(1)
    n_samples = 6000
    X = rng.standard_normal((n_samples, 5))
    y = X @ rng.standard_normal(5) + rng.standard_t(2, n_samples)
    yield "normal", X, y, {}
    yield "integer y", X, np.round(y), {}
    yield "integer X", np.round(X), y, {}
    yield "weights", X, y, {"weight": rng.exponential(1.0, n_samples)}
    yield "constant column", np.column_stack([X, np.full(n_samples, 0.1)]), y, {}
    yield "twin columns", np.column_stack([X, X[:, 0]]), y, {}
    yield "no intercept", X, y, {"fit_intercept": False}
    yield "leverage", X * np.exp(2 * rng.standard_normal((n_samples, 1))), y, {}
    yield "spread grows", X, y * np.exp(X[:, 0]), {}
    yield "one column", X[:, :1], y, {}
    yield "by columns", np.asfortranarray(X), y, {}
    yield "repeats", np.repeat(X[:2000], 3, axis=0), np.repeat(y[:2000], 3), {}
    yield "tiny y", X, 1e-120 * y, {}
    yield "penalised", X, y, {"alpha": 0.05}


@pytest.mark.parametrize(("name", "X", "y", "more"), list(tables()), ids=lambda v: v if isinstance(v, str) else "")
def test_every_quantile_is_what_it_is_alone(name, X, y, more):
    problems = [make(X, y, loss=Pinball(tau), **more) for tau in TAUS]
    for problem, found in zip(problems, solve_quantiles(problems, Settings()), strict=True):
        alone = solve(problem)
        assert found.stopped.good
        assert found.relative_gap < 1e-12
        assert found.objective == pytest.approx(alone.objective, rel=1e-13)
        assert found.unique == alone.unique
        if found.unique:
            np.testing.assert_allclose(found.coef, alone.coef, rtol=1e-9, atol=1e-12 * np.abs(alone.coef).max())


def test_most_of_many_quantiles_are_solved_from_their_neighbours():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5))
    y = X.sum(axis=1) + rng.standard_t(2, 20_000)
    problems = [make(X, y, loss=Pinball(tau)) for tau in np.arange(1, 100) / 100]
    found = solve_quantiles(problems, Settings())
    between = [solution.stats for solution in found if "n_pivots" in solution.stats]
    assert len(between) >= 80
    assert np.mean([stats["rows_solved"] for stats in between]) < 0.02 * y.size
    assert np.mean([stats["n_pivots"] for stats in between]) < 60
    assert all(solution.unique and solution.relative_gap < 1e-13 for solution in found)


def test_quantiles_beside_a_known_one_are_solved_from_there():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5))
    y = X.sum(axis=1) + rng.standard_t(2, 20_000)
    problems = [make(X, y, loss=Pinball(tau)) for tau in (0.6, 0.4)]
    middle = solve(make(X, y, loss=Pinball(0.5)))
    near = solve_quantiles(problems, Settings(), (0.5, middle.coefficients))
    assert all("n_pivots" in solution.stats for solution in near)
    for one, other in zip(near, solve_quantiles(problems, Settings()), strict=True):
        np.testing.assert_allclose(one.coef, other.coef, rtol=1e-12)


def test_the_process_is_left_where_a_vertex_cannot_be_proved():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5000, 3)), rng.standard_t(2, 5000)
    problems = [make(X, y, loss=Pinball(tau)) for tau in (0.2, 0.3, 0.4, 0.5, 0.6)]
    expected = [solution.objective for solution in solve_quantiles(problems, Settings())]
    with always(_simplex, "pivot", lambda *_: -1):
        found = solve_quantiles(problems, Settings())
    assert not any("n_pivots" in solution.stats for solution in found)
    assert [solution.objective for solution in found] == pytest.approx(expected, rel=1e-14)


def test_of_several_quantiles_the_order_does_not_matter():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3000, 2)), rng.standard_normal(3000)
    values = [0.9, 0.1, 0.5, 0.3, 0.7, 0.2]
    one = QuantileRegressor(quantile=values, alpha=0).fit(X, y)
    other = QuantileRegressor(quantile=sorted(values), alpha=0).fit(X, y)
    np.testing.assert_array_equal(one.coef_[np.argsort(values)], other.coef_)
