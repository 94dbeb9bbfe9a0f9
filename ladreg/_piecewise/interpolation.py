"""Tables with independent rows: every target is fitted exactly, and the optimum is the shortest such fit."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array
from ladreg._piecewise.null_space import Orthogonal, is_narrow
from ladreg._problem import Problem, StopReason, Uncertified

# Each solve with the triangle leaves an error of rounding times its condition number; two more remove it.
_SOLVES = 3


def interpolant(problem: Problem) -> Uncertified | None:
    """The coefficients of smallest norm among those that fit all rows; None where rows are dependent.

    Parameters
    ----------
    problem
        A problem at unit scale, its weights above zero. The norm is that of coefficients in the user's units, the
        intercept not counted.

    Notes
    -----
    With an intercept the rows are reflected so that only the first has a part along the column of ones: the other rows
    determine the coefficients, and the mean of what they leave is the intercept. The dual is zero.
    """
    n_samples, n_equations = problem.n_samples, problem.n_samples - problem.fit_intercept
    if not 0 < n_equations <= problem.n_features or not is_narrow(problem):
        return None
    try:
        found = _shortest(problem)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
        return None
    if found is None:
        return None
    stats = {"rows_solved": n_samples, "n_ip_iter": 0, "n_null": 0}
    return Uncertified(*found, np.zeros(n_samples), 1, StopReason.EXACT, "interpolation", stats)


def _shortest(problem: Problem) -> tuple[Array, float] | None:
    """Coefficients and intercept of `interpolant`."""
    n_samples, n_features = problem.n_samples, problem.n_features
    unit = problem.design.scale / problem.design.scale.max()
    rows = problem.design.rows(np.arange(n_samples)) / unit
    orthogonal = Orthogonal.of_regular(_reflected(rows)[1:].T if problem.fit_intercept else rows.T)
    if orthogonal is None:
        return None
    coef, intercept = np.zeros(n_features), 0.0
    for _ in range(_SOLVES):
        residual = problem.residual(coef, intercept)
        if problem.fit_intercept:
            residual = _reflected(residual)[1:]
        coef = coef + orthogonal.combination(residual) / unit
        if problem.fit_intercept:
            intercept = float(np.mean(problem.y - problem.design.matvec(coef)))
    return coef, intercept


def _reflected(values: Array) -> Array:
    """Householder's reflection that takes the vector of ones to its first entry, applied to one or several columns."""
    n_samples = values.shape[0]
    vector = np.ones(n_samples)
    vector[0] += np.sqrt(n_samples)
    share = (vector @ values) / (n_samples + np.sqrt(n_samples))
    return np.asarray(values - np.multiply.outer(vector, share))
