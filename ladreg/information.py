"""Estimators that choose alpha along a path by an information criterion, without cross-validation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from ladreg._estimator import CertifiedRegressor
from ladreg._folds import relaxed
from ladreg._penalties import ElasticNet
from ladreg._tuning import Candidate, Choice, TunedRegressor
from ladreg._validation import Data, check_choice, check_real
from ladreg.lad import LADRegressor
from ladreg.lasso import LassoCD
from ladreg.solvers import choose_solver

Array = NDArray[np.float64]

# A mean loss that is this part of the targets' mean size is that of an exact fit.
_EXACT = 1e-12


class InformationRegressor(TunedRegressor):
    """A regressor that chooses its alpha by the likelihood of the data and the number of features it needs."""

    criterion: str
    ebic_gamma: float

    @abstractmethod
    def _deviance(self, candidate: Candidate, losses: Array, used: Array, n_samples: float) -> Array:
        """Minus twice the log-likelihood for each alpha, from the mean losses and how many features are used."""

    def _check_tuning(self) -> None:
        super()._check_tuning()
        check_choice("criterion", self.criterion, ("aic", "bic", "ebic"))
        check_real("ebic_gamma", self.ebic_gamma, low=0.0)

    def _n_tasks(self, given: Any) -> int:  # noqa: ARG002 - a path is one task
        return 0

    def _prepared(
        self,
        X: ArrayLike,  # noqa: ARG002
        y: ArrayLike,  # noqa: ARG002
        data: Data,
        sample_weight: Any,
        params: dict[str, Any],
    ) -> float:
        """How many samples there are: the sum of their weights."""
        if params:
            raise TypeError(f"fit got an unexpected argument {min(params)!r}.")
        weight = np.asarray(1.0 if sample_weight is None else sample_weight, dtype=np.float64)
        return float(data.weight.size if weight.ndim == 0 else weight.sum())

    def _chosen(
        self,
        candidates: list[Candidate],
        data: Data,  # noqa: ARG002
        given: float,
        context: Any,  # noqa: ARG002
    ) -> Choice:
        candidate = candidates[0]
        problem, path = candidate.problem, candidate.path(self.tol, self.max_iter)
        coef, intercept = relaxed(problem, path.coef, path.intercept, self._mixing, self.tol, self.max_iter)
        losses = np.array(
            [
                float(problem.weight @ problem.loss.value(problem.residual(one, float(constant))))
                for one, constant in zip(coef.T, intercept, strict=True)
            ]
        )
        used = np.count_nonzero(path.coef, axis=0).astype(float)
        criterion = self._deviance(candidate, losses, used, given)
        criterion += (2.0 if self.criterion == "aic" else np.log(given)) * used
        if self.criterion == "ebic":
            p = int(np.count_nonzero(np.isfinite(problem.penalty.strength)))
            ways = scipy.special.gammaln(p + 1) - scipy.special.gammaln(used + 1) - scipy.special.gammaln(p - used + 1)
            criterion += 2.0 * self.ebic_gamma * ways
        self.criterion_, self.n_selected_path_ = criterion, used.astype(int)
        k = int(np.argmin(criterion))
        self._say(f"alpha={candidate.alphas[k]:.6g}: {self.criterion} {criterion[k]:.6g}, {int(used[k])} features")
        return Choice(0, k, path, candidate.model._solver(problem))


class LassoCDIC(InformationRegressor):
    """The lasso."""

    def __init__(
        self,
        criterion: Literal["aic", "bic", "ebic"] = "bic",
        *,
        ebic_gamma: float = 1.0,
        noise_variance: float | None = None,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        standardize: bool = False,
        post_selection: float | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        verbose: int = 0,
    ) -> None:
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.post_selection = post_selection
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    def _check_tuning(self) -> None:
        super()._check_tuning()
        if self.noise_variance is not None:
            check_real("noise_variance", self.noise_variance, low=0.0, open_ends=True)

    def _models(self) -> list[CertifiedRegressor]:
        return [
            LassoCD(
                fit_intercept=self.fit_intercept,
                positive=self.positive,
                penalty_weights=self.penalty_weights,
                standardize=self.standardize,
                max_iter=self.max_iter,
                tol=self.tol,
            )
        ]

    def _deviance(self, candidate: Candidate, losses: Array, used: Array, n_samples: float) -> Array:
        problem, squares = candidate.problem, 2.0 * losses
        if self.noise_variance is None:
            self.noise_variance_ = self._estimated_noise(candidate, squares, used, n_samples)
        else:
            self.noise_variance_ = float(self.noise_variance)
        # Where y is fitted exactly every error counts, as in the limit of no noise.
        least = _EXACT**2 * float(problem.weight @ (problem.y - problem.null_intercept()) ** 2)
        self.noise_variance_ = max(self.noise_variance_, least) or 1.0
        return n_samples * (np.log(2 * np.pi * self.noise_variance_) + squares / self.noise_variance_)

    def _estimated_noise(self, candidate: Candidate, squares: Array, used: Array, n_samples: float) -> float:
        """Residual variance of least squares or, where features are too many, of the scaled lasso's fit."""
        problem, alphas = candidate.problem, candidate.alphas
        allowed = np.isfinite(problem.penalty.strength)
        left = n_samples - np.count_nonzero(allowed) - problem.fit_intercept
        if left > 0:
            free = problem.under(ElasticNet(np.where(allowed, 0.0, np.inf), problem.penalty.positive))
            return 2.0 * choose_solver(free)(free, tol=self.tol).objective * n_samples / left
        # The alpha that is as large as noise of its own residuals' size lets slopes be (Sun and Zhang 2012).
        deviation, strength = problem.design.deviations(problem.weight), problem.penalty.strength
        chosen = allowed & (strength > 0)
        unit = float(np.median(deviation[chosen] / strength[chosen])) if chosen.any() else 1.0
        universal = unit * np.sqrt(2.0 * np.log(max(int(np.count_nonzero(allowed)), 2)) / n_samples)
        noisy = np.flatnonzero(alphas <= universal * np.sqrt(squares))
        k = int(noisy[0]) if noisy.size else squares.size - 1
        return float(squares[k] * n_samples / max(n_samples - used[k] - problem.fit_intercept, 1.0))


class LADRegressorIC(InformationRegressor):
    """Least absolute deviations."""

    def __init__(
        self,
        criterion: Literal["aic", "bic", "ebic"] = "bic",
        *,
        ebic_gamma: float = 1.0,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        post_selection: float | None = None,
        solver: str = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        verbose: int = 0,
    ) -> None:
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.post_selection = post_selection
        self.solver = solver
        self.solver_options = solver_options
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        names = ("fit_intercept", "positive", "penalty_weights", "solver", "solver_options", "max_iter", "tol")
        return [LADRegressor(alpha=1.0, **{name: getattr(self, name) for name in names})]

    def _deviance(self, candidate: Candidate, losses: Array, used: Array, n_samples: float) -> Array:
        problem = candidate.problem
        exact = losses <= _EXACT * float(problem.weight @ np.abs(problem.y))
        exact |= used + problem.fit_intercept >= n_samples
        deviance = 2.0 * n_samples * (1.0 + np.log(2.0 * np.where(exact, 1.0, losses)))
        return np.where(exact, np.inf, deviance)
