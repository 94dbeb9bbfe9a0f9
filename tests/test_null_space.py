"""Tables with about as many features as rows, or more, are solved at the first attempt, in few dimensions."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import LADRegressor, QuantileRegressor
from ladreg._piecewise import is_bulky
from ladreg._problem import Pinball, StopReason
from tests import problems
from tests.faults import INSIDE, always, gives_nothing
from tests.problems import AS_LARGE, make, rounding

solve = partial(problems.solve, tuning=AS_LARGE)

N_ROWS = 24
# Columns beside the intercept; 12 leave half as many dimensions as rows, which is the widest null space that pays.
WIDTHS = [14, 22, 23, 24, 25, 48]


def gaussian(rng, n, p):
    return rng.standard_normal((n, p)), rng.standard_t(2, n)


def integers(rng, n, p):
    return rng.integers(-2, 3, (n, p)).astype(float), rng.integers(-3, 4, n).astype(float)


def repeated_columns(rng, n, p):
    X = rng.standard_normal((n, p))
    X[:, 1], X[:, 2], X[:, 3] = X[:, 0], 0.0, 1.0
    return X, rng.standard_normal(n)


def repeated_rows(rng, n, p):
    X = rng.standard_normal((n, p))
    X[n // 2 :] = X[: n - n // 2]
    return X, rng.integers(-3, 4, n).astype(float)


def low_rank(rng, n, p):
    return rng.standard_normal((n, n - 4)) @ rng.standard_normal((n - 4, p)), rng.standard_normal(n)


def noise_free(rng, n, p):
    X = rng.standard_normal((n, p))
    return X, X[:, :3].sum(axis=1) + 1.0


KINDS = [gaussian, integers, repeated_columns, repeated_rows, low_rank, noise_free]


def problem_of(kind, n_features, seed, quantile=0.5, weighted=False, fit_intercept=True):
    rng = np.random.default_rng(seed)
    X, y = kind(rng, N_ROWS, n_features)
    weight = rng.integers(0, 4, N_ROWS).astype(float) if weighted else None
    return make(X, y, weight=weight, loss=Pinball(quantile), fit_intercept=fit_intercept)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_features", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_rung_reaches_the_optimum_of_linprog(kind, n_features, quantile, weighted):
    for seed, fit_intercept in ((0, True), (1, False)):
        problem = problem_of(kind, n_features, seed, quantile, weighted, fit_intercept)
        found, known = solve(problem), solve(problem, solver="linprog")
        assert found.stats["rung"] == 1
        assert found.stopped.good
        exact = rounding(problem, found.coef, found.intercept)
        assert found.objective <= known.objective * (1 + 1e-12) + exact
        assert found.gap <= 1e-12 * found.objective + exact
        # The canonical optimum does not depend on who finds it.
        np.testing.assert_allclose(
            problem.residual(found.coef, found.intercept), problem.residual(known.coef, known.intercept), atol=1e-8
        )
        np.testing.assert_allclose(found.coef, known.coef, rtol=1e-7, atol=1e-8)
        assert found.unique == known.unique


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_independent_rows_are_interpolated_by_the_shortest_coefficients(fit_intercept):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 90)) + 3.0, rng.standard_normal(40)
    X[:, :5] *= 1000.0
    model = LADRegressor(fit_intercept=fit_intercept).fit(X, y)
    mean, level = (X.mean(axis=0), y.mean()) if fit_intercept else (0.0, 0.0)
    shortest = np.linalg.pinv(X - mean) @ (y - level)
    np.testing.assert_allclose(model.coef_, shortest, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-11)


def test_rows_of_weight_zero_are_not_interpolated():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((30, 40)), rng.standard_normal(30)
    weight = np.repeat([1.0, 0.0], 15)
    without = LADRegressor().fit(X[:15], y[:15])
    model = LADRegressor().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, without.coef_, rtol=1e-9)
    assert np.linalg.norm(model.coef_) < np.linalg.norm(LADRegressor().fit(X, y).coef_)


def test_interpolation_takes_no_iteration():
    for n_features in (23, 24, 60):
        solution = solve(problem_of(gaussian, n_features, 4))
        assert solution.solver == "interpolation"
        assert solution.stats["n_ip_iter"] == 0
        assert solution.unique == (n_features == 23)


def test_the_matrices_that_are_factored_have_the_dimensions_of_the_null_space(monkeypatch):
    orders = []

    def counted(matrix, cholesky=np.linalg.cholesky):
        orders.append(matrix.shape[0])
        return cholesky(matrix)

    monkeypatch.setattr(np.linalg, "cholesky", counted)
    rng = np.random.default_rng(5)
    solution = solve(make(rng.standard_normal((120, 99)), rng.standard_normal(120)))
    assert solution.stats["n_null"] == 20
    assert set(orders) == {20}
    assert len(orders) <= solution.stats["n_ip_iter"] <= 25
    assert solution.stopped is StopReason.EXACT


def test_dependent_columns_leave_the_dimensions_that_the_rank_leaves():
    X, y = gaussian(np.random.default_rng(6), 60, 40)
    X = np.column_stack([X, X[:, :10], np.zeros(60)])
    solution = solve(make(X, y))
    assert solution.stats["n_null"] == 60 - 41
    np.testing.assert_allclose(solution.coef[:10], solution.coef[40:50], atol=1e-9)
    assert solution.coef[-1] == 0.0


def test_tall_tables_keep_to_their_columns():
    solution = solve(make(*gaussian(np.random.default_rng(7), 60, 20)))
    assert "n_null" not in solution.stats


@pytest.mark.parametrize("part", ["null space", "Cholesky factor in the null space"])
def test_the_columns_find_the_same_vertex_where_the_null_space_finds_none(part):
    X, y = gaussian(np.random.default_rng(8), 80, 60)
    problem = make(X, y, loss=Pinball(0.3))
    narrow = solve(problem)
    with always(*INSIDE[part], gives_nothing):
        columns = solve(problem)
    assert columns.stats["rung"] == 1
    assert columns.stats["n_ip_iter"] > 1
    assert narrow.objective == pytest.approx(columns.objective, rel=1e-14)
    np.testing.assert_allclose(narrow.coef, columns.coef, rtol=1e-9)


def test_several_quantiles_of_a_wide_table():
    rng = np.random.default_rng(10)
    X, y = rng.standard_normal((30, 24)), rng.standard_normal(30)
    together = QuantileRegressor(quantile=[0.2, 0.5, 0.8], alpha=0).fit(X, y)
    for coef, quantile in zip(together.coef_, (0.2, 0.5, 0.8), strict=True):
        np.testing.assert_allclose(coef, QuantileRegressor(quantile=quantile, alpha=0).fit(X, y).coef_, rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_many_free_columns_beside_penalised_ones_need_no_linprog(seed):
    rng = np.random.default_rng(seed)
    n_features, n_free = (60, 36, 90)[seed % 3], (25, 30)[seed % 2]
    X, y = rng.standard_normal((40, n_features)), rng.integers(-3, 4, 40).astype(float)
    problem = make(X, y, alpha=np.where(np.arange(n_features) < n_free, 0.0, 0.1), positive=seed > 3)
    found, known = solve(problem), solve(problem, solver="linprog")
    assert "linprog" not in found.solver
    assert found.objective == pytest.approx(known.objective, rel=1e-12)
    np.testing.assert_allclose(found.coef, known.coef, rtol=1e-7, atol=1e-9)


def test_a_sparse_table_is_copied_to_a_dense_one_only_if_it_is_small():
    X = sp.random(60, 45, density=0.2, random_state=13, format="csr")
    y = np.random.default_rng(14).standard_normal(60)
    sparse, dense = solve(make(X, y)), solve(make(X.toarray(), y))
    assert sparse.stats["n_null"] == dense.stats["n_null"]
    np.testing.assert_allclose(sparse.coef, dense.coef, rtol=1e-8, atol=1e-10)
    large = make(sp.csr_array((5000, 4000)), np.ones(5000))
    assert is_bulky(large)
    assert not is_bulky(make(sp.csr_array((50_000, 4000)), np.ones(50_000)))
