"""Gross outliers in y and heavy weights: the fit of the other rows does not depend on how gross and how heavy."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    QuantileRegressor,
    QuantileRegressorCV,
    lad_path,
)
from ladreg._certificate import certify
from ladreg._presolve import clip, solve_clipped
from ladreg._problem import Huber, Pinball, Settings, StopReason
from ladreg._solvers import solve_near_targets
from tests.problems import make, oracle, solve

MODELS = {
    "plain": LADRegressor(),
    "linprog": LADRegressor(solver="linprog"),
    "penalised": LADRegressor(0.02),
    "positive": LADRegressor(positive=True),
    "excluded": LADRegressor(0.02, penalty_weights=[1, 0, np.inf, 1, 1, 1]),
    "pivotal": LADRegressor("pivotal"),
    "no intercept": LADRegressor(fit_intercept=False),
    "quantile": QuantileRegressor(quantile=0.4, alpha=0.0),
    "quantiles": QuantileRegressor(quantile=[0.45, 0.5, 0.55], alpha=0.0),
    "penalised quantile": QuantileRegressor(quantile=0.6, alpha=0.01),
    "huber": HuberLossRegressor(scale=1.0),
    "huber with a scale": HuberLossRegressor(),
    "penalised huber": HuberLossRegressor(scale=1.0, alpha=0.05),
}
SIZES = [1e9, 1e20, 3.4e38, 1e300]


def data(seed, size, *, share=0.02, n_samples=150, n_features=6):
    """Ordinary rows, and a share of targets at -size or size."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    y = X @ np.arange(1.0, n_features + 1) + rng.laplace(size=n_samples)
    rows = rng.choice(n_samples, max(1, int(share * n_samples)), replace=False)
    y[rows] = rng.choice([-size, size], rows.size)
    return X, y


def certificates(model):
    found = model.certificate_
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MODELS)
def test_fit_does_not_depend_on_how_far_outliers_are(name, size):
    model = MODELS[name]
    share = 0.02 if "quantile" in name else 0.47
    for seed, part in ((0, 0.0), (1, 0.02), (2, share)):
        X, y = data(seed, size, share=part)
        near = model.fit(*data(seed, 1e4, share=part)).coef_
        found = model.fit(X, y)
        np.testing.assert_allclose(found.coef_, near, rtol=1e-9, atol=1e-9)
        for certificate in certificates(found):
            assert certificate.relative_gap <= 1e-10
            assert certificate.unique
        again = found.verify(X, y)
        assert all(one.relative_gap <= 1e-10 for one in (again if isinstance(again, list) else [again]))


@pytest.mark.parametrize("alpha", [0.0, 0.03])
def test_objective_is_that_of_a_linear_program_on_near_targets(alpha):
    for seed in range(5):
        (X, far), (_, near) = data(seed, 1e30, share=0.2), data(seed, 1e4, share=0.2)
        found = solve(make(X, far, alpha=alpha))
        problem = make(X, near, alpha=alpha)
        assert problem.objective(found.coef, found.intercept) <= oracle(problem) * (1 + 1e-9)


def stopped_at(clipped, intercept, far_dual):
    """What a solver of the near targets hands in that was stopped at an intercept, with a dual of its two far rows."""
    dual = np.r_[np.full(8, -2 * far_dual / 8), far_dual, far_dual]
    given = {"n_iter": 1, "stopped": StopReason.ITERATION_LIMIT, "solver": "stopped"}
    return certify(clipped.problem, np.zeros(1), intercept, dual, **given)


def two_far():
    """A quantile at two of ten targets, which are far."""
    problem = make(np.zeros((10, 1)), np.r_[np.arange(8.0), 1e9, 1e9], loss=Pinball(0.9))
    return problem, clip(problem)


def test_an_answer_of_a_stopped_solver_is_proved_for_targets_as_they_are():
    problem, clipped = two_far()
    solution = stopped_at(clipped, 4.0, 0.04)
    assert clipped.keeps(solution)
    found = clipped.restored(solution, 1e-10)
    missed = problem.objective(np.zeros(1), 4.0) - problem.objective(np.zeros(1), 1e9)
    assert missed == pytest.approx(1e8, rel=1e-6)
    assert found.gap >= missed * (1 - 1e-12)


