"""The scale of the errors for Huber's loss, estimated from rows in blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ladreg._estimators.huber_scale import (
    corrected,
    estimated_scale,
    has_few_rows,
    is_nothing,
    least_scale,
    n_fitted_rows,
    without_penalty,
)
from ladreg._from_blocks import (
    FEW,
    Asked,
    Distance,
    NearOrigin,
    PartFits,
    Question,
    all_rows,
    n_distinct_rows,
    selected,
    together,
)
from ladreg._presolve import scaled
from ladreg._problem import Absolute, ElasticNet, Problem, Solution, StopReason
from ladreg._tolerances import PROVED_GAP


class BlockScale(NamedTuple):
    """A scale, the relative gap of the fit by absolute values that it comes from, and what a larger one comes from."""

    scale: float
    relative_gap: float
    stopped: StopReason = StopReason.TOO_MANY_ROWS


class _Pilot(NamedTuple):
    """A fit by absolute values, the median of its residuals' sizes, and the number of distinct rows."""

    found: Solution
    median: float
    n_distinct: float

    @property
    def is_only(self) -> bool:
        """Whether no other fit by absolute values is as good, and none is better."""
        return bool(self.found.unique) and self.found.relative_gap <= PROVED_GAP


def scales_of_blocks(fits: PartFits, problem: Problem) -> list[BlockScale]:
    """What `estimated_scale` finds for each part of the rows, of all of which `problem` has the sample.

    It takes the passes of a fit by absolute values, and one or two more for the median of the residuals, which all
    parts share; columns and targets are moved near the origin, so that residuals have their digits. The number of
    distinct rows is estimated where there are more than 16,384 of them and some are there twice. Of at most 2,000 rows
    whose fit is not proved to be the only one, all come to memory: another fit has other residuals.
    """
    parts = fits.parts
    if len(parts) == 1 and parts[0].seen.is_complete:
        scale, _, gap = estimated_scale(problem, fits.settings)
        return [BlockScale(scale, gap, StopReason.STALLED)]
    fits = replace(fits, settings=replace(fits.settings, max_iter=None))
    question = Question.like(without_penalty(problem))
    near = NearOrigin.of(question, parts[0].seen)
    fits, question = fits.moved(near), near.question(question)
    twins = [scaled(question.of(part.seen.present)) for part in fits.parts]
    pilots = _fitted(fits, dict.fromkeys(range(len(parts)), question))
    few = [k for k, (twin, _) in enumerate(twins) if has_few_rows(twin, pilots[k].n_distinct)]
    constant = _fitted(fits, dict.fromkeys(few, replace(question, penalty=_all_at_rest(question.penalty))))
    scales = []
    doubtful = [k for k, pilot in pilots.items() if not pilot.is_only and parts[k].seen.n_rows <= FEW]
    whole = _in_memory(fits, dict.fromkeys(doubtful, Question.like(problem)))
    for k, (twin, units) in enumerate(twins):
        if k in whole:
            scales.append(whole[k])
            continue
        found, median, n_distinct = constant.get(k, pilots[k])
        coef, intercept = units.to_scaled(*found.coefficients)
        if is_nothing(twin, coef, intercept, median / units.unit):
            scale = units.unit * least_scale(twin)
        else:
            n_fitted = 1 if k in constant else n_fitted_rows(twin, coef, found.unique)
            scale = corrected(median, n_fitted, n_distinct)
        scales.append(BlockScale(scale, found.relative_gap))
    return scales


def _fitted(fits: PartFits, questions: dict[int, Question]) -> dict[int, _Pilot]:
    """The answers to questions by absolute values, one for each of some parts."""
    if not questions:
        return {}
    found = fits.solved([Asked(part, 0.0, question, None) for part, question in questions.items()])
    parts, n_held = [fits.parts[part] for part in questions], fits.n_held // len(questions)
    asked: list[Any] = []
    for part, solution in zip(parts, found, strict=True):
        half = 0.5 * part.seen.mass
        near = selected(part.seen, Distance(solution.coefficients), half, half, n_held)
        asked += [fits.of_moved(near), n_distinct_rows(part.seen)]
    answers = together(fits.passes, asked, [part.training for part in parts for _ in range(2)])
    return {
        part: _Pilot(solution, Absolute().location(near.values, near.weight), n_distinct)
        for part, solution, near, n_distinct in zip(questions, found, answers[::2], answers[1::2], strict=True)
    }


def _in_memory(fits: PartFits, questions: dict[int, Question]) -> dict[int, BlockScale]:
    """The scales of some parts, each of few rows, from all their rows."""
    training = [fits.parts[part].training for part in questions]
    rows = together(fits.passes, [all_rows() for _ in questions], training)
    found = {
        part: estimated_scale(question.of(some), fits.settings)
        for (part, question), some in zip(questions.items(), rows, strict=True)
    }
    return {part: BlockScale(scale, gap, StopReason.STALLED) for part, (scale, _, gap) in found.items()}


def _all_at_rest(penalty: ElasticNet) -> ElasticNet:
    """A penalty that leaves every coefficient at rest."""
    rest, none = penalty.rest, np.zeros(0)
    return ElasticNet(np.zeros(rest.size), False, none, rest, rest) if rest.any() else ElasticNet(rest + np.inf)
