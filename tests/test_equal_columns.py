"""Columns that are multiples of each other, at equal strengths: what they share may move, so no optimum is unique."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from ladreg import (
    CombinedLossRegressor,
    ElasticNetCD,
    HuberLossRegressor,
    LADRegressor,
    LassoCD,
    LassoCDCV,
    QuantileRegressor,
    blocks,
)

MODELS = {
    "absolute": LADRegressor,
    "quantile": lambda **given: QuantileRegressor(quantile=0.3, **given),
    "huber": lambda **given: HuberLossRegressor(scale=1.0, **given),
    "wide huber": lambda **given: HuberLossRegressor(scale=1e4, **given),
    "combined": CombinedLossRegressor,
    "squared": LassoCD,
}
CONTAINERS = {
    "dense": lambda X, y: (X, y),
    "sparse": lambda X, y: (sp.csr_array(X), y),
    "blocks": lambda X, y: (blocks.arrays(X, y, rows=10).holding(15),),
}


def table(seed, factor):
    """Columns whose multiples by small integers are exact, the last one such a multiple of the first."""
    rng = np.random.default_rng([7, seed])
    X = np.floor(rng.standard_normal((30, 3)) * 1024) / 1024
    y = X @ [1.0, 0.5, 0.0] + rng.standard_t(2, 30)
    return np.column_stack([X, factor * X[:, 0]]), y


def fitted(model, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the canonical optimum may be missed at such strengths
        return model.fit(*data)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", MODELS)
def test_equal_columns_are_never_proved_unique_at_tiny_strengths(name, container):
    for seed, (limits, factor, alpha) in enumerate(
        [({}, 3.0, 1e-10), ({"positive": True}, 3.0, 1e-10), ({"bounds": (-9.0, 9.0)}, 2.0, 1e-8)]
    ):
        X, y = table(seed, factor)
        model = MODELS[name](alpha=alpha, penalty_weights=[1, 1, 1, factor], **limits)
        model = fitted(model, *CONTAINERS[container](X, y))
        assert model.coef_[0] + factor * model.coef_[3] > 0.01
        assert not model.certificate_.unique


@pytest.mark.parametrize("container", ["dense", "blocks"])
@pytest.mark.parametrize("name", MODELS)
def test_other_columns_are_proved_unique_at_tiny_strengths(name, container):
    X, y = table(0, 3.0)
    model = fitted(MODELS[name](alpha=1e-10), *CONTAINERS[container](X[:, :3], y))
    assert model.certificate_.unique


@pytest.mark.parametrize("container", ["dense", "blocks"])
@pytest.mark.parametrize("name", ["huber", "combined"])
def test_equal_columns_are_never_proved_unique_beside_a_free_column_that_is_nearly_equal(name, container):
    """What they have beside the free one is 1e-7 of their length, and so are different digits of it."""
    for seed in (7, 9):
        rng = np.random.default_rng(seed)
        free, apart, other = rng.standard_normal((3, 3000))
        near = free + 1e-7 * apart
        y = free + rng.standard_t(2, 3000) + 0.1 * apart
        model = MODELS[name](alpha=1e-13, penalty_weights=[1, 0, 1, 1])
        X = np.column_stack([near, free, other, near])
        data = (X, y) if container == "dense" else (blocks.arrays(X, y, rows=500).holding(800),)
        model = fitted(model, *data)
        assert abs(model.coef_[0] + model.coef_[3]) > 1e3
        assert not model.certificate_.unique


@pytest.mark.parametrize("seed", [8, 15, 26])
def test_multiples_are_never_proved_unique_beside_heavy_rows_in_blocks(seed):
    """The products of the light rows are what is left of those of all rows, and have their rounding."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(134)
    X, y = np.column_stack([x, 0.3 * x]), x + rng.standard_normal(134)
    weight = np.repeat([1e12, 1e-10, 1.0], [8, 32, 94])
    model = CombinedLossRegressor(0.01, fit_intercept=False, positive=True)
    here = clone(model).fit(X, y, weight)
    there = clone(model).fit(blocks.arrays(X, y, weight, rows=44).holding(67))
    assert not there.certificate_.unique
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", [1, 54, 513])
def test_the_sum_of_two_columns_is_never_proved_to_have_no_part(seed):
    """Its slope misses what those of both columns miss; free columns far from zero leave products above rounding."""
    rng = np.random.default_rng(seed)
    X = 1e4 + np.round(rng.standard_normal((5, 5)) * 2**20) / 2**20
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    y = X @ [0, 0.3, -0.3, 2.4, 0.2, 1.0] + rng.standard_normal(5)
    model = fitted(LADRegressor(1e-7, penalty_weights=[0, 1, 0, 0, 0, 1], fit_intercept=False), X, y)
    assert abs(model.coef_[1]) + abs(model.coef_[5]) > 1e-6
    assert not model.certificate_.unique


