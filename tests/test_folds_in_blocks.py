"""Cross-validation of all losses but squares from blocks of rows: the losses and the choice of memory."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, PredefinedSplit

from ladreg import (
    CombinedLossRegressorCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    QuantileRegressorCV,
    blocks,
)
from ladreg._from_blocks import BlockFolds, PartFits, Question, RowFolds, survey_folds
from ladreg._problem import Absolute, Combined, ElasticNet, Huber, Pinball, Settings
from ladreg._row_blocks import Passes, Rows
from ladreg._solvers import largest_alpha
from tests.problems import NamedBlocks, Simulated, peak_of

pytestmark = pytest.mark.filterwarnings("ignore:alpha=.* is the smallest that was tried")
N = 402  # two folds of 201 rows: the training rows are odd, and have one median


def table(seed=0, n=N, p=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X @ np.where(np.arange(p) % 3 == 0, 1.0, 0.0) + rng.standard_t(3, n)


def losses(model):
    return getattr(model, model._losses_name)


def assert_same(found, wanted):
    np.testing.assert_allclose(found.alphas_, wanted.alphas_, rtol=1e-12)
    np.testing.assert_allclose(losses(found), losses(wanted), rtol=1e-10)
    assert found.alpha_ == pytest.approx(wanted.alpha_, rel=1e-12, abs=0)
    assert found.alpha_1se_ == pytest.approx(wanted.alpha_1se_, rel=1e-12, abs=0)
    assert found.objective_ == pytest.approx(wanted.objective_, rel=1e-12)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=0, atol=1e-9)
    # At the largest alpha other fits than that without features are optimal too.
    np.testing.assert_allclose(found.coef_path_[:, 1:], wanted.coef_path_[:, 1:], rtol=0, atol=1e-9)
    assert found.certificate_.relative_gap <= 1e-12


@pytest.mark.parametrize(
    "model",
    [
        LADRegressorCV(selection="1se", positive=True, max_features=1),
        LADRegressorCV(alphas=[0.2, 0.05, 0.0], penalty_weights=[0.0, 1.0, 2.0, np.inf]),
        QuantileRegressorCV(quantile=0.3, l1_ratio=0.5, post_selection=0.5, fit_intercept=False),
        QuantileRegressorCV(quantile=0.8, penalty_weights=[0.0, 1.0, 1.0, 1.0], bounds=(-0.5, 0.5)),
        CombinedLossRegressorCV(l1_ratio=0.2, penalty_weights=[0.0, 1.0, 2.0, 1.0], post_selection=0.5),
        CombinedLossRegressorCV(l1_ratio=0.9, bounds=(0.1, 0.5), fit_intercept=False),
        HuberLossRegressorCV(penalty_weights=[0.0, 1.0, 2.0, np.inf]),
        HuberLossRegressorCV(epsilon=0.3, l1_ratio=0.5, fit_intercept=False),
        HuberLossRegressorCV(scale=0.5, post_selection=0.5, bounds=(0.1, 0.5)),
    ],
)
def test_losses_and_choice_are_those_of_memory(model):
    X, y = table()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, N) * (np.arange(N) % 7 > 0)
    model = clone(model).set_params(cv=2, eps=0.05)
    if isinstance(model.alphas, int):
        model.set_params(alphas=2)
    data = blocks.arrays(X, y, weight, rows=201).holding(360)
    found, wanted = clone(model).fit(data), clone(model).fit(X, y, weight)
    assert_same(found, wanted)
    if hasattr(wanted, "scale_"):
        assert found.scale_ == pytest.approx(wanted.scale_, rel=1e-12, abs=0)
    if model.post_selection is None:
        assert found.verify(data).relative_gap <= 1e-12


def test_all_fits_share_a_few_passes():
    """Four folds and all rows at four alphas: 20 fits, and one for the largest alpha."""
    X, y = table(2, n=6012)
    model = LADRegressorCV(alphas=4, cv=4, eps=0.1)
    found = clone(model).fit(blocks.arrays(X, y, rows=1500).holding(4500))
    assert found.n_passes_ <= 9
    np.testing.assert_allclose(found.mae_path_[1:], clone(model).fit(X, y).mae_path_[1:], rtol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_integer_targets_have_the_losses_of_memory(seed):
    """Without features more rows are fitted exactly than may be gathered: the first fits were left unproved."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 10, (4000, 4)).astype(float)
    y = np.clip(np.round(X @ rng.uniform(-0.3, 0.5, 4) + rng.standard_t(3, 4000) * 1.5 + 2), 0, 9)
    model = LADRegressorCV(alphas=3, cv=2, eps=0.05)
    found, wanted = clone(model).fit(blocks.arrays(X, y, rows=1500).holding(600)), clone(model).fit(X, y)
    np.testing.assert_allclose(found.alphas_, wanted.alphas_, rtol=1e-9)
    np.testing.assert_allclose(found.mae_path_, wanted.mae_path_, rtol=1e-9)
    assert found.n_passes_ <= 40


