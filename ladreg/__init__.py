"""Exact, certified least absolute deviations and lasso regression for scikit-learn."""

from ladreg._problem import Certificate
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD, LassoCD, alpha_max

__version__ = "0.1.0"

__all__ = ["Certificate", "ElasticNetCD", "LADRegressor", "LassoCD", "__version__", "alpha_max"]
