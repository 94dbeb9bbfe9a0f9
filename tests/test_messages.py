"""What is said of parameters and data: errors name what was wrong, advice works, NumPy's own warnings stay inside."""

import contextlib
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    QuantileRegressor,
    QuantileRegressorCV,
    lad_path,
)
from tests.public import ONE_EACH, REGRESSORS, data_functions

rng = np.random.default_rng(0)
X = rng.standard_normal((50, 3))
y = X[:, 0] + rng.laplace(size=50)
FEW = X[:12]


@pytest.mark.parametrize("rearrange", [False, True])
@pytest.mark.parametrize("quantile", [[0.1, 0.5, 0.9], [0.9, 0.1, 0.5], [0.4], 0.3], ids=str)
def test_predictions_and_scores_are_those_of_the_fit(quantile, rearrange):
    model = QuantileRegressor(quantile=quantile, alpha=0, rearrange=rearrange).fit(FEW, y[:12])
    found, score = model.predict(4 * X), model.score(X, y)
    np.testing.assert_array_equal(model.quantile_, quantile)
    for other in ([0.9, 0.5, 0.1], [0.1, 0.9], [0.2], 0.7):
        model.set_params(quantile=other)
        np.testing.assert_array_equal(model.predict(4 * X), found)
        assert model.score(X, y) == score
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(4 * X), found)


def test_a_model_saved_before_predicts_by_its_parameters():
    model = QuantileRegressor(quantile=[0.9, 0.1], alpha=0, rearrange=True).fit(FEW, y[:12])
    found = model.predict(4 * X)
    del model.quantile_
    np.testing.assert_array_equal(model.predict(4 * X), found)


def test_what_a_path_would_not_use_is_refused():
    for alphas in (100, 5, [0.1, 0.2]):
        with pytest.raises(ValueError, match="alphas must be None where quantiles are given"):
            lad_path(X, y, alphas=alphas, quantiles=[0.5])
    for alpha in (0.5, "pivotal"):
        with pytest.raises(ValueError, match="is for quantiles, of which there are none"):
            lad_path(X, y, alpha=alpha)
    assert lad_path(X, y)[0].size == lad_path(X, y, alphas=100)[0].size == 100


@pytest.mark.parametrize(
    "model",
    [
        LADRegressor(),
        QuantileRegressor(alpha=0),
        LADRegressorCV(alphas=3),
        QuantileRegressorCV(alphas=3),
        LADRegressorIC(alphas=3),
    ],
    ids=str,
)
@pytest.mark.parametrize("solver", ["auto", "linprog"])
def test_an_unknown_method_of_linprog_is_refused(model, solver):
    for method in ("simplex", "interior-point", "HIGHS", 3):
        bad = clone(model).set_params(solver=solver, solver_options={"method": method})
        with pytest.raises(
            ValueError, match=r"solver_options\['method'\] must be one of 'highs', 'highs-ds', 'highs-ipm'"
        ):
            bad.fit(X, y)
    for method in ("highs", "highs-ds", "highs-ipm", None):
        fitted = clone(model).set_params(solver=solver, solver_options={"method": method}).fit(X, y)
        assert fitted.certificate_.relative_gap < 1e-12


@pytest.mark.parametrize("origin", [1e10, 1.7e12, -3e14])
@pytest.mark.parametrize("width", [20_000.0, 1e7])
def test_the_advice_for_far_columns_works(origin, width):
    stamps = np.linspace(origin, origin + width, 24)[:, None]
    target = 0.002 * (stamps.ravel() - stamps[0, 0]) + 5
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        LADRegressor().fit(stamps, target)
    assert all("subtract their means from columns of X far from zero" in str(one.message) for one in told)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LADRegressor().fit(stamps - stamps.mean(), target)


@pytest.mark.parametrize("seed", [127, 150, 180])
def test_a_lasso_of_far_columns_is_warned_of_with_an_excluded_feature_as_well(seed):
    rng = np.random.default_rng(seed)
    far = np.round(100 * (rng.standard_normal((26, 1)) + 0.1 * rng.standard_normal((26, 6)))) + 1.7e16
    target = (rng.random(26) < 0.2) * 1.0
    bounds = ([-2e-4, -np.inf, 1e-4, -np.inf, -1e-4, 0], [-1e-4, np.inf, 2e-4, np.inf, 1e-3, np.inf])
    model = LassoCD(4e-4, bounds=bounds, penalty_weights=[1, 1, 1, 0, 1, np.inf], standardize=True)
    with pytest.warns(ConvergenceWarning, match="subtract their means from columns of X far from zero"):
        model.fit(far, target)


