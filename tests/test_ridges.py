"""Squares in the penalty beside other losses than squares: `l1_ratio`, `penalty_l1_ratio` of the combined loss."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    ElasticNetCD,
    HuberLossRegressor,
    LADRegressor,
    LADRegressorCV,
    QuantileRegressor,
    combined_path,
    enet_path,
    huber_path,
    lad_path,
    quantile_path,
)
from ladreg._estimators import training_data

KINDS = [
    (LADRegressor, {}, "l1_ratio", lad_path),
    (QuantileRegressor, {"quantile": 0.3}, "l1_ratio", quantile_path),
    (HuberLossRegressor, {"scale": 0.7}, "l1_ratio", huber_path),
    (CombinedLossRegressor, {"l1_ratio": 0.4}, "penalty_l1_ratio", combined_path),
]
every_kind = pytest.mark.parametrize(
    ("kind", "given", "name", "path"), KINDS, ids=lambda value: getattr(value, "__name__", "")
)


def table(seed, n=40, p=6):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal(p) + rng.standard_t(2, n)


def loss_of(model, X, y):
    """The loss that the model minimises."""
    data = training_data(model, X, y, None)
    return model._problems(data, model._penalty(data))[0].loss


@every_kind
@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.95])
def test_the_fit_is_proved_and_is_a_minimum_along_random_lines(kind, given, name, path, ratio):
    for seed in range(3):
        X, y = table(seed)
        y = np.round(y) if seed % 2 else y
        alpha, factors = 0.1, np.array([0.0, 1.0, 1.0, 2.0, 0.5, 1.0])
        model = kind(**given, **{name: ratio}, alpha=alpha, penalty_weights=factors).fit(X, y)
        certificate = model.certificate_
        assert certificate.relative_gap <= 1e-12
        assert model.verify(X, y).relative_gap <= 1e-9
        # The objective as the docstring has it.
        loss = loss_of(model, X, y)

        def objective(coef, intercept, X=X, y=y, loss=loss, factors=factors, alpha=alpha):
            penalty = factors @ (ratio * np.abs(coef) + (1 - ratio) * coef**2 / 2)
            return np.mean(loss.value(y - X @ coef - intercept)) + alpha * penalty

        value = objective(model.coef_, model.intercept_)
        assert model.objective_ == pytest.approx(value, rel=1e-12, abs=0)
        rng = np.random.default_rng(seed)
        for size in (1e-1, 1e-4):
            for step in size * rng.standard_normal((20, 7)):
                assert objective(model.coef_ + step[:6], model.intercept_ + step[6]) >= value * (1 - 1e-13)


@every_kind
def test_a_share_of_one_is_the_l1_penalty_and_shares_near_one_are_near_it(kind, given, name, path):
    X, y = table(7)
    plain = kind(**given, alpha=0.05).fit(X, y)
    np.testing.assert_array_equal(kind(**given, alpha=0.05, **{name: 1.0}).fit(X, y).coef_, plain.coef_)
    near = kind(**given, alpha=0.05, **{name: 1 - 1e-7}).fit(X, y)
    assert near.objective_ == pytest.approx(plain.objective_, rel=1e-5)


@pytest.mark.parametrize("kind", [LADRegressor, QuantileRegressor, CombinedLossRegressor])
@pytest.mark.parametrize("unit", [2.0**-400, 2.0**-130])
def test_ridges_that_are_rounding_for_small_targets_count_as_none(kind, unit):
    """A square of 1e-80 beside losses of 1e-40: the optimum and its proof are those without it."""
    name = "penalty_l1_ratio" if kind is CombinedLossRegressor else "l1_ratio"
    for seed, (n, p) in enumerate([(20, 4), (4, 6), (5, 5)]):
        X, y = table(seed, n, p)
        for ratio in (0.0, 0.5):
            found = kind(alpha=0.01, **{name: ratio}).fit(X, unit * y)
            wanted = kind(alpha=0.01 * ratio, **{name: 1.0}).fit(X, unit * y)
            np.testing.assert_allclose(found.coef_ / unit, wanted.coef_ / unit, rtol=1e-9, atol=1e-11)
            assert found.dual_gap_ <= 1e-13 * unit
            assert found.verify(X, unit * y).gap <= 1e-9 * unit


def test_squares_alone_are_the_ridge_of_least_squares():
    X, y = table(8)
    model = CombinedLossRegressor(l1_ratio=0.0, alpha=0.2, penalty_l1_ratio=0.0).fit(X, y)
    centred = X - X.mean(axis=0)
    ridge = np.linalg.solve(2 * centred.T @ centred / 40 + 0.2 * np.eye(6), 2 * centred.T @ (y - y.mean()) / 40)
    np.testing.assert_allclose(model.coef_, ridge, rtol=1e-10)
    # Huber's loss with a large epsilon is the elastic net.
    huber = HuberLossRegressor(1e3, scale=1.0, alpha=0.2, l1_ratio=0.3).fit(X, y)
    np.testing.assert_allclose(huber.coef_, ElasticNetCD(0.2, l1_ratio=0.3).fit(X, y).coef_, rtol=0, atol=1e-10)


@every_kind
def test_equal_columns_have_equal_coefficients(kind, given, name, path):
    X, y = table(9)
    X[:, 1] = X[:, 0]
    model = kind(**given, alpha=0.05, **{name: 0.5}).fit(X, y)
    assert model.coef_[0] == pytest.approx(model.coef_[1], rel=1e-9)
    assert model.certificate_.unique


@every_kind
def test_weights_are_repeats_sparse_is_dense_and_units_cancel(kind, given, name, path):
    X, y = table(10, n=25)
    X = np.where(np.abs(X) > 0.4, X, 0.0)
    counts = np.random.default_rng(0).integers(0, 4, 25)
    model = kind(**given, alpha=0.05, **{name: 0.5})
    dense = model.fit(X, y, sample_weight=counts).coef_
    repeated = model.fit(sp.csr_array(np.repeat(X, counts, axis=0)), np.repeat(y, counts)).coef_
    np.testing.assert_allclose(repeated, dense, rtol=0, atol=1e-9)
    moved = model.fit(X, y + 1e5, sample_weight=counts).coef_
    np.testing.assert_allclose(moved, dense, rtol=0, atol=1e-7)


@every_kind
def test_alpha_max_and_paths(kind, given, name, path):
    X, y = table(11)
    model = kind(**given, **{name: 0.5})
    largest = model.alpha_max(X, y)
    assert not kind(**given, **{name: 0.5}, alpha=1.001 * largest).fit(X, y).coef_.any()
    assert kind(**given, **{name: 0.5}, alpha=0.999 * largest).fit(X, y).coef_.any()
    alphas, coefs, _, gaps = path(X, y, alphas=5, eps=0.05, **given, **{name: 0.5})
    assert alphas[0] == pytest.approx(largest, rel=1e-12)
    assert gaps.max() < 1e-10
    for alpha, coef in zip(alphas[1:], coefs.T[1:], strict=True):
        single = kind(**given, **{name: 0.5}, alpha=alpha).fit(X, y)
        np.testing.assert_allclose(coef, single.coef_, rtol=0, atol=1e-8)
    with pytest.raises(ValueError, match="an L2 term alone makes no coefficient exactly zero"):
        kind(**given, **{name: 0.0}).alpha_max(X, y)


def test_what_is_not_possible_is_refused():
    X, y = table(12)
    with pytest.raises(ValueError, match=r"alpha='pivotal' is only for a pure L1 penalty, got l1_ratio=0\.5"):
        LADRegressor(alpha="pivotal", l1_ratio=0.5).fit(X, y)
    with pytest.raises(ValueError, match="with l1_ratio=0 there is no largest alpha"):
        LADRegressorCV(l1_ratio=0.0).fit(X, y)
    with pytest.raises(ValueError, match="pass a number of alphas"):
        LADRegressorCV(l1_ratio=0.5, alphas="knots").fit(X, y)
    with pytest.raises(ValueError, match="l1_ratio must be one number here"):
        LADRegressorCV(l1_ratio=[0.5, 0.9]).fit(X, y)


@pytest.mark.filterwarnings("ignore:alpha=")
def test_cross_validation_is_by_folds_of_single_fits():
    X, y = table(13)
    folds = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]
    model = LADRegressorCV(alphas=[0.2, 0.05], l1_ratio=0.4, cv=folds).fit(X, y)
    for k, alpha in enumerate(model.alphas_):
        for j, (train, test) in enumerate(folds):
            fold = LADRegressor(alpha, l1_ratio=0.4).fit(X[train], y[train])
            wanted = np.mean(np.abs(y[test] - fold.predict(X[test])))
            assert model.mae_path_[k, j] == pytest.approx(wanted, rel=1e-9)
    chosen = CombinedLossRegressorCV(alphas=4, eps=0.1, penalty_l1_ratio=0.5, cv=folds).fit(X, y)
    assert chosen.certificate_.relative_gap < 1e-12


def test_paths_of_ridges_near_the_end_of_float64():
    """Limits keep coefficients of 1e-149 off zero, whose squares times ridges of 1e306 are ordinary numbers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    y, given, grid = X @ [100.0, 200.0, 300.0], {"l1_ratio": 0.01, "standardize": True}, [1e2, 1e4]
    _, coefs, _ = enet_path(X, y, alphas=grid, bounds=([0.5, -np.inf, -np.inf], np.inf), **given)
    _, far, gaps = enet_path(1e150 * X, y, alphas=grid, bounds=([0.5e-150, -np.inf, -np.inf], np.inf), **given)
    np.testing.assert_allclose(1e150 * far, coefs, rtol=1e-9, atol=1e-15)
    assert gaps.max() < 1e-9
    with pytest.raises(OverflowError, match="X, y or alpha is too large"):
        enet_path(1e153 * X, y, alphas=grid, bounds=([0.5e-153, -np.inf, -np.inf], np.inf), **given)
