"""What the estimators of the L1 family share: any loss, and the L1 penalty with a strength for each feature."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import NOTHING, Array, MatrixLike
from ladreg._estimators.adaptive import WeightedRegressor, check_in_memory
from ladreg._estimators.in_blocks import BlockData
from ladreg._estimators.limits import Bounds, Limits, multiples
from ladreg._estimators.pivotal import column_scales, noise_level, noise_level_of_blocks, quantile_of
from ladreg._estimators.validation import (
    Data,
    any_size,
    check_count,
    check_flag,
    check_real,
    training_data,
)
from ladreg._estimators.verification import given_coefficients
from ladreg._from_blocks import Question, judged, noise, solve_blocks, together
from ladreg._problem import HUGE, Coefficients, ElasticNet, Problem, Solution
from ladreg._solvers import largest_alpha
from ladreg._tolerances import ROUNDING_GAP


@dataclass(frozen=True)
class ScaledPenalty(ElasticNet):
    """A penalty with the `alpha` of its strengths; None if alpha is still to be chosen and the strengths are for 1."""

    alpha: float | None = None

    @classmethod
    def of(cls, units: Array, alpha: float, limits: Limits, l1_ratio: float = 1.0) -> ScaledPenalty:
        """Strengths ``alpha * l1_ratio * units``, the rest ridges; infinite units stay so, whatever `alpha` is."""
        strength, ridge = multiples(l1_ratio, multiples(alpha, units)), NOTHING
        if l1_ratio < 1.0:
            ridge = np.minimum((1.0 - l1_ratio) * (alpha * np.where(np.isinf(units), 0.0, units)), HUGE)
        return cls(strength, limits.positive, ridge, limits.lower, limits.upper, alpha=alpha)


class L1Regressor(WeightedRegressor):
    """A regressor with an L1 penalty, times factors of the features, and, with `l1_ratio` below 1, an L2 term."""

    alpha: float | Literal["pivotal"]
    positive: bool
    bounds: Bounds | None

    # Name of the parameter that says which share of the penalty is L1.
    _ratio_name: ClassVar[str] = "l1_ratio"

    @property
    def _penalty_ratio(self) -> float:
        return float(getattr(self, self._ratio_name))

    @abstractmethod
    def _check_loss(self) -> None:
        """Raise a ValueError for a parameter of the loss that makes no sense."""

    def _check_parameters(self) -> None:
        self._check_loss()
        check_real(self._ratio_name, getattr(self, self._ratio_name), low=0.0, high=1.0)
        check_real("gamma", self.gamma, low=0.0, open_ends=True)
        self._check_alpha()
        for name in ("fit_intercept", "positive", "warm_start"):
            check_flag(name, getattr(self, name))
        check_real("tol", self.tol, low=0.0)
        check_count("max_iter", self.max_iter, optional=True)

    def _check_alpha(self) -> None:
        check_real("alpha", self.alpha, low=0.0)

    def _weighted(self, data: Data, alpha: float, weights: Array) -> ElasticNet:  # noqa: ARG002 - others need data
        return ScaledPenalty.of(weights, alpha, self._limits(weights), self._penalty_ratio)

    def _limits(self, factors: Array) -> Limits:
        return Limits.of(self.bounds, bool(self.positive), factors)

    @property
    def penalty(self) -> str | None:
        """Kind of the penalty, for `sklearn.feature_selection.SelectFromModel`: None where `alpha` is 0."""
        if self.alpha == 0:
            return None
        return "l1" if self._penalty_ratio == 1 else "elasticnet"

    def _is_done(self, solution: Solution) -> bool:
        return solution.relative_gap <= max(self.tol, ROUNDING_GAP)

    def _fit_blocks(self, X: Any, y: Any, sample_weight: Any) -> None:
        given, problems = self._posed(X, y, sample_weight)
        solutions = together(given.passes, self._fits(given, problems))
        given.name_features(self)
        self.n_passes_ = len(given.passes.names)
        self._store(given.sample, problems, solutions)
        self._warn(solutions)

    def _verified_blocks(self, X: Any, y: Any, sample_weight: Any) -> list[Solution]:
        posed = PosedBlocks.of(self, X, y, sample_weight)
        passes, seen = posed.given.passes, posed.given.seen
        best = together(passes, posed.fits())
        checks = [
            judged(Question.like(problem), seen, point, solution)
            for problem, point, solution in zip(posed.problems, posed.points, best, strict=True)
        ]
        return together(passes, checks)

    def _posed(self, X: Any, y: Any, sample_weight: Any, again: bool = False) -> tuple[BlockData, list[Problem]]:
        """Data in blocks after one pass, and the problems, as those of the sample; `again` for a fitted model."""
        self._check_blocks()
        check_in_memory(self.penalty_weights)
        given = BlockData.surveyed(X, y, sample_weight)
        return given, self._block_problems(given, again)

    def _check_blocks(self) -> None:
        """Raise an error if rows in blocks cannot be fitted."""

    def _block_problems(self, given: BlockData, again: bool) -> list[Problem]:
        """The problems that `fit` solves, or `again` those of the fitted model, as those of the sample."""
        if again:
            return self._problems_again(given.sample, self._penalty_again(given.sample))
        return self._problems(given.sample, self._penalty(given.sample))

    def _fits(self, given: BlockData, problems: list[Problem]) -> list[Any]:
        settings = self._settings()
        return [solve_blocks(Question.like(problem), settings, given.seen, given.n_held) for problem in problems]

    def alpha_max(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float | Any:
        """The smallest `alpha` for which it is optimal that all penalised coefficients are zero.

        A coefficient whose `bounds` do not allow zero is at the bound nearest to zero instead. Uses the estimator's
        other parameters; not available for ``alpha="pivotal"``. Use fractions of it as a grid. For a piecewise linear
        loss other solutions are optimal too at exactly this value, but not above it; the value is an upper bound where
        unpenalised columns so nearly depend on each other that no dual is found which balances them.

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
            One number for each target (or quantile), in units of `alpha`; 0 if no feature is penalised.

        Raises
        ------
        ValueError
            As in `fit`, for invalid data or parameters.

        Warns
        -----
        UserWarning
            If the value is an upper bound.
        """
        self._check_parameters()
        if self._penalty_ratio == 0:
            raise ValueError(
                f"{self._ratio_name} must be > 0: an L2 term alone makes no coefficient exactly zero, for any alpha."
            )
        data = training_data(self, X, y, sample_weight, reset=False) if hasattr(self, "n_features_in_") else None
        data = data or training_data(type(self)(), X, y, sample_weight)
        with any_size():
            unit = self._scaled_penalty(data, 1.0)
            found = [largest_alpha(problem) for problem in self._problems(data, unit)]
        return found[0] if self._is_single(data) else np.array(found)


class PivotalRegressor(L1Regressor):
    """An `L1Regressor` with a piecewise linear loss, whose `alpha` may be chosen as `pivotal_alpha` does."""

    alpha_: float | Any
    l1_ratio: float

    @property
    def _several(self) -> bool:
        """Whether there is a list of quantiles."""
        return False

    @property
    def _is_pivotal(self) -> bool:
        return isinstance(self.alpha, str) and self.alpha == "pivotal"

    def _check_alpha(self) -> None:
        if self._is_pivotal:
            if self._is_adaptive:
                raise ValueError(
                    "alpha='pivotal' cannot be combined with penalty_weights='adaptive': the pivotal penalty assumes "
                    "penalty factors that do not depend on y. Pass alpha as a number."
                )
            if self._penalty_ratio < 1:
                raise ValueError(
                    f"alpha='pivotal' is only for a pure L1 penalty, got l1_ratio={self.l1_ratio!r}: set it to 1, or "
                    "pass alpha as a number."
                )
            return
        try:
            super()._check_alpha()
        except ValueError as error:
            raise ValueError(f"{error} Or pass 'pivotal'.") from None

    def _penalty(self, data: Data) -> ElasticNet:
        if not self._is_pivotal:
            return super()._penalty(data)
        return self._open_penalty(data, column_scales(data.design, data.weight, bool(self.fit_intercept))[0])

    def _open_penalty(self, data: Data, scale: Array) -> ElasticNet:
        """The penalty for columns of these deviations, whose alpha is still to be chosen."""
        factors = self._kept_weights(data)
        limits = self._limits(factors)
        ends = limits.lower, limits.upper
        return ScaledPenalty(factors * scale, limits.positive, np.zeros(0), *ends, alpha=None)

    def _problems(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        problems = self._given(data, penalty)
        if not _is_open(penalty):
            return problems
        quantiles, deviations = zip(*[quantile_of(problem.loss) for problem in problems], strict=True)
        centred = bool(self.fit_intercept)
        level = noise_level(data, self._weights(data), quantiles, centred=centred, moves=penalty.moves)
        return _settled(problems, [level * deviation for deviation in deviations])

    def _problems_again(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        problems = self._given(data, penalty)
        if not _is_open(penalty):
            return problems
        alphas = self._chosen_alphas(len(problems))
        # `verify` raises an error if there is another number of alphas than of problems.
        return _settled(problems, alphas) if len(alphas) == len(problems) else problems

    def _chosen_alphas(self, n_problems: int) -> list[float]:
        """The alpha that `fit` chose, for each problem."""
        alphas: list[float] = np.ravel(self.alpha_).tolist() * (1 if self._several else n_problems)
        for alpha in alphas:
            check_real("alpha_", alpha, low=0.0)
        return alphas

    def _given(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        """One problem per target or quantile, with the given penalty."""
        return super()._problems(data, penalty)

    def _block_problems(self, given: BlockData, again: bool) -> list[Problem]:
        if not self._is_pivotal or given.seen.is_complete:
            return super()._block_problems(given, again)
        (found,) = together(given.passes, [noise(given.seen, bool(self.fit_intercept))])
        penalty = self._open_penalty(given.sample, found.scale)
        problems = self._given(given.sample, penalty)
        if again:
            return _settled(problems, self._chosen_alphas(len(problems)))
        quantiles, deviations = zip(*[quantile_of(problem.loss) for problem in problems], strict=True)
        level = noise_level_of_blocks(found, self._weights(given.sample), quantiles, moves=penalty.moves)
        return _settled(problems, [level * deviation for deviation in deviations])

    def _store(self, data: Data, problems: list[Problem], solutions: list[Solution]) -> None:
        super()._store(data, problems, solutions)
        alphas = [float(getattr(problem.penalty, "alpha", np.nan)) for problem in problems]
        self.alpha_ = np.array(alphas) if self._several else alphas[0]


@dataclass(frozen=True)
class PosedBlocks:
    """A fitted model and data in blocks, after one pass: its problems, as those of the sample, and its coefficients."""

    model: L1Regressor
    given: BlockData
    problems: list[Problem]
    points: list[Coefficients]

    @classmethod
    def of(cls, model: L1Regressor, X: Any, y: Any, sample_weight: Any) -> PosedBlocks:
        """What a fitted model says of data in blocks."""
        check_is_fitted(model)
        model._check_parameters()
        given, problems = model._posed(X, y, sample_weight, again=True)
        given.check_features(model)
        coefs, intercepts = given_coefficients(model, problems, given.sample)
        points = [Coefficients(*pair) for pair in zip(coefs, intercepts.tolist(), strict=True)]
        return cls(model, given, problems, points)

    def fits(self) -> list[Any]:
        """Fits of the problems, which prove the best coefficients."""
        return self.model._fits(self.given, self.problems)


def _is_open(penalty: ElasticNet) -> bool:
    return isinstance(penalty, ScaledPenalty) and penalty.alpha is None


def _settled(problems: list[Problem], alphas: list[float]) -> list[Problem]:
    """The problems with these multiples of their penalties."""
    settled = []
    for problem, alpha in zip(problems, alphas, strict=True):
        penalty = problem.penalty
        limits = Limits(penalty.positive, penalty.lower, penalty.upper)
        settled.append(replace(problem, penalty=ScaledPenalty.of(penalty.strength, alpha, limits)))
    return settled
