"""The L1 family as problems: any loss with the L1 penalty is solved and proved, in few rows and in few columns."""

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from ladreg._certificate import prove
from ladreg._problem import Absolute, Combined, HalfSquared, Huber, Pinball, Squared
from ladreg._solvers import largest_alpha, recover_dual
from tests.problems import make, oracle, rounding, solve, with_y
from tests.strategies import L1_LOSSES, l1_problems

CURVED = (Combined(0.5, 0.5), Combined(1.0, 0.01), Combined(0.01, 1.0), Huber(1.0), Huber(0.05), Squared())
KINKED = (Absolute(), Pinball(0.2), Combined(0.5, 0.5))
every_loss = pytest.mark.parametrize("loss", L1_LOSSES, ids=repr)


def clarabel(problem):
    """The objective at Clarabel's coefficients, from the problem as cvxpy writes it."""
    kept = np.isfinite(problem.penalty.strength)
    X, strength = problem.design.rows(np.arange(problem.n_samples))[:, kept], problem.penalty.strength[kept]
    if not kept.any():  # cvxpy has no empty variables
        X, strength = np.zeros((problem.n_samples, 1)), np.ones(1)
    coef, intercept = cp.Variable(X.shape[1]), cp.Variable()
    residual = problem.y - X @ coef - intercept
    loss, weight = problem.loss, problem.weight
    if isinstance(loss, Huber):
        cost = weight @ cp.huber(residual, loss.delta) * (loss.stiffness / 2)
    else:
        absolute, square = (loss.absolute, loss.square) if isinstance(loss, Combined) else (0.0, loss.curvature / 2)
        cost = absolute * (weight @ cp.abs(residual)) + square * cp.sum_squares(cp.multiply(np.sqrt(weight), residual))
    cost += strength @ cp.abs(coef)
    limits = [] if problem.fit_intercept else [intercept == 0]
    limits += [coef >= 0] if problem.penalty.positive else []
    tight = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12, "max_iter": 500}
    cp.Problem(cp.Minimize(cost), limits).solve(solver=cp.CLARABEL, **tight)
    found = np.zeros(problem.n_features)
    values = coef.value[: np.count_nonzero(kept)]
    found[kept] = np.maximum(values, 0.0) if problem.penalty.positive else values
    return problem.objective(found, float(intercept.value) if problem.fit_intercept else 0.0)


def assert_within(problem, solution):
    """What the penalty rules out is not there, exactly."""
    assert not solution.coef[np.isinf(problem.penalty.strength)].any()
    if problem.penalty.positive:
        assert (solution.coef >= 0).all()
    if not problem.fit_intercept:
        assert solution.intercept == 0.0


@given(l1_problems())
def test_every_problem_is_solved_and_proved(problem):
    solution = solve(problem)
    assert solution.stopped.good
    assert solution.relative_gap <= 1e-9
    assert_within(problem, solution)


@every_loss
@pytest.mark.parametrize("positive", [False, True])
def test_nearly_all_gaps_are_rounding(loss, positive):
    """Thirty-eight of forty problems are proved to 1e-13, all to 1e-9."""
    gaps = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n_samples, n_features = rng.integers(3, 60), rng.integers(1, 12)
        X = rng.standard_normal((n_samples, n_features))
        y = rng.integers(0, 4, n_samples).astype(float) if seed % 2 else rng.standard_t(2, n_samples)
        strength = rng.choice([0.0, 0.05, 0.2, np.inf], n_features) if seed % 3 else np.zeros(n_features)
        weight = rng.integers(0, 4, n_samples) + (np.arange(n_samples) == 0)
        gaps.append(solve(make(X, y, weight=weight, loss=loss, alpha=strength, positive=positive)).relative_gap)
    assert max(gaps) <= 1e-9
    assert sorted(gaps)[37] <= 1e-13


