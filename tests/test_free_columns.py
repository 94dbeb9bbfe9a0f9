"""Unpenalised columns of any rank: the optimum without the redundant ones, and the shortest coefficients.

The oracle projects the free columns out by NumPy's least squares (Frisch-Waugh-Lovell) and leaves the rest to
scikit-learn, or to SciPy's non-negative least squares.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, LassoLarsIC
from sklearn.model_selection import KFold

from ladreg import (
    CombinedLossRegressor,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    LADRegressor,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressor,
    alpha_max,
    enet_path,
    lasso_path,
)
from tests.problems import peak_of

FREE = ["one-hot", "two factors", "duplicates", "sums", "constant", "more than rows"]


def free_columns(kind, rng, n_samples):
    """Free columns that depend on each other or on the column of ones."""
    if kind in ("one-hot", "two factors"):
        factors = [rng.integers(0, k, n_samples) for k in ((3,) if kind == "one-hot" else (3, 4))]
        return np.hstack([(f[:, None] == np.arange(f.max() + 1)).astype(float) for f in factors])
    Z = rng.standard_normal((n_samples, 3))
    if kind == "duplicates":
        return np.c_[Z, Z[:, 1], 2.2046 * Z[:, 0]]
    if kind == "sums":
        return np.c_[Z, Z[:, 0] + Z[:, 1], Z @ [1, -2, 3]]
    if kind == "constant":
        return np.c_[Z, np.full(n_samples, 3.0), np.zeros(n_samples)]
    return rng.standard_normal((n_samples, n_samples + 5))


def drawn(kind, seed, n_samples=60, n_penalised=20):
    """X, y and penalty weights: free columns first."""
    rng = np.random.default_rng(seed)
    Z = free_columns(kind, rng, n_samples)
    G = rng.standard_normal((n_samples, n_penalised))
    y = 2 * G[:, 0] - G[:, 1] + Z[:, :2] @ [1, -1] + rng.standard_normal(n_samples)
    return np.c_[Z, G], y, np.r_[np.zeros(Z.shape[1]), np.ones(n_penalised)]


def projected(Z, *others, fit_intercept=True):
    """The parts of other columns that are orthogonal to Z, and to the column of ones."""
    Z = np.c_[np.ones((Z.shape[0], int(fit_intercept))), Z]
    Q = Z @ np.linalg.pinv(Z)
    return [other - Q @ other for other in others]


def optimum(X, y, weights, alpha, l1_ratio=1.0, fit_intercept=True):
    """The smallest objective, and the fit of the penalised columns, without free ones."""
    free = weights == 0
    G, t = projected(X[:, free], X[:, ~free], y, fit_intercept=fit_intercept)
    if np.mean(t**2) < 1e-20 * np.mean(y**2):
        return 0.0
    model = Lasso(alpha, fit_intercept=False, tol=1e-14, max_iter=10**6) if l1_ratio == 1 else None
    model = model or ElasticNet(alpha, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-14, max_iter=10**6)
    coef = model.fit(G, t).coef_
    penalty = l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * coef @ coef
    return np.mean((t - G @ coef) ** 2) / 2 + alpha * penalty


def shortest(Z, target, fit_intercept=True):
    """The coefficients of least squares with the smallest norm; the intercept does not count."""
    if fit_intercept:
        Z, target = Z - Z.mean(axis=0), target - target.mean()
    return np.linalg.pinv(Z, rcond=1e-11) @ target


def assert_optimal(model, X, y, best):
    scale = np.mean(y**2)
    assert model.objective_ - best <= 1e-9 * max(best, 1e-3 * scale)
    assert best - model.objective_ <= 1e-9 * max(best, 1e-3 * scale)
    assert 0 <= model.dual_gap_ <= 1e-9 * scale
    assert not model.certificate_.unique


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [1.0, 0.1, 1e-3, 0.0])
@pytest.mark.parametrize("kind", FREE)
def test_the_optimum_is_that_without_redundant_columns(kind, share, seed):
    X, y, weights = drawn(kind, seed)
    alpha = share * alpha_max(X, y, penalty_weights=weights)
    if share == 0:
        weights[:] = 0
        centred = X - X.mean(axis=0)
        best = np.mean((y - y.mean() - centred @ shortest(X, y)) ** 2) / 2
    else:
        best = optimum(X, y, weights, alpha)
    model = LassoCD(alpha, penalty_weights=weights).fit(X, y)
    if share > 0 or np.linalg.matrix_rank(X - X.mean(axis=0)) < X.shape[1]:
        assert_optimal(model, X, y, best)
    free = weights == 0
    shares = shortest(X[:, free], y - X[:, ~free] @ model.coef_[~free])
    np.testing.assert_allclose(model.coef_[free], shares, rtol=1e-8, atol=1e-9 * np.abs(shares).max())


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, np.asfortranarray])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", FREE)
def test_every_container_with_and_without_intercept(kind, fit_intercept, container):
    X, y, weights = drawn(kind, 7)
    if kind == "one-hot":
        X, weights = np.c_[X[:, 0], X], np.append(0, weights)
    alpha = 0.05
    model = LassoCD(alpha, penalty_weights=weights, fit_intercept=fit_intercept).fit(container(X), y)
    best = optimum(X, y, weights, alpha, fit_intercept=fit_intercept)
    assert_optimal(model, X, y, best)
    free = weights == 0
    shares = shortest(X[:, free], y - X[:, ~free] @ model.coef_[~free], fit_intercept)
    np.testing.assert_allclose(model.coef_[free], shares, rtol=1e-8, atol=1e-9 * np.abs(shares).max())


@pytest.mark.parametrize("precompute", [True, False, "auto"])
@pytest.mark.parametrize("kind", FREE)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_paths(kind, l1_ratio, precompute):
    X, y, weights = drawn(kind, 3)
    call = {"penalty_weights": weights, "precompute": precompute, "fit_intercept": True}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if l1_ratio == 1:
            alphas, coefs, gaps = lasso_path(X, y, alphas=12, **call)
        else:
            alphas, coefs, gaps = enet_path(X, y, l1_ratio=l1_ratio, alphas=12, **call)
    free = weights == 0
    G, t = projected(X[:, free], X[:, ~free], y)
    for k, alpha in enumerate(alphas):
        coef = coefs[~free, k]
        penalty = l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * coef @ coef
        value = np.mean((t - G @ coef) ** 2) / 2 + alpha * penalty
        assert value <= optimum(X, y, weights, alpha, l1_ratio) + 1e-9 * np.mean(y**2)
        shares = shortest(X[:, free], y - X[:, ~free] @ coef)
        np.testing.assert_allclose(coefs[free, k], shares, rtol=1e-7, atol=1e-8 * np.abs(shares).max())
    assert gaps.max() <= 1e-9 * np.mean(y**2)


@pytest.mark.parametrize("kind", ["one-hot", "two factors", "duplicates", "sums", "constant"])
@pytest.mark.parametrize(("l1_ratio", "n_samples"), [(1.0, 60), (1.0, 24), (0.5, 60)])
def test_cross_validation_is_that_of_projected_columns(kind, l1_ratio, n_samples):
    X, y, weights = drawn(kind, 11, n_samples)
    cv = KFold(4, shuffle=True, random_state=0)
    alphas = np.geomspace(1, 1e-2, 6)
    common = {"penalty_weights": weights, "alphas": alphas, "cv": cv}
    model = LassoCDCV(**common) if l1_ratio == 1 else ElasticNetCDCV(l1_ratio=l1_ratio, **common)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "alpha=.* is the smallest that was tried")
        model.fit(X, y)
    free = weights == 0
    for fold, (train, test) in enumerate(cv.split(X)):
        G, t = projected(X[train][:, free], X[train][:, ~free], y[train])
        for k, alpha in enumerate(alphas):
            rival = Lasso(alpha, fit_intercept=False, tol=1e-14, max_iter=10**6)
            if l1_ratio < 1:
                rival = ElasticNet(alpha, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-14, max_iter=10**6)
            coef = np.zeros(X.shape[1])
            coef[~free] = rival.fit(G, t).coef_
            coef[free] = shortest(X[train][:, free], y[train] - X[train] @ coef)
            error = y - X @ coef
            loss = np.mean((error[test] - error[train].mean()) ** 2)
            assert model.mse_path_[k, fold] == pytest.approx(loss, rel=1e-7)


@pytest.mark.parametrize("kind", ["one-hot", "duplicates", "sums"])
def test_relaxed_fits(kind):
    X, y, weights = drawn(kind, 5)
    model = LassoCDCV(penalty_weights=weights, alphas=5, cv=3, post_selection=0).fit(X, y)
    chosen = np.flatnonzero((model.coef_ != 0) | (weights == 0))
    best = np.mean((y - y.mean() - (X - X.mean(axis=0))[:, chosen] @ shortest(X[:, chosen], y)) ** 2)
    assert np.mean((y - model.predict(X)) ** 2) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("kind", FREE[:5])
def test_information_criteria_fit_as_without_redundant_columns(kind):
    X, y, weights = drawn(kind, 6)
    kept, basis = [], np.ones((y.size, 1))
    for j in np.flatnonzero(weights == 0):
        if np.linalg.matrix_rank(np.c_[basis, X[:, j]]) > basis.shape[1]:
            kept.append(j)
            basis = np.c_[basis, X[:, j]]
    columns = np.r_[kept, np.flatnonzero(weights)].astype(int)
    alphas = alpha_max(X, y, penalty_weights=weights) * np.geomspace(1, 1e-2, 8)
    model = LassoCDIC("bic", penalty_weights=weights, alphas=alphas).fit(X, y)
    single = LassoCD(model.alpha_, penalty_weights=weights[columns]).fit(X[:, columns], y)
    np.testing.assert_allclose(model.predict(X), single.predict(X[:, columns]), atol=1e-8)
    assert model.objective_ == pytest.approx(single.objective_, rel=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_nonnegative_least_squares_on_dummies(seed):
    rng = np.random.default_rng(seed)
    n_samples = 40
    G, X = rng.standard_normal((n_samples, 15)), free_columns("two factors", rng, n_samples)
    y = 2 * X[:, 0] + G[:, 0] + rng.standard_normal(n_samples)
    X = np.c_[G, X]
    best = nnls(np.c_[np.ones(n_samples), -np.ones(n_samples), X], y, maxiter=10**5)[1] ** 2 / n_samples / 2
    model = LassoCD(0, positive=True).fit(X, y)
    assert model.objective_ == pytest.approx(best, rel=1e-9)
    assert model.dual_gap_ <= 1e-9 * best


def test_ridges_beside_free_columns():
    X, y, weights = drawn("two factors", 2)
    model = ElasticNetCD(0.1, l1_ratio=0.3, penalty_weights=weights).fit(X, y)
    assert_optimal(model, X, y, optimum(X, y, weights, 0.1, 0.3))


@pytest.mark.parametrize("size", [0.0, 1e4, 1e8])
def test_of_two_free_factors_that_may_not_be_negative_each_has_a_level_at_zero(size):
    """The intercept takes up what both may lose: the shortest coefficients, whatever the size of outliers in y."""
    factors = [np.arange(40) % 3, np.arange(40) // 3 % 4]
    Z = np.hstack([(f[:, None] == np.arange(f.max() + 1)).astype(float) for f in factors])
    weights = np.r_[np.zeros(7), np.ones(2)]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y = rng.standard_normal(40) + size * (rng.random(40) < 0.2)
        W = rng.standard_normal((40, 2))
        if seed % 2:
            W[:, 1] = W[:, 0] + 1e-9 * W[:, 1]
        model = LassoCD([0.1, 1e-4][seed % 4 < 2], positive=True, penalty_weights=weights).fit(np.c_[Z, W], y)
        assert not model.certificate_.unique
        assert max(model.coef_[:3].min(), model.coef_[3:7].min()) == 0.0


@pytest.mark.parametrize("kind", [HuberLossRegressor, CombinedLossRegressor])
def test_coefficients_of_a_free_factor_have_no_mean_beside_far_targets(kind):
    """The intercept takes it up, and shorter coefficients are left; a strength of 1e-4 is rounding of a slope."""
    factors = [np.arange(40) % 3, np.arange(40) // 3 % 4]
    Z = np.hstack([(f[:, None] == np.arange(f.max() + 1)).astype(float) for f in factors])
    own = {"scale": 1e7, "epsilon": 20.0} if kind is HuberLossRegressor else {"l1_ratio": 0.5}
    for seed in range(8):
        rng = np.random.default_rng(2 * seed)
        y = rng.standard_normal(40) + 1e8 * (rng.random(40) < 0.2)
        model = kind(alpha=[0.1, 1e-4][seed % 2], penalty_weights=np.r_[np.zeros(7), np.ones(2)], **own)
        coef = model.fit(np.c_[Z, rng.standard_normal((40, 2))], y).coef_
        assert max(abs(coef[:3].sum()), abs(coef[3:7].sum())) <= 1e-9 * np.abs(coef).max()


@pytest.mark.parametrize("penalised", [False, True])
def test_at_alpha_max_every_penalised_coefficient_is_zero(penalised):
    weights = np.r_[0.0, 0.0, np.ones(10)] if not penalised else np.ones(12)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 12))
        y = 0.5 * X[:, 0] + 0.3 * X[:, 1] + rng.standard_normal(60)
        largest = alpha_max(X, y, penalty_weights=weights)
        assert not LassoCD(largest, penalty_weights=weights).fit(X, y).coef_[weights > 0].any()
        tuned = LassoCDCV(penalty_weights=weights, alphas=3, cv=3).fit(X, y)
        assert not tuned.coef_path_[weights > 0, 0].any()


@pytest.mark.parametrize("shift", [1e5, 1e9, -1.7e12])
def test_alpha_max_does_not_depend_on_the_origin_of_free_columns(shift):
    X, y, weights = drawn("two factors", 3)
    whole = np.round(100 * X)
    for given in (whole + shift, sp.csc_array(whole + shift)):
        largest = alpha_max(given, y, penalty_weights=weights)
        assert largest == pytest.approx(alpha_max(whole, y, penalty_weights=weights), rel=1e-6)
        assert not LassoCD(largest * (1 + 1e-6), penalty_weights=weights).fit(given, y).coef_[weights > 0].any()


@pytest.mark.parametrize("far", [1e6, 1e9, 1e11])
@pytest.mark.parametrize(
    "model", [None, HuberLossRegressor(scale=0.5, epsilon=1.0), LADRegressor(), QuantileRegressor(quantile=0.3)]
)
def test_alpha_max_does_not_depend_on_an_origin_that_free_columns_span(model, far):
    rng = np.random.default_rng(0)
    X, y, weights = rng.integers(-100, 101, (20, 5)).astype(float), rng.integers(0, 5, 20), np.r_[0.0, np.ones(4)]
    # An intercept, or two free columns whose difference is the first one and from which the origin follows.
    spanned, two = np.column_stack([2 * X[:, 0], X]) + far, np.r_[0.0, weights]
    if model is None:
        near = alpha_max(X, y, penalty_weights=weights)
        moved = alpha_max(spanned, y, penalty_weights=two, fit_intercept=False)
    else:
        near = clone(model).set_params(penalty_weights=weights).alpha_max(X, y)
        moved = clone(model).set_params(penalty_weights=two, fit_intercept=False).alpha_max(spanned, y)
    assert moved == pytest.approx(near, rel=16 * far * np.finfo(float).eps)


@pytest.mark.parametrize("far", [0.0, 1e9])
def test_alpha_max_is_zero_where_free_columns_fit_exactly(far):
    rng = np.random.default_rng(0)
    X, y = rng.integers(-300, 300, (4, 9)).astype(float) + far, rng.standard_normal(4)
    assert alpha_max(X, y, penalty_weights=np.r_[0.0, 0.0, 0.0, np.ones(6)]) == 0.0


def test_alpha_max_is_zero_where_free_columns_explain_the_others():
    """Of four different rows: all columns are in the span of three free ones and the intercept."""
    weights = np.array([1.0, 0, 1, 1, 1, 1, 0, 1, 0])
    for seed in range(30):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((4, 9))[rng.integers(0, 4, 14)], rng.integers(0, 4, 14).astype(float)
        assert alpha_max(X, y, penalty_weights=weights) == 0.0
        assert alpha_max(X, y, penalty_weights=weights, standardize=True) == 0.0


@pytest.mark.filterwarnings("ignore:alpha=.* is the smallest that was tried", "ignore:.*did not reach tol")
@pytest.mark.parametrize("l1_ratio", [0.1, 1.0])
@pytest.mark.parametrize("far", [1e6, 1e8, 1e9])
def test_cross_validation_is_that_of_single_fits_far_from_the_origin(far, l1_ratio):
    """Without an intercept columns are as good as equal, and their products keep nothing of what they differ by."""
    own = {"l1_ratio": l1_ratio, "fit_intercept": False, "penalty_weights": np.r_[np.ones(4), 0.0]}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, y = far + np.round(100 * rng.standard_normal((23, 5))), rng.integers(0, 2, 23).astype(float)
        tuned = ElasticNetCDCV(alphas=5, cv=3, **own).fit(X, y)
        for k, alpha in enumerate(tuned.alphas_):
            single = ElasticNetCD(alpha, **own)
            best = single.fit(X, y).objective_
            single.coef_ = tuned.coef_path_[:, k]
            assert single.verify(X, y).objective == pytest.approx(best, rel=1e-6)
            for fold, (train, test) in enumerate(KFold(3).split(X)):
                loss = np.mean((y[test] - single.fit(X[train], y[train]).predict(X[test])) ** 2)
                assert tuned.mse_path_[k, fold] == pytest.approx(loss, rel=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("alpha", [1e60, 1e200, 1e300])
@pytest.mark.parametrize("model", [CombinedLossRegressor(), HuberLossRegressor(scale=0.3), LADRegressor(), LassoCD()])
def test_strengths_that_dwarf_all_slopes(model, alpha):
    X, y, _ = drawn("two factors", 1)
    model = clone(model).set_params(penalty_weights=np.r_[0.0, np.ones(X.shape[1] - 1)], alpha=alpha).fit(X, y)
    alone = clone(model).set_params(penalty_weights=None, alpha=0.0).fit(X[:, :1], y)
    assert not model.coef_[1:].any()
    assert model.coef_[0] == pytest.approx(alone.coef_[0], rel=1e-6)


def test_at_the_knots_of_the_path_coefficients_are_zero():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 12))
        y = 0.5 * X[:, 0] + 0.3 * X[:, 1] + rng.standard_normal(60)
        lars = LassoLarsIC("bic").fit(X, y)
        found = LassoCDIC("bic", alphas=lars.alphas_).fit(X, y)
        assert found.alpha_ == pytest.approx(lars.alpha_, rel=1e-9)


@pytest.mark.parametrize("fit", ["single", "path", "folds"])
def test_memory_is_that_of_rows_times_columns_where_columns_are_many(fit):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6000))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(40)
    model = LassoCD(0)
    fits = {
        "single": lambda: model.fit(X, y),
        "path": lambda: lasso_path(X, y, alphas=[1.0, 0.1, 0.0]),
        "folds": lambda: LassoCDCV(alphas=[1.0, 0.1, 0.0], cv=3).fit(X, y),
    }
    # A matrix of all products would be 150 times X.
    assert peak_of(fits[fit]) <= 15 * X.nbytes
    if fit == "single":
        np.testing.assert_allclose(model.coef_, shortest(X, y), atol=1e-12)


@pytest.mark.parametrize("precompute", [False, "auto"])
@pytest.mark.parametrize("share", [0.95, 0.9, 0.5])
def test_features_are_left_out_only_where_the_gap_is_that_of_the_whole_problem(share, precompute):
    """A free column may hide what penalised ones explain: before it is fitted, no gap tells which of these are zero."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        G, noise = rng.standard_normal((30, 12)), rng.standard_normal((30, 2))
        Z = np.c_[G[:, 0] + 0.1 * noise[:, 0], noise[:, 1]]
        X, y = np.c_[Z, G], G[:, 0] - Z[:, 0] + 0.3 * rng.standard_normal(30)
        weights = np.r_[np.zeros(2), np.ones(12)]
        alpha = share * alpha_max(X, y, penalty_weights=weights)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = LassoCD(alpha, penalty_weights=weights, precompute=precompute).fit(X, y)
        assert model.objective_ == pytest.approx(optimum(X, y, weights, alpha), rel=1e-9)