def test_folds_have_no_newton_steps_of_their_own():
    """Where all rows lead, the gradients of folds are parts of those of all rows; and all fits are proved."""
    X, y = table(2, n=6 * N)
    folds = folds_of(blocks.arrays(X, y, rows=600).holding(900), 2, Absolute())
    folds.follow(np.array([0.2, 0.05]))
    assert not folds.missed
    for fits in folds._fits[1:]:
        assert all(one.stats["n_refined"] == 0 for one in fits.solutions)


def test_folds_are_the_values_of_a_column():
    X, y = table(3, p=3)
    X[:, 2] = np.random.default_rng(0).permutation(N) % 2 * 2.0
    model = LADRegressorCV(alphas=[0.1, 0.03, 0.01], penalty_weights=[1, 1, np.inf])
    wanted = clone(model).set_params(cv=PredefinedSplit((X[:, 2] / 2).astype(int))).fit(X, y)
    found = clone(model).set_params(cv="month").fit(blocks.Blocks(NamedBlocks(X, y)).holding(360))
    assert_same(found, wanted)
    assert list(found.feature_names_in_) == ["a", "b", "month"]
    with pytest.raises(ValueError, match="the name of a column of X, got 'year'"):
        clone(model).set_params(cv="year").fit(blocks.Blocks(NamedBlocks(X, y)))
    with pytest.raises(ValueError, match="at least 2 distinct values, got only 0"):
        clone(model).set_params(cv="month").fit(blocks.Blocks(NamedBlocks(X * 0.0, y)))
    with pytest.raises(ValueError, match="cv makes more than 1000 folds"):
        clone(model).set_params(cv="a").fit(blocks.Blocks(NamedBlocks(*table(n=1002, p=3))))


def test_bits_do_not_depend_on_who_reads():
    X, y = table(4)
    data = blocks.arrays(X, y, rows=70).holding(300)

    def bits(data):
        found = QuantileRegressorCV(quantile=0.4, alphas=[0.1], cv=2).fit(data)
        return pickle.dumps([found.coef_, found.pinball_path_, found.objective_, found.coef_path_])

    wanted = bits(data)
    for workers in (1, 2):
        with ThreadPoolExecutor(workers) as pool:
            assert bits(data.on(pool)) == wanted


def test_rows_that_fit_into_memory_are_read_once():
    X, y = table(5, n=600)
    for model in (LADRegressorCV(alphas=5), QuantileRegressorCV(alphas="auto", post_selection=0.0)):
        weight = np.arange(600.0) % 3
        found, wanted = clone(model).fit(blocks.arrays(X, y, weight, rows=130)), clone(model).fit(X, y, weight)
        assert found.n_passes_ == 1
        assert_same(found, wanted)


def test_a_grid_is_extended_in_more_passes():
    X, y = table(6, n=1002)
    data, alphas = blocks.arrays(X, y, rows=300).holding(900), np.array([0.2, 0.05])
    whole, grown = (folds_of(data, 2, Absolute()) for _ in range(2))
    wanted = whole.follow(alphas)
    grown.follow(alphas[:1])
    n_passes = len(grown.fits.passes.names)
    found = grown.follow(alphas)
    assert 0 < len(grown.fits.passes.names) - n_passes <= 6
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-12)
    for fold in range(2):
        np.testing.assert_allclose(grown.losses(fold, alphas, None), whole.losses(fold, alphas, None), rtol=1e-12)
    assert grown.losses(0, alphas[1:], None).size == 1


def folds_of(data, n_folds, loss, strength=None, intercept=True, **limits):
    """Folds of consecutive rows."""
    passes = Passes(data.source)
    first = np.linspace(0, passes.n_rows, n_folds + 1).astype(int)
    seen, folds = survey_folds(passes, data.n_held, None, RowFolds(first), n_folds)
    strength = np.ones(seen.n_features) if strength is None else np.array(strength)
    question = Question(loss, ElasticNet(strength, **limits), intercept)
    fits = PartFits.of(passes, seen, folds, Settings(), data.n_held)
    return BlockFolds(fits, folds, [question] * (n_folds + 1), mixing=1.0)


