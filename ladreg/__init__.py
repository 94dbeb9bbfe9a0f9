"""Exact, certified least absolute deviations and lasso regression for scikit-learn."""

from ladreg._problem import Certificate
from ladreg.combined import CombinedLossRegressor
from ladreg.huber import HuberLossRegressor
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD, LassoCD, alpha_max
from ladreg.quantile import QuantileRegressor

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "CombinedLossRegressor",
    "ElasticNetCD",
    "HuberLossRegressor",
    "LADRegressor",
    "LassoCD",
    "QuantileRegressor",
    "__version__",
    "alpha_max",
]
