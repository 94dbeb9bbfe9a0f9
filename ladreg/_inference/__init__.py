"""Standard errors of fits without penalty: what a covariance is made of, and how a table of it is printed."""

from ladreg._inference.bandwidth import BANDWIDTHS, bandwidth, bofinger, hall_sheather
from ladreg._inference.bootstrap import NearRows, replicates
from ladreg._inference.covariance import (
    Covariance,
    Inverted,
    breads_of,
    differences,
    draft_covariance,
    equal_breads,
    quantile_covariance,
)
from ladreg._inference.density import kernel_density, robust_density, weighted_median, weighted_quantile
from ladreg._inference.fit import Fit, Sample, read
from ladreg._inference.huber import huber_covariance
from ladreg._inference.rank import rank_tests
from ladreg._inference.table import Block, as_html, as_text

__all__ = [
    "BANDWIDTHS",
    "Block",
    "Covariance",
    "Fit",
    "Inverted",
    "NearRows",
    "Sample",
    "as_html",
    "as_text",
    "bandwidth",
    "bofinger",
    "breads_of",
    "differences",
    "draft_covariance",
    "equal_breads",
    "hall_sheather",
    "huber_covariance",
    "kernel_density",
    "quantile_covariance",
    "rank_tests",
    "read",
    "replicates",
    "robust_density",
    "weighted_median",
    "weighted_quantile",
]
