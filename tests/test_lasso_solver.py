"""Coordinate descent: optimality conditions, agreement with scikit-learn, the diabetes path, and counted work."""

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from ladreg import LassoCD, alpha_max
from ladreg._certificate import certify
from ladreg._design import as_design
from ladreg._kernels import _rows
from ladreg._least_squares import Centred, LeastSquaresTuning, residual_descent, solve_lasso
from ladreg._least_squares.centred import duality_gap
from ladreg._problem import ElasticNet, HalfSquared, Settings, StopReason
from ladreg._solvers import largest_alpha
from tests.problems import DIABETES_KNOTS, DIABETES_STEPS, diabetes, make, solve
from tests.strategies import tables


def lasso(X, y, alpha, **options):
    return make(X, y, loss=HalfSquared(), alpha=alpha, **options)


def assert_stationary(problem, solution, tolerance=1e-8):
    """The KKT conditions, written out."""
    residual = problem.residual(solution.coef, solution.intercept)
    slope = problem.design.rmatvec(problem.weight * residual)
    scale = tolerance * (1 + problem.design.magnitudes(problem.weight)) * (1 + np.abs(problem.y).max())
    strength = problem.penalty.strength
    active = solution.coef != 0
    np.testing.assert_array_less(np.abs(slope - strength * np.sign(solution.coef))[active], scale[active])
    np.testing.assert_array_less(problem.penalty.excess(slope), strength + scale)
    if problem.fit_intercept:
        assert abs(problem.weight @ residual) < tolerance * (1 + np.abs(problem.y).max())


@given(tables(), st.sampled_from([0.0, 0.01, 0.3]), st.booleans(), st.booleans())
def test_optimality_conditions(table, alpha, positive, fit_intercept):
    X, y, weight = table
    problem = lasso(X, y, alpha, weight=weight, positive=positive, fit_intercept=fit_intercept)
    solution = solve(problem)
    assert solution.gap <= 1e-10 * (problem.weight @ y**2) + 1e-30
    assert_stationary(problem, solution, 1e-5 if alpha == 0 else 1e-7)
    if positive:
        assert (solution.coef >= 0).all()


@given(tables(), st.sampled_from([0.01, 0.3]), st.booleans())
def test_objective_is_scikit_learns(table, alpha, positive):
    X, y, weight = table
    if X.shape[1] == 0:
        return
    problem = lasso(X, y, alpha, weight=weight, positive=positive)
    solution = solve(problem, tol=1e-14)
    theirs = Lasso(alpha=alpha, positive=positive, tol=1e-14, max_iter=100_000).fit(X, y, sample_weight=weight)
    reached = problem.objective(theirs.coef_, float(theirs.intercept_))
    assert solution.objective <= reached * (1 + 1e-12) + 1e-20
    assert solution.objective >= reached - 1e-9 * (1 + np.abs(y).max() ** 2)


@pytest.mark.parametrize("step", range(len(DIABETES_STEPS)))
def test_diabetes_path(step):
    """Between two knots the support is what the LARS-lasso path says; at a knot the next feature is about to enter."""
    upper, lower = DIABETES_KNOTS[step], (*DIABETES_KNOTS, 0.0)[step + 1]
    support = set()
    for move in DIABETES_STEPS[: step + 1]:
        support ^= {abs(move) - 1}
    problem = diabetes((upper + lower) / 2)
    assert set(np.flatnonzero(solve(problem).coef)) == support
    if DIABETES_STEPS[step] > 0:
        entering = DIABETES_STEPS[step] - 1
        solution = solve(diabetes(upper))
        slope = 442 * problem.design.rmatvec(solution.dual)
        assert abs(slope[entering]) == pytest.approx(upper, abs=2e-3)  # printed to three digits


@pytest.mark.parametrize("alpha", [1.0, 0.1, 0.01, 1e-4])
def test_diabetes_is_scikit_learns_to_the_last_digit(alpha):
    problem = diabetes(442 * alpha)
    solution = solve(problem)
    theirs = Lasso(alpha=alpha, tol=1e-14, max_iter=1_000_000).fit(problem.design.X, problem.y)
    assert solution.objective == pytest.approx(problem.objective(theirs.coef_, theirs.intercept_), rel=1e-13)
    assert solution.relative_gap < 64 * np.finfo(float).eps
    assert solution.unique


@given(tables(), st.sampled_from([1e-150, 1e-12, 1e-9, 0.3, 1e9, 1e12, 1e150]))
def test_scaling_y_and_alpha_scales_the_solution(table, c):
    X, y, weight = table
    one = solve(lasso(X, y, 0.1, weight=weight))
    other = solve(lasso(X, c * y, c * 0.1, weight=weight))
    np.testing.assert_allclose(other.coef / c, one.coef, rtol=1e-9, atol=1e-10)


