"""Many small problems in one call: the optimal vertex of each, by the compiled simplex method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, equilibrated, inverted
from ladreg._design import DenseDesign
from ladreg._kernels import _simplex
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import Problem, StopReason, Uncertified
from ladreg._tolerances import AT_END, INSIDE, ORTHOGONAL, PROVED_GAP, VERTEX

# Targets beyond 2^20 typical distances from their median are far.
_FAR = 2.0**20


@dataclass(frozen=True)
class Batch:
    """Problems ``sum_i weight_i rho(y_i - x_i'b) - linear'b`` at unit scale, each with consecutive rows of one table.

    Attributes
    ----------
    A : ndarray of shape (n_rows, q)
        The table, with a column of ones for an intercept.
    y, weight : ndarray of shape (n_targets,), (n_weights,)
        Targets and weights; problems may share them.
    count, row_at, y_at, weight_at : ndarray of shape (n_problems,)
        How many rows a problem has, and where its rows, targets and weights begin.
    lower, upper : ndarray of shape (n_problems,)
        The slopes of rho.
    linear : ndarray of shape (n_problems, q)
        The linear terms.
    """

    A: Array
    y: Array
    weight: Array
    count: Index
    row_at: Index
    y_at: Index
    weight_at: Index
    lower: Array
    upper: Array
    linear: Array


@dataclass(frozen=True)
class Vertices:
    """The optimal vertices of a `Batch`.

    Attributes
    ----------
    point : ndarray of shape (n_problems, q)
        The coefficients.
    basis : ndarray of shape (n_problems, q)
        The basic rows, counted from the first row of their problem.
    dual : ndarray of shape (total,)
        The duals of all rows, one problem after the other.
    dual_at : ndarray of shape (n_problems,)
        Where those of a problem begin.
    n_exchanges : ndarray of shape (n_problems,)
        The exchanges made, or -1 where no vertex was found; other arrays say nothing there.
    """

    point: Array
    basis: Index
    dual: Array
    dual_at: Index
    n_exchanges: Index

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether a vertex was found."""
        return self.n_exchanges >= 0


class _Vertex(NamedTuple):
    """A vertex, unique if `_is_single_point` proves it, the table that it was solved on, and its basic rows."""

    found: Uncertified
    A: Array
    basis: Index


def solve_vertex(problem: Problem, tuning: PiecewiseTuning) -> Uncertified | None:
    """The optimal vertex of a small dense problem without a penalty; None for others, or where none is found.

    Targets that are all zero have the optimum zero, which a vertex would miss by rounding.
    """
    vertex = _vertex(problem, tuning)
    if vertex is None:
        return None
    return vertex.found if _is_single_point(problem, vertex) else replace(vertex.found, unique=None)


def solve_only_vertex(problem: Problem, tuning: PiecewiseTuning) -> Uncertified | None:
    """`solve_vertex` where the vertex is proved, at unit scale, to be the only optimum; None elsewhere.

    No target may be far from the others, and weights must be alike: the gap is relative to what all rows cost.
    """
    if not problem.facts.weights_are_alike or float(np.abs(problem.y).max()) > _FAR:
        return None
    vertex = _vertex(problem, tuning)
    if vertex is None or not _is_single_point(problem, vertex):
        return None
    found, A, _ = vertex
    residual = problem.y - A @ np.append(found.coef, found.intercept)[: A.shape[1]]
    gap = problem.row_gap(residual, found.dual, problem.weight)
    is_balanced = np.abs(found.dual @ A) <= ORTHOGONAL * (np.abs(found.dual) @ np.abs(A))
    is_proved = is_balanced.all() and gap <= PROVED_GAP * float(problem.weight @ problem.loss.value(residual))
    return found if is_proved else None


def _vertex(problem: Problem, tuning: PiecewiseTuning) -> _Vertex | None:
    q, n = problem.n_features + problem.fit_intercept, problem.n_samples
    is_small = 0 < q < n <= tuning.vertex_rows and q <= tuning.vertex_columns
    is_linear = problem.loss.is_piecewise_linear and problem.penalty.is_nothing
    if not (is_small and is_linear and problem.y.any() and isinstance(problem.design, DenseDesign)):
        return None
    A = problem.design.table(problem.fit_intercept)
    lower, upper = problem.loss.interval()
    zero, weight = np.zeros(1, dtype=np.intp), np.ascontiguousarray(problem.weight)
    ends = np.array([lower]), np.array([upper])
    batch = Batch(A, problem.y, weight, np.array([n]), zero, zero, zero, *ends, linear=np.zeros((1, q)))
    vertices = solve_vertices(batch, tuning)
    if not vertices.found[0]:
        return None
    point, made = vertices.point[0], int(vertices.n_exchanges[0])
    found = Uncertified(
        coef=point[: problem.n_features],
        intercept=float(point[-1]) if problem.fit_intercept else 0.0,
        dual=vertices.dual,
        n_iter=max(made, 1),
        stopped=StopReason.EXACT,
        solver="simplex",
        stats={"n_exchanges": made, "n_ip_iter": 0, "rows_solved": n},
        unique=True,
    )
    return _Vertex(found, A, vertices.basis[0])


def _is_single_point(problem: Problem, vertex: _Vertex) -> bool:
    """Whether an optimal dual is strictly inside its intervals in rows that determine the coefficients."""
    inside, size = vertex.found.dual[vertex.basis], problem.weight[vertex.basis]
    lower, upper = problem.loss.interval()
    room = np.minimum(inside - lower * size, upper * size - inside)
    if not (room > INSIDE * (upper - lower) * size).all():
        return False
    matrix = vertex.A[vertex.basis]
    return inverted(matrix) is not None or inverted(equilibrated(matrix)[0]) is not None


def solve_vertices(
    batch: Batch, tuning: PiecewiseTuning, factor: Array | None = None, start: Array | None = None
) -> Vertices:
    """The optimal vertex of each problem; the GIL is released.

    Parameters
    ----------
    batch
        The problems.
    tuning
        How many steps are tried, and how many rows take part.
    factor, start
        The lower triangular Cholesky factor of a matrix ``X'WX`` that all problems have about, and coefficients near
        the optima, of shape (n_problems, q); without them each problem starts at its least squares fit.
    """
    number, q = batch.linear.shape
    ends = batch.count.cumsum(dtype=np.intp)
    found = Vertices(
        point=np.zeros((number, q)) if start is None else np.array(start, order="C"),
        basis=np.zeros((number, q), dtype=np.intp),
        dual=np.zeros(ends[-1] if number else 0),
        dual_at=ends - batch.count,
        n_exchanges=np.zeros(number, dtype=np.intp),
    )
    _simplex.vertices(
        batch.A,
        batch.y,
        batch.weight,
        batch.linear,
        batch.lower,
        batch.upper,
        batch.count,
        batch.row_at,
        batch.y_at,
        batch.weight_at,
        found.dual_at,
        factor,
        found.point,
        found.basis,
        found.dual,
        found.n_exchanges,
        tuning.descent_steps,
        tuning.simplex_rows,
        tuning.exchanges * (q + 1),
        AT_END,
        VERTEX,
    )
    return found
