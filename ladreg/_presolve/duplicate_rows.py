"""Identical rows are one row with the sum of their weights: tables of dummies and integers have few distinct ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._design import DenseDesign
from ladreg._kernels import _hash_groups
from ladreg._presolve.tuning import PresolveTuning
from ladreg._problem import Problem, Settings


@dataclass(frozen=True)
class Merged:
    """A problem of distinct rows; row i of the original, of weight ``weight[i]``, is number ``groups[i]`` of it."""

    problem: Problem
    groups: Index
    weight: Array

    def spread(self, dual: Array) -> Array:
        """The dual of the original rows, which are as far inside their intervals as the distinct ones."""
        return (dual / self.problem.weight)[self.groups] * self.weight


def merged_rows(problem: Problem, settings: Settings) -> Merged | None:
    """The problem with identical rows merged, None where few are.

    Rows are compared by a random combination of their columns. Should two different ones agree in it, the answer is
    not optimal for the original problem, and its certificate says so.
    """
    n_samples, tuning = problem.n_samples, settings.tuned(PresolveTuning)
    number = tuning.twin_sample
    most = (1 - tuning.twins) * number
    if n_samples < 2 * number or not isinstance(problem.design, DenseDesign):
        return None
    sample = np.arange(number) * n_samples // number
    if _distinct(problem.y[sample]) > most:
        return None
    mix = np.random.default_rng(0).standard_normal(problem.n_features + 1)
    if _distinct(_keys(problem.design.take(sample), problem.y[sample], mix)) > most:
        return None
    groups, first = np.empty((2, n_samples), dtype=np.intp)
    count = _hash_groups.group(_keys(problem.design, problem.y, mix), groups, first)
    if count > tuning.distinct * n_samples:
        return None
    first = first[:count]
    weight = np.asarray(np.bincount(groups, weights=problem.weight), dtype=np.float64)
    small = replace(problem, design=problem.design.take(first), y=problem.y[first], weight=weight)
    return Merged(small, groups, problem.weight)


def _keys(design: DenseDesign, y: Array, mix: Array) -> Array:
    return design.matvec(mix[:-1]) + mix[-1] * y


def _distinct(values: Array) -> int:
    return int(np.unique(values).size)
