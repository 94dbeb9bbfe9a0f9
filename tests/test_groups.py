"""Tables of groups: the sparse fit is the dense one; its cost follows the columns outside of the largest factor."""

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor
from ladreg._design import as_design
from ladreg._problem import Absolute, ElasticNet, Problem, Settings
from ladreg._solvers import solve
from tests.problems import peak_of


def dummies(codes, n_levels):
    return np.eye(n_levels)[codes]


def table(n_samples, n_groups, crossed, dense, drop_first, rng):
    """Dense columns, dummies of a factor and of another that crosses it."""
    parts = [rng.standard_normal((n_samples, dense))]
    parts.append(dummies(rng.integers(0, n_groups, n_samples), n_groups)[:, int(drop_first) :])
    if crossed:
        parts.append(dummies(rng.integers(0, crossed, n_samples), crossed)[:, int(drop_first) :])
    return np.hstack(parts)


TABLES = {
    "one-hot": (160, 40, 0, 2, False),
    "drop first": (160, 40, 0, 2, True),
    "groups alone": (150, 40, 0, 0, False),
    "small groups": (90, 40, 0, 1, False),
    "crossed": (240, 40, 5, 1, False),
    "crossed, drop first": (240, 40, 5, 1, True),
    "crossed alone": (200, 36, 8, 0, True),
}
MODELS = {
    "LAD": LADRegressor(),
    "LAD without intercept": LADRegressor(fit_intercept=False),
    "quartile": QuantileRegressor(quantile=0.25, alpha=0),
    "decile": QuantileRegressor(quantile=0.9, alpha=0),
    "penalised": LADRegressor(alpha=0.003),
    "positive": LADRegressor(alpha=0.001, positive=True),
    "Huber": HuberLossRegressor(),
    "Huber without intercept": HuberLossRegressor(fit_intercept=False),
    "Huber, nearly absolute": HuberLossRegressor(epsilon=0.01),
    "combined": CombinedLossRegressor(),
    "combined without intercept": CombinedLossRegressor(l1_ratio=0.9, fit_intercept=False),
    "Huber, nearly square": HuberLossRegressor(epsilon=20.0),
    "Huber, penalised": HuberLossRegressor(alpha=0.002),
    "Huber, nearly absolute and penalised": HuberLossRegressor(epsilon=0.01, alpha=0.005, fit_intercept=False),
    "Huber, positive": HuberLossRegressor(alpha=0.001, positive=True),
    "combined, penalised": CombinedLossRegressor(alpha=0.004),
    "combined, positive": CombinedLossRegressor(l1_ratio=0.1, alpha=0.001, positive=True),
}


