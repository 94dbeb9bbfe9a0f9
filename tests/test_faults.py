"""Bad input gives the named error, at once, whichever estimator or function it is given to."""

import inspect
import re
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import KFold

import ladreg
from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor
from tests.public import (
    CROSS_VALIDATED,
    ESTIMATORS,
    ONE_EACH,
    PLAIN,
    REGRESSORS,
    SELECTORS,
    TUNED,
    classes,
    data_functions,
    functions,
    metric_functions,
    scorer_makers,
)

every = pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
every_regressor = pytest.mark.parametrize("model", REGRESSORS, ids=repr)
every_plain = pytest.mark.parametrize("model", PLAIN, ids=repr)
every_function = pytest.mark.parametrize("name", data_functions())
rng = np.random.default_rng(0)
X = rng.standard_normal((20, 3))
y = rng.standard_normal(20)


def spoiled(array, value):
    array = np.array(array, dtype=float)
    array.flat[3] = value
    return array


def test_no_public_name_is_forgotten():
    assert {type(model) for model in ESTIMATORS} == set(classes())
    covered = {name for name in data_functions() if hasattr(ladreg, name)} | {
        each.__name__ for each in [*metric_functions(), *scorer_makers()]
    }
    assert covered == {each.__name__ for each in functions()}


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(model, value):
    wrong = r"contains (NaN|infinity)"
    for bad in (spoiled(X, value), sp.csr_array(spoiled(X, value)), sp.csc_matrix(spoiled(X, value))):
        with pytest.raises(ValueError, match=f"Input X {wrong}"):
            clone(model).fit(bad, y)
    with pytest.raises(ValueError, match=f"Input y {wrong}"):
        clone(model).fit(X, spoiled(y, value))
    with pytest.raises(ValueError, match=f"Input sample_weight {wrong}"):
        clone(model).fit(X, y, sample_weight=spoiled(np.ones(20), value))
    fitted = clone(model).fit(X, y)
    use = fitted.predict if hasattr(fitted, "predict") else fitted.transform
    with pytest.raises(ValueError, match=f"Input X {wrong}"):
        use(spoiled(X, value))


@every_function
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_in_functions(name, value):
    call, wrong = data_functions()[name], r"contains (NaN|infinity)"
    with pytest.raises(ValueError, match=f"Input X {wrong}"):
        call(spoiled(X, value), y)
    with pytest.raises(ValueError, match=f"Input sample_weight {wrong}"):
        call(X, y, sample_weight=spoiled(np.ones(20), value))
    if name != "pivotal_alpha":
        with pytest.raises(ValueError, match=f"Input y {wrong}"):
            call(X, spoiled(y, value))


WRONG_DATA = [
    (X + 1j, y, "[Cc]omplex"),
    (X, y + 1j, "[Cc]omplex"),
    (X.astype(str), y, None),
    (np.full((20, 3), "a"), y, "convert string|bytes/strings"),
    (X, np.full(20, "a"), "y must be numeric|dtype='numeric'|convert string"),
    (np.zeros((0, 3)), np.zeros(0), "0 sample"),
    (np.zeros((20, 0)), y, "0 feature"),
    (X[:, 0], y, "Expected 2D array"),
    (X, y[:-1], "inconsistent numbers of samples"),
    (X, np.zeros((20, 2, 2)), "dim"),
    (X, sp.csr_array(y[:, None]), "y must be dense|[Ss]parse"),
    (X, None, "y"),
]


@every
@pytest.mark.parametrize(("bad_X", "bad_y", "message"), WRONG_DATA)
def test_wrong_data(model, bad_X, bad_y, message):
    if message is None and hasattr(model, "predict"):  # numbers written as text are numbers to scikit-learn
        assert clone(model).fit(bad_X, bad_y).n_features_in_ == 3
        return
    with pytest.raises(ValueError, match=message):
        clone(model).fit(bad_X, bad_y)


@every_function
@pytest.mark.parametrize(("bad_X", "bad_y", "message"), [row for row in WRONG_DATA if row[2]])
def test_wrong_data_in_functions(name, bad_X, bad_y, message):
    if name == "pivotal_alpha" and (bad_X is X or message == "inconsistent numbers of samples"):
        return  # it takes no y
    with pytest.raises(ValueError, match=message):
        data_functions()[name](bad_X, bad_y)


WRONG_WEIGHTS = [
    (-np.ones(20), "Negative values in sample_weight.*got -1"),
    (np.zeros(20), "sample_weight.*zero"),
    (np.ones(19), "inconsistent numbers of samples"),
    (np.ones((20, 2)), r"sample_weight must be one-dimensional, got .*\(20, 2\)"),
    (np.full(20, "a"), "convert string"),
    (np.full(20, 1j), "[Cc]omplex"),
]


