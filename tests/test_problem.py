"""The certificate: a bound for any dual, tight for an optimal one, and honest about rounding and uniqueness."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from ladreg import LassoCD
from ladreg._certificate import certify, prove
from ladreg._design import DenseDesign
from ladreg._problem import Absolute, HalfSquared, Huber, Pinball, StopReason
from ladreg._solvers import largest_alpha
from tests.faults import faulty
from tests.problems import NAMED, make, rounding, solve
from tests.strategies import lad_problems, tables


def certified(problem, coef, intercept, dual):
    return certify(problem, coef, intercept, dual, n_iter=1, stopped=StopReason.GIVEN, solver="test")


@pytest.mark.parametrize("named", NAMED, ids=lambda named: named.__name__)
def test_named_optimum(named):
    known = named()
    solution = solve(known.problem)
    noise = rounding(known.problem, solution.coef, solution.intercept)
    assert solution.gap <= max(1e-12 * solution.objective, noise)
    assert solution.stopped.good
    if known.objective is not None:
        assert solution.objective == pytest.approx(known.objective, rel=1e-12, abs=noise)
    if known.coef is not None:
        np.testing.assert_allclose(solution.coef, known.coef, rtol=1e-11, atol=1e-13)
        assert solution.intercept == pytest.approx(known.intercept, rel=1e-11)
    assert solution.unique is known.unique


@given(lad_problems(max_samples=12, max_features=4), st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e3]))
def test_any_dual_gives_a_lower_bound(problem, seed, size):
    rng = np.random.default_rng(seed)
    optimum = solve(problem)
    coef, intercept = rng.standard_normal(problem.n_features), rng.standard_normal() * problem.fit_intercept
    solution = certified(problem, coef, intercept, size * rng.standard_normal(problem.n_samples) / problem.n_samples)
    noise = rounding(problem, optimum.coef, optimum.intercept) + rounding(problem, coef, intercept)
    assert solution.bound <= optimum.objective + noise
    assert solution.gap >= 0


@given(tables(max_samples=12, max_features=4), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1]), st.booleans())
def test_any_dual_gives_a_lower_bound_of_the_lasso(table, seed, alpha, positive):
    X, y, weight = table
    problem = make(X, y, weight=weight, loss=HalfSquared(), alpha=alpha, positive=positive)
    rng = np.random.default_rng(seed)
    optimum = solve(problem)
    coef = np.abs(rng.standard_normal(problem.n_features))
    solution = certified(problem, coef, 0.3, rng.standard_normal(problem.n_samples))
    assert solution.bound <= optimum.objective + 1e-12 * (1 + np.abs(y).max() ** 2)
    assert solution.gap >= 0


@given(lad_problems(max_samples=12, max_features=4), st.integers(0, 2**32 - 1))
def test_the_reported_dual_is_feasible(problem, seed):
    dual = np.random.default_rng(seed).standard_normal(problem.n_samples)
    solution = certified(problem, np.zeros(problem.n_features), 0.0, dual)
    lower, upper = problem.loss.interval()
    slack = 1 + 1e-12
    assert np.all(solution.dual <= upper * problem.weight * slack)
    assert np.all(solution.dual >= lower * problem.weight * slack)
    slope = problem.design.rmatvec(solution.dual)
    noise = 1e-12 * problem.design.magnitudes(problem.weight)
    assert np.all(np.abs(slope) <= problem.penalty.strength * slack + noise)
    if problem.fit_intercept:
        assert abs(solution.dual.sum()) <= 1e-12


@given(lad_problems())
def test_the_bound_is_the_dual_objective(problem):
    """gap is summed from Fenchel-Young terms; it must be the same number as objective - dual objective."""
    solution = solve(problem)
    dual_objective = problem.y @ solution.dual
    assert solution.bound == pytest.approx(dual_objective, rel=1e-9, abs=1e-11 * (1 + np.abs(problem.y).max()))


def test_a_wrong_answer_shows_as_a_gap():
    X, y = np.arange(8.0)[:, None], np.arange(8.0) ** 2
    problem = make(X, y)
    best = solve(problem)
    worse = certified(problem, best.coef + 5.0, best.intercept, best.dual)
    assert worse.gap == pytest.approx(worse.objective - best.objective, rel=1e-9)
    assert worse.gap > 0.01


def test_rows_on_the_wrong_side_of_a_dual_at_its_ends_count():
    """Most duals are at an end on the side of their residual, where nothing is lost: others lose what they should."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    problem = make(X, X @ [1.0, -1.0, 0.0] + rng.standard_t(2, 80), alpha=[0.0, 0.1, 0.2])
    best = solve(problem)
    for size in 10.0 ** np.arange(-9, 2):
        moved = certified(problem, best.coef + size * rng.standard_normal(3), best.intercept, best.dual)
        assert moved.gap == pytest.approx(moved.objective - problem.y @ moved.dual, rel=1e-5, abs=1e-14)
        assert moved.gap >= moved.objective - best.objective - 1e-14


