"""What inference asks of a model: an optimum of these data that nothing but the data chose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._cached import cached_property
from ladreg._certificate import tied_rows
from ladreg._estimators import LastStep, Verified, is_adaptive, verified
from ladreg._inference.regressors import Regressors, null_columns
from ladreg._problem import Absolute, Certificate, ElasticNet, Huber, Problem, Solution
from ladreg._tolerances import ROUNDED, SUMMED
from ladreg._warn import warn_user
from ladreg.huber import HuberLossRegressor
from ladreg.lad import LADRegressor
from ladreg.quantile import QuantileRegressor

_MODELS = (LADRegressor, QuantileRegressor, HuberLossRegressor)
# Standard errors of fewer than 20 groups are too small as a rule (Cameron and Miller 2015, doi 10.3368/jhr.50.2.317).
_FEW_GROUPS = 20


@dataclass(frozen=True)
class Sample:
    """The rows of a table, as far as they do not depend on a fit.

    Attributes
    ----------
    regressors : Regressors
        The columns of the intercept and of the features that were not excluded.
    features : ndarray of shape (n_kept,)
        The numbers of these features.
    weight, square : ndarray of shape (n_samples,)
        Weights with the number of rows as their sum, and what a row counts in a sum of squared scores.
    size : float
        The number of rows, or the sum of frequency weights.
    groups : ndarray of shape (n_samples,) or None
        The number of each row's group.
    n_groups : int
        The number of groups.
    is_frequency : bool
        Whether a row stands for as many equal ones as its weight says.
    """

    regressors: Regressors
    features: Index
    weight: Array
    square: Array
    size: float
    groups: Index | None
    n_groups: int
    is_frequency: bool

    @cached_property
    def weight_root(self) -> Array:
        """R, upper triangular, with ``R'R = sum_i weight_i x_i x_i'`` for the columns of `regressors`."""
        return self.regressors.root(self.weight)

    @cached_property
    def square_root(self) -> Array:
        """The same for ``sum_i square_i x_i x_i'``."""
        return self.weight_root if self.square is self.weight else self.regressors.root(self.square)

    @property
    def df(self) -> float:
        """Degrees of freedom of the t distribution."""
        return float(self.n_groups - 1) if self.groups is not None else self.size - self.regressors.size


@dataclass(frozen=True)
class Fit:
    """An optimum without penalty.

    Attributes
    ----------
    problem : Problem
        The problem without the excluded features and without restrictions that do not bind.
    coef, intercept
        Its optimum.
    residual : ndarray of shape (n_samples,)
        Residuals; 0 where they are rounding, which a kernel would take for a scale.
    score : ndarray of shape (n_samples,)
        The derivative of the loss in each residual, at a kink the one for which ``sum_i weight_i score_i x_i`` is zero;
        of least absolute deviations half of it, as for the median.
    certificate : Certificate
        The proof of the model's coefficients on these data.
    """

    problem: Problem
    coef: Array
    intercept: float
    residual: Array
    score: Array
    certificate: Certificate

    @property
    def quantile(self) -> float:
        """The quantile; NaN for Huber's loss."""
        if isinstance(self.problem.loss, Huber):
            return float("nan")
        return 0.5 if isinstance(self.problem.loss, Absolute) else self.problem.loss.interval()[1]

    @property
    def point(self) -> Array:
        """Coefficients, the intercept first if there is one."""
        return np.append(self.intercept, self.coef) if self.problem.fit_intercept else self.coef


