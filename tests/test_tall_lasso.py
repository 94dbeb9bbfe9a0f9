"""The lasso on tables of many rows: the certificate is the check, and coordinate descent where that does not end."""

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg._design import as_design
from ladreg._least_squares import LeastSquaresTuning
from ladreg._problem import HalfSquared
from tests.problems import make, solve

# Small tables count as tall, and none does.
TALL = (LeastSquaresTuning(small_rows=1, tall_numbers=1, tall=2),)
NOT_TALL = (LeastSquaresTuning(small_rows=1, tall_numbers=1 << 40),)


def drawn(seed):
    """Columns in different units, some far from zero, correlated or equal, weights, signs, and targets far away."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(20, 400)), int(rng.integers(1, 10))
    X = (rng.standard_normal((n, p)) + 3 * rng.standard_normal((n, 1)) * (seed % 3)) * 10.0 ** rng.integers(-3, 4, p)
    X += 1e6 * (seed % 11 == 0)
    if seed % 5 == 0:
        X[:, -1] = X[:, 0]
    y = 1e6 * (seed % 4 == 0) + X[:, 0] / np.abs(X[:, 0]).max() + rng.standard_normal(n)
    size = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / n
    weight = rng.integers(1, 5, n) if seed % 2 else None
    options = {"alpha": size * 10.0 ** rng.uniform(-4, 0.1), "positive": seed % 6 == 1, "fit_intercept": seed % 7 > 0}
    return make(np.asarray(X, order="CF"[seed % 2]), y, loss=HalfSquared(), weight=weight, **options)


def test_tall_tables_have_the_optimum_of_others():
    n_tall = 0
    for seed in range(80):
        problem = drawn(seed)
        tall, other = solve(problem, tuning=TALL), solve(problem, tuning=NOT_TALL)
        n_tall += tall.stats["n_checks"] == 1
        assert tall.stopped.good, seed
        assert tall.objective == pytest.approx(other.objective, rel=1e-10, abs=0.0), seed
        size = problem.weight @ (problem.y - problem.null_intercept()) ** 2
        assert tall.gap <= other.gap + 1e-14 * size, seed
        assert tall.unique or not other.unique, seed
    assert n_tall > 40


def test_working_sets_grow_until_the_proof_is_good():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 200)) + rng.standard_normal((3000, 1))
    X[:, 1:] = 0.9 * X[:, :-1] + 0.4 * X[:, 1:]
    y = X @ np.where(np.arange(200) % 10, 0.0, (-1.0) ** np.arange(200)) + rng.standard_normal(3000)
    problem = make(X, y, loss=HalfSquared(), alpha=0.01)
    tall = solve(problem, tuning=(LeastSquaresTuning(tall_numbers=1, tall=2, working_share=0.5, few_features=0),))
    assert tall.stats["n_checks"] > 1
    assert tall.relative_gap < 1e-12
    np.testing.assert_allclose(tall.coef, solve(problem, tuning=NOT_TALL).coef, atol=1e-10)


def test_no_proof_is_taken_for_one_whose_optimum_is_not_unique():
    """Columns that differ in the last digits pass the comparison of equal ones, and are not independent."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((400, 4))
    X[:, 3] = X[:, 0] + 1e-15 * rng.standard_normal(400)
    problem = make(X, X[:, 0] + rng.standard_normal(400), loss=HalfSquared(), alpha=0.1)
    tall = solve(problem, tuning=TALL)
    assert not tall.unique
    assert tall.objective == pytest.approx(solve(problem, tuning=NOT_TALL).objective, rel=1e-13, abs=0.0)


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, np.float32, sp.csr_array])
def test_the_gradient_is_the_product_with_the_residual(kind):
    rng = np.random.default_rng(2)
    X, coef, y, weight = rng.standard_normal((5000, 7)), np.arange(7.0), rng.standard_normal(5000), rng.random(5000)
    design = as_design(kind(X))
    if not sp.issparse(design.X):
        design = design.rescaled(np.ones(7), np.full(7, 2.0))
    residual, dual, products = design.gradient(coef, y, 0.5, weight)
    np.testing.assert_allclose(residual, y - 0.5 - design.matvec(coef), atol=1e-12)
    np.testing.assert_array_equal(dual, weight * residual)
    np.testing.assert_allclose(products, np.append(design.rmatvec(dual), dual.sum()), rtol=1e-11, atol=1e-9)
