"""The shared body of fit: parameters -> Problem -> solver -> fitted attributes, and the warning of a large gap."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from ladreg._arrays import Array, MatrixLike
from ladreg._estimators.callbacks import (
    CallbackSupportMixin,
    is_watched,
    root_task,
    task,
    told_of_passes,
    with_callbacks,
)
from ladreg._estimators.certificate_html import ShowsCertificate
from ladreg._estimators.in_blocks import are_blocks, lazily
from ladreg._estimators.own_penalties import penalties_of
from ladreg._estimators.state import Versioned, all_or_nothing, stored
from ladreg._estimators.validation import NO_BLOCKS, Data, any_size, sound, training_data
from ladreg._estimators.verification import verified
from ladreg._from_blocks import PartFits
from ladreg._problem import (
    Certificate,
    Coefficients,
    ElasticNet,
    Loss,
    Problem,
    Settings,
    Solution,
    StopReason,
)
from ladreg._row_blocks import Source, is_dask
from ladreg._solvers import solve
from ladreg._tolerances import ROUNDING_GAP


class CertifiedRegressor(
    CallbackSupportMixin,
    ShowsCertificate,
    Versioned,
    RegressorMixin,
    MultiOutputMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """A linear model whose fit is a Problem and ends with a certificate.

    Attributes that are numbers for one target and arrays for several have the type of the number, or any: what is
    written for one target is checked, and arrays pass.
    """

    fit_intercept: bool
    tol: float
    max_iter: int | None
    coef_: NDArray[np.floating]
    intercept_: np.floating | Any
    n_iter_: int | Any
    objective_: float | Any
    dual_gap_: float | Any
    n_features_in_: int
    n_passes_: int
    feature_names_in_: NDArray[np.object_]
    _certificates: list[dict[str, Any]]

    _doc_link_module = "ladreg"
    _doc_link_template = "https://ladreg.readthedocs.io/en/stable/generated/ladreg.{estimator_name}.html"

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise a ValueError for a constructor parameter that makes no sense."""

    @abstractmethod
    def _loss(self) -> Loss:
        """The loss that the parameters ask for."""

    @abstractmethod
    def _scaled_penalty(self, data: Data, alpha: float) -> ElasticNet:
        """The penalty that the parameters ask for, with this `alpha` in place of their alpha."""

    @abstractmethod
    def _penalty(self, data: Data) -> ElasticNet:
        """The penalty that the parameters ask for."""

    def _penalty_again(self, data: Data) -> ElasticNet:
        """The penalty for `verify`, with the weights that `fit` found beforehand."""
        return self._penalty(data)

    def _settings(self) -> Settings:
        """How to solve the problems of this estimator."""
        return Settings(tol=self.tol, max_iter=self.max_iter)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: MatrixLike | Source, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model and certify its optimality.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Training data. float32 and float64 are not copied, in any memory order. `LADRegressor`, `QuantileRegressor`,
            `HuberLossRegressor`, `CombinedLossRegressor`, `LassoCD` and `ElasticNetCD` also take data in blocks of rows
            (`ladreg.blocks`), which contain y and weights, and Dask arrays and DataFrames.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target; each column of a two-dimensional y is fitted separately, and a single column is treated as
            one-dimensional. None if X is data in blocks.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, of which only the ratios matter; a weight of k counts a row k times.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or X, y or sample_weight contains NaN or infinity, is empty, or has an
            inconsistent length.
        OverflowError
            If the objective is too large for float64.

        Warns
        -----
        ConvergenceWarning
            If the solver stopped before the proved gap was at most `tol`; you get the best coefficients found.
        DataConversionWarning
            If y has shape (n, 1): it is treated as one-dimensional.
        UserWarning
            If y has integers or decimals beyond 2**53, which float64 rounds, or denormal numbers.
        """
        with all_or_nothing(self):
            if is_watched(self):
                self._fit_watched(X, y, sample_weight)
            else:
                self._fit_once(X, y, sample_weight, stacklevel=4)
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _fit_watched(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> None:
        """The fit as one task of the callbacks; passes over rows in blocks are its subtasks."""
        context = root_task(self, None if are_blocks(X) else 0)
        with task(context, self, X=X, y=y), told_of_passes(context, self):
            self._fit_once(X, y, sample_weight, stacklevel=6)

    def _fit_once(self, X: Any, y: Any, sample_weight: ArrayLike | None, stacklevel: int) -> None:
        self._check_parameters()
        if are_blocks(X):
            with any_size():
                self._fit_blocks(X, y, sample_weight)
            return
        if hasattr(self, "n_passes_"):  # of an earlier fit
            del self.n_passes_
        with any_size():
            data = training_data(self, X, y, sample_weight)
            problems = self._problems(data, self._penalty(data))
            solutions = self._solve(problems, self._starts(data, problems))
            self._store(data, problems, solutions)
            self._warn(solutions, stacklevel)
            self._advise(problems)

    def predict(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            ``X @ coef_.T + intercept_``; for Dask arrays and DataFrames a lazy Dask array.
        """
        check_is_fitted(self)
        if is_dask(X):
            return cast(Any, lazily(self.predict, X, np.size(self.intercept_) if np.ndim(self.intercept_) else None))
        table: Any = validate_data(
            self, sound(X), reset=False, accept_sparse=("csr", "csc", "coo"), dtype=[np.float64, np.float32]
        )
        prediction: NDArray[np.floating] = table @ self.coef_.T + self.intercept_
        return prediction

    @property
    def certificate_(self) -> Certificate | Any:
        """Proof of the fit: a `Certificate`, or a list of one for each target where y was two-dimensional."""
        found = self.certificates_
        return found[0] if self.coef_.ndim == 1 else found

    @property
    def certificates_(self) -> list[Certificate]:
        """Proofs of the fit, one for each target or quantile: a list for one target as well."""
        check_is_fitted(self)
        return [Certificate(**values) for values in self._certificates]

    def verify(
        self, X: MatrixLike | Source, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Certificate | Any:
        """Certify the coefficients again, from the data alone.

        Uses only `coef_` and `intercept_`: the model may have been loaded or changed, or fitted elsewhere. For a
        piecewise linear loss this solves a small linear program if the coefficients are optimal, and otherwise the
        whole problem, so that the bound is the optimum.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Data, also in blocks of rows if `fit` takes them, which needs one more pass than a fit.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        Certificate or list of Certificate
            The objective on these data and a lower bound on the objective of any coefficients.

        Raises
        ------
        ValueError
            As in `fit`, for invalid data or parameters; and if the coefficients contradict the parameters: wrong shape,
            not finite, outside `bounds` (or `positive`), non-zero for an excluded feature, or a non-zero intercept with
            `fit_intercept=False`.
        """
        if are_blocks(X):
            check_is_fitted(self)
            self._check_parameters()
            with any_size():
                solutions = self._verified_blocks(X, y, sample_weight)
        else:
            solutions = verified(self, X, y, sample_weight).solutions
        found = [solution.certificate for solution in solutions]
        return found[0] if np.ndim(self.coef_) == 1 else found

    def _fit_blocks(self, X: Any, y: Any, sample_weight: Any) -> None:  # noqa: ARG002 - for those that can
        """`fit` to data in blocks of rows."""
        raise TypeError(NO_BLOCKS.format(type(self).__name__))

    def _verified_blocks(self, X: Any, y: Any, sample_weight: Any) -> list[Solution]:  # noqa: ARG002 - likewise
        """`verify` for data in blocks of rows."""
        raise TypeError(NO_BLOCKS.format(type(self).__name__))

    def _miscounted(self, n_problems: int, n_fitted: int) -> str:
        """Error message of `verify` if data and parameters make another number of problems than were fitted."""
        return f"y has {n_problems} targets, but the model was fitted to {n_fitted}."

    def _problems(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        """The problems that `fit` solves: one per target."""
        loss, pairs = self._loss(), zip(data.Y.T, penalties_of(penalty, data.Y.shape[1]), strict=True)
        return [self._problem(data, np.ascontiguousarray(target), loss, own) for target, own in pairs]

    def _estimated(self, problem: Problem) -> Problem:
        """A problem with what `fit` estimates from its rows beforehand: Huber's scale, nothing for other losses."""
        return problem

    def _part_problems(self, fits: PartFits, data: Data) -> list[Problem]:
        """The problems of parts of rows in blocks, all of them first, as those of the sample, at the model's alpha."""
        return [self._problems(data, self._scaled_penalty(data, 1.0))[0] for _ in fits.parts]

    def _problems_again(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        """The problems that `verify` checks, with the scale or alpha that `fit` estimated beforehand."""
        return self._problems(data, penalty)

    def _posed_again(self, data: Data) -> list[Problem]:
        """The problems that `verify` checks, with the penalty of the fit."""
        return self._problems_again(data, self._penalty_again(data))

    def _is_single(self, data: Data) -> bool:
        """Whether `fit` solves one problem, so that `coef_` is a vector."""
        return data.single

    def _problem(self, data: Data, target: Array, loss: Loss, penalty: ElasticNet) -> Problem:
        return Problem(
            design=data.design,
            y=target,
            weight=data.weight,
            loss=loss,
            penalty=penalty,
            fit_intercept=bool(self.fit_intercept),
        )

    def _solve(self, problems: list[Problem], starts: list[Coefficients | None]) -> list[Solution]:
        settings = self._settings()
        return [solve(problem, settings, start) for problem, start in zip(problems, starts, strict=True)]

    def _starts(self, data: Data, problems: list[Problem]) -> list[Coefficients | None]:
        """Previous coefficients, if `warm_start` is set and their shape fits the data."""
        coefs = np.atleast_2d(getattr(self, "coef_", np.zeros((0, 0))))
        if not getattr(self, "warm_start", False) or coefs.shape != (len(problems), data.design.n_features):
            return [None] * len(problems)
        intercepts = np.broadcast_to(getattr(self, "intercept_", 0.0), len(problems))
        return [
            Coefficients(coef.astype(np.float64), float(value)) for coef, value in zip(coefs, intercepts, strict=True)
        ]

    def _store(self, data: Data, problems: list[Problem], solutions: list[Solution]) -> None:
        """Store only plain arrays, floats and strings, which pickle, joblib and skops load without ladreg's classes."""
        single = self._is_single(data)
        coefs = np.array([solution.coef for solution in solutions])
        coef, intercept = stored(data, problems, coefs, np.array([solution.intercept for solution in solutions]))
        fitted: dict[str, list[Any]] = {
            "n_iter_": [int(solution.n_iter) for solution in solutions],
            "dual_gap_": [float(solution.gap) for solution in solutions],
            "objective_": [float(solution.objective) for solution in solutions],
        }
        self.coef_ = coef[0] if single else coef
        self.intercept_ = intercept[0] if single else intercept
        for name, values in fitted.items():
            setattr(self, name, values[0] if single else np.array(values))
        self._certificates = [dict(vars(solution.certificate)) for solution in solutions]

    def _advise(self, problems: list[Problem]) -> None:
        """Warn of parameters that are not wrong, but rarely meant."""

    def _is_done(self, solution: Solution) -> bool:
        """Whether a solution needs no warning."""
        return solution.stopped.good or solution.relative_gap <= min(self.tol, ROUNDING_GAP)

    def _warn_of_pilot(self, what: str, relative_gap: float, stopped: StopReason) -> None:
        """Warn of a fit that comes before, and of whose optimum less is proved than `tol`."""
        if relative_gap > max(self.tol, ROUNDING_GAP):
            reason = stopped.value
            warnings.warn(
                f"{type(self).__name__}: {what} is proved to be within {relative_gap:.3g} of the optimum (relative). "
                f"{reason[0].upper()}{reason[1:]}.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _warn(self, solutions: list[Solution], stacklevel: int = 3) -> None:
        failed = [solution for solution in solutions if not self._is_done(solution)]
        if not failed:
            other = StopReason.NOT_CANONICAL
            if any(solution.stopped is other and not solution.unique for solution in solutions):
                warnings.warn(f"{type(self).__name__}: {other.value}.", ConvergenceWarning, stacklevel=stacklevel)
            return
        worst = max(failed, key=lambda solution: solution.relative_gap)
        # If the equations of the optimum were solved exactly, only rounding can explain the gap.
        reason = (StopReason.STALLED if worst.stopped.good else worst.stopped).value
        needed = max(int(solution.stats.get("rows_needed", 0)) for solution in failed)
        reason += f": {needed:,} rows are near it" if needed else ""
        which = f" ({len(failed)} of {len(solutions)} fits)" if len(solutions) > 1 else ""
        warnings.warn(
            f"{type(self).__name__} did not reach tol={self.tol:g}{which}: the objective {worst.objective:.6g} is "
            f"proved to be within {worst.gap:.3g} of the optimum ({worst.relative_gap:.3g} relative). "
            f"{reason[0].upper()}{reason[1:]}.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
