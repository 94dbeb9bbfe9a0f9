"""What is asked of rows in blocks: a loss and a penalty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._design import as_design
from ladreg._problem import ElasticNet, Loss, Problem
from ladreg._row_blocks import Rows


@dataclass(frozen=True)
class Question:
    """What is to be minimised over the rows of blocks, in the user's units; as `Problem`, but for the rows."""

    loss: Loss
    penalty: ElasticNet
    fit_intercept: bool

    @classmethod
    def like(cls, problem: Problem) -> Question:
        """The question that a problem of some of the rows asks."""
        return cls(problem.loss, problem.penalty, problem.fit_intercept)

    def times(self, alpha: float) -> Question:
        """The question with `alpha` times the penalty."""
        return replace(self, penalty=self.penalty.times(alpha))

    def released(self, chosen: NDArray[np.bool_]) -> Question:
        """The question without a penalty on the chosen features, and without all others."""
        return replace(self, penalty=self.penalty.released(chosen))

    def of(self, rows: Rows) -> Problem:
        """The problem of rows in memory."""
        weight = np.ones(rows.y.size) if rows.weight is None else rows.weight
        weight = weight / weight.max()
        return Problem(as_design(rows.X), rows.y, weight / weight.sum(), self.loss, self.penalty, self.fit_intercept)