@given(l1_problems())
def test_verify_proves_what_the_solver_proved(problem):
    """A dual from the coefficients alone proves the same, and no bound is beyond an objective."""
    solution = solve(problem)
    dual = recover_dual(problem, solution.coef, solution.intercept)
    again = prove(problem, solution.coef, solution.intercept, dual)
    assert again.objective == solution.objective
    assert again.relative_gap <= 1e-9
    noise = 1e-12 * solution.objective + rounding(problem, solution.coef, solution.intercept)
    assert again.objective - again.gap <= solution.objective + noise
    nothing = problem.objective(np.zeros(problem.n_features), problem.null_intercept())
    assert solution.bound <= nothing * (1 + 1e-12)
    assert solution.objective <= nothing * (1 + 1e-12)


@given(l1_problems(losses=[Absolute(), Pinball(0.2), Pinball(0.9)], alphas=[0.0, 0.02, 0.2, 2.0]))
def test_piecewise_linear_objectives_are_the_linear_programs(problem):
    solution = solve(problem)
    assert solution.objective == pytest.approx(oracle(problem), rel=1e-10, abs=1e-10)


@given(l1_problems(losses=CURVED))
def test_curved_objectives_are_clarabels(problem):
    solution, reached = solve(problem), clarabel(problem)
    assert solution.objective == pytest.approx(reached, rel=1e-8, abs=1e-8)
    assert solution.objective <= reached * (1 + 1e-12) + 1e-12


@given(l1_problems(alphas=[0.02, 0.2]))
def test_zeros_are_exact(problem):
    """A feature whose slope is inside its strength is zero, not small; one whose slope is at it stands by its sign."""
    solution, strength = solve(problem), problem.penalty.strength
    proof = prove(problem, solution.coef, solution.intercept, solution.dual)
    bound = (strength > 0) & np.isfinite(strength)
    inside = bound & (problem.penalty.excess(proof.slope) < strength * (1 - 1e-5))
    assert not solution.coef[inside].any()
    used = bound & (np.abs(solution.coef) > 1e-7 * (1 + np.abs(solution.coef).max(initial=0.0)))
    signed = proof.slope[used] * np.sign(solution.coef[used])
    np.testing.assert_allclose(signed, strength[used], rtol=1e-4)


@every_loss
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("shape", [(15, 30), (40, 3), (15, 6)], ids=str)
@pytest.mark.parametrize("positive", [False, True])
def test_weights_are_repeated_shuffled_rows(shape, alpha, loss, positive):
    """Integer and dummy data, zero and large weights: the same canonical optimum. Later seeds are ones that failed."""
    n_samples = shape[0]
    # Where squares interpolate with coefficients >= 0, the smallest norm is met to 1e-3 only.
    interpolates = positive and alpha == 0 and shape == (15, 30) and isinstance(loss, HalfSquared)
    rtol = 2e-3 if interpolates else 1e-7
    tol = 1e-14 if isinstance(loss, HalfSquared) else 1e-10
    for seed in (0, 14, 24, 26, 27, 33, 108, 333):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal(shape) if seed % 3 else (rng.random(shape) < 0.3).astype(float)
        y = rng.integers(0, 5, n_samples).astype(float)
        weight = rng.integers(0, 5, n_samples) * rng.choice([1, 1, 1, 40], n_samples)
        weight[seed % n_samples] += 1
        rows = rng.permutation(np.repeat(np.arange(n_samples), weight))
        options = {"alpha": alpha, "loss": loss, "positive": positive}
        weighted = solve(make(X, y, weight=weight, **options), tol=tol)
        repeated = solve(make(X[rows], y[rows], **options), tol=tol)
        np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=rtol, atol=rtol / 10, err_msg=f"seed {seed}")
        assert weighted.intercept == pytest.approx(repeated.intercept, rel=rtol, abs=rtol / 10)


