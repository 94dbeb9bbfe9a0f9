"""Bad input gives the named error, hard input an answer: one test a row of the table of faults."""

import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from ladreg import (
    CombinedLossRegressor,
    ElasticNetCD,
    HuberLossRegressor,
    LADRegressor,
    LassoCD,
    QuantileRegressor,
)

MODELS = [
    LADRegressor(),
    LADRegressor(alpha=0.1),
    QuantileRegressor(alpha=0.1),
    QuantileRegressor(quantile=0.2, alpha=0, positive=True),
    CombinedLossRegressor(),
    CombinedLossRegressor(alpha=0.1),
    HuberLossRegressor(),
    HuberLossRegressor(alpha=0.1, scale=0.5),
    LassoCD(alpha=0.1),
    ElasticNetCD(alpha=0.1, standardize=True),
]
every = pytest.mark.parametrize("model", MODELS, ids=repr)
rng = np.random.default_rng(0)
X = rng.standard_normal((20, 3))
y = rng.standard_normal(20)


def spoiled(array, value):
    array = np.array(array, dtype=float)
    array.flat[3] = value
    return array


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(model, value):
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        clone(model).fit(spoiled(X, value), y)
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        clone(model).fit(sp.csr_array(spoiled(X, value)), y)
    with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)"):
        clone(model).fit(X, spoiled(y, value))
    with pytest.raises(ValueError, match=r"Input sample_weight contains (NaN|infinity)"):
        clone(model).fit(X, y, sample_weight=spoiled(np.ones(20), value))
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        clone(model).fit(X, y).predict(spoiled(X, value))


@every
@pytest.mark.parametrize(
    ("bad_X", "bad_y", "message"),
    [
        (X + 1j, y, "[Cc]omplex"),
        (X, y + 1j, "[Cc]omplex"),
        (X.astype(str), y, None),
        (np.full((20, 3), "a"), y, "convert string"),
        (X, np.full(20, "a"), "y must be numeric"),
        (np.zeros((0, 3)), np.zeros(0), "0 sample"),
        (np.zeros((20, 0)), y, "0 feature"),
        (X[:, 0], y, "Expected 2D array"),
        (X, y[:-1], "inconsistent numbers of samples"),
        (X, np.zeros((20, 2, 2)), "dim"),
        (X, sp.csr_array(y[:, None]), "y must be dense|[Ss]parse"),
        (X, None, "y"),
    ],
)
def test_wrong_data(model, bad_X, bad_y, message):
    if message is None:  # numbers written as text are numbers to scikit-learn
        assert clone(model).fit(bad_X, bad_y).coef_.shape == (3,)
        return
    with pytest.raises(ValueError, match=message):
        clone(model).fit(bad_X, bad_y)