@given(tables(), st.integers(0, 2**32 - 1))
def test_repeats_are_weights_and_order_does_not_matter(table, seed):
    X, y, _ = table
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 4, y.size)
    weight[0] += 1
    order = rng.permutation(np.repeat(np.arange(y.size), weight))
    one = solve(lasso(X, y, 0.05, weight=1e6 * weight), tol=1e-14)
    other = solve(lasso(X[order], y[order], 0.05), tol=1e-14)
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-7, atol=1e-8)


@given(tables(), st.sampled_from([sp.csr_array, sp.csc_array, sp.csr_matrix, np.asfortranarray]))
def test_storage_does_not_matter(table, storage):
    X, y, weight = table
    dense = solve(lasso(X, y, 0.05, weight=weight), tol=1e-14)
    other = solve(lasso(storage(X), y, 0.05, weight=weight), tol=1e-14)
    np.testing.assert_allclose(other.coef, dense.coef, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("storage", [sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("value", [0.1, 3.0, 7.3e6])
def test_a_constant_column_without_zeros_leaves_the_optimum_open(storage, value):
    rng = np.random.default_rng(0)
    for seed in range(8):
        X, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
        X[:, 0] = value
        weight = rng.exponential(1.0, 12) if seed % 2 else None
        for alpha in (0.0, [0.0, 0.05, 0.05]):
            found = solve(lasso(storage(X), y, alpha, weight=weight), tol=1e-14)
            assert not found.unique
            assert abs(found.coef[0]) <= 1e-12
            np.testing.assert_allclose(found.coef, solve(lasso(X, y, alpha, weight=weight), tol=1e-14).coef, atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_columns_far_from_zero(offset):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 8)), rng.standard_normal(50)
    near = solve(lasso(X, y, 0.05))
    far = solve(lasso(X + offset, y, 0.05))
    np.testing.assert_allclose(far.coef, near.coef, atol=1e-9)


def test_duplicate_columns_share_the_coefficient():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 4))
    X = np.column_stack([X, X[:, 0], -X[:, 1]])
    y = X[:, 0] - X[:, 1] + 0.1 * rng.standard_normal(30)
    solution = solve(lasso(X, y, 0.05))
    assert solution.coef[0] == pytest.approx(solution.coef[4], rel=1e-9)
    assert solution.coef[1] == pytest.approx(-solution.coef[5], rel=1e-9)
    assert not solution.unique


def test_columns_that_repeat_others_share_whatever_the_leverage():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((5, 6)) * np.exp(2 * rng.standard_normal((5, 1)))
        y = rng.integers(0, 4, 5).astype(float)
        twice = LassoCD(1e-3).fit(np.hstack([X, X]), y)
        np.testing.assert_array_equal(twice.coef_[:6], twice.coef_[6:])
        assert twice.dual_gap_ <= 1e-9 * max(twice.objective_, 1e-3)
        assert not (twice.certificate_.unique and twice.coef_.any())


def test_passes_over_all_features_are_few_and_working_sets_small():
    rng = np.random.default_rng(4)
    X = np.asfortranarray(rng.standard_normal((100, 3000)))
    y = X[:, :10] @ rng.standard_normal(10) + rng.standard_normal(100)
    problem = lasso(X, y, 0.05 * largest_alpha(lasso(X, y, 1.0)))
    solution = solve(problem)
    assert solution.relative_gap < 1e-10
    assert solution.stats["n_checks"] <= 12
    assert solution.stats["largest_working_set"] <= 3 * np.count_nonzero(solution.coef)


@pytest.mark.parametrize("storage", [np.asfortranarray, sp.csc_array])
def test_working_sets_too_large_for_a_gram_matrix_descend_by_residuals(storage):
    rng = np.random.default_rng(5)
    X = np.where(rng.random((80, 150)) < 0.5, 0.0, rng.standard_normal((80, 150)))
    y = X[:, :10].sum(axis=1) + 0.1 * rng.standard_normal(80)
    problem = lasso(storage(X), y, 0.01)
    expected = solve(problem)
    found = solve_lasso(problem, Settings(1e-10, tuning=(LeastSquaresTuning(largest_gram=5),)))
    solution = certify(
        problem, found.coef, found.intercept, found.dual, n_iter=1, stopped=found.stopped, solver=found.solver
    )
    assert solution.relative_gap < 1e-8
    np.testing.assert_allclose(solution.coef, expected.coef, atol=1e-4)


