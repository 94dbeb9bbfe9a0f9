"""Rows in blocks moved near the origin, in columns and targets: residuals and sums of duals have their digits there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array
from ladreg._design import as_design
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.survey import Survey, Units
from ladreg._presolve import typical
from ladreg._problem import ElasticNet
from ladreg._row_blocks import Rows


@dataclass(frozen=True)
class NearOrigin:
    """Rows with columns and targets moved near the origin, as `largest_alpha` and Huber's scale have them in memory.

    An intercept far from zero has too few digits for residuals, and for duals to have a sum of zero; what rounding
    leaves of that sum is multiplied by the distance of each column from the origin in its slope. Targets are less what
    coefficients at rest predict, too.
    """

    shift: Array
    y_shift: float
    rest: Array

    @classmethod
    def of(cls, question: Question, seen: Survey) -> NearOrigin:
        """The moves for the rows of a survey; without an intercept only what coefficients at rest predict."""
        penalty, intercept = question.penalty, question.fit_intercept
        rest = np.where(penalty.strength > 0, penalty.rest, 0.0)
        there = cls(Units.of(seen, None, 0.0, 1.0, intercept).shift, 0.0, rest)
        return replace(there, y_shift=typical(there.rows(seen.sample).y)) if intercept else there

    def rows(self, rows: Rows) -> Rows:
        """Rows of a tile, moved."""
        X: Any = rows.X
        X = X - self.shift if self.shift.any() else X
        y = rows.y - as_design(X).matvec(self.rest) if self.rest.any() else rows.y
        return rows._replace(X=X, y=y - self.y_shift)

    def survey(self, seen: Survey) -> Survey:
        """The survey of the moved rows; the size of a column that is moved is half of its range."""
        low, high = seen.low - self.shift, seen.high - self.shift
        size = np.where(self.shift != 0, high / 2 - low / 2, seen.size)
        return replace(seen, low=low, high=high, size=size, sample=self.rows(seen.sample))

    @staticmethod
    def question(question: Question) -> Question:
        """The question for moved rows without penalised features; features that are not penalised stay free."""
        penalty, held, none = question.penalty, question.penalty.strength > 0, np.zeros(0)
        strength = np.where(held, np.inf, 0.0)
        if not penalty.limited:
            return replace(question, penalty=ElasticNet(strength, penalty.positive))
        lower, upper = np.where(held, -np.inf, penalty.lower), np.where(held, np.inf, penalty.upper)
        return replace(question, penalty=ElasticNet(strength, penalty.positive, none, lower, upper))