@given(l1_problems(), st.integers(0, 2**32 - 1))
def test_order_of_rows_and_columns_does_not_matter(problem, seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(problem.n_samples), rng.permutation(problem.n_features)
    shuffled = replace(
        problem,
        design=problem.design.take(rows).select(columns),
        y=problem.y[rows],
        weight=problem.weight[rows],
        penalty=problem.penalty.at(columns),
    )
    one, other = solve(problem), solve(shuffled)
    np.testing.assert_allclose(one.coef[columns], other.coef, rtol=1e-7, atol=1e-8)


@given(l1_problems(), st.sampled_from([1.0, 1000.0, -1e6]))
def test_shifting_y_shifts_the_intercept(problem, c):
    problem = replace(problem, fit_intercept=True)
    assume(np.array_equal((problem.y + c) - c, problem.y))
    one, other = solve(problem), solve(with_y(problem, problem.y + c))
    np.testing.assert_allclose(other.coef, one.coef, rtol=1e-7, atol=1e-8)
    assert other.intercept - c == pytest.approx(one.intercept, abs=1e-8 * max(1.0, abs(c) / 10))


def in_units(loss, unit):
    """The loss of residuals measured in another unit, and what its value is multiplied by."""
    if isinstance(loss, Huber):
        return Huber(loss.delta * unit), unit**2
    if isinstance(loss, Combined):
        return Combined(loss.absolute * unit, loss.square), unit**2
    return (loss, unit**2) if isinstance(loss, HalfSquared) else (loss, unit)


@given(
    l1_problems(),
    st.sampled_from([1e-140, 1e-12, 0.3, 1e12, 1e140]),
    st.sampled_from([1e-100, 1e-9, 0.3, 1e9, 1e100]),
)
def test_units_of_y_and_of_columns_do_not_matter(problem, unit, size):
    """A loss in its own units: y by `unit`, columns by `size` and all that they cost with them."""
    loss, factor = in_units(problem.loss, unit)
    strength = problem.penalty.strength * (factor / unit) * size
    X = problem.design.rows(np.arange(problem.n_samples)) * size
    assume(np.isfinite(strength[np.isfinite(problem.penalty.strength)]).all())
    other = make(
        X,
        problem.y * unit,
        weight=problem.weight,
        loss=loss,
        alpha=strength,
        positive=problem.penalty.positive,
        fit_intercept=problem.fit_intercept,
    )
    here, there = solve(problem), solve(other)
    assert there.relative_gap <= 1e-9
    np.testing.assert_allclose(there.coef / unit * size, here.coef, rtol=1e-7, atol=1e-8)


def wide(n_samples, n_features, seed, integer=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    y = X[:, :3] @ [3.0, -2.0, 1.0] + rng.standard_t(2, n_samples)
    return X, np.round(y) if integer else y


@every_loss
@pytest.mark.parametrize(("shape", "part"), [((40, 400), 0.1), ((50, 600), 0.5)], ids=str)
@pytest.mark.parametrize("positive", [False, True])
def test_few_of_many_columns_give_the_optimum_of_all(loss, shape, positive, part):
    X, y = wide(*shape, seed=shape[1], integer=part == 0.5)
    factors = np.ones(shape[1])
    factors[[5, 9]], factors[[0, 7]] = 0.0, np.inf
    problem = make(X, y, loss=loss, alpha=factors, positive=positive)
    problem = replace(problem, penalty=replace(problem.penalty, strength=part * largest_alpha(problem) * factors))
    solution = solve(problem)
    assert solution.stopped.good
    # Certified on the problem of all columns.
    assert solution.relative_gap <= 1e-12
    assert_within(problem, solution)
    free = prove(problem, solution.coef, solution.intercept, solution.dual).slope[[5, 9]]
    assert np.all(free <= 1e-12) if positive else np.all(np.abs(free) <= 1e-12)
    if loss.is_piecewise_linear:
        assert solution.stats["n_exchanges"] < 2 * shape[1]
    elif not isinstance(loss, HalfSquared):
        assert solution.stats["n_columns"] < shape[1] / 2
    if isinstance(loss, Absolute | Pinball):
        assert solution.objective == pytest.approx(oracle(problem), rel=1e-10)
    elif shape == (40, 400):
        assert solution.objective <= clarabel(problem) * (1 + 1e-12)


@every_loss
@pytest.mark.parametrize("shape", [(40, 200), (50, 400)], ids=str)
def test_duplicate_columns_have_equal_shares(loss, shape):
    X, y = wide(*shape, seed=1)
    alpha = 0.3 * largest_alpha(make(X, y, loss=loss, alpha=1.0))
    once, twice = (solve(make(table, y, loss=loss, alpha=alpha)) for table in (X, np.hstack([X, X])))
    first, second = np.split(twice.coef, 2)
    np.testing.assert_allclose(first, second, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(first + second, once.coef, rtol=1e-7, atol=1e-9)
    assert not twice.unique


@every_loss
def test_storage_does_not_matter(loss):
    rng = np.random.default_rng(5)
    X = np.where(rng.random((60, 150)) < 0.6, 0.0, rng.standard_normal((60, 150)))
    y = rng.integers(0, 5, 60).astype(float)
    for columns in (6, 150):
        dense = solve(make(X[:, :columns], y, loss=loss, alpha=0.05))
        for kind in (np.asfortranarray, sp.csr_array, sp.csc_matrix):
            found = solve(make(kind(X[:, :columns]), y, loss=loss, alpha=0.05))
            np.testing.assert_allclose(found.coef, dense.coef, rtol=1e-8, atol=1e-10)


@given(l1_problems(alphas=[1.0]))
def test_the_largest_alpha_is_where_the_last_penalised_feature_goes(problem):
    penalised = (problem.penalty.strength > 0) & np.isfinite(problem.penalty.strength)
    edge = largest_alpha(problem)
    assert edge >= 0

    def at(alpha):
        strength = np.where(penalised, alpha * problem.penalty.strength, problem.penalty.strength)
        return solve(replace(problem, penalty=replace(problem.penalty, strength=strength)))

    if not penalised.any():
        assert edge == 0.0
        return
    # An edge of rounding says that no feature is of use.
    useful = edge > 1e-12 * max(1.0, np.abs(problem.y).max())
    # Nearer to the edge a coefficient of 1e-6 costs less than rounding.
    assert not at(edge * (1 + 1e-5) if useful else 1e-6).coef[penalised].any()
    if useful:
        assert at(edge * (1 - 1e-3)).coef[penalised].any()


def tall(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 5))
    return X, X @ [2.0, -1.0, 0.5, 0.0, 0.1] + rng.standard_t(2, n_samples)


@pytest.mark.parametrize("loss", KINKED, ids=repr)
@pytest.mark.parametrize("part", [0.0, 0.001, 0.03, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("positive", [False, True])
def test_the_reduction_solves_few_rows_at_any_penalty(loss, part, positive):
    problem = make(*tall(50_000), loss=loss, alpha=1.0, positive=positive)
    strength = part * largest_alpha(problem) * np.ones(5)
    solution = solve(replace(problem, penalty=replace(problem.penalty, strength=strength)))
    assert solution.relative_gap < 1e-13
    assert solution.stats["rung"] == 1
    assert solution.stats["rows_solved"] < 0.03 * problem.n_samples
    assert solution.stats["n_passes"] <= 8


@pytest.mark.parametrize("delta", [0.01, 0.3, 1.0, 5.0, 100.0])
@pytest.mark.parametrize("part", [0.0, 0.03, 0.5])
@pytest.mark.parametrize("positive", [False, True])
def test_hubers_loss_takes_few_newton_steps(delta, part, positive):
    problem = make(*tall(50_000), loss=Huber(delta), alpha=1.0, positive=positive)
    strength = part * largest_alpha(problem) * np.ones(5)
    solution = solve(replace(problem, penalty=replace(problem.penalty, strength=strength)))
    assert solution.relative_gap < 1e-13
    assert solution.stats["n_newton"] <= 10


def test_newton_steps_do_not_grow_with_rows():
    steps = [solve(make(*tall(n), loss=Huber(1.0))).stats["n_newton"] for n in (1_000, 30_000, 400_000)]
    assert max(steps) <= 10