def test_rank_deficient_free_columns_are_projected_out():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 2))
    X = np.column_stack([x, x[:, 0] + x[:, 1], np.ones(30), np.zeros(30)])
    problem = make(X, rng.standard_normal(30))
    solution = certified(problem, np.zeros(5), 0.0, 0.5 * np.sign(problem.y) / 30)
    assert 0.1 < solution.bound < solve(problem).objective


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [Absolute(), Huber(0.5), HalfSquared()], ids=lambda loss: type(loss).__name__)
def test_free_columns_are_projected_out_by_a_gram_matrix_or_decompositions_to_the_same_bound(loss, weighted):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 4)) + 3.0, rng.standard_normal(60)
    weight = rng.random(60) if weighted else np.ones(60)
    coef = 0.1 * rng.standard_normal(4)

    def asked(X, coef, times):
        """The gap, with each row repeated, and the numbers of QR decompositions and pseudo-inverses for it."""
        problem = make(np.tile(X, (times, 1)), np.tile(y, times), loss=loss, weight=np.tile(weight, times))
        dual = problem.weight * np.clip(problem.residual(coef, 0.0), -0.4, 0.4)
        with faulty(scipy.linalg, "qr", 0, None) as by_qr, faulty(np.linalg, "pinv", 0, None) as by_pinv:
            gap = certified(problem, coef, 0.0, dual).gap
        return gap, bool(by_qr), bool(by_pinv)

    gap, *ways = asked(X, coef, 1)
    assert gap < 100.0
    assert ways == [False, False]
    # One column twice makes the Gram matrix singular; its QR would be too large for many rows.
    twice, with_zero = np.column_stack([X, X[:, 0]]), np.append(coef, 0.0)
    assert asked(twice, with_zero, 1) == (pytest.approx(gap, rel=1e-12), True, False)
    assert asked(twice, with_zero, 6000) == (pytest.approx(gap, rel=1e-12), False, True)


@pytest.mark.parametrize("size", [1e-200, 1e-162, 1e-161, 1e-150, 1e150])
def test_free_columns_of_any_size_are_projected_out(size):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((50, 3)), rng.standard_normal(50)
    gaps = []
    for unit in (1.0, size):
        problem = make(X * [1.0, unit, 1.0], y, loss=HalfSquared())
        gaps.append(certified(problem, np.array([0.1, 0.2 / unit, -0.1]), 0.0, problem.weight * y).gap)
    assert gaps[1] == pytest.approx(gaps[0], rel=1e-12)


def test_relative_gap_of_an_exact_fit_is_relative_to_the_data():
    problem = make(np.arange(5.0)[:, None], 3 * np.arange(5.0) + 0.1)
    solution = solve(problem)
    assert solution.objective < 1e-14
    assert solution.relative_gap < 1e-14


@pytest.mark.parametrize("size", [1.0, 1e100])
def test_a_constant_column_and_a_penalty_that_is_next_to_none_leave_no_gap(size):
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.standard_normal((30, 2)), np.full(30, 3.0 * size)])
    for alpha in (0.1, 1e-3, 1e-200):
        model = LassoCD(alpha=alpha).fit(X, X[:, 0] + rng.standard_normal(30))
        assert model.dual_gap_ <= 1e-9 * model.objective_


LIGHT = np.array([1e12, 1e12, 1.0, 1.0, 1.0, 1e-10])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("loss", [HalfSquared(), Absolute()])
def test_what_is_wrong_with_light_rows_beside_heavy_ones_is_in_the_gap(seed, loss):
    """Their part of the objective is below the rounding of the heavy rows' part of each product."""
    rng = np.random.default_rng(seed)
    light = np.where(LIGHT < 1e12, 1.0, 0.0)
    X = rng.standard_normal((6, 3)) * np.column_stack([np.ones((6, 2)), light])
    coef = rng.standard_normal(3)
    problem = make(X, X @ coef + light * rng.standard_normal(6), weight=LIGHT, loss=loss, fit_intercept=False)
    wrong = coef + np.array([0.0, 0.0, 1.0])
    solution = certified(problem, wrong, 0.0, problem.weight * loss.derivative(problem.residual(wrong, 0.0)))
    assert solution.gap >= 0.99 * (solution.objective - problem.objective(coef, 0.0))
    # Heavy rows that are fitted exactly do not make the fit an exact one.
    assert solution.relative_gap == solution.gap / solution.objective