def read(
    last: LastStep,
    X: MatrixLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None,
    weights: str,
) -> tuple[Sample, list[Fit], list[str]]:
    """The sample, one fit for each quantile or target, and the names of the coefficients.

    A ValueError (or, for other models, a TypeError) says why data have no standard errors.
    """
    model = last.estimator
    if not isinstance(model, _MODELS):
        raise TypeError(
            "infer takes a fitted LADRegressor, QuantileRegressor or HuberLossRegressor, or a pipeline that ends with "
            f"one, got {type(model).__name__}. If alpha or the features were chosen from the data, fit one of these "
            'with alpha=0 to other rows. For LassoCD and LassoCDCV pass method="desparsified", for LassoCD also '
            '"selective".'
        )
    if is_adaptive(model.penalty_weights):
        raise ValueError(
            "penalty_weights='adaptive' computes the penalty factors from y, but inference needs factors that do not "
            "depend on y. Pass penalty_weights as an array that was not computed from these data."
        )
    given = verified(model, X, y, sample_weight)
    names = column_names(last.names, given.data.design.n_features)
    for problem, solution in zip(given.problems, given.solutions, strict=True):
        check_free(problem, solution, names)
        check_optimal(model, problem, solution)
    features = np.flatnonzero(np.isfinite(given.problems[0].penalty.strength))
    sample = _sample(given, features, sample_weight, groups, weights)
    kept = (["intercept"] if given.problems[0].fit_intercept else []) + [names[j] for j in features]
    n = given.data.design.n_samples
    check_columns(n, kept, sample.weight_root if n > len(kept) else None)
    fits = [
        _fit(problem, solution, features) for problem, solution in zip(given.problems, given.solutions, strict=True)
    ]
    for fit in fits:
        _warn(fit, sample)
    return sample, fits, kept


def check_columns(n: int, names: list[str], root: Array | None) -> None:
    """Raise a ValueError unless n rows are more than the coefficients, and their triangle R is regular."""
    if n <= len(names) or root is None:
        raise ValueError(
            f"{n} rows (with a non-zero weight) are too few for {len(names)} coefficients: there must be more "
            "rows than coefficients."
        )
    dependent = null_columns(root)
    if dependent.size:
        raise ValueError(
            "X is singular, so that single coefficients have no standard errors: these columns are constant or "
            f"linearly dependent: {', '.join(names[j] for j in dependent)}. Drop one of them."
        )


def column_names(names: list[str] | None, n_features: int) -> list[str]:
    return [f"x{j}" for j in range(n_features)] if names is None else names


def check_free(problem: Problem, solution: Solution, names: list[str]) -> None:
    """Raise a ValueError unless the data alone determine the coefficients."""
    strength = problem.penalty.strength
    if np.any((strength > 0) & np.isfinite(strength)) or problem.penalty.curved:
        raise ValueError(
            "the model has a penalty (alpha > 0), which biases its coefficients, so that standard errors would be "
            "invalid. Fit with alpha=0; if the penalty selected features, fit these to other rows."
        )
    lower, upper = problem.penalty.ends
    held = np.flatnonzero(((solution.coef <= lower) | (solution.coef >= upper)) & np.isfinite(strength))
    if held.size:
        limited = problem.penalty.limited
        what, where = ("bounds hold", "their ends") if limited else ("positive=True holds", "0")
        name = "bounds" if limited else "positive"
        raise ValueError(
            f"{what} coefficients at {where}: {', '.join(names[j] for j in held)}. Coefficients at a bound have no "
            f"standard errors. Fit without {name}, or exclude these features and fit the model to other rows."
        )


def rounding_of_predictions(model: Any, problem: Problem, solution: Solution) -> float:
    """How far predictions may be off by the rounding of coefficients: 2^-24 of the sizes of their terms in float32."""
    rounding = 2.0**-24 if np.asarray(model.coef_).dtype == np.float32 else ROUNDED
    return rounding * (float(problem.design.reach() @ np.abs(solution.coef)) + abs(solution.intercept))


def check_optimal(model: Any, problem: Problem, solution: Solution) -> None:
    """Raise a ValueError unless the coefficients are proved to be optimal for these data."""
    allowed = float(model.tol) * solution.objective
    allowed += rounding_of_predictions(model, problem, solution) * float(np.abs(problem.loss.interval()).max())
    if solution.relative_gap > model.tol and not solution.gap <= allowed:
        raise ValueError(
            f"the coefficients are not optimal for these data: the objective {solution.objective:.6g} may be "
            f"{solution.gap:.3g} above the optimum ({solution.relative_gap:.3g} relative, more than "
            f"tol={model.tol:g}). Pass the X, y and sample_weight that the model was fitted to."
        )


