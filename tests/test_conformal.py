"""Intervals cover new targets as often as they say, whatever the data, and say so where there are too few rows."""

import pickle
from fractions import Fraction
from math import ceil

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

from ladreg import ConformalQuantileRegressor, QuantileRegressor
from ladreg.metrics import d2_pinball_score

pytestmark = pytest.mark.filterwarnings("ignore:.*rows are too few to calibrate:UserWarning")
rng = np.random.default_rng(0)
X = rng.uniform(0, 4, (80, 2))
y = X[:, 0] + (0.5 + X[:, 0]) * rng.standard_normal(80)


@parametrize_with_checks(
    [
        ConformalQuantileRegressor(),
        ConformalQuantileRegressor(coverage=0.7, calibration_size=0.3, alpha=0.01, positive=True, fit_intercept=False),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def drawn(rng, n):
    """A quadratic with skewed errors, which no line fits."""
    X = rng.standard_normal((n, 2))
    return X, X[:, 0] ** 2 + rng.exponential(1 + np.abs(X[:, 1]), n)


@pytest.mark.parametrize("coverage", [0.6, 0.9])
def test_new_targets_are_covered_in_small_samples_of_a_wrong_model(coverage):
    """Over samples and targets the share is between c and c + 1/(m + 1): 60 samples of 19 rows that calibrate."""
    shares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        model = ConformalQuantileRegressor(coverage=coverage, calibration_size=19, random_state=seed, alpha=0.01)
        model.fit(*drawn(rng, 40))
        new, target = drawn(rng, 400)
        low, high = model.predict_interval(new).T
        shares.append(np.mean((low <= target) & (target <= high)))
    error = np.std(shares) / np.sqrt(len(shares))
    assert coverage - 4 * error <= np.mean(shares) <= coverage + 1 / 20 + 4 * error


def test_new_targets_of_another_population_are_covered_by_weights():
    """Rows where x is large are rare in the sample and common among the new ones; the weights are the ratio."""
    shares = {"weighted": [], "not": []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x, new = rng.uniform(0, 1, 200), np.sqrt(rng.uniform(0, 1, 400))
        y, target = x**3 * rng.standard_normal(200), new**3 * rng.standard_normal(400)
        for name, weight, later in (("weighted", 2 * x, 2 * new), ("not", None, None)):
            model = ConformalQuantileRegressor(coverage=0.8, random_state=seed, fit_intercept=False)
            model.fit(np.ones((200, 1)), y, sample_weight=weight)
            low, high = model.predict_interval(np.ones((400, 1)), sample_weight=later).T
            shares[name].append(np.mean((low <= target) & (target <= high)))
    assert np.mean(shares["weighted"]) > 0.8 - 4 * np.std(shares["weighted"]) / np.sqrt(30)
    assert np.mean(shares["not"]) < 0.75


@pytest.mark.parametrize("coverage", [0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 2 / 3])
@pytest.mark.parametrize("number", [9, 19, 20, 39])
def test_the_correction_is_the_order_statistic(coverage, number):
    model = ConformalQuantileRegressor(coverage=coverage, calibration_size=number, random_state=1).fit(X, y)
    ends = QuantileRegressor(quantile=[0.5 - coverage / 2, 0.5, 0.5 + coverage / 2], alpha=0, rearrange=True)
    rows = model.calibration_rows_
    others = np.setdiff1d(np.arange(80), rows)
    lines = ends.fit(X[others], y[others]).predict(X[rows])
    scores = np.sort(np.maximum(lines[:, 0] - y[rows], y[rows] - lines[:, 2]))
    k = ceil(Fraction(coverage).limit_denominator(1000) * (number + 1))
    assert rows.size == number
    assert model.correction_ == (scores[k - 1] if k <= number else np.inf)
    np.testing.assert_array_equal(model.calibration_scores_, scores)
    inside = model.predict_interval(X[rows])
    covered = (inside[:, 0] - 1e-12 <= y[rows]) & (y[rows] <= inside[:, 1] + 1e-12)
    assert covered.sum() >= min(k, number)


def test_weights_of_calibration_are_those_of_repeated_scores():
    """For a new row of weight w: the smallest score below which is a share c of all weights with w."""
    weight = rng.integers(1, 4, 80).astype(float)
    model = ConformalQuantileRegressor(coverage=0.8, random_state=0).fit(X, y, sample_weight=7 * weight)
    assert model.mean_weight_ == pytest.approx(7 * weight[model.calibration_rows_].mean())
    rows = model.calibration_rows_
    lines = X[rows] @ model.coef_.T + model.intercept_
    scores = np.maximum(lines[:, 0] - y[rows], y[rows] - lines[:, 2])
    for own in (1.0, 2.0, 30.0):
        width = np.diff(model.predict_interval(X[:1], sample_weight=[7 * own]))[0, 0]
        total = weight[rows].sum() + own
        enough = [s for s in scores if weight[rows][scores <= s].sum() >= 0.8 * total - 1e-9]
        line = X[0] @ model.coef_.T + model.intercept_
        assert width == pytest.approx(line[2] - line[0] + 2 * min(enough, default=np.inf))


def test_too_few_rows_are_told_with_the_number_that_is_needed():
    message = r"8 rows are too few to calibrate a coverage of 0.9.*at least 9 calibration rows, that is {} rows"
    with pytest.warns(UserWarning, match=message.format(18)):
        model = ConformalQuantileRegressor(random_state=0).fit(X[:16], y[:16])
    assert np.isinf(model.correction_)
    np.testing.assert_array_equal(model.predict_interval(X[:1]), [[-np.inf, np.inf]])
    with pytest.warns(UserWarning, match=message.format(21)):
        ConformalQuantileRegressor(calibration_size=8).fit(X[:20], y[:20])
    assert np.isfinite(ConformalQuantileRegressor().fit(X[:18], y[:18]).correction_)
    with pytest.warns(UserWarning, match="at least 19 calibration rows"):
        ConformalQuantileRegressor(coverage=0.95).fit(X[:30], y[:30])
    with pytest.raises(ValueError, match="n_samples=80 with calibration_size=80 leaves no row"):
        ConformalQuantileRegressor(calibration_size=80).fit(X, y)


def test_groups_and_other_parameters_are_refused():
    model = ConformalQuantileRegressor()
    with pytest.raises(TypeError, match="rows of one group are not exchangeable"):
        model.fit(X, y, groups=np.arange(80))
    with pytest.raises(TypeError, match="unexpected argument 'weights'"):
        model.fit(X, y, weights=np.ones(80))
    with pytest.raises(ValueError, match="got 2 targets"):
        model.fit(X, np.column_stack([y, y]))
    with pytest.raises(NotFittedError):
        model.predict_interval(X)


def test_units_and_rows_of_weight_zero():
    model = ConformalQuantileRegressor(coverage=0.8, random_state=0).fit(X, y)
    other = clone(model).fit(1e6 * X, 1e-3 * y)
    np.testing.assert_allclose(other.predict_interval(1e6 * X), 1e-3 * model.predict_interval(X), rtol=1e-9)
    model = ConformalQuantileRegressor(coverage=0.8, calibration_size=20, random_state=0)
    weight = np.repeat([1.0, 0.0], 40)
    found, wild = model.fit(X, np.where(weight > 0, y, 1e9), sample_weight=weight), clone(model).fit(X[:40], y[:40])
    np.testing.assert_allclose(found.predict_interval(X), wild.predict_interval(X), rtol=1e-12)


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix, sp.coo_array, np.float32, pd.DataFrame])
def test_containers(container):
    plain, table = X, container(X)
    if container is pd.DataFrame:
        table.columns = ["a", "b"]
    if container is np.float32:
        plain = np.float64(table)
    wanted = ConformalQuantileRegressor(random_state=0).fit(plain, y)
    model = ConformalQuantileRegressor(random_state=0).fit(table, y)
    np.testing.assert_allclose(model.predict_interval(table), wanted.predict_interval(plain), rtol=1e-5)


def test_categories_in_a_pipeline():
    frame = pd.DataFrame({"size": X[:, 0], "kind": np.array(["a", "b", "c", "d"])[np.arange(80) % 4]})
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    pipeline = make_pipeline(columns, ConformalQuantileRegressor(random_state=0)).fit(frame, y)
    median, interval = pipeline.predict(frame, return_interval=True)
    assert (median.shape, interval.shape) == ((80,), (80, 2))
    np.testing.assert_array_equal(median, pipeline.predict(frame))
    np.testing.assert_array_equal(interval, pipeline[-1].predict_interval(pipeline[:-1].transform(frame)))
    assert cross_val_score(pipeline, frame, y, cv=3).shape == (3,)


def test_the_fit_is_proved_and_what_is_set_later_changes_nothing():
    model = ConformalQuantileRegressor(random_state=0, coverage=0.8, alpha="pivotal").fit(X, y)
    before, score = model.predict_interval(X), model.score(X, y)
    lines = np.column_stack([before[:, 0], model.predict(X), before[:, 1]])
    assert score == pytest.approx(d2_pinball_score(y, lines, quantile=[0.1, 0.5, 0.9]))
    copy = pickle.loads(pickle.dumps(model)).set_params(coverage=0.5, calibration_size=3)
    np.testing.assert_array_equal(copy.predict_interval(X, sample_weight=np.ones(80)), before)
    assert copy.score(X, y) == score
    assert all(proof.relative_gap < 1e-9 for proof in [*model.certificate_, *model.verify(X, y)])
    assert max(proof.relative_gap for proof in model.verify(X, -y)) > 0.01
