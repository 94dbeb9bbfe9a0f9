"""Bandwidths of sparsity estimates: how far on both sides of a quantile its neighbours are fitted."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

# The coverage error that Hall and Sheather's and Chamberlain's rules balance is that of 95 % intervals, whatever the
# level that is asked for.
_ALPHA = 0.05


def bandwidth(rule: str | float, n: float, quantile: float) -> float:
    """The half width h on the scale of probabilities; halved until ``quantile - h`` and ``quantile + h`` are in (0, 1).

    Parameters
    ----------
    rule
        "hall_sheather" (1988, doi 10.1111/j.2517-6161.1988.tb01735.x), "bofinger" (1975,
        doi 10.1111/j.1467-842X.1975.tb01366.x), "chamberlain" (1994, doi 10.1017/CCOL0521444592.005), or a number.
    n
        Number of rows.
    quantile
        The quantile.
    """
    h = _RULES[rule](n, quantile) if isinstance(rule, str) else float(rule)
    while quantile - h <= 0 or quantile + h >= 1:
        h /= 2
    return h


def hall_sheather(n: float, quantile: float, alpha: float = _ALPHA) -> float:
    """``n^(-1/3) z_alpha^(2/3) [1.5 phi(z)^2 / (2 z^2 + 1)]^(1/3)`` with z the normal quantile."""
    z = ndtri(quantile)
    return float(
        n ** (-1 / 3) * ndtri(1 - alpha / 2) ** (2 / 3) * (1.5 * normal_density(z) ** 2 / (2 * z * z + 1)) ** (1 / 3)
    )


def bofinger(n: float, quantile: float) -> float:
    """``n^(-1/5) [4.5 phi(z)^4 / (2 z^2 + 1)^2]^(1/5)`` with z the normal quantile."""
    z = ndtri(quantile)
    return float(n ** (-1 / 5) * (4.5 * normal_density(z) ** 4 / (2 * z * z + 1) ** 2) ** (1 / 5))


def chamberlain(n: float, quantile: float, alpha: float = _ALPHA) -> float:
    """``z_alpha sqrt(quantile (1 - quantile) / n)``: the interval of the rank of an order statistic."""
    return float(ndtri(1 - alpha / 2) * np.sqrt(quantile * (1 - quantile) / n))


def normal_density(z: np.ndarray | float) -> np.ndarray:
    """The standard normal density."""
    return np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi)


_RULES = {"hall_sheather": hall_sheather, "bofinger": bofinger, "chamberlain": chamberlain}
BANDWIDTHS = tuple(_RULES)
