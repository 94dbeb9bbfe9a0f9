"""Densities of the errors at a fitted quantile, one for each row: what a covariance of quantiles needs beside X."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ladreg._arrays import Array
from ladreg._inference.bandwidth import normal_density

# Where neighbouring quantiles differ by at most 1e-8 of their median difference, a row's density counts as 0: the two
# fits cross there, or meet.
_CROSSED = 1e-8
# Cumulative weights within 1e-12 of the total from a rank have reached it: they are rounded sums.
_REACHED = 1e-12
# The interquartile range of a normal distribution over its deviation, as Silverman (1986, section 3.4.2) rounds it.
_NORMAL_RANGE = 1.34


def least_difference(difference: Array) -> float:
    """The largest difference of neighbouring quantiles that counts as none."""
    return _CROSSED * float(np.median(np.abs(difference)))


def robust_density(difference: Array, h: float, least: Array | float, offset: Array | float = 0.0) -> Array:
    """``2 h / (difference - offset)``, and 0 where the difference is at most `least`.

    Parameters
    ----------
    difference
        Fitted quantiles ``h`` above less those ``h`` below, one for each row (Hendricks and Koenker 1992).
    h
        Bandwidth.
    least
        See `least_difference`.
    offset
        A number subtracted from each difference, which makes it that of R's quantreg.
    """
    crossed = difference <= least
    return np.where(crossed, 0.0, 2 * h / np.where(crossed, 1.0, difference - offset))


def equal_density(difference: float, h: float, least: float) -> float:
    """The density of all rows: `robust_density` of the mean difference."""
    return 2 * h / difference if difference > least else 0.0


def kernel_density(residual: Array, weight: Array, quantile: float, h: float, kernel: str) -> Array:
    """``K(residual / c) / c``: c is a scale of the residuals times the width of h on both sides in normal errors.

    Parameters
    ----------
    residual
        Residuals of the quantile's fit.
    weight
        Weights with the number of rows as their sum.
    quantile
        The quantile.
    h
        Bandwidth on the scale of probabilities.
    kernel
        "uniform" on (-c, c), with the median distance from the median as the scale (Parente and Santos Silva 2016), or
        "gaussian", with the smaller of deviation and interquartile range / 1.34 (Koenker 2005, section 3.4.2).
    """
    width = normal_width(quantile, h)
    if kernel == "uniform":
        c = width * weighted_median(np.abs(residual - weighted_median(residual, weight)), weight)
        return kernel_of(residual, c, kernel)
    total = weight.sum()
    mean = weight @ residual / total
    deviation = np.sqrt(weight @ (residual - mean) ** 2 / (total - 1))
    spread = weighted_quantile(residual, weight, 0.75) - weighted_quantile(residual, weight, 0.25)
    return kernel_of(residual, width * gaussian_scale(float(deviation), spread), kernel)


def normal_width(quantile: float, h: float) -> float:
    """The width of the quantiles from h below to h above, in normal errors of deviation one."""
    return float(ndtri(quantile + h) - ndtri(quantile - h))


def gaussian_scale(deviation: float, spread: float) -> float:
    """The scale of the "gaussian" kernel: `spread` is the interquartile range."""
    return min(deviation, spread / _NORMAL_RANGE)


def kernel_of(residual: Array, c: float, kernel: str) -> Array:
    """``K(residual / c) / c``, 0 for c = 0."""
    if not c > 0:
        return np.zeros_like(residual)
    if kernel == "uniform":
        return np.where(np.abs(residual) < c, 0.5 / c, 0.0)
    return normal_density(residual / c) / c


def weighted_median(values: Array, weight: Array) -> float:
    """The middle of all medians: that of the rows repeated by their weights, where these are whole numbers."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    half, rounding = 0.5 * cumulative[-1], _REACHED * cumulative[-1]
    below, above = np.searchsorted(cumulative, [half - rounding, half + rounding])
    return float(values[order[below]] / 2 + values[order[min(above, order.size - 1)]] / 2)


def least_constant(values: Array, weight: Array, quantile: float) -> float:
    """A value of least pinball loss: the smallest whose cumulative weight reaches that part of the total."""
    if np.all(weight == weight[0]):
        k = min(int(np.ceil(quantile * values.size)), values.size) - 1
        return float(np.partition(values, k)[k])
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(cumulative, quantile * cumulative[-1])]])


def weighted_quantile(values: Array, weight: Array, probability: float) -> float:
    """Linear interpolation between order statistics (R's type 7) of the rows repeated by their weights."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    rank = probability * (cumulative[-1] - 1)
    whole = np.floor(rank)
    places = np.searchsorted(cumulative, np.array([whole, whole + 1]) + _REACHED * cumulative[-1], side="right")
    left, right = values[order[np.minimum(places, order.size - 1)]]
    return float(left + (rank - whole) * (right - left))