TARGETS = ["noise", "integers", "few values"]


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("shape", TABLES.values(), ids=TABLES)
def test_the_sparse_fit_is_the_dense_one(shape, model):
    """Each table, and each model, meets at least 7 of 9 pairs of a target and weights: none, whole numbers, any."""
    row, column = list(TABLES.values()).index(shape), list(MODELS.values()).index(model)
    seed = row + column
    target = TARGETS[seed // 3 % 3]
    rng = np.random.default_rng(seed)
    X = table(*shape, rng)
    y = X @ rng.standard_normal(X.shape[1]) + rng.standard_t(2, X.shape[0])
    y = {"noise": y, "integers": np.round(y), "few values": np.sign(np.round(y / 3))}[target]
    weight = rng.integers(1, 4, y.size) if seed % 3 == 1 else rng.random(y.size) + 0.1 if seed % 3 == 2 else None
    assert as_design(sp.csr_array(X)).blocks(True) is not None
    dense = model.fit(X, y, sample_weight=weight)
    expected, certificate, fitted = dense.coef_, dense.certificate_, dense.predict(X)
    found = model.fit(sp.csr_array(X), y, sample_weight=weight)
    size = max(certificate.objective, 1e-3)
    assert found.certificate_.objective == pytest.approx(certificate.objective, abs=1e-12 * size, rel=1e-12)
    assert found.certificate_.gap <= 1e-12 * size
    assert found.certificate_.unique == certificate.unique
    # Predictions of a combined loss are known to the root of what objectives are known to.
    close = 1e-6 if isinstance(model, CombinedLossRegressor) else 1e-8
    np.testing.assert_allclose(found.predict(X), fitted, rtol=1e-8, atol=close)
    # Of all coefficients with these predictions the canonical ones are the shortest, and no others are as short.
    shortest, length = np.linalg.norm(found.coef_), np.linalg.norm(expected)
    assert shortest <= length * (1 + close / 100)
    if shortest >= length * (1 - close / 100):
        np.testing.assert_allclose(found.coef_, expected, rtol=1e-8, atol=close)


def many_groups(n_samples, n_groups, crossed=0):
    """Two dense columns and the dummies of one factor or two, sparse."""
    rng = np.random.default_rng(0)
    parts = [sp.csr_array(rng.standard_normal((n_samples, 2)))]
    for n_levels in (n_groups, crossed) if crossed else (n_groups,):
        codes = rng.integers(0, n_levels, n_samples)
        parts.append(sp.csr_array((np.ones(n_samples), codes, np.arange(n_samples + 1)), shape=(n_samples, n_levels)))
    X = sp.csr_array(sp.hstack(parts))
    return X, X @ rng.standard_normal(X.shape[1]) + rng.standard_t(2, n_samples)


def solved(X, y):
    problem = Problem(as_design(X), y, np.full(y.size, 1 / y.size), Absolute(), ElasticNet(np.zeros(X.shape[1])), True)
    return solve(problem, Settings())


def test_thousands_of_dummies_make_no_dense_matrix_of_their_number():
    X, y = many_groups(12_000, 3_000)
    solutions = []
    peak = peak_of(lambda: solutions.append(solved(X, y)))
    (solution,) = solutions
    assert solution.stats["rung"] == 1
    assert solution.stats["n_schur"] == 3  # two dense columns and the intercept
    assert solution.gap <= 1e-14 * solution.objective
    assert peak < 0.15 * 8 * X.shape[1] ** 2


@pytest.mark.parametrize(
    ("model", "crossed", "most"),
    [
        (LADRegressor(), 0, 1.8),
        (LADRegressor(), 40, 1.9),
        (HuberLossRegressor(), 0, 4.0),
        (CombinedLossRegressor(), 0, 5.5),
    ],
)
def test_a_fit_to_groups_needs_vectors_of_one_number_a_row_alone(model, crossed, most):
    """X stores 7 or 9 numbers of 8 bytes a row, values and indices: a fit to medians needs less than twice as many."""
    X, y = many_groups(40_000, 400, crossed)
    peak = peak_of(lambda: model.fit(X, y))
    assert model.certificate_.relative_gap <= 1e-12
    assert peak <= most * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)


@pytest.mark.parametrize(
    ("model", "gap"),
    [
        (HuberLossRegressor(), 1e-14),
        (HuberLossRegressor(alpha=1e-5), 1e-12),
        (CombinedLossRegressor(alpha=1e-5), 1e-12),
    ],
)
def test_curved_losses_of_thousands_of_dummies_make_no_dense_matrix_of_their_number(model, gap):
    X, y = many_groups(12_000, 3_000)
    peak = peak_of(lambda: model.fit(X, y))
    assert model.certificate_.relative_gap <= gap
    assert peak < 0.15 * 8 * X.shape[1] ** 2


@pytest.mark.parametrize(("seed", "positive"), [(29, False), (13, True), (38, True)])
def test_a_penalty_pulls_coefficients_of_groups_without_curved_rows(seed, positive):
    """A group has all rows on one side of the fit: its coefficient goes to a row or, by the penalty, to zero."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 60, 120)
    X = np.hstack([rng.standard_normal((120, 1)), dummies(codes, 60) * rng.standard_normal((120, 1))])
    y = X @ rng.standard_normal(61) + rng.standard_t(1, 120)
    model = HuberLossRegressor(epsilon=5.0, alpha=0.01, positive=positive).fit(sp.csr_array(X), y)
    assert model.certificate_.relative_gap <= 1e-12


def test_crossed_factors_with_faces_of_many_dimensions_are_solved_by_the_first_rung():
    X, y = many_groups(4_000, 300, 40)
    solution = solved(X, y)
    assert solution.stats["rung"] == 1
    assert solution.stats["n_schur"] == 43
    assert solution.gap <= 1e-13 * solution.objective


def test_dummies_in_a_dense_table_are_recognised():
    X, y = many_groups(4_000, 300)
    sparse, dense = solved(X, y), solved(X.toarray(), y)
    assert dense.stats["n_schur"] == 3
    assert dense.objective == sparse.objective
    np.testing.assert_array_equal(dense.coef, sparse.coef)


def test_a_dense_table_without_groups_stays_dense():
    few = np.random.default_rng(0).random((400, 300)) < 0.05
    assert as_design(few.astype(float)).by_groups(True).blocks(True) is None
    # The rows of a sample have few values, the others have many.
    X = np.zeros((2560, 100))
    X[np.arange(2560) % 10 != 0] = 1.0
    assert as_design(X).by_groups(True).X is X
