"""Losses as metrics: how far predictions are from targets, averaged over samples as scikit-learn's metrics are.

Each loss can be made a scorer by :func:`sklearn.metrics.make_scorer` with ``greater_is_better=False``; for quantiles
`mean_pinball_scorer` and `d2_pinball_scorer` do so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import d2_pinball_score as _d2_of_one
from sklearn.metrics import make_scorer, mean_absolute_error, mean_pinball_loss, mean_squared_error
from sklearn.utils import check_array

from ladreg._estimators import check_choice, check_real

__all__ = [
    "combined_loss",
    "d2_pinball_score",
    "d2_pinball_scorer",
    "huber_loss",
    "l1_loss",
    "l2_loss",
    "mean_pinball_scorer",
    "pinball_loss",
]

# How the values of several outputs become one: their mean, or their mean with weights.
Mean = Literal["uniform_average"] | Sequence[float] | NDArray[Any]
Average = Mean | Literal["raw_values"]
Value = float | NDArray[np.float64]


def _finite(sample_weight: ArrayLike | None) -> ArrayLike | None:
    """The weights; a ValueError if one is not finite, which older versions of scikit-learn do not check."""
    if sample_weight is None:
        return None
    checked: NDArray[np.floating] = check_array(sample_weight, ensure_2d=False, input_name="sample_weight")
    return checked


@overload
def l1_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: Mean = "uniform_average",
) -> float: ...


@overload
def l1_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: Literal["raw_values"],
) -> NDArray[np.float64]: ...


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
        One number per output, or their mean, weighted if weights are given.

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


@overload
def l2_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: Mean = "uniform_average",
) -> float: ...


@overload
def l2_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multioutput: Literal["raw_values"],
) -> NDArray[np.float64]: ...


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
        One number per output, or their mean, weighted if weights are given.

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


@overload
def combined_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Mean = "uniform_average",
) -> float: ...


@overload
def combined_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Literal["raw_values"],
) -> NDArray[np.float64]: ...


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
        One number per output, or their mean, weighted if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,)
        The loss; 0 is best. The two parts have different units, so that their relative weight depends on the unit of y.

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
    same: dict[str, Any] = {"sample_weight": _finite(sample_weight), "multioutput": multioutput}
    absolute, squared = l1_loss(y_true, y_pred, **same), l2_loss(y_true, y_pred, **same)
    return l1_ratio * absolute + (1.0 - l1_ratio) * squared


@overload
def huber_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
    multioutput: Mean = "uniform_average",
) -> float: ...


@overload
def huber_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
    multioutput: Literal["raw_values"],
) -> NDArray[np.float64]: ...


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
        Absolute residual, in units of y, above which the loss is linear.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (n_outputs,), default="uniform_average"
        One number per output, or their mean, weighted if weights are given.

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
    mean_absolute_error(y_true, y_pred)  # for its checks only: different shapes would be broadcast below
    true, predicted = (np.asarray(y, dtype=np.float64).reshape(len(y), -1) for y in (y_true, y_pred))  # type: ignore[arg-type]
    size = np.abs(true - predicted)
    small = np.minimum(size, delta)
    loss = small * (size - small / 2)
    return mean_absolute_error(loss, np.zeros_like(loss), sample_weight=_finite(sample_weight), multioutput=multioutput)


@overload
def pinball_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float | ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Mean = "uniform_average",
) -> float: ...


@overload
def pinball_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float | ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Literal["raw_values"],
) -> NDArray[np.float64]: ...


def pinball_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float | ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Mean pinball loss, which the conditional quantile minimises; for several quantiles the mean.

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \max\big( \tau (y_i - \hat y_i), (\tau - 1) (y_i - \hat y_i) \big)

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets; with a list of quantiles there is one output.
    y_pred : array-like of the same shape, or (n_samples, n_quantiles)
        Predictions; with a list of quantiles one column for each, as `QuantileRegressor` predicts them.
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        The quantile :math:`\tau`; at 0.5 the loss is half the L1 loss. Of a list, the k-th is that of the k-th column
        of `y_pred`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like, default="uniform_average"
        One number per output (or quantile), or their mean, weighted if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,) or (n_quantiles,)
        The loss, in units of y; 0 is best.

    Raises
    ------
    ValueError
        If `quantile` is not from 0 to 1, or is a list that does not have one number per column of `y_pred`.

    See Also
    --------
    mean_pinball_scorer : A scorer, for cross-validation.
    d2_pinball_score : Relative reduction of the loss from the best constant.
    sklearn.metrics.mean_pinball_loss : The same function of one quantile; its `alpha` is `quantile` here.

    Examples
    --------
    >>> from ladreg.metrics import pinball_loss
    >>> pinball_loss([21, 23, 25], [20, 22, 24], quantile=0.9)
    0.9
    >>> predictions = [[19, 22], [22, 23], [24, 25]]
    >>> pinball_loss([21, 23, 25], predictions, quantile=[0.1, 0.9], multioutput="raw_values").round(3)
    array([0.133, 0.033])
    """
    return _by_quantile(mean_pinball_loss, y_true, y_pred, quantile, sample_weight, multioutput)


