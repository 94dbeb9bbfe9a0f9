"""A problem whose loss has a kink as a table of rows: the intercept is a last column, any rows form a dual program.

The curved part of the loss is a quadratic in the coefficients, ``b'Gb / 2 - linear'b`` up to a constant; G is zero for
a piecewise linear loss. `Iterate` holds coefficients, the residuals there, and ``X'd`` of the dual d that has every row
at the end on its side.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ladreg._arrays import Array, Index, multiplied
from ladreg._cached import cached_property
from ladreg._design import BlockGram, SparseDesign
from ladreg._kernels import _line_search
from ladreg._piecewise.bounded_dual import BoundedDual
from ladreg._piecewise.dual_program import Rows
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import TOO_LARGE, Coefficients, Problem


class RowProblem:
    """The problem with the intercept as a last column, and the numbers that tune its engines."""

    def __init__(self, problem: Problem, tuning: PiecewiseTuning) -> None:
        self.problem, self.tuning = problem, tuning
        self.n_columns = problem.n_features + problem.fit_intercept
        self.lower, self.upper = problem.loss.kink()
        penalty = problem.penalty
        self.penalised = np.flatnonzero((penalty.strength > 0) | penalty.positive)
        self.strength = penalty.strength[self.penalised]
        self.is_curved = problem.loss.curvature > 0

    @cached_property
    def gram(self) -> Array:
        """G, the Hessian of the curved part of the loss."""
        return self.problem.loss.curvature * self.products(np.arange(self.n_columns))

    @cached_property
    def linear(self) -> Array:
        """The linear part of the curved part of the loss, with a minus sign."""
        if not self.is_curved:
            return np.zeros(self.n_columns)
        return self.problem.loss.curvature * self.backward(self.problem.weight * self.problem.y)

    def products(self, columns: Index) -> Array:
        """Weighted products of the chosen columns with each other; zero where the loss has no curvature."""
        problem = self.problem
        gram = np.zeros((columns.size,) * 2)
        features = columns[columns < problem.n_features]
        inner = gram[: features.size, : features.size]
        if self.is_curved:
            inner[:] = problem.design.cross(problem.weight, features, features)
            if features.size < columns.size:
                gram[-1, :-1] = gram[:-1, -1] = problem.design.rmatvec_of(features, problem.weight)
                gram[-1, -1] = problem.weight.sum()
        return gram

    def per_column(self, rows: int) -> int:
        """`rows` for each column, fewer where there are many columns."""
        tuning = self.tuning
        if self.n_columns < tuning.many_columns:
            return rows * self.n_columns
        is_dear = self.problem.n_samples < self.n_columns**2
        return max(int((tuning.dear_part if is_dear else 0.5) * rows), 1) * self.n_columns

    def sample(self, size: int) -> RowProblem:
        """The problem of `size` random rows, one from each of `size` equal blocks of the table. The seed is fixed."""
        problem = self.problem
        places = (np.arange(size) + np.random.default_rng(0).random(size)) * (problem.n_samples / size)
        rows = np.minimum(places.astype(np.intp), problem.n_samples - 1)
        weight = problem.weight[rows] / problem.weight[rows].sum()
        part = replace(problem, design=problem.design.take(rows), y=problem.y[rows], weight=weight)
        return RowProblem(part, self.tuning)

    def split(self, point: Array) -> Coefficients:
        """Coefficients and intercept."""
        intercept = float(point[-1]) if self.problem.fit_intercept else 0.0
        return Coefficients(point[: self.problem.n_features], intercept)

    def join(self, coef: Array, intercept: float) -> Array:
        """The point that `split` takes apart, a copy."""
        return np.append(coef, intercept) if self.problem.fit_intercept else coef.copy()

    def cost(self, point: Array, step: Array) -> float:
        """One-sided derivative of the penalty at a point, along a step."""
        coef, change = point[self.penalised], step[self.penalised]
        sizes = np.where(coef == 0, np.abs(change), np.sign(coef) * change)
        cost = float((self.strength * sizes).sum())
        return cost + float(self.ridge_slope(point) @ step[: self.problem.n_features]) if self.is_ridged else cost

    @property
    def is_ridged(self) -> bool:
        """Whether the penalty has ridges."""
        return self.problem.penalty.curved

    def ridge_slope(self, point: Array) -> Array:
        """The gradient of the ridges, without an entry for the intercept."""
        return self.problem.penalty.ridge * point[: self.problem.n_features]

    def distance(self, point: Array, step: Array) -> float:
        """The multiple of a step at which the first coefficient comes to a limit; infinite without limits."""
        penalty = self.problem.penalty
        if not penalty.limited:
            return np.inf
        coef, change = point[: self.problem.n_features], step[: self.problem.n_features]
        ends = np.where(change > 0, penalty.upper, penalty.lower)
        moves = np.isfinite(ends) & (change != 0)
        return max(float(np.min((ends[moves] - coef[moves]) / change[moves], initial=np.inf)), 0.0)

    def predict(self, point: Array) -> Array:
        """Predictions of all rows."""
        coef, intercept = self.split(point)
        product = self.problem.design.matvec(coef)
        if intercept:
            product += intercept
        return product

    def backward(self, dual: Array) -> Array:
        """Product of all columns with a vector."""
        slope = self.problem.design.rmatvec(dual)
        return np.append(slope, dual.sum()) if self.problem.fit_intercept else slope

    def backward_at(self, rows: Index, dual: Array) -> Array:
        """`backward` of a dual that is zero in all but the chosen rows."""
        slope = self.problem.design.rmatvec_at(rows, dual)
        return np.append(slope, dual.sum()) if self.problem.fit_intercept else slope

    def rows(self, index: Index) -> Array | sp.csr_array:
        """The chosen rows, sparse where X is."""
        if isinstance(self.problem.design, SparseDesign):
            ones = np.ones((index.size, int(self.problem.fit_intercept)))
            rows = sp.csr_array(sp.hstack([self.problem.design.transposed_csc(index).T, sp.csr_array(ones)]))
            rows.sort_indices()
            return rows
        return self.problem.design.rows(index, border=self.problem.fit_intercept)

    def every_row(self) -> LinearOperator:
        """All rows by their products alone: nothing is copied."""
        shape = self.problem.n_samples, self.n_columns
        return LinearOperator(shape=shape, matvec=self.predict, rmatvec=self.backward, dtype=np.float64)

    def sides(self, residual: Array, rows: Index | slice = slice(None)) -> Array:
        """The dual of the chosen rows at the end of their interval, on the residual's side."""
        return self.problem.weight[rows] * np.where(residual[rows] > 0, self.upper, self.lower)

    def program(
        self,
        rows: Index | None,
        A: Rows,
        residual: Array,
        goal: Array,
        origin: Array,
        mass: float,
        reach: float = 1.0,
    ) -> BoundedDual:
        """The dual program of the chosen rows (None for all), whose values are `A`, in units of `reach`.

        `mass` scales weights.
        """
        everything = rows is None or rows.size == self.problem.n_samples
        weight = multiplied(self.problem.weight if rows is None else self.problem.weight[rows], mass)
        return BoundedDual(
            A=A,
            y=residual,
            lower=multiplied(weight, self.lower),
            upper=multiplied(weight, self.upper),
            goal=goal * mass,
            penalised=self.penalised,
            strength=self.strength * mass,
            origin=origin,
            ceiling=self._slopes() * mass if self.problem.penalty.positive else None,
            hessian=self.gram * (mass * reach) if self.is_curved and not everything else None,
            stiffness=self.problem.loss.curvature * weight * reach if self.is_curved and everything else None,
            gram=self._block_gram if everything and self.has_blocks else None,
            tuning=self.tuning,
        )

    @property
    def has_gram(self) -> bool:
        """Whether G is worth computing: it is dense, and has the size of the columns."""
        return self.is_curved and not self.has_blocks and self.n_columns <= self.problem.n_samples

    @cached_property
    def has_blocks(self) -> bool:
        """Whether many columns share no row, so that a step of all rows costs little."""
        return self.problem.design.blocks(self.problem.fit_intercept) is not None

    def _block_gram(self, weight: Array) -> BlockGram:
        return self.problem.design.block_gram(weight, self.problem.fit_intercept)

    def _slopes(self) -> Array:
        """A typical size of each penalised feature's slope at coefficients of zero."""
        problem = self.problem
        null = problem.loss.derivative(problem.y - problem.null_intercept())
        typical = float(problem.weight @ np.abs(null)) * problem.design.spread(False) ** 0.5
        return np.maximum(typical[self.penalised], 1e-6)


