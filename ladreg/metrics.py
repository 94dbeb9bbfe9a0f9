"""Losses as metrics: how far predictions are from targets, averaged over samples as scikit-learn's metrics are.

Each can be made a scorer by :func:`sklearn.metrics.make_scorer` with ``greater_is_better=False``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error
from sklearn.utils import check_array

from ladreg._validation import check_real

__all__ = ["combined_loss", "huber_loss", "l1_loss", "l2_loss", "pinball_loss"]

Average = str | ArrayLike
Value = float | NDArray[np.float64]


def _finite(sample_weight: ArrayLike | None) -> ArrayLike | None:
    """The weights; a ValueError if one is not finite, of which older versions of scikit-learn say nothing."""
    if sample_weight is None:
        return None
    checked: NDArray[np.floating] = check_array(sample_weight, ensure_2d=False, input_name="sample_weight")
    return checked


def l1_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Mean absolute error, the L1 loss.

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, |y_i - \hat y_i|

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    y_pred : array-like of the same shape
        Predictions.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (n_outputs,), default="uniform_average"
        One number for each output, or their mean, with these weights if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        The loss, in units of y; 0 is best.

    See Also
    --------
    sklearn.metrics.mean_absolute_error : The same function.

    Examples
    --------
    >>> from ladreg.metrics import l1_loss
    >>> l1_loss([21, 23, 25], [20, 22, 24])
    1.0
    """
    return mean_absolute_error(y_true, y_pred, sample_weight=_finite(sample_weight), multioutput=multioutput)


def l2_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Mean squared error, the L2 loss.

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, (y_i - \hat y_i)^2

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    y_pred : array-like of the same shape
        Predictions.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (n_outputs,), default="uniform_average"
        One number for each output, or their mean, with these weights if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        The loss, in units of y squared; 0 is best.

    See Also
    --------
    sklearn.metrics.mean_squared_error : The same function.

    Examples
    --------
    One large mistake counts for more than many small ones:

    >>> from ladreg.metrics import l1_loss, l2_loss
    >>> l2_loss([1, 2, 3], [2, 3, 4]), l2_loss([1, 2, 3], [1, 2, 6])
    (1.0, 3.0)
    >>> l1_loss([1, 2, 3], [2, 3, 4]), l1_loss([1, 2, 3], [1, 2, 6])
    (1.0, 1.0)
    """
    return mean_squared_error(y_true, y_pred, sample_weight=_finite(sample_weight), multioutput=multioutput)


def combined_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Mixture of the L1 and the L2 loss.

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \big( \rho \, |y_i - \hat y_i| + (1 - \rho) (y_i - \hat y_i)^2 \big)

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    y_pred : array-like of the same shape
        Predictions.
    l1_ratio : float, default=0.5
        Share :math:`\rho` of the absolute error: 1 is `l1_loss`, 0 is `l2_loss`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (n_outputs,), default="uniform_average"
        One number for each output, or their mean, with these weights if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        The loss; 0 is best. The two parts have different units, so that it depends on the unit of y what they weigh.

    Raises
    ------
    ValueError
        If `l1_ratio` is not from 0 to 1.

    Examples
    --------
    >>> from ladreg.metrics import combined_loss
    >>> combined_loss([1, 2, 3], [1, 2, 6], l1_ratio=0.5)
    2.0
    """
    check_real("l1_ratio", l1_ratio, low=0.0, high=1.0)
    absolute = l1_loss(y_true, y_pred, sample_weight=_finite(sample_weight), multioutput=multioutput)
    squared = l2_loss(y_true, y_pred, sample_weight=_finite(sample_weight), multioutput=multioutput)
    return l1_ratio * absolute + (1.0 - l1_ratio) * squared


def huber_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Mean of Huber's loss: half the square of small residuals, linear in large ones.

    .. math:: h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta (|r| - \delta / 2) & |r| > \delta \end{cases}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    y_pred : array-like of the same shape
        Predictions.
    delta : float, default=1.0
        Size of a residual, in units of y, from which the loss is linear.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (n_outputs,), default="uniform_average"
        One number for each output, or their mean, with these weights if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        The loss, in units of y squared; 0 is best. It tends to half the L2 loss for large `delta`, and divided by
        `delta` to the L1 loss for small ones.

    Raises
    ------
    ValueError
        If `delta` is not > 0.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics 35(1), 73-101.
    doi:10.1214/aoms/1177703732

    Examples
    --------
    >>> from ladreg.metrics import huber_loss
    >>> huber_loss([1, 2, 3], [1, 2, 6], delta=1.0)
    0.8333333333333334
    """
    check_real("delta", delta, low=0.0, high=np.finfo(float).max, open_ends=True)
    mean_absolute_error(y_true, y_pred)  # its checks: shapes that differ would be broadcast below
    true, predicted = (np.asarray(y, dtype=np.float64).reshape(len(y), -1) for y in (y_true, y_pred))  # type: ignore[arg-type]
    size = np.abs(true - predicted)
    small = np.minimum(size, delta)
    loss = small * (size - small / 2)
    return mean_absolute_error(loss, np.zeros_like(loss), sample_weight=_finite(sample_weight), multioutput=multioutput)


def pinball_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Mean pinball loss, which the conditional quantile minimises.

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \max\big( \tau (y_i - \hat y_i), (\tau - 1) (y_i - \hat y_i) \big)

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    y_pred : array-like of the same shape
        Predictions.
    quantile : float, default=0.5
        The quantile :math:`\tau`; at 0.5 the loss is half the L1 loss.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (n_outputs,), default="uniform_average"
        One number for each output, or their mean, with these weights if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        The loss, in units of y; 0 is best.

    Raises
    ------
    ValueError
        If `quantile` is not from 0 to 1.

    See Also
    --------
    sklearn.metrics.mean_pinball_loss : The same function; its `alpha` is our `quantile`.

    Examples
    --------
    >>> from ladreg.metrics import pinball_loss
    >>> pinball_loss([21, 23, 25], [20, 22, 24], quantile=0.9)
    0.9
    """
    check_real("quantile", quantile, low=0.0, high=1.0)
    return mean_pinball_loss(
        y_true, y_pred, alpha=quantile, sample_weight=_finite(sample_weight), multioutput=multioutput
    )
