"""The free columns of a problem, independent of each other: on them weak duality holds up to rounding.

Weak duality asks of a free column that its product with the dual is zero. Rounding leaves 1e-16 of the sizes of its
terms, which costs as much times the optimum's coefficient: nothing where columns are independent, all of the bound
where they differ by 1e-9 of their length and the optimum has coefficients of 1e9. What a column has beside others that
are independent may take its place: the span is the same, and the coefficients are of ordinary size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.linalg

from ladreg._arrays import Array, Index, constant, power_of_two
from ladreg._design import DenseDesign, Design
from ladreg._problem import Problem
from ladreg._tolerances import HALF_DIGITS, SOLVED

# The part of a column's length beside others that makes it independent of them: 1e-3.
_APART = 8.0 * float(np.sqrt(HALF_DIGITS))
# Columns are compared in 40 rows for each, at least 1,000, and then in all rows. More than 500 free columns, or 2^28
# multiplications of free columns with each other (.1 s), are taken as they are.
_PER_COLUMN, _LEAST, _MOST_FREE, _MOST_WORK = 40, 1000, 500, float(1 << 28)
# What columns have beside others may depend on each other again; it is asked three times.
_MOST_LEVELS = 3


class _Level(NamedTuple):
    """Columns of a table that stay, and what others have beside these.

    Attributes
    ----------
    kept : ndarray of shape (k,)
        The columns that stay.
    others : ndarray of shape (d,)
        Columns that nearly depend on them; those that do up to rounding are in neither.
    parts : ndarray of shape (n_columns, d)
        ``X @ parts`` less its means beside an intercept is what the others have: `lead` at each, and minus what the
        columns that stay predict.
    lead : ndarray of shape (d,)
        Powers of two.
    """

    kept: Index
    others: Index
    parts: Array
    lead: Array


@dataclass(frozen=True)
class IndependentColumns:
    """A problem with independent free columns of the same span.

    Attributes
    ----------
    problem
        Its columns are those that stay at each level, and what is left at the last one.
    levels : list of (_Level, ndarray of shape (d,))
        The first is of the problem's columns, each other one of what is left at the one before, which is divided by
        powers of two, the second entry.
    """

    problem: Problem
    levels: list[tuple[_Level, Array]]

    def coefficients(self, coef: Array) -> Array:
        """Coefficients of these columns, for those of columns that do not depend on others up to rounding."""
        parts = []
        for level, unit in self.levels:
            there = coef[level.others] / level.lead
            parts.append(coef[level.kept] - level.parts[level.kept] @ there)
            coef = there * unit
        return np.concatenate([*parts, coef])


def independent_columns(problem: Problem) -> IndependentColumns | None:
    """The problem with independent free columns; None where its own are, or are too many to ask."""
    known, free = problem.facts.by_free_columns, problem.penalty.free_features
    key = free.tobytes(), problem.fit_intercept
    if key not in known:
        known[key] = _found(problem, free) if _is_asked(problem, free) else None
    found: IndependentColumns | None = known[key]
    if found is None:
        return None
    there = found.problem.with_penalty(problem.penalty.at(_features(found.levels[0][0], free, found.problem)))
    return replace(found, problem=there)


def _features(first: _Level, free: Index, there: Problem) -> Index:
    """Features with the penalties of the columns that are there: all but those that stay are free."""
    return np.append(first.kept, np.full(there.n_features - first.kept.size, free[0]))


def _is_asked(problem: Problem, free: Index) -> bool:
    """Whether free columns nearly depend on each other.

    Not where weights differ widely: columns depend on each other in the heavy rows alone, and duals have their digits.
    """
    design, border = problem.design, problem.fit_intercept
    n_samples, is_large = design.n_samples, free.size > _MOST_FREE
    if free.size < 2 - border or n_samples <= free.size + border or not problem.facts.weights_are_alike:
        return False
    if is_large or float(n_samples) * free.size**2 > _MOST_WORK:
        return False
    key = "nearly dependent", free.tobytes(), border
    return design.known(key, lambda: _level(design, free, border) is not None)


def _found(problem: Problem, free: Index) -> IndependentColumns | None:
    """The problem with what nearly dependent columns have beside others."""
    design, border, rows = problem.design, problem.fit_intercept, np.arange(problem.n_samples)
    tables: list[Array] = []
    levels: list[tuple[_Level, Array]] = []
    while len(levels) < _MOST_LEVELS:
        level = _level(design, free, border)
        if level is None:
            break
        tables.append(design.rows(rows, level.kept))
        rest, unit = _left(design, level.parts, border)
        levels.append((level, unit))
        design = DenseDesign(rest)
        free = np.arange(rest.shape[1])
    if not levels:
        return None
    table = np.asfortranarray(np.hstack([*tables, design.table()]))
    there = replace(problem, design=DenseDesign(table))
    first, given = levels[0][0], problem.penalty.free_features
    there = there.with_penalty(problem.penalty.at(_features(first, given, there)))
    there.facts.by_free_columns[there.penalty.free_features.tobytes(), border] = None
    return IndependentColumns(there, levels)


def _left(design: Design, parts: Array, border: bool) -> tuple[Array, Array]:
    """``X @ parts`` less its means beside an intercept, in units of powers of two, with all its digits."""
    mean = design.matvec(parts).mean(axis=0) if border else np.zeros(parts.shape[1])
    rest, zero = np.empty((design.n_samples, parts.shape[1]), order="F"), np.zeros(design.n_samples)
    for j, part in enumerate(parts.T):
        np.negative(design.accurate_residual(part, zero, -float(mean[j])), out=rest[:, j])
    unit = power_of_two(np.abs(rest).max(axis=0, initial=0.0))
    rest /= unit
    return rest, unit


def _level(design: Design, free: Index, border: bool) -> _Level | None:
    """Free columns that have between `SOLVED` and 1e-3 of their length beside the others; None where none has.

    Columns that are independent in some rows are so in all. A Gram matrix tells columns that may depend on others; what
    they have beside these is computed from the rows, twice, for a Gram matrix has half of the digits.
    """
    scale = 1.0 / power_of_two(design.reach())
    near = design.rescaled(np.zeros(scale.size), scale)
    step = max(design.n_samples // max(_PER_COLUMN * free.size, _LEAST), 1)
    if step > 1 and _Gram.of(near.take(slice(None, None, step)), free, border).is_independent:
        return None
    found = _Gram.of(near, free, border)
    if found.is_independent or not np.isfinite(found.length).all():
        return None
    open_ones = np.setdiff1d(np.arange(free.size), found.chosen)
    chosen, others = free[found.chosen], free[open_ones]
    coef = np.zeros((design.n_features, others.size))
    coef[others, np.arange(others.size)] = 1.0

    def left() -> Array:
        rest = near.matvec(coef)
        for _ in range(2 if border else 0):  # the second mean is the rounding of the first
            rest -= rest.mean(axis=0)
        return rest

    for _ in range(2 if chosen.size else 0):
        coef[chosen] -= found.solved(near.rmatvec(left())[chosen])
    apart = np.linalg.norm(left(), axis=0) > SOLVED * found.length[open_ones]
    if not apart.any():
        return None
    kept = np.setdiff1d(np.arange(design.n_features), others)
    return _Level(kept, others[apart], coef[:, apart] * scale[:, None], scale[others[apart]])


@dataclass(frozen=True)
class _Gram:
    """The products of columns, centred beside an intercept, and those columns that are independent of each other.

    Attributes
    ----------
    length : ndarray of shape (k,)
        The columns' lengths, not centred.
    chosen : ndarray of shape (rank,)
        Columns each of which has more than 1e-3 of its length beside those before it.
    factor : ndarray of shape (rank, rank)
        The Cholesky factor (upper) of their products.
    """

    length: Array
    chosen: Index
    factor: Array

    @classmethod
    def of(cls, design: Design, free: Index, border: bool) -> _Gram:
        """Those of free columns."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            gram = design.gram(constant(1.0, design.n_samples), free, border)
            length = np.sqrt(gram.diagonal()[: free.size])
            if border:
                gram = gram[:-1, :-1] - np.outer(gram[-1, :-1], gram[-1, :-1] / gram[-1, -1])
            spread = np.sqrt(np.maximum(gram.diagonal(), 0.0))
            known = np.flatnonzero((spread > _APART * length) & np.isfinite(length))
            size = spread[known]
            scaled = gram[known[:, None], known] / size / size[:, None]
        upper, order, rank, _ = scipy.linalg.lapack.dpstrf(scaled, tol=_APART**2)
        chosen = order[:rank] - 1
        return cls(length, known[chosen], np.triu(upper[:rank, :rank]) * size[chosen])

    @property
    def is_independent(self) -> bool:
        """Whether all columns are chosen."""
        return self.chosen.size == self.length.size

    def solved(self, products: Array) -> Array:
        """The coefficients of the chosen columns for products with them."""
        return np.asarray(scipy.linalg.cho_solve((self.factor, False), products, check_finite=False))