def test_the_sum_of_two_columns_that_are_nearly_equal_is_never_proved_unique_in_blocks():
    """Their moments have the square of the condition number: what the three have in common is lost in rounding."""
    rng = np.random.default_rng(22)
    x, apart = np.round(rng.standard_normal((2, 200)) * 2**20) / 2**20
    near = x + 2.0**-18 * np.round(apart * 16) / 16
    X = np.column_stack([x, near, x + near])
    y = X @ [1.0, 1.0, 1.0] + rng.standard_t(2, 200)
    model = fitted(CombinedLossRegressor(0.01), blocks.arrays(X, y, rows=70).holding(100))
    assert not model.certificate_.unique


@pytest.mark.parametrize("seed", [165, 173, 176, 182, 0, 1])
def test_equal_columns_of_crossed_factors_are_never_proved_unique(seed):
    """Two columns of two factors are there twice; integer targets leave several optima at each quantile."""
    rng = np.random.default_rng(seed)
    groups = np.hstack([np.eye(12)[rng.integers(0, 12, 65)], np.eye(8)[rng.integers(0, 8, 65)]])
    twice = rng.integers(0, 20, 2)
    y, weight = rng.integers(-3, 4, 65).astype(float), rng.exponential(size=65)
    model = QuantileRegressor(quantile=[0.1, 0.5, 0.8], alpha=2e-4)
    model.fit(sp.csr_array(np.hstack([groups, groups[:, twice]])), y, sample_weight=weight)
    for coef, certificate in zip(model.coef_, model.certificates_, strict=True):
        shared = (coef[twice] != 0) | (coef[20:] != 0)
        assert not (certificate.unique and shared.any())


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("model", [LassoCD(alpha=0), LassoCD(alpha=1e-13, standardize=True), ElasticNetCD(alpha=0)])
def test_multiples_are_never_proved_unique_beside_one_heavy_row(model, kind):
    """The mean is at that row: less its square, products of sparse columns keep few digits of what others differ by."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.integers(-3, 4, 20).astype(float)
        X, y = np.column_stack([x, 1e-5 * x, rng.integers(0, 2, 20)]), x + rng.standard_normal(20)
        weight = np.where(np.arange(20) == rng.integers(20), 1e12, 1.0)
        model = fitted(model, kind(X), y, weight)
        assert not (model.certificate_.unique and model.coef_[:2].all())


@pytest.mark.filterwarnings("ignore:.*rounding errors hide the canonical one")
@pytest.mark.parametrize(
    "model", [LADRegressor(), LADRegressor(positive=True), QuantileRegressor(quantile=[0.2, 0.5, 0.7])], ids=repr
)
def test_equal_columns_are_never_proved_unique_beside_an_excluded_column(model):
    """Their slopes are equal up to rounding, which is more than the part of alpha that tells a slope at its strength.

    With a column left out, fits are walks from knot to knot or in few columns at a time.
    """
    for seed in range(80):
        rng = np.random.default_rng([11, seed])
        n, p = int(rng.integers(12, 200)), int(rng.integers(3, 9))
        X = rng.normal(size=(n, p)) * 2.0 ** rng.integers(-3, 8, p)
        y = X @ rng.normal(size=p) + rng.normal(size=n)
        one, other = rng.choice(p, 2, replace=False)
        X[:, other] = X[:, one]
        weights = np.append(np.ones(p), np.inf)
        fitted = clone(model).set_params(alpha=10.0 ** rng.uniform(-16, -5), penalty_weights=weights)
        fitted.fit(np.column_stack([X, rng.normal(size=n)]), y)
        proofs = fitted.certificate_ if isinstance(fitted.certificate_, list) else [fitted.certificate_]
        for proof, coef in zip(proofs, np.atleast_2d(fitted.coef_), strict=True):
            assert not (proof.unique and coef[[one, other]].any()), seed


@pytest.mark.parametrize("params", [{}, {"bounds": (-50.0, 50.0)}, {"positive": True}], ids=repr)
@pytest.mark.filterwarnings("ignore:alpha=.* is the smallest that was tried", "ignore:.*did not reach tol")
@pytest.mark.filterwarnings("ignore:.*rounding errors hide the canonical one")
def test_multiples_are_never_proved_unique_by_the_gram_matrix_of_folds(params):
    """Slopes from a Gram matrix have the rounding of the largest one, which may be more than 1e-9 of alpha."""
    for seed in range(40):
        rng = np.random.default_rng([5, seed])
        n, p = int(rng.integers(12, 150)), int(rng.integers(3, 9))
        X = np.round(rng.normal(size=(n, p)) * 2.0 ** rng.integers(-3, 8, p) * 1024) / 1024
        one, other = rng.choice(p, 2, replace=False)
        factor = float(rng.choice([1, 2]))
        X[:, other] = factor * X[:, one]
        y = X @ rng.normal(size=p) + rng.normal(size=n)
        weights = np.where(np.arange(p) == other, factor, 1.0)
        alphas = np.sort(10.0 ** rng.uniform(-12, 0, 3))[::-1]
        fitted = LassoCDCV(alphas=alphas, cv=2, penalty_weights=weights, **params).fit(X, y)
        shared = fitted.coef_[[one, other]]
        at_limit = np.abs(shared).max() > 50.0 * (1.0 - 1e-9)
        assert not (fitted.certificate_.unique and shared.any()) or at_limit, seed