def test_the_intercept_of_light_rows_beside_heavy_ones_is_in_the_gap():
    """Found by the campaign: the two heavy rows leave [1, 2] to the intercept, and the light ones choose 2."""
    weight, y = np.array([0.5, 0.5, 1e-12, 5e-13]), np.array([1.0, 2.0, 3.0, 0.0])
    problem = make(np.zeros((4, 1)), y, weight=weight)
    solution = certified(problem, np.zeros(1), 1.5, problem.weight * np.array([-1.0, 1.0, 1.0, -1.0]))
    assert solution.gap >= problem.objective(np.zeros(1), 1.5) - problem.objective(np.zeros(1), 2.0)


def test_a_huber_dual_that_is_small_beside_its_interval_must_be_orthogonal_all_the_same():
    x = np.arange(8.0)
    problem = make(x[:, None], x + 0.1 * np.sin(x), loss=Huber(1e20))
    best = solve(problem)
    worse = best.coef + 1e-6
    dual = problem.weight * problem.loss.derivative(problem.residual(worse, best.intercept))
    solution = certified(problem, worse, best.intercept, dual)
    assert solution.gap >= 0.99 * (solution.objective - best.objective) > 0


def test_a_feature_far_from_the_origin_that_may_only_grow_counts_by_what_is_beyond_rounding():
    """A slope of 1e-7 whose terms are 1e6: with coefficient 2 and intercept -1 the objective is 2e-7 lower."""
    X, y = 1e6 + np.array([[1.0], [0.0], [1.0 - 4e-7], [0.0]]), np.array([1.0, 1.0, -1.0, -1.0])
    problem = make(X, y, positive=True)
    solution = certified(problem, np.zeros(1), 0.0, 0.25 * y)
    assert solution.gap >= 1.99e-7


