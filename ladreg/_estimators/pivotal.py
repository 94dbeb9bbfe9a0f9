"""The pivotal choice of the L1 penalty: a quantile of the largest slope of noise, simulated from X without y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._design import CONSTANT, Design
from ladreg._estimators.validation import (
    Data,
    any_size,
    check_count,
    check_flag,
    check_real,
    feature_weights,
    sound,
    training_data,
)
from ladreg._from_blocks import Noise
from ladreg._problem import Loss

# If fewer than 30 rows are expected on one side of a quantile, the simulation fits the intercept as well. From 30 on
# both ways were measured to agree within 5 %.
_FEW = 30.0
# The quantile of the largest slope of noise, and the factor of it, where the user does not say others.
_CONFIDENCE, _SLACK = 0.9, 1.1
# Simulated duals are held in blocks of about 2^22 bytes.
_DUAL_BYTES = 1 << 22
# Products of X with simulated duals are held in blocks of about 2^24 bytes.
_SLOPE_BYTES = 1 << 24


@overload
def pivotal_alpha(
    X: MatrixLike,
    quantile: float = 0.5,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    penalty_weights: ArrayLike | None = None,
    confidence: float = 0.9,
    slack: float = 1.1,
    n_simulations: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> float: ...


@overload
def pivotal_alpha(
    X: MatrixLike,
    quantile: Sequence[float] | NDArray[Any],
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    penalty_weights: ArrayLike | None = None,
    confidence: float = 0.9,
    slack: float = 1.1,
    n_simulations: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> Array: ...


def pivotal_alpha(
    X: MatrixLike,
    quantile: float | ArrayLike = 0.5,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    penalty_weights: ArrayLike | None = None,
    confidence: float = 0.9,
    slack: float = 1.1,
    n_simulations: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> float | Array:
    r"""The penalty of Belloni and Chernozhukov for `QuantileRegressor`, for columns in units of their deviation.

    .. math:: \alpha_\tau = c \, \sqrt{\tau (1 - \tau)} \; Q(\Lambda), \qquad
        \Lambda = \max_{\tau, j} \frac{1}{\sigma_j v_j} \bigg| \sum_i w_i \, (x_{ij} - \bar x_j) \,
        \frac{\tau - 1\{u_i \le \tau\}}{\sqrt{\tau (1 - \tau)}} \bigg|

    with independent uniform :math:`u_i`, weights :math:`w` of sum one, :math:`c` for `slack`, :math:`v` for
    `penalty_weights`, and :math:`Q` the quantile at `confidence` given X. The penalty of feature j is to be
    :math:`\alpha_\tau \sigma_j v_j`. At the true coefficients the slopes of the loss are distributed as these sums are,
    whatever the distribution of the errors: so often the penalty is larger than what noise does to any coefficient.

    That formula takes the intercept for known. Where few rows are beyond a quantile (:math:`\min(\tau, 1 - \tau) /
    \sum_i w_i^2 < 30`) and there is an intercept, :math:`Q` is the larger of that quantile and of

    .. math:: \Lambda' = \max_{\tau, j} \frac{1}{\sigma_j v_j} \bigg| \sum_i x_{ij} \,
        \frac{\tau w_i - b_i}{\sqrt{\tau (1 - \tau)}} \bigg|

    with :math:`0 \le b_i \le w_i` of sum :math:`\tau`, as large as possible from the smallest :math:`u_i` on: the
    slopes at the intercept that is fitted to the errors alone (see Notes).

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data.
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        Quantiles, strictly between 0 and 1. The maximum is over all that are given.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; see Notes.
    fit_intercept : bool, default=True
        Whether the model has an intercept: then :math:`\sigma_j` is the (weighted) standard deviation of a column.
        Otherwise :math:`\bar x_j` is 0, and :math:`\sigma_j` the root of the mean square.
    positive : bool, default=False
        Whether coefficients are to be >= 0: then the largest of the sums counts instead of their sizes.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors :math:`v_j`, of which only the ratios change the penalty. Features with 0 or infinity do not count, nor
        do constant columns.
    confidence : float, default=0.9
        How often the penalty is to be larger than the noise, strictly between 0 and 1.
    slack : float, default=1.1
        Factor > 0. The theory asks for more than 1.
    n_simulations : int, default=1000
        Number of simulated maxima. 1000 determine alpha to a few percent.
    random_state : int, RandomState instance or None, default=0
        Seed of the simulation. An integer makes the result the same in each call.

    Returns
    -------
    float or ndarray of shape (n_quantiles,)
        In units of `alpha` of `QuantileRegressor`; twice as much for `LADRegressor`. 0 where no feature counts.

    Raises
    ------
    ValueError
        For data or parameters that make no sense.

    See Also
    --------
    QuantileRegressor : Its ``alpha="pivotal"`` is this with the default `confidence` and `slack`.

    Notes
    -----
    Row i has one error, and one :math:`u_i`, whatever its weight. Rows that are repeated have errors of their own: k
    times the same table has :math:`1 / \sqrt k` of the penalty, while a weight of k on every row changes nothing. No
    rule could do without this difference as long as only the ratios of weights matter.

    Which row gets which :math:`u_i` is a matter of order: other orders of the rows change the result as other seeds do.

    The intercept is projected out of the scores, by the mean; other features that are not penalised are not.

    At extreme quantiles of few rows that is not what a fit does. With :math:`\tau^n > 0.9` all :math:`u_i` are below
    :math:`\tau` in more than nine of ten simulations, all :math:`\Lambda` of these are 0, and so is their quantile,
    while the fit without features goes through the largest target, and the row of that has a slope of :math:`(1 - \tau)
    |x_{ij} - \bar x_j|` for each feature. :math:`\Lambda'` has the distribution of the largest slope of that fit, if
    the errors are exchangeable: it is the smallest penalty (in these units) that leaves no feature in a table of noise.

    References
    ----------
    Belloni, A. and Chernozhukov, V. (2011). L1-penalized quantile regression in high-dimensional sparse models. Annals
    of Statistics 39(1), 82-130. doi:10.1214/10-AOS827

    Examples
    --------
    Five of 100 features matter, and a penalty that was chosen without y finds them:

    >>> import numpy as np
    >>> from ladreg import QuantileRegressor, pivotal_alpha
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 100))
    >>> y = X[:, :5] @ [3.0, -2.0, 2.0, 1.0, 1.0] + rng.standard_t(2, 200)
    >>> alpha = pivotal_alpha(X, confidence=0.95)
    >>> model = QuantileRegressor(alpha=alpha, penalty_weights=X.std(axis=0)).fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([0, 1, 2, 3, 4])
    """
    quantiles = checked_quantiles(quantile)
    for name, flag in (("fit_intercept", fit_intercept), ("positive", positive)):
        check_flag(name, flag)
    check_real("confidence", confidence, low=0.0, high=1.0, open_ends=True)
    check_real("slack", slack, low=0.0, high=np.finfo(float).max, open_ends=True)
    check_count("n_simulations", n_simulations)
    table = check_array(sound(X), accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32], input_name="X")
    data = training_data(BaseEstimator(), table, np.zeros(table.shape[0]), sample_weight)
    with any_size():
        level = noise_level(
            data,
            feature_weights("penalty_weights", penalty_weights, data.design.n_features),
            quantiles,
            centred=bool(fit_intercept),
            moves=(np.full(data.design.n_features, True), np.full(data.design.n_features, not positive)),
            confidence=float(confidence),
            slack=float(slack),
            n_simulations=int(n_simulations),
            random_state=random_state,
        )
    alphas = level * _deviation(np.array(quantiles))
    return alphas if np.ndim(quantile) else float(alphas[0])


def checked_quantiles(quantile: float | ArrayLike) -> list[float]:
    """The quantiles, as a list; a ValueError unless there are some and all are strictly between 0 and 1."""
    values = np.asarray(quantile)
    if values.ndim > 1 or values.size == 0:
        raise ValueError(f"quantile must be a number or a non-empty list, got {quantile!r}.")
    for value in values.tolist() if values.ndim else [quantile]:
        check_real("quantile", value, low=0.0, high=1.0, open_ends=True)
    found: list[float] = np.atleast_1d(values).astype(np.float64).tolist()
    return found


def column_scales(design: Design, weight: Array, centred: bool) -> tuple[Array, NDArray[np.bool_]]:
    """Root of each column's mean square, about its mean if `centred`, and whether that is more than rounding.

    If it is rounding, the size of the column takes its place, so that a penalty keeps the coefficient at zero.
    """
    shift, distance = design.extent(centred)
    if not np.isfinite(distance).all():
        raise OverflowError(
            "X is too large: the sum of the absolute values of a column overflows float64. Scale the columns of X."
        )
    exponent = np.clip(np.frexp(distance)[1], -1000, 1000)
    unit = np.ldexp(1.0, -exponent)
    near = design.rescaled(shift, unit)
    middle = near.means(weight) if centred else np.zeros(design.n_features)
    square = near.curvatures(weight, middle)
    # The mean of the unshifted values: rounding of a constant column is no variation, whatever the shift.
    mean = middle + (shift + design.shift * design.scale) * unit
    varies = (distance > 0) & (square > CONSTANT * (square + mean**2))
    size = design.extent(False)[1]
    instead = np.where(size > 0, size, 1.0)
    return np.where(varies, np.ldexp(np.sqrt(square), exponent), instead), varies


def quantile_of(loss: Loss) -> tuple[float, float]:
    """The quantile that a piecewise linear loss estimates, and the standard deviation of its slope there."""
    lower, upper = loss.interval()
    return upper / (upper - lower), float(np.sqrt(-lower * upper))


def noise_level(
    data: Data,
    factors: Array,
    quantiles: Sequence[float],
    *,
    centred: bool,
    moves: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    confidence: float = _CONFIDENCE,
    slack: float = _SLACK,
    n_simulations: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """The pivotal `alpha` of a loss whose slope has a standard deviation of one.

    Parameters
    ----------
    data
        X and the weights; y is not used.
    factors
        Weights of the features' penalties, beside the scales of their columns.
    quantiles
        The quantiles that the fits estimate; repeats count once.
    centred
        Whether there is an intercept.
    moves
        Whether each coefficient may be above zero (or the bound next to zero), and whether it may be below.
    confidence, slack, n_simulations, random_state
        As in `pivotal_alpha`.
    """
    scale, varies = column_scales(data.design, data.weight, centred)
    counted = np.flatnonzero(varies & (factors > 0) & np.isfinite(factors))
    if counted.size == 0:
        return 0.0
    design = data.design.rescaled(data.design.extent(centred)[0], 1.0 / scale)
    random, taus = check_random_state(random_state), list(dict.fromkeys(quantiles))

    def level(slopes: Callable[[int], list[Array]], taus: list[float], n_most: int) -> float:
        """The quantile of the largest simulated slope; `slopes` simulates at most `n_most` draws at once."""
        largest = np.zeros(n_simulations)
        for begin in range(0, n_simulations, n_most):
            block = largest[begin : begin + n_most]
            for tau, slope in zip(taus, slopes(block.size), strict=True):
                np.maximum(block, _largest(slope, factors, counted, moves) / _deviation(tau), out=block)
        # The smallest value that at least the fraction `confidence` of the maxima does not exceed.
        return float(np.quantile(largest, confidence, method="inverted_cdf"))

    n_block = max(1, _SLOPE_BYTES // (8 * design.n_features * len(taus)))
    found = level(lambda size: _slopes(design, data.weight, taus, size, random, centred), taus, n_block)
    n_equal = 1.0 / float(data.weight @ data.weight)
    few = [tau for tau in taus if n_equal * min(tau, 1.0 - tau) < _FEW]
    if centred and few:
        n_block = max(1, min(n_block, _DUAL_BYTES // (8 * design.n_samples)))
        found = max(found, level(lambda size: _fitted_slopes(design, data.weight, few, size, random), few, n_block))
    return slack * found


def noise_level_of_blocks(
    noise: Noise, factors: Array, quantiles: Sequence[float], *, moves: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> float:
    """`noise_level` for rows in blocks with an intercept of many rows: slopes are drawn from their covariance.

    A ValueError where fewer than 30 rows are expected on one side of a quantile, as the intercept counts there.
    """
    counted = np.flatnonzero(noise.varies & (factors > 0) & np.isfinite(factors))
    if counted.size == 0:
        return 0.0
    taus = list(dict.fromkeys(quantiles))
    for tau in taus:
        if noise.n_equal * min(tau, 1.0 - tau) < _FEW:
            raise ValueError(
                f"alpha='pivotal' takes data in blocks for quantiles with at least {_FEW:g} rows on both sides, and "
                f"quantile={tau:g} has fewer. Give alpha as a number, or fit the rows in memory."
            )
    largest = [_largest(slope, factors, counted, moves) for slope in noise.draws(taus)]
    return _SLACK * float(np.quantile(np.max(largest, axis=0), _CONFIDENCE, method="inverted_cdf"))


def _largest(slope: Array, factors: Array, counted: Index, moves: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> Array:
    """The largest slope of each draw, in units of the factors, that a coefficient may follow."""
    up, down = (can[counted, None] for can in moves)
    size = np.maximum(np.where(up, slope[counted], 0.0), np.where(down, -slope[counted], 0.0))
    return np.asarray((size / factors[counted, None]).max(axis=0))


def _fitted_slopes(
    design: Design, weight: Array, taus: list[float], n_draws: int, random: np.random.RandomState
) -> list[Array]:
    """``X'dual`` of fits of the intercept alone to simulated errors, whose duals ``tau * weight - below`` sum to zero.

    Errors below the fit have their whole weight in `below`, the error that is fitted exactly a part of its weight.
    """
    means, uniform = design.means(weight)[:, None], random.random_sample((design.n_samples, n_draws))
    order = np.argsort(uniform, axis=0)
    sorted_weight = weight[order]
    before = np.cumsum(sorted_weight, axis=0) - sorted_weight
    slopes = []
    for tau in taus:
        below = np.empty_like(uniform)
        np.put_along_axis(below, order, np.clip(tau - before, 0.0, sorted_weight), axis=0)
        slopes.append(tau * means - design.rmatvec(below))
    return slopes


def _slopes(
    design: Design, weight: Array, taus: list[float], n_draws: int, random: np.random.RandomState, centred: bool
) -> list[Array]:
    """``X'dual`` for simulated duals ``weight * (tau - (u <= tau))``, one per column; they sum to zero if `centred`."""
    means = design.means(weight)
    slopes = [np.zeros((design.n_features, n_draws)) for _ in taus]
    totals = [np.full(n_draws, 0.0 if centred else tau) for tau in taus]
    n_rows = max(1, _DUAL_BYTES // (8 * n_draws))
    for begin in range(0, design.n_samples, n_rows):
        rows = np.arange(begin, min(begin + n_rows, design.n_samples))
        part, uniform = design.take(rows), random.random_sample((rows.size, n_draws))
        for tau, slope, total in zip(taus, slopes, totals, strict=True):
            below = (uniform <= tau) * weight[rows, None]
            slope -= part.rmatvec(below)
            if centred:
                total += below.sum(axis=0)
    for slope, total in zip(slopes, totals, strict=True):
        slope += means[:, None] * total
    return slopes


def _deviation(tau: float | Array) -> Array:
    return np.asarray(np.sqrt(tau * (1.0 - tau)))
