"""The desparsified lasso: coefficients without the bias of the penalty, and their covariance.

Zhang and Zhang 2014, doi 10.1111/rssb.12026; van de Geer et al. 2014, doi 10.1214/14-AOS1221.
"""

from __future__ import annotations

from ladreg._arrays import Array
from ladreg._inference.lasso_fit import LassoFit
from ladreg._inference.nodewise import Nodewise


def desparsified(fit: LassoFit, nodes: Nodewise, sigma: float) -> tuple[Array, Array]:
    """Coefficients and their covariance, of the columns as they came."""
    scale = fit.regressors.scale
    coef, cov = without_bias(fit.coef / scale, nodes.direction @ fit.gradient, nodes.own, nodes.products, sigma)
    return coef * scale, cov * scale * scale[:, None]


def without_bias(coef: Array, projected: Array, own: Array, products: Array, sigma: float) -> tuple[Array, Array]:
    """``b_j + z_j'W r / z_j'W x_j``, and ``sigma^2 z_j'W^2 z_k / (z_j'W x_j z_k'W x_k)``.

    Parameters
    ----------
    coef
        The lasso b, whose residuals are r.
    projected
        ``z_j'W r`` for the nodewise residuals z_j.
    own
        ``z_j'W x_j``.
    products
        ``z_j'W^2 z_k``.
    sigma
        Standard deviation of the errors.
    """
    return coef + projected / own, sigma**2 * (products / own / own[:, None])
