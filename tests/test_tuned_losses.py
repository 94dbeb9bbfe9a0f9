"""Huber's and the combined loss, tuned: each held-out loss is that of a fit of its own; known losses are limits."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressorCV,
    LassoCDCV,
    combined_path,
    huber_path,
)
from ladreg.metrics import combined_loss, huber_loss

FEW = {"alphas": 6, "eps": 0.02}


def simulated(shape, seed=0, density=1.0):
    rng = np.random.default_rng(seed)
    X = np.where(rng.random(shape) < density, rng.standard_normal(shape), 0.0)
    return X, X[:, :4] @ [2.0, -1.0, 0.5, 1.0] + rng.standard_t(2, shape[0]) + 1.0


def plain(model):
    """The estimator of one alpha with the same parameters."""
    kind = HuberLossRegressor if isinstance(model, HuberLossRegressorCV) else CombinedLossRegressor
    shared = kind().get_params()
    return kind(**{name: value for name, value in model.get_params().items() if name in shared})


def loss_of(fitted):
    """The loss that a fitted model minimises, as a function of targets and predictions."""
    if isinstance(fitted, HuberLossRegressorCV):
        return lambda y, found, **more: huber_loss(y, found, delta=fitted.epsilon * fitted.scale_, **more)
    return lambda y, found, **more: combined_loss(y, found, l1_ratio=fitted.l1_ratio, **more)


def losses(fitted):
    return getattr(fitted, type(fitted)._losses_name)


MODELS = [
    HuberLossRegressorCV(**FEW),
    HuberLossRegressorCV(**FEW, epsilon=2.0, scale=0.4),
    CombinedLossRegressorCV(**FEW),
    CombinedLossRegressorCV(**FEW, l1_ratio=0.0),
    CombinedLossRegressorCV(**FEW, l1_ratio=1.0),
]
models = pytest.mark.parametrize("model", MODELS, ids=repr)
# One of each way through the folds: Huber's loss, a kink, a square.
few_models = pytest.mark.parametrize("model", [MODELS[0], MODELS[2], MODELS[3]], ids=repr)
FACTORS = np.resize([1.0, 0.0, 2.0, np.inf, 0.5, 1.0], 40)


@models
@pytest.mark.parametrize(("shape", "sparse"), [((60, 8), False), ((24, 40), False), ((60, 8), True)], ids=str)
@pytest.mark.parametrize(
    ("cv", "options"),
    [
        (5, {}),
        (KFold(3, shuffle=True, random_state=0), {"fit_intercept": False}),
        (ShuffleSplit(3, random_state=0), {"positive": True}),
        (3, {"penalty_weights": FACTORS}),
    ],
    ids=str,
)
def test_losses_are_grid_searchs(model, shape, cv, options, sparse):
    if "penalty_weights" in options:
        options = {"penalty_weights": FACTORS[: shape[1]]}
    X, y = simulated(shape, density=0.4 if sparse else 1.0)
    X = sp.csr_array(X) if sparse else X
    model = clone(model).set_params(cv=cv, **options).fit(X, y)
    scorer = make_scorer(loss_of(model), greater_is_better=False)
    search = GridSearchCV(plain(model), {"alpha": model.alphas_}, cv=cv, scoring=scorer).fit(X, y)
    found = -np.array([search.cv_results_[f"split{k}_test_score"] for k in range(search.n_splits_)]).T
    np.testing.assert_allclose(losses(model), found, rtol=1e-10)
    assert model.alpha_ == search.best_params_["alpha"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-8, atol=1e-10)
    assert model.objective_ == pytest.approx(search.best_estimator_.objective_, rel=1e-12)
    assert model.certificate_.relative_gap < 1e-12
    again = model.verify(X, y)
    assert again.objective == pytest.approx(model.objective_, rel=1e-12)
    assert again.relative_gap < 1e-9


def test_fits_to_training_rows_have_the_scale_of_these_rows():
    """The second half of the rows has errors ten times as large: a scale of all rows would give other losses."""
    X, y = simulated((60, 5))
    y[30:] = X[30:] @ np.ones(5) + 10 * np.random.default_rng(1).standard_normal(30)
    halves = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    model = HuberLossRegressorCV(alphas=[0.5, 0.1], cv=halves).fit(X, y)
    apart = 0.0
    for k, (train, test) in enumerate(halves):
        for a, alpha in enumerate(model.alphas_):
            own = HuberLossRegressor(alpha=alpha).fit(X[train], y[train])
            shared = HuberLossRegressor(alpha=alpha, scale=model.scale_).fit(X[train], y[train])
            mean, other = (loss_of(model)(y[test], one.predict(X[test])) for one in (own, shared))
            assert losses(model)[a, k] == pytest.approx(mean, rel=1e-12)
            apart = max(apart, abs(other / mean - 1))
    assert apart > 0.01
    assert model.scale_ == HuberLossRegressor().fit(X, y).scale_


@few_models
@pytest.mark.parametrize("shape", [(40, 6), (24, 40)], ids=str)
def test_weights_count_repeats_and_zero_is_absent(model, shape):
    X, y = simulated(shape)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    fold, rows, present = np.arange(len(y)) % 3, np.repeat(np.arange(len(y)), counts), counts > 0
    splits = lambda labels: [(np.flatnonzero(labels != k), np.flatnonzero(labels == k)) for k in range(3)]  # noqa: E731
    weighted = clone(model).set_params(cv=splits(fold)).fit(X, y, sample_weight=7.0 * counts)
    repeated = clone(model).set_params(cv=splits(fold[rows])).fit(X[rows], y[rows])
    absent = clone(model).set_params(cv=splits(fold[present])).fit(X[present], y[present], counts[present])
    for other in (repeated, absent):
        np.testing.assert_allclose(other.alphas_, weighted.alphas_, rtol=1e-9)
        np.testing.assert_allclose(losses(other), losses(weighted), rtol=1e-8)
        np.testing.assert_allclose(other.coef_, weighted.coef_, rtol=1e-7, atol=1e-9)
    for k, (train, test) in enumerate(splits(fold)):
        for a, alpha in enumerate(weighted.alphas_):
            one = plain(weighted).set_params(alpha=alpha).fit(X[train], y[train], counts[train])
            mean = loss_of(weighted)(y[test], one.predict(X[test]), sample_weight=counts[test])
            assert losses(weighted)[a, k] == pytest.approx(mean, rel=1e-9)


@few_models
@pytest.mark.parametrize("mixing", [0.0, 0.5])
def test_a_relaxed_fit_keeps_the_loss(model, mixing):
    X, y = simulated((45, 6))
    model = clone(model).set_params(cv=3, post_selection=mixing).fit(X, y)

    def mixed(alpha, train, test):
        one = plain(model).set_params(alpha=alpha).fit(X[train], y[train])
        used, free = one.coef_ != 0, plain(model).set_params(alpha=0.0)
        if hasattr(one, "scale_"):
            free.set_params(scale=one.scale_)
        columns = X[:, used] if used.any() else np.zeros((45, 1))
        refit = free.fit(columns[train], y[train])
        return mixing * one.predict(X[test]) + (1 - mixing) * refit.predict(columns[test])

    for k, (train, test) in enumerate(KFold(3).split(X)):
        for a, alpha in enumerate(model.alphas_):
            mean = loss_of(model)(y[test], mixed(alpha, train, test))
            assert losses(model)[a, k] == pytest.approx(mean, rel=1e-8)
    rows = np.arange(45)
    np.testing.assert_allclose(model.predict(X), mixed(model.alpha_, rows, rows), rtol=1e-7)


@models
def test_every_point_of_the_path_is_a_proved_single_fit(model):
    X, y = simulated((50, 7))
    fitted = clone(model).fit(X, y)
    path = huber_path if isinstance(model, HuberLossRegressorCV) else combined_path
    loss = {name: getattr(model, name) for name in ("epsilon", "scale", "l1_ratio") if hasattr(model, name)}
    alphas, coefs, intercepts, gaps = path(X, y, **FEW, **loss)
    np.testing.assert_array_equal(alphas, fitted.alphas_)
    np.testing.assert_allclose(coefs, fitted.coef_path_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(intercepts, fitted.intercept_path_, rtol=1e-8)
    for k, alpha in enumerate(alphas):
        one = plain(model).set_params(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(coefs[:, k], one.coef_, rtol=1e-8, atol=1e-10)
        assert gaps[k] <= 1e-12 * one.objective_
    largest = plain(model).alpha_max(X, y)
    assert alphas[0] == pytest.approx(largest, rel=1e-12)


@pytest.mark.parametrize("shape", [(60, 8), (24, 40)], ids=str)
def test_the_limits_are_known_losses(shape):
    X, y = simulated(shape)
    alphas = np.array([0.4, 0.1, 0.03])
    lasso, lad = LassoCDCV(alphas=alphas).fit(X, y), LADRegressorCV(alphas=alphas).fit(X, y)
    square = CombinedLossRegressorCV(l1_ratio=0.0, alphas=2 * alphas).fit(X, y)
    np.testing.assert_allclose(square.combined_path_, lasso.mse_path_, rtol=1e-9)
    np.testing.assert_allclose(square.coef_, lasso.coef_, rtol=1e-8, atol=1e-10)
    absolute = CombinedLossRegressorCV(l1_ratio=1.0, alphas=alphas).fit(X, y)
    np.testing.assert_array_equal(absolute.combined_path_, lad.mae_path_)
    np.testing.assert_array_equal(absolute.coef_, lad.coef_)
    wide = HuberLossRegressorCV(scale=1e6, alphas=alphas).fit(X, y)
    np.testing.assert_allclose(2 * wide.huber_path_, lasso.mse_path_, rtol=1e-9)
    np.testing.assert_allclose(wide.coef_, lasso.coef_, rtol=1e-8, atol=1e-10)


@few_models
@pytest.mark.parametrize("unit", [1e-100, 1e6, 1e100])
def test_units_of_columns_do_not_matter(model, unit):
    X, y = simulated((40, 5))
    one, other = (clone(model).set_params(cv=3).fit(X * scale, y) for scale in (1.0, unit))
    np.testing.assert_allclose(other.alphas_ / unit, one.alphas_, rtol=1e-9)
    np.testing.assert_allclose(losses(other), losses(one), rtol=1e-8)
    np.testing.assert_allclose(other.coef_ * unit, one.coef_, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("unit", [1e-100, 1e6, 1e100])
def test_hubers_loss_follows_the_unit_of_the_targets(unit):
    X, y = simulated((40, 5))
    one, other = (HuberLossRegressorCV(**FEW, cv=3).fit(X, y * scale) for scale in (1.0, unit))
    assert other.scale_ / unit == pytest.approx(one.scale_, rel=1e-9)
    np.testing.assert_allclose(other.huber_path_ / unit / unit, one.huber_path_, rtol=1e-8)
    np.testing.assert_allclose(other.coef_ / unit, one.coef_, rtol=1e-7, atol=1e-10)


@few_models
def test_one_standard_error_and_threads(model):
    X, y = simulated((50, 6))
    fitted = clone(model).set_params(alphas=12).fit(X, y)
    means = losses(fitted).mean(axis=1)
    lowest = int(np.argmin(means))
    error = losses(fitted)[lowest].std(ddof=1) / np.sqrt(5)
    assert fitted.alpha_ == fitted.alpha_min_ == fitted.alphas_[lowest]
    assert fitted.alpha_1se_ == fitted.alphas_[means <= means[lowest] + error].max() > fitted.alpha_min_
    careful = clone(fitted).set_params(selection="1se", n_jobs=2).fit(X, y)
    assert careful.alpha_ == fitted.alpha_1se_
    np.testing.assert_array_equal(losses(careful), losses(fitted))


@few_models
def test_groups_stay_together(model):
    X, y = simulated((48, 5))
    groups = np.arange(48) % 7
    splits = list(GroupKFold(3).split(X, y, groups))
    by_groups = clone(model).set_params(cv=GroupKFold(3)).fit(X, y, groups=groups)
    np.testing.assert_array_equal(losses(by_groups), losses(clone(model).set_params(cv=splits).fit(X, y)))


def test_a_list_of_shares_is_refused():
    X, y = simulated((24, 4))
    with pytest.raises(ValueError, match="l1_ratio must be one number here"):
        CombinedLossRegressorCV(l1_ratio=[0.1, 0.5]).fit(X, y)
    for options, message in (
        ({"epsilon": 0.0}, "epsilon must be"),
        ({"scale": "median"}, "scale must be a number > 0 or 'mad'"),
        ({"scale": -1.0}, "scale must be"),
    ):
        with pytest.raises(ValueError, match=message):
            HuberLossRegressorCV(**options).fit(X, y)


def test_most_rows_on_a_plane_are_no_obstacle():
    """There the estimated scale is as good as zero, and Huber's loss that of least absolute deviations."""
    X, _ = simulated((40, 4))
    y = X @ [1.0, 2.0, 0.0, 0.0] + 3.0
    y[::5] += 50.0
    model = HuberLossRegressorCV(alphas=3, cv=4).fit(X, y)
    assert np.isfinite(losses(model)).all()
    assert 0 < model.scale_ < 1e-15


def test_targets_that_need_no_feature_are_no_obstacle():
    """The largest useful alpha is zero, and the grid of a table that is solved with its folds has equal alphas."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (3000, 2)).astype(float), np.round(2 * rng.standard_normal(3000))
    model = LADRegressorCV(alphas=3).fit(X, y)
    assert (model.alphas_ == 1.0).all()
    assert not model.coef_.any()
    assert model.certificate_.relative_gap <= 1e-12


def test_folds_with_an_even_number_of_rows_have_the_middle_of_their_medians():
    """Without features every number between two targets is optimal: rounding must not make one of them the only one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30_000, 4))
    y = 0.3 * X[:, 0] + rng.standard_t(3, 30_000)
    model = LADRegressorCV(alphas=[1.0, 0.5]).fit(X, y)
    for k, held in enumerate(np.split(y, 5)):
        rest = np.concatenate([part for j, part in enumerate(np.split(y, 5)) if j != k])
        assert model.mae_path_[0, k] == pytest.approx(np.abs(held - np.median(rest)).mean(), rel=1e-12)
