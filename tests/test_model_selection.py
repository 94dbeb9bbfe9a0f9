"""Cross-validation along a path: every loss is that of a fit of its own, and the classes live among scikit-learn's."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ladreg import (
    ElasticNetCD,
    ElasticNetCDCV,
    LADRegressor,
    LADRegressorCV,
    LassoCD,
    LassoCDCV,
    QuantileRegressor,
    QuantileRegressorCV,
)
from ladreg._least_squares import Centred
from ladreg._paths import squared_folds
from ladreg._paths.fold_moments import FoldMoments
from ladreg._problem import HalfSquared
from tests.problems import make
from tests.strategies import tables

PATH = {LassoCDCV: "mse_path_", ElasticNetCDCV: "mse_path_", LADRegressorCV: "mae_path_"}
PATH[QuantileRegressorCV] = "pinball_path_"


def simulated(shape, seed=0, density=1.0):
    rng = np.random.default_rng(seed)
    X = np.where(rng.random(shape) < density, rng.standard_normal(shape), 0.0)
    return X, X[:, :4] @ [2.0, -1.0, 0.5, 1.0] + rng.standard_t(3, shape[0]) + 1.0


def by_hand(model, X, y, splits, alphas, weight=None, mixing=1.0, loss=np.square):
    """Mean losses of held-out rows, of shape (n_alphas, n_folds), by a fit of its own for each."""
    weight = np.ones(y.size) if weight is None else weight
    losses = np.empty((len(alphas), len(splits)))
    for f, (train, test) in enumerate(splits):
        for k, alpha in enumerate(alphas):
            one = clone(model).set_params(alpha=alpha).fit(X[train], y[train], sample_weight=weight[train])
            predicted, used = one.predict(X[test]), one.coef_ != 0
            if mixing < 1.0:
                free = {np.square: LinearRegression(positive=one.positive), np.abs: LADRegressor(positive=one.positive)}
                columns = X[:, used] if used.any() else np.zeros((y.size, 1))
                refit = free[loss].fit(columns[train], y[train], sample_weight=weight[train])
                predicted = mixing * predicted + (1 - mixing) * refit.predict(columns[test])
            losses[k, f] = np.average(loss(y[test] - predicted), weights=weight[test])
    return losses


class Exact(ElasticNetCD):
    """The linear system of the support and its signs solved to rounding, where a gap leaves a few digits open."""

    def fit(self, X, y):
        super().fit(X, y)
        X = X.toarray() if sp.issparse(X) else X
        used, mean = self.coef_ != 0, X.mean(axis=0)
        size = X[:, used].std(axis=0) if self.standardize else np.ones(np.count_nonzero(used))
        Z, sign = (X - mean)[:, used], np.sign(self.coef_[used])
        ridge, pull = self.alpha * (1 - self.l1_ratio) * size**2, self.alpha * self.l1_ratio * size * sign
        self.coef_[used] = np.linalg.solve(Z.T @ Z / y.size + np.diag(ridge), Z.T @ (y - y.mean()) / y.size - pull)
        self.intercept_ = y.mean() - mean @ self.coef_
        return self


def searched(model, grid, X, y, cv, scoring="neg_mean_squared_error"):
    """Losses as GridSearchCV finds them, of shape (n_candidates, n_folds), and the search."""
    search = GridSearchCV(model, grid, cv=cv, scoring=scoring).fit(X, y)
    n_folds = search.n_splits_
    return -np.array([search.cv_results_[f"split{k}_test_score"] for k in range(n_folds)]).T, search


SHAPES = {
    "n > p": ((60, 8), 1.0),
    "n < p": ((24, 50), 1.0),
    "sparse": ((80, 12), 0.2),
    "sparse, n < p": ((30, 60), 0.2),
}
CV = {"5": 5, "shuffled": KFold(4, shuffle=True, random_state=0), "overlapping": ShuffleSplit(5, random_state=0)}
CV["leave one out"] = LeaveOneOut()
FACTORS = np.resize([1.0, 0.0, 2.0, np.inf, 0.5, 1.0], 60)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("cv", "options"),
    [
        *[(cv, {}) for cv in CV],
        ("5", {"fit_intercept": False}),
        ("5", {"standardize": True}),
        ("overlapping", {"standardize": True, "positive": True}),
        ("shuffled", {"positive": True}),
        ("shuffled", {"penalty_weights": FACTORS}),
        ("5", {"penalty_weights": FACTORS, "standardize": True, "fit_intercept": False}),
    ],
    ids=str,
)
def test_squared_losses_are_grid_searchs(shape, cv, options):
    (X, y), cv = simulated(*SHAPES[shape][:1], density=SHAPES[shape][1]), CV[cv]
    if isinstance(cv, LeaveOneOut):
        X, y = X[::4], y[::4]
    if "penalty_weights" in options:
        options = {**options, "penalty_weights": FACTORS[: X.shape[1]]}
    X = sp.csr_array(X) if "sparse" in shape else X
    model = LassoCDCV(alphas=4, eps=1e-2, cv=cv, **options).fit(X, y)
    losses, search = searched(LassoCD(**options, tol=1e-13), {"alpha": model.alphas_}, X, y, cv)
    np.testing.assert_allclose(model.mse_path_, losses, rtol=1e-8)
    assert model.alpha_ == pytest.approx(search.best_params_["alpha"], rel=1e-14)
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-7, atol=1e-9)
    assert model.certificate_.relative_gap < 1e-9
    assert model.coef_path_.shape == (X.shape[1], 4)
    np.testing.assert_allclose(model.coef_path_[:, model.alphas_ == model.alpha_][:, 0], model.coef_, atol=1e-8)


@pytest.mark.parametrize("shape", ["n > p", "sparse, n < p"])
@pytest.mark.parametrize("options", [{}, {"standardize": True, "positive": True}], ids=str)
def test_the_elastic_net_is_grid_searched_over_both(shape, options):
    X, y = simulated(*SHAPES[shape][:1], density=SHAPES[shape][1])
    X = sp.csc_array(X) if "sparse" in shape else X
    alphas, ratios = [1.0, 0.3, 0.1, 0.03], [0.2, 0.9, 1.0]
    model = ElasticNetCDCV(l1_ratio=ratios, alphas=alphas, cv=4, **options).fit(X, y)
    grid = {"l1_ratio": ratios, "alpha": alphas}
    losses, search = searched(Exact(**options), grid, X, y, 4)
    np.testing.assert_allclose(model.mse_path_, losses.reshape(4, 3, 4).swapaxes(0, 1), rtol=1e-8)
    assert (model.alpha_, model.l1_ratio_) == (search.best_params_["alpha"], search.best_params_["l1_ratio"])
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-7, atol=1e-9)
    one = ElasticNetCDCV(l1_ratio=0.9, alphas=alphas, cv=4, **options).fit(X, y)
    np.testing.assert_allclose(one.mse_path_, model.mse_path_[1], rtol=1e-9)
    several = ElasticNetCDCV(l1_ratio=ratios, alphas=6, cv=4, **options).fit(X, y)
    assert several.alphas_.shape == (3, 6)
    assert several.mse_path_.shape == (3, 6, 4)


@pytest.mark.parametrize("cv", [5, ShuffleSplit(3, test_size=0.2, random_state=0), KFold(2)], ids=str)
def test_losses_of_folds_that_are_solved_from_all_rows_are_grid_searchs(cv):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3500, 4))
    y = X @ [2.0, -1.0, 0.3, 0.0] + rng.standard_t(1.2, 3500)
    y[:3] = [1e9, -1e30, 1e200]
    model = QuantileRegressorCV(quantile=0.4, alphas=8, eps=1e-2, cv=cv).fit(X[3:], y[3:])
    scorer = make_scorer(mean_pinball_loss, alpha=0.4, greater_is_better=False)
    plain = QuantileRegressor(quantile=0.4)
    losses, search = searched(plain, {"alpha": model.alphas_}, X[3:], y[3:], cv, scorer)
    np.testing.assert_allclose(model.pinball_path_, losses, rtol=1e-10)
    assert model.alpha_ == search.best_params_["alpha"]
    far = QuantileRegressorCV(quantile=0.4, alphas=model.alphas_, cv=[(np.arange(3000), np.arange(3000, 3500))])
    far.fit(X, y)
    fits = [plain.set_params(alpha=alpha).fit(X[:3000], y[:3000]).predict(X[3000:]) for alpha in far.alphas_]
    alone = [mean_pinball_loss(y[3000:], fit, alpha=0.4) for fit in fits]
    np.testing.assert_allclose(far.pinball_path_[:, 0], alone, rtol=1e-10)


def test_a_grid_that_is_extended_keeps_the_folds_that_are_known():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3200, 3))
    y = X @ [2.0, -1.0, 0.3] + rng.standard_t(2, 3200)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "alpha=.* is the smallest that was tried")
        model = LADRegressorCV(alphas="auto", eps=0.5, cv=3).fit(X, y)
        assert model.alphas_.size > 100
        given = LADRegressorCV(alphas=model.alphas_[::9], cv=3).fit(X, y)
    np.testing.assert_allclose(model.mae_path_[::9], given.mae_path_, rtol=1e-11)


@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True, "solver": "linprog"}], ids=str)
@pytest.mark.parametrize("shape", [(40, 5), (20, 30)], ids=str)
def test_losses_of_lad_and_quantiles_are_grid_searchs(shape, options):
    X, y = simulated(shape)
    model = LADRegressorCV(alphas=5, eps=0.02, cv=3, **options).fit(X, y)
    losses, search = searched(LADRegressor(**options), {"alpha": model.alphas_}, X, y, 3, "neg_mean_absolute_error")
    np.testing.assert_allclose(model.mae_path_, losses, rtol=1e-8)
    assert model.alpha_ == pytest.approx(search.best_params_["alpha"], rel=1e-14)
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-7, atol=1e-9)
    model = QuantileRegressorCV(quantile=0.7, alphas=5, eps=0.02, cv=3, **options).fit(sp.csr_array(X), y)
    pinball = make_scorer(mean_pinball_loss, alpha=0.7, greater_is_better=False)
    losses, search = searched(QuantileRegressor(quantile=0.7, **options), {"alpha": model.alphas_}, X, y, 3, pinball)
    np.testing.assert_allclose(model.pinball_path_, losses, rtol=1e-8)
    assert model.alpha_ == pytest.approx(search.best_params_["alpha"], rel=1e-14)


@given(
    tables(max_samples=30),
    st.integers(2, 5),
    st.sampled_from([{}, {"standardize": True}, {"positive": True}, {"fit_intercept": False}]),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_losses_of_nasty_weighted_tables(table, n_folds, options, seed, sparse):
    X, y, weight = table
    assume(X.shape[1] > 0)
    assume(np.count_nonzero(weight) >= 2 * n_folds)
    fold = np.zeros(y.size, dtype=int)
    used = np.random.default_rng(seed).permutation(np.flatnonzero(weight))
    fold[used] = np.arange(used.size) % n_folds
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]
    alphas = [0.3, 0.05, 0.01]
    held = sp.csr_array(X) if sparse else X
    model = LassoCDCV(alphas=alphas, cv=splits, **options).fit(held, y, sample_weight=weight)
    with warnings.catch_warnings():  # the gap of a fit of its own may stop short of 1e-13
        warnings.simplefilter("ignore", ConvergenceWarning)
        losses = by_hand(LassoCD(**options, tol=1e-13), X, y, splits, alphas, weight)
    np.testing.assert_allclose(model.mse_path_, losses, rtol=1e-6, atol=1e-9)


def test_columns_that_only_held_out_rows_know():
    rng = np.random.default_rng(1)
    X, y = simulated((60, 6))
    for rows, column in ((slice(0, 12), 4), (slice(12, 13), 5)):
        X[:, column] = 0.0
        X[rows, column] = 1.0
    nearly = X.copy()
    nearly[:, 3] = rng.standard_normal(60) * np.where(np.arange(60) < 12, 1e4, 1e-2)  # nearly all of it held out
    for table in (X, nearly, np.sort(nearly, axis=0)):
        for storage in (np.asarray, sp.csr_array):
            model = LassoCDCV(alphas=[0.5, 0.1, 0.01, 1e-4], cv=5).fit(storage(table), y)
            losses = by_hand(LassoCD(tol=1e-13), table, y, list(KFold(5).split(X)), model.alphas_)
            np.testing.assert_allclose(model.mse_path_, losses, rtol=1e-8)


@pytest.mark.parametrize("shape", [(60, 8), (24, 50)], ids=str)
def test_sorted_rows_and_huge_offsets(shape):
    X, y = simulated(shape)
    order = np.argsort(y)
    options = {"alphas": [0.5, 0.1, 0.02], "cv": 4}
    plain = LassoCDCV(**options).fit(X[order], y[order])
    losses = by_hand(LassoCD(tol=1e-13), X[order], y[order], list(KFold(4).split(X)), options["alphas"])
    np.testing.assert_allclose(plain.mse_path_, losses, rtol=1e-8)
    for X_offset, y_offset, small in ((0.0, 1e9, 1e-6), (1e6, 0.0, 1e-6), (1e6, -1e6, 1e-6)):
        shifted = LassoCDCV(**options).fit(X[order] + X_offset, y[order] + y_offset)
        np.testing.assert_allclose(shifted.mse_path_, plain.mse_path_, rtol=small)
        np.testing.assert_allclose(shifted.coef_, plain.coef_, rtol=small, atol=small)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("offset", [0.0, 0.5, 30.0])
def test_sums_over_folds_are_those_of_centred_columns(offset, fit_intercept):
    """Small means are taken from products, larger ones from columns: a fold's products are the same."""
    X, y = simulated((200, 8))
    X += offset * np.arange(8) / 7
    splits = list(KFold(4).split(X))
    problem = make(X, y, loss=HalfSquared(), fit_intercept=fit_intercept, alpha=0.1)
    moments = FoldMoments(Centred(problem), splits)
    assert (moments.design is problem.design) == (offset < 1.0 or not fit_intercept)
    table = np.column_stack([X, y])
    for fold, (train, _) in enumerate(splits):
        _, products = moments.training(fold)
        part = table[train] - table[train].mean(axis=0) * fit_intercept
        np.testing.assert_allclose(products, part.T @ part / train.size, rtol=1e-12, atol=1e-13)