class Iterate:
    """Coefficients, the residuals of all rows there, and ``X'd`` for the dual d with every row at its side's end.

    A step changes all three without reading X again, except for the rows that change sides.
    """

    def __init__(self, table: RowProblem, point: Array) -> None:
        problem = table.problem
        coef, intercept = table.split(point)
        ends = table.lower, table.upper
        residual, slope, total = problem.design.sweep(coef, problem.y, intercept, problem.weight, ends)
        self.table, self.point, self.residual = table, point, residual
        self.total = np.append(slope, total) if problem.fit_intercept else slope
        # Uncertainty of each coefficient relative to the others; None until the first Hessian is known.
        self.spread: Array | None = None

    @cached_property
    def residual(self) -> Array:
        """The residuals at the point, one number a row."""
        return self.table.problem.residual(*self.table.split(self.point))

    def forget_residual(self) -> None:
        """Free the residuals; where they are asked for they are computed again."""
        self.__dict__.pop("residual", None)

    @cached_property
    def _index(self) -> Index:
        """Work space for row numbers."""
        return np.empty(self.table.problem.n_samples, dtype=np.intp)

    @property
    def smooth(self) -> Array:
        """The gradient of the loss, one entry per column, with every row on its side."""
        table = self.table
        smooth = -self.total
        if not table.is_curved:
            return smooth
        if table.has_gram:
            return smooth + (table.gram @ self.point - table.linear)
        return smooth - table.problem.loss.curvature * table.backward(table.problem.weight * self.residual)

    def slope(self, step: Array) -> float:
        """Derivative of the objective along a step."""
        return float(self.smooth @ step) + self.table.cost(self.point, step)

    def search(self, step: Array, moved: Array, reach: float = 2.0) -> float:
        """Exact minimiser of the objective along a step, whose predictions are `moved`, up to `reach` times the step.

        A weighted quantile of ``residual / moved`` and of ``|coef / step|`` for coefficients that would change sign.
        """
        table = self.table
        descent = -self.slope(step)
        if descent <= 0 or not np.isfinite(descent):
            return 0.0
        lengths, rises = np.empty((2, self.residual.size + table.penalised.size))
        n_rows = self.residual.size
        count = _line_search.crossings(
            self.residual, moved, table.problem.weight, reach, lengths[:n_rows], rises[:n_rows]
        )
        jump = table.upper - table.lower
        coef, change = self.point[table.penalised], step[table.penalised]
        turning = np.flatnonzero(coef * change < 0)
        turning = turning[np.abs(coef[turning]) < reach * np.abs(change[turning])]
        if table.problem.penalty.positive and turning.size:
            reach = min(reach, float(np.min(np.abs(coef[turning] / change[turning]))))
        reach = min(reach, table.distance(self.point, step))
        last = count + turning.size
        lengths[count:last] = np.abs(coef[turning] / change[turning])
        rises[count:last] = np.abs(change[turning]) * 2 * table.strength[turning] / jump
        rate = self._curvature(step, moved) / jump
        if last == 0 and rate == 0.0:
            return min(1.0, reach)
        return min(_line_search.weighted_select(lengths[:last], rises[:last], descent / jump, rate), reach)

    def _curvature(self, step: Array, moved: Array) -> float:
        """The second derivative of the objective along a step, whose predictions are `moved`."""
        table = self.table
        ridge = float(table.ridge_slope(step) @ step[: table.problem.n_features]) if table.is_ridged else 0.0
        if table.has_gram:
            return float(step @ table.gram @ step) + ridge
        loss = table.problem.loss.curvature * float(table.problem.weight @ moved**2) if table.is_curved else 0.0
        return loss + ridge

    def advance(self, step: Array, moved: Array, length: float) -> None:
        """Go `length` times the step."""
        table = self.table
        self.point = self.point + length * step
        count = _line_search.advance(self.residual, moved, length, self._index)
        rows = self._index[:count]
        sign = np.where(self.residual[rows] > 0, 1.0, -1.0)
        change = table.problem.weight[rows] * (sign * (table.upper - table.lower))
        self.total = self.total + table.backward_at(rows, change)

    def crossed(self, moved: Array, slack: float) -> Index:
        """Rows that a step would put on the other side, by more than `slack`."""
        return self._index[: _line_search.crossed(self.residual, moved, slack, self._index)].copy()

    def nearest(self, count: int, scaled: bool = False) -> Index:
        """The rows with the `count` smallest residuals, chosen within a radius that is estimated from a sample.

        With `scaled` each residual is divided by ``|x| @ spread``, the uncertainty of its prediction: the side is least
        certain for rows of rare columns and rows far out.
        """
        residual = self.residual
        if scaled and self.spread is not None:
            coef, intercept = self.table.split(self.spread)
            residual = residual / (self.table.problem.design.absolute_matvec(coef) + intercept)
        size = residual.size
        if count >= size:
            return np.arange(size)
        radius = np.inf
        number = self.table.tuning.sample
        if size > 8 * number:
            sample = np.abs(residual[np.random.default_rng(0).integers(0, size, number)])
            place = min(int(1.5 * count * number / size) + 20, number - 1)
            radius = float(np.partition(sample, place)[place])
        found = _line_search.within(residual, radius, self._index)
        if found < count:
            found = _line_search.within(residual, np.inf, self._index)
        if found == 0:  # all residuals are NaN
            raise OverflowError(TOO_LARGE)
        rows = self._index[:found]
        order = np.argpartition(np.abs(residual[rows]), count - 1)[:count] if found > count else slice(None)
        return np.sort(rows[order])
