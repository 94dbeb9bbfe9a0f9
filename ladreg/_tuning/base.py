"""The shared body of estimators that choose alpha along a path: data -> grid -> path -> choice -> certified refit."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from ladreg._arrays import Array
from ladreg._estimators import (
    NO_BLOCKS,
    CertifiedRegressor,
    Data,
    MomentData,
    all_or_nothing,
    any_size,
    are_blocks,
    check_count,
    check_in_memory,
    check_real,
    check_verbose,
    opened,
    present,
    root_task,
    stored,
    task,
    training_data,
    verified_by_moments,
    with_callbacks,
)
from ladreg._paths import Path, Ranges, grid, last_alpha, path_of_knots, relaxed, solve_path
from ladreg._problem import ElasticNet, Loss, Problem, Settings, Solution, Solver
from ladreg._row_blocks import Passes
from ladreg._tolerances import ROUNDING_GAP

# More than 100 000 alphas are rejected as a mistake.
_MOST = 100_000


def check_number_of_alphas(values: Any) -> None:
    """Raise a ValueError if there are no alphas, or more than `_MOST`."""
    if np.ndim(values) == 0:
        check_count("alphas", values)
    number = int(values) if np.ndim(values) == 0 else len(values)
    if not 1 <= number <= _MOST:
        raise ValueError(f"alphas must be between 1 and {_MOST}, got {number} of them: each is a fit of its own.")


def checked_alphas(values: Any) -> None:
    """Raise a ValueError unless `values` is a number of alphas, or alphas >= 0."""
    check_number_of_alphas(values)
    numbers = np.asarray(values)
    if numbers.ndim == 1 and numbers.dtype.kind in "iuf" and np.all((numbers >= 0) & np.isfinite(numbers)):
        return
    for k, alpha in enumerate(numbers.tolist() if numbers.ndim > 0 else ()):
        check_real(f"alphas[{k}]", alpha, low=0.0)


def check_single(name: str, value: Any) -> None:
    """Raise a ValueError if `value` is a list: its members have losses of their own, which are not comparable."""
    if np.ndim(value) > 0:
        raise ValueError(f"{name} must be one number here, got {value!r}: fit one model for each.")


def alpha_grid(problem: Problem, alphas: Any, eps: float) -> Array:
    """The given alphas, decreasing, or a grid of `alphas` numbers from the largest useful one to `eps` times it."""
    if np.ndim(alphas) > 0:
        return np.sort(np.asarray(alphas, dtype=np.float64))[::-1].copy()
    if problem.penalty.curved and not np.any(problem.penalty.strength > 0):
        raise ValueError(
            "squares alone, an l1_ratio of 0, have no largest alpha, whose parts a grid could be: give alphas as a "
            "list."
        )
    return grid(problem, eps, int(alphas))


@dataclass(frozen=True)
class Candidate:
    """A plain estimator, the problem it poses at alpha = 1, and the alphas to choose from.

    With `alphas="knots"` there is one alpha for each of the `ranges` in which no fit changes.
    """

    model: CertifiedRegressor
    problem: Problem
    alphas: Array
    ranges: Ranges | None = None

    def path(self, settings: Settings) -> Path:
        """The solutions for all alphas."""
        return solve_path(self.problem, self.alphas, settings) if self.ranges is None else self.ranges.solutions()

    def with_ranges(self, ranges: Ranges) -> Candidate:
        """The same with the alphas of these ranges."""
        return replace(self, alphas=ranges.alphas, ranges=ranges)

    def with_alphas(self, alphas: Array) -> Candidate:
        """The same with other alphas."""
        return replace(self, alphas=alphas)

    def with_path(self, path: Path) -> Candidate:
        """The same with the alphas of a path that has ended early, or the ranges between its knots."""
        return replace(self, alphas=path.alphas) if self.ranges is None else self.with_ranges(Ranges.between(path))


@dataclass(frozen=True)
class Choice:
    """The candidates, the indices of the best and of its alpha, its path, and the solver of the last fit."""

    candidates: list[Candidate]
    candidate: int
    alpha: int
    path: Path
    solver: Solver


class TunedRegressor(CertifiedRegressor):
    """A regressor that chooses its alpha; subclasses say how, and which plain estimator it is for."""

    alphas: Any
    eps: float
    verbose: int
    post_selection: float | None
    max_features: int | None
    alpha_: float
    n_passes_: int
    knots_: Array
    penalty_weights_: Array
    # Whether alphas="knots" is possible: fits are piecewise constant in alpha.
    _has_knots: ClassVar[bool] = False

    @abstractmethod
    def _models(self) -> list[CertifiedRegressor]:
        """Plain estimators with the parameters of this one, at alpha = 1: one per candidate `l1_ratio`, or one."""

    @abstractmethod
    def _n_tasks(self, given: Any) -> int:
        """Number of subtasks of the choice that are reported to callbacks."""

    @abstractmethod
    def _prepared(self, X: ArrayLike, y: ArrayLike, data: Data, sample_weight: Any, params: dict[str, Any]) -> Any:
        """The other inputs of the choice, checked before anything is computed."""

    @abstractmethod
    def _chosen(self, candidates: list[Candidate], data: Data, given: Any, context: Any) -> Choice:
        """The choice, from the candidates and from `given`, which `_prepared` returned."""

    def _like(self, kind: type[CertifiedRegressor], **others: Any) -> CertifiedRegressor:
        """A plain estimator with the parameters that it shares with this one, and some others."""
        shared = {name: getattr(self, name) for name in _names_of(kind) if hasattr(self, name)}
        return kind(**{**shared, **others})

    def _check_tuning(self) -> None:
        """Raise a ValueError for a parameter of the choice that makes no sense."""
        if not self._follows_knots:
            checked_alphas(self._alphas)
        elif getattr(self, "solver", "auto") != "auto":
            raise ValueError(
                f"solver must be 'auto' with alphas='knots', got {self.solver!r}: it solves no single alpha."
            )
        check_real("eps", self.eps, low=0.0, open_ends=True)
        if self.post_selection is not None:
            check_real("post_selection", self.post_selection, low=0.0, high=1.0)
        check_count("max_features", self.max_features, optional=True)
        check_verbose(self.verbose)

    def _check_parameters(self) -> None:
        self._check_tuning()
        for model in self._models():
            model._check_parameters()

    @property
    def _follows_knots(self) -> bool:
        return self._has_knots and isinstance(self.alphas, str) and self.alphas == "knots"

    @property
    def _alphas(self) -> Any:
        """The number of alphas, or the alphas, that the paths begin with."""
        return self.alphas

    @property
    def _mixing(self) -> float:
        return 1.0 if self.post_selection is None else float(self.post_selection)

    @property
    def _model(self) -> CertifiedRegressor:
        """The plain estimator of the chosen candidate."""
        return self._models()[getattr(self, "_choice", 0)]

    @property
    def penalty(self) -> str | None:
        """Kind of the penalty that was chosen, for `sklearn.feature_selection.SelectFromModel`."""
        kind: str | None = getattr(self._model, "penalty", None)
        return kind

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        tags.target_tags.single_output = True
        return tags

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Choose alpha, fit the model with it, and certify its optimality.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Training data. float32 and float64 are not copied, in any memory order. `LassoCDCV`, `ElasticNetCDCV` and
            `LassoCDIC` also take data in blocks of rows (`ladreg.blocks`), which contain y and weights, and Dask arrays
            and DataFrames.
        y : array-like of shape (n_samples,)
            Target; None where X is data in blocks.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, used for the fits and for the losses of held-out rows.
        **params : dict
            `groups` for the splitter of a cross-validation, or what else it asks for by metadata routing. A choice by
            an information criterion takes nothing here.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or X, y or sample_weight is not finite, empty or of another length, or
            there is no fold, or one without rows.
        OverflowError
            If the objective is too large for float64.

        Warns
        -----
        ConvergenceWarning
            If the solver stopped before the proved gap was at most `tol`; you get the best coefficients found.
        DataConversionWarning
            If y has shape (n, 1): it is treated as one-dimensional.
        UserWarning
            If y has integers or decimals beyond 2**53 that float64 has to round, or denormal numbers, and if
            cross-validation chooses the smallest alpha that was tried, though smaller ones may be better.
        """
        with all_or_nothing(self), any_size():
            self._tune(X, y, sample_weight, params)
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _tune(self, X: Any, y: Any, sample_weight: ArrayLike | None, params: dict[str, Any]) -> None:
        self._check_parameters()
        if are_blocks(X):
            check_in_memory(getattr(self, "penalty_weights", None))
            self._tune_blocks(X, y, sample_weight, params)
            return
        self.__dict__.pop("n_passes_", None)
        data = _one_target(training_data(self, X, y, sample_weight, keep=True))
        given = self._prepared(X, y, data, sample_weight, params)
        context = root_task(self, self._n_tasks(given))
        with task(context, self, X=X, y=y):
            candidates = [self._candidate(model, present(data)) for model in self._models()]
            self._finish(data, self._chosen(candidates, data, given, context))

    def _tune_blocks(self, X: Any, y: Any, sample_weight: Any, params: dict[str, Any]) -> None:
        """The choice from data in blocks of rows, by rows with the same moments."""
        if not self._loss().is_square:
            raise TypeError(NO_BLOCKS.format(type(self).__name__))
        blocks, given = self._prepared_blocks(opened(X, y, sample_weight), params)
        blocks.name_features(self)
        context = root_task(self, self._n_tasks(given))
        with task(context, self, X=X, y=y):
            candidates = [self._candidate(model, blocks.data) for model in self._models()]
            self._finish(blocks.data, self._chosen(candidates, blocks.data, given, context), blocks)

    def _prepared_blocks(
        self,
        passes: Passes,  # noqa: ARG002
        params: dict[str, Any],  # noqa: ARG002
    ) -> tuple[MomentData, Any]:
        """The moments of data in blocks, and the other inputs of the choice, as `_prepared` returns them."""
        raise TypeError(NO_BLOCKS.format(type(self).__name__))

    def _verified_blocks(self, X: Any, y: Any, sample_weight: Any) -> list[Solution]:
        if not self._loss().is_square:
            return super()._verified_blocks(X, y, sample_weight)
        return verified_by_moments(self, X, y, sample_weight)

    def _candidate(self, model: CertifiedRegressor, data: Data) -> Candidate:
        problem = model._problems(data, model._scaled_penalty(data, 1.0))[0]
        eps = float(self.eps)
        if not self._follows_knots:
            return Candidate(model, problem, alpha_grid(problem, self._alphas, eps))
        ranges = Ranges.between(path_of_knots(problem, last_alpha(problem, eps), self._settings()))
        return Candidate(model, problem, ranges.alphas, ranges)

    def _finish(self, data: Data, choice: Choice, blocks: MomentData | None = None) -> None:
        """Fit with the chosen candidate and alpha, and store the fit and the path.

        If the rows of `data` stand for those of `blocks`, these prove the fit, and intercepts are in their units.
        """
        self._choice, k, path = choice.candidate, choice.alpha, choice.path
        candidate = choice.candidates[self._choice]
        self.alphas_ = self._all_alphas(choice.candidates, path)
        self.alpha_ = float(path.alphas[k])
        if path.ends is not None:
            self.knots_ = path.ends
        elif hasattr(self, "knots_"):  # of an earlier fit
            del self.knots_
        problem = candidate.problem.with_penalty(self._penalty_of_choice(present(data)))
        solution = choice.solver(problem, self._settings(), path.at(k))
        coefs, intercepts = path.coef.T, path.intercept
        mixed = solution.coef[:, None], np.array([solution.intercept])
        if self._mixing < 1.0:
            mixed = relaxed(problem, *mixed, self._mixing, self._settings())
        if blocks is not None:
            intercepts = blocks.intercepts(problem, coefs, intercepts)
            mixed = mixed[0], blocks.intercepts(problem, mixed[0].T, mixed[1])
            solution = blocks.certified(problem, solution, self._settings())
            self.n_passes_ = len(blocks.passes.names)
            data, problem = blocks.original, blocks.original_problem(problem)
        self._store(data, [problem], [solution])
        coefs, self.intercept_path_ = stored(data, [problem], coefs, intercepts)
        self.coef_path_ = np.asarray(coefs.T)
        if self._mixing < 1.0:
            coefs, intercepts = stored(data, [problem], mixed[0].T, mixed[1])
            self.coef_, self.intercept_ = coefs[0], intercepts[0]
        self._warn([solution], stacklevel=6)
        warn_of(path, self.tol, stacklevel=6)

    def _all_alphas(self, candidates: list[Candidate], path: Path) -> Array:
        """The alphas of the path, or a row for each of several candidates, where they differ; short rows end in NaN."""
        rows = [one.alphas for one in candidates]
        same = np.ndim(self.alphas) > 0 and all(row.size == rows[0].size for row in rows)
        if len(rows) == 1 or same:
            return path.alphas
        table = np.full((len(rows), max(row.size for row in rows)), np.nan)
        for row, values in zip(table, rows, strict=True):
            row[: values.size] = values
        return table

    def _loss(self) -> Loss:
        return self._model._loss()

    def _scaled_penalty(self, data: Data, alpha: float) -> ElasticNet:
        return self._model._scaled_penalty(data, alpha)

    def _penalty(self, data: Data) -> ElasticNet:
        check_real("alpha_", self.alpha_, low=0.0)
        return self._scaled_penalty(data, self.alpha_)

    def _penalty_of_choice(self, data: Data) -> ElasticNet:
        """The penalty with the alpha that was chosen; adaptive weights are kept."""
        model = self._model
        if hasattr(self, "penalty_weights_"):  # of an earlier fit
            del self.penalty_weights_
        if getattr(model, "_is_adaptive", False):
            self.penalty_weights_ = model._weights(data)
        return self._penalty_again(data)

    def _penalty_again(self, data: Data) -> ElasticNet:
        model = self._model
        if not getattr(model, "_is_adaptive", False):
            return self._penalty(data)
        check_real("alpha_", self.alpha_, low=0.0)
        found: ElasticNet = model._again(data, self.alpha_, self.penalty_weights_)
        return found

    def _settings(self) -> Settings:
        return replace(self._model._settings(), tol=self.tol, max_iter=self.max_iter)

    def _is_done(self, solution: Solution) -> bool:
        return self._model._is_done(solution)

    def _say(self, text: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {text}", flush=True)


@cache
def _names_of(kind: type[CertifiedRegressor]) -> tuple[str, ...]:
    """Names of an estimator's parameters; cached, since scikit-learn reads them from the signature every time."""
    return tuple(kind().get_params(deep=False))


def _one_target(data: Data) -> Data:
    if not data.single:
        raise ValueError(
            f"y must be one-dimensional, got {data.Y.shape[1]} targets: each would have a path and an alpha of "
            "its own. sklearn.multioutput.MultiOutputRegressor around this estimator fits one for each; with an alpha "
            "that is known, the estimator of one alpha takes all targets, and so does fit_many."
        )
    return data


def check_not_empty(path: Path, most: int | None) -> None:
    """Raise a ValueError if a path has ended before its first solution, by a limit of features."""
    if path.alphas.size == 0:
        raise ValueError(
            f"max_features must be larger, got {most}: the fit at the largest alpha has more coefficients that are not "
            "zero, as unpenalised ones are. Raise it, begin with a larger alpha, or penalise more features."
        )


def warn_of(path: Path, tol: float, stacklevel: int, parameter: str = "alpha") -> None:
    """Warn if the solver stopped before some gap met `tol`."""
    bad = path.relative_gap > max(tol, ROUNDING_GAP)
    bad &= np.array([not reason.good for reason in path.stopped])
    if not bad.any():
        return
    worst = int(np.argmax(np.where(bad, path.relative_gap, 0.0)))
    reason = path.stopped[worst].value
    warnings.warn(
        f"{int(bad.sum())} of {bad.size} fits along the path did not reach tol={tol:g}; the worst, at "
        f"{parameter}={path.alphas[worst]:.4g}, is proved to be within {path.relative_gap[worst]:.3g} of the optimum "
        f"(relative). {reason[0].upper()}{reason[1:]}, or raise eps.",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )
