"""Nothing is proved of coefficients that the problem does not allow: not by `Problem`, not by `verify`."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ladreg import HuberLossRegressor, LADRegressor, QuantileRegressor
from ladreg._certificate import Answers, certify, proofs
from ladreg._design import as_design
from ladreg._problem import Absolute, ElasticNet, HalfSquared, Huber, Problem, StopReason
from tests.public import CRITERIA, CROSS_VALIDATED, PLAIN, TUNED

MODELS = [*PLAIN, *CROSS_VALIDATED, *CRITERIA]
LOSSES = [Absolute(), HalfSquared(), Huber(1.0)]


def table(seed, n_samples=40):
    """Two features that matter, one of them with a coefficient below zero, and one that does not."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 3))
    return X, -2 * X[:, 0] + X[:, 1] + rng.laplace(size=n_samples)


def problem_of(loss, *, strength=0.1, positive=False, excluded=(), ridge=0.0, fit_intercept=True, seed=0):
    X, y = table(seed)
    strengths = np.full(3, strength)
    strengths[list(excluded)] = np.inf
    penalty = ElasticNet(strengths, positive, np.full(3, ridge))
    return Problem(as_design(X), y, np.full(y.size, 1 / y.size), loss, penalty, fit_intercept)


def optimum_without_constraint(problem):
    """The dual of the residuals at least squares, which is near to optimal for what is not constrained."""
    matrix = np.column_stack([problem.design.X, np.ones(problem.n_samples)])
    point = np.linalg.lstsq(matrix, problem.y, rcond=None)[0]
    dual = problem.weight * problem.loss.derivative(problem.y - matrix @ point)
    return point[:3], float(point[3]), dual


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize(
    "options",
    [
        {"positive": True},
        {"positive": True, "strength": 0.0},
        {"positive": True, "ridge": 0.5},
        {"excluded": [0]},
        {"excluded": [1], "ridge": 0.5},
        {"fit_intercept": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("unique", [None, True])
def test_a_certificate_of_what_is_not_feasible_is_infinite(loss, options, unique):
    problem = problem_of(loss, **options)
    coef, intercept, dual = optimum_without_constraint(problem)
    found = certify(problem, coef, intercept, dual, n_iter=1, stopped=StopReason.GIVEN, solver="test", unique=unique)
    assert found.objective == found.gap == found.relative_gap == np.inf
    assert found.bound == -np.inf
    assert found.unique is False
    assert problem.objective(coef, intercept) == np.inf


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["coef", "intercept"])
def test_what_is_no_number_is_an_error(loss, value, place):
    problem = problem_of(loss)
    coef, intercept, dual = optimum_without_constraint(problem)
    if place == "coef":
        coef[1] = value
    else:
        intercept = value
    with pytest.raises(OverflowError):
        certify(problem, coef, intercept, dual, n_iter=1, stopped=StopReason.GIVEN, solver="test")
    assert place == "intercept" or problem.penalty.value(coef) == np.inf


def test_the_proofs_of_a_path_know_it_too():
    problem = problem_of(HalfSquared(), positive=True)
    coef, intercept, dual = optimum_without_constraint(problem)
    assert coef[0] < 0 < coef[1]
    both = np.array([coef, np.abs(coef)])
    residual = np.array([problem.residual(row, intercept) for row in both])
    duals = np.array([dual, dual])
    answers = Answers(
        np.array([0.5, 0.5]),
        np.arange(3),
        both,
        np.array([intercept, intercept]),
        residual,
        duals,
        duals @ problem.design.X,
        duals.sum(axis=1),
    )
    found = proofs(problem, answers)
    assert found.gap[0] == found.objective[0] == found.relative_gap[0] == np.inf
    assert np.isfinite(found.gap[1])


def edits(rng):
    """A parameter, how the coefficients are edited to break it, and what the message says."""
    j, size = int(rng.integers(3)), float(10.0 ** rng.uniform(-300, 6))
    weights = np.ones(3)
    weights[j] = np.inf
    return [
        ({"positive": True}, (j, -size), f"coef_[{{row}}{j}]{{name}} is -{size:g}: it must be >= 0"),
        ({"penalty_weights": weights}, (j, size), f"coef_[{{row}}{j}]{{name}} is {size:g}: penalty_weights excludes"),
        ({}, (j, np.nan), f"coef_[{{row}}{j}]{{name}} is nan: it must be a finite number"),
        ({}, (j, -np.inf), f"coef_[{{row}}{j}]{{name}} is -inf: it must be a finite number"),
    ]


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("named", [False, True])
def test_verify_names_the_coefficient(model, named):
    rng = np.random.default_rng(0)
    X, y = table(0)
    X = pd.DataFrame(X, columns=["a", "b", "c"]) if named else X
    for parameters, (j, value), message in edits(rng):
        fitted = clone(model).set_params(**parameters).fit(X, y)
        fitted.verify(X, y)
        coef = fitted.coef_.copy()
        row = "" if coef.ndim == 1 else f"{coef.shape[0] - 1}, "
        np.atleast_2d(coef)[-1, j] = value
        fitted.coef_ = coef
        name = f" (feature {'abc'[j]!r})" if named else ""
        with pytest.raises(ValueError, match=re.escape(message.format(row=row, name=name))):
            fitted.verify(X, y)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_verify_refuses_other_shapes_and_intercepts(model):
    X, y = table(1)
    fitted = clone(model).set_params(fit_intercept=False).fit(X, y)
    fitted.verify(X, y)
    coef, intercept = fitted.coef_, fitted.intercept_
    for other in (coef[..., :2], np.concatenate([coef, coef], axis=-1), coef[None, None]):
        fitted.coef_ = other
        with pytest.raises(ValueError, match=r"coef_ must have|fits, but|targets, but"):
            fitted.verify(X, y)
    fitted.coef_ = coef
    for other, message in ((intercept + 1.0, "it must be 0"), (intercept * np.nan, "a finite number")):
        fitted.intercept_ = other
        with pytest.raises(ValueError, match=f"intercept_.* is .*{message}"):
            fitted.verify(X, y)
    fitted.intercept_ = np.zeros(7)
    with pytest.raises(ValueError, match=r"intercept_ must have shape"):
        fitted.verify(X, y)


def test_verify_refuses_another_number_of_quantiles():
    X, y = table(2)
    fitted = QuantileRegressor(quantile=[0.1, 0.5, 0.9], alpha=0).fit(X, y)
    for quantile, number in (([0.1, 0.9], 2), (0.5, 1)):
        with pytest.raises(ValueError, match=f"require {number} fits, but the model was fitted to 3"):
            fitted.set_params(quantile=quantile).verify(X, y)


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("model", [LADRegressor(alpha="pivotal"), *TUNED], ids=str)
def test_verify_refuses_an_edited_alpha(model, alpha):
    X, y = table(3)
    fitted = clone(model).fit(X, y)
    fitted.alpha_ = alpha
    with pytest.raises(ValueError, match="alpha_ must be a finite number"):
        fitted.verify(X, y)


@pytest.mark.parametrize("model", [LADRegressor(0.01), HuberLossRegressor(alpha=0.01, scale=1.0)], ids=str)
def test_what_the_constraint_allows_is_judged_against_its_own_optimum(model):
    X, y = table(4)
    free = clone(model).fit(X, y)
    fitted = clone(model).set_params(positive=True).fit(X, y)
    least = fitted.certificate_.objective
    fitted.coef_ = np.maximum(free.coef_, 0)
    found = fitted.verify(X, y)
    assert found.bound <= least * (1 + 1e-12) <= found.objective * (1 + 1e-12)