@overload
def d2_pinball_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float | ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Mean = "uniform_average",
) -> float: ...


@overload
def d2_pinball_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float | ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Literal["raw_values"],
) -> NDArray[np.float64]: ...


def d2_pinball_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantile: float | ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
    multioutput: Average = "uniform_average",
) -> Value:
    r"""Relative reduction of the pinball loss from the best constant to the predictions, or its mean over quantiles.

    .. math:: D^2 = 1 - \frac{\sum_i w_i \, \rho_\tau(y_i - \hat y_i)}{\min_c \sum_i w_i \, \rho_\tau(y_i - c)}, \qquad
        \rho_\tau(r) = \max\big( \tau \, r, (\tau - 1) \, r \big)

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets; with a list of quantiles there is one output.
    y_pred : array-like of the same shape, or (n_samples, n_quantiles)
        Predictions; with a list of quantiles one column for each, as `QuantileRegressor` predicts them.
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        The quantile :math:`\tau`. Of a list, the k-th is that of the k-th column of `y_pred`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    multioutput : {"raw_values", "uniform_average"} or array-like, default="uniform_average"
        One number per output (or quantile), or their mean, weighted if weights are given.

    Returns
    -------
    float or ndarray of shape (n_outputs,) or (n_quantiles,)
        The score; 1 is best, 0 is that of the constant, and it may be negative.

    Raises
    ------
    ValueError
        If `quantile` is not from 0 to 1, or is a list that does not have one number per column of `y_pred`.

    See Also
    --------
    d2_pinball_scorer : A scorer, for cross-validation.
    QuantileRegressor.score : This, for a list of quantiles.
    sklearn.metrics.d2_pinball_score : The same function of one quantile; its `alpha` is `quantile` here.

    Examples
    --------
    >>> from ladreg.metrics import d2_pinball_score
    >>> d2_pinball_score([21, 23, 25], [[19, 22], [22, 23], [24, 25]], quantile=[0.1, 0.9], multioutput="raw_values")
    array([0.33333333, 0.83333333])
    """
    return _by_quantile(_d2_of_one, y_true, y_pred, quantile, sample_weight, multioutput)


def mean_pinball_scorer(quantile: float | ArrayLike = 0.5) -> Callable[..., float]:
    """The negative mean pinball loss as a scorer, for `cross_val_score`, `GridSearchCV` and the like.

    Parameters
    ----------
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        The quantiles that the estimator predicts, in its order; their losses are averaged.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, larger is better. It requests `sample_weight` if metadata routing is set up to do
        so.

    Raises
    ------
    ValueError
        If `quantile` is not from 0 to 1.

    See Also
    --------
    pinball_loss : The loss of given predictions.
    d2_pinball_scorer : Relative to the best constant.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from ladreg import QuantileRegressor
    >>> from ladreg.metrics import mean_pinball_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> quantiles = [0.1, 0.5, 0.9]
    >>> model = QuantileRegressor(quantile=quantiles, alpha=0)
    >>> search = GridSearchCV(model, {"alpha": [0, 0.01, 0.1]}, scoring=mean_pinball_scorer(quantiles)).fit(X, y)
    >>> search.best_params_, float(round(-search.best_score_, 1))
    ({'alpha': 0}, 13.7)
    """
    _checked_quantile(quantile)
    scorer: Callable[..., float] = make_scorer(pinball_loss, greater_is_better=False, quantile=quantile)
    return scorer