def test_units_of_dependent_columns_that_are_far_apart():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    for units in ([1e9, 1e7, 1e-9], [1e-9, 1e9, 1.0], [1.0, 1e-12, 1e12]):
        columns = np.c_[X[:, 0], 2.2046 * X[:, 0], X[:, 1]] * units
        y = X[:, 0] + X[:, 1] + rng.standard_normal(40)
        model = LassoCD(0).fit(columns, y)
        best = LassoCD(0).fit(X[:, :2], y).objective_
        assert model.objective_ == pytest.approx(best, rel=1e-9)
        assert model.dual_gap_ <= 1e-9 * best


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_a_group_of_one_row_among_weights_of_many_sizes(form):
    """Its residual is rounding, and so is its dual: the product with its column has no other terms."""
    rng = np.random.default_rng(0)
    k = np.append(rng.integers(0, 40, 120), [40, 41, 42])
    X = np.hstack([(k[:, None] == np.arange(43)).astype(float), rng.standard_normal((123, 3))])
    y = X @ rng.standard_normal(46) + rng.exponential(100.0, 123)
    model = LassoCD(0.1, penalty_weights=np.repeat([0.0, 1.0], [43, 3]))
    model.fit(form(X), y, sample_weight=np.exp(2 * rng.standard_normal(123)))
    assert model.certificate_.relative_gap <= 1e-13


def test_free_coefficients_along_a_path_stay_positive():
    """A feature that came in and has not moved yet goes where it may, whatever its slope is at the next alpha."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n_samples, n_penalised = int(rng.integers(12, 40)), int(rng.integers(5, 40))
        rng.integers(0, 4, n_samples)
        G = rng.standard_normal((n_samples, n_penalised))
        X = np.c_[rng.standard_normal((n_samples, 3)), G]
        y = X @ (rng.standard_normal(X.shape[1]) * (rng.random(X.shape[1]) < 0.4)) + rng.standard_normal(n_samples)
        weights = np.r_[np.zeros(3), np.ones(n_penalised)]
        _, coefs, _ = lasso_path(X, y, alphas=np.geomspace(1, 1e-3, 5), positive=True, penalty_weights=weights)
        assert coefs.min() >= 0
