"""Fits to rows in blocks, which are read a few times and never held."""

from ladreg._from_blocks.choose import FEW, all_rows, judged, solve_blocks
from ladreg._from_blocks.distinct_rows import LeastKeys, n_distinct_rows, row_keys
from ladreg._from_blocks.equivalent_rows import EquivalentRows, turned
from ladreg._from_blocks.fold_paths import BlockFolds
from ladreg._from_blocks.independent_columns import IndependentColumns
from ladreg._from_blocks.moments import Moments, moments
from ladreg._from_blocks.near_origin import NearOrigin
from ladreg._from_blocks.noise import Noise, noise
from ladreg._from_blocks.order_statistics import Distance, selected
from ladreg._from_blocks.part_fits import Asked, PartFits
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.row_folds import ColumnFolds, RowFolds
from ladreg._from_blocks.side_by_side import Request, together
from ladreg._from_blocks.squares import certified_squares, corrected_target
from ladreg._from_blocks.survey import SampledFold, Survey, Units, survey, survey_folds
from ladreg._from_blocks.turned_columns import TurnedColumns

__all__ = [
    "FEW",
    "Asked",
    "BlockFolds",
    "ColumnFolds",
    "Distance",
    "EquivalentRows",
    "IndependentColumns",
    "LeastKeys",
    "Moments",
    "NearOrigin",
    "Noise",
    "PartFits",
    "Question",
    "Request",
    "RowFolds",
    "SampledFold",
    "Survey",
    "TurnedColumns",
    "Units",
    "all_rows",
    "certified_squares",
    "corrected_target",
    "judged",
    "moments",
    "n_distinct_rows",
    "noise",
    "row_keys",
    "selected",
    "solve_blocks",
    "survey",
    "survey_folds",
    "together",
    "turned",
]
