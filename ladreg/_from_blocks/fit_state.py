"""Where a fit of absolute, quantile or combined losses to rows in blocks is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ladreg._arrays import Array
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.survey import Survey, Units
from ladreg._problem import ElasticNet, Problem, Settings, Solution
from ladreg._row_blocks import merged, picked

# Rows that estimate the density of residuals at zero: 60 for each column, or one in 64 of all rows.
_PER_COLUMN, _PART = 60, 64
# A tile may bring 64 rows more than eight times its share of the rows that are allowed.
_SHARE, _EXTRA = 8, 64
# Rows that a fit to a sample of m of n rows leaves in doubt: 5 n sqrt(q / m), for q columns.
_SAMPLED = 5.0
# A table whose sample has at most half as many distinct rows as rows is solved as its distinct rows, if they are few.
_REPEATED = 0.5
# The sample is compared as a whole where at most 0.95 of 4096 of its rows are distinct.
_ALIKE, _COMPARED = 0.95, 1 << 12


@dataclass
class FitState:
    """Where a fit is: a point at unit scale, with an intercept last, and the counts so far."""

    question: Question
    settings: Settings
    seen: Survey
    units: Units
    penalty: ElasticNet
    pilot: Problem
    point: Array
    budget: int
    # Rows whose side is in doubt, the last step, the objective before it, and the Hessian, at unit scale.
    doubt: float
    step: Array
    value: float = np.inf
    hessian: Array | None = None
    # Whether the last attempt failed, and the number of rows that it was to gather.
    failed: bool = False
    size: float = 0.0
    # Whether the fit is one of a path, which begins at the largest alpha.
    follows: bool = False
    # Whether rows that are fitted exactly without features were taken to their sides.
    is_split: bool = False
    # Whether rows near the fit were too many, so that means of groups of them are solved.
    has_means: bool = False
    # Distinct rows of all, as far as the sample tells; infinite where it does not.
    n_distinct: float = np.inf
    # The best coefficients so far, and the largest lower bound of the objective.
    best: Solution | None = None
    best_point: Array = field(default_factory=lambda: np.zeros(0))
    # Whether all rows that are fitted exactly are to be gathered, and the last problem of the gathered rows.
    wants_ties: bool = False
    reduced: Problem | None = None
    # The optimum of the last problem of the gathered rows.
    tried: Array = field(default_factory=lambda: np.zeros(0))
    # The point of the last Newton step, where means are of rows near another one.
    refined_point: Array | None = None
    bound: float = -np.inf
    # What moving far targets near took from the objective of the best coefficients, and from the bound; neither is in
    # the numbers above. Whether the last point that was checked is beyond one of these targets.
    beyond: float = 0.0
    beyond_bound: float = 0.0
    has_crossed: bool = False
    is_proved: bool = False
    stats: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        question: Question,
        settings: Settings,
        seen: Survey,
        units: Units,
        pilot: Problem,
        point: Array,
        n_held: int,
    ) -> FitState:
        """At the fit of the sample, the problem `pilot` at unit scale; half of `n_held` rows may be gathered."""
        step, budget = np.zeros(point.size), max(n_held // 2, 1)
        state = cls(question, settings, seen, units, pilot.penalty, pilot, point, budget, doubt=0.0, step=step)
        some = np.arange(min(seen.n_random, _COMPARED))
        if merged(picked(seen.sample, some)).y.size <= _ALIKE * some.size:
            n_distinct = merged(seen.sample).y.size
            state.n_distinct = n_distinct if n_distinct <= _REPEATED * seen.sample.y.size else np.inf
        state.doubt = _SAMPLED * seen.n_rows * float(np.sqrt(state.n_columns / pilot.n_samples))
        state.stats = {"n_refined": 0, "n_failed": 0, "rows_solved": 0, "n_rounds": 0}
        return state

    @property
    def ends(self) -> tuple[float, float]:
        """The slopes of the loss."""
        return self.question.loss.kink()

    @property
    def columns(self) -> slice:
        """The entries of the point that may move."""
        return slice(None) if self.question.fit_intercept else slice(-1)

    @property
    def n_columns(self) -> int:
        """Number of columns of the features that may differ from zero, and the intercept."""
        coef = self.point[:-1]
        costly = (self.penalty.strength > 0) | self.penalty.positive
        return int(np.count_nonzero(~costly | (coef != 0))) + int(self.question.fit_intercept)

    def residual(self) -> Array:
        """Residuals of the random rows of the sample."""
        return self.pilot.residual(self.point[:-1], float(self.point[-1]))[: self.seen.n_random]

    def restore_far_targets(self) -> None:
        """Far targets where they are, in the best objective and the bound as in all sums to come."""
        self.units = replace(self.units, far=None)
        self.bound += self.beyond_bound
        if self.best is not None:
            self.best = replace(self.best, objective=self.best.objective + self.beyond)
        self.value, self.beyond, self.beyond_bound, self.has_crossed = np.inf, 0.0, 0.0, False

    def most(self) -> int:
        """Rows that a tile of 2^14 rows may bring."""
        return int(_SHARE * self.budget / max(self.seen.n_rows / (1 << 14), 1.0)) + _EXTRA

    def radius(self, sizes: Array, count: float) -> float:
        """The size that about `count` of all rows are below, from the sizes in the sample; infinity without any."""
        if sizes.size == 0:
            return np.inf
        ordered = np.sort(sizes)
        place = count * ordered.size / self.seen.n_rows
        least = min(50, ordered.size - 1)
        if place >= least:
            return float(ordered[min(int(place), ordered.size - 1)])
        return float(ordered[least]) * place / max(least, 1)


def window(state: FitState) -> float:
    """A width of residuals within which their density at zero is estimated."""
    count = max(_PER_COLUMN * state.n_columns, state.seen.n_rows // _PART)
    return state.radius(np.abs(state.residual()), count)