def test_a_stopped_solver_may_not_pass_a_target_that_was_moved():
    _, clipped = two_far()
    assert not clipped.keeps(stopped_at(clipped, 1e6, 0.09))


def test_tiny_ordinary_targets_count_beside_outliers_of_size_one():
    X, y = data(3, 1e200)
    near = LADRegressor().fit(*data(3, 1e4)).coef_
    np.testing.assert_allclose(LADRegressor().fit(X, y * 1e-200).coef_ * 1e200, near, rtol=1e-9)


def test_sparse_weighted_and_several_targets():
    (X, far), (_, near) = data(4, 1e18, share=0.1), data(4, 1e4, share=0.1)
    weight = np.random.default_rng(4).exponential(size=far.size)
    both = [LADRegressor(0.01).fit(sp.csr_array(X), y, weight).coef_ for y in (far, near)]
    np.testing.assert_allclose(*both, rtol=1e-9, atol=1e-9)
    both = [LADRegressor().fit(X, np.c_[near, y, y + X[:, 0]]).coef_ for y in (far, near)]
    np.testing.assert_allclose(*both, rtol=1e-9, atol=1e-9)


def test_paths_and_largest_alpha():
    (X, far), (_, near) = data(5, 1e25, share=0.1), data(5, 1e4, share=0.1)
    (alphas, coefs, _, gaps), (same, others, *_) = (lad_path(X, y, alphas=20) for y in (far, near))
    np.testing.assert_allclose(alphas, same, rtol=1e-9)
    np.testing.assert_allclose(coefs, others, rtol=1e-9, atol=1e-9)
    assert gaps.max() <= 1e-9
    for model in (LADRegressor(penalty_weights=[0, 1, 1, 1, 1, 1]), HuberLossRegressor(scale=0.5)):
        np.testing.assert_allclose(model.alpha_max(X, far), model.alpha_max(X, near), rtol=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        LADRegressorCV(alphas=8, cv=3),
        QuantileRegressorCV(quantile=0.6, alphas=8, cv=3),
        HuberLossRegressorCV(alphas=8, cv=3),
    ],
)
@pytest.mark.parametrize("post_selection", [None, 0.3])
def test_cross_validation_chooses_by_the_other_rows(model, post_selection):
    model = clone(model).set_params(post_selection=post_selection)
    near = clone(model).fit(*data(6, 1e4, share=0.05))
    for size in (1e15, 1e300):
        model.fit(*data(6, size, share=0.05))
        np.testing.assert_allclose(model.coef_, near.coef_, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(model.alpha_, near.alpha_, rtol=1e-9)
        losses = next(value for name, value in vars(model).items() if name.endswith("_path_") and value.ndim == 2)
        assert np.all(np.isfinite(losses))


def test_held_out_losses_are_those_of_the_targets_as_they_are():
    X, y = data(7, 1e7, share=0.1)
    model = LADRegressorCV(alphas=6, cv=3).fit(X, y)
    for k, (train, test) in enumerate(model._splitter().split(X)):
        for alpha, mean in zip(model.alphas_, model.mae_path_[:, k], strict=True):
            plain = LADRegressor(alpha).fit(X[train], y[train])
            assert mean == pytest.approx(np.abs(y[test] - plain.predict(X[test])).mean(), rel=1e-12)


def test_far_targets_that_the_fit_passes_are_fitted_where_they_are():
    X, y = data(8, 1e4)
    y[7] = 1e20
    X[:, 5] = 0.0
    others = np.delete(np.arange(y.size), 7)
    plain = LADRegressor().fit(X[others], y[others])
    X[7, 5] = 1.0
    with pytest.warns(ConvergenceWarning, match="Rounding errors"):  # a coefficient of 1e20 is rounded by up to 8192
        model = LADRegressor().fit(X, y)
    np.testing.assert_allclose(model.coef_[:5], plain.coef_[:5], rtol=1e-9)
    assert model.coef_[5] == pytest.approx(1e20)
    # Half of the targets are far: quantiles beyond are among them.
    X, y = data(9, 1e4, share=0.3)
    X, far = data(9, 1e20, share=0.3)
    both = [QuantileRegressor(quantile=0.95, alpha=0.0).fit(np.sign(X[:, :1]), values) for values in (y, far)]
    assert both[1].predict(np.sign(X[:, :1])).max() == pytest.approx(1e16 * both[0].predict(np.sign(X[:, :1])).max())


@pytest.mark.parametrize("ends", [(-1e5, 3e5), (2e6, 8e6), (-7e5, -2e5)])
@pytest.mark.parametrize(
    "model",
    [
        LADRegressor(),
        LADRegressor(solver="linprog"),
        LADRegressor(fit_intercept=False),
        LADRegressor(fit_intercept=False, bounds=(-1e9, 1e9)),
        QuantileRegressor(quantile=[0.4, 0.5], alpha=0, fit_intercept=False),
        HuberLossRegressor(scale=1.0, fit_intercept=False),
    ],
)
def test_far_targets_at_the_ends_of_the_optima_are_ends_where_they_are(model, ends):
    y = np.append(ends, np.random.default_rng(0).standard_normal(21))
    group = np.arange(23.0)[:, None] < 2
    X = np.hstack([group, ~group]).astype(float)
    found = np.atleast_2d(model.fit(X, y).predict(X).T)[-1]
    np.testing.assert_allclose(found[:2], sum(ends) / 2, rtol=1e-6)
    assert np.abs(found[2:]).max() < 1.0


@pytest.mark.parametrize("bounds", [None, (-10.0, 10.0)])
def test_far_targets_of_rows_far_out_in_x_are_ends_of_the_optima_where_they_are(bounds):
    X = np.array([[1.0], [1.0], [1e4], [1e4]])
    for low, high in ((-1e4, 5e3), (-5e3, 7500.0), (-2000.0, 9e3)):  # the optima: from low to high, divided by 1e4
        model = LADRegressor(fit_intercept=False, bounds=bounds).fit(X, [-1.0, 1.0, low, high])
        assert model.coef_[0] == pytest.approx((low + high) / 2e4, rel=1e-9)


@pytest.mark.parametrize("seed", [3, 11, 16])
def test_far_targets_that_the_fit_passes_one_by_one_take_few_problems(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((300, 1))
    y = rng.standard_normal(300) + 1e8 * (rng.random(300) < 0.5) * rng.exponential(size=300)
    solved = []

    def counting(problem, *others):
        solved.append(problem)
        return solve_near_targets(problem, *others)

    found = solve_clipped(make(X, y, weight=rng.exponential(size=300)), Settings(1e-12), solve=counting)
    assert 4 < len(solved) <= 16
    assert found.relative_gap <= 1e-14


def test_what_a_far_target_hides_is_not_called_proved():
    X, y = data(8, 1e4)
    y[7], X[:, 5] = 1e20, 0.0
    X[7, 5] = 1.0  # a penalised coefficient of 1e20 is optimal, and its penalty has no digits for the other rows
    with pytest.warns(ConvergenceWarning, match="optimum"):
        model = LADRegressor(0.002).fit(X, y)
    assert model.certificate_.relative_gap > 1e-3


def test_edited_coefficients_are_not_proved_beside_outliers():
    X, y = data(10, 1e30, share=0.1)
    for model in (LADRegressor(), LADRegressor(0.01), HuberLossRegressor(scale=1.0)):
        model.fit(X, y).coef_[2] += 0.1
        certificate = model.verify(X, y)
        assert certificate.relative_gap > 1e-3
        assert certificate.gap < 1.0


@pytest.mark.parametrize("heavy", [1e9, 1e14, 1e16, 1e22, 1e100])
@pytest.mark.parametrize(
    "model", [LADRegressor(), LADRegressor(solver="linprog"), QuantileRegressor(quantile=0.4, alpha=0)]
)
def test_heavy_rows_are_fitted_exactly_and_the_others_as_well_as_they_can_be(model, heavy):
    for seed in range(3):
        X, y = data(seed, 5.0)
        weight = np.ones(y.size)
        rows = np.random.default_rng(seed).choice(y.size, 1 + seed, replace=False)
        weight[rows] = 1e6
        expected = model.fit(X, y, weight).coef_
        weight[rows] = heavy
        found = model.fit(X, y, weight)
        np.testing.assert_allclose(found.coef_, expected, rtol=1e-9, atol=1e-9)
        assert found.certificate_.relative_gap <= 1e-9


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_a_heavy_row_keeps_its_digits_where_most_targets_are_far_from_it(far):
    """A target moved by 1e8 has lost eight digits, which a weight of 1e12 makes the largest loss of all."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, y = rng.normal([far, 0.0], size=(9, 2)), rng.standard_normal(9) + np.repeat([0.0, 1e8], [4, 5])
        weight = np.where(np.arange(9) == 1, 1e12, rng.exponential(size=9))
        found = QuantileRegressor(quantile=[0.1, 0.5, 0.8], alpha=1e-3).fit(X, y, weight)
        paths = lad_path(X, y, alphas=[1e-3, 1e-6], sample_weight=weight)
        residual = y[:, None] - np.column_stack([found.predict(X), X @ paths[1] + paths[2]])
        loss = weight / weight.sum() @ (np.array([0.1, 0.5, 0.8, 0.5, 0.5]) * residual + np.maximum(-residual, 0.0))
        np.testing.assert_allclose(found.objective_, loss[:3] + 1e-3 * np.abs(found.coef_).sum(axis=1), rtol=1e-8)
        for alpha, value, coef in zip(paths[0], 2.0 * loss[3:], paths[1].T, strict=True):
            alone = LADRegressor(alpha).fit(X, y, weight)
            assert value + alpha * np.abs(coef).sum() == pytest.approx(alone.objective_, rel=1e-8)


def test_ordinary_problems_are_left_alone():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 2))
    for y in (rng.standard_normal(400), rng.standard_t(2, 400), rng.integers(0, 5, 400), rng.exponential(size=400)):
        assert clip(make(X, y)) is None
        assert clip(make(X, y, loss=Pinball(0.9))) is None
    assert clip(make(X, np.r_[1e9, np.zeros(399)], loss=Huber(1e8))) is None


def test_outliers_may_be_most_of_what_is_not_zero():
    y = np.r_[np.zeros(6), 1.0, np.full(3, 1e20)]
    model = LADRegressor().fit(np.zeros((10, 1)), y)
    assert model.intercept_ == 0.0


@pytest.mark.parametrize("size", [1e4, 1e6, 1e7, 1e8, 1e9])
def test_outliers_of_two_sizes_leave_the_others_their_digits(size):
    """Where most targets are zero, 1 is an ordinary target, and neither 1e6 nor 4e206."""
    kept = 0
    for seed in range(30):
        rng = np.random.default_rng([seed, int(np.log10(size))])
        X = np.round(rng.standard_normal((int(rng.integers(12, 20)), int(rng.integers(2, 5)))), 3)
        X[:, 1] = X[:, 0] + (1e-6 if seed % 2 else 1.0) * X[:, 1]
        rows = rng.choice(X.shape[0], 4, replace=False)
        y, side = np.zeros(X.shape[0]), rng.choice([-1.0, 1.0], 3)
        y[rows] = np.r_[1.0, side * size * [1.0, 2.0, 4e206 / size]]
        model = LADRegressor(alpha=[0.0, 1e-4][seed % 2], bounds=[None, (-50, 50)][seed // 2 % 2]).fit(X, y)
        residual = y - model.predict(X)
        if np.all(side * residual[rows[1:]] > 10.0):
            kept += 1
            cost = np.abs(np.delete(residual, rows[1:])).sum() / y.size + model.alpha * np.abs(model.coef_).sum()
            assert model.dual_gap_ <= 1e-9 * cost + 1e-13
    assert kept > 15