@every
@pytest.mark.parametrize(("weight", "message"), WRONG_WEIGHTS)
def test_wrong_weights(model, weight, message):
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, y, sample_weight=weight)


@every_function
@pytest.mark.parametrize(("weight", "message"), WRONG_WEIGHTS)
def test_wrong_weights_in_functions(name, weight, message):
    with pytest.raises(ValueError, match=message):
        data_functions()[name](X, y, sample_weight=weight)


@pytest.mark.parametrize("function", metric_functions(), ids=lambda function: function.__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_wrong_predictions(function, value):
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        function(spoiled(y, value), y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        function(y, spoiled(y, value))
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        function(y, y, sample_weight=spoiled(np.ones(20), value))
    for bad, message in ((y[:-1], "inconsistent"), (np.full(20, "a"), "string|numeric"), (np.zeros(0), "sample")):
        with pytest.raises(ValueError, match=message):
            function(y, bad)
    with pytest.raises(ValueError, match=r"sample_weight|inconsistent"):
        function(y, y, sample_weight=np.ones(19))


# What each parameter may not be, and what is said then; the value received is named where it is a number.
REAL = "{name} must be .*got {value}"
BAD = {
    "alpha_per_target": ([1, None, "a"], "alpha_per_target must be True or False, got {value}"),
    "alpha": ([-1, -0.5, np.nan, np.inf, "1", None], REAL),
    "alphas": ([0, -1, 2.5, "a", [], [-1.0], [np.nan], [0.1, -0.1], ["a"], np.inf, 200_000], "alphas?"),
    "bounds": ([3, (1, 0), (np.nan, 1), ([0, 0], 1), (0, 1, 2), ("a", 1), (np.inf, np.inf)], "bounds"),
    "callbacks": ([3, [3], "bar"], "callbacks must be None or a list of callbacks .* got {value}"),
    "bandwidth": ([0, 1, np.nan, "silverman", None], "bandwidth must be .*got {value}"),
    "assumption": (["none", 1], "assumption must be one of .* got {value}"),
    "bootstrap": (["wild", None], "bootstrap must be one of 'pairs', 'exponential'; got {value}"),
    "calibration_size": ([0, -1, 0.0, 1.0, np.nan, "half", None], REAL),
    "coverage": ([0, 1, np.nan, "0.9", None], REAL),
    "confidence": ([0, 1, np.nan, "a"], REAL),
    "criterion": (["mallows", None], "criterion must be one of 'aic', 'bic', 'ebic'; got {value}"),
    "cv": ([0, 1, "a", 99, [], [1, 2], ["ab"], [([0, 1],)], [([0], [])], [([], [0])]], "cv|n_splits"),
    "delta": ([0, -1, np.nan, "a"], REAL),
    "density": (["none", None], "density must be one of 'robust', 'iid'; got {value}"),
    "ebic_gamma": ([-1, np.nan, None], REAL),
    "eps": ([0, -1, np.nan, "a", None], REAL),
    "epsilon": ([0, -1, np.inf, "a"], REAL),
    "fit_intercept": (["yes", 1, None], "fit_intercept must be True or False, got {value}"),
    "gamma": ([0, -1, np.nan, "a", None], REAL),
    "groups": ([np.zeros(20)], "groups must have at least two groups|pass exactly one of groups"),
    "importance_getter": ([3, None], "importance_getter must be a string or a function, got {value}"),
    "interpolate": ([1, None], "interpolate must be True or False, got {value}"),
    "interval": (["basic", None], "interval must be one of 't', 'percentile'; got {value}"),
    "kernel": (["normal", None], "kernel must be one of 'uniform', 'gaussian'; got {value}"),
    "l1_ratio": ([-0.1, 1.1, np.nan, "a", None], "l1_ratio must be a finite number from 0 to 1, got {value}"),
    "lags": ([0, -1, 1.5, "a"], "lags must be an integer >= 1, got {value}"),
    "level": ([0, 1, np.nan, "0.9", None], REAL),
    "max_false_selections": ([0, -1, "a"], REAL),
    "max_features": ([0, -1, 1.5, "a"], "max_features must be None or an integer >= 1, got {value}"),
    "max_features_per_fit": ([0, 1.5, "a"], REAL),
    "max_iter": ([0, -1, 1.5, "a", True], "max_iter must be .*an integer >= 1, got {value}"),
    "method": (["nid", None], "method must be one of .*got {value}"),
    "n_bootstrap": ([0, 1, 1.5, None], REAL),
    "n_jobs": ([0, "two"], "n_jobs"),
    "n_pairs": ([0, 1.5, None], REAL),
    "n_simulations": ([0, 1.5, None], REAL),
    "noise_variance": ([0, -1, np.nan, "a"], REAL),
    "parameter": (["beta", 3], "no parameter {value}"),
    "penalty_l1_ratio": ([-0.1, 1.1, np.nan, "a", None], "penalty_l1_ratio must be .* from 0 to 1, got {value}"),
    "penalty_weights": ([[1, 2], -np.ones(3), [1, 1, np.nan], "heavy"], "penalty_weights must"),
    "positive": ([1, None, "a"], "positive must be True or False, got {value}"),
    "post_selection": ([-0.1, 1.1, "a"], REAL),
    "precompute": (["gram", None], "precompute must be one of 'auto', True, False; got {value}"),
    "quantile": ([0, 1.0, np.nan, "0.5", None, [], [0.5, 1], [[0.5]]], "quantile must"),
    "quantile_range": ([0.5, (0.1, 0.2, 0.3), (0.0, 0.5), (0.5, 1.0), (0.6, 0.4), [0.1, None]], "quantile_range must"),
    "quantiles": ([[0, 0.5], [np.nan], [[0.5]], []], "quantile must"),
    "n_alphas": ([0, -1, 2.5, "a"], "n_alphas must be None or an integer >= 1, got {value}"),
    "random_state": ([-1, "seed"], "[Ss]eed"),
    "rearrange": ([None, 1], "rearrange must be True or False, got {value}"),
    "return_intercept": ([1, None], "return_intercept must be True or False, got {value}"),
    "return_n_iter": ([1, None], "return_n_iter must be True or False, got {value}"),
    "scale": (["iqr", 0.0, -1, np.inf, None], "scale must .*got {value}"),
    "sigma": ([0, -1, np.nan, "a"], REAL),
    "scoring": (["best", 3, ["r2"]], "scoring must be None, the name of .*got {value}"),
    "selection": (["max", None], "selection must be one of '(min|cyclic)', '(1se|random)'; got {value}"),
    "slack": ([0, -1, np.inf], REAL),
    "solver": (["simplex", None, 3], "solver must be one of 'auto', 'linprog'.* got {value}"),
    "solver_options": ([3, "fast"], "solver_options must be None or a dict, got {value}"),
    "standardize": ([None, 1], "standardize must be True or False, got {value}"),
    "threshold": ([-0.1, 1.1, np.nan, "half"], "threshold must .*got {value}"),
    "tol": ([-1, np.nan, np.inf, "a", None], REAL),
    "verbose": (["loud", None], "verbose must be .*got {value}"),
    "weakness": ([0, -0.5, 1.5, np.nan, "a"], "weakness must be .*got {value}"),
    "weights": (["analytic", None], "weights must be one of 'probability', 'frequency'; got {value}"),
    "warm_start": ([2, None], "warm_start must be True or False, got {value}"),
    "step": ([0, -1, 1.5, "a", True], "step must be an integer >= 1, got {value}"),
    "window": ([0, -1, 1.5, "a", True], "window must be an integer >= 1, got {value}"),
}
# These have their own tests, or are not used, or are any object.
ELSEWHERE = {"X", "y", "sample_weight", "Xy", "copy_X", "coef_init", "check_input", "estimator"}
ELSEWHERE |= {"y_true", "y_pred", "multioutput", "model"}


def refused(name, value, call):
    """The call raises a ValueError with the words of the table."""
    given = f"np.{value!r}" if isinstance(value, np.generic) else repr(value)
    message = BAD[name][1].replace("{name}", name).replace("{value}", re.escape(given))
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("model", ONE_EACH, ids=lambda model: type(model).__name__)
def test_wrong_parameters(model):
    for name in set(model.get_params(deep=False)) - ELSEWHERE:
        for value in BAD[name][0]:
            wrong = clone(model).set_params(**{name: value})
            refused(name, value, lambda wrong=wrong: wrong.fit(X, y))
            if hasattr(model, "alpha_max") and "mad" not in str(value):
                refused(name, value, lambda wrong=wrong: wrong.alpha_max(X, y))


@every_function
def test_wrong_parameters_of_functions(name):
    function = getattr(ladreg, name, ladreg.lad_path)
    # A Gram matrix counts as True, and truth is all that a function asks of `verbose`; a path has alphas or quantiles.
    unused = {"precompute", "verbose"} | {
        "lad_path": {"alpha"},
        "quantile_grid": {"alphas", "eps", "max_features"},
    }.get(name, set())
    for parameter in set(inspect.signature(function).parameters) - ELSEWHERE - unused:
        for value in BAD[parameter][0]:
            refused(parameter, value, lambda p=parameter, value=value: data_functions()[name](X, y, **{p: value}))


@pytest.mark.parametrize("function", metric_functions(), ids=lambda function: function.__name__)
def test_wrong_parameters_of_metrics(function):
    for parameter in set(inspect.signature(function).parameters) - ELSEWHERE:
        for value in BAD[parameter][0]:
            if (parameter, value) != ("quantile", 1.0) and value != 0:  # the ends are losses, though not of a quantile
                refused(parameter, value, lambda p=parameter, value=value: function(y, y, **{p: value}))


def test_several_quantiles_of_several_targets_are_refused():
    with pytest.raises(ValueError, match="y must be one-dimensional if quantile is a list"):
        QuantileRegressor(quantile=[0.2, 0.8]).fit(X, np.column_stack([y, y]))


@every
def test_not_fitted(model):
    fresh = clone(model)
    attempts = [lambda: fresh.predict(X), lambda: fresh.verify(X, y), lambda: fresh.certificate_]
    for attempt in attempts if hasattr(model, "predict") else [lambda: fresh.transform(X), fresh.get_support]:
        with pytest.raises(NotFittedError):
            attempt()
    assert not hasattr(fresh, "certificate_")


@every
def test_wrong_number_of_features(model):
    fitted = clone(model).fit(X, y)
    if not hasattr(fitted, "predict"):
        with pytest.raises(ValueError, match="features"):
            fitted.transform(X[:, :2])
        return
    with pytest.raises(ValueError, match="features"):
        fitted.predict(X[:, :2])
    with pytest.raises(ValueError, match="features"):
        fitted.verify(X[:, :2], y)


ROWS = np.arange(20)
cross_validated = pytest.mark.parametrize("model", CROSS_VALIDATED, ids=repr)


@cross_validated
@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (lambda: iter(()), "cv yields no folds: an iterator can be used only once"),
        (lambda: [(ROWS, [])], "fold 0 of cv has no held-out rows"),
        (lambda: [(ROWS[:10], ROWS[10:]), ([], ROWS)], "fold 1 of cv has no training rows"),
        (lambda: [(ROWS, [20])], "cv yields row 20, but there are 20 rows"),
        (lambda: [([-21], ROWS)], "cv yields row -21, but there are 20 rows"),
        (lambda: [(ROWS, [0.5])], "cv must yield indices of rows, or masks"),
        (lambda: [(ROWS, ["a"])], "cv must yield indices of rows, or masks"),
        (lambda: [(np.ones(19, dtype=bool), ROWS)], "cv yields a mask of 19 rows, but there are 20"),
        (lambda: KFold(21), "n_splits=21 greater than the number of samples"),
    ],
)
def test_folds_that_make_no_sense(model, cv, message):
    with pytest.raises(ValueError, match=message):
        clone(model).set_params(cv=cv()).fit(X, y)


