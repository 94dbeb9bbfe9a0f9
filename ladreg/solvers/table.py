"""A piecewise linear problem as plain rows: the intercept is a last column, any rows make a linear program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._design import SparseDesign
from ladreg._problem import Problem
from ladreg.solvers.interior_point import BoundedDual

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# From so many columns on, half the rows per column do: what they decide is averaged over more columns.
MANY_COLUMNS = 64


class Table:
    """The problem with the intercept as a last column."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.n_columns = problem.n_features + problem.fit_intercept
        lower, upper = problem.loss.interval()
        self.lower, self.upper = lower, upper
        self.penalised = np.flatnonzero(problem.penalty.strength > 0)
        self.strength = problem.penalty.strength[self.penalised]

    def per_column(self, rows: int) -> int:
        """So many rows for each column, half as many where the columns are many."""
        return (rows if self.n_columns < MANY_COLUMNS else rows // 2) * self.n_columns

    def sample(self, size: int) -> Table:
        """The problem of `size` random rows. The seed is fixed: sorted and clustered tables are as good as any."""
        problem = self.problem
        rows = np.sort(np.random.default_rng(0).choice(problem.n_samples, size, replace=False))
        weight = problem.weight[rows] / problem.weight[rows].sum()
        return Table(replace(problem, design=problem.design.take(rows), y=problem.y[rows], weight=weight))

    def split(self, point: Array) -> tuple[Array, float]:
        """Coefficients and intercept."""
        return point[: self.problem.n_features], float(point[-1]) if self.problem.fit_intercept else 0.0

    def predict(self, point: Array) -> Array:
        """Predictions of all rows."""
        coef, intercept = self.split(point)
        product = self.problem.design.matvec(coef)
        if intercept:
            product += intercept
        return product

    def residual(self, point: Array) -> Array:
        """Residuals of all rows."""
        return self.problem.y - self.predict(point)

    def backward(self, dual: Array) -> Array:
        """Product of all columns with a vector."""
        slope = self.problem.design.rmatvec(dual)
        return np.append(slope, dual.sum()) if self.problem.fit_intercept else slope

    def rows(self, index: Index) -> Array | sp.csr_array:
        """The chosen rows, sparse where X is."""
        ones = np.ones((index.size, int(self.problem.fit_intercept)))
        if isinstance(self.problem.design, SparseDesign):
            return sp.csr_array(sp.hstack([self.problem.design.transposed_csc(index).T, sp.csr_array(ones)]))
        return np.hstack([self.problem.design.rows(index), ones])

    def sides(self, residual: Array) -> Array:
        """The dual of rows at the end of their interval, on the residual's side."""
        return self.problem.weight * np.where(residual > 0, self.upper, self.lower)

    def program(self, rows: Index, residual: Array, goal: Array, origin: Array, mass: float) -> BoundedDual:
        """The linear program of the chosen rows; `mass` scales their weights."""
        weight = self.problem.weight[rows] * mass
        return BoundedDual(
            A=self.rows(rows),
            y=residual,
            lower=self.lower * weight,
            upper=self.upper * weight,
            goal=goal * mass,
            penalised=self.penalised,
            strength=self.strength * mass,
            origin=origin,
        )
