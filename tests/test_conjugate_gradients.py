"""Newton steps by conjugate gradients: known answers, descent, and paths that need them."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ladreg import lasso_path
from ladreg._least_squares import Centred, LeastSquaresTuning, conjugate_gradients, solve_lasso
from ladreg._paths import solve_path
from ladreg._problem import ElasticNet, HalfSquared, Settings
from tests.problems import make, solve
from tests.strategies import tables

# No Gram matrix of more than five features, and no path from knot to knot.
WITHOUT_GRAM = (LeastSquaresTuning(largest_gram=5, homotopy_rows=0),)
STORAGE = [np.ascontiguousarray, np.asfortranarray, sp.csr_array, sp.csc_array]


def wide(storage=np.asfortranarray, n_samples=60, n_features=90):
    rng = np.random.default_rng(5)
    shape = n_samples, n_features
    X = np.where(rng.random(shape) < 0.5, 0.0, rng.standard_normal(shape))
    return storage(X), X[:, :10].sum(axis=1) + 0.1 * rng.standard_normal(n_samples)


def problem_of(X, y, alpha, ridge=0.0, **options):
    problem = make(X, y, loss=HalfSquared(), alpha=alpha, **options)
    penalty = ElasticNet(problem.penalty.strength, problem.penalty.positive, np.full(X.shape[1], ridge))
    return problem.with_penalty(penalty)


def stepped(problem, coef, share=1e-12, limit=500):
    columns = Centred(problem)
    look = columns.look(coef)
    features = conjugate_gradients.active(columns, coef, look.slope)
    return columns, features, *conjugate_gradients.newton_step(columns, coef, look, features, share, limit)


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(("positive", "ridge"), [(False, 0.0), (True, 0.0), (False, 0.1)])
def test_one_step_from_the_right_signs_is_the_optimum(storage, fit_intercept, positive, ridge):
    X, y = wide(storage)
    weight = np.arange(y.size) % 3.0
    problem = problem_of(X, y, 0.02, ridge, weight=weight, positive=positive, fit_intercept=fit_intercept)
    optimum = solve(problem, tol=1e-15).coef
    start = optimum * np.random.default_rng(0).uniform(0.9, 1.1, optimum.size)
    _, features, found, n_products = stepped(problem, start)
    assert set(np.flatnonzero(optimum)) <= set(features)
    if np.array_equal(features, np.flatnonzero(optimum)):
        np.testing.assert_allclose(found, optimum, rtol=1e-9, atol=1e-11)
    assert problem.objective(found, Centred(problem).intercept(found)) < problem.objective(
        start, Centred(problem).intercept(start)
    )
    assert 0 < n_products <= 3 * features.size


@given(tables(), st.sampled_from([1e-3, 0.1]), st.booleans(), st.booleans(), st.integers(0, 100))
def test_a_step_descends_or_there_is_none(table, alpha, positive, fit_intercept, seed):
    X, y, weight = table
    problem = problem_of(X, y, alpha, weight=weight, positive=positive, fit_intercept=fit_intercept)
    start = np.random.default_rng(seed).integers(-1, 2, X.shape[1]).astype(float)
    start = np.maximum(start, 0.0) if positive else start
    columns, _, found, _ = stepped(problem, start)
    if found is not None:
        assert not positive or (found >= 0).all()
        before, after = (problem.objective(coef, columns.intercept(coef)) for coef in (start, found))
        assert after <= before * (1 + 1e-12)


def test_what_changes_its_sign_becomes_zero():
    """Orthogonal columns, (8 - b)^2 / 4 + (-4 - c)^2 / 4 + (|b| + |c|) / 2: the step leads to 7 and, stopped, to 0."""
    X, y = np.eye(2), np.array([8.0, -4.0])
    problem = problem_of(X, y, 0.5, fit_intercept=False)
    _, _, found, _ = stepped(problem, np.array([1.0, 1.0]))
    np.testing.assert_allclose(found, [7.0, 0.0], rtol=1e-12)


def test_no_step_leads_away_from_the_optimum():
    X, y = wide()
    problem = problem_of(X, y, 0.05)
    optimum = solve(problem, tol=1e-15).coef
    found = stepped(problem, optimum)[2]
    assert found is None or np.abs(found - optimum).max() < 1e-10


def test_a_limit_of_products_is_kept():
    X, y = wide()
    problem = problem_of(X, y, 0.02)
    *_, n_products = stepped(problem, solve(problem_of(X, y, 0.03)).coef, limit=3)
    assert n_products == 3


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("options", [{}, {"positive": True}, {"fit_intercept": False}], ids=str)
def test_paths_without_gram_matrices_are_those_with_them(monkeypatch, storage, options):
    X, y = wide(storage, 80, 150)
    options = {"fit_intercept": True} | options
    alphas, expected, _ = lasso_path(X, y, alphas=30, eps=0.02, tol=1e-10, **options)
    taken = []
    real = conjugate_gradients.newton_step
    monkeypatch.setattr(conjugate_gradients, "newton_step", lambda *given: taken.append(real(*given)) or taken[-1])
    settings = Settings(1e-10, tuning=WITHOUT_GRAM)
    found = solve_path(make(X, y, loss=HalfSquared(), alpha=1.0, **options), alphas, settings)
    assert np.mean([coef is not None for coef, _ in taken]) > 0.9
    assert len(taken) > 20
    assert found.gap.max() <= 1e-9 * float(y @ y) / y.size
    np.testing.assert_allclose(found.coef, expected, atol=2e-4)


@pytest.mark.parametrize("seed", range(3))
def test_newton_steps_take_far_fewer_passes_than_epochs_would(seed):
    """Without Newton steps it takes 900 to 3,500 epochs."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((300, 400)) + rng.standard_normal((300, 1))
    y = X[:, :80] @ rng.standard_normal(80) + 9 * rng.standard_normal(300)
    start = solve(problem_of(X, y, 0.21), tol=1e-12)
    problem = problem_of(X, y, 0.2)
    found = solve_lasso(problem, Settings(tuning=WITHOUT_GRAM), start.coefficients)
    assert found.stopped.good
    assert found.stats["n_newton"] > 0
    assert found.stats["n_epochs"] <= 50
