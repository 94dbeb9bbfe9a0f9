"""Columns that differ by 1e-3 to 1e-9 of their length: the optimum is reached all the same, and proved.

Their Gram matrix has the square of the condition number, and knows nothing of such differences.
"""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    CombinedLossRegressor,
    ElasticNetCD,
    HuberLossRegressor,
    LADRegressor,
    LassoCD,
    LassoCDCV,
    blocks,
    lasso_path,
)
from ladreg._design import as_design
from ladreg._problem import ElasticNet, Huber, Problem, Settings
from ladreg._solvers import solve
from tests.campaign.exact import optimum_near
from tests.campaign.formula import Formula, Loss
from tests.campaign.problem import replayed
from tests.faults import faulty, gives_up


def drawn(apart, seed, n_samples=120):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 8))
    y = X @ [3, -2, 1, 0, 0, 0, 0, 0.5] + rng.standard_normal(n_samples)
    return np.c_[X, X[:, :4] + apart * rng.standard_normal((n_samples, 4))], y


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("container", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("apart", [1e-3, 1e-5, 1e-6, 1e-7, 1e-8])
def test_without_penalty_it_is_least_squares(apart, container, seed):
    X, y = drawn(apart, seed)
    A = np.c_[np.ones(y.size), X]
    best = np.mean((y - A @ np.linalg.lstsq(A, y, rcond=1e-15)[0]) ** 2) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LassoCD(0).fit(container(X), y)
    # Coefficients of size 1 / apart round predictions.
    assert model.objective_ <= best * (1 + 1e-9 + 1e-16 / apart)
    assert np.mean((y - model.predict(X)) ** 2) / 2 == pytest.approx(model.objective_, rel=1e-9 + 1e-16 / apart)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alpha", [1e-10, 1e-8, 1e-6, 1e-3])
@pytest.mark.parametrize("apart", [1e-3, 1e-5, 1e-6, 1e-7, 1e-9])
def test_with_a_penalty_it_is_proved(apart, alpha, positive, seed):
    X, y = drawn(apart, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lasso = LassoCD(alpha, positive=positive).fit(X, y)
        net = ElasticNetCD(alpha, l1_ratio=0.5, positive=positive).fit(X, y)
    for model in (lasso, net):
        assert model.dual_gap_ <= 1e-9 * np.mean((y - y.mean()) ** 2)


def test_nearly_equal_free_columns_beside_penalised_ones():
    rng = np.random.default_rng(5)
    X, y = drawn(1e-6, 5)
    G = rng.standard_normal((y.size, 6))
    weights = np.r_[np.zeros(12), np.ones(6)]
    A = np.c_[np.ones(y.size), X]
    Q = np.linalg.qr(A)[0]
    for alpha in (0.1, 0.01, 1e-3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = LassoCD(alpha, penalty_weights=weights).fit(np.c_[X, G], y)
        rest = LassoCD(alpha, fit_intercept=False).fit(G - Q @ (Q.T @ G), y - Q @ (Q.T @ y))
        assert model.objective_ == pytest.approx(rest.objective_, rel=1e-9)


def test_more_iterations_do_not_change_what_is_reached():
    X, y = drawn(1e-6, 50)
    few, many = (LassoCD(1e-10, max_iter=max_iter).fit(X, y) for max_iter in (10**4, 10**6))
    assert few.objective_ == pytest.approx(many.objective_, rel=1e-9)
    assert few.n_iter_ < 10**4


def test_paths_and_cross_validation():
    X, y = drawn(1e-6, 3)
    alphas = np.geomspace(1, 1e-6, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "alpha=.* is the smallest that was tried")
        _, _, gaps = lasso_path(X, y, alphas=alphas)
        model = LassoCDCV(alphas=alphas, cv=3).fit(X, y)
    assert gaps.max() <= 1e-9 * np.mean(y**2)
    fold = np.arange(y.size) < 40
    for k, alpha in enumerate(alphas):
        single = LassoCD(alpha).fit(X[~fold], y[~fold])
        assert model.mse_path_[k, 0] == pytest.approx(np.mean((y - single.predict(X))[fold] ** 2), rel=1e-6)


def test_steps_by_a_decomposition_do_not_go_in_circles():
    """A cross-validation beside weights of 1e-10 and 1e12, whose supports came back for 10,000 steps."""
    model, case = replayed(1041000114514)
    with warnings.catch_warnings(), faulty(scipy.linalg, "qr", 2000, gives_up) as decompositions:
        warnings.simplefilter("ignore")
        model.made().fit(case.contained(), case.y, sample_weight=case.weight)
    assert 0 < len(decompositions) < 1000


@pytest.mark.parametrize("model", [HuberLossRegressor(scale=1.0), CombinedLossRegressor()], ids=repr)
@pytest.mark.parametrize("n_samples", [40, 3000])
@pytest.mark.parametrize("apart", [1e-5, 1e-6, 1e-7, 1e-8])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_other_losses_are_fitted_as_with_the_difference_for_a_column(model, n_samples, apart, alpha):
    """The nearly equal columns are free; with an `alpha` the others are penalised."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n_samples, 5))
    X[:, 1] = X[:, 0] + apart * X[:, 1]
    difference = np.column_stack([X[:, 0], (X[:, 1] - X[:, 0]) / apart, X[:, 2:]])
    y = difference @ [3, 0.7, -2, 1, 0.5] + rng.standard_t(2, n_samples)
    model = clone(model).set_params(alpha=alpha, penalty_weights=[0, 0, 1, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        there = clone(model).fit(X, y)
    best = clone(model).fit(difference, y).objective_
    # Coefficients of size 1 / apart round predictions.
    assert there.objective_ == pytest.approx(best, rel=1e-9 + 1e-16 / apart, abs=0)
    assert there.certificate_.relative_gap <= 1e-9


@pytest.mark.parametrize("seed", [28, 123, 202, 378])
def test_a_dummy_that_is_there_twice_but_for_1e_9_changes_no_prediction_of_an_optimum_that_is_not_unique(seed):
    """The slope of the second one misses its strength by about what tells a dual's ends apart."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 4, (2, 23))
    X = np.column_stack([first[:, None] == np.arange(4), second[:, None] == np.arange(4), second == 0]).astype(float)
    X[rng.integers(23), 8] += 10.0 ** rng.uniform(-9.5, -8.5)
    y, alpha = rng.standard_normal(23), 10.0 ** rng.uniform(-4, -2)
    there, without = (LADRegressor(alpha, penalty_weights=[0] * 4 + [1] * k, bounds=(0, 5)) for k in (5, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        there.fit(X, y)
    assert not there.certificate_.unique
    found, expected = there.predict(X), without.fit(X[:, :8], y).predict(X[:, :8])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


def test_ordinary_columns_are_not_replaced():
    X, y = drawn(1e-3, 0)
    for problem in (posed(X, y), posed(X[:, :8], y)):
        assert "columns_replaced" not in solve(problem, Settings()).stats
    assert solve(posed(drawn(1e-7, 0)[0], y), Settings()).stats["columns_replaced"] == 12


def posed(X, y):
    weight, penalty = np.full(y.size, 1 / y.size), ElasticNet(np.zeros(X.shape[1]))
    return Problem(as_design(X), y, weight, Huber(1.0), penalty, fit_intercept=True)


@pytest.mark.parametrize("kind", ["all", "one limit", "free"])
def test_limits_beside_far_columns_that_differ_by_1e_14_prove_no_more_than_fractions(kind):
    """A product of 30 EPS of its terms with such a column is no rounding: the optimum's coefficients are 3e8."""
    model, case = replayed(9300000000541)
    lower, upper = model.parameters["bounds"]
    if kind == "one limit":
        lower, upper = np.where(np.arange(6) == 2, lower, -np.inf), np.full(6, np.inf)
    elif kind == "free":
        lower = np.where(np.arange(6) == 2, -np.inf, lower)
    fitted = LassoCD(0, bounds=(lower, upper))
    with pytest.warns(ConvergenceWarning, match="did not reach"):
        fitted.fit(case.X, case.y, sample_weight=case.weight)
    formula = Formula.of(case.X, case.y, case.weight, Loss(square=0.5), np.zeros(6), bounds=(lower, upper))
    apart = fitted.objective_ - float(optimum_near(formula, fitted.coef_))
    assert 0.05 < apart <= 1.01 * fitted.dual_gap_


@pytest.mark.parametrize("kind", ["limit", "free", "one strength", "blocks"])
@pytest.mark.parametrize("seed", [2, 5, 8, 14])
def test_columns_at_1e7_that_differ_by_1e_9_prove_no_more_than_fractions(kind, seed):
    """A product with such a column is rounded by 1e-9, and the coefficients of the optimum are 1e7."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (14, 2)) + 1e7
    X[:, 1] = X[:, 0] + 1e-9 * rng.standard_normal(14)
    y, strength, given = rng.standard_normal(14), np.zeros(2), {"alpha": 0.0}
    if kind == "limit":
        given["bounds"] = np.full(2, -np.inf), np.array([np.inf, 0.05])
    elif kind == "one strength":
        strength[1] = 1e-12
        given = {"alpha": 1e-12, "penalty_weights": strength / 1e-12}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LassoCD(**given).fit(*[blocks.arrays(X, y, rows=5)] if kind == "blocks" else (X, y))
    formula = Formula.of(X, y, None, Loss(square=0.5), strength, bounds=given.get("bounds"), share=1e-10)
    apart = fitted.objective_ - float(optimum_near(formula, fitted.coef_))
    assert apart <= 1.0001 * fitted.dual_gap_ + float(formula.allowed(fitted.coef_, fitted.intercept_))
