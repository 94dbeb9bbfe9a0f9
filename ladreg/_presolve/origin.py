"""Targets and columns far from zero, moved to the origin: for paths, and other problems that share rows.

With an intercept, numbers subtracted from targets and columns change nothing but that intercept. Beside targets of 1e9
it rounds by 1e-7, which is more than a path may miss: each of its points would be solved again, and come no nearer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, exact_dot
from ladreg._presolve.scaling import near_origin
from ladreg._problem import Coefficients, Loss, Problem, Solution
from ladreg._tolerances import EPS

# Targets or a column are far if their origin is more than 128 times their typical distance from it: nearer ones cost
# two of the sixteen digits.
_FAR = 128.0


@dataclass(frozen=True)
class Moved:
    """A problem moved to the origin, and the way back from its solutions.

    Attributes
    ----------
    problem
        The problem, moved.
    column_shift, y_shift
        What was subtracted from columns and targets.
    """

    problem: Problem
    column_shift: Array
    y_shift: float

    def like(self, original: Problem) -> Problem:
        """A problem with the same rows and another loss or penalty, moved."""
        if original.loss == self.problem.loss:
            return self.problem.with_penalty(original.penalty)
        return replace(self.problem, loss=original.loss, penalty=original.penalty)

    def start(self, start: Coefficients) -> Coefficients:
        """Coefficients of the moved problem for those of the original."""
        return Coefficients(start.coef, exact_dot(self.column_shift, start.coef, start.intercept, -self.y_shift))

    def restored(self, solution: Solution, loss: Loss) -> Solution:
        """The solution of the original with this loss; what the intercept's rounding costs is part of its gap."""
        intercept, rounded = self.intercept(solution.coef, solution.intercept)
        moved, point = self.problem, solution.coefficients
        residual, total, present = moved.with_digits(*point, moved.residual(*point)), moved.facts.total, moved.present
        more = total(loss, present(residual + rounded)) - total(loss, present(residual))
        gap, objective = solution.gap + max(more, 0.0), solution.objective + more
        unit = solution.gap / solution.relative_gap if solution.gap > 0 and solution.relative_gap > 0 else objective
        relative_gap = gap / unit if gap > solution.gap and unit > 0 else solution.relative_gap
        return replace(solution, intercept=intercept, objective=objective, gap=gap, relative_gap=relative_gap)

    def intercept(self, coef: Array, intercept: float) -> tuple[float, float]:
        """The intercept of the original, and how far it is below that without rounding."""
        there = exact_dot(self.column_shift, -coef, intercept, self.y_shift)
        return there, -exact_dot(self.column_shift, coef, there, -self.y_shift, -intercept)


def moved_to_origin(problem: Problem) -> Moved | None:
    """The problem with targets and columns near the origin; None where they are, or there is no intercept."""
    if not problem.fit_intercept:
        return None
    column_shift, distance = problem.design.extent(True)
    y = problem.y[problem.weight > 0]
    _, y_shift, unit = near_origin(y, True)
    far = np.abs(column_shift) > _FAR * distance
    far &= distance > 0
    if not (abs(y_shift) > _FAR * unit and _keeps_digits(y, y_shift)):
        y_shift = 0.0
    if not (y_shift or far.any()):
        return None
    design = problem.design.rescaled(column_shift, np.ones(problem.n_features))
    return Moved(replace(problem, design=design, y=problem.y - y_shift), column_shift, y_shift)


def _keeps_digits(y: Array, shift: float) -> bool:
    """Whether each target less the shift has its digits: rounded by at most EPS times the target.

    A target far nearer to zero than the shift has more digits than the difference; where its weight dwarfs all others
    the moved problem has another optimum.
    """
    return bool(np.all(np.abs(y - ((y - shift) + shift)) <= EPS * np.abs(y)))
