"""One Newton step of a penalised problem: the minimiser of a quadratic model plus the penalty, in a few columns."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, power_of_two
from ladreg._design import BlockGram
from ladreg._kernels import _gram
from ladreg._least_squares import Support
from ladreg._piecewise.block_step import block_step
from ladreg._problem import ElasticNet
from ladreg._tolerances import HALF_DIGITS

# Ridges, as fractions of the diagonal, for a Hessian that is not positive definite up to rounding.
_RIDGES = (1e-10, 1e-6, 1e-2)
# Epochs of coordinate descent that settle most signs before the exact solve.
_BURST = 10


def newton_step(
    hessian: Array | BlockGram,
    gradient: Array,
    point: Array,
    penalty: ElasticNet,
    ridges: tuple[float, ...] = _RIDGES,
    *,
    flat: float = 0.0,
) -> Array:
    """Minimiser d of ``gradient'd + d'Hd / 2 + penalty(point + d)``.

    Parameters
    ----------
    hessian
        H, positive semidefinite, of shape (q, q), or by blocks.
    gradient
        Of the smooth part, of shape (q,).
    point
        Coefficients, and an intercept last where q is one more than the number of features.
    penalty
        Of the features; limits and ridges are for a dense H.
    ridges
        Fractions of the diagonal that may be added; the first always is, and suffices where there is a penalty.
    flat
        Without penalty, directions whose curvature is at most this fraction of the largest are left out.

    Notes
    -----
    1. Columns are brought to size one, by powers of two: a coefficient that becomes zero is zero exactly.
    2. Without penalty this is a linear system, with the first ridge at which the Cholesky factorisation succeeds.
    3. Otherwise the intercept is eliminated, and the remaining lasso is solved exactly; by blocks, see `block_step`.
    """
    n_features = penalty.strength.size
    penalised = bool(penalty.strength.any()) or penalty.positive or penalty.limited
    if isinstance(hessian, BlockGram):
        regular = hessian.plus(np.arange(gradient.size), ridges[0] * hessian.lengths() ** 2)
        if penalised:
            return block_step(regular, gradient, point, penalty, newton_step)
        solve = regular.solver()
        return -gradient if solve is None else solve(-gradient)
    if penalty.curved:
        assert isinstance(hessian, np.ndarray)
        raised = np.append(penalty.ridge, np.zeros(gradient.size - n_features))
        hessian, gradient = hessian + np.diag(raised), gradient + raised * point
    # 1.
    size = power_of_two(np.sqrt(np.maximum(np.diag(hessian), 0.0)))
    scaled = np.ascontiguousarray(hessian / size / size[:, None])  # whose diagonal below is a view
    right = -gradient / size
    diagonal = scaled.ravel()[:: size.size + 1]
    # 3.
    if penalised:
        diagonal += ridges[0]
        return _penalised_step(scaled, right, point * size, penalty, size[:n_features]) / size
    # 2.
    for ridge in ridges:
        diagonal += ridge
        try:
            pivots = np.diag(np.linalg.cholesky(scaled)) ** 2
            if flat == 0.0 or pivots.min(initial=1.0) > HALF_DIGITS:
                return np.asarray(np.linalg.solve(scaled, right) / size)
            return _curved_step(scaled, right, ridge, flat) / size
        except np.linalg.LinAlgError:
            continue
    return right / size


def _curved_step(hessian: Array, right: Array, ridge: float, flat: float) -> Array:
    """Step 2 without the directions that are flat apart from the ridge."""
    curvature, axes = np.linalg.eigh(hessian)
    kept = curvature - ridge > flat * curvature[-1]
    along = axes[:, kept]
    return np.asarray(along @ ((right @ along) / curvature[kept]))


def _penalised_step(hessian: Array, right: Array, begin: Array, penalty: ElasticNet, size: Array) -> Array:
    n_features = size.size
    inner, slope = hessian[:n_features, :n_features], right[:n_features].copy()
    border = hessian.shape[0] > n_features
    if border:
        last = hessian[:n_features, -1]
        inner = inner - np.outer(last, last) / hessian[-1, -1]
        slope -= last * (right[-1] / hessian[-1, -1])
    inner = np.ascontiguousarray(inner)
    limits = tuple(end * size for end in penalty.ends) if penalty.limited else ()
    shrunk = ElasticNet(penalty.strength / size, penalty.positive, np.zeros(0), *limits)
    coef = begin[:n_features].copy()
    if penalty.positive:
        slope += inner @ np.minimum(coef, 0.0)
        coef = np.maximum(coef, 0.0)
    _gram.gram_burst(inner, shrunk.strength, shrunk.positive, _BURST, coef, slope, *limits)
    Support().settle(np.arange(n_features), inner, shrunk, coef, slope, 10 * n_features + 100)
    step = np.empty(begin.size)
    step[:n_features] = np.where(coef == 0, -begin[:n_features], coef - begin[:n_features])
    if border:
        step[-1] = (right[-1] - hessian[-1, :n_features] @ step[:n_features]) / hessian[-1, -1]
    return step
