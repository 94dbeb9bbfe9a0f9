"""Linear programs that fail, and limits that come first: a warning tells how far the best answer is."""

import warnings
from functools import cache

import numpy as np
import pytest
import scipy.optimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressor,
    QuantileRegressorCV,
    QuantileRegressorIC,
)
from tests.faults import (
    INSIDE,
    MANY,
    SMALL,
    SPARSE,
    TIED,
    WIDE,
    always,
    certificates,
    faulty,
    gives_nothing,
    proved,
)

LINEAR_PROGRAMS = {
    "tied": (LADRegressor(solver="linprog"), TIED),
    "penalised": (LADRegressor(alpha=0.1, solver="linprog", max_iter=10_000), SMALL),
    "positive": (QuantileRegressor(quantile=0.3, alpha=0.0, positive=True, solver="highs-ds"), SMALL),
    "several": (QuantileRegressor(quantile=[0.2, 0.8], alpha=0.01, solver="highs-ipm"), SMALL),
    "sparse": (LADRegressor(solver="linprog"), SPARSE),
}


def _changed(name, change):
    def fault(real, *args, **kwargs):
        result = real(*args, **kwargs)
        if name == "x":
            result.x = change(result.x)
        elif name == "status":
            result.status = change(0)
        else:
            result.eqlin.marginals = change(result.eqlin.marginals)
        return result

    return fault


def _raising(error):
    def fault(*_, **__):
        raise error("injected")

    return fault


def _failed(status):
    result = scipy.optimize.OptimizeResult(x=None, status=status, nit=3, message="injected", fun=None)
    return lambda *_, **__: result


LP_FAULTS = {
    **{error.__name__: _raising(error) for error in (RuntimeError, ValueError, TypeError, FloatingPointError)},
    **{f"status {status}": _failed(status) for status in (1, 2, 3, 4)},
    **{f"{name} and a point": _changed("status", lambda _, s=s: s) for s, name in ((1, "limit"), (4, "trouble"))},
    "x is None": _changed("x", lambda _: None),
    "x is NaN": _changed("x", lambda x: np.full_like(x, np.nan)),
    "x has NaN": _changed("x", lambda x: np.where(np.arange(x.size) == 1, np.nan, x)),
    "x is another": _changed("x", lambda x: x[::-1].copy()),
    "x is zero": _changed("x", np.zeros_like),
    "marginals are None": _changed("marginals", lambda _: None),
    "marginals are NaN": _changed("marginals", lambda m: np.full_like(m, np.nan)),
    "marginals are others": _changed("marginals", lambda m: m + 1.0),
}


@cache
def best_of(name):
    """The objectives without a fault."""
    model, (X, y) = LINEAR_PROGRAMS[name]
    return [one.objective for one in certificates(clone(model).fit(X, y).certificate_)]


@pytest.mark.parametrize("fault", LP_FAULTS)
@pytest.mark.parametrize("name", LINEAR_PROGRAMS)
@pytest.mark.parametrize("once", [True, False], ids=["first call", "every call"])
def test_a_failing_linear_program_is_answered_or_told(name, fault, once):
    model, (X, y) = LINEAR_PROGRAMS[name]
    best = best_of(name)
    wrong = LP_FAULTS[fault]
    broken = faulty(scipy.optimize, "linprog", 1, wrong) if once else always(scipy.optimize, "linprog", wrong)
    with warnings.catch_warnings(record=True) as caught, broken:
        warnings.simplefilter("always")
        model = clone(model).fit(X, y)
    assert {one.category for one in caught} <= {ConvergenceWarning}
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert caught or proved(model, X, y)
    assert all("is proved to be within" in str(one.message) for one in caught)
    for one, least in zip(certificates(model.certificate_), best, strict=True):
        assert one.bound <= least * (1 + 1e-12)
        assert least <= one.objective * (1 + 1e-12)