@cross_validated
def test_an_exhausted_iterator_of_folds(model):
    once = clone(model).set_params(cv=KFold(2).split(X)).fit(X, y)
    with pytest.raises(ValueError, match="cv yields no folds: an iterator can be used only once"):
        once.fit(X, y)


@cross_validated
def test_a_single_row_cannot_be_cross_validated(model):
    with pytest.raises(ValueError, match="greater than the number of samples: n_samples=1"):
        clone(model).fit([[1.0, 2.0]], [3.0])


@pytest.mark.parametrize("model", [*TUNED, *SELECTORS], ids=repr)
def test_absurdly_many_alphas_are_refused_before_anything_is_computed(model, monkeypatch):
    for step in {"_candidates", "_prepared", "_settings"} & set(dir(model)):
        monkeypatch.setattr(type(model), step, None)
    for alphas in (10**18, np.broadcast_to(1.0, 10**12)):
        with pytest.raises(ValueError, match="alphas must be between 1 and 100000"):
            clone(model).set_params(alphas=alphas).fit(X, y)


@pytest.mark.parametrize("name", ["lasso_path", "enet_path", "lad_path", "quantile_path"])
def test_absurdly_many_alphas_of_a_path_are_refused(name):
    for alphas in (10**18, np.broadcast_to(1.0, 10**12)):
        with pytest.raises(ValueError, match="alphas must be between 1 and 100000"):
            data_functions()[name](X, y, alphas=alphas)


@pytest.mark.parametrize("model", TUNED, ids=repr)
def test_alphas_in_any_order_and_repeated(model):
    sorted_ones = clone(model).set_params(alphas=[0.3, 0.1, 0.02]).fit(X, y)
    mixed = clone(model).set_params(alphas=[0.1, 0.02, 0.3, 0.1]).fit(X, y)
    np.testing.assert_array_equal(mixed.alphas_, [0.3, 0.1, 0.1, 0.02])
    assert mixed.alpha_ == sorted_ones.alpha_
    np.testing.assert_allclose(mixed.coef_, sorted_ones.coef_, rtol=1e-9, atol=1e-12)


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
