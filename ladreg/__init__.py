"""Exact, certified least absolute deviations and lasso regression for scikit-learn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ladreg._problem import Certificate
from ladreg._version import __version__
from ladreg.combined import CombinedLossRegressor
from ladreg.huber import HuberLossRegressor
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD, LassoCD, alpha_max
from ladreg.quantile import QuantileRegressor

if TYPE_CHECKING:
    from ladreg._estimators import pivotal_alpha
    from ladreg.inference import Inference, infer
    from ladreg.information import LADRegressorIC, LassoCDIC
    from ladreg.model_selection import ElasticNetCDCV, LADRegressorCV, LassoCDCV, QuantileRegressorCV
    from ladreg.path import enet_path, lad_path, lasso_path
    from ladreg.stability import StabilitySelection

__all__ = [
    "Certificate",
    "CombinedLossRegressor",
    "ElasticNetCD",
    "ElasticNetCDCV",
    "HuberLossRegressor",
    "Inference",
    "LADRegressor",
    "LADRegressorCV",
    "LADRegressorIC",
    "LassoCD",
    "LassoCDCV",
    "LassoCDIC",
    "QuantileRegressor",
    "QuantileRegressorCV",
    "StabilitySelection",
    "__version__",
    "alpha_max",
    "enet_path",
    "infer",
    "lad_path",
    "lasso_path",
    "pivotal_alpha",
]

# Imported on first use: what these modules import from scikit-learn takes longer than the rest.
_LATER = {
    "ElasticNetCDCV": "model_selection",
    "Inference": "inference",
    "LADRegressorCV": "model_selection",
    "LADRegressorIC": "information",
    "LassoCDCV": "model_selection",
    "LassoCDIC": "information",
    "QuantileRegressorCV": "model_selection",
    "StabilitySelection": "stability",
    "enet_path": "path",
    "infer": "inference",
    "lad_path": "path",
    "lasso_path": "path",
    "pivotal_alpha": "_estimators",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'ladreg' has no attribute {name!r}")
    return getattr(import_module(f"ladreg.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return __all__
