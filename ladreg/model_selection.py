"""Estimators that choose alpha by cross-validation along a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ladreg._cross_validation import CrossValidatedRegressor
from ladreg._estimator import CertifiedRegressor
from ladreg._folds import SquaredFolds
from ladreg._moments import Split
from ladreg._tuning import Candidate, Choice
from ladreg._validation import Data
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD, LassoCD
from ladreg.quantile import QuantileRegressor


class ElasticNetCDCV(CrossValidatedRegressor):
    """The elastic net."""

    _losses_name = "mse_path_"
    _folds = SquaredFolds

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        standardize: bool = False,
        cv: Any = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.cv = cv
        self.selection = selection
        self.post_selection = post_selection
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        ratios = np.atleast_1d(np.asarray(self.l1_ratio, dtype=object)).tolist()
        if not ratios:
            raise ValueError("l1_ratio must be a number or a list of at least one, got an empty list.")
        return [
            ElasticNetCD(
                l1_ratio=ratio,
                fit_intercept=self.fit_intercept,
                positive=self.positive,
                penalty_weights=self.penalty_weights,
                standardize=self.standardize,
                max_iter=self.max_iter,
                tol=self.tol,
            )
            for ratio in ratios
        ]

    def _chosen(self, candidates: list[Candidate], data: Data, given: list[Split], context: Any) -> Choice:
        choice = super()._chosen(candidates, data, given, context)
        self.l1_ratio_ = float(candidates[choice.candidate].model.l1_ratio)
        return choice


class LassoCDCV(CrossValidatedRegressor):
    """The lasso."""

    _losses_name = "mse_path_"
    _folds = SquaredFolds

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        standardize: bool = False,
        cv: Any = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.cv = cv
        self.selection = selection
        self.post_selection = post_selection
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

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


class LADRegressorCV(CrossValidatedRegressor):
    """Least absolute deviations."""

    _losses_name = "mae_path_"

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        cv: Any = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        solver: str = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.cv = cv
        self.selection = selection
        self.post_selection = post_selection
        self.solver = solver
        self.solver_options = solver_options
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _plain(self) -> dict[str, Any]:
        names = ("fit_intercept", "positive", "penalty_weights", "solver", "solver_options", "max_iter", "tol")
        return {name: getattr(self, name) for name in names}

    def _models(self) -> list[CertifiedRegressor]:
        return [LADRegressor(alpha=1.0, **self._plain())]


class QuantileRegressorCV(LADRegressorCV):
    """Quantile regression."""

    _losses_name = "pinball_path_"

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        cv: Any = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        solver: str = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            positive=positive,
            penalty_weights=penalty_weights,
            cv=cv,
            selection=selection,
            post_selection=post_selection,
            solver=solver,
            solver_options=solver_options,
            max_iter=max_iter,
            tol=tol,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.quantile = quantile

    def _models(self) -> list[CertifiedRegressor]:
        if np.ndim(self.quantile) > 0:
            raise ValueError(f"quantile must be one number here, got {self.quantile!r}: fit one model for each.")
        return [QuantileRegressor(quantile=self.quantile, alpha=1.0, **self._plain())]
