"""Many small problems that share a table, their rows consecutive there, solved and certified together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, power_of_two
from ladreg._certificate import VertexRows, prove_vertices
from ladreg._design import DenseDesign, Design, DoubledSum
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._piecewise.vertices import Batch, Vertices, solve_vertices
from ladreg._presolve import near_origin
from ladreg._problem import Loss
from ladreg._tolerances import PROVED_GAP


@dataclass(frozen=True)
class Family:
    """Problems without a penalty that share columns and a loss.

    Attributes
    ----------
    design : Design
        All rows.
    y, weight : ndarray of shape (n_targets,), (n_weights,)
        Targets and weights, which problems may share. The weights of a problem sum to one.
    loss : Loss
        A piecewise linear loss.
    fit_intercept : bool
        Whether there is an intercept.
    count, row_at, y_at, weight_at : ndarray of shape (n_problems,)
        How many rows a problem has, and where its rows, targets and weights begin.
    """

    design: Design
    y: Array
    weight: Array
    loss: Loss
    fit_intercept: bool
    count: Index
    row_at: Index
    y_at: Index
    weight_at: Index

    @property
    def n_columns(self) -> int:
        """Number of columns, with that of the intercept."""
        return self.design.n_features + self.fit_intercept


@dataclass(frozen=True)
class Optima:
    """Optima of a family, proved up to rounding to be the only ones where `unique`; elsewhere the numbers say nothing.

    Attributes
    ----------
    coef : ndarray of shape (n_problems, n_features)
        Coefficients.
    intercept, objective, gap, relative_gap : ndarray of shape (n_problems,)
        Intercepts, and the numbers of the certificates.
    unique : ndarray of shape (n_problems,)
        Whether the gap is rounding, that of an intercept included, and the optimum proved to be a single point.
    n_exchanges : ndarray of shape (n_problems,)
        The exchanges of basic rows made.
    """

    coef: Array
    intercept: Array
    objective: Array
    gap: Array
    relative_gap: Array
    unique: NDArray[np.bool_]
    n_exchanges: Index


def are_small(family: Family, tuning: PiecewiseTuning) -> bool:
    """Whether the simplex method for small problems is worth trying."""
    few = 0 < family.n_columns <= tuning.vertex_columns
    return few and isinstance(family.design, DenseDesign) and family.loss.is_piecewise_linear


class FamilySolver:
    """Solves problems of a family by number.

    Parameters
    ----------
    family
        The problems.
    tuning
        How the simplex method proceeds.
    """

    def __init__(self, family: Family, tuning: PiecewiseTuning) -> None:
        self.family, self.tuning = family, tuning
        design = family.design
        shift, distance = design.extent(family.fit_intercept)
        self._shift, self._scale = shift, 1.0 / power_of_two(distance)
        everything = np.arange(design.n_samples)
        self._X = np.ascontiguousarray(design.rows(everything, border=family.fit_intercept))
        near = design.rescaled(self._shift, self._scale)
        self._A = np.ascontiguousarray(near.rows(everything, border=family.fit_intercept))
        moved, self._y_shift, self._unit = near_origin(family.y, family.fit_intercept)
        self._target = moved / self._unit
        self._is_moved = bool(self._y_shift or shift.any())

    def blocks(self) -> Iterator[Index]:
        """Numbers of the problems, cut into blocks that do not depend on who solves them."""
        sizes = np.cumsum(self.family.count * self.family.n_columns)
        edges = np.flatnonzero(np.diff(sizes // self.tuning.block_numbers)) + 1
        yield from np.split(np.arange(sizes.size), edges)

    def solve(self, problems: Index) -> Optima:
        """The optima of the chosen problems; the GIL is released while they are solved."""
        family, q = self.family, self.family.n_columns
        count, row_at = family.count[problems], family.row_at[problems]
        lower, upper = family.loss.interval()
        batch = Batch(
            self._A,
            self._target,
            family.weight,
            count,
            row_at,
            family.y_at[problems],
            family.weight_at[problems],
            np.full(problems.size, lower),
            np.full(problems.size, upper),
            np.zeros((problems.size, q)),
        )
        found = solve_vertices(batch, self.tuning)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is not proved
            coef = found.point[:, : self._scale.size] * self._scale * self._unit
            intercept = np.zeros(problems.size)
            if family.fit_intercept:
                intercept = DoubledSum.dots(coef, -self._shift, found.point[:, -1] * self._unit, self._y_shift)
        point = np.column_stack([coef, intercept])[:, :q]
        rows = self._rows(self._X, family.y, problems)
        proofs = prove_vertices(family.loss, rows, point, found.dual, found.basis + found.dual_at[:, None])
        unique = found.found & proofs.unique & (proofs.relative_gap <= PROVED_GAP)
        optima = Optima(coef, intercept, proofs.objective, proofs.gap, proofs.relative_gap, unique, found.n_exchanges)
        missed = np.flatnonzero(found.found & ~unique)
        if self._is_moved and missed.size:
            self._settle(optima, found, problems, missed)
        return optima

    def _settle(self, optima: Optima, found: Vertices, problems: Index, missed: Index) -> None:
        """Take vertices that are proved at the origin; the rounding of their intercepts is part of the gap."""
        family, rows = self.family, self._rows(self._A, self._target, problems[missed])
        within = np.arange(rows.y.size) + np.repeat(found.dual_at[missed] - rows.starts, rows.count)
        dual, basis = found.dual[within], found.basis[missed] + rows.starts[:, None]
        proofs = prove_vertices(family.loss, rows, found.point[missed], dual, basis)
        settled = proofs.unique & (proofs.relative_gap <= PROVED_GAP)
        coef = optima.coef[missed]
        intercept = DoubledSum.dots(coef, self._shift, optima.intercept[missed], -self._y_shift) / self._unit
        point = np.column_stack([coef / self._scale / self._unit, intercept])
        rounded = prove_vertices(family.loss, rows, point, dual, basis)
        chosen = missed[settled]
        optima.unique[chosen] = True
        optima.objective[chosen] = rounded.objective[settled] * self._unit
        optima.gap[chosen] = rounded.gap[settled] * self._unit
        optima.relative_gap[chosen] = rounded.relative_gap[settled]

    def _rows(self, table: Array, target: Array, problems: Index) -> VertexRows:
        """The rows of the chosen problems, one after the other."""
        family, count = self.family, self.family.count[problems]
        starts = np.append(0, np.cumsum(count)[:-1])
        within = np.arange(int(count.sum())) - np.repeat(starts, count)
        return VertexRows(
            table[within + np.repeat(family.row_at[problems], count)],
            target[within + np.repeat(family.y_at[problems], count)],
            family.weight[within + np.repeat(family.weight_at[problems], count)],
            starts,
            count,
        )
