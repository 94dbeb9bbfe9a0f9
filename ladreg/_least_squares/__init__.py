"""Engines for the squared loss: coordinate descent for one penalty, and paths over many."""

from ladreg._least_squares.active_set import Support
from ladreg._least_squares.centred import Centred
from ladreg._least_squares.coordinate_descent import NAME, solve_lasso
from ladreg._least_squares.dependent_columns import redundant
from ladreg._least_squares.descent_state import COUNTS
from ladreg._least_squares.gram_path import GramPath
from ladreg._least_squares.path import rows_in_gram, solve_lasso_path, works_in_gram
from ladreg._least_squares.path_point import PathPoint, gathered
from ladreg._least_squares.tall_lasso import solve_tall_lasso
from ladreg._least_squares.tuning import LeastSquaresTuning

__all__ = [
    "COUNTS",
    "NAME",
    "Centred",
    "GramPath",
    "LeastSquaresTuning",
    "PathPoint",
    "Support",
    "gathered",
    "redundant",
    "rows_in_gram",
    "solve_lasso",
    "solve_lasso_path",
    "solve_tall_lasso",
    "works_in_gram",
]
