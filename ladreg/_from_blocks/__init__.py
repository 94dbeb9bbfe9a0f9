"""Fits to rows in blocks, which are read a few times and never held."""

from ladreg._from_blocks.piecewise import Question, judged, solve_blocks
from ladreg._from_blocks.side_by_side import together
from ladreg._from_blocks.survey import Survey, survey

__all__ = ["Question", "Survey", "judged", "solve_blocks", "survey", "together"]
