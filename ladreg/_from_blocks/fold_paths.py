"""Cross-validation of a path from rows in blocks: fits of all folds at several alphas share passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ladreg._arrays import Array
from ladreg._from_blocks.choose import solve_blocks
from ladreg._from_blocks.piecewise import largest_alpha_of_blocks
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.row_folds import ColumnFolds, RowFolds, Training
from ladreg._from_blocks.sample_problem import SampleProblem, Start
from ladreg._from_blocks.side_by_side import together
from ladreg._from_blocks.survey import SampledFold, Survey
from ladreg._paths import Path, losses_of, solve_path
from ladreg._problem import Coefficients, ElasticNet, Problem, Settings, Solution, Solver
from ladreg._row_blocks import Passes, Place, Rows, Summary, picked
from ladreg._tolerances import ROUNDING_GAP

# A fit may gather at least 100 rows, and 10 for each column: as many fits share passes as these rows allow.
_FEWEST, _PER_COLUMN = 100, 10
# A fit that is not proved may gather eight times the rows in the next attempt.
_MORE = 8


class Part(NamedTuple):
    """Rows that are fitted: the training rows of a fold, or all rows (None), with their survey."""

    training: Training | None
    seen: Survey


@dataclass
class _Fits:
    """The fits to one part at the alphas so far: solutions, and coefficients after a refit to their features."""

    solutions: list[Solution]
    final: list[Coefficients]


class BlockFolds:
    """Cross-validation of a path with any loss, from rows in blocks.

    Parameters
    ----------
    passes, seen, folds
        The rows, their survey, and the folds with their rows in the sample.
    question
        The loss, and the penalty at alpha = 1.
    settings
        As for data in memory.
    n_held
        Rows of the sample; half as many may be gathered for all fits that share a pass.
    mixing
        Share of the penalised fit in a relaxed one; the rest is the fit without penalty to its features.

    Notes
    -----
    1. The fits of the sample along the path, of each fold and of all rows, are where the fits to all rows begin.
    2. Each fit asks for passes as if it were the only one; fits share them. They share the rows that may be gathered as
       well: with fewer rows for each, more Newton steps are taken before. What would leave fewer than 100 rows, or 10 a
       column, for each is fitted one group of alphas after the other. What is not proved is fitted again with more.
    3. One more pass sums up the losses of held-out rows.
    """

    def __init__(
        self,
        passes: Passes,
        seen: Survey,
        folds: Sequence[SampledFold],
        question: Question,
        settings: Settings,
        n_held: int,
        *,
        mixing: float,
    ) -> None:
        self.passes, self.folds, self.settings, self.n_held, self.mixing = passes, folds, settings, n_held, mixing
        self.question, self.number = question, len(folds)
        self.alphas = np.zeros(0)
        self._parts = [Part(None, seen), *(Part(fold.training, seen.without(fold)) for fold in folds)]
        self._n_columns = seen.n_features + 1
        self._sampled = [SampleProblem.of(question, part.seen) for part in self._parts]
        self._fits = [_Fits([], []) for _ in self._parts]
        self._losses = np.zeros((len(folds), 0))

    def largest_alpha(self) -> float:
        """The largest useful alpha of all rows."""
        seen = self._parts[0].seen
        (found,) = together(self.passes, [largest_alpha_of_blocks(self.question, self.settings, seen, self.n_held)])
        return found

    def follow(self, alphas: Array) -> Path:
        """The path of all rows; folds are fitted at the same alphas. They are decreasing, and begin with known ones."""
        new = alphas[self.alphas.size :]
        if new.size:
            self._fit(new)
            self._losses = np.column_stack([self._losses, self._held_out(new.size)])
            self.alphas = alphas
        path = Path.empty(self._sampled[0].whole, alphas)
        for k in range(alphas.size):
            path.put(k, self._fits[0].solutions[k])
        return path

    def path(self, problem: Problem, alphas: Array, most: int | None = None, keep: int | None = None) -> Path:  # noqa: ARG002
        """The path of all rows, as `follow`; it ends before the first solution with more than `most` features."""
        return self.follow(alphas).within(most)

    def losses(self, fold: int, alphas: Array, unit: ElasticNet) -> Array:  # noqa: ARG002 - the penalty of all folds
        """Mean losses of the held-out rows of a fold at some of the alphas that are known."""
        return self._losses[fold, np.isin(self.alphas, alphas)]

    def constant(self, fold: int) -> float:  # noqa: ARG002
        """What `losses` leave out: nothing."""
        return 0.0

    @property
    def unproved(self) -> Array:
        """The relative gaps of the fits to training rows that miss the tolerance."""
        gaps = np.array([one.relative_gap for fits in self._fits[1:] for one in fits.solutions])
        return gaps[~(gaps <= self._goal)]

    @property
    def _goal(self) -> float:
        return max(self.settings.tol, ROUNDING_GAP)

    def solver_at(self, path: Path, k: int) -> Solver:  # noqa: ARG002 - that of all rows
        """The solver of the k-th problem of the path of all rows, whose solution is proved."""
        return partial(_known, found=self._fits[0].solutions[k])

    def final(self, k: int) -> Coefficients:
        """The coefficients of all rows at the k-th alpha, after the refit to their features if there is one."""
        return self._fits[0].final[k]

    def _fit(self, alphas: Array) -> None:
        """Fit all parts at these alphas, and store the fits."""
        paths = [solve_path(sampled.whole, alphas, self.settings) for sampled in self._sampled]
        asked = [
            Asked(part, alpha, self.question.penalty.times(alpha), Start(self._sampled[part], path.at(k)))
            for k, alpha in enumerate(alphas.tolist())
            for part, path in enumerate(paths)
        ]
        found = self._solved(asked)
        for one, solution in zip(asked, found, strict=True):
            self._fits[one.part].solutions.append(solution)
        for one, final in zip(asked, self._relaxed(asked, found), strict=True):
            self._fits[one.part].final.append(final)

    def _relaxed(self, asked: Sequence[Asked], found: Sequence[Solution]) -> list[Coefficients]:
        """The coefficients of fits, mixed with those of the fits without penalty to the same features."""
        if self.mixing == 1.0:
            return [solution.coefficients for solution in found]
        refits: dict[tuple[int, bytes], Asked] = {}
        keys = [(one.part, (solution.coef != 0).tobytes()) for one, solution in zip(asked, found, strict=True)]
        for key, solution in zip(keys, found, strict=True):
            refits[key] = Asked(key[0], 0.0, self.question.penalty.released(solution.coef != 0), None)
        solved = dict(zip(refits, self._solved(list(refits.values())), strict=True))
        mixed = []
        for key, solution in zip(keys, found, strict=True):
            coef = self.mixing * solution.coef + (1 - self.mixing) * solved[key].coef
            intercept = self.mixing * solution.intercept + (1 - self.mixing) * solved[key].intercept
            mixed.append(Coefficients(self.question.penalty.within(coef), intercept))
        return mixed

    def _solved(self, asked: Sequence[Asked]) -> list[Solution]:
        """Solve questions, and those that are not proved again, with more rows for each."""
        starts = [one.start.coefficients.coef for one in asked if one.start is not None]
        n_used = max((int(np.count_nonzero(coef)) for coef in starts), default=self._n_columns) + 1
        most = self.n_held // (2 * max(_FEWEST, _PER_COLUMN * n_used))
        size = max(min(most, self.n_held // self._n_columns, len(asked)), 1)
        found = self._in_groups(asked, size)
        while size > 1:
            left = [k for k, solution in enumerate(found) if not solution.relative_gap <= self._goal]
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
            if one.start is not None and other.alpha == one.alpha and solution.relative_gap <= self._goal:
                return one._replace(start=Start(one.start.sampled, solution.coefficients))
        return one

    def _in_groups(self, asked: Sequence[Asked], size: int) -> list[Solution]:
        """Solve questions side by side, at most `size` of them at a time."""
        found: list[Solution] = []
        for group in np.array_split(np.arange(len(asked)), -(-len(asked) // size)):
            n_held, chosen = self.n_held // group.size, [asked[k] for k in group]
            fits = [
                solve_blocks(
                    replace(self.question, penalty=one.penalty),
                    self.settings,
                    self._parts[one.part].seen,
                    n_held,
                    one.start,
                    is_pilot=True,
                )
                for one in chosen
            ]
            found += together(self.passes, fits, [self._parts[one.part].training for one in chosen])
        return found

    def _held_out(self, number: int) -> Array:
        """Mean losses of the held-out rows of each fold at the last alphas, a row for each fold."""
        finals = [fits.final[-number:] for fits in self._fits[1:]]
        fitted = {
            fold.training.fold: (
                np.column_stack([one.coef for one in final]),
                np.array([one.intercept for one in final]),
            )
            for fold, final in zip(self.folds, finals, strict=True)
        }
        seen = self.passes.total("score", _losses, self.question, self.folds[0].training.folds, fitted)
        return np.array([seen.sums[f"{fold.training.fold}"] / fold.mass for fold in self.folds])


def _known(
    problem: Problem,  # noqa: ARG001
    settings: Settings,  # noqa: ARG001
    start: Coefficients | None = None,  # noqa: ARG001
    *,
    found: Solution,
) -> Solution:
    """A solution that is known."""
    return found


class Asked(NamedTuple):
    """A question: which part it is about, its alpha and penalty, and where it begins (None: the sample's fit)."""

    part: int
    alpha: float
    penalty: ElasticNet
    start: Start | None


def _losses(
    place: Place,
    rows: Rows,
    question: Question,
    folds: RowFolds | ColumnFolds,
    fitted: dict[float, tuple[Array, Array]],
) -> Summary:
    """Weighted sums of the losses of a tile, for several fits to the training rows of each fold."""
    sums = {}
    for fold, chosen in folds.split(place, rows):
        held = picked(rows, np.arange(rows.y.size)[chosen])
        if held.weight is not None and held.weight.any():
            sums[f"{fold}"] = losses_of(question.of(held), *fitted[fold]) * held.weight.sum()
    return Summary(sums=sums)