@pytest.mark.parametrize("loss", [Absolute(), Combined(0.6, 0.4), Huber(0.5)], ids=str)
def test_the_largest_alpha_is_that_of_memory(loss):
    """Where many rows are fitted exactly, beside features without a penalty and gross outliers, and far from zero."""
    X, y = table(7)
    outliers = np.where(np.arange(N) % 50 > 0, y, 1e9)
    low, high = np.full(4, 0.1), np.full(4, 0.3)
    for x, target, strength, more in (
        (np.round(X), np.round(2 * y), None, {}),
        (X, y, [0.0, 1.0, 0.0, 3.0], {}),
        (X, y, [0.0, 1.0, np.inf, 3.0], {}),
        (X, outliers, None, {}),
        (X + 1e4, y + 1e5, None, {}),
        (X, np.where(y > 1.0, 0.7, 0.0), None, {}),
        (X + np.array([1e7, 0, 1e3, 1e7]), y, [0.0, 1.0, 0.0, 3.0], {"positive": True}),
        (X, np.round(2 * y), [0.0, 1.0, 1.0, 0.0], {"lower": -high, "upper": low}),
        (np.round(X), y, [1.0, 0.0, 1.0, 1.0], {"lower": -high, "upper": high}),
        (np.round(X), y + np.round(X[:, 1]), [1.0, 0.0, 1.0, 1.0], {"positive": True}),
        (X, y, [0.0, 1.0, 1.0, 0.0], {"lower": low, "upper": high, "intercept": False}),
    ):
        folds = folds_of(blocks.arrays(x, target, rows=201).holding(300), 2, loss, strength, **more)
        wanted = largest_alpha(folds.questions[0].of(Rows(x, target, None)))
        assert folds.largest_alpha() == pytest.approx(wanted, rel=1e-10, abs=0)


@pytest.mark.parametrize("loss", [Absolute(), Combined(0.5, 0.5), Huber(0.5)], ids=str)
def test_the_largest_alpha_has_all_digits_where_targets_have_few(loss):
    """An intercept of 1e9 has a rounding of 1e-7, which no sum of duals times weights from 1 to 1e12 may have."""
    rng = np.random.default_rng(3)
    x, y, weight = np.round(rng.random((900, 4))), rng.standard_normal(900) + 1e9, 10.0 ** rng.uniform(0, 12, 900)
    folds = folds_of(blocks.arrays(x, y, weight, rows=100).holding(300), 2, loss)
    wanted = largest_alpha(folds.questions[0].of(Rows(x, y - 1e9, weight)))
    assert folds.largest_alpha() == pytest.approx(wanted, rel=1e-10, abs=0)