@every
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(20), "Negative values in sample_weight.*got -1"),
        (np.zeros(20), "sample_weight.*zero"),
        (np.ones(19), "inconsistent numbers of samples"),
        (np.ones((20, 2)), r"sample_weight must be one-dimensional, got .*\(20, 2\)"),
        (np.full(20, "a"), "convert string"),
    ],
)
def test_wrong_weights(model, weight, message):
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LADRegressor(alpha=-1), "alpha must be a finite number >= 0, got -1"),
        (LADRegressor(alpha=np.nan), "alpha must be a finite number >= 0, got nan"),
        (LADRegressor(alpha="1"), "alpha must be .* got '1'"),
        (LADRegressor(alpha=None), "alpha must be .* got None"),
        (LADRegressor(solver="simplex"), "solver must be one of 'auto', 'linprog'; got 'simplex'"),
        (LADRegressor(solver_options=3), "solver_options must be None or a dict, got 3"),
        (LADRegressor(fit_intercept="yes"), "fit_intercept must be True or False, got 'yes'"),
        (LADRegressor(max_iter=0), "max_iter must be None or an integer >= 1, got 0"),
        (LADRegressor(tol=-1), "tol must be"),
        (LADRegressor(warm_start=2), "warm_start must be True or False"),
        (LADRegressor(positive=1), "positive must be True or False, got 1"),
        (LADRegressor(penalty_weights=[1, 1, -1]), r"penalty_weights must be >= 0 .*got -1"),
        (LADRegressor(penalty_weights=[1, 1, np.nan]), r"penalty_weights must be >= 0 .*got nan"),
        (LADRegressor(penalty_weights=[1, 2]), r"penalty_weights must have shape \(3,\), .* got \(2,\)"),
        (QuantileRegressor(quantile=0), "quantile must be a finite number strictly between 0 and 1, got 0"),
        (QuantileRegressor(quantile=1.0), "quantile must be .* strictly between 0 and 1, got 1.0"),
        (QuantileRegressor(quantile=np.nan), "quantile must be .* got nan"),
        (QuantileRegressor(quantile="0.5"), "quantile must be .* got '0.5'"),
        (QuantileRegressor(quantile=None), "quantile must be .* got None"),
        (QuantileRegressor(quantile=[]), "quantile must be a number or a list of at least one, got"),
        (QuantileRegressor(quantile=[[0.5]]), "quantile must be a number or a list of at least one, got"),
        (QuantileRegressor(quantile=[0.5, 1]), "quantile must be .* strictly between 0 and 1, got 1"),
        (QuantileRegressor(quantile=[0.5, np.nan]), "quantile must be .* got nan"),
        (QuantileRegressor(quantile=["a"]), "quantile must be .* got 'a'"),
        (QuantileRegressor(rearrange=None), "rearrange must be True or False, got None"),
        (QuantileRegressor(solver="interior-point"), "solver must be one of .*'highs-ipm'; got 'interior-point'"),
        (QuantileRegressor(alpha=-1), "alpha must be a finite number >= 0, got -1"),
        (CombinedLossRegressor(l1_ratio=-0.1), "l1_ratio must be a finite number from 0 to 1, got -0.1"),
        (CombinedLossRegressor(l1_ratio=1.1), "l1_ratio must be a finite number from 0 to 1, got 1.1"),
        (CombinedLossRegressor(alpha=np.inf), "alpha must be"),
        (HuberLossRegressor(epsilon=0), "epsilon must be a finite number > 0, got 0"),
        (HuberLossRegressor(epsilon=-1), "epsilon must be .* got -1"),
        (HuberLossRegressor(epsilon=np.inf), "epsilon must be .* got inf"),
        (HuberLossRegressor(scale="iqr"), "scale must be a number > 0 or 'mad', got 'iqr'"),
        (HuberLossRegressor(scale=0.0), "scale must be .* got 0.0"),
        (HuberLossRegressor(scale=None), "scale must be .* got None"),
        (HuberLossRegressor(max_iter=0), "max_iter must be None or an integer >= 1, got 0"),
        (LassoCD(alpha=-0.5), "alpha must be a finite number >= 0, got -0.5"),
        (LassoCD(alpha=np.inf), "alpha must be"),
        (LassoCD(max_iter=1.5), "max_iter must be an integer >= 1, got 1.5"),
        (LassoCD(max_iter=None), "max_iter must be an integer >= 1, got None"),
        (LassoCD(tol=np.nan), "tol must be"),
        (LassoCD(positive=None), "positive must be True or False, got None"),
        (LassoCD(fit_intercept=1), "fit_intercept must be True or False"),
        (LassoCD(warm_start="a"), "warm_start must be True or False"),
        (LassoCD(standardize=None), "standardize must be True or False"),
        (LassoCD(precompute=np.eye(3)), "precompute must be one of 'auto', True, False"),
        (
            LassoCD(penalty_weights=[1, 2]),
            r"penalty_weights must have shape \(\d+,\), one weight a feature, got \(2,\)",
        ),
        (LassoCD(penalty_weights="heavy"), "penalty_weights must be numbers"),
        (ElasticNetCD(l1_ratio=1.1), "l1_ratio must be a finite number from 0 to 1, got 1.1"),
        (ElasticNetCD(l1_ratio=None), "l1_ratio must be"),
    ],
    ids=repr,
)
def test_wrong_parameters(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    if hasattr(model, "alpha_max"):
        with pytest.raises(ValueError, match=message):
            model.alpha_max(X, y)


def test_several_quantiles_of_several_targets_are_refused():
    with pytest.raises(ValueError, match="y must be one-dimensional where quantile is a list"):
        QuantileRegressor(quantile=[0.2, 0.8]).fit(X, np.column_stack([y, y]))


@every
def test_not_fitted(model):
    fresh = clone(model)
    for attempt in (lambda: fresh.predict(X), lambda: fresh.verify(X, y), lambda: fresh.certificate_):
        with pytest.raises(NotFittedError):
            attempt()
    assert not hasattr(fresh, "certificate_")


@every
def test_wrong_number_of_features(model):
    fitted = clone(model).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        fitted.predict(X[:, :2])
    with pytest.raises(ValueError, match="features"):
        fitted.verify(X[:, :2], y)


@every
@pytest.mark.parametrize(
    ("hard_X", "hard_y"),
    [
        (np.ones((10, 2)), np.arange(10.0)),
        (np.zeros((10, 2)), np.arange(10.0)),
        (np.repeat(np.arange(10.0)[:, None], 3, axis=1), np.arange(10.0) ** 2),
        (np.column_stack([np.arange(10.0), 2 * np.arange(10.0) + 1]), np.arange(10.0) ** 2),
        (np.tile([[1.0, 2.0]], (10, 1)), np.arange(10.0)),
        (X, np.full(20, 7.0)),
        (X, np.zeros(20)),
        (np.array([[1.0, 2.0]]), np.array([3.0])),
        (rng.standard_normal((4, 30)), np.arange(4.0)),
        (np.full((5, 1), 1e-320), np.arange(5.0)),
    ],
    ids=[
        "constant",
        "zero",
        "duplicate",
        "collinear",
        "equal rows",
        "constant y",
        "zero y",
        "n = 1",
        "p > n",
        "denormal",
    ],
)
def test_degenerate_data_have_a_finite_certified_answer(model, hard_X, hard_y):
    fitted = clone(model).fit(hard_X, hard_y)
    assert np.isfinite(fitted.coef_).all()
    assert np.isfinite(fitted.intercept_)
    assert fitted.certificate_.relative_gap < 1e-9


@every
def test_constant_columns_get_no_coefficient(model):
    wide = np.column_stack([X, np.full(20, 0.1)])
    fitted = clone(model).fit(wide, y)
    assert fitted.coef_[-1] == 0.0
    np.testing.assert_allclose(fitted.coef_[:-1], clone(model).fit(X, y).coef_, rtol=1e-9)


@every
def test_rows_of_weight_zero_are_as_if_absent(model):
    weight = np.ones(20)
    weight[:5] = 0
    wild = y.copy()
    wild[:5] = 1e200
    one = clone(model).fit(X, wild, sample_weight=weight)
    other = clone(model).fit(X[5:], y[5:])
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e160, 1e200, 1e300])
def test_squares_that_overflow_are_an_error(scale):
    for model in (LassoCD(alpha=0.1), CombinedLossRegressor(), HuberLossRegressor()):
        with pytest.raises(OverflowError, match="Scale y"):
            clone(model).fit(X, scale * y)
    for model in (LADRegressor(), QuantileRegressor(quantile=0.2, alpha=0), HuberLossRegressor(scale=1.0)):
        assert clone(model).fit(X, scale * y).certificate_.relative_gap < 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_iteration_limit_warns_and_keeps_the_best(alpha):
    with pytest.warns(ConvergenceWarning, match=r"proved to be within .* Raise max_iter|raise max_iter"):
        model = LADRegressor(alpha=alpha, max_iter=1, solver="linprog").fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.objective_ <= np.mean(np.abs(y - np.median(y))) * (1 + 1e-12)
    best = LADRegressor(alpha=alpha).fit(X, y).objective_
    assert model.certificate_.bound <= best <= model.objective_


