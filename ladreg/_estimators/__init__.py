"""What estimators share: validation, fit and verify, the L1 family's penalty, and what is estimated before a fit."""

from ladreg._estimators.adaptive import WeightedRegressor, check_in_memory, is_adaptive
from ladreg._estimators.base import CertifiedRegressor
from ladreg._estimators.callbacks import (
    CallbackSupportMixin,
    root_task,
    subtasks,
    task,
    told_of_passes,
    with_callbacks,
)
from ladreg._estimators.certificate_html import ShowsCertificate, named_certificates
from ladreg._estimators.folds_in_blocks import FoldedData
from ladreg._estimators.huber_scale import ScaledProblem, estimated_scale
from ladreg._estimators.huber_scale_in_blocks import scales_of_blocks
from ladreg._estimators.in_blocks import BlockData, are_blocks, names_of, opened
from ladreg._estimators.l1 import L1Regressor, PivotalRegressor, PosedBlocks
from ladreg._estimators.limits import Bounds, Limits, multiples
from ladreg._estimators.moments_in_blocks import MomentData, verified_by_moments
from ladreg._estimators.own_penalties import penalties_of
from ladreg._estimators.pipelines import LastStep
from ladreg._estimators.pivotal import checked_quantiles, pivotal_alpha, quantile_of
from ladreg._estimators.state import Versioned, all_or_nothing, stored
from ladreg._estimators.validation import (
    NO_BLOCKS,
    Data,
    any_size,
    check_choice,
    check_count,
    check_flag,
    check_options,
    check_real,
    check_verbose,
    feature_weights,
    present,
    relative_weights,
    sound,
    training_data,
)
from ladreg._estimators.verification import Verified, verified

__all__ = [
    "NO_BLOCKS",
    "BlockData",
    "Bounds",
    "CallbackSupportMixin",
    "CertifiedRegressor",
    "Data",
    "FoldedData",
    "L1Regressor",
    "LastStep",
    "Limits",
    "MomentData",
    "PivotalRegressor",
    "PosedBlocks",
    "ScaledProblem",
    "ShowsCertificate",
    "Verified",
    "Versioned",
    "WeightedRegressor",
    "all_or_nothing",
    "any_size",
    "are_blocks",
    "check_choice",
    "check_count",
    "check_flag",
    "check_in_memory",
    "check_options",
    "check_real",
    "check_verbose",
    "checked_quantiles",
    "estimated_scale",
    "feature_weights",
    "is_adaptive",
    "multiples",
    "named_certificates",
    "names_of",
    "opened",
    "penalties_of",
    "pivotal_alpha",
    "present",
    "quantile_of",
    "relative_weights",
    "root_task",
    "scales_of_blocks",
    "sound",
    "stored",
    "subtasks",
    "task",
    "told_of_passes",
    "training_data",
    "verified",
    "verified_by_moments",
    "with_callbacks",
]