def _sample(
    given: Verified, features: Index, sample_weight: ArrayLike | None, groups: ArrayLike | None, weights: str
) -> Sample:
    n = given.rows.size
    if weights == "frequency" and sample_weight is not None:
        weight = np.broadcast_to(np.asarray(sample_weight, dtype=np.float64), given.n_samples)[given.rows]
        square = weight
    else:
        weight = np.ones(n) if sample_weight is None else given.data.weight * n
        square = weight if np.all(weight == 1) else weight * weight
    codes, n_groups = None, 0
    if groups is not None:
        codes, n_groups = _codes(groups, given)
    problem = given.problems[0]
    design = problem.design if features.size == problem.n_features else problem.design.select(features)
    regressors = Regressors.of(design, problem.fit_intercept)
    size = float(weight.sum()) if weights == "frequency" else float(n)
    return Sample(regressors, features, weight, square, size, codes, n_groups, weights == "frequency")


def _codes(groups: ArrayLike, given: Verified) -> tuple[Index, int]:
    """The number of each row's group, and how many there are; a ValueError where there is but one."""
    labels = column_or_1d(groups)
    check_consistent_length(labels, np.empty(given.n_samples))
    found, codes = np.unique(labels[given.rows], return_inverse=True)
    check_groups(found.size)
    return codes.astype(np.intp), int(found.size)


def check_groups(n_groups: int) -> None:
    """Raise a ValueError for a single group, and warn of few."""
    if n_groups < 2:
        raise ValueError("groups must have at least two groups among the rows with a non-zero weight.")
    if n_groups < _FEW_GROUPS:
        warn_user(
            f"{n_groups} groups are few: with fewer than {_FEW_GROUPS} standard errors are usually too small, and "
            "the coverage of intervals is below the nominal level.",
            UserWarning,
        )


def _fit(problem: Problem, solution: Solution, features: Index) -> Fit:
    penalty = ElasticNet(np.zeros(features.size))
    design = problem.design if features.size == problem.n_features else problem.design.select(features)
    score = solution.dual / problem.weight
    residual = problem.residual(solution.coef, solution.intercept)
    tied = tied_rows(problem, solution.coef, solution.intercept, SUMMED)
    residual[tied] = 0.0
    score[tied] = _shared(problem, tied, score[tied])
    return Fit(
        problem=replace(problem, design=design, penalty=penalty),
        coef=solution.coef[features],
        intercept=solution.intercept,
        residual=residual,
        score=0.5 * score if isinstance(problem.loss, Absolute) else score,
        certificate=solution.certificate,
    )


def _shared(problem: Problem, tied: Index, score: Array) -> Array:
    """The scores of rows on the fit, the same for equal rows: how repeats share a score is open."""
    if isinstance(problem.loss, Huber) or tied.size <= problem.n_features + problem.fit_intercept:
        return score
    _, place = np.unique(_columns_and_target(problem, tied), axis=0, return_inverse=True)
    place, weight = place.ravel(), problem.weight[tied]
    return np.asarray(np.bincount(place, weight * score) / np.bincount(place, weight))[place]


def _columns_and_target(problem: Problem, rows: Index) -> Array:
    """What tells rows apart: their columns and their target."""
    return np.column_stack([problem.design.rows(rows), problem.y[rows]])


def _warn(fit: Fit, sample: Sample) -> None:
    """Warn of data on which the theory of standard errors does not hold."""
    n_distinct = 0
    if not isinstance(fit.problem.loss, Huber):
        tied = tied_rows(fit.problem, fit.coef, fit.intercept)
        if tied.size > sample.regressors.size:
            n_distinct = np.unique(_columns_and_target(fit.problem, tied), axis=0).shape[0]
    warn_of_fit(fit.certificate.unique, n_distinct, sample.regressors.size)


def warn_of_fit(unique: bool, n_distinct: int, p: int) -> None:
    """Warn of an optimum that may not be the only one, and of more than p distinct rows on the fit."""
    if not unique:
        warn_user(
            "the optimum is not proved to be unique: the coefficients are the canonical optimum, and standard errors "
            "do not include the distance to other optima.",
            UserWarning,
        )
    if n_distinct > p:
        warn_user(
            f"{n_distinct} distinct rows lie on the fit, but only {p} would without ties in y: y is not continuous, "
            "and asymptotic standard errors are not valid.",
            UserWarning,
        )
