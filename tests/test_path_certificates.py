"""Proofs of many answers in matrix form are those of `prove_from_products`, one by one."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from ladreg._certificate import Answers, costs, path_certificates, proofs, prove_from_products
from ladreg._problem import ElasticNet, HalfSquared, Squared
from tests.problems import make
from tests.strategies import tables


def answers_of(problem, alphas, coefs, centre=True):
    """Coefficients in rows, the best intercepts, and the duals that their residuals are."""
    features = np.flatnonzero(coefs.any(axis=0))
    residual, intercept = problem.y - problem.design.matvec(coefs.T).T, np.zeros(alphas.size)
    for _ in range(2 if problem.fit_intercept and centre else 0):
        rest = residual @ problem.weight
        residual -= rest[:, None]
        intercept += rest
    dual = problem.weight * problem.loss.derivative(residual)
    slope = np.array([problem.at_origin.design.rmatvec(one) for one in dual])
    return Answers(alphas, features, coefs[:, features], intercept, residual, dual, slope, dual.sum(axis=1))


def one_by_one(problem, answers):
    found = []
    for k, alpha in enumerate(answers.alphas):
        coef = np.zeros(problem.n_features)
        coef[answers.features] = answers.coef[k]
        products = np.append(answers.slope[k], answers.total[k])
        single = problem.with_penalty(problem.penalty.times(alpha))
        proof = prove_from_products(single, coef, answers.residual[k], answers.dual[k], products)
        found.append([proof.objective, proof.gap, proof.relative_gap])
    return np.array(found).T


def assert_alike(problem, answers):
    found, expected = proofs(problem, answers), one_by_one(problem, answers)
    objective, gap, relative = expected
    np.testing.assert_allclose(found.objective, objective, rtol=1e-13)
    np.testing.assert_allclose(found.gap, gap, rtol=1e-9, atol=1e-15 * objective.max(initial=1.0))
    np.testing.assert_allclose(found.relative_gap, relative, rtol=1e-9, atol=1e-14)


def counted(monkeypatch):
    calls = []
    real = path_certificates.prove_from_products
    monkeypatch.setattr(path_certificates, "prove_from_products", lambda *given: calls.append(1) or real(*given))
    return calls


def several(problem, seed=0):
    """Zero, and coefficients of different sizes."""
    coefs = np.random.default_rng(seed).standard_normal((5, problem.n_features))
    coefs *= np.array([0.0, 1e-3, 0.1, 1.0, 10.0])[:, None]
    coefs[:, ::2] = 0.0
    return np.maximum(coefs, 0.0) if problem.penalty.positive else coefs


ALPHAS = np.array([3.0, 1.0, 0.3, 0.1, 1e-3])


@given(
    tables(),
    st.sampled_from([HalfSquared(), Squared()]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 50),
)
def test_numbers_are_those_of_single_proofs(table, loss, positive, fit_intercept, ridge, seed):
    X, y, weight = table
    problem = make(X, y, loss=loss, weight=weight, positive=positive, fit_intercept=fit_intercept)
    strength = np.random.default_rng(seed).choice([0.5, 1.0, 2.0, np.inf], X.shape[1])
    problem = problem.with_penalty(ElasticNet(strength, positive, np.full(X.shape[1], ridge)))
    coefs = several(problem, seed)
    coefs[:, np.isinf(strength)] = 0.0
    assert_alike(problem, answers_of(problem, ALPHAS, coefs))


@pytest.mark.parametrize("storage", [np.ascontiguousarray, np.asfortranarray, sp.csc_array])
@pytest.mark.parametrize("entries", [1, 60, 1000])
def test_ordinary_answers_are_proved_together(monkeypatch, storage, entries):
    monkeypatch.setattr(path_certificates, "_ENTRIES", entries)
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((30, 12)), rng.standard_normal(30)
    problem = make(storage(X), y, loss=HalfSquared(), alpha=1.0)
    answers = answers_of(problem, ALPHAS, several(problem))
    expected = one_by_one(problem, answers)
    calls = counted(monkeypatch)
    found = proofs(problem, answers)
    assert not calls
    np.testing.assert_allclose([found.objective, found.gap, found.relative_gap], expected, rtol=1e-10)


@pytest.mark.parametrize(
    "change",
    [
        "weight of zero",
        "free feature",
        "dual with a sum",
        "target of zero",
        "overflow",
        "tiny alpha",
        "constant",
    ],
)
def test_what_is_not_ordinary_is_left_to_single_proofs(monkeypatch, change):
    rng = np.random.default_rng(4)
    X, y, weight, strength = rng.standard_normal((30, 6)), rng.standard_normal(30), np.ones(30), np.ones(6)
    alphas, coefs = ALPHAS.copy(), np.zeros((5, 6))
    if change == "weight of zero":
        weight[3] = 0.0
    elif change == "free feature":
        strength[2] = 0.0
    elif change == "target of zero":
        y[:] = 0.0
    elif change == "overflow":
        coefs[:, 1] = 1e200
    elif change == "tiny alpha":
        alphas[:] = 1e-310
    elif change == "constant":
        X[:, :] = 1e3 / 3  # without intercept its slope is rounding, and more than alpha
        y -= y.mean()
        alphas[:] = 1e-16
    with_intercept = change != "constant"
    problem = make(X, y, loss=HalfSquared(), weight=weight, fit_intercept=with_intercept)
    problem = problem.with_penalty(ElasticNet(strength))
    answers = answers_of(problem, alphas, coefs, centre=change != "dual with a sum")
    calls = counted(monkeypatch)
    if change == "overflow":
        with pytest.raises(OverflowError):
            proofs(problem, answers)
        return
    found = proofs(problem, answers)
    assert calls
    if change == "constant":
        assert np.all(found.gap <= 1e-12)
    else:
        np.testing.assert_array_equal([found.objective, found.gap, found.relative_gap], one_by_one(problem, answers))


def test_costs_are_the_values_and_fenchel_young_gaps_of_each_multiple():
    rng = np.random.default_rng(5)
    unit, alphas = ElasticNet(rng.uniform(0.5, 2.0, 4)), np.array([2.0, 0.5])
    coef, slope = rng.standard_normal((2, 4)), rng.uniform(-0.2, 0.2, (2, 4))
    value, apart = costs(unit, alphas, coef, slope)
    for k, alpha in enumerate(alphas):
        assert value[k] == pytest.approx(unit.times(alpha).value(coef[k]), rel=1e-15)
        assert apart[k] == pytest.approx(unit.times(alpha).fenchel_young(coef[k], slope[k]).sum(), rel=1e-15)


def test_a_dual_that_is_no_number_proves_what_zero_proves():
    rng = np.random.default_rng(6)
    X, y = rng.standard_normal((10, 3)), rng.standard_normal(10)
    problem = make(X, y, loss=HalfSquared(), alpha=1.0)
    answers = answers_of(problem, ALPHAS, np.zeros((5, 3)))
    answers.slope[2, 1] = np.nan
    found = proofs(problem, answers)
    assert found.gap[2] == pytest.approx(found.objective[2])
    assert np.isfinite(found.gap).all()
