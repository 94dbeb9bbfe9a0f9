"""Rivals for losses with kinks: points that another solver finds, whose objective the judge evaluates itself."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.optimize

from tests.campaign.formula import LONG


def linear_rival(formula):
    """Objective, coefficients and intercept from HiGHS on the primal linear program, at unit scale by powers of two.

    Whatever its accuracy, a point that is better than an answer refutes it. None where the loss is curved, or HiGHS
    gives up.
    """
    if formula.loss.square:
        return None
    kept = np.flatnonzero(np.isfinite(formula.strength))
    unit = _power(np.abs(formula.y).max(initial=0))
    size = np.array([_power(np.abs(column).max(initial=0)) for column in formula.X.T])[kept]
    X = (formula.X[:, kept] / size).astype(float)
    n_samples = X.shape[0]
    one = np.full((n_samples, 1), float(formula.fit_intercept))
    table = np.hstack([X, -X, one, -one, np.eye(n_samples), -np.eye(n_samples)])
    lower, upper = (end[kept] * size / unit for end in formula.limits)
    strength = (formula.strength[kept] / size).astype(float)
    weight = formula.weight.astype(float)
    cost = np.concatenate([strength, strength, [0, 0], weight * formula.loss.up, weight * formula.loss.down])
    least, most = np.zeros(cost.size), np.full(cost.size, np.inf)
    # The parts of each coefficient above and below zero.
    for part, (low, high) in enumerate([(lower, upper), (-upper, -lower)]):
        span = slice(part * kept.size, (part + 1) * kept.size)
        least[span], most[span] = np.maximum(low, 0).astype(float), np.maximum(high, 0).astype(float)
    if not np.isfinite(cost).all() or np.isinf(least).any():
        return None
    found = _solved(cost, table, (formula.y / unit).astype(float), least, most)
    if found is None:
        return None
    coef = np.zeros(formula.strength.size, LONG)
    coef[kept] = (found[: kept.size] - found[kept.size : 2 * kept.size]) * unit / size
    intercept = LONG(found[2 * kept.size] - found[2 * kept.size + 1]) * unit
    coef = np.clip(coef, *formula.limits)
    return formula.objective(coef, intercept), coef, intercept


def _power(size):
    return LONG(2) ** np.floor(np.log2(size)) if size > 0 else LONG(1)


def _solved(cost, table, y, least, most):
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    bounds = np.column_stack([least, most])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = scipy.optimize.linprog(cost, A_eq=table, b_eq=y, bounds=bounds, method="highs-ds", options=options)
    return result.x if result.status == 0 else None
