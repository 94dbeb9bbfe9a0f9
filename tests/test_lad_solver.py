"""The linear program's exact, canonical optimum: agreement with an independent LP, and the laws of LAD."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from ladreg._design import as_design
from ladreg._piecewise import solve_by_linprog
from ladreg._problem import Absolute, Coefficients, Pinball, Settings, StopReason
from tests.problems import AS_LARGE, longley, make, oracle, rounding, solve, stackloss, with_y
from tests.strategies import lad_problems, tables


def residual(problem, solution):
    return problem.residual(solution.coef, solution.intercept)


def assert_same_fit(problem, one, other, rtol=1e-9):
    """Equal predictions: coefficients are compared where they are what a law speaks of."""
    present = problem.weight > 0
    scale = max(1.0, np.abs(problem.y).max())
    np.testing.assert_allclose(residual(problem, one)[present], residual(problem, other)[present], atol=rtol * scale)


SOLVERS = ("auto", "linprog")
both_solvers = pytest.mark.parametrize("solver", SOLVERS)


@both_solvers
@given(problem=lad_problems())
def test_objective_is_the_oracles(solver, problem):
    solution = solve(problem, solver=solver)
    assert solution.objective == pytest.approx(oracle(problem), rel=1e-9, abs=1e-9)
    noise = rounding(problem, solution.coef, solution.intercept)
    assert solution.gap <= 1e-12 * solution.objective + noise
    assert solution.stopped.good


@pytest.mark.parametrize("block", range(4))
def test_two_hundred_small_problems(block):
    """linprog's objective, evaluated at its own coefficients, is never lower than ours by more than rounding."""
    for seed in range(50 * block, 50 * (block + 1)):
        compare_with_linprog(seed)


def compare_with_linprog(seed):
    rng = np.random.default_rng(seed)
    n_samples, n_features = rng.integers(2, 40), rng.integers(1, 7)
    X = rng.standard_normal((n_samples, n_features))
    y = rng.integers(0, 9, n_samples).astype(float) if seed % 2 else rng.standard_cauchy(n_samples)
    problem = make(X, y, weight=rng.integers(1, 5, n_samples))
    solution = solve(problem)
    Z = np.column_stack([X, np.ones(n_samples)])
    result = scipy.optimize.linprog(
        -y,
        A_eq=Z.T,
        b_eq=np.zeros(n_features + 1),
        bounds=np.column_stack([-problem.weight, problem.weight]),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    point = -result.eqlin.marginals
    reached = problem.objective(point[:-1], point[-1])
    noise = rounding(problem, solution.coef, solution.intercept)
    assert solution.objective == pytest.approx(reached, rel=1e-12, abs=2 * noise), seed
    assert solution.gap <= 1e-13 * solution.objective + noise, seed


@pytest.mark.parametrize("loss", [Absolute(), Pinball(0.3)], ids=repr)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("shape", [(15, 30), (60, 5), (40, 3), (15, 6)], ids=str)
@both_solvers
def test_weights_are_repeated_shuffled_rows(solver, shape, alpha, loss):
    """Integer and dummy data, zero and large weights; the campaign draws more."""
    n_samples = shape[0]
    for seed in range(9):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal(shape) if seed % 3 else (rng.random(shape) < 0.3).astype(float)
        y = rng.integers(0, 5, n_samples).astype(float)
        weight = rng.integers(0, 5, n_samples) * rng.choice([1, 1, 1, 40], n_samples)
        weight[seed % n_samples] += 1
        repeats = rng.permutation(np.repeat(np.arange(n_samples), weight))
        weighted = solve(make(X, y, weight=weight * 2.0**30, alpha=alpha, loss=loss), solver=solver)
        repeated = solve(make(X[repeats], y[repeats], alpha=alpha, loss=loss), solver=solver)
        np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-7, atol=1e-9, err_msg=f"seed {seed}")
        assert weighted.intercept == pytest.approx(repeated.intercept, rel=1e-7, abs=1e-9)


