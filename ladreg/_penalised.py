"""What the estimators of the L1 family share: any loss, and the L1 penalty with a strength for each feature."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ladreg._estimator import ROUNDING, CertifiedRegressor
from ladreg._penalties import ElasticNet
from ladreg._problem import Problem, Solution
from ladreg._validation import Data, check_count, check_flag, check_real, feature_weights, training_data
from ladreg.solvers import Solver, choose_solver, largest_alpha

Array = NDArray[np.float64]


class L1Regressor(CertifiedRegressor):
    """A regressor with the penalty ``alpha * sum(penalty_weights * |coef|)``."""

    alpha: float
    positive: bool
    penalty_weights: ArrayLike | None

    @abstractmethod
    def _check_loss(self) -> None:
        """Raise a ValueError for a parameter of the loss that makes no sense."""

    def _check_parameters(self) -> None:
        self._check_loss()
        check_real("alpha", self.alpha, low=0.0)
        for name in ("fit_intercept", "positive", "warm_start"):
            check_flag(name, getattr(self, name))
        check_real("tol", self.tol, low=0.0)
        check_count("max_iter", self.max_iter, optional=True)

    def _penalty(self, data: Data) -> ElasticNet:
        return self._scaled_penalty(data, float(self.alpha))

    def _scaled_penalty(self, data: Data, alpha: float) -> ElasticNet:
        weights = feature_weights("penalty_weights", self.penalty_weights, data.design.n_features)
        excluded = np.isinf(weights)
        strength = np.where(excluded, np.inf, alpha * np.where(excluded, 0.0, weights))
        return ElasticNet(strength, bool(self.positive))

    def _is_done(self, solution: Solution) -> bool:
        return solution.relative_gap <= max(self.tol, ROUNDING)

    def _solver(self, problem: Problem) -> Solver:
        return choose_solver(problem)

    def alpha_max(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float | NDArray[np.float64]:
        """The smallest `alpha` for which it is optimal that all penalised coefficients are zero.

        The other parameters are as they are. Grids of `alpha` are parts of it. Where the loss is piecewise linear other
        coefficients may be optimal at that value as well; slightly above it they are not.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float or ndarray of shape (n_targets,)
            In units of `alpha`; one for each target (or quantile), 0 where no feature is penalised.

        Raises
        ------
        ValueError
            As `fit` does, for data or parameters that make no sense.
        """
        self._check_parameters()
        data = training_data(self, X, y, sample_weight, reset=False) if hasattr(self, "n_features_in_") else None
        data = data or training_data(type(self)(), X, y, sample_weight)
        unit = self._scaled_penalty(data, 1.0)
        found = [largest_alpha(problem) for problem in self._problems(data, unit)]
        return found[0] if self._is_single(data) else np.array(found)
