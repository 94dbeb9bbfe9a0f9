"""The shared body of estimators that choose alpha along a path: data -> grid -> path -> choice -> certified refit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ladreg._arrays import Array, MatrixLike
from ladreg._estimators import (
    NO_BLOCKS,
    CertifiedRegressor,
    Data,
    FoldedData,
    MomentData,
    all_or_nothing,
    any_size,
    are_blocks,
    check_count,
    check_flag,
    check_in_memory,
    check_real,
    check_verbose,
    opened,
    present,
    root_task,
    stored,
    subtasks,
    task,
    told_of_passes,
    training_data,
    verified_by_moments,
    with_callbacks,
)
from ladreg._paths import Path, Ranges, last_alpha, path_of_knots, relaxed
from ladreg._problem import ElasticNet, Loss, Problem, Settings, Solution
from ladreg._row_blocks import Passes, Source
from ladreg._solvers import largest_alpha, with_zeros_of
from ladreg._tuning.candidates import Candidate, Choice, alpha_grid, checked_alphas, warn_of
from ladreg._tuning.targets import Target, blank, part_of, stack, targets_of

# What `verify` of the plain estimator needs of a fit.
_OF_FIT = ("coef_", "intercept_", "n_features_in_", "feature_names_in_", "scale_")


class TunedRegressor(CertifiedRegressor):
    """A regressor that chooses its alpha; subclasses say how, and which plain estimator it is for."""

    alphas: Any
    eps: float
    verbose: int
    post_selection: float | None
    max_features: int | None
    alpha_per_target: bool
    alpha_: float | Any
    alphas_: Array
    coef_path_: NDArray[np.floating]
    intercept_path_: NDArray[np.floating]
    knots_: Array
    penalty_weights_: Array
    # Whether alphas="knots" is possible: fits are piecewise constant in alpha.
    _has_knots: ClassVar[bool] = False

    @abstractmethod
    def _models(self) -> list[CertifiedRegressor]:
        """Plain estimators with the parameters of this one, at alpha = 1: one per candidate `l1_ratio`, or one."""

    @abstractmethod
    def _n_tasks(self, given: Any) -> int:
        """Number of subtasks of the choice for one target that are reported to callbacks."""

    @abstractmethod
    def _prepared(self, X: MatrixLike, y: ArrayLike, data: Data, sample_weight: Any, params: dict[str, Any]) -> Any:
        """The other inputs of the choice, checked before anything is computed."""

    @abstractmethod
    def _chosen(self, targets: Sequence[Target], given: Any) -> list[Choice]:
        """One alpha for some targets, from their candidates and from `given`, which `_prepared` returned."""

    def _like(self, kind: type[CertifiedRegressor], **others: Any) -> CertifiedRegressor:
        """A plain estimator with the parameters that it shares with this one, and some others."""
        shared = {name: getattr(self, name) for name in _names_of(kind) if hasattr(self, name)}
        return kind(**{**shared, **others})

    def _check_tuning(self) -> None:
        """Raise a ValueError for a parameter of the choice that makes no sense."""
        if not self._follows_knots:
            checked_alphas(self._alphas)
        elif (solver := getattr(self, "solver", "auto")) != "auto":
            raise ValueError(f"solver must be 'auto' with alphas='knots', got {solver!r}: linprog cannot follow knots.")
        check_real("eps", self.eps, low=0.0, open_ends=True)
        if self.post_selection is not None:
            check_real("post_selection", self.post_selection, low=0.0, high=1.0)
        check_count("max_features", self.max_features, optional=True)
        check_flag("alpha_per_target", self.alpha_per_target)
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
        """The plain estimator of the chosen candidate, of the first target where there are several."""
        return self._models()[np.ravel(getattr(self, "_choice", 0))[0]]

    @property
    def penalty(self) -> str | None:
        """Kind of the penalty that was chosen, for `sklearn.feature_selection.SelectFromModel`."""
        kind: str | None = getattr(self._model, "penalty", None)
        return kind

    def fit(
        self, X: MatrixLike | Source, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Choose alpha, fit the model with it, and certify its optimality.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Training data. float32 and float64 are not copied, in any memory order. Estimators whose names end with CV,
            and `LassoCDIC`, also take data in blocks of rows (`ladreg.blocks`), which contain y and weights, and Dask
            arrays and DataFrames.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target; each column of a two-dimensional y is fitted separately, one column as a one-dimensional y. None
            where X is data in blocks, which have one target.
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
        if hasattr(self, "n_passes_"):  # of an earlier fit
            del self.n_passes_
        data = training_data(self, X, y, sample_weight, keep=True)
        parts = targets_of(data)
        given = self._prepared(X, y, data, sample_weight, params)
        context = root_task(self, self._n_tasks(given) * len(parts))
        with task(context, self, X=X, y=y):
            rows = self._candidates(targets_of(present(data)))
            self._choose(parts, rows, given, context)

    def _choose(
        self,
        parts: list[Data],
        candidates: list[list[Candidate]],
        given: Any,
        context: Any,
        blocks: MomentData | FoldedData | None = None,
    ) -> None:
        """Choose and fit for each target, given as data and candidates; several targets are stacked."""
        contexts = iter(subtasks(context, "fold", self._n_tasks(given) * len(parts)))
        several = len(parts) > 1
        targets = [
            Target(k, f"target {k}: " if several else "", blank(self) if several else self, part, some, contexts)
            for k, (part, some) in enumerate(zip(parts, candidates, strict=True))
        ]
        groups = [targets] if self._shares_alpha(len(parts)) else [[target] for target in targets]
        choices = [choice for group in groups for choice in self._chosen(group, given)]
        for target, choice in zip(targets, choices, strict=True):
            target.fit._finish(target.data, choice, blocks)
        if several:
            stack(self, [target.fit for target in targets], together=self._shares_alpha(len(parts)))

    def _shares_alpha(self, n_targets: int) -> bool:
        """Whether several targets are to have one alpha."""
        return n_targets > 1 and not self.alpha_per_target

    def _tune_blocks(self, X: Any, y: Any, sample_weight: Any, params: dict[str, Any]) -> None:
        """The choice from data in blocks of rows."""
        if not self._takes_blocks:
            raise TypeError(NO_BLOCKS.format(type(self).__name__))
        context = root_task(self, None)
        with task(context, self, X=X, y=y), told_of_passes(context, self, self._say):
            blocks, given = self._prepared_blocks(*opened(X, y, sample_weight), params)
            blocks.name_features(self)
            known = blocks.problem if isinstance(blocks, FoldedData) else None
            candidates = self._candidates([blocks.data], blocks.largest_alpha, known)
            self._choose([blocks.data], candidates, given, context, blocks)

    @property
    def _takes_blocks(self) -> bool:
        """Whether `fit` takes data in blocks of rows."""
        return self._loss().is_square

    def _prepared_blocks(
        self,
        passes: Passes,  # noqa: ARG002
        n_held: int,  # noqa: ARG002
        params: dict[str, Any],  # noqa: ARG002
    ) -> tuple[MomentData | FoldedData, Any]:
        """The moments or survey of data in blocks, and the other inputs of the choice, as `_prepared` returns them."""
        raise TypeError(NO_BLOCKS.format(type(self).__name__))

    def _verified_blocks(self, X: Any, y: Any, sample_weight: Any) -> list[Solution]:
        if not self._takes_blocks:
            return super()._verified_blocks(X, y, sample_weight)
        if self._loss().is_square:
            return verified_by_moments(self, X, y, sample_weight)
        model = self._like(type(self._model), alpha=float(self.alpha_))
        for name in _OF_FIT:
            if hasattr(self, name):
                setattr(model, name, getattr(self, name))
        return model._verified_blocks(X, y, sample_weight)

    def _candidates(
        self,
        parts: list[Data],
        largest_of: Callable[[Problem], float] = largest_alpha,
        known: Problem | None = None,
    ) -> list[list[Candidate]]:
        """The candidates of each target; targets that are to have one alpha have the same alphas.

        `known` is the problem of the only one at alpha = 1, where it is known.
        """
        rows = []
        for model in self._models():
            problems = [known or model._problems(part, model._scaled_penalty(part, 1.0))[0] for part in parts]
            groups = [problems] if self._shares_alpha(len(parts)) else [[problem] for problem in problems]
            rows.append([one for group in groups for one in self._posed(model, group, largest_of)])
        return [list(column) for column in zip(*rows, strict=True)]

    def _posed(
        self, model: CertifiedRegressor, problems: list[Problem], largest_of: Callable[[Problem], float]
    ) -> list[Candidate]:
        """One candidate for each of some problems, all with the same alphas."""
        eps = float(self.eps)
        if not self._follows_knots:
            alphas = alpha_grid(problems, self._alphas, eps, largest_of)
            return [Candidate(model, problem, alphas) for problem in problems]
        end = last_alpha(problems, eps)
        ranges = Ranges.common([path_of_knots(problem, end, self._settings()) for problem in problems])
        return [Candidate(model, problem, one.alphas, one) for problem, one in zip(problems, ranges, strict=True)]

    def _finish(self, data: Data, choice: Choice, blocks: MomentData | FoldedData | None = None) -> None:
        """Fit with the chosen candidate and alpha, and store the fit and the path.

        If the rows of `data` stand for those of `blocks`, these prove the fit, and intercepts are in their units.
        """
        self._choice, path = choice.candidate, choice.path
        self.alphas_ = self._all_alphas(choice.candidates, path)
        if path.ends is not None:
            self.knots_ = path.ends
        elif hasattr(self, "knots_"):  # of an earlier fit
            del self.knots_
        problem, solution = self._solved(data, choice, choice.alpha)
        coefs, intercepts = path.coef.T, path.intercept
        mixed = solution.coef[:, None], np.array([solution.intercept])
        if choice.final is not None:
            mixed = choice.final.coef[:, None], np.array([choice.final.intercept])
        elif self._mixing < 1.0:
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
        self._warn([solution], stacklevel=7)
        warn_of(path, self.tol)

    def _solved(self, data: Data, choice: Choice, k: int) -> tuple[Problem, Solution]:
        """The problem at the k-th alpha, which becomes `alpha_`, and its solution.

        A path whose points are not proved may have fewer features than the solution: where these are more than
        `max_features`, the alpha before is taken.
        """
        path, candidate = choice.path, choice.candidates[choice.candidate]
        self.alpha_ = float(path.alphas[k])
        problem = candidate.problem.with_penalty(self._penalty_of_choice(present(data)))
        solution = choice.solver(problem, self._settings(), path.at(k))
        is_last = k == 0 or choice.final is not None
        solution = with_zeros_of(problem, solution, path.at(k), self.tol, self.max_features if is_last else None)
        is_over = self.max_features is not None and bool(np.count_nonzero(solution.coef) > self.max_features)
        return (problem, solution) if is_last or not is_over else self._solved(data, choice, k - 1)

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
        return self._scaled_penalty(data, float(self.alpha_))

    def _penalty_of_choice(self, data: Data) -> ElasticNet:
        """The penalty with the alpha that was chosen; adaptive weights are kept."""
        model: Any = self._model
        if hasattr(self, "penalty_weights_"):  # of an earlier fit
            del self.penalty_weights_
        if getattr(model, "_is_adaptive", False):
            self.penalty_weights_ = model._weights(data)
        return self._penalty_again(data)

    def _penalty_again(self, data: Data) -> ElasticNet:
        model: Any = self._model
        if not getattr(model, "_is_adaptive", False):
            return self._penalty(data)
        check_real("alpha_", self.alpha_, low=0.0)
        found: ElasticNet = model._again(data, self.alpha_, self.penalty_weights_)
        return found

    def _posed_again(self, data: Data) -> list[Problem]:
        if data.single:
            return super()._posed_again(data)
        parts, n_fitted = targets_of(data), len(np.atleast_2d(self.coef_))
        if len(parts) != n_fitted:
            raise ValueError(self._miscounted(len(parts), n_fitted))
        return [problem for k, part in enumerate(parts) for problem in part_of(self, k)._posed_again(part)]

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