@given(lad_problems(), st.integers(0, 2**32 - 1))
def test_order_of_rows_does_not_matter(problem, seed):
    order = np.random.default_rng(seed).permutation(problem.n_samples)
    shuffled = replace(problem, design=problem.design.take(order), y=problem.y[order], weight=problem.weight[order])
    one, other = solve(problem), solve(shuffled)
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-8, atol=1e-9)


@given(lad_problems(), st.sampled_from([1e-150, 1e-12, 1e-9, 0.3, 1e9, 1e12, 1e150]))
def test_scaling_y_scales_the_solution(problem, c):
    penalised = problem.penalty.strength.any()
    one, other = solve(problem), solve(with_y(problem, c * problem.y))
    np.testing.assert_allclose(other.coef / c, one.coef, rtol=1e-9, atol=1e-10)
    assert other.intercept / c == pytest.approx(one.intercept, rel=1e-9, abs=1e-10)
    if not penalised:
        noise = 2 * rounding(problem, one.coef, one.intercept)
        assert other.objective / c == pytest.approx(one.objective, rel=1e-12, abs=noise)


@given(lad_problems(), st.sampled_from([1.0, 1000.0, -1e6]))
def test_shifting_y_shifts_the_intercept(problem, c):
    problem = replace(problem, fit_intercept=True)
    one, other = solve(problem), solve(with_y(problem, problem.y + c))
    rounded = np.array_equal((problem.y + c) - c, problem.y)
    assume(rounded)
    np.testing.assert_allclose(other.coef, one.coef, rtol=1e-8, atol=1e-9)
    assert other.intercept - c == pytest.approx(one.intercept, abs=1e-9 * abs(c))


@given(lad_problems(), st.integers(0, 2**32 - 1))
def test_adding_a_combination_of_columns_adds_it_to_the_fit(problem, seed):
    problem = replace(problem, penalty=replace(problem.penalty, strength=np.zeros(problem.n_features)))
    g = np.random.default_rng(seed).integers(-3, 4, problem.n_features).astype(float)
    moved = with_y(problem, problem.y + problem.design.matvec(g))
    one, other = solve(problem), solve(moved)
    present = problem.weight > 0
    tolerance = 1e-9 * (1 + problem.design.absolute_matvec(g).max())
    np.testing.assert_allclose(residual(moved, other)[present], residual(problem, one)[present], atol=tolerance)


@given(tables(), st.integers(0, 2**32 - 1))
def test_a_change_of_basis_changes_no_fit(table, seed):
    X, y, weight = table
    rng = np.random.default_rng(seed)
    assume(X.shape[1] > 0)
    T = np.eye(X.shape[1]) + 0.3 * rng.uniform(-1, 1, (X.shape[1],) * 2) / X.shape[1]
    problem = make(X, y, weight=weight)
    one, other = solve(problem), solve(make(X @ T, y, weight=weight))
    other = SimpleNamespace(coef=T @ other.coef, intercept=other.intercept)
    size = 1 + problem.design.absolute_matvec(one.coef).max()
    present = weight > 0
    np.testing.assert_allclose(residual(problem, other)[present], residual(problem, one)[present], atol=1e-8 * size)


@pytest.mark.parametrize("factor", [1e-150, 1e-9, 1e9, 1e150])
@pytest.mark.parametrize("column", [0, 1, 2, None])
def test_scaling_columns_scales_coefficients(factor, column):
    problem = stackloss().problem
    scale = np.ones(3)
    scale[column if column is not None else slice(None)] = factor
    X = problem.design.rows(np.arange(21)) * scale
    other = solve(replace(problem, design=as_design(X)))
    np.testing.assert_allclose(other.coef * scale, solve(problem).coef, rtol=1e-9)
    assert other.relative_gap < 1e-12


@pytest.mark.parametrize("factor", [1e-10, 1e12])
def test_the_scale_of_weights_does_not_matter(factor):
    problem = stackloss().problem
    weight = np.arange(1.0, 22.0)
    one = solve(make(problem.design.X, problem.y, weight=weight))
    other = solve(make(problem.design.X, problem.y, weight=factor * weight))
    # A coefficient that is zero may be rounding.
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-12, atol=1e-15)


def test_one_huge_weight_is_a_constraint():
    problem = stackloss().problem
    weight = np.ones(21)
    for heavy in (1e6, 1e12):
        weight[4] = heavy
        solution = solve(make(problem.design.X, problem.y, weight=weight))
        assert abs(residual(problem, solution)[4]) < 1e-12
        assert solution.gap <= 1e-14 * weight.size
        # An ulp of the heavy row's residual is worth more than 1e-9 of the objective where it weighs 1e12.
        assert solution.unique or heavy == 1e12


@both_solvers
def test_weights_that_are_far_apart_do_not_stop_the_linear_program(solver):
    """In units of a typical weight, sums of duals of 1e12 round by more than HiGHS's tolerance."""
    for seed in (4, 5):
        rng = np.random.default_rng(seed)
        X = 1e4 + np.hstack([rng.integers(0, k, 150)[:, None] == np.arange(k) for k in (15, 4)])
        y, weight = rng.integers(0, 4, 150), rng.choice([1e-10, 1.0, 1e12], 150, p=[0.3, 0.6, 0.1])
        solution = solve(make(X, y, weight=weight, fit_intercept=False), solver=solver)
        assert solution.relative_gap <= 1e-9


def test_costs_of_linear_programs_are_no_larger_than_highs_bears(monkeypatch):
    """Its presolve wrote beyond its arrays where a start far away made them 5e12, and the process ended."""
    linprog, costs = scipy.optimize.linprog, []

    def recorded(cost, *given, **options):
        costs.append(np.abs(cost).max())
        return linprog(cost, *given, **options)

    monkeypatch.setattr(scipy.optimize, "linprog", recorded)
    X = np.random.default_rng(0).standard_normal((30, 2))
    problem = make(X, X[:, 0])
    found = solve_by_linprog(problem, Settings(1e-12), Coefficients(np.full(2, 1e14), 0.0))
    assert 1.0 < max(costs) <= 2.0**32
    assert problem.objective(found.coef, found.intercept) <= 1e-12


def test_wild_targets_do_not_coarsen_the_others():
    """One target of 1e12 must not push the bulk, of size one, below the LP solver's tolerance."""
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    y[7] = 1e12
    solution = solve(make(X, y))
    y[7] = 1e3
    np.testing.assert_allclose(solution.coef, solve(make(X, y)).coef, rtol=1e-9)


def test_minimum_norm_in_a_rank_deficient_design():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((10, 25)), rng.standard_normal(10)
    expected = np.linalg.pinv(X - X.mean(axis=0)) @ (y - y.mean())
    np.testing.assert_allclose(solve(make(X, y)).coef, expected, rtol=1e-9, atol=1e-11)


def test_answers_are_the_same_through_sparse_storage():
    rng = np.random.default_rng(5)
    X = np.where(rng.random((80, 6)) < 0.6, 0.0, rng.standard_normal((80, 6)))
    y = rng.integers(0, 5, 80).astype(float)
    dense = solve(make(X, y, alpha=0.01))
    for kind in (sp.csr_array, sp.csc_matrix):
        np.testing.assert_allclose(solve(make(kind(X), y, alpha=0.01)).coef, dense.coef, rtol=1e-9, atol=1e-12)


def test_iterative_refinement_reaches_rounding():
    """Cauchy data spread over orders of magnitude: one LP at HiGHS's tolerance is not always exact."""
    rounds = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        solution = solve(make(rng.standard_cauchy((60, 5)), rng.standard_cauchy(60), alpha=0.01), solver="linprog")
        assert solution.relative_gap < 1e-12
        rounds.append(solution.stats["n_rounds"])
    assert max(rounds) > 1


