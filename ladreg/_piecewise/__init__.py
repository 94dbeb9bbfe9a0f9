"""Engines for losses made of pieces: absolute, quantile, Huber's and the combined loss."""

from ladreg._piecewise.any_penalty import solve_any_penalty
from ladreg._piecewise.cascade import solve_by_cascade
from ladreg._piecewise.dual_program import weighted_gram
from ladreg._piecewise.families import Family, FamilySolver, are_small
from ladreg._piecewise.fold_vertices import FoldSolutions, follow_folds, shares_rows, solve_folds
from ladreg._piecewise.huber_newton import solve_huber
from ladreg._piecewise.knot_path import follows_knots, is_worth_copying, on_face, solve_all_knots, solve_along_knots
from ladreg._piecewise.linprog import dual_at, most_iterations, solve_by_linprog
from ladreg._piecewise.newton_step import newton_step
from ladreg._piecewise.null_space import is_bulky
from ladreg._piecewise.preprocessing import doubtful
from ladreg._piecewise.quantile_knots import follows_quantiles, solve_all_quantiles, solve_along_quantiles
from ladreg._piecewise.solution_process import solve_process
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._piecewise.vertices import Batch, Vertices, solve_only_vertex, solve_vertices

__all__ = [
    "Batch",
    "Family",
    "FamilySolver",
    "FoldSolutions",
    "PiecewiseTuning",
    "Vertices",
    "are_small",
    "doubtful",
    "dual_at",
    "follow_folds",
    "follows_knots",
    "follows_quantiles",
    "is_bulky",
    "is_worth_copying",
    "most_iterations",
    "newton_step",
    "on_face",
    "shares_rows",
    "solve_all_knots",
    "solve_all_quantiles",
    "solve_along_knots",
    "solve_along_quantiles",
    "solve_any_penalty",
    "solve_by_cascade",
    "solve_by_linprog",
    "solve_folds",
    "solve_huber",
    "solve_only_vertex",
    "solve_process",
    "solve_vertices",
    "weighted_gram",
]