def hostile():
    """Tables at both ends of float64."""
    for column, size in [(300, 0), (-300, 0), (0, 300), (0, -300), (300, 300), (-300, 300), (307, 307.5), (-160, 160)]:
        yield f"X 1e{column}, y 1e{size}", X[:30] * 10.0**column, y[:30] * 10.0**size, None
    for place in (np.s_[3], np.s_[:, 1]):
        for size in (1e300, 1e-300):
            table = X[:30].copy()
            table[place] *= size
            yield f"X[{place}] {size:g}", table, y[:30], None
    for values in ([1e300, 1e300], [1e300, -1e300], [1.7e308, -1.7e308]):
        target = y[:30].copy()
        target[3:5] = values
        yield f"y[3:5] {values}", X[:30], target, None
    for size in (1e300, 1e-300):
        weight = np.ones(30)
        weight[4] = size
        yield f"weight {size:g}", X[:30], y[:30], weight


HOSTILE = list(hostile())


# Both storages of hostile columns, one or the other of hostile targets and weights.
STORED = [(*case, storage) for case in HOSTILE for storage in (np.asarray, sp.csr_array) if case[0].startswith("X")]
OTHERS = [case for case in HOSTILE if not case[0].startswith("X")]
STORED += [(*case, (np.asarray, sp.csr_array)[k % 2]) for k, case in enumerate(OTHERS)]


@pytest.mark.parametrize(
    ("table", "target", "weight", "storage"),
    [case[1:] for case in STORED],
    ids=[f"{case[-1].__name__} {case[0]}" for case in STORED],
)
def test_no_warning_of_numpy_comes_out(table, target, weight, storage):
    table = storage(table)
    with warnings.catch_warnings(), np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)  # of convergence, too
        for model in REGRESSORS if storage is np.asarray else ONE_EACH:
            if not hasattr(model, "verify"):
                continue
            _tried(
                lambda model=model: clone(model).fit(table, target, sample_weight=weight).verify(table, target, weight)
            )
            if hasattr(model, "alpha_max"):
                _tried(lambda model=model: model.alpha_max(table, target, weight))
        for call in data_functions().values():
            _tried(lambda call=call: call(table, target, sample_weight=weight))


def _tried(call):
    with contextlib.suppress(ValueError, OverflowError):
        call()


@pytest.mark.parametrize(
    "model",
    [
        QuantileRegressor(),
        QuantileRegressor(quantile=[0.2, 0.5]),
        QuantileRegressor(alpha=1, positive=True),
        QuantileRegressor(penalty_weights=[1.0, np.inf, 2.0], fit_intercept=False),
    ],
    ids=str,
)
def test_a_default_alpha_that_leaves_nothing_is_told_once(model):
    with pytest.warns(UserWarning, match=r"alpha=1, the default .* makes all coefficients zero") as told:
        clone(model).fit(X, y)
    assert [one.filename for one in told] == [__file__]
    largest = np.max(clone(model).alpha_max(X, y))
    assert f"above {largest:.4g}, the alpha_max" in str(told[0].message)
    part = float(str(told[0].message).split("such as alpha=")[1].split(",")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert clone(model).set_params(alpha=part).fit(X, y).coef_.any()
        clone(model).set_params(alpha=0).fit(X, y)
        clone(model).set_params(alpha=2.0).fit(X, y)
        clone(model).set_params(alpha="pivotal").fit(X, y)
        assert clone(model).fit(1e3 * X, y).coef_.any()


def test_nothing_is_told_where_there_is_nothing_to_select():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        QuantileRegressor().fit(X, np.ones(50))
        QuantileRegressor().fit(np.ones((50, 2)), y)
        QuantileRegressor(penalty_weights=[0.0, 0.0, 0.0]).fit(X, y)
        QuantileRegressor(positive=True).fit(-np.abs(y)[:, None], np.abs(y))
