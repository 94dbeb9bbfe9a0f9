"""Fits to the training rows of folds, and to all rows, in blocks: they share passes and the rows that are held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from ladreg._from_blocks.choose import solve_blocks
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.row_folds import Training
from ladreg._from_blocks.sample_problem import Start
from ladreg._from_blocks.side_by_side import together
from ladreg._from_blocks.survey import SampledFold, Survey
from ladreg._problem import Settings, Solution
from ladreg._row_blocks import Passes
from ladreg._tolerances import ROUNDING_GAP

# A fit may gather at least 100 rows, and 10 for each column: as many fits share passes as these rows allow.
_FEWEST, _PER_COLUMN = 100, 10
# A fit that is not proved may gather eight times the rows in the next attempt.
_MORE = 8


class Part(NamedTuple):
    """Rows that are fitted: the training rows of a fold, or all rows (None), with their survey."""

    training: Training | None
    seen: Survey


class Asked(NamedTuple):
    """A question: which part it is about, its alpha, and where it begins (None: the sample's fit)."""

    part: int
    alpha: float
    question: Question
    start: Start | None


@dataclass(frozen=True)
class PartFits:
    """Fits to several parts of the same rows, all of them first.

    Half of `n_held` rows may be gathered for all fits that share a pass.
    """

    passes: Passes
    parts: list[Part]
    settings: Settings
    n_held: int

    @classmethod
    def of(cls, passes: Passes, seen: Survey, folds: Sequence[SampledFold], settings: Settings, n_held: int) -> Self:
        """Fits to all rows, and to the training rows of each fold."""
        parts = [Part(None, seen), *(Part(fold.training, seen.without(fold)) for fold in folds)]
        return cls(passes, parts, settings, n_held)

    @property
    def goal(self) -> float:
        """The largest relative gap that is accepted."""
        return max(self.settings.tol, ROUNDING_GAP)

    @property
    def n_columns(self) -> int:
        """Number of features, and one."""
        return self.parts[0].seen.n_features + 1

    def solved(self, asked: Sequence[Asked]) -> list[Solution]:
        """Solve questions, and those that are not proved again, with more rows for each."""
        starts = [one.start.coefficients.coef for one in asked if one.start is not None]
        n_used = max((int(np.count_nonzero(coef)) for coef in starts), default=self.n_columns) + 1
        most = self.n_held // (2 * max(_FEWEST, _PER_COLUMN * n_used))
        size = max(min(most, self.n_held // self.n_columns, len(asked)), 1)
        found = self._in_groups(asked, size)
        while size > 1:
            left = [k for k, solution in enumerate(found) if not solution.relative_gap <= self.goal]
            if not left:
                break
            size = max(min(size // _MORE, len(left)), 1)
            again = [self._from_neighbour(asked[k], asked, found) for k in left]
            for k, solution in zip(left, self._in_groups(again, size), strict=True):
                found[k] = solution if solution.gap <= found[k].gap else found[k]
        return found

    def _from_neighbour(self, one: Asked, asked: Sequence[Asked], found: Sequence[Solution]) -> Asked:
        """A question that begins at the proved fit of other rows at the same alpha, if there is one."""
        for other, solution in zip(asked, found, strict=True):
            if one.start is not None and other.alpha == one.alpha and solution.relative_gap <= self.goal:
                return one._replace(start=Start(one.start.sampled, solution.coefficients))
        return one

    def _in_groups(self, asked: Sequence[Asked], size: int) -> list[Solution]:
        """Solve questions side by side, at most `size` of them at a time."""
        found: list[Solution] = []
        for group in np.array_split(np.arange(len(asked)), -(-len(asked) // size)):
            n_held, chosen = self.n_held // group.size, [asked[k] for k in group]
            fits = [
                solve_blocks(one.question, self.settings, self.parts[one.part].seen, n_held, one.start, is_pilot=True)
                for one in chosen
            ]
            found += together(self.passes, fits, [self.parts[one.part].training for one in chosen])
        return found
