"""What the estimators that choose alpha share: grid, path, choice and the certified fit at the end."""

from ladreg._tuning.base import TunedRegressor
from ladreg._tuning.candidates import (
    Candidate,
    Choice,
    alpha_grid,
    check_not_empty,
    check_number_of_alphas,
    check_single,
    checked_alphas,
    warn_of,
)
from ladreg._tuning.cross_validation import CrossValidatedRegressor, HeldOut
from ladreg._tuning.scoring import rows_of
from ladreg._tuning.targets import Target, part_of

__all__ = [
    "Candidate",
    "Choice",
    "CrossValidatedRegressor",
    "HeldOut",
    "Target",
    "TunedRegressor",
    "alpha_grid",
    "check_not_empty",
    "check_number_of_alphas",
    "check_single",
    "checked_alphas",
    "part_of",
    "rows_of",
    "warn_of",
]
