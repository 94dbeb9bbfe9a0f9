"""Many quantiles at once: every one is what it is alone, few are solved alone, and the kernel agrees with its twin."""

import numpy as np
import pytest

from ladreg import QuantileRegressor
from ladreg._kernels import _simplex, reference
from ladreg._losses import Pinball
from ladreg.solvers import quantiles, solve_quantiles
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
    for problem, found in zip(problems, solve_quantiles(problems, tol=1e-9), strict=True):
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
    found = solve_quantiles(problems, tol=1e-9)
    between = [solution.stats for solution in found if "n_pivots" in solution.stats]
    assert len(between) >= 80
    assert np.mean([stats["rows_solved"] for stats in between]) < 0.02 * y.size
    assert np.mean([stats["n_pivots"] for stats in between]) < 60
    assert all(solution.unique and solution.relative_gap < 1e-13 for solution in found)


def test_the_process_is_left_where_a_vertex_cannot_be_proved(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5000, 3)), rng.standard_t(2, 5000)
    problems = [make(X, y, loss=Pinball(tau)) for tau in (0.2, 0.3, 0.4, 0.5, 0.6)]
    expected = [solution.objective for solution in solve_quantiles(problems, tol=1e-9)]
    monkeypatch.setattr(quantiles._simplex, "pivot", lambda *_: -1)
    found = solve_quantiles(problems, tol=1e-9)
    assert not any("n_pivots" in solution.stats for solution in found)
    assert [solution.objective for solution in found] == pytest.approx(expected, rel=1e-14)


def program(rng, n_rows, n_columns, integer):
    """Rows of a small program at a vertex, as the kernel takes them."""
    A = rng.integers(-2, 3, (n_rows, n_columns)).astype(float) if integer else rng.standard_normal((n_rows, n_columns))
    A[:, -1] = 1.0
    y = np.round(A.sum(axis=1) + rng.standard_t(2, n_rows)) if integer else rng.standard_t(2, n_rows)
    weight, tau = rng.exponential(1.0, n_rows), rng.uniform(0.1, 0.9)
    basis = quantiles._independent(A)
    if basis.size < n_columns:
        return None
    inverse = np.ascontiguousarray(np.linalg.inv(A[basis]))
    residual = y - A @ (inverse @ y[basis])
    residual[basis] = 0.0
    lower, upper = weight * (tau - 1.0), weight * tau
    dual = np.where(residual > 0, upper, lower)
    dual[basis] = 0.0
    return A, y, residual, lower, upper, -A.T @ dual, basis, inverse


@pytest.mark.parametrize("integer", [False, True], ids=["real", "integer"])
@pytest.mark.parametrize("seed", range(20))
def test_exchanges_agree_with_their_twin_and_end_at_the_optimum(seed, integer):
    rng = np.random.default_rng(seed)
    n_rows, n_columns = int(rng.integers(5, 60)), int(rng.integers(1, 5))
    given = program(rng, n_rows, n_columns, integer)
    if given is None:
        pytest.skip("fewer independent rows than columns")
    A, y, *_ = given
    counts, objectives = [], []
    for kernels in (_simplex, reference):
        _, _, residual, lower, upper, goal, basis, inverse = (part.copy() for part in given)
        inside, move, when = np.empty(n_columns), np.empty(n_rows), np.empty(n_rows)
        count = kernels.pivot(A, residual, lower, upper, goal, basis, inverse, inside, move, when, 1e-9, 500)
        assert count >= 0
        exact = y - A @ np.linalg.solve(A[basis], y[basis])
        np.testing.assert_allclose(residual, exact, atol=1e-9)
        dual = np.where(residual > 0, upper, lower)
        dual[basis] = inside
        np.testing.assert_allclose(A.T @ dual, 0.0, atol=1e-9)
        assert np.all((inside >= lower[basis] - 1e-8) & (inside <= upper[basis] + 1e-8))
        counts.append(count)
        objectives.append(np.maximum(lower * exact, upper * exact).sum())
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-10, abs=1e-12)
    if not integer:
        assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "basis"),
    [(1, 2, [0, 0]), (2, 2, [0, 2]), (2, 2, [-1, 0]), (3, 2, [0])],
    ids=["more columns than rows", "beyond the rows", "before the rows", "too few"],
)
def test_exchanges_refuse_arrays_that_do_not_fit(n_rows, n_columns, basis):
    rows = [np.zeros(n_rows) for _ in range(5)]
    residual, lower, upper, move, when = rows
    goal, inside = np.zeros(n_columns), np.zeros(n_columns)
    A, inverse = np.zeros((n_rows, n_columns)), np.zeros((n_columns, n_columns))
    chosen = np.array(basis, dtype=np.intp)
    with pytest.raises(ValueError, match="different lengths"):
        _simplex.pivot(A, residual, lower, upper, goal, chosen, inverse, inside, move, when, 0.0, 1)


def test_of_several_quantiles_the_order_does_not_matter():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3000, 2)), rng.standard_normal(3000)
    values = [0.9, 0.1, 0.5, 0.3, 0.7, 0.2]
    one = QuantileRegressor(quantile=values, alpha=0).fit(X, y)
    other = QuantileRegressor(quantile=sorted(values), alpha=0).fit(X, y)
    np.testing.assert_array_equal(one.coef_[np.argsort(values)], other.coef_)
