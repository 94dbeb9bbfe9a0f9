"""The pivotal choice of alpha: against its definition spelled out, and by laws."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import skops.io
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor
from ladreg._estimators import pivotal, pivotal_alpha

BOTH = [LADRegressor("pivotal"), QuantileRegressor(quantile=0.3, alpha="pivotal")]
both = pytest.mark.parametrize("model", BOTH, ids=lambda model: type(model).__name__)
rng = np.random.default_rng(0)
X = rng.standard_normal((80, 12)) * rng.lognormal(size=12) + rng.standard_normal(12)
y = X[:, :2] @ [2.0, -1.0] / X[:, :2].std(axis=0).mean() + rng.standard_t(3, 80)


def scale_of(table, fit_intercept=True, weight=None):
    """Deviations, or roots of mean squares, of the columns."""
    middle = np.average(table, axis=0, weights=weight) if fit_intercept else 0.0
    return np.sqrt(np.average((table - middle) ** 2, axis=0, weights=weight))


def exact(table, quantiles, *, confidence, fit_intercept, weight, positive=False, factors=None):
    """The definition: every pattern of signs of the errors, with its probability."""
    n, p = table.shape
    weight, factors = weight / weight.sum(), np.ones(p) if factors is None else factors
    middle = weight @ table if fit_intercept else np.zeros(p)
    unit = scale_of(table, fit_intercept, weight) * factors
    # A row is below the first quantile, between two of them, or above the last one.
    ends = np.concatenate([[0.0], np.sort(quantiles), [1.0]])
    values, odds = [], []
    for piece in itertools.product(range(ends.size - 1), repeat=n):
        uniform = (ends[list(piece)] + ends[np.array(piece) + 1]) / 2
        sums = [weight * (tau - (uniform <= tau)) @ (table - middle) / np.sqrt(tau * (1 - tau)) for tau in quantiles]
        sizes = (np.array(sums) if positive else np.abs(sums)) / unit
        values.append(max(0.0, sizes.max()))
        odds.append(np.prod(np.diff(ends)[list(piece)]))
    known = between(np.array(values), np.array(odds), confidence)
    if not fit_intercept:
        return known
    # With the intercept of the errors alone: every order of the errors is as likely as the others.
    values = []
    for order in itertools.permutations(range(n)):
        order, sums = list(order), []
        before = np.concatenate([[0.0], np.cumsum(weight[order])[:-1]])
        for tau in quantiles:
            dual = tau * weight
            dual[order] -= np.clip(tau - before, 0.0, weight[order])
            sums.append(dual @ (table - middle) / np.sqrt(tau * (1 - tau)))
        sizes = (np.array(sums) if positive else np.abs(sums)) / unit
        values.append(max(0.0, sizes.max()))
    fitted = between(np.array(values), np.full(len(values), 1 / len(values)), confidence)
    return np.maximum(known, fitted)


def between(values, odds, confidence):
    """What a simulation may find of a quantile: confidences are uncertain in the second digit."""
    order = np.argsort(values)
    places = np.searchsorted(np.cumsum(odds[order]), confidence + np.array([-0.015, 0.015]))
    return values[order][places]


def test_a_known_answer():
    # |+-1 +-2 +-4 +-8| / 2 is 15 / 2 in one pattern of eight, and 13 / 2 in the next.
    column = np.array([[1.0], [2.0], [4.0], [8.0]])
    unit = 1.1 * 0.5 / 4 / np.sqrt(85 / 4)
    for confidence, largest in ((0.95, 15), (0.8, 13), (0.7, 11), (0.05, 1)):
        found = pivotal_alpha(column, fit_intercept=False, confidence=confidence)
        assert found == pytest.approx(unit * largest, rel=1e-12)
    assert pivotal_alpha(column, fit_intercept=False, confidence=0.95, slack=2) == pytest.approx(30 * unit / 1.1)


@pytest.mark.parametrize("quantiles", [[0.5], [0.2], [0.25, 0.6]], ids=str)
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
def test_it_is_the_definition_spelled_out(quantiles, options):
    options = {"fit_intercept": True, **options}
    table, weight, factors = X[:7, :3] + 1.0, np.arange(1.0, 8.0), np.array([1.0, 0.5, 2.0])
    for confidence in (0.6, 0.9):
        found = pivotal_alpha(
            table,
            quantiles,
            sample_weight=weight,
            penalty_weights=factors,
            confidence=confidence,
            slack=1.0,
            n_simulations=20_000,
            **options,
        )
        least, largest = exact(table, quantiles, confidence=confidence, weight=weight, factors=factors, **options)
        level = found / np.sqrt(np.array(quantiles) * (1 - np.array(quantiles)))
        assert np.all((level >= least * (1 - 1e-12)) & (level <= largest * (1 + 1e-12)))


@both
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
def test_the_fit_is_that_of_the_number_and_the_scales(model, options):
    model = clone(model).set_params(**options, penalty_weights=np.linspace(0.5, 2, 12)).fit(X, y)
    quantile, factor = (0.5, 2) if isinstance(model, LADRegressor) else (model.quantile, 1)
    alpha = factor * pivotal_alpha(X, quantile, penalty_weights=model.penalty_weights, **options)
    assert isinstance(model.alpha_, float)
    assert model.alpha_ == pytest.approx(alpha, rel=1e-12)
    scale = scale_of(X, model.fit_intercept)
    other = clone(model).set_params(alpha=alpha, penalty_weights=scale * model.penalty_weights).fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-9, atol=1e-12)
    assert model.objective_ == pytest.approx(other.objective_, rel=1e-12)
    assert other.alpha_ == alpha
    assert model.certificate_.relative_gap < 1e-12


@both
def test_units_of_columns_and_of_y_are_no_matter(model):
    plain = clone(model).fit(X, y)
    assert plain.coef_.any()
    unit, shift = 10.0 ** np.linspace(-9, 9, 12), np.linspace(0, 1000, 12).round()
    for table in (X * unit, (X + shift) * unit):
        other = clone(model).fit(table, 1e6 * y)
        assert other.alpha_ == pytest.approx(plain.alpha_, rel=1e-9)
        np.testing.assert_allclose(other.coef_ * unit, 1e6 * plain.coef_, rtol=1e-7, atol=1e-7)
    without = clone(model).set_params(fit_intercept=False)
    np.testing.assert_allclose(
        without.fit(X * unit, y).coef_ * unit, clone(without).fit(X, y).coef_, rtol=1e-7, atol=1e-9
    )


@both
def test_alpha_knows_neither_y_nor_the_unit_of_the_weights(model):
    alpha = clone(model).fit(X, y).alpha_
    assert clone(model).fit(X, np.random.default_rng(1).standard_cauchy(80)).alpha_ == alpha
    assert clone(model).fit(X, np.column_stack([y, -y])).alpha_ == alpha
    assert clone(model).fit(X, y, sample_weight=np.full(80, 7.0)).alpha_ == pytest.approx(alpha, rel=1e-12)
    for factor in (1e-3, 1e3):
        other = clone(model).set_params(penalty_weights=np.full(12, factor)).fit(X, y)
        assert other.alpha_ * factor == pytest.approx(alpha, rel=1e-12)


@both
def test_rows_without_weight_are_absent(model):
    weight = np.repeat([0.0, 1.0, 3.0, 0.5], 20)
    one = clone(model).fit(X, y, sample_weight=weight)
    other = clone(model).fit(X[20:], y[20:], sample_weight=weight[20:])
    assert one.alpha_ == pytest.approx(other.alpha_, rel=1e-14)
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-12, atol=1e-14)


def test_repeated_rows_have_errors_of_their_own():
    many = pivotal_alpha(np.tile(X, (4, 1)), n_simulations=4000)
    assert many == pytest.approx(pivotal_alpha(X, n_simulations=4000) / 2, rel=0.05)
    assert pivotal_alpha(X, sample_weight=np.full(80, 4)) == pytest.approx(pivotal_alpha(X), rel=1e-12)


@pytest.mark.parametrize("quantile", [0.5, 0.25])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_pure_noise_leaves_no_coefficient(quantile, fit_intercept):
    empty = 0
    for seed in range(50):
        noise = np.random.default_rng(seed)
        table = noise.standard_normal((60, 20)) + 1.0
        errors = noise.standard_cauchy(60) - np.tan(np.pi * (quantile - 0.5))
        scale = scale_of(table, fit_intercept)
        alpha = pivotal_alpha(table, quantile, slack=1.0, n_simulations=200, fit_intercept=fit_intercept)
        model = QuantileRegressor(
            quantile=quantile, alpha=alpha, penalty_weights=scale, fit_intercept=fit_intercept
        ).fit(table, errors)
        empty += not model.coef_.any()
    assert 39 <= empty <= 49  # 45 expected, 2.1 the deviation


@both
def test_a_sparse_signal_is_found(model):
    right = 0
    for seed in range(20):
        noise = np.random.default_rng(seed)
        table = noise.standard_normal((150, 200)) * np.geomspace(1e-3, 1e3, 200)
        signal = (table / np.geomspace(1e-3, 1e3, 200))[:, [3, 50, 199]] @ [3.0, -3.0, 3.0]
        found = np.flatnonzero(clone(model).fit(table, signal + noise.standard_t(2, 150)).coef_)
        right += found.tolist() == [3, 50, 199]
    assert right >= 17


def test_lad_is_the_median_with_twice_the_alpha():
    absolute, median = LADRegressor("pivotal").fit(X, y), QuantileRegressor(alpha="pivotal").fit(X, y)
    assert absolute.alpha_ == pytest.approx(2 * median.alpha_, rel=1e-14)
    np.testing.assert_allclose(absolute.coef_, median.coef_, rtol=1e-12, atol=1e-14)


@both
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_equals_dense(model, fit_intercept):
    model = clone(model).set_params(fit_intercept=fit_intercept)
    table = X * (np.random.default_rng(1).random(X.shape) < 0.5)
    table[:, 3], table[:, 4] = 1e6, 0.0
    dense = clone(model).fit(table, y)
    for kind in (sp.csr_array, sp.csc_array, sp.csr_matrix):
        other = clone(model).fit(kind(table), y)
        assert other.alpha_ == pytest.approx(dense.alpha_, rel=1e-9)
        np.testing.assert_allclose(other.coef_, dense.coef_, rtol=1e-7, atol=1e-9)
    single = clone(model).fit(table.astype(np.float32), y)
    assert single.alpha_ == pytest.approx(dense.alpha_, rel=1e-5)


@pytest.mark.parametrize("features", [np.asfortranarray, np.ascontiguousarray, lambda table: table[:, ::-1][:, ::-1]])
def test_neither_memory_order_nor_blocks_are_seen(features, monkeypatch):
    whole = pivotal_alpha(X, [0.3, 0.5])
    monkeypatch.setattr(pivotal, "_DUAL_BYTES", 1 << 15)
    np.testing.assert_allclose(pivotal_alpha(features(X), [0.3, 0.5]), whole, rtol=1e-12)
    monkeypatch.setattr(pivotal, "_SLOPE_BYTES", 1 << 12)  # other uniforms, of the same distribution
    np.testing.assert_allclose(pivotal_alpha(features(X), [0.3, 0.5]), whole, rtol=0.1)


def test_constant_columns_are_harmless():
    table = np.column_stack([X, np.full(80, 3.0), np.zeros(80), np.full(80, 1e20 / 3)])
    for model in BOTH:
        plain, other = clone(model).fit(X, y), clone(model).fit(table, y)
        assert other.alpha_ == pytest.approx(plain.alpha_, rel=1e-12)
        np.testing.assert_allclose(other.coef_, [*plain.coef_, 0, 0, 0], rtol=1e-9, atol=1e-12)
        nothing = clone(model).fit(table[:, -3:], y)
        assert nothing.alpha_ == 0.0
        np.testing.assert_allclose(nothing.predict(table[:, -3:]), nothing.predict(table[:1, -3:])[0])
    assert pivotal_alpha(np.zeros((5, 2)), fit_intercept=False) == 0.0


def test_features_without_penalty_and_without_a_chance_do_not_count():
    weights = np.array([0.0, np.inf, *np.ones(10)])
    model = LADRegressor("pivotal", penalty_weights=weights).fit(X, y)
    assert model.alpha_ == pytest.approx(LADRegressor("pivotal").fit(X[:, 2:], y).alpha_, rel=1e-12)
    assert model.coef_[0] != 0
    assert model.coef_[1] == 0
    nothing = LADRegressor("pivotal", penalty_weights=np.where(weights == 1, 0.0, weights)).fit(X, y)
    assert nothing.alpha_ == 0.0
    assert nothing.coef_[1] == 0


@pytest.mark.parametrize("solver", ["auto", "linprog"])
def test_several_quantiles_share_the_noise(solver):
    quantiles = [0.5, 0.1, 0.7, 0.5, 0.9]
    model = QuantileRegressor(quantile=quantiles, alpha="pivotal", solver=solver).fit(X, y)
    expected = pivotal_alpha(X, quantiles)
    assert model.alpha_.shape == expected.shape == (5,)
    np.testing.assert_allclose(model.alpha_, expected, rtol=1e-12)
    roots = np.sqrt(np.array(quantiles) * (1 - np.array(quantiles)))
    np.testing.assert_allclose(expected / roots, expected[0] / roots[0], rtol=1e-12)
    alone = [pivotal_alpha(X, quantile) for quantile in quantiles]
    assert np.max(alone / roots) <= expected[0] / roots[0] * (1 + 1e-12)
    for quantile, alpha, coef in zip(quantiles, expected, model.coef_, strict=True):
        one = QuantileRegressor(quantile=quantile, alpha=alpha, penalty_weights=scale_of(X)).fit(X, y)
        np.testing.assert_allclose(coef, one.coef_, rtol=1e-8, atol=1e-10)
    for certificate in model.verify(X, y):
        assert certificate.relative_gap < 1e-9
    np.testing.assert_array_equal(clone(model).set_params(alpha=0.1).fit(X, y).alpha_, np.full(5, 0.1))
    assert QuantileRegressor(quantile=[0.5], alpha="pivotal").fit(X, y).alpha_.shape == (1,)


@both
def test_verify_judges_the_fit_by_its_own_alpha(model):
    fitted = clone(model).fit(X, y)
    before = pickle.dumps(fitted)
    certificate = fitted.verify(X, y)
    assert certificate.objective == pytest.approx(fitted.objective_, rel=1e-13)
    assert certificate.relative_gap < 1e-12
    assert pickle.dumps(fitted) == before
    order = np.random.default_rng(1).permutation(80)
    assert fitted.verify(X[order], y[order]).relative_gap < 1e-12
    assert clone(model).fit(X[order], y[order]).alpha_ == pytest.approx(fitted.alpha_, rel=0.1)
    two = clone(model).fit(X, np.column_stack([y, -y]))
    assert max(found.relative_gap for found in two.verify(X, np.column_stack([y, -y]))) < 1e-12
    with pytest.raises(ValueError, match="targets"):
        two.verify(X, y)


@both
def test_alpha_max_is_that_of_a_number(model):
    plain = clone(model).set_params(alpha=0.1)
    assert clone(model).alpha_max(X, y) == plain.alpha_max(X, y)
    assert clone(model).fit(X, y).alpha_max(X, y) == plain.alpha_max(X, y)


@both
def test_it_lives_among_scikit_learns_tools(model):
    fitted = clone(model).fit(X, y)
    assert clone(fitted).get_params()["alpha"] == "pivotal"
    own = [f"{type(model).__module__}.{type(model).__name__}"]
    for copy in (pickle.loads(pickle.dumps(fitted)), skops.io.loads(skops.io.dumps(fitted), trusted=own)):
        assert copy.alpha_ == fitted.alpha_
        np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
        assert copy.verify(X, y).relative_gap < 1e-12
    np.testing.assert_array_equal(clone(model).fit(X, y).coef_, fitted.coef_)
    search = GridSearchCV(model, {"alpha": [0.0, "pivotal", 10.0]}, scoring="neg_median_absolute_error", cv=3).fit(X, y)
    assert search.best_params_["alpha"] in (0.0, "pivotal")


def test_seeds_and_numbers_of_simulations():
    few = [pivotal_alpha(X, random_state=seed) for seed in range(20)]
    assert len(set(few)) > 10
    assert np.std(few) < 0.03 * np.mean(few)
    assert pivotal_alpha(X, random_state=np.random.RandomState(3)) == few[3]
    levels = [pivotal_alpha(X, confidence=confidence) for confidence in (0.1, 0.5, 0.9, 0.99)]
    assert levels == sorted(levels)
    assert pivotal_alpha(X, positive=True) < pivotal_alpha(X)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LADRegressor("pivot"), r"alpha must be a finite number >= 0, got 'pivot'\. Or pass 'pivotal'"),
        (QuantileRegressor(alpha=-1), r"alpha must be .* got -1\. Or pass 'pivotal'"),
        (LADRegressor(np.array(["pivotal"])), "alpha must be"),
        (HuberLossRegressor(alpha="pivotal"), r"alpha must be a finite number >= 0, got 'pivotal'\.$"),
        (CombinedLossRegressor(alpha="pivotal"), r"alpha must be a finite number >= 0, got 'pivotal'\.$"),
    ],
)
def test_other_alphas_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantile": 1.0}, "quantile must be .* strictly between 0 and 1, got 1.0"),
        ({"quantile": []}, "quantile must be a number or a non-empty list"),
        ({"confidence": 1.0}, "confidence must be .* strictly between 0 and 1"),
        ({"slack": 0}, "slack must be a finite number > 0"),
        ({"n_simulations": 0}, "n_simulations must be an integer >= 1"),
        ({"fit_intercept": 1}, "fit_intercept must be True or False"),
        ({"positive": None}, "positive must be True or False"),
        ({"penalty_weights": [1.0]}, r"penalty_weights must have shape \(12,\)"),
        ({"sample_weight": -np.ones(80)}, "sample_weight"),
        ({"sample_weight": np.ones(3)}, "inconsistent"),
        ({"X": np.vstack([X[:-1], np.full(12, np.nan)])}, "Input X contains NaN"),
        ({"X": X[0]}, "2D array"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pivotal_alpha(options.pop("X", X), **options)


def tables(kind, rng, n_samples, n_features):
    """Columns of ordinary size, with few far rows, with far numbers, and dummies."""
    table = rng.standard_normal((n_samples, n_features))
    if kind == "leverage":
        table[: max(1, n_samples // 5)] *= 10
    if kind == "far":
        table = rng.standard_cauchy((n_samples, n_features))
    if kind == "dummies":
        table = np.eye(n_features)[rng.integers(0, n_features, n_samples)]
    return table


NOISES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "counts": lambda rng, n: rng.poisson(2.0, n).astype(float),
    "one sided": lambda rng, n: rng.lognormal(0.0, 3.0, n) + 1e6,
}


@pytest.mark.parametrize("kind", ["ordinary", "leverage", "far", "dummies"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("quantile", "n_samples"), [(0.99, 10), (0.995, 20), (0.01, 8), (0.95, 50)])
def test_extreme_quantiles_of_few_rows_select_no_noise(kind, noise, quantile, n_samples):
    empty, n_tables = 0, 40
    for seed in range(n_tables):
        rng = np.random.default_rng(seed)
        table = tables(kind, rng, n_samples, 6)
        weight = rng.uniform(0.5, 2.0, n_samples) if seed % 2 else None
        model = QuantileRegressor(quantile=quantile, alpha="pivotal")
        empty += not model.fit(table, NOISES[noise](rng, n_samples), sample_weight=weight).coef_.any()
    assert empty >= 33  # 36 expected at least, 1.9 the deviation


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("quantile", [0.999, 0.001])
def test_where_all_signs_are_equal_it_is_the_slope_of_one_row(quantile, positive):
    # The fit without features goes through the last of ten targets, which is that of any row as likely as of another.
    table = np.random.default_rng(0).standard_normal((10, 3))
    unit = (table - table.mean(axis=0)) / table.std(axis=0) * (1 if quantile > 0.5 else -1)
    slopes = np.sort((unit if positive else np.abs(unit)).max(axis=1))
    for confidence, place in ((0.85, 8), (0.95, 9)):
        found = pivotal_alpha(table, quantile, slack=1.0, confidence=confidence, positive=positive)
        assert found == pytest.approx(0.001 * slopes[place], rel=1e-9)


def test_each_of_several_quantiles_is_kept_out():
    quantiles = [0.01, 0.5, 0.99]
    empty = np.zeros(3)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        model = QuantileRegressor(quantile=quantiles, alpha="pivotal")
        empty += ~model.fit(rng.standard_normal((10, 8)), rng.standard_cauchy(10)).coef_.any(axis=1)
    assert empty.min() >= 33


@both
def test_columns_whose_sizes_have_no_sum_are_refused(model):
    assert pivotal_alpha(X * 1e300) == pytest.approx(pivotal_alpha(X), rel=1e-12)
    with pytest.raises(OverflowError, match="X is too large"):
        pivotal_alpha(X * 1e307)
    with pytest.raises(OverflowError, match="too large"):
        clone(model).fit(X * 1e307, y)
