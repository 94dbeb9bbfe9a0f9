"""Cross-validation of a path from rows in blocks: fits of all folds at several alphas share passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ladreg._arrays import Array
from ladreg._from_blocks.choose import largest_alpha_of_blocks
from ladreg._from_blocks.part_fits import Asked, PartFits
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.row_folds import ColumnFolds, RowFolds
from ladreg._from_blocks.sample_problem import SampleProblem, Start
from ladreg._from_blocks.side_by_side import together
from ladreg._from_blocks.survey import SampledFold
from ladreg._paths import Miss, Path, losses_of, solve_path
from ladreg._problem import Coefficients, ElasticNet, Problem, Settings, Solution, Solver, StopReason
from ladreg._row_blocks import Place, Rows, Summary, picked


@dataclass
class _Fits:
    """The fits to one part at the alphas so far: solutions, and coefficients after a refit to their features."""

    solutions: list[Solution]
    final: list[Coefficients]


class BlockFolds:
    """Cross-validation of a path with any loss, from rows in blocks.

    Parameters
    ----------
    fits
        All rows, and the training rows of each fold.
    folds
        With their rows in the sample.
    questions
        The loss of each part, and the penalty at alpha = 1, which is the same for all. Held-out losses of all folds are
        those of the first, whatever is estimated from training rows.
    mixing
        Share of the penalised fit in a relaxed one; the rest is the fit without penalty to its features.

    Notes
    -----
    1. The fits of the sample along the path, of each fold and of all rows, are where the fits to all rows begin.
    2. Each fit asks for passes as if it were the only one; fits share them. They share the rows that may be gathered as
       well: with fewer rows for each, more Newton steps are taken before. What would leave fewer than 100 rows, or 10 a
       column, for each is fitted one group of alphas after the other. What is not proved is fitted again with more.
    3. Fits of a plain lasso with a piecewise linear loss share the sums over rows at each alpha, too (`shared_folds`).
    4. One more pass sums up the losses of held-out rows.
    """

    def __init__(
        self,
        fits: PartFits,
        folds: Sequence[SampledFold],
        questions: Sequence[Question],
        *,
        mixing: float,
    ) -> None:
        self.fits, self.folds, self.questions, self.mixing = fits, folds, questions, mixing
        self.number = len(folds)
        self.alphas = np.zeros(0)
        self._sampled = [SampleProblem.of(one, part.seen) for one, part in zip(questions, fits.parts, strict=True)]
        self._fits = [_Fits([], []) for _ in fits.parts]
        self._refits: list[Solution] = []
        self._losses = np.zeros((len(folds), 0))

    def largest_alpha(self) -> float:
        """The largest useful alpha of all rows."""
        seen, fits = self.fits.parts[0].seen, self.fits
        asked = largest_alpha_of_blocks(self.questions[0], fits.settings, seen, fits.n_held)
        return together(fits.passes, [asked])[0]

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
    def missed(self) -> list[Miss]:
        """The fits to training rows, and refits to their features, whose relative gap misses the tolerance."""
        fitted = [one for fits in self._fits[1:] for one in fits.solutions]
        missed = [one for one in [*fitted, *self._refits] if not one.relative_gap <= self.fits.goal]
        return [Miss(one.relative_gap, StopReason.TOO_MANY_ROWS) for one in missed]

    def solver_at(self, path: Path, k: int) -> Solver:  # noqa: ARG002 - that of all rows
        """The solver of the k-th problem of the path of all rows, whose solution is proved."""
        return partial(_known, found=self._fits[0].solutions[k])

    def final(self, k: int) -> Coefficients:
        """The coefficients of all rows at the k-th alpha, after the refit to their features if there is one."""
        return self._fits[0].final[k]

    def _fit(self, alphas: Array) -> None:
        """Fit all parts at these alphas, and store the fits."""
        paths = [solve_path(sampled.whole, alphas, self.fits.settings) for sampled in self._sampled]
        asked = [
            Asked(part, alpha, question.times(alpha), Start(self._sampled[part], path.at(k)))
            for k, alpha in enumerate(alphas.tolist())
            for part, (question, path) in enumerate(zip(self.questions, paths, strict=True))
        ]
        found = self.fits.near_all_rows(asked) if self.fits.is_shared(asked) else self.fits.solved(asked)
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
            refits[key] = Asked(key[0], 0.0, self.questions[key[0]].released(solution.coef != 0), None)
        solved = dict(zip(refits, self.fits.solved(list(refits.values())), strict=True))
        self._refits += [found for (part, _), found in solved.items() if part]
        mixed = []
        for key, solution in zip(keys, found, strict=True):
            coef = self.mixing * solution.coef + (1 - self.mixing) * solved[key].coef
            intercept = self.mixing * solution.intercept + (1 - self.mixing) * solved[key].intercept
            mixed.append(Coefficients(self.questions[0].penalty.within(coef), intercept))
        return mixed

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
        mass = {fold.training.fold: fold.mass for fold in self.folds}
        seen = self.fits.passes.total("score", _losses, self.questions[0], self.folds[0].training.folds, fitted, mass)
        return np.array([seen.sums[f"{fold.training.fold}"] for fold in self.folds])


def _known(
    problem: Problem,  # noqa: ARG001
    settings: Settings,  # noqa: ARG001
    start: Coefficients | None = None,  # noqa: ARG001
    *,
    found: Solution,
) -> Solution:
    """A solution that is known."""
    return found


def _losses(
    place: Place,
    rows: Rows,
    question: Question,
    folds: RowFolds | ColumnFolds,
    fitted: dict[float, tuple[Array, Array]],
    mass: dict[float, float],
) -> Summary:
    """What the rows of a tile add to the mean losses of folds with these weights, for several fits to each."""
    sums = {}
    for fold, chosen in folds.split(place, rows):
        held = picked(rows, np.arange(rows.y.size)[chosen])
        if held.weight is not None and held.weight.any():
            sums[f"{fold}"] = losses_of(question.of(held), *fitted[fold]) * (held.weight.sum() / mass[fold])
    return Summary(sums=sums)
