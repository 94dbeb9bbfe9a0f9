"""Laws of the scale that `HuberLossRegressor` estimates: one for each property that its docstring promises."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from ladreg import HuberLossRegressor, LADRegressor

SEEDS = range(6)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def table(seed, n=60, p=3, outliers=8):
    """Columns of integers, so that a shift of them is exact, and gross outliers on both sides."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-500, 500, (n, p)).astype(float)
    y = X @ rng.integers(-3, 4, p) + rng.standard_normal(n)
    y[:outliers] += rng.choice([-1.0, 1.0], outliers) * rng.uniform(1e3, 1e5, outliers)
    return X, y


def scale_of(X, y, weight=None, **parameters):
    return HuberLossRegressor(**parameters).fit(X, y, sample_weight=weight).scale_


def test_the_formula_by_hand():
    # The deviations from the median 2 are 0, 1, 1, 2 and 8. One of five rows is fitted whatever the errors are: the
    # median of all is the level (1/2 - 1/5) / (1 - 1/5) = 3/8 of the others.
    assert scale_of(np.zeros((5, 1)), [0, 1, 2, 3, 10]) == pytest.approx(1 / norm.ppf((1 + 3 / 8) / 2), rel=1e-12)


@pytest.mark.parametrize("kind", [np.array, sp.csr_array, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("far", [1e9, 1e12, 1e15])
def test_rows_that_differ_in_their_last_digits_are_different(far, kind):
    """Beside a target that is far from all others, sums over the columns of rows have few digits."""
    rng = np.random.default_rng(0)
    group, y = np.arange(40) % 5, rng.integers(1, 40, 40) / 8
    dummies = np.eye(5)[group]
    y[:15:5] = far + np.arange(3) / 8
    assert scale_of(kind(dummies), y, fit_intercept=False) == pytest.approx(scale_by_hand(group, y), rel=1e-9)


def scale_by_hand(group, y):
    """Dummies are fitted by the medians of their groups."""
    residual = np.concatenate([y[group == k] - np.median(y[group == k]) for k in np.unique(group)])
    share = np.unique(group).size / np.unique(np.column_stack([group, y]), axis=0).shape[0]
    return np.median(np.abs(residual)) / norm.ppf((1 + (1 / 2 - share) / (1 - share)) / 2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shift", [1e3, 1e6, 1e9, 1.7e12])
def test_the_origin_of_the_columns_does_not_matter(seed, shift):
    X, y = table(seed)
    assert scale_of(X + shift, y) == pytest.approx(scale_of(X, y), rel=1e-9)


def test_the_origin_of_timestamps_does_not_matter():
    rng = np.random.default_rng(0)
    t = np.round(np.sort(rng.uniform(0, 600_000, 500)))
    y = t + rng.normal(0, 2, 500)
    y[::20] += rng.uniform(500, 3000, 25)
    near, far = (HuberLossRegressor().fit(t[:, None] + shift, y) for shift in (0, 1.7e12))
    assert far.scale_ == pytest.approx(near.scale_, rel=1e-9)
    # An intercept of 1e12 has its last digit at 1e-4.
    np.testing.assert_allclose(far.predict(t[:, None] + 1.7e12), near.predict(t[:, None]), atol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_origin_of_y_does_not_matter(seed):
    X, y = table(seed)
    y = np.round(y, 3) * 1024  # integers and quarters of them, to be shifted without rounding
    y = np.round(y)
    for shift in (1e3, 1e6, 1e9, 2.0**40):
        assert scale_of(X, y + shift) == pytest.approx(scale_of(X, y), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plane_added_to_y_does_not_matter(seed):
    X, y = table(seed)
    assert scale_of(X, y + X @ [100.0, -7.0, 3.0] + 11) == pytest.approx(scale_of(X, y), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("factor", [1e-100, 1e-9, 3.0, 1e9, 1e100])
def test_units(seed, factor):
    X, y = table(seed)
    expected = scale_of(X, y)
    assert scale_of(X, factor * y) == pytest.approx(factor * expected, rel=1e-9)
    assert scale_of(factor * X, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_repeats_and_order(seed):
    X, y = table(seed)
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 4, y.size)
    order = rng.permutation(times.sum())
    repeated = scale_of(np.repeat(X, times, axis=0)[order], np.repeat(y, times)[order])
    assert scale_of(X, y, times) == pytest.approx(repeated, rel=1e-9)
    assert scale_of(X, y, 1e-6 * times) == pytest.approx(repeated, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_that_depend_on_others_do_not_matter(seed):
    X, y = table(seed)
    assert scale_of(np.column_stack([X, X[:, 0] - 2 * X[:, 1], X[:, 2]]), y) == pytest.approx(scale_of(X, y), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_scale_follows_the_noise_to_zero(seed):
    """It is in proportion to the noise, and the fit tends to that by absolute values."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 3))
    noise = rng.standard_normal(60)
    exact = X @ [1.0, -2.0, 3.0] + 0.5
    far = np.where(np.arange(60) < 20, rng.uniform(10, 1000, 60), 0.0)
    expected = scale_of(X, exact + far + 1e-2 * noise) / 1e-2
    for size in 10.0 ** -np.arange(3.0, 12.0):
        model = HuberLossRegressor().fit(X, exact + far + size * noise)
        assert model.scale_ == pytest.approx(expected * size, rel=1e-6, abs=1e-12)
        np.testing.assert_allclose(model.coef_, [1.0, -2.0, 3.0], atol=10 * size + 1e-12)
    model = HuberLossRegressor().fit(X, exact + far)
    assert model.scale_ < 1e-18
    np.testing.assert_allclose(model.coef_, [1.0, -2.0, 3.0], atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_scale_does_not_jump_where_rows_become_exact(seed):
    X, y = table(seed)
    lad = LADRegressor().fit(X, y)
    residual = y - lad.predict(X)
    smallest = np.argsort(np.abs(residual))
    for count in (4, 8, 16, 24):
        exact = y.copy()
        exact[smallest[:count]] -= residual[smallest[:count]]
        almost = exact.copy()
        almost[smallest[:count]] += 1e-9 * np.random.default_rng(seed).standard_normal(count)
        if LADRegressor().fit(X, exact).certificate_.unique:  # another optimum has other residuals
            assert scale_of(X, exact) == pytest.approx(scale_of(X, almost), rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("p", [1, 2, 5])
@pytest.mark.parametrize("n", [12, 40, 3000])
def test_of_rows_that_lie_on_a_plane_for_the_most_part_it_is_the_fit_by_absolute_values(seed, p, n):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    coef = rng.standard_normal(p)
    y = X @ coef - 2.0
    wrong = rng.permutation(n)[: n // 4]
    y[wrong] += rng.uniform(1, 1e4, wrong.size)
    lad = LADRegressor().fit(X, y)
    model = HuberLossRegressor().fit(X, y)
    assert model.verify(X, y).relative_gap < 1e-9
    if np.mean(np.abs(y - lad.predict(X)) < 1e-9) <= 0.5:
        return  # the outliers are too many for so few rows
    assert model.scale_ < 1e-18
    np.testing.assert_allclose(model.coef_, lad.coef_, rtol=1e-9, atol=1e-9)
    assert model.certificate_.relative_gap < 1e-9


def test_the_line_of_the_readme():
    X = np.arange(10.0).reshape(-1, 1)
    y = 2 * X.ravel() + 1
    y[[3, 7]] = 100
    np.testing.assert_allclose(HuberLossRegressor().fit(X, y).coef_, [2.0], rtol=1e-12)
    x = np.arange(1.0, 17)[:, None]
    z = x.ravel().copy()
    z[-1] = 1000
    np.testing.assert_allclose(HuberLossRegressor().fit(x, z).coef_, [1.0], rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_targets_that_are_zero_for_the_most_part(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((500, 3))
    y = np.where(rng.random(500) < 0.6, 0.0, np.exp(rng.standard_normal(500)))
    model = HuberLossRegressor().fit(X, y)
    assert model.scale_ < 1e-18
    np.testing.assert_allclose(model.coef_, LADRegressor().fit(X, y).coef_, atol=1e-12)
    assert model.certificate_.relative_gap < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [1e4, 1e6])
def test_outliers_in_fewer_than_half_of_the_rows_do_not_move_it(seed, size):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((101, 1))
    y = 2 * X.ravel() + rng.standard_normal(101)
    wrong = np.arange(101) < 45
    side = np.where(np.arange(101) % 2, 1.0, -1.0)
    near, far = (scale_of(X, np.where(wrong, side * value, y)) for value in (1e3, size))
    assert far == pytest.approx(near, rel=1e-7)
    assert far < 20.0


@pytest.mark.parametrize(("n", "p"), [(20, 5), (40, 5), (200, 5)])
def test_the_scale_of_normal_errors_is_their_standard_deviation(n, p):
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((n, p - 1))
        found.append(scale_of(X, rng.standard_normal(n)))
    assert np.median(found) == pytest.approx(1.0, abs=0.12)


def test_several_targets_each_have_their_own():
    X, y = table(0)
    exact = X @ [1.0, 2.0, 3.0]
    model = HuberLossRegressor().fit(X, np.column_stack([y, exact]))
    assert model.scale_.tolist() == [scale_of(X, y), scale_of(X, exact)]
    assert max(proof.relative_gap for proof in model.verify(X, np.column_stack([y, exact]))) < 1e-9


def test_a_scale_that_rounding_moves_is_said():
    """Columns that differ by 3e-12 have coefficients of 1e11, which round residuals."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(60)
    X = np.column_stack([x, rng.standard_normal(60), x + 3e-12 * rng.standard_normal(60)])
    y = rng.standard_normal(60)
    with pytest.warns(ConvergenceWarning, match="from which the scale is estimated"):
        HuberLossRegressor(alpha=0.1, fit_intercept=False).fit(X, y)
