"""Fits to the training rows of folds, and to all rows, in blocks: they share passes and the rows that are held."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeVar

import numpy as np

from ladreg._from_blocks.choose import FEW, has_several_optima, solve_blocks, solve_whole
from ladreg._from_blocks.near_origin import NearOrigin
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.row_folds import Training
from ladreg._from_blocks.sample_problem import Start, n_tied
from ladreg._from_blocks.shared_folds import AROUND, Ended, Member, solve_folds
from ladreg._from_blocks.side_by_side import Request, of_changed_rows, together
from ladreg._from_blocks.survey import SampledFold, Survey
from ladreg._problem import Settings, Solution
from ladreg._row_blocks import Passes, Summary
from ladreg._tolerances import ROUNDING_GAP

_Found = TypeVar("_Found")

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

    Half of `n_held` rows may be gathered for all fits that share a pass. Where `near` is not None, `solved` fits rows
    that are moved near the origin, of which the surveys of the parts are.
    """

    passes: Passes
    parts: list[Part]
    settings: Settings
    n_held: int
    near: NearOrigin | None = None

    @classmethod
    def of(cls, passes: Passes, seen: Survey, folds: Sequence[SampledFold], settings: Settings, n_held: int) -> Self:
        """Fits to all rows, and to the training rows of each fold."""
        parts = [Part(None, seen), *(Part(fold.training, seen.without(fold)) for fold in folds)]
        return cls(passes, parts, settings, n_held)

    def moved(self, near: NearOrigin) -> Self:
        """The same fits of moved rows."""
        return replace(self, parts=[part._replace(seen=near.survey(part.seen)) for part in self.parts], near=near)

    def of_moved(self, fit: Generator[Request, Summary, _Found]) -> Generator[Request, Summary, _Found]:
        """A fit whose rows are moved, where they are."""
        return fit if self.near is None else of_changed_rows(self.near.rows, fit)

    @property
    def goal(self) -> float:
        """The largest relative gap that is accepted."""
        return max(self.settings.tol, ROUNDING_GAP)

    @property
    def n_columns(self) -> int:
        """Number of features, and one."""
        return self.parts[0].seen.n_features + 1

    def solved(self, asked: Sequence[Asked]) -> list[Solution]:
        """Solve questions, and those that are not proved again, with more rows for each.

        Of at most 2,000 rows of which Huber's loss has several optima, the one in memory is taken.
        """
        if not asked:
            return []
        most = self.n_held // (2 * max(_FEWEST, _PER_COLUMN * self._n_used(asked)))
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
        for k, one in enumerate(asked):
            part = self.parts[one.part]
            if has_several_optima(one.question, found[k]) and not part.seen.is_complete and part.seen.n_rows <= FEW:
                whole = self.of_moved(solve_whole(one.question, self.settings, found[k]))
                found[k] = together(self.passes, [whole], [part.training])[0]
        return found

    def is_shared(self, asked: Sequence[Asked]) -> bool:
        """Whether the fits at one alpha, which come one part after the other, share what they ask of the rows."""
        question = asked[0].question
        is_plain = question.loss.is_piecewise_linear and question.penalty.is_plain
        return is_plain and len(self.parts) > 1 and not any(part.seen.is_complete for part in self.parts)

    def near_all_rows(self, asked: Sequence[Asked]) -> list[Solution]:
        """Solve all parts at each alpha by passes that they share, and those that are not proved on their own."""
        number = len(self.parts)
        rows = [asked[k : k + number] for k in range(0, len(asked), number)]
        needed = np.array([self._needed(row) for row in rows])
        ended: list[Ended] = []
        group_of = np.floor(np.cumsum(needed) * 2 / self.n_held)
        for group in (np.flatnonzero(group_of == k) for k in np.unique(group_of)):
            share = self.n_held / needed[group].sum()
            fits = [self._of_one_alpha(rows[k], int(share * needed[k])) for k in group]
            ended += [one for found in together(self.passes, fits) for one in found]
        found = [solution for solution, _ in ended]
        left = [k for k, one in enumerate(found) if one is None or not one.relative_gap <= self.goal]
        again = []
        for k in left:
            start = asked[k].start
            again.append(asked[k]._replace(start=start and Start(start.sampled, ended[k][1])))
        for k, solution in zip(left, self.solved(again), strict=True):
            best = found[k]
            found[k] = solution if best is None or solution.gap <= best.gap else best
        return [one for one in found if one is not None]

    def _of_one_alpha(self, asked: Sequence[Asked], n_held: int) -> Generator[Request, Summary, list[Ended]]:
        """The fits to all parts at one alpha."""
        starts = [one.start for one in asked if one.start is not None]
        members = [
            Member(part.training, part.seen, start.coefficients) for part, start in zip(self.parts, starts, strict=True)
        ]
        return solve_folds(asked[0].question, self.settings, members, n_held, starts[0])

    def _needed(self, asked: Sequence[Asked]) -> float:
        """The rows near the fits to all parts at one alpha: those near each, and between the fits and that to all rows;
        and those that the fit of the sample fits exactly.

        The predictions of a fit to n rows have a variance of ``q / (4 n f^2)`` for q columns and a density f of
        residuals at zero.
        """
        n_used, (whole, *others) = self._n_used(asked), (part.seen for part in self.parts)
        apart = max(whole.mass / seen.mass - 1.0 for seen in others)
        tied = n_tied(asked[0].start, whole) if asked[0].start is not None else 0.0
        doubtful = AROUND * float(np.sqrt(n_used * whole.n_rows * apart))
        return max(_FEWEST, _PER_COLUMN * n_used) + doubtful + min(tied, self.n_held / 2)

    def _n_used(self, asked: Sequence[Asked]) -> int:
        """The columns of the fits of the sample, or all."""
        starts = [one.start.coefficients.coef for one in asked if one.start is not None]
        return max((int(np.count_nonzero(coef)) for coef in starts), default=self.n_columns) + 1

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
            more = {"is_pilot": True, "is_first": size > 1}
            fits = [
                self.of_moved(
                    solve_blocks(one.question, self.settings, self.parts[one.part].seen, n_held, one.start, **more)
                )
                for one in chosen
            ]
            found += together(self.passes, fits, [self.parts[one.part].training for one in chosen])
        return found
