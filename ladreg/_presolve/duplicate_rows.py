"""Identical rows are one row with the sum of their weights: tables of dummies and integers have few distinct ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._design import DenseDesign
from ladreg._kernels import _hash_groups
from ladreg._problem import Problem

# Rows of the sample that shows whether to compare all rows.
_SAMPLE = 2048
# Compare all rows if at least 2 % of the sample's rows repeat others.
_TWINS = 0.02
# Merge if at most half of the rows are distinct.
_LEFT = 0.5


@dataclass(frozen=True)
class Merged:
    """A problem of distinct rows; row i of the original, of weight ``weight[i]``, is number ``groups[i]`` of it."""

    problem: Problem
    groups: Index
    weight: Array

    def spread(self, dual: Array) -> Array:
        """The dual of the original rows, which are as far inside their intervals as the distinct ones."""
        return (dual / self.problem.weight)[self.groups] * self.weight


def merged_rows(problem: Problem) -> Merged | None:
    """The problem with identical rows merged, None where few are.

    Rows are compared by a random combination of their columns. Should two different ones agree in it, the answer is
    not optimal for the original problem, and its certificate says so.
    """
    n_samples = problem.n_samples
    if n_samples < 2 * _SAMPLE or not isinstance(problem.design, DenseDesign):
        return None
    sample = np.arange(_SAMPLE) * n_samples // _SAMPLE
    if _distinct(problem.y[sample]) > (1 - _TWINS) * _SAMPLE:
        return None
    mix = np.random.default_rng(0).standard_normal(problem.n_features + 1)
    if _distinct(_keys(problem.design.take(sample), problem.y[sample], mix)) > (1 - _TWINS) * _SAMPLE:
        return None
    groups, first = np.empty((2, n_samples), dtype=np.intp)
    count = _hash_groups.group(_keys(problem.design, problem.y, mix), groups, first)
    if count > _LEFT * n_samples:
        return None
    first = first[:count]
    weight = np.asarray(np.bincount(groups, weights=problem.weight), dtype=np.float64)
    small = replace(problem, design=problem.design.take(first), y=problem.y[first], weight=weight)
    return Merged(small, groups, problem.weight)


def _keys(design: DenseDesign, y: Array, mix: Array) -> Array:
    return design.matvec(mix[:-1]) + mix[-1] * y


def _distinct(values: Array) -> int:
    return int(np.unique(values).size)
