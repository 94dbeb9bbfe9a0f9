"""A squared loss with the intercept eliminated: residuals, slopes, gaps, screening, bursts."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._cached import cached_property
from ladreg._certificate import slope_margin
from ladreg._design import CONSTANT, DenseDesign, Design, SparseDesign
from ladreg._kernels import _cd
from ladreg._least_squares.gram import Gram
from ladreg._problem import ElasticNet, Problem
from ladreg._tolerances import SUMMED

# Iteration limit where the settings have none: epochs of coordinate descent and exact steps on the support.
MOST_EPOCHS = 10_000


@dataclass(frozen=True)
class GradientCheck:
    """Residual, half its mean square, and slopes at given coefficients, by a pass over the data."""

    residual: Array
    loss: float
    slope: Array


def duality_gap(penalty: ElasticNet, coef: Array, slope: Array, loss: float) -> tuple[float, float]:
    """Duality gap of the residual as dual, divided by the second result so that it is feasible."""
    shrink = penalty.overrun(slope)
    terms = penalty.fenchel_young(coef, slope / shrink if shrink > 1.0 else slope)
    return loss * (1.0 - 1.0 / shrink) ** 2 + float(terms.sum()), shrink


def without_rounding(penalty: ElasticNet, coef: Array, square: Array, size: float) -> Array:
    """Coefficients, also of several solutions in rows, with those set to zero that are rounding.

    At a knot of the path, and at the smallest alpha for which all coefficients are zero, a coefficient that is zero in
    exact arithmetic comes out as rounding. Features without a strength or a sign constraint keep their coefficients.

    Parameters
    ----------
    penalty, coef
        Of the same features.
    square
        Mean squares of the centred columns, or upper bounds of them.
    size
        Mean square of the centred target.
    """
    moves = np.abs(coef) * np.sqrt(square)
    nothing = moves <= SUMMED * np.sqrt(size)
    if not penalty.all_bound:
        nothing &= (penalty.strength > 0) | penalty.positive
    return penalty.within(np.where(nothing, 0.0, coef)) if penalty.limited else np.where(nothing, 0.0, coef)


class Centred:
    """The problem with the intercept eliminated: columns and target minus their weighted means, never stored.

    Dense columns are centred as they are read; sparse ones keep their zeros, and one number holds what centring
    would add to every residual.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.penalty = problem, problem.penalty
        design = problem.design
        self.mean = design.means(problem.weight) if problem.fit_intercept else np.zeros(problem.n_features)
        self.offset = self.mean
        if isinstance(design, SparseDesign):
            if design.X.format != "csc":
                design = SparseDesign(design.X.tocsc(), design.shift, design.scale)
        else:
            design = design.rescaled(self.mean, np.ones_like(self.mean))
            self.offset = np.zeros_like(self.mean)
        # `offset` is what must still be subtracted from the columns of `design`.
        self.design: Design = design
        self.weight = np.ascontiguousarray(problem.weight)
        self.y_mean = float(self.weight @ problem.y) if problem.fit_intercept else 0.0
        self.y = problem.y - self.y_mean
        self.size = float(self.weight @ self.y**2)
        self.gram = Gram(design, self.weight, self.mean, self.offset)
        # The features that `screen` kept, None for all, and the mask of those that it hid.
        self.candidates: Index | None = None
        self.hidden = np.zeros(problem.n_features, dtype=bool)
        # The dependences in sets of free columns (see `dependent_columns`), for any penalty.
        self.dependences: dict[bytes, Any] = {}

    @cached_property
    def slope(self) -> Array:
        """The products of all columns with the target."""
        return self.design.rmatvec(self.weight * self.y)

    def know(self, gram: Array, slope: Array) -> None:
        """Take the products of all columns with each other and with the target as they are given."""
        self.gram.know(gram)
        self.__dict__["slope"] = slope

    def with_penalty(self, penalty: ElasticNet) -> Centred:
        """The same columns with another penalty; what was computed is shared."""
        other = copy(self)
        other.penalty, other.problem = penalty, replace(self.problem, penalty=penalty)
        other.candidates, other.hidden = None, np.zeros(self.hidden.size, dtype=bool)
        return other

    def weighted_columns(self, features: Index) -> Array:
        """Chosen columns times the roots of the weights, a copy."""
        every = np.arange(self.problem.n_samples)
        chosen = self.design.rows(every, features)
        chosen -= self.offset[features]
        chosen *= np.sqrt(self.weight)[:, None]
        return chosen

    def triangle(self, features: Index, block: int) -> Array:
        """R of a QR decomposition of chosen weighted columns, of at most as many rows as there are columns.

        `block` is how many numbers are decomposed at a time.
        """
        border = int(self.problem.fit_intercept)
        rows, width = np.flatnonzero(self.weight > 0), features.size + border
        n_rows = max(block // max(width, 1), width)
        upper = np.zeros((0, width))
        for begin in range(0, rows.size, n_rows):
            some = rows[begin : begin + n_rows]
            # The column of ones comes first, and removes the rounding of the means.
            part = np.ones((some.size, width))
            part[:, border:] = self.design.rows(some, features) - self.offset[features]
            part *= np.sqrt(self.weight[some])[:, None]
            upper = np.asarray(np.linalg.qr(np.vstack([upper, part]), mode="r"))
        return upper[border:, border:]

    def residual(self, coef: Array) -> Array:
        """Centred residual, from the data."""
        support = np.flatnonzero(coef)
        if support.size == 0:
            return self.y.copy()
        predicted = self.design.matvec_of(support, coef[support])
        return self.y - predicted + float(self.offset @ coef)

    def look(self, coef: Array) -> GradientCheck:
        """Gradient check of all features, or of those that `screen` kept; the slopes of the others are set to zero."""
        return self.look_at(self.residual(coef))

    def look_at(self, residual: Array) -> GradientCheck:
        """`look` where the residual is known."""
        dual = self.weight * residual
        if self.candidates is None:
            slope = self.design.rmatvec(dual)
        else:
            slope = np.zeros(self.hidden.size)
            slope[self.candidates] = self.design.rmatvec_of(self.candidates, dual)
        return GradientCheck(residual, 0.5 * float(dual @ residual), slope)

    def screen(self, coef: Array, slope: Array, gap: float, shrink: float) -> None:
        """Hide what is zero in every optimum (gap-safe, Ndiaye et al. 2017), if at most a quarter is left."""
        alive = (self.possible(slope, gap, shrink) >= self.penalty.strength) | (coef != 0)
        number = int(np.count_nonzero(alive))
        if 4 * number <= (coef.size if self.candidates is None else self.candidates.size):
            self.candidates, self.hidden = np.flatnonzero(alive), ~alive

    def possible(self, slope: Array, gap: float, shrink: float) -> Array:
        """Upper bound of each slope, as it counts against its strength, in an optimum, from a dual's slopes and gap."""
        spread = self.problem.design.spread(self.problem.fit_intercept)
        return self.penalty.excess(slope) / shrink + slope_margin(self.problem, spread, gap)

    def intercept(self, coef: Array) -> float:
        """The best intercept for `coef`."""
        return self.y_mean - float(self.mean @ coef) if self.problem.fit_intercept else 0.0

    @cached_property
    def curvature(self) -> Array:
        """Mean square of each centred column; zero for columns that are constant up to rounding."""
        problem, mean = self.problem, self.mean
        curvature = problem.design.curvatures(self.weight, mean)
        curvature[curvature <= CONSTANT * problem.design.curvatures(self.weight, np.zeros_like(mean))] = 0.0
        return curvature

    def burst(self, features: Index, n_epochs: int, coef: Array, residual: Array) -> None:
        """Epochs of coordinate descent over `features`; `coef` and `residual` are updated in place."""
        penalty, design = self.penalty, self.design
        shape = self.weight, self.curvature, penalty.strength, penalty.ridge, penalty.positive
        common = *shape, features, n_epochs, coef, residual
        if isinstance(design, SparseDesign):
            X = design.X
            _, shift = _cd.sparse_burst(
                X.data, X.indices, X.indptr, self.mean / design.scale, design.scale, *common, 0.0
            )
            residual += shift
        elif isinstance(design, DenseDesign):
            _cd.dense_burst(design.X, design.shift, design.scale, *common)