def test_a_point_that_the_data_do_not_prove_is_solved_again(monkeypatch):
    X, y = simulated((60, 8))
    calls, solve = [], squared_folds.solve_lasso
    monkeypatch.setattr(squared_folds, "solve_lasso", lambda *given, **more: calls.append(1) or solve(*given, **more))
    plain = LassoCDCV(alphas=6, cv=4).fit(X, y)
    assert not calls
    monkeypatch.setattr(squared_folds, "PROVED_GAP", -1.0)
    again = LassoCDCV(alphas=6, cv=4).fit(X, y)
    assert len(calls) == 1
    np.testing.assert_allclose(again.coef_, plain.coef_, rtol=1e-12)
    for model in (plain, again):
        assert model.certificate_.relative_gap < 1e-13
        assert model.certificate_.unique
        assert model.certificate_.solver == "coordinate descent"


@pytest.mark.parametrize("shape", [(60, 8), (24, 50)], ids=str)
@pytest.mark.parametrize("unit_y", [1e-100, 1e-6, 1e100])
@pytest.mark.parametrize("unit_x", [1e-100, 1e6, 1e100])
def test_units_do_not_matter(unit_x, unit_y, shape):
    X, y = simulated(shape)
    units = unit_x ** np.linspace(0.9, 1.0, shape[1])
    plain = LassoCDCV(alphas=7, eps=1e-2, cv=3).fit(X, y)
    alike = LassoCDCV(alphas=7, eps=1e-2, cv=3, penalty_weights=units).fit(X * units, y * unit_y)
    np.testing.assert_allclose(alike.alphas_ / unit_y, plain.alphas_, rtol=1e-9)
    np.testing.assert_allclose(alike.mse_path_ / unit_y / unit_y, plain.mse_path_, rtol=1e-8)
    np.testing.assert_allclose(alike.coef_ / unit_y * units, plain.coef_, rtol=1e-7, atol=1e-10)
    several = LassoCDCV(alphas=7, eps=1e-2, cv=3, standardize=True).fit(X * units, y * unit_y)
    standard = LassoCDCV(alphas=7, eps=1e-2, cv=3, standardize=True).fit(X, y)
    np.testing.assert_allclose(several.mse_path_ / unit_y / unit_y, standard.mse_path_, rtol=1e-8)
    one, other = (LADRegressorCV(alphas=3, eps=0.1, cv=2).fit(X[:, :4], y * unit) for unit in (1.0, unit_y))
    np.testing.assert_allclose(other.mae_path_ / unit_y, one.mae_path_, rtol=1e-8)