def test_a_dual_that_a_column_all_but_dependent_refutes_is_not_accepted():
    """Found by the campaign: a product of 1e-12 is no rounding where coefficients may be 1e14."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((20, 2))
    X = np.column_stack([x, x[:, 0] + 1e-12 * rng.standard_normal(20)])
    direction = X[:, 2] - X[:, 0]
    problem = make(X, x[:, 1] + 0.3 * rng.standard_normal(20) + 1e11 * direction, fit_intercept=False)
    plain = solve(make(x, problem.y, fit_intercept=False))
    coef = np.append(plain.coef, 0.0)
    solution = certified(problem, coef, 0.0, plain.dual)
    least = problem.objective(np.array([plain.coef[0] - 1e11, 1.0, 1e11]), 0.0)
    assert solution.gap >= solution.objective - least > 0


@pytest.mark.parametrize("spread", [1.0, 1e-6])
def test_the_largest_alpha_beside_a_column_far_from_the_origin(spread):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((14, 1)) + spread * rng.standard_normal((14, 10))
    X[:, 9] += 1e6
    assert largest_alpha(make(X, np.zeros(14), alpha=1.0)) == 0.0


def test_overflow_is_an_error_not_an_answer():
    problem = make(np.ones((3, 1)), np.array([1e200, -1e200, 0.0]), loss=HalfSquared())
    with pytest.raises(OverflowError, match="Scale y"):
        problem.objective(np.zeros(1), 0.0)


@pytest.mark.parametrize("size", [1.0, 1e4, 1e6, -1e7])
def test_a_coefficient_differs_from_zero_below_the_largest_alpha_beside_a_huge_column(size):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n_samples, n_features = int(rng.integers(20, 120)), int(rng.integers(2, 7))
        X = np.round(rng.standard_normal((n_samples, n_features)))
        X[:, 0] += size
        y = np.where(rng.random(n_samples) < rng.uniform(0.5, 0.95), 0.0, np.round(3 * rng.standard_normal(n_samples)))
        problem = make(X, y, alpha=1.0, fit_intercept=False)
        largest = largest_alpha(problem)
        if largest > 0:
            assert solve(problem.with_penalty(problem.penalty.times(0.99 * largest))).coef.any()
        above = solve(problem.with_penalty(problem.penalty.times(1.01 * largest + 1e-9)))
        assert not above.coef.any()


def test_largest_alpha_empties_the_lasso():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 6)), rng.standard_normal(40) + 5
    edge = largest_alpha(make(X, y, loss=HalfSquared(), alpha=1.0))
    assert not solve(make(X, y, loss=HalfSquared(), alpha=edge * (1 + 1e-9))).coef.any()
    assert np.count_nonzero(solve(make(X, y, loss=HalfSquared(), alpha=edge * (1 - 1e-3))).coef) == 1


def test_what_one_proof_finds_out_about_the_rows_is_known_to_the_next(monkeypatch):
    rng = np.random.default_rng(3)
    problem = make(rng.standard_normal((30, 4)), rng.standard_normal(30), loss=HalfSquared(), alpha=1.0)
    other = problem.with_penalty(problem.penalty.times(0.5))
    asked, audit = [], DenseDesign.audit
    monkeypatch.setattr(DenseDesign, "audit", lambda design, *given: asked.append(given[-1]) or audit(design, *given))
    proofs = [prove(one, np.zeros(4), 0.0, np.full(30, 0.1)) for one in (other, problem, other)]
    assert asked == [True, False, False]
    assert problem.facts is other.facts
    np.testing.assert_allclose(problem.facts.magnitudes, np.abs(problem.design.X).mean(axis=0), rtol=1e-14)
    assert proofs[0].gap == proofs[2].gap
    weighted = replace(problem, weight=np.arange(30.0) / np.arange(30.0).sum())
    assert weighted.facts.all_present is False


def test_uniqueness_is_proved_or_refused():
    x = np.array([0.0, 0.0, 1.0, 1.0])
    assert solve(make(x[:, None], [0, 2, 0, 2])).unique is False
    assert solve(make(x[:, None], [1, 1, 2, 2])).unique is True
    # The dual of a repeated row may hide behind its twin; the tied rows still prove the point.
    X = np.repeat(np.array([[0.0], [1.0], [3.0]]), 4, axis=0)
    assert solve(make(X, np.repeat([1.0, 5.0, 2.0], 4))).unique is True


@pytest.mark.parametrize("seed", range(40))
def test_uniqueness_is_never_claimed_from_a_poor_dual(seed):
    rng = np.random.default_rng(seed)
    problem = make(rng.integers(-2, 3, (20, 3)), rng.integers(0, 4, 20))
    early = solve(problem, max_iter=3)
    if early.unique:
        assert early.relative_gap < 1e-9
        assert solve(problem).unique


def test_the_certificate_prints_what_matters():
    text = str(solve(make(np.zeros((3, 0)), [1, 2, 9], loss=Pinball(0.5))).certificate)
    for word in ("objective", "lower bound", "gap", "unique", "solver", "relative"):
        assert word in text


@pytest.mark.parametrize("tau", [0.5, 0.01, 0.9, 0.99, 0.9999])
def test_what_counts_as_rounding_follows_the_dual_at_extreme_quantiles(tau):
    """The far end of the interval says nothing of a dual that is near zero: a larger size would excuse products."""
    problem = make(np.zeros((20, 0)), np.arange(20.0), loss=Pinball(tau))
    lower, upper = problem.loss.interval()
    near, far = sorted((-lower, upper))
    dual = 0.9 * near * problem.weight * np.where(np.arange(20) % 2, 1.0, -1.0)
    dual[0] += 0.9e-15 * far
    assert abs(prove(problem, np.zeros(0), 9.5, dual).dual.sum()) <= 2e-15 * near


def test_rows_at_an_end_by_rounding_hide_no_gap():
    """A weight times an end, divided by the weight, may be past the end: such terms are zero, not negative."""
    for n in range(5, 60):
        y = np.zeros(n)
        y[:3], y[3] = -1e-4, -1e-40
        problem = make(np.zeros((n, 1)), y, loss=Pinball(0.1), alpha=1.0, fit_intercept=False)
        dual = np.zeros(n)
        dual[:3] = -0.9 * problem.weight[:3]
        hidden = 0.9e-40 * problem.weight[3]
        assert prove(problem, np.zeros(1), 0.0, dual).gap == pytest.approx(hidden, rel=1e-12, abs=0.0)


def test_a_fit_of_twelve_digits_is_not_exact():
    """Residuals of 3e-13 of y are no rounding: a dual that proves nothing has a relative gap of one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2))
    y = X @ [1.0, 2.0] + 5.0
    problem = make(X, y * (1 + 3e-13 * rng.choice([-1.0, 1.0], 50)))
    assert prove(problem, np.array([1.0, 2.0]), 5.0, np.zeros(50)).relative_gap == pytest.approx(1.0, rel=1e-12)
    rounded = make(X, y * (1 + 3e-15 * rng.choice([-1.0, 1.0], 50)))
    assert prove(rounded, np.array([1.0, 2.0]), 5.0, np.zeros(50)).relative_gap < 1e-12


def test_a_dual_near_the_end_of_its_interval_is_not_at_it():
    """The median is a row whose dual is 2e-8 of its interval's length from the end: the optimum is a single point."""
    y, middle, apart = [0.0, 1.0, 3.0], 0.2, 4e-8
    weight = np.array([0.4 - middle * (1 - apart) / 2, middle, 0.4 + middle * (1 - apart) / 2])
    problem = make(np.zeros((3, 0)), y, weight=weight)
    dual = np.array([-weight[0], weight[0] - weight[2], weight[2]])
    found = certify(problem, np.zeros(0), 1.0, dual, n_iter=0, stopped=StopReason.GIVEN, solver="test")
    assert found.unique
    assert found.relative_gap <= 1e-15
