"""Estimators that choose alpha by the losses of held-out rows, and data in blocks: the folds in one survey."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ladreg._arrays import Array, Index
from ladreg._estimators.base import CertifiedRegressor
from ladreg._estimators.in_blocks import BlockData, names_of, splits_of
from ladreg._estimators.validation import Data
from ladreg._from_blocks import BlockFolds, ColumnFolds, PartFits, Question, RowFolds, SampledFold, survey_folds
from ladreg._problem import Problem, Settings, Solution
from ladreg._row_blocks import Passes
from ladreg._solvers import largest_alpha


@dataclass(frozen=True)
class FoldedData:
    """Data in blocks after a pass: the sample as `Data`, and the folds.

    Where the sample is not all rows there are fits of the folds, and the problem at alpha = 1, as that of the sample.
    """

    given: BlockData
    folds: list[SampledFold]
    fits: BlockFolds | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, passes: Passes, n_held: int, folds: RowFolds | ColumnFolds, least: int) -> FoldedData:
        """The survey of data in blocks and their folds, in one pass."""
        names = names_of(passes)
        seen, sampled = survey_folds(passes, n_held, names, folds, least)
        return cls(BlockData.of(passes, seen, names, n_held), sampled)

    def with_fits(self, model: CertifiedRegressor, mixing: float) -> FoldedData:
        """The same with fits of the folds by a plain estimator with alpha = 1, unless the sample is all rows."""
        given = self.given
        if given.seen.is_complete:
            return self
        fits = PartFits.of(given.passes, given.seen, self.folds, model._settings(), given.n_held)
        problems = model._part_problems(fits, self.data)
        questions = [Question.like(problem) for problem in problems]
        return replace(self, fits=BlockFolds(fits, self.folds, questions, mixing=mixing), problem=problems[0])

    @property
    def splits(self) -> list[tuple[Index, Index]]:
        """The training and held-out rows of the sample in each fold."""
        return splits_of(self.data.weight.size, (fold.rows for fold in self.folds))

    @property
    def data(self) -> Data:
        """The sample."""
        return self.given.sample

    @property
    def original(self) -> Data:
        """The sample, whose columns are where they are."""
        return self.given.sample

    @property
    def passes(self) -> Passes:
        """The passes so far."""
        return self.given.passes

    def largest_alpha(self, problem: Problem) -> float:
        """The largest useful alpha of all rows; `problem` is that of the sample."""
        return largest_alpha(problem) if self.fits is None else self.fits.largest_alpha()

    def original_problem(self, problem: Problem) -> Problem:
        """A problem of the sample, which is in the user's units."""
        return problem

    def intercepts(self, problem: Problem, coefs: Array, intercepts: Array) -> Array:  # noqa: ARG002 - for moments
        """Intercepts in the user's units, which they are in."""
        return intercepts

    def certified(self, problem: Problem, solution: Solution, settings: Settings) -> Solution:  # noqa: ARG002 - likewise
        """The solution, which is proved."""
        return solution

    def name_features(self, estimator: Any) -> None:
        """Set what `validate_data` sets."""
        self.given.name_features(estimator)
