"""Weights of the features, and those of the adaptive lasso: one over a pilot fit's coefficient, to a power."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array, unit_of
from ladreg._estimators.base import CertifiedRegressor
from ladreg._estimators.own_penalties import OwnPenalties
from ladreg._estimators.validation import Data, feature_weights, present
from ladreg._problem import ElasticNet, Settings
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
            "penalty_weights must be numbers for data in blocks, got 'adaptive': the pilot fit needs all rows in "
            "memory. Fit with alpha=0 first, and pass penalty_weights=1 / abs(coef_)."
        )


class WeightedRegressor(CertifiedRegressor):
    """A regressor whose penalty has a weight for each feature, given or found by a pilot fit."""

    alpha: Any
    gamma: float
    penalty_weights: ArrayLike | Literal["adaptive"] | None
    penalty_weights_: Array

    @abstractmethod
    def _weighted(self, data: Data, alpha: float, weights: Array) -> ElasticNet:
        """The penalty with these weights, of shape (n_features,)."""

    def _with_weights(self, data: Data, alpha: float, weights: Array) -> ElasticNet:
        """The penalty with these weights, of shape (n_features,), or (n_fits, n_features) if each fit has its own."""
        if weights.ndim == 1:
            return self._weighted(data, alpha, weights)
        return OwnPenalties.of([self._weighted(data, alpha, row) for row in weights])

    def _scaled_penalty(self, data: Data, alpha: float) -> ElasticNet:
        return self._with_weights(data, alpha, self._weights(data))

    def _penalty(self, data: Data) -> ElasticNet:
        return self._with_weights(data, float(self.alpha), self._kept_weights(data))

    def _kept_weights(self, data: Data) -> Array:
        """The weights, stored where they were found."""
        weights = self._weights(data)
        if self._is_adaptive:
            self.penalty_weights_ = weights
        elif hasattr(self, "penalty_weights_"):  # of an earlier fit
            del self.penalty_weights_
        return weights

    def _penalty_again(self, data: Data) -> ElasticNet:
        if not self._is_adaptive:
            return self._penalty(data)
        return self._again(data, float(self.alpha), getattr(self, "penalty_weights_", None))

    def _again(self, data: Data, alpha: float, found: ArrayLike | None) -> ElasticNet:
        """The penalty with the weights that a fit has found, if it is adaptive."""
        if not self._is_adaptive or found is None:
            return self._scaled_penalty(data, alpha)
        rows = [feature_weights("penalty_weights_", row, data.design.n_features) for row in np.atleast_2d(found)]
        return self._with_weights(data, alpha, np.array(rows) if np.ndim(found) > 1 else rows[0])

    @property
    def _is_adaptive(self) -> bool:
        return is_adaptive(self.penalty_weights)

    @property
    def _depends_on_rows(self) -> bool:
        """Whether the penalty at one alpha is another one for other rows."""
        return self._is_adaptive

    def _weights(self, data: Data) -> Array:
        """The weights of the features, found by a pilot fit to these data where they are adaptive."""
        if not self._is_adaptive:
            return feature_weights("penalty_weights", self.penalty_weights, data.design.n_features)
        data = present(data)
        unit = data.deviations()
        pilot = self._pilot(data, unit)
        if getattr(self, "standardize", False):
            pilot = pilot * unit
        with np.errstate(over="ignore", divide="ignore"):
            weights: Array = np.abs(pilot) ** -float(self.gamma)
        return weights if not self._is_single(data) else weights[0]

    def _pilot(self, data: Data, unit: Array) -> Array:
        """Coefficients of the pilot, a row for each problem: the loss alone where rows are more than columns.

        Otherwise ridge regression, whatever the loss.
        """
        problems = self._problems(data, ElasticNet(np.zeros(unit.size)))
        if data.design.n_samples > data.design.n_features + bool(self.fit_intercept):
            return np.array([solve(problem, Settings(tol=0.0)).coef for problem in problems])
        pilots = [_ridge(data, target, unit, bool(self.fit_intercept)) for target in data.Y.T]
        return np.repeat(pilots, len(problems) // len(pilots), axis=0)  # one for all quantiles of a target


def _ridge(data: Data, target: Array, unit: Array, fit_intercept: bool) -> Array:
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
    scale = unit_of(float(np.abs(target).max()))  # squares of y stay within float64
    y = target / scale
    y = y - (data.weight @ y if fit_intercept else 0.0)
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
    pilot: Array = scale * (down(dual[:, None])[:, 0] / unit)
    return pilot
