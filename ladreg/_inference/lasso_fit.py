"""What inference asks of a lasso: the optimum of these data, as a fit at unit scale of the features in the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._design import Design
from ladreg._estimators import LastStep, is_adaptive, verified
from ladreg._inference.fit import column_names, rounding_of_predictions
from ladreg._inference.regressors import Regressors
from ladreg._problem import Certificate, Problem, Solution
from ladreg._tolerances import SQUARES_GAP
from ladreg.lasso import LassoCD
from ladreg.model_selection import LassoCDCV


@dataclass(frozen=True)
class LassoFit:
    """A lasso, with its columns brought to ordinary size by `regressors`.

    Attributes
    ----------
    regressors : Regressors
        The columns of the features that are not excluded.
    weight : ndarray of shape (n_samples,)
        Weights, with sum one.
    features : ndarray of shape (n_kept,)
        Numbers of the features.
    names : list of str
        Their names.
    coef : ndarray of shape (n_kept,)
        Coefficients of the features as they came.
    residual : ndarray of shape (n_samples,)
        Residuals.
    strength : ndarray of shape (n_kept,)
        The penalty of ``abs(coef)``.
    positive : bool
        Whether coefficients are restricted to be >= 0.
    certificate : Certificate
        The proof of the model's coefficients on these data.
    """

    regressors: Regressors
    weight: Array
    features: Index
    names: list[str]
    coef: Array
    residual: Array
    strength: Array
    positive: bool
    certificate: Certificate

    @property
    def design(self) -> Design:
        """The columns at unit scale."""
        return self.regressors.near

    @property
    def fit_intercept(self) -> bool:
        """Whether there is an intercept."""
        return self.regressors.fit_intercept

    @property
    def gradient(self) -> Array:
        """``X'W residual`` of the columns at unit scale, about their means where there is an intercept."""
        dual = self.weight * self.residual
        if self.fit_intercept:
            dual -= self.weight * dual.sum()
        return self.design.rmatvec(dual)

    def sigma(self) -> float:
        """``sqrt(RSS / (n - 1 - |S|))``, S the support; without an intercept one more degree of freedom."""
        n, used = self.residual.size, np.count_nonzero(self.coef) + self.fit_intercept
        if n <= used:
            raise ValueError(
                f"{n} rows are too few for the {used} coefficients that the lasso selected: no degrees of freedom "
                "are left to estimate the standard deviation of the errors. Pass sigma, or fit with a larger alpha."
            )
        found = float(np.sqrt(n / (n - used) * (self.weight @ self.residual**2)))
        if not found > 0:
            raise ValueError("the residuals are all zero: pass sigma, the standard deviation of the errors.")
        return found


def read_lasso(
    last: LastStep, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None, method: str
) -> list[LassoFit]:
    """One fit for each target; a TypeError or a ValueError says why there is no inference."""
    model = last.estimator
    _check_model(model, method)
    given = verified(model, X, y, sample_weight)
    features = np.flatnonzero(np.isfinite(given.problems[0].penalty.strength))
    design = given.problems[0].design
    regressors = Regressors.of(
        design if features.size == design.n_features else design.select(features), given.problems[0].fit_intercept
    )
    names = column_names(last.names, design.n_features)
    return [
        _fit(model, problem, solution, regressors, features, [names[j] for j in features])
        for problem, solution in zip(given.problems, given.solutions, strict=True)
    ]


def _check_model(model: Any, method: str) -> None:
    name = type(model).__name__
    if method == "selective" and not isinstance(model, LassoCD):
        raise TypeError(
            f'method="selective" takes a fitted LassoCD, got {name}: alpha must not have been chosen from y. If it '
            'was, use method="desparsified".'
        )
    if not isinstance(model, LassoCD | LassoCDCV):
        raise TypeError(
            f'method="desparsified" takes a fitted LassoCD or LassoCDCV, got {name}. If alpha was chosen in another '
            "way, fit LassoCD with this alpha."
        )
    if is_adaptive(model.penalty_weights):
        raise ValueError(
            "penalty_weights='adaptive' computes the penalty factors from y, but inference needs factors that do not "
            "depend on y. Pass penalty_weights as an array that was not computed from these data."
        )
    if getattr(model, "post_selection", None) not in (None, 1):
        raise ValueError("post_selection refits the coefficients without the penalty: fit with post_selection=None.")
    if method == "desparsified" and model.positive:
        raise ValueError(
            "positive=True biases the coefficients in addition to the penalty, which the method does not correct. "
            "Fit without positive."
        )


def _fit(
    model: Any, problem: Problem, solution: Solution, regressors: Regressors, features: Index, names: list[str]
) -> LassoFit:
    residual = problem.residual(solution.coef, solution.intercept)
    _check_optimal(model, problem, solution, residual)
    if problem.penalty.limited:
        raise ValueError(
            "the method does not allow bounds other than zero and infinity, since coefficients at a bound do not "
            "satisfy the lasso's optimality conditions. Fit without bounds."
        )
    return LassoFit(
        regressors=regressors,
        weight=problem.weight,
        features=features,
        names=names,
        coef=solution.coef[features],
        residual=residual,
        strength=problem.penalty.strength[features],
        positive=problem.penalty.positive,
        certificate=solution.certificate,
    )


def _check_optimal(model: Any, problem: Problem, solution: Solution, residual: Array) -> None:
    """Raise a ValueError unless the gap is at most ``tol * mean((y - mean(y))^2)``, as a fit stops at."""
    mean = problem.weight @ problem.y if problem.fit_intercept else 0.0
    allowed = max(float(model.tol), SQUARES_GAP) * float(problem.weight @ (problem.y - mean) ** 2)
    moved = rounding_of_predictions(model, problem, solution)
    allowed += moved * (float(np.sqrt(problem.weight @ residual**2)) + moved)
    if not solution.gap <= allowed:
        raise ValueError(
            f"the coefficients are not optimal for these data: the objective {solution.objective:.6g} may be "
            f"{solution.gap:.3g} above the optimum, more than the {allowed:.3g} that tol={model.tol:g} allows. Pass "
            "the X, y and sample_weight that the model was fitted to."
        )
