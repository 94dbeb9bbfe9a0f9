"""What the estimators that choose alpha share: grid, path, choice and the certified fit at the end."""

from ladreg._tuning.base import TunedRegressor
from ladreg._tuning.candidates import (
    Candidate,
    Choice,
    check_not_empty,
    check_number_of_alphas,
    check_single,
    warn_of,
)
from ladreg._tuning.cross_validation import CrossValidatedRegressor, HeldOut
from ladreg._tuning.path_functions import Asked, FoundPaths, paths_of, problems_of, watched
from ladreg._tuning.scoring import rows_of
from ladreg._tuning.targets import Target, part_of

__all__ = [
    "Asked",
    "Candidate",
    "Choice",
    "CrossValidatedRegressor",
    "FoundPaths",
    "HeldOut",
    "Target",
    "TunedRegressor",
    "check_not_empty",
    "check_number_of_alphas",
    "check_single",
    "part_of",
    "paths_of",
    "problems_of",
    "rows_of",
    "warn_of",
    "watched",
]