def d2_pinball_scorer(quantile: float | ArrayLike = 0.5) -> Callable[..., float]:
    """Relative reduction of the pinball loss from the best constant, as a scorer.

    Parameters
    ----------
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        The quantiles that the estimator predicts, in its order; their scores are averaged.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, larger is better. It requests `sample_weight` if metadata routing is set up to do
        so.

    Raises
    ------
    ValueError
        If `quantile` is not from 0 to 1.

    See Also
    --------
    d2_pinball_score : The score of given predictions.
    mean_pinball_scorer : In units of y.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from ladreg import QuantileRegressor
    >>> from ladreg.metrics import d2_pinball_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = QuantileRegressor(quantile=[0.1, 0.9], alpha=0)
    >>> cross_val_score(model, X, y, scoring=d2_pinball_scorer([0.1, 0.9])).round(2)
    array([0.16, 0.23, 0.22, 0.13, 0.22])
    """
    _checked_quantile(quantile)
    scorer: Callable[..., float] = make_scorer(d2_pinball_score, quantile=quantile)
    return scorer


def _checked_quantile(quantile: float | ArrayLike) -> list[float]:
    """The quantiles, as a list; a ValueError unless there is at least one and all are from 0 to 1."""
    if np.ndim(quantile) > 1 or np.size(quantile) == 0:
        raise ValueError(f"quantile must be a number or a non-empty list, got {quantile!r}.")
    values: list[Any] = np.asarray(quantile).tolist() if np.ndim(quantile) else [quantile]
    for value in values:
        check_real("quantile", value, low=0.0, high=1.0)
    return [float(value) for value in values]


def _by_quantile(
    metric: Callable[..., Any],
    y_true: ArrayLike,
    y_pred: ArrayLike,
    quantile: float | ArrayLike,
    sample_weight: ArrayLike | None,
    multioutput: Average,
) -> Value:
    """A scikit-learn metric with a quantile as its `alpha`; for a list, one quantile per column of the predictions."""
    quantiles, weight = _checked_quantile(quantile), _finite(sample_weight)
    if np.ndim(quantile) == 0:
        value: Value = metric(y_true, y_pred, alpha=quantiles[0], sample_weight=weight, multioutput=multioutput)
        return value
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    predicted = predicted[:, None] if predicted.ndim == 1 else predicted
    if predicted.ndim != 2 or predicted.shape[1] != len(quantiles):
        raise ValueError(
            f"quantile must have one number per column of y_pred, got {len(quantiles)} of them and an array of shape "
            f"{np.shape(y_pred)}."
        )
    if true.ndim > 1 and true.shape[1:] != (1,):
        raise ValueError(f"y_true must be one-dimensional if quantile is a list, got shape {true.shape}.")
    pairs = zip(quantiles, predicted.T, strict=True)
    return _averaged(
        np.array([metric(true, column, alpha=one, sample_weight=weight) for one, column in pairs]), multioutput
    )


def _averaged(values: NDArray[np.float64], multioutput: Average) -> Value:
    """The values or their mean, as scikit-learn's metrics return them for several outputs."""
    if isinstance(multioutput, str):
        check_choice("multioutput", multioutput, ("raw_values", "uniform_average"))
        return values if multioutput == "raw_values" else float(values.mean())
    weights = np.asarray(multioutput, dtype=np.float64)
    if weights.shape != values.shape:
        raise ValueError(f"multioutput must have one weight per quantile, {values.size} in total, got {multioutput!r}.")
    return float(np.average(values, weights=weights))
