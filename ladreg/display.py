"""Pictures of fits, which need matplotlib: ``pip install 'ladreg[plot]'``."""

from ladreg._display import (
    CertificateDisplay,
    CVCurveDisplay,
    IntervalDisplay,
    PathDisplay,
    QuantileProcessDisplay,
    ResidualDisplay,
    StabilityDisplay,
)

__all__ = [
    "CVCurveDisplay",
    "CertificateDisplay",
    "IntervalDisplay",
    "PathDisplay",
    "QuantileProcessDisplay",
    "ResidualDisplay",
    "StabilityDisplay",
]