def test_folds_in_every_form():
    X, y = simulated((60, 6))
    groups = np.random.default_rng(0).integers(0, 7, 60)
    splits = list(GroupKFold(4).split(X, y, groups))
    expected = LassoCDCV(alphas=6, cv=splits).fit(X, y)
    masks = [tuple(np.isin(np.arange(60), rows) for rows in split) for split in splits]
    lists = [(train.tolist(), test.tolist()) for train, test in splits]
    negative = [(train - 60, test - 60) for train, test in splits]
    for cv in (masks, lists, negative, iter(splits), GroupKFold(4).split(X, y, groups)):
        np.testing.assert_array_equal(LassoCDCV(alphas=6, cv=cv).fit(X, y).mse_path_, expected.mse_path_)
    model = LassoCDCV(alphas=6, cv=GroupKFold(4))
    np.testing.assert_array_equal(clone(model).fit(X, y, groups=groups).mse_path_, expected.mse_path_)
    with config_context(enable_metadata_routing=True):
        np.testing.assert_array_equal(clone(model).fit(X, y, groups=groups).mse_path_, expected.mse_path_)
        weight = np.arange(60) % 3 + 1.0
        pipe = make_pipeline(StandardScaler(), clone(model).set_fit_request(sample_weight=True))
        pipe[0].set_fit_request(sample_weight=False)
        pipe.fit(X, y, groups=groups, sample_weight=weight)
        direct = clone(model).fit(StandardScaler().fit_transform(X), y, weight, groups=groups)
        np.testing.assert_array_equal(pipe[-1].mse_path_, direct.mse_path_)
        with pytest.raises(TypeError, match="other"):
            clone(model).fit(X, y, other=groups)
    with pytest.raises(TypeError, match="'other'"):
        clone(model).fit(X, y, other=groups)
    with pytest.raises(ValueError, match="groups"):
        clone(model).fit(X, y)
    overlapping = [(np.arange(60), np.arange(60)), (np.arange(50), np.arange(40, 60))]
    losses = by_hand(LassoCD(tol=1e-13), X, y, overlapping, expected.alphas_)
    np.testing.assert_allclose(LassoCDCV(alphas=6, cv=overlapping).fit(X, y).mse_path_, losses, rtol=1e-8)
    repeated = [(np.repeat(np.arange(40), 2), np.arange(40, 60))]
    losses = by_hand(LassoCD(tol=1e-13), X, y, repeated, expected.alphas_)
    np.testing.assert_allclose(LassoCDCV(alphas=6, cv=repeated).fit(X, y).mse_path_, losses, rtol=1e-8)


