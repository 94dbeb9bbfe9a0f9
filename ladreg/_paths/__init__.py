"""Sequences of problems over alpha, and the losses of held-out rows along them."""

from ladreg._paths.fold_moments import FoldMoments, Split
from ladreg._paths.folds import Folds, folds_of, relaxed
from ladreg._paths.knots import Ranges, last_alpha, path_of_knots, path_of_quantiles
from ladreg._paths.path import Miss, Path, grid, losses_of, solve_path
from ladreg._paths.squared_folds import SquaredFolds

__all__ = [
    "FoldMoments",
    "Folds",
    "Miss",
    "Path",
    "Ranges",
    "Split",
    "SquaredFolds",
    "folds_of",
    "grid",
    "last_alpha",
    "losses_of",
    "path_of_knots",
    "path_of_quantiles",
    "relaxed",
    "solve_path",
]