def test_newton_steps_finish_what_descent_would_take_thousands_of_epochs_for():
    rng = np.random.default_rng(2)
    base = rng.standard_normal((100, 1))
    X = base + 0.03 * rng.standard_normal((100, 40))
    y = X @ rng.standard_normal(40) + 0.1 * rng.standard_normal(100)
    problem = lasso(X, y, 1e-4)
    with pytest.warns(ConvergenceWarning):
        theirs = Lasso(alpha=1e-4, tol=1e-10, max_iter=10_000).fit(X, y)
    solution = solve(problem)
    # Ours are epochs on a Gram matrix of 40 x 40, theirs on 100 rows.
    assert 5 * solution.stats["n_epochs"] < theirs.n_iter_
    assert solution.relative_gap < 1e-10


def test_tight_tolerance_costs_little():
    problem = diabetes(442 * 0.05)
    loose, tight = solve(problem, tol=1e-4), solve(problem, tol=1e-15)
    assert tight.stats["n_epochs"] <= 3 * loose.stats["n_epochs"]
    assert tight.relative_gap < 1e-14


def test_a_warm_start_at_the_optimum_is_accepted_at_once():
    problem = diabetes(442 * 0.05)
    first = solve(problem)
    again = solve(problem, start=(first.coef, first.intercept))
    assert again.stats["n_checks"] == 1
    np.testing.assert_allclose(again.coef, first.coef, rtol=1e-10)


def test_the_epoch_limit_is_kept_and_said():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((40, 200)), rng.standard_normal(40)
    solution = solve(lasso(X, y, 0.01), max_iter=2)
    assert solution.n_iter == 2
    assert solution.stopped is StopReason.ITERATION_LIMIT
    assert solution.bound <= solve(lasso(X, y, 0.01)).objective


def test_alpha_zero_is_least_squares():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((30, 5)), rng.standard_normal(30)
    expected = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    np.testing.assert_allclose(solve(lasso(X, y, 0.0)).coef, expected, rtol=1e-9)
    wide = rng.standard_normal((10, 25))
    expected = np.linalg.pinv(wide - wide.mean(axis=0)) @ (y[:10] - y[:10].mean())
    np.testing.assert_allclose(solve(lasso(wide, y[:10], 0.0)).coef, expected, rtol=1e-8, atol=1e-10)


def test_features_of_strength_zero_are_not_penalised():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    problem = lasso(X, y, [10.0, 0.0, 10.0, 0.0, 10.0])
    solution = solve(problem)
    expected = np.linalg.lstsq(np.column_stack([X[:, [1, 3]], np.ones(40)]), y, rcond=None)[0]
    np.testing.assert_allclose(solution.coef[[1, 3]], expected[:2], rtol=1e-8)
    assert solution.relative_gap < 1e-12
    assert_stationary(problem, solution)


def test_float32_is_solved_in_float64():
    problem = diabetes(442 * 0.1)
    X = problem.design.X.astype(np.float32)
    single = solve(replace(problem, design=as_design(X)))
    double = solve(replace(problem, design=as_design(X.astype(float))))
    np.testing.assert_allclose(single.coef, double.coef, rtol=1e-9)


def has_glmnet():
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", "library(glmnet)"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_glmnet(), reason="R with glmnet is not installed")
def test_glmnet_quick_start():
    """glmnet's own example at tight threshold: its objective is never below ours, and close."""
    code = (
        "library(glmnet); data(QuickStartExample); x <- QuickStartExample$x; y <- QuickStartExample$y;"
        "s <- c(1, 0.1, 0.01); f <- glmnet(x, y, lambda = s, standardize = FALSE, thresh = 1e-20, maxit = 1e7);"
        "cat('[', paste(sapply(list(t(x), y, as.matrix(coef(f))), function(m)"
        " paste0('[', paste(format(m, digits = 17), collapse = ','), ']')), collapse = ','), ']')"
    )
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    x, y, coefs = (np.array(part, dtype=float) for part in json.loads(done.stdout))
    X = x.reshape(y.size, -1)
    for alpha, theirs in zip((1, 0.1, 0.01), coefs.reshape(3, -1), strict=True):
        problem = lasso(X, y, alpha)
        solution = solve(problem)
        assert solution.objective == pytest.approx(problem.objective(theirs[1:], theirs[0]), rel=1e-8)
        np.testing.assert_allclose(solution.coef, theirs[1:], atol=1e-5)


@given(tables(), st.booleans(), st.booleans())
def test_nothing_is_selected_from_alpha_max_on(table, positive, fit_intercept):
    X, y, weight = table
    assume(X.shape[1] > 0)
    options = {"positive": positive, "fit_intercept": fit_intercept}
    edge = alpha_max(X, y, sample_weight=weight, **options)
    center = weight @ y / weight.sum() if fit_intercept else 0.0
    slopes = X.T @ (weight * (y - center)) / weight.sum()
    assert edge == pytest.approx(max(slopes.max(), 0.0) if positive else np.abs(slopes).max(), rel=1e-9, abs=1e-12)
    if edge > 1e-9:
        assert not LassoCD(alpha=1.0001 * edge, **options).fit(X, y, sample_weight=weight).coef_.any()
        assert LassoCD(alpha=0.99 * edge, **options).fit(X, y, sample_weight=weight).coef_.any()