@pytest.mark.parametrize("fault", LP_FAULTS)
def test_the_last_rungs_fail_as_well(fault):
    """Without an interior point method the default falls back on linprog, which is broken too."""
    X, y = SMALL
    with (
        always(*INSIDE["interior point"], gives_nothing),
        always(scipy.optimize, "linprog", LP_FAULTS[fault]),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        model = LADRegressor().fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert proved(model, X, y) or any(issubclass(one.category, ConvergenceWarning) for one in caught)


@pytest.mark.parametrize("fault", [name for name in LP_FAULTS if " " in name])
def test_alpha_max_is_a_bound_where_its_linear_program_fails(fault):
    """It has no certificate that could tell that it is wrong: what has no warning is right."""
    X, y = TIED
    with always(scipy.optimize, "linprog", LP_FAULTS[fault]):
        if "marginals" in fault:
            assert LADRegressor().alpha_max(X, y) == LARGEST
        else:
            with pytest.warns(UserWarning, match="upper bound: its linear program failed"):
                assert LADRegressor().alpha_max(X, y) >= LARGEST


LARGEST = LADRegressor().alpha_max(*TIED)


def test_alpha_max_next_to_residuals_that_are_rounding():
    """Rows with y = 0, where rounding in the coefficients is all that the residual is made of, are on the kink."""
    rng = np.random.default_rng(78)
    n_samples, n_features = rng.integers(2, 30), rng.integers(1, 12)
    X = np.round(rng.standard_normal((n_samples, n_features)))
    y = np.round(rng.standard_normal(n_samples))
    weights = np.r_[0.0, 0.0, 1.0, 1.0, 1.0]
    largest = LADRegressor(penalty_weights=weights).alpha_max(X, y)
    for part, empty in ((1 + 1e-6, True), (1 - 1e-3, False)):
        coef = LADRegressor(alpha=part * largest, penalty_weights=weights).fit(X, y).coef_
        assert (not coef[2:].any()) == empty


def test_a_lasso_says_that_its_canonical_optimum_was_missed():
    """The third feature costs as much as the first two, whose sum it is: their coefficients may be exchanged for it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    y, model = 2 * X[:, 0] + 3 * X[:, 1], LassoCD(0.1, penalty_weights=[1.0, 1.0, 2.0])
    exact = LassoCD(0.1).fit(X, y).coef_
    model.fit(np.column_stack([X, X.sum(axis=1)]), y)
    both = exact.sum() / 3
    np.testing.assert_allclose(model.coef_, np.r_[exact - both, both], rtol=1e-9)
    assert not model.certificate_.unique
    with (
        always(*INSIDE["canonical optimum of a lasso"], gives_nothing),
        pytest.warns(ConvergenceWarning, match="rounding errors hide the canonical one"),
    ):
        model.fit(np.column_stack([X, X.sum(axis=1)]), y)


LIMITED = {
    "lad": (LADRegressor(alpha=0.001), TIED),
    "lad by reduction": (LADRegressor(), MANY),
    "lad by linprog": (LADRegressor(alpha=0.1, solver="linprog"), SMALL),
    "quantiles": (QuantileRegressor(quantile=[0.2, 0.5], alpha=0.01), MANY),
    "combined": (CombinedLossRegressor(alpha=0.01), TIED),
    "huber": (HuberLossRegressor(alpha=0.01), SMALL),
    "lasso": (LassoCD(alpha=1e-4), WIDE),
    "elastic net": (ElasticNetCD(alpha=1e-4, precompute=False), WIDE),
    "lasso, folds": (LassoCDCV(alphas=4, cv=2), WIDE),
    "elastic net, folds": (ElasticNetCDCV(alphas=3, cv=2), TIED),
    "lad, folds": (LADRegressorCV(alphas=2, cv=2), MANY),
    "quantile, folds": (QuantileRegressorCV(quantile=0.3, alphas=2, cv=2), MANY),
    "huber, folds": (HuberLossRegressorCV(alphas=2, cv=2), SMALL),
    "combined, folds": (CombinedLossRegressorCV(alphas=2, cv=2), SMALL),
    "quantile, criterion": (QuantileRegressorIC(quantile=0.3, alphas=2), SMALL),
    "lasso, criterion": (LassoCDIC(alphas=4), WIDE),
    "lad, criterion": (LADRegressorIC(alphas=2), SMALL),
}


@pytest.mark.parametrize("case", LIMITED)
def test_a_limit_of_iterations_keeps_the_best_and_tells_how_far_it_is(case):
    model, (X, y) = LIMITED[case]
    told = 0
    for limit in (1, 2, 3, 5, 8):
        limited = clone(model).set_params(max_iter=limit)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", "alpha=.* is the smallest that was tried")
            limited.fit(X, y)
        told += bool(caught)
        judged(limited, X, y, caught)
        if hasattr(model, "alphas"):
            continue
        best = certificates(clone(model).fit(X, y).certificate_)
        for one, other in zip(certificates(limited.certificate_), best, strict=True):
            assert one.bound <= other.objective * (1 + 1e-12)
            assert other.objective <= one.objective * (1 + 1e-9)
    assert told or case.startswith("huber")  # one step is enough there: what follows it is exact


def judged(model, X, y, caught):
    """Finite, agreeing with what the data say, and right or with a warning that says how far it is."""
    assert {one.category for one in caught} <= {ConvergenceWarning}
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert proved(model, X, y) or caught
    assert all("is proved to be within" in str(one.message) for one in caught)


@pytest.mark.parametrize("solver", ["linprog", "highs-ds"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_no_time_at_all_keeps_the_best_and_tells_how_far_it_is(solver, alpha):
    X, y = MANY
    model = QuantileRegressor(quantile=0.4, alpha=alpha, solver=solver, solver_options={"time_limit": 1e-9})
    with pytest.warns(ConvergenceWarning, match="raise time_limit in solver_options") as caught:
        model.fit(X, y)
    judged(model, X, y, caught)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", [4, 12, 28])
def test_alpha_max_beside_columns_that_differ_by_less_than_the_linear_program_sees(seed):
    """Of nearly 1,500 rows on the kink some duals balance both columns."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (1480, 2)).astype(float)
    X = np.column_stack([X, X[:, 0] + 1e-9 * rng.integers(-1, 2, 1480)])
    y, weight = (rng.random(1480) < 0.12).astype(float), rng.integers(0, 5, 1480)
    assert LADRegressor(fit_intercept=False).alpha_max(X, y, weight) < 1e-8