@pytest.mark.parametrize("model", [LassoCDCV(standardize=True), ElasticNetCDCV(), LADRegressorCV()], ids=repr)
@pytest.mark.parametrize("shape", [(40, 6), (24, 40)], ids=str)
def test_weights_count_repeats_and_zero_is_absent(model, shape):
    X, y = simulated(shape)
    losses = PATH[type(model)]
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    fold = np.arange(len(y)) % 4
    rows = np.repeat(np.arange(len(y)), counts)
    splits = lambda labels: [(np.flatnonzero(labels != k), np.flatnonzero(labels == k)) for k in range(4)]  # noqa: E731
    model = clone(model).set_params(alphas=5, eps=0.03)
    weighted = clone(model).set_params(cv=splits(fold)).fit(X, y, sample_weight=7.0 * counts)
    repeated = clone(model).set_params(cv=splits(fold[rows])).fit(X[rows], y[rows])
    present = counts > 0
    absent = clone(model).set_params(cv=splits(fold[present])).fit(X[present], y[present], counts[present])
    for other in (repeated, absent):
        np.testing.assert_allclose(other.alphas_, weighted.alphas_, rtol=1e-9)
        np.testing.assert_allclose(getattr(other, losses), getattr(weighted, losses), rtol=1e-7)
        assert other.alpha_ == pytest.approx(weighted.alpha_, rel=1e-9)
        np.testing.assert_allclose(other.coef_, weighted.coef_, rtol=1e-7, atol=1e-9)
    if model.get_params().get("l1_ratio", None) is None:
        plain = LADRegressor() if isinstance(model, LADRegressorCV) else LassoCD(standardize=True, tol=1e-13)
        loss = np.abs if isinstance(model, LADRegressorCV) else np.square
        expected = by_hand(
            plain, X[present], y[present], splits(fold[present]), absent.alphas_, counts[present], loss=loss
        )
        np.testing.assert_allclose(getattr(weighted, losses), expected, rtol=1e-7)