@pytest.mark.parametrize("part", [1e-4, 1e-5, 1e-6, 1e-7])
def test_no_other_lp_is_solved_for_a_gap_of_the_last_digits_of_residuals(part):
    """Coefficients of 1 / part: the gap is that of their rounding, and was the same after two or three LPs."""
    rungs = []
    for seed in range(12):
        X = np.random.default_rng(seed).standard_normal((60, 5))
        X[:, 3] = X[:, 2] + part * X[:, 3]
        problem = make(X[:, :4], X[:, 4])
        solution = solve(problem, solver="linprog", tol=1e-9)
        assert solution.stopped is StopReason.EXACT
        assert solution.stats["n_rounds"] == 1
        assert solution.gap <= 16 * rounding(problem, solution.coef, solution.intercept)
        rungs.append(solve(problem, tuning=AS_LARGE, tol=1e-9).stats["rung"])
        strict = solve(problem, solver="linprog", tol=0.0)
        assert strict.stats["n_rounds"] > 1 or strict.relative_gap <= 1e-14
    assert rungs.count(4) <= 1  # of twelve: six and eight for the two smallest parts


def fake(**values):
    return lambda *_, **__: SimpleNamespace(nit=7, message="time", eqlin=None, **values)


@pytest.mark.parametrize(
    ("status", "reason"), [(1, StopReason.ITERATION_LIMIT), (2, StopReason.FAILURE), (4, StopReason.FAILURE)]
)
def test_a_failing_linprog_leaves_a_certified_answer(monkeypatch, status, reason):
    monkeypatch.setattr(scipy.optimize, "linprog", fake(status=status, x=None))
    problem = stackloss().problem
    solution = solve(problem, solver="linprog")
    assert solution.stopped is reason
    assert np.isfinite(solution.coef).all()
    assert solution.objective >= stackloss().objective
    assert solution.bound <= stackloss().objective


def test_a_real_iteration_limit():
    solution = solve(longley().problem, max_iter=1, solver="linprog")
    assert solution.stopped is StopReason.ITERATION_LIMIT
    assert solution.gap > 0
    assert np.isfinite(solution.coef).all()


def test_a_real_time_limit():
    rng = np.random.default_rng(0)
    problem = make(rng.standard_normal((4000, 20)), rng.standard_normal(4000))
    assert solve(problem, time_limit=1e-3, solver="linprog").stopped is StopReason.TIME_LIMIT


@pytest.mark.parametrize("weighted", [False, True])
def test_the_simplex_begins_near_the_optimum(weighted):
    """At the weighted least squares fit: where noise is small, about one exchange per column is left."""
    made = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 6))
        y = X @ (10 * rng.standard_normal(6)) + 0.1 * rng.standard_normal(60)
        made += solve(make(X, y, weight=10.0 ** rng.uniform(-2, 2, 60) if weighted else None)).stats["n_exchanges"]
    assert made <= 10 * 7


def test_work_is_counted():
    stats = solve(stackloss().problem, solver="linprog").stats
    assert stats["rows_solved"] == 21
    assert stats["n_rounds"] == 1
    assert 0 < stats["n_lp_iter"] < 100


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("n_samples", [22, 3000])
def test_no_other_solver_is_tried_for_the_rounding_of_the_intercept(n_samples, alpha):
    rng = np.random.default_rng(n_samples)
    X = rng.standard_normal((n_samples, 10))
    y = np.round((X.sum(axis=1) + rng.standard_normal(n_samples)) * 2**16) / 2**16  # exact beside 1e9
    near, moved = (solve(make(X, y + shift, alpha=alpha)) for shift in (0.0, 1e9))
    assert moved.stats["rung"] == near.stats["rung"]
    assert moved.unique
    np.testing.assert_allclose(moved.coef, near.coef, rtol=1e-9)
