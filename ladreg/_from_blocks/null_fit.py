"""The largest useful alpha of a loss with a curved piece, from rows in blocks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import prove
from ladreg._design import as_design
from ladreg._from_blocks.piecewise_tasks import bring, means_of, residuals, sums_of_groups
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.reduced_rows import MEANS, brought
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units, uniform
from ladreg._presolve import typical
from ladreg._problem import Absolute, Coefficients, ElasticNet, Loss, Problem
from ladreg._row_blocks import Place, Rows, Summary, picked, stacked
from ladreg._solvers import largest_alpha_at
from ladreg._tolerances import EXACT_FIT, SUMMED


@dataclass(frozen=True)
class NearOrigin:
    """Rows with columns and targets moved near the origin, as `largest_alpha` of `_solvers` has it in memory.

    A slope is a sum of duals times a column: what rounding leaves of the sum of the duals is multiplied by the column's
    distance from the origin, and an intercept far from zero has too few digits for the duals to have a sum of zero.
    Targets are less what coefficients at rest predict, too.
    """

    shift: Array
    y_shift: float
    rest: Array

    @classmethod
    def of(cls, question: Question, seen: Survey) -> NearOrigin:
        """The moves for the rows of a survey; without an intercept only what coefficients at rest predict."""
        penalty, intercept = question.penalty, question.fit_intercept
        rest = np.where(penalty.strength > 0, penalty.rest, 0.0)
        there = cls(Units.of(seen, None, 0.0, 1.0, intercept).shift, 0.0, rest)
        return replace(there, y_shift=typical(there.rows(seen.sample).y)) if intercept else there

    def rows(self, rows: Rows) -> Rows:
        """Rows of a tile, moved."""
        X: Any = rows.X
        X = X - self.shift if self.shift.any() else X
        y = rows.y - as_design(X).matvec(self.rest) if self.rest.any() else rows.y
        return rows._replace(X=X, y=y - self.y_shift)

    def survey(self, seen: Survey) -> Survey:
        """The survey of the moved rows; the size of a column that is moved is half of its range."""
        low, high = seen.low - self.shift, seen.high - self.shift
        size = np.where(self.shift != 0, high / 2 - low / 2, seen.size)
        return replace(seen, low=low, high=high, size=size, sample=self.rows(seen.sample))

    @staticmethod
    def question(question: Question) -> Question:
        """The question for moved rows without penalised features; features that are not penalised stay free."""
        penalty, held = question.penalty, question.penalty.strength > 0
        lower, upper = penalty.ends
        lower, upper = np.where(held, -np.inf, lower), np.where(held, np.inf, upper)
        strength = np.where(held, np.inf, 0.0)
        return replace(question, penalty=ElasticNet(strength, penalty.positive, np.zeros(0), lower, upper))


@dataclass(frozen=True)
class NullSlopes:
    """What a fit without penalised features leaves: the slopes of rows on both sides, and the rows at the kink."""

    question: Question
    units: Units
    coef: Array
    found: Summary

    def largest_alpha(self) -> float:
        """The smallest multiple of the penalty that balances the slopes of all penalised features.

        The duals of rows off the kink are known: one row on each side, the mean of its rows with their duals as
        weights, has the same slopes. With the rows at the kink they are a problem of absolute values.
        """
        sums, tied = self.found.sums, stacked(brought(self.found)) if brought(self.found) else None
        sides = [name for name in ("below", "above") if sums[name] > 0]
        X = [sums[name + " x"] / sums[name] for name in sides]
        weight = [float(sums[name]) for name in sides]
        residual = [1.0 if name == "above" else -1.0 for name in sides]
        if tied is not None:
            given: Any = self.units.own_design(tied).rescaled(self.units.shift, np.ones_like(self.units.shift))
            X += list(given.rows(np.arange(tied.y.size)))
            weight += (self.units.weight(tied) * self.question.loss.kink()[1]).tolist()
            residual += [0.0] * tied.y.size
        rows, side = as_design(np.array(X).reshape(len(residual), self.units.shift.size)), np.array(residual)
        # Coefficients are those of the fit: a feature that is at a limit there may have a slope that is not zero.
        y = rows.matvec(self.coef) + side * (1.0 + rows.absolute_matvec(np.abs(self.coef)))
        question = self.question
        problem = Problem(rows, y, np.array(weight), Absolute(), question.penalty, question.fit_intercept)
        # Two rows alone have no dual that rounding leaves orthogonal to three columns.
        known = _feasible(problem, self.coef, side) if np.any(side == 0) else None
        return largest_alpha_at(problem, self.coef, 0.0, known)


def _feasible(problem: Problem, coef: Array, side: Array) -> Array:
    """A dual that balances the features without a penalty and the intercept, where other rows are on these sides."""
    free = np.flatnonzero(problem.penalty.strength == 0)
    part = replace(problem, design=problem.design.select(free), penalty=problem.penalty.at(free))
    return prove(part, coef[free], 0.0, problem.weight * side).dual


def largest_alpha_by_slopes(
    question: Question, null: Coefficients, seen: Survey, n_held: int
) -> Generator[Request, Summary, float]:
    """The largest useful alpha of a loss, by the slopes at a fit without penalised features; in one pass.

    Where more rows are fitted exactly than may be gathered, means of groups of them are, and the result is an upper
    bound.
    """
    penalty = question.penalty
    if not (np.isfinite(penalty.strength) & (penalty.strength > 0)).any():
        return 0.0
    units = Units.of(seen, None, 0.0, 1.0, question.fit_intercept)
    size = np.abs(seen.sample.y)
    rounding = SUMMED * float(np.median(size[size > 0])) if size.any() else 0.0
    found = yield "slopes", _slopes, (units, question.loss, null, rounding, n_held // 2, 0)
    if found.sums["left out"] or sum(part.y.size for part in brought(found)) > n_held:
        n_groups = max(min(n_held // 2, MEANS // (seen.n_features + 2)), 1)
        found = yield "slopes", _slopes, (units, question.loss, null, rounding, 0, n_groups)
        found.rows["plain"] = [means_of(found, seen.is_sparse)]
    has_free = bool((penalty.strength == 0).any())
    if has_free and float(found.high["residual"]) <= EXACT_FIT * float(found.high["y"]):
        return 0.0  # the free features fit y exactly, and slopes are rounding
    return NullSlopes(question, units, null.coef, found).largest_alpha()


def _slopes(
    place: Place,
    rows: Rows,
    units: Units,
    loss: Loss,
    point: Coefficients,
    rounding: float,
    most: int,
    n_groups: int,
) -> Summary:
    """The slopes of the rows of a tile on both sides of a point, and its rows at the kink, or means of groups.

    Residuals are zero up to rounding of their terms, or of an ordinary target.
    """
    design, weight = units.design(rows), units.weight(rows)
    residual, is_zero = residuals(units, rows, point)
    residual[weight == 0] = 0.0
    tied = (is_zero | (np.abs(residual) <= rounding)) & loss.has_kink
    dual = np.where(tied, 0.0, weight * loss.derivative(residual))
    found = Summary(high={"residual": float(np.abs(residual).max()), "y": float(np.abs(rows.y).max())})
    for name, part in (("below", np.maximum(-dual, 0.0)), ("above", np.maximum(dual, 0.0))):
        found.sums |= {name: float(part.sum()), name + " x": design.rmatvec(part) / units.scale}
    chosen = np.flatnonzero(tied & (weight > 0))
    found.sums["left out"] = 0
    if n_groups:
        group = (uniform(place.first + chosen) * n_groups).astype(np.intp)
        found.sums |= sums_of_groups(picked(rows, chosen), group, n_groups)
    else:
        bring(found, rows, chosen, most)
    return found
