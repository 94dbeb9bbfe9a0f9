"""Every tolerance above the designs: the inequality, its unit, and why this number, as a multiple of EPS = 2^-52.

At unit scale (`_presolve/scaling.py`) columns, targets and typical residuals have size about one. Numbers that decide
how fast a solver is, and not what it finds, are not here but in the `Tuning` record of its wing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

EPS = float(np.finfo(np.float64).eps)

# Rounding of what is computed.

# A sum is zero if it is at most 4.5 EPS (1e-15) times the sum of its terms' sizes: its terms have half an EPS each,
# and the kernels sum in blocks. A smaller multiple would ask a dual to be corrected by less than its own rounding.
ROUNDED = 4.5 * EPS
# A residual, prediction or slope is rounding if it is at most 64 EPS (1.4e-14) times the sizes of its terms: the
# errors of coefficients that were themselves computed come on top.
SUMMED = 64 * EPS
# A projected dual is orthogonal to the free columns if its products with them are at most 45 EPS (1e-14) times the
# sums of their terms' sizes; what is left above `ROUNDED` is charged to the gap. Larger products may cost more:
# coefficients of nearly dependent columns may be as large as a product is small. A free column is corrected for if at
# least that part of its length is left beside the others, which is above the rounding of their decomposition.
ORTHOGONAL = 45 * EPS
# An entry of a solved linear system is rounding if it is at most 450 EPS (1e-13) of the largest one, a column is
# dependent if at most that part of its length is left beside the others, and rows or columns are equal if their
# products with random numbers differ by that part: condition numbers of a few hundred multiply EPS.
SOLVED = 450 * EPS
# A residual, or a slope in units of its column's largest value, is zero if at most 4500 EPS (1e-12), where a simplex
# method or a system near singularity determined it; bounds of a polyhedron are relaxed by as much.
VERTEX = 4500 * EPS
# A residual is zero in every optimum if it is at most 45,000 EPS (1e-11) times the sizes of its terms; a unit
# constraint is violated above that excess, at unit scale; a singular value counts as zero up to that part of the
# largest, with columns of size one. The coefficients of a face are solved to SOLVED, times condition numbers of a
# hundred.
PINNED = 45_000 * EPS
# A direction of a face has no part along an axis, an edge does not meet a constraint, and a least-squares fit does
# not determine a direction, up to 450,000 EPS (1e-10) of the largest: directions come from null spaces with rank
# PINNED.
DIRECTION = 450_000 * EPS
# A limit counts as none at unit scale if it is farther from zero than 1e10 times the largest target and the largest
# coefficient that limits force: from there, any direction that counts moves predictions beyond the targets.
FAR_LIMIT = 1 / DIRECTION
# A square matrix is singular if its condition number (infinity norm) is at least 1e10: fewer than six digits are
# right.
CONDITION = 1 / DIRECTION
# A KKT system, with columns and curvature of size one, is singular if its inverse has row sums of 1e12 or more, and
# an eigenvalue of a Gram matrix of columns of length one is rounding up to the inverse of that: such systems are
# solved three times, and each time gains the digits that are left.
SINGULAR = 4500 * EPS
# A squared pivot of a Cholesky factor above 450,000 EPS (1e-10) of its diagonal entry leaves six digits; below it, the
# dependent columns are looked for.
PIVOT = 450_000 * EPS
# A column of length one is independent if it is farther than 45 EPS (1e-14) from the span of the others in a QR: less
# than SOLVED, so that columns that passed that are independent there as well.
INDEPENDENT = 45 * EPS
# A slope is at its strength if it misses that by at most 45 EPS (1e-14) of the largest slope: strengths are no measure,
# since they may be far larger.
BALANCED = 45 * EPS
# An eigenvalue of the Gram matrix of tied rows, weighted by the squares of their distances from the ends of their
# intervals, is rounding up to 45 EPS (1e-14) of the largest: the weights may differ by 1e12.
TIED_EIGENVALUE = 45 * EPS

# A ridge is nothing at unit scale up to EPS^2 (5e-32): it costs coefficients of up to 1e8 less than rounding of the
# objective.
NO_RIDGE = EPS**2

# Gaps, relative to the objective.

# Rounding alone explains a gap of up to 450 EPS (1e-13): reduced problems are solved to that, and a user is not warned
# of it.
ROUNDING_GAP = 450 * EPS
# A gap is as small as a solver can make it at 45 EPS (1e-14): no other answer is computed, no LP solved again. The
# gap of a curved problem is relative to all squares, which may far exceed the residuals': it is asked for a tenth of
# that.
LEAST_GAP = 45 * EPS
# An answer is proved at a gap of 4500 EPS (1e-12): ten roundings, so that no other engine is tried for the last
# digit.
PROVED_GAP = 4500 * EPS
# Rounding of predictions may be 4.5e4 EPS (1e-11) of the mean residual: it changes the objective by a hundredth of the
# gap that a user is warned of.
HIDDEN = 4.5e4 * EPS
# A dual shows the optimal face at a gap of 4.5e6 EPS (1e-9), and linprog's dual verifies given coefficients there:
# `AT_END` tells its ends apart.
FACE_GAP = 4.5e6 * EPS

# Squared loss: gaps of at most 4 EPS times the mean square of the centred target are rounding.
SQUARES_GAP = 4 * EPS
# Squared loss: above a gap of 450,000 EPS (1e-10) of the objective the dual is too inexact to show the optimal face.
SUPPORT_GAP = 450_000 * EPS
# Squared loss: a step does not descend if the objective grows by more than 4.5e6 EPS (1e-9) of itself plus as much of
# the variance of y.
ASCENT = 4.5e6 * EPS

# Distances that decide between two cases.

# The data are fitted exactly if the objective is at most that of a change of y by 4500 EPS (1e-12) of its size.
EXACT_FIT = 4500 * EPS
# A dual, slope, distance or coefficient is at an end (of its interval, strength, reach, or another point) if it is
# within 4.5e6 EPS (1e-9) of the length from it: an optimal dual is known to about that where its gap is rounding.
AT_END = 4.5e6 * EPS
# A dual is inside its interval in every optimum if it is farther than 4.5e9 EPS (1e-6) of the length from both ends,
# a moved target is on its side of a unique fit if it is farther than 1e-6 of the reach from it, and slopes of
# interior point methods are at their strength within 1e-6 of it: the root of what their gap allows.
INSIDE = 4.5e9 * EPS
# Where a solver met its tolerance at unit scale, the rounding of columns far from zero explains a gap of up to 1e-8
# times the objective.
FAR_COLUMNS = 4.5e7 * EPS
# Half of the digits: a residual (at unit scale) of at most 1.5e-8 suggests an exact fit, a squared pivot (columns of
# size one) above 1.5e-8 no flat direction, and the answer of a linear program may miss bounds and equations by as
# much.
HALF_DIGITS = float(np.sqrt(EPS))
# Walks from knot to knot perturb targets, weights and strengths by 0.5 to 1 times 4.5e6 EPS (1e-9) of their unit: more
# than the rounding of residuals (about 1e-13 at unit scale), less than what tells one vertex from another.
PERTURBATION = 4.5e6 * EPS
# A column that a walk did not watch was missed if its slope exceeds its strength by more than 4.5e7 EPS (1e-8) of that:
# more than the perturbation.
MISSED = 4.5e7 * EPS
# Knots that differ by at most 450,000 EPS (1e-10) of their alpha are one: more than rounding, less than what data tell
# apart.
SAME_KNOT = 450_000 * EPS
# HiGHS's feasibility tolerances are absolute; at unit scale 1e-10 is the least that it takes.
HIGHS: Any = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