@pytest.mark.parametrize("shape", [(300, 12), (40, 120)], ids=str)
@pytest.mark.parametrize("model", [LassoCDCV(alphas=20), ElasticNetCDCV(alphas=5, l1_ratio=[0.5, 0.9])], ids=repr)
def test_threads_change_no_bit(model, shape):
    X, y = simulated(shape)
    fits = {}
    for limit in (1, 2):
        with threadpool_limits(limit):
            fits[limit] = [clone(model).set_params(n_jobs=n_jobs).fit(X, y) for n_jobs in (None, 1, 2, 3)]
        for one in fits[limit][1:]:
            for name in ("mse_path_", "coef_", "coef_path_", "intercept_", "alphas_", "alpha_"):
                np.testing.assert_array_equal(getattr(one, name), getattr(fits[limit][0], name))
    np.testing.assert_allclose(fits[1][0].mse_path_, fits[2][0].mse_path_, rtol=1e-9)
    np.testing.assert_allclose(fits[1][0].coef_, fits[2][0].coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "model", [LassoCDCV(), LADRegressorCV(alphas=10), ElasticNetCDCV(l1_ratio=[0.5, 1.0])], ids=repr
)
def test_one_standard_error(model):
    X, y = simulated((50, 6))
    model = clone(model).fit(X, y)
    losses, alphas = getattr(model, PATH[type(model)]), model.alphas_
    if losses.ndim == 3:
        best = model.l1_ratio_ == 1.0
        losses, alphas = losses[int(best)], alphas[int(best)]
    means = losses.mean(axis=1)
    errors = losses.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    lowest = int(np.argmin(means))
    assert model.alpha_ == model.alpha_min_ == alphas[lowest]
    assert model.alpha_1se_ == alphas[means <= means[lowest] + errors[lowest]].max()
    assert model.alpha_1se_ > model.alpha_min_
    careful = clone(model).set_params(selection="1se").fit(X, y)
    assert careful.alpha_ == careful.alpha_1se_ == model.alpha_1se_
    assert careful.alpha_min_ == model.alpha_min_
    assert np.count_nonzero(careful.coef_) <= np.count_nonzero(model.coef_)
    plain = {LassoCDCV: LassoCD(), LADRegressorCV: LADRegressor()}.get(type(model), ElasticNetCD())
    if hasattr(model, "l1_ratio_"):
        plain.set_params(l1_ratio=careful.l1_ratio_)
    np.testing.assert_allclose(
        careful.coef_, plain.set_params(alpha=careful.alpha_).fit(X, y).coef_, rtol=1e-7, atol=1e-8
    )