@pytest.mark.parametrize("seed", [0, 1, 11])
def test_a_fit_that_is_zero_up_to_rounding_leaves_zero_targets_at_the_kink(seed):
    """Where most targets are zero, the intercept was rounding, and so were their residuals: the grid began at .1."""
    rng = np.random.default_rng(seed)
    x = sp.csr_array(np.eye(5)[rng.integers(0, 5, N)])
    y, weight = (rng.random(N) < 0.35) + 0.0, rng.uniform(0.2, 2.0, N)
    folds = folds_of(blocks.arrays(x, y, weight, rows=201).holding(350), 2, Combined(0.9, 0.1))
    wanted = largest_alpha(folds.questions[0].of(Rows(x, y, weight)))
    assert wanted < 0.02
    assert folds.largest_alpha() == pytest.approx(wanted, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("loss", [Absolute(), Pinball(0.4), Combined(0.3, 0.7)], ids=str)
def test_more_rows_at_the_kink_than_are_held_have_the_largest_alpha_of_memory(loss):
    """It was up to twice as large: moves of the coefficients tell on which side most of them leave the kink."""
    X, y = table(8)
    y = np.clip(np.round(y), -1.0, 1.0)
    for x in (X, np.round(2 * X)):
        folds = folds_of(blocks.arrays(x, y, rows=201).holding(100), 2, loss)
        wanted = largest_alpha(folds.questions[0].of(Rows(x, y, None)))
        assert wanted > 0
        assert folds.largest_alpha() == pytest.approx(wanted, rel=1e-9, abs=0)
        assert len(folds.fits.passes.names) <= 20


def test_nothing_as_long_as_the_rows_is_kept():
    model = LADRegressorCV(alphas=[0.1], cv=2)
    model.fit(blocks.arrays(*table()))  # what is imported and compiled once
    with ThreadPoolExecutor(1) as pool:
        peak = peak_of(lambda: model.fit(blocks.Blocks(Simulated(20)).holding(2000).on(pool)))
    assert peak < 100_000 * 8 * 3  # three numbers a row; a tile and its temporary arrays are three times its 0.4 MB


def test_what_folds_in_blocks_cannot_do_is_said():
    X, y = table(8, n=100)
    data = blocks.arrays(X, y, rows=20)
    for params, message in (
        ({"scoring": "r2"}, "scoring must be None"),
        ({"alphas": "knots"}, "alphas='knots' needs all rows in memory"),
        ({"cv": KFold(3)}, "cv must be None, an integer or the name of a column"),
        ({"cv": 101}, "cv=101 is more than the number of rows, 100"),
        ({"penalty_weights": "adaptive"}, "penalty_weights"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            LADRegressorCV(**params).fit(data)
    with pytest.raises(TypeError, match="unexpected argument 'groups'"):
        LADRegressorCV().fit(data, groups=np.zeros(100))
    with pytest.raises(ValueError, match="fold 1 of cv has no held-out rows, or none with a weight above zero"):
        LADRegressorCV(cv=2).fit(blocks.arrays(X, y, np.where(np.arange(100) < 50, 1.0, 0.0), rows=20))


def test_folds_that_are_not_proved_are_said():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((1500, 4))
    y = rng.poisson(np.exp(0.3 * X[:, 0])) + 0.0
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ConvergenceWarning)
        LADRegressorCV(alphas=[0.0], cv=2).fit(blocks.arrays(X, y, rows=750).holding(60))
    assert any("of 2 fits to the training rows of folds did not reach tol" in str(one.message) for one in seen)


def test_rows_at_the_kink_may_weigh_less_than_what_the_others_round():
    """Far targets and weights from 1 to 1e12: the duals of a fit balance to rounding only, which ended in an error."""
    rng = np.random.default_rng(1)
    X = (rng.random((900, 4)) < 0.3).astype(float)
    rng.random(900), rng.integers(1, 3, 900)  # other draws of this seed do not fail
    w, y = 10.0 ** rng.uniform(0, 12, 900), rng.standard_normal(900) + 1e9
    here, there = (
        CombinedLossRegressorCV(alphas=2, eps=0.5, cv=2).fit(*given, **more)
        for given, more in (((X, y), {"sample_weight": w}), ((blocks.arrays(X, y, w, rows=100).holding(300),), {}))
    )
    assert there.alphas_[0] == pytest.approx(here.alphas_[0], rel=1e-12, abs=0)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_largest_alpha_has_its_digits_where_free_columns_are_nearly_equal(seed):
    """Coefficients of 1e13 round residuals by 1e-3: slopes are those of orthogonal columns of the same span."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 3))
    X[:, 1:] = X[:, :1] + 1e-5 * X[:, 1:]
    y = 1e9 + rng.standard_normal(400)
    model = HuberLossRegressorCV(alphas=1, cv=2, scale=1e10, fit_intercept=False, penalty_weights=[0, 0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the only alpha that was tried
        here = clone(model).fit(X, y).alphas_
        there = clone(model).fit(blocks.arrays(X, y, rows=100).holding(200)).alphas_
    np.testing.assert_allclose(there, here, rtol=1e-9)


@pytest.mark.parametrize("few_values", [True, False])
def test_the_largest_alpha_where_residuals_do_not_tell_hubers_curve_from_a_kink(few_values):
    """It is that of the absolute loss: rows on the curve have the duals that balance the others best."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        group, Z = rng.integers(0, 2, 400), rng.standard_normal((400, 3))
        y = np.where(rng.random(400) < 0.2, 1.0, 2.0 * group) if few_values else Z[:, 0] + rng.standard_t(2, 400)
        X, weights = np.column_stack([group, Z]), {"penalty_weights": [0, 1, 1, 1]}
        model = HuberLossRegressor(scale=1e-18, epsilon=2.0, **weights)
        least = 2e-18 * LADRegressor(**weights).alpha_max(X, y)
        assert (least == 0) == few_values
        assert model.alpha_max(X, y) == pytest.approx(least, rel=1e-9)
        tuned = HuberLossRegressorCV(scale=1e-18, epsilon=2.0, cv=2, alphas=3, **weights)
        there = clone(tuned).fit(blocks.arrays(X, y, rows=100).holding(200))
        np.testing.assert_allclose(there.alphas_, clone(tuned).fit(X, y).alphas_, rtol=1e-9)
        assert few_values or there.alphas_[0] == pytest.approx(least, rel=1e-9)


def test_losses_and_weights_whose_product_overflows():
    X, y = table()
    model = CombinedLossRegressorCV(alphas=3, cv=2)
    here = clone(model).fit(X, y * 1e118, np.full(N, 1e111))
    there = clone(model).fit(blocks.arrays(X, y * 1e118, np.full(N, 1e111), rows=100).holding(200))
    np.testing.assert_allclose(losses(there), losses(here), rtol=1e-9)
