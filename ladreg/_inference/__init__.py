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
from ladreg._inference.density import kernel_density, least_constant, robust_density, weighted_median, weighted_quantile
from ladreg._inference.desparsified import desparsified, without_bias
from ladreg._inference.fit import Fit, Sample, read
from ladreg._inference.from_blocks import BlockInference, BlockMethod, column_number, infer_blocks
from ladreg._inference.huber import huber_covariance
from ladreg._inference.lasso_fit import LassoFit, read_lasso
from ladreg._inference.nodewise import Nodewise, nodewise
from ladreg._inference.rank import rank_tests
from ladreg._inference.selective import full_sigma, selected, selective
from ladreg._inference.simultaneous import largest_ratio
from ladreg._inference.table import Block, as_frame, as_html, as_text
from ladreg._inference.truncated_normal import TruncatedNormal

__all__ = [
    "BANDWIDTHS",
    "Block",
    "BlockInference",
    "BlockMethod",
    "Covariance",
    "Fit",
    "Inverted",
    "LassoFit",
    "NearRows",
    "Nodewise",
    "Sample",
    "TruncatedNormal",
    "as_frame",
    "as_html",
    "as_text",
    "bandwidth",
    "bofinger",
    "breads_of",
    "column_number",
    "desparsified",
    "differences",
    "draft_covariance",
    "equal_breads",
    "full_sigma",
    "hall_sheather",
    "huber_covariance",
    "infer_blocks",
    "kernel_density",
    "largest_ratio",
    "least_constant",
    "nodewise",
    "quantile_covariance",
    "rank_tests",
    "read",
    "read_lasso",
    "replicates",
    "robust_density",
    "selected",
    "selective",
    "weighted_median",
    "weighted_quantile",
    "without_bias",
]
