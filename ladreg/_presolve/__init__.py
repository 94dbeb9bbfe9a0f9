"""Problems made easier without changing their optima: scaled, clipped, without duplicates, few columns at a time."""

from ladreg._presolve.clipping import clip, clip_at, clip_targets, kept_solution, solve_clipped
from ladreg._presolve.column_generation import generates_columns, largest, solve_by_columns
from ladreg._presolve.duplicate_columns import Repeats, repeats
from ladreg._presolve.duplicate_rows import merged_rows
from ladreg._presolve.extremes import REACH, centre_and_reach
from ladreg._presolve.origin import Moved, moved_to_origin
from ladreg._presolve.other_columns import OtherColumns, solve_by_other_columns
from ladreg._presolve.predicted_targets import solve_predicted_targets
from ladreg._presolve.scaling import (
    Scaling,
    as_proved,
    certified,
    median,
    near_origin,
    scaled,
    solve_at_unit_scale,
    typical,
    with_stall,
    without_rounding,
)
from ladreg._presolve.tuning import PresolveTuning

__all__ = [
    "REACH",
    "Moved",
    "OtherColumns",
    "PresolveTuning",
    "Repeats",
    "Scaling",
    "as_proved",
    "centre_and_reach",
    "certified",
    "clip",
    "clip_at",
    "clip_targets",
    "generates_columns",
    "kept_solution",
    "largest",
    "median",
    "merged_rows",
    "moved_to_origin",
    "near_origin",
    "repeats",
    "scaled",
    "solve_at_unit_scale",
    "solve_by_columns",
    "solve_by_other_columns",
    "solve_clipped",
    "solve_predicted_targets",
    "typical",
    "with_stall",
    "without_rounding",
]
