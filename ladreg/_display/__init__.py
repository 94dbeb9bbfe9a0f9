"""Pictures of fits, in scikit-learn's convention: data in the constructor, `plot` draws them."""

from ladreg._display.certificate import CertificateDisplay
from ladreg._display.cv_curve import CVCurveDisplay
from ladreg._display.interval import IntervalDisplay
from ladreg._display.path import PathDisplay
from ladreg._display.quantile_process import QuantileProcessDisplay
from ladreg._display.residual import ResidualDisplay
from ladreg._display.stability import StabilityDisplay

__all__ = [
    "CVCurveDisplay",
    "CertificateDisplay",
    "IntervalDisplay",
    "PathDisplay",
    "QuantileProcessDisplay",
    "ResidualDisplay",
    "StabilityDisplay",
]
