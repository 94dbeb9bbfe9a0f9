"""Columns with few rows: a reduced problem has the rows they need; that no dual is feasible is found early."""

import numpy as np
import pytest

from ladreg import LADRegressor, QuantileRegressor
from ladreg._piecewise import bounded_dual, interior_point
from tests import public


def rare(n_samples, n_columns, rng):
    """Three dense columns, and dummies with 3 to 60 rows each that overlap."""
    dummies = np.zeros((n_samples, n_columns))
    for column in dummies.T:
        column[rng.choice(n_samples, rng.integers(3, 60), replace=False)] = 1.0
    return np.hstack([rng.standard_normal((n_samples, 3)), dummies])


@pytest.mark.parametrize("model", [LADRegressor(), QuantileRegressor(quantile=0.8, alpha=0), LADRegressor(alpha=1e-4)])
def test_reduced_problems_have_the_rows_of_rare_columns(model):
    rng = np.random.default_rng(0)
    X = rare(20_000, 40, rng)
    y = X @ rng.standard_normal(43) + 20 * X[:, 3:].sum(axis=1) + rng.standard_t(3, 20_000)
    with public.solutions() as stored:
        model.fit(X, y)
    stats = stored[-1].stats
    assert model.certificate_.relative_gap <= 1e-12
    assert stats["rung"] == 1
    assert stats["rows_solved"] <= 5_000


def test_a_program_without_a_feasible_dual_is_told_by_a_direction():
    """The rows pull by at most 1 each, and the goal asks for more: the loss of these rows falls along the direction."""
    rng = np.random.default_rng(0)
    A, y = np.abs(rng.standard_normal((50, 3))), rng.standard_normal(50)
    none = np.zeros(0)
    ends = np.ones(50)
    goal = 1.1 * A.sum(axis=0)
    program = bounded_dual.BoundedDual(A, y, -ends, ends, goal, np.zeros(0, dtype=np.intp), none, none)
    found = interior_point.solve_or_fall(program, np.zeros(3), tol=1e-12)
    assert isinstance(found, interior_point.Unbounded)
    assert goal @ found.direction + np.abs(A @ found.direction).sum() < 0
    assert interior_point.solve(program, np.zeros(3), tol=1e-12) is None
