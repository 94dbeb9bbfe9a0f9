"""Prove the coefficients of a fitted model on data, once they are known to be feasible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array, Index
from ladreg._estimators.validation import Data, any_size, present, training_data
from ladreg._problem import Problem, Solution
from ladreg._solvers import verify


@dataclass(frozen=True)
class Verified:
    """What a fitted model says of data: its problems, and its coefficients with their proofs, one for each problem.

    `rows` are the numbers, of the `n_samples` rows given, whose weight is not zero: those are the rows of `data`.
    """

    data: Data
    n_samples: int
    rows: Index
    problems: list[Problem]
    solutions: list[Solution]


def verified(model: Any, X: Any, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> Verified:
    """Prove the coefficients of a model on data, as `CertifiedRegressor.verify` documents."""
    check_is_fitted(model)
    model._check_parameters()
    with any_size():
        data = training_data(model, X, y, sample_weight, reset=False, keep=True)
        n_samples, rows = data.weight.size, np.flatnonzero(data.weight > 0)
        data = present(data)
        problems = model._posed_again(data)
        coefs, intercepts = given_coefficients(model, problems, data)
        triples = zip(problems, coefs, intercepts.tolist(), strict=True)
        solutions = [verify(problem, coef, intercept) for problem, coef, intercept in triples]
    return Verified(data, n_samples, rows, problems, solutions)


def given_coefficients(model: Any, problems: list[Problem], data: Data) -> tuple[Array, Array]:
    """`coef_` and `intercept_`, one row and one number per problem; a ValueError unless they are feasible."""
    coefs = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercepts = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    if len(coefs) != len(problems):
        raise ValueError(model._miscounted(len(problems), len(coefs)))
    wanted = (len(problems), data.design.n_features)
    if coefs.shape != wanted:
        raise ValueError(f"coef_ must have {wanted[1]} numbers, one per feature, got shape {np.shape(model.coef_)}.")
    if intercepts.size == 1:
        intercepts = np.broadcast_to(intercepts, len(problems))
    if intercepts.shape != wanted[:1]:
        raise ValueError(f"intercept_ must have shape {wanted[:1]}, got {np.shape(model.intercept_)}.")
    for k, (problem, coef, intercept) in enumerate(zip(problems, coefs, intercepts.tolist(), strict=True)):
        _check_feasible(model, problem, coef, intercept, f"{k}, " if np.ndim(model.coef_) > 1 else "")
    return coefs, intercepts


def _check_feasible(model: Any, problem: Problem, coef: Array, intercept: float, row: str) -> None:
    """Raise a ValueError that names the first coefficient that is not feasible; `row` is the index of its fit."""
    for j in problem.penalty.forbidden(coef).tolist():
        name = f" (feature {model.feature_names_in_[j]!r})" if hasattr(model, "feature_names_in_") else ""
        if not np.isfinite(coef[j]):
            reason = "it must be a finite number"
        elif np.isinf(problem.penalty.strength[j]):
            reason = "penalty_weights excludes the feature, so that it must be 0"
        elif getattr(model, "positive", True) and coef[j] < 0:
            reason = "it must be >= 0 under positive=True"
        else:
            lower, upper = problem.penalty.ends
            reason = f"bounds require {lower[j]:g} to {upper[j]:g}"
        raise ValueError(f"coef_[{row}{j}]{name} is {coef[j]:g}: {reason}.")
    place = f"[{row[:-2]}]" if row and np.ndim(model.intercept_) else ""
    if not np.isfinite(intercept):
        raise ValueError(f"intercept_{place} is {intercept:g}: it must be a finite number.")
    if intercept != 0 and not problem.fit_intercept:
        raise ValueError(f"intercept_{place} is {intercept:g}: it must be 0 with fit_intercept=False.")
