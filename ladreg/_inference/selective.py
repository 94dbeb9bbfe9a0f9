"""Inference given the selection of a lasso (Lee, Sun, Sun and Taylor 2016, doi 10.1214/15-AOS1371).

The signs and the support of a lasso are those of y as long as y is in a polyhedron. Along the direction of one
coefficient of least squares on the support that is an interval, and the coefficient a normal variable restricted to
it.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index, is_regular, least_squares
from ladreg._inference.lasso_fit import LassoFit
from ladreg._inference.truncated_normal import TruncatedNormal, ends
from ladreg._tolerances import SUMMED


def selected(fit: LassoFit) -> Index:
    """The features of the support, and those without penalty and sign."""
    return np.flatnonzero((fit.coef != 0) | ((fit.strength == 0) & (not fit.positive)))


def selective(fit: LassoFit, chosen: Index, sigma: float) -> list[TruncatedNormal]:
    """The coefficients of least squares on the chosen features, given the selection; of the columns as they came.

    With X about its means, W the weights, E the support with signs s and Q = X_E'W X_E, the coefficients are
    ``b_E = Q^-1 (X_E'W y - strength s)``, and the selection is ``s b_E >= 0`` with slopes ``X'W (y - X_E b_E)`` of at
    most the strengths in size. A change t of the coefficient k of least squares, whose direction is
    ``eta = W X_E Q^-1 e_k``, moves y by ``t eta / |eta|^2``.
    """
    if chosen.size == 0:
        return []
    scale = fit.regressors.scale
    weight, strength = fit.weight, fit.strength * scale
    columns = fit.design.rows(np.arange(weight.size), chosen)
    if fit.fit_intercept:
        columns -= weight @ columns
    weighted = weight[:, None] * columns
    gram = columns.T @ weighted
    if not is_regular(gram):
        raise ValueError("the selected columns are linearly dependent: least squares on them has no unique optimum.")
    inverse = np.linalg.inv(gram)
    estimate = fit.coef[chosen] / scale[chosen] + inverse @ fit.gradient[chosen]
    eta = weighted @ inverse
    length = (eta**2).sum(axis=0)
    # Column k: what a unit of y's change along eta_k / |eta_k|^2 does to the coefficients and the slopes.
    moved = inverse @ (weighted.T @ eta) / length
    dual = weight[:, None] * (eta / length - columns @ moved)
    if fit.fit_intercept:
        dual -= weight[:, None] * dual.sum(axis=0)
    slopes = fit.design.rmatvec(dual)
    # By Cauchy and Schwarz slopes are at most as large as the direction, for columns of size one.
    slopes[np.abs(slopes) <= SUMMED * np.sqrt(weight @ (eta / length) ** 2)] = 0.0
    margin, rate = _constraints(fit, chosen, strength, moved, slopes)
    found = []
    for k, unit in enumerate(scale[chosen].tolist()):
        below, above = ends(margin, rate[:, k])
        sd = sigma * float(np.sqrt(length[k]))
        found.append(TruncatedNormal(float(estimate[k]) * unit, sd * unit, below * unit, above * unit))
    return found


def _constraints(fit: LassoFit, chosen: Index, strength: Array, moved: Array, slopes: Array) -> tuple[Array, Array]:
    """``margin - rate * t >= 0`` for a change t along each direction; rates have one column for each.

    Rounding may leave a margin below zero, which counts as zero.
    """
    scale, gradient = fit.regressors.scale, fit.gradient
    signed = np.flatnonzero((strength[chosen] > 0) | fit.positive)
    coef = fit.coef[chosen[signed]] / scale[chosen[signed]]
    others = np.setdiff1d(np.arange(strength.size), chosen)
    margins = [np.abs(coef), strength[others] - gradient[others]]
    rates = [-np.sign(coef)[:, None] * moved[signed], slopes[others]]
    if not fit.positive:
        margins.append(strength[others] + gradient[others])
        rates.append(-slopes[others])
    return np.maximum(np.concatenate(margins), 0.0), np.vstack(rates)


def full_sigma(fit: LassoFit) -> float:
    """The standard deviation of the errors by least squares on all features; a ValueError for fewer than 2 p rows."""
    n, p = fit.residual.size, fit.coef.size + fit.fit_intercept
    if n < 2 * p:
        raise ValueError(
            f"{n} rows are too few to estimate the standard deviation of the errors by least squares on {p} "
            "coefficients: pass sigma."
        )
    root = np.sqrt(fit.weight)[:, None]
    columns = fit.design.table(fit.fit_intercept) * root
    target = root[:, 0] * fit.residual
    apart = target - columns @ least_squares(columns, target)
    return float(np.sqrt(n / (n - p) * (apart @ apart)))
