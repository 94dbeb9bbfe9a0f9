"""The sample of rows in blocks as a problem, in the user's units and at unit scale; where a fit to all rows begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from ladreg._from_blocks.question import Question
from ladreg._from_blocks.survey import Survey, Units
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, Problem
from ladreg._tolerances import PINNED


@dataclass(frozen=True)
class SampleProblem:
    """The problem of the sampled rows: `whole` in the user's units, `pilot` at unit scale.

    Questions that differ in the strength of their penalties alone share it.
    """

    whole: Problem
    units: Units
    pilot: Problem

    @classmethod
    def of(cls, question: Question, seen: Survey) -> Self:
        """The problem that a question asks of the sample."""
        finite = np.isfinite(question.penalty.strength)
        kept = None if finite.all() else np.flatnonzero(finite)
        whole = question.of(seen.sample)
        _, scaling = scaled(whole)
        units = Units.of(seen, kept, scaling.y_shift, scaling.unit, question.fit_intercept)
        penalty = units.penalty(question.penalty)
        pilot = replace(whole, design=units.design(seen.sample), y=units.target(whole.y), penalty=penalty)
        return cls(whole, units, pilot)


class Start(NamedTuple):
    """The problem of the sample, and its solution in the user's units."""

    sampled: SampleProblem
    coefficients: Coefficients


def n_tied(start: Start, seen: Survey) -> float:
    """The rows that the solution of the sample fits exactly, of all rows, as far as the sample tells."""
    pilot, point = start.sampled.pilot, start.sampled.units.to_scaled(start.coefficients)
    residual = pilot.residual(*point)[: seen.n_random]
    return float(np.mean(np.abs(residual) <= PINNED)) * seen.n_rows
