"""Which method fits a question to rows in blocks, by its loss."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from ladreg._from_blocks.huber import judged_huber, solve_huber_blocks
from ladreg._from_blocks.piecewise import judged_piecewise, solve_piecewise_blocks
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey
from ladreg._presolve import scaled
from ladreg._problem import Absolute, Coefficients, Huber, Settings, Solution
from ladreg._row_blocks import Summary


def solve_blocks(
    question: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, Solution]:
    """Solve a question over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Absolute`, `Pinball` or `Huber`; any penalty.
    settings
        As for data in memory.
    seen
        The survey of the same rows.
    n_held
        Rows of the sample; half as many may be gathered.
    """
    question, factor = _without_rounding(question, seen)
    if isinstance(question.loss, Huber):
        return (yield from solve_huber_blocks(question, settings, seen))
    found = yield from solve_piecewise_blocks(question, settings, seen, n_held)
    return _times(found, factor)


def judged(
    question: Question, seen: Survey, given: Coefficients, best: Solution
) -> Generator[Request, Summary, Solution]:
    """Given coefficients with their proof, or the lower bound that was proved with the best ones, in one pass."""
    question, factor = _without_rounding(question, seen)
    if isinstance(question.loss, Huber):
        return (yield from judged_huber(question, seen, given, best))
    found = yield from judged_piecewise(question, seen, given, _times(best, 1.0 / factor))
    return _times(found, factor)


def _without_rounding(question: Question, seen: Survey) -> tuple[Question, float]:
    """The question with a kink where Huber's curved piece is lost in rounding, and the factor of its objective."""
    if not isinstance(question.loss, Huber) or not scaled(question.of(seen.sample))[0].loss.has_kink:
        return question, 1.0
    factor = question.loss.stiffness * question.loss.delta
    penalty = question.penalty.rescaled(np.ones_like(question.penalty.strength), factor)
    return replace(question, loss=Absolute(), penalty=penalty), factor


def _times(solution: Solution, factor: float) -> Solution:
    if factor == 1.0:
        return solution
    return replace(solution, objective=solution.objective * factor, gap=solution.gap * factor)