def test_alpha_max_of_several_targets_and_of_sparse_columns():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
    assert alpha_max(X, Y).shape == (3,)
    np.testing.assert_allclose(alpha_max(sp.csr_array(X), Y), [alpha_max(X, y) for y in Y.T])
    with pytest.raises(ValueError, match="fit_intercept must be"):
        alpha_max(X, Y, fit_intercept="yes")


def test_screening_leaves_out_only_what_is_zero_in_the_optimum():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((60, 800))
    y = X[:, :4].sum(axis=1) + 0.1 * rng.standard_normal(60)
    alpha = 0.3 * largest_alpha(lasso(X, y, 1.0))
    problem = lasso(X, y, alpha)
    optimum = solve(problem).coef
    columns = Centred(problem)
    sizes = []
    for share in (0.0, 0.9, 0.99, 0.9999):
        look = columns.look(share * optimum)
        gap, shrink = duality_gap(problem.penalty, share * optimum, look.slope, look.loss)
        columns.screen(share * optimum, look.slope, gap, shrink)
        sizes.append(800 if columns.candidates is None else columns.candidates.size)
        assert columns.candidates is None or set(np.flatnonzero(optimum)) <= set(columns.candidates)
    assert sizes[0] == 800
    assert sizes[-1] < 100
    again = columns.look(optimum)
    dual = problem.weight * problem.residual(optimum, columns.intercept(optimum))
    kept = columns.candidates
    np.testing.assert_allclose(again.slope[kept], problem.design.rmatvec(dual)[kept], atol=1e-14)


def test_extrapolation_finds_the_limit_of_a_linear_iteration():
    rng = np.random.default_rng(7)
    basis = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    matrix, limit = basis @ np.diag([0.99, 0.9, 0.5, -0.3]) @ basis.T, rng.standard_normal(4)
    iterates = [np.zeros(4)]
    for _ in range(5):
        iterates.append(limit + matrix @ (iterates[-1] - limit))
    bold = residual_descent.extrapolated(iterates, ElasticNet(np.ones(4)))
    assert np.abs(bold - limit).max() < 1e-3 * np.abs(iterates[-1] - limit).max()
    assert residual_descent.extrapolated(iterates[:2], ElasticNet(np.ones(4))) is None
    assert residual_descent.extrapolated([limit] * 4, ElasticNet(np.ones(4))) is None


@pytest.mark.parametrize("tol", [1e-1, 1e-4, 1e-8])
def test_the_last_steps_are_exact_whatever_the_tolerance(tol):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((100, 30)) + rng.standard_normal((100, 1))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(100)
    assert solve(lasso(X, y, 0.01), tol=tol).relative_gap < 1e-13


def test_a_support_as_large_as_the_rank_is_solved_exactly():
    rng = np.random.default_rng(9)
    X = rng.standard_normal((20, 100))
    X[:, 50:] = X[:, :50] + 1e-9 * rng.standard_normal((20, 50))
    y = rng.standard_normal(20)
    edge = largest_alpha(lasso(X, y, 1.0))
    for share in (1e-2, 1e-4, 1e-6):
        solution = solve(lasso(X, y, share * edge))
        assert solution.gap < 1e-12 * (y @ y)
        assert np.count_nonzero(solution.coef) >= 15


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_lasso_of_many_rows_reads_the_table_three_times(order):
    """Ranges, slopes at zero, certificate, whose two products share a read; and the working set, not copied."""
    n_samples, n_features = 20_000, 50
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((n_samples, n_features)), order=order)
    y = X[:, :10].sum(axis=1) + rng.standard_normal(n_samples)
    read, multiplied = Counter(), []

    def reads(name, pass_over):
        def call(block, *rest):
            read[name] += block.size
            return pass_over(block, *rest)

        return call

    def products(block, shift, root, features, gram, pass_over=_rows.products):
        multiplied.append(features.tobytes())
        read["products"] += block.shape[0]
        return pass_over(block, shift, root, features, gram)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("forward", "backward", "sweep", "audit", "column_stats", "magnitudes", "curvatures"):
            patch.setattr(_rows, name, reads(name, getattr(_rows, name)))
        patch.setattr(_rows, "products", products)
        model = LassoCD(0.1, tol=1e-6).fit(X, y)
    assert model.certificate_.relative_gap <= 1e-6
    assert read == {"column_stats": X.size, "backward": 2 * X.size, "forward": X.size, "products": n_samples}
    assert len(set(multiplied)) == 1