def test_ties_go_to_the_larger_alpha():
    X, y = simulated((30, 4))
    alphas = [1e6, 1e5, 1e4]
    model = LassoCDCV(alphas=alphas[::-1], cv=3).fit(X, y)
    assert model.alpha_ == model.alpha_1se_ == 1e6
    assert LassoCDCV(alphas=[0.1], cv=[(np.arange(20), np.arange(20, 30))]).fit(X, y).alpha_1se_ == 0.1


@pytest.mark.parametrize("shape", [(60, 8), (24, 50)], ids=str)
@pytest.mark.parametrize("mixing", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_a_relaxed_lasso(shape, mixing, positive):
    X, y = simulated(shape)
    options = {"alphas": [1.0, 0.5, 0.25, 0.15], "cv": 4, "positive": positive}
    model = LassoCDCV(**options, post_selection=mixing).fit(X, y)
    splits = list(KFold(4).split(X))
    losses = by_hand(LassoCD(positive=positive, tol=1e-13), X, y, splits, options["alphas"], mixing=mixing)
    np.testing.assert_allclose(model.mse_path_, losses, rtol=1e-7)
    sparse = LassoCDCV(**options, post_selection=mixing).fit(sp.csr_array(X), y)
    np.testing.assert_allclose(sparse.mse_path_, model.mse_path_, rtol=1e-8)
    plain = LassoCD(model.alpha_, positive=positive, tol=1e-13).fit(X, y)
    used = plain.coef_ != 0
    refit = LinearRegression(positive=positive).fit(X[:, used], y)
    np.testing.assert_allclose(model.coef_[used], mixing * plain.coef_[used] + (1 - mixing) * refit.coef_, rtol=1e-6)
    assert model.intercept_ == pytest.approx(mixing * plain.intercept_ + (1 - mixing) * refit.intercept_, rel=1e-7)
    assert not model.coef_[~used].any()
    if mixing == 1.0:
        np.testing.assert_array_equal(LassoCDCV(**options).fit(X, y).mse_path_, model.mse_path_)


@pytest.mark.parametrize("mixing", [0.0, 0.5])
def test_relaxed_least_absolute_deviations(mixing):
    X, y = simulated((45, 6))
    model = LADRegressorCV(alphas=[0.5, 0.2, 0.1], cv=3, post_selection=mixing).fit(X, y)
    losses = by_hand(LADRegressor(), X, y, list(KFold(3).split(X)), model.alphas_, mixing=mixing, loss=np.abs)
    np.testing.assert_allclose(model.mae_path_, losses, rtol=1e-8)
    plain = LADRegressor(model.alpha_).fit(X, y)
    used = plain.coef_ != 0
    refit = LADRegressor().fit(X[:, used], y)
    np.testing.assert_allclose(model.coef_[used], mixing * plain.coef_[used] + (1 - mixing) * refit.coef_, rtol=1e-7)
