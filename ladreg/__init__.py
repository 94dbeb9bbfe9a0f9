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
    from ladreg.conformal import ConformalQuantileRegressor
    from ladreg.display import (
        CertificateDisplay,
        CVCurveDisplay,
        IntervalDisplay,
        PathDisplay,
        QuantileProcessDisplay,
        ResidualDisplay,
        StabilityDisplay,
    )
    from ladreg.inference import Inference, infer
    from ladreg.information import LADRegressorIC, LassoCDIC, QuantileRegressorIC
    from ladreg.lasso_inference import LassoInference
    from ladreg.many import ManyFits, fit_many
    from ladreg.model_selection import (
        CombinedLossRegressorCV,
        ElasticNetCDCV,
        HuberLossRegressorCV,
        LADRegressorCV,
        LassoCDCV,
        QuantileRegressorCV,
    )
    from ladreg.path import combined_path, enet_path, huber_path, lad_path, lasso_path, quantile_path, quantile_process
    from ladreg.stability import StabilitySelection

__all__ = [
    "CVCurveDisplay",
    "Certificate",
    "CertificateDisplay",
    "CombinedLossRegressor",
    "CombinedLossRegressorCV",
    "ConformalQuantileRegressor",
    "ElasticNetCD",
    "ElasticNetCDCV",
    "HuberLossRegressor",
    "HuberLossRegressorCV",
    "Inference",
    "IntervalDisplay",
    "LADRegressor",
    "LADRegressorCV",
    "LADRegressorIC",
    "LassoCD",
    "LassoCDCV",
    "LassoCDIC",
    "LassoInference",
    "ManyFits",
    "PathDisplay",
    "QuantileProcessDisplay",
    "QuantileRegressor",
    "QuantileRegressorCV",
    "QuantileRegressorIC",
    "ResidualDisplay",
    "StabilityDisplay",
    "StabilitySelection",
    "__version__",
    "alpha_max",
    "combined_path",
    "enet_path",
    "fit_many",
    "huber_path",
    "infer",
    "lad_path",
    "lasso_path",
    "pivotal_alpha",
    "quantile_path",
    "quantile_process",
]

# Imported on first use: what these modules import from scikit-learn takes longer than the rest.
_LATER = {
    "CVCurveDisplay": "display",
    "CertificateDisplay": "display",
    "IntervalDisplay": "display",
    "PathDisplay": "display",
    "QuantileProcessDisplay": "display",
    "ResidualDisplay": "display",
    "StabilityDisplay": "display",
    "CombinedLossRegressorCV": "model_selection",
    "ConformalQuantileRegressor": "conformal",
    "ElasticNetCDCV": "model_selection",
    "HuberLossRegressorCV": "model_selection",
    "Inference": "inference",
    "LADRegressorCV": "model_selection",
    "LADRegressorIC": "information",
    "LassoCDCV": "model_selection",
    "LassoCDIC": "information",
    "LassoInference": "lasso_inference",
    "ManyFits": "many",
    "QuantileRegressorCV": "model_selection",
    "QuantileRegressorIC": "information",
    "StabilitySelection": "stability",
    "combined_path": "path",
    "enet_path": "path",
    "fit_many": "many",
    "huber_path": "path",
    "infer": "inference",
    "lad_path": "path",
    "lasso_path": "path",
    "pivotal_alpha": "_estimators",
    "quantile_path": "path",
    "quantile_process": "path",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'ladreg' has no attribute {name!r}")
    return getattr(import_module(f"ladreg.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return __all__
