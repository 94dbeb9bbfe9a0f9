"""Weights of the adaptive lasso: one over the size of a coefficient in a pilot fit, to a power."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array
from ladreg._estimators.validation import Data, present
from ladreg._problem import ElasticNet, HalfSquared, Problem, Settings
from ladreg._solvers import solve

ADAPTIVE = "adaptive"
# Ridges of the pilot that are compared: 61 from 1e-6 to 1 times the largest eigenvalue, ten a decade.
_RIDGES = np.geomspace(1e-6, 1.0, 61)
# Take the largest ridge whose score is at most 1.001 times the smallest: scores of small ridges differ by rounding
# alone where rows are fitted exactly in the limit.
_ALIKE = 1.001
# Columns of the products with all rows that are formed at a time.
_BLOCK = 64


def is_adaptive(penalty_weights: object) -> bool:
    """Whether the weights are to be found by a pilot fit."""
    return isinstance(penalty_weights, str) and penalty_weights == ADAPTIVE


def check_in_memory(penalty_weights: object) -> None:
    """Raise a ValueError where the weights are adaptive, and data come in blocks of rows."""
    if is_adaptive(penalty_weights):
        raise ValueError(
            "penalty_weights must be numbers where data come in blocks of rows, got 'adaptive': the pilot needs all "
            "rows. Fit one with alpha=0 first, and give 1 / abs(coef_)."
        )


def adaptive_weights(data: Data, gamma: float, *, fit_intercept: bool, standardize: bool) -> Array:
    """``1 / abs(pilot) ** gamma``: infinite for features that the pilot does without.

    The pilot is least squares if there are more rows than columns, ridge regression otherwise. Rows of weight zero are
    not looked at. With `standardize` its coefficients are those of columns of deviation one.
    """
    if data.Y.shape[1] > 1:
        raise ValueError(
            f"penalty_weights='adaptive' is for one target, got {data.Y.shape[1]}: each has weights of its own. Fit "
            "one model for each."
        )
    data = present(data)
    unit = data.design.deviations(data.weight)
    many_rows = data.design.n_samples > data.design.n_features + fit_intercept
    pilot = _least_squares(data, fit_intercept) if many_rows else _ridge(data, unit, fit_intercept)
    with np.errstate(over="ignore", divide="ignore"):
        weights: Array = np.abs(pilot * unit if standardize else pilot) ** -gamma
    return weights


def _least_squares(data: Data, fit_intercept: bool) -> Array:
    penalty = ElasticNet(np.zeros(data.design.n_features))
    y = np.ascontiguousarray(data.Y[:, 0])
    problem = Problem(data.design, y, data.weight, HalfSquared(), penalty, fit_intercept)
    return solve(problem, Settings(tol=0.0)).coef


def _ridge(data: Data, unit: Array, fit_intercept: bool) -> Array:
    """Ridge regression on columns of deviation one, its ridge chosen by generalised cross-validation.

    It is solved in the space of rows, of which there are fewer.
    """
    design, root = data.design, np.sqrt(data.weight)
    n_samples = root.size

    def down(part: Array) -> Array:
        dual = root[:, None] * part
        if fit_intercept:
            dual -= data.weight[:, None] * dual.sum(axis=0)
        return design.rmatvec(dual) / unit[:, None]

    def up(coef: Array) -> Array:
        values = design.matvec(coef / unit[:, None])
        if fit_intercept:
            values -= data.weight @ values
        return root[:, None] * values

    kernel = np.empty((n_samples, n_samples))
    for first in range(0, n_samples, _BLOCK):
        window = slice(first, min(first + _BLOCK, n_samples))
        kernel[:, window] = up(down(np.eye(n_samples)[:, window]))
    y = data.Y[:, 0] - (data.weight @ data.Y[:, 0] if fit_intercept else 0.0)
    values, vectors = np.linalg.eigh((kernel + kernel.T) / 2.0)
    values = np.maximum(values, 0.0)
    if values[-1] == 0:
        return np.zeros(unit.size)
    turned, ridges = vectors.T @ (root * y), _RIDGES[:, None] * values[-1]
    left = ridges / (values + ridges)  # the share of each direction that is left in the residual
    free = left[:, int(fit_intercept) :].sum(axis=1)  # the intercept takes a direction whose eigenvalue is zero
    scores = ((left * turned) ** 2).sum(axis=1) / free**2
    best = int(np.flatnonzero(scores <= _ALIKE * scores.min())[-1])
    dual = vectors @ (turned / (values + ridges[best]))
    return down(dual[:, None])[:, 0] / unit