def test_epoch_limit_warns():
    wide = np.random.default_rng(1).standard_normal((30, 200))
    with pytest.warns(ConvergenceWarning, match="LassoCD did not reach tol"):
        model = LassoCD(alpha=0.001, max_iter=1).fit(wide, wide[:, 0] ** 2)
    assert np.isfinite(model.coef_).all()


def test_a_limit_of_steps_warns_and_keeps_a_bound():
    model = CombinedLossRegressor(max_iter=1)
    with pytest.warns(ConvergenceWarning, match="[Rr]aise max_iter"):
        fitted = clone(model).fit(X, y**3)
    best = clone(model).set_params(max_iter=None).fit(X, y**3).objective_
    assert fitted.certificate_.bound <= best * (1 + 1e-12)
    assert best <= fitted.objective_ * (1 + 1e-12)


def test_time_limit_warns():
    big = np.random.default_rng(1).standard_normal((4000, 20))
    with pytest.warns(ConvergenceWarning, match="raise time_limit in solver_options"):
        LADRegressor(solver="linprog", solver_options={"time_limit": 1e-3}).fit(big, big[:, 0] ** 2)


def test_solver_failure_warns_and_a_wrong_option_raises(monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, TypeError, Warning), match=r"(?i)method|option"):
            LADRegressor(solver="linprog", solver_options={"method": "nonsense"}).fit(X, y)

    def broken(*args, **kwargs):
        return scipy.optimize.OptimizeResult(x=None, status=4, nit=3, message="numerical difficulties")

    monkeypatch.setattr(scipy.optimize, "linprog", broken)
    with pytest.warns(ConvergenceWarning, match="solver failed"):
        model = LADRegressor(solver="linprog").fit(X, y)
    assert np.isfinite(model.coef_).all()


def test_several_targets_warn_once_and_name_the_worst():
    with pytest.warns(ConvergenceWarning, match="2 of 2 fits") as caught:
        LADRegressor(max_iter=1, solver="linprog").fit(X, np.column_stack([y, 100 * y**3]))
    assert len(caught) == 1


@every
def test_a_failed_fit_leaves_the_estimator_as_it_was(model):
    fitted = clone(model).fit(X, y)
    before = fitted.coef_.copy()
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(X, spoiled(y, np.nan))
    np.testing.assert_array_equal(fitted.coef_, before)
    np.testing.assert_array_equal(fitted.predict(X), clone(model).fit(X, y).predict(X))
