"""What the descents of a lasso problem hand on to each other: the iterate, what is known of it, and counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ladreg._arrays import Array
from ladreg._least_squares.active_set import Support
from ladreg._least_squares.centred import GradientCheck
from ladreg._least_squares.tuning import LeastSquaresTuning

# Counts of the solver in `stats`: fields of `State`.
COUNTS = ("n_epochs", "n_checks", "n_newton", "largest_working_set")


@dataclass
class State:
    """State of the solver: coefficients, the last gradient check of all features, and counts."""

    coef: Array
    look: GradientCheck
    tuning: LeastSquaresTuning
    gap: float = np.inf
    shrink: float = 1.0
    support: Support = field(init=False)
    # Whether the last steps were exact, or cannot be (coordinate descent by residuals).
    exact: bool = False
    # False once a step on a Gram matrix has raised the objective.
    by_gram: bool = True
    # Whether the last Newton step without a Gram matrix descended.
    newton_helps: bool = True
    n_epochs: int = 0
    n_checks: int = 0
    n_newton: int = 0
    largest_working_set: int = 0

    def __post_init__(self) -> None:
        self.support = Support(self.tuning)

    @property
    def used(self) -> int:
        """Epochs plus steps, which the iteration limit counts."""
        return self.n_epochs + self.n_newton
