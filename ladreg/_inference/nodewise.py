"""Nodewise lassos: of each column on all others, from one Gram matrix.

With columns of deviation one, node j minimises ``|x_j - X c|^2 / 2 + alpha_j |c|_1``, c_j = 0. Its residual z_j is
nearly orthogonal to the other columns: ``|x_k'z_j| <= alpha_j``. The variance of a desparsified coefficient is
``|z_j|^2 / (z_j'x_j)^2`` (Zhang and Zhang 2014, doi 10.1111/rssb.12026).

1. One alpha for all nodes is chosen by cross-validation (Dezeure et al. 2015, doi 10.1214/15-STS527).
2. From there the alpha of each node goes down while its variance grows by less than 25 %.
3. The data prove each node: products of the columns with the residuals, and the duality gaps that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ladreg._arrays import BLOCK, Array, Index
from ladreg._design import Design
from ladreg._least_squares import Centred, GramPath
from ladreg._paths import FoldMoments
from ladreg._problem import ElasticNet, HalfSquared, Problem
from ladreg._tolerances import SUMMED

# The number of folds, of rows in the order of a fixed seed.
_FOLDS = 10
# The alpha of all nodes is chosen by at most 32 of them.
_NODES = 32
# Alphas of the cross-validation fall by 0.85 (or a little less), to 1e-3 of the largest; those of a node below that
# choice by 0.9, to 0.01 of it.
_STEP, _LEAST = 0.85, 1e-3
_DOWN, _LEAST_DOWN = 0.9, 0.01
# The variance of a coefficient may grow by a quarter.
_GROWTH = 1.25
# The first fold ends the grid where its error is a tenth above its least.
_PAST = 1.1
# Two alphas are solved before it is asked whether to go on.
_AT_ONCE = 2
# Nodes in one task of a thread.
_TASK = 16
# A column of a fold is constant if it keeps at most 1e-10 of its variance: products of training rows are differences.
_LOST = 1e-10
# Alphas are at least 1e-9, in units of a correlation: less is rounding of what is orthogonal.
_SMALLEST = 1e-9
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Nodewise:
    """The nodewise lassos of columns at unit scale, and what the data say of them.

    Attributes
    ----------
    common : float
        The alpha that cross-validation chose for all nodes, for columns of deviation one.
    alpha : ndarray of shape (p,)
        Penalties, likewise.
    gap : ndarray of shape (p,)
        Bounds of the objectives' distances from their optima, relative to the objectives.
    direction : ndarray of shape (p, p)
        Row j has the coefficients of the columns in z_j.
    own : ndarray of shape (p,)
        ``sum_i weight_i z_ij x_ij``.
    products : ndarray of shape (p, p)
        ``sum_i weight_i^2 z_ij z_ik``.
    bias_factor : ndarray of shape (p,)
        ``sqrt(n) max_{k != j} |z_j'x_k| / |z_j|`` for columns of deviation one.
    """

    common: float
    alpha: Array
    gap: Array
    direction: Array
    own: Array
    products: Array
    bias_factor: Array


def nodewise(
    design: Design, weight: Array, fit_intercept: bool, names: list[str], n_jobs: int | None, verbose: int = 0
) -> Nodewise:
    """The nodewise lassos of all columns.

    Parameters
    ----------
    design
        Columns of ordinary size.
    weight
        Weights of the rows, with sum one.
    fit_intercept
        Whether columns are taken about their means.
    names
        Names of the columns, for errors.
    n_jobs
        Threads; the result does not depend on their number.
    verbose
        How much joblib tells about its progress.
    """
    n, p = design.n_samples, design.n_features
    problem = Problem(design, np.zeros(n), weight, HalfSquared(), ElasticNet(np.zeros(p)), fit_intercept)
    columns = Centred(problem)
    moments = FoldMoments(columns, _splits(n))
    gram = moments.gram()
    size = np.sqrt(gram.diagonal())
    _check_variances(size, names)
    gram = gram / size / size[:, None]
    _check_pairs(gram, names)
    mean = moments.total.sums[:-1] if fit_intercept else np.zeros(p)
    table = _Table(gram, mean, size, n_jobs, verbose)
    chosen = _chosen_alpha(moments, table)
    alpha, direction = table.over_nodes(partial(_descended, gram, chosen), np.arange(p))
    return _proved(design, weight, columns.mean, size, chosen, alpha, direction)


def _splits(n: int) -> list[tuple[Index, Index]]:
    fold = np.random.default_rng(0).permutation(n) % min(_FOLDS, n)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(min(_FOLDS, n))]


def _check_variances(size: Array, names: list[str]) -> None:
    """A ValueError that names constant columns."""
    if not size.all():
        found = ", ".join(names[j] for j in np.flatnonzero(size == 0))
        raise ValueError(f"constant columns have no coefficient with an intercept: {found}. Drop them.")


def _check_pairs(gram: Array, names: list[str]) -> None:
    """A ValueError that names columns that are multiples of each other."""
    first, second = np.nonzero(np.triu(np.abs(gram) >= 1 - SUMMED, 1))
    if first.size:
        pairs = ", ".join(f"{names[j]} and {names[k]}" for j, k in zip(first[:5], second[:5], strict=True))
        raise ValueError(
            f"columns are multiples of each other: {pairs}. Their coefficients cannot be distinguished; drop one "
            "of them."
        )


@dataclass(frozen=True)
class _Table:
    """Correlations of the columns, and the means and deviations of the columns whose moments are taken."""

    gram: Array
    mean: Array
    size: Array
    n_jobs: int | None
    verbose: int

    def over_nodes(self, solve: Callable[[Index], tuple[Array, ...]], nodes: Index) -> list[Array]:
        """What `solve` returns for blocks of nodes, one after the other; blocks do not depend on `n_jobs`."""
        tasks = [nodes[begin : begin + _TASK] for begin in range(0, nodes.size, _TASK)]
        found = Parallel(n_jobs=self.n_jobs, verbose=self.verbose, prefer="threads")(
            delayed(solve)(task) for task in tasks
        )
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _chosen_alpha(moments: FoldMoments, table: _Table) -> float:
    """The alpha of all nodes, by the errors in held-out rows of up to `_NODES` of them."""
    p = table.size.size
    top = max(float(np.abs(table.gram - np.eye(p)).max()), _SMALLEST)
    alphas = np.geomspace(top, _LEAST * top, int(np.log(_LEAST) / np.log(_STEP)) + 2)
    nodes = np.unique(np.linspace(0, p - 1, min(p, _NODES)).astype(np.intp))
    total = np.zeros(alphas.size)
    for fold in range(len(moments.splits)):
        errors = _Fold.of(moments, fold, table).errors(nodes, alphas, may_stop=fold == 0)
        alphas, total = alphas[: errors.size], total[: errors.size] + errors
    return float(alphas[np.argmin(total)])


@dataclass(frozen=True)
class _Fold:
    """Products of a fold's training rows, and of its held-out rows about the means of the training rows."""

    table: _Table
    gram: Array
    held: Array

    @classmethod
    def of(cls, moments: FoldMoments, fold: int, table: _Table) -> _Fold:
        part = moments.total - moments.held(fold)
        mean, gram = part.centred(moments.columns.problem.fit_intercept)
        gram = gram[:-1, :-1] / table.size / table.size[:, None]
        lost = np.flatnonzero(gram.diagonal() <= _LOST)
        gram[lost], gram[:, lost] = 0.0, 0.0
        apart = (table.mean - mean[:-1]) / table.size
        return cls(table, gram, table.gram + np.outer(apart, apart) - part.mass * gram)

    def errors(self, nodes: Index, alphas: Array, may_stop: bool) -> Array:
        """Sums of squared errors over nodes, for the first alphas; all of them unless it may stop."""
        trails = {int(j): _trail(self.gram, int(j)) for j in nodes}
        found = np.zeros(0)
        step = _AT_ONCE if may_stop else alphas.size
        for begin in range(0, alphas.size, step):
            some = alphas[begin : begin + step]
            (errors,) = self.table.over_nodes(partial(self._errors, trails, some, float(alphas[-1])), nodes)
            found = np.append(found, errors.sum(axis=0))
            if may_stop and found[-1] > _PAST * found.min():
                break
        return found

    def _errors(self, trails: dict[int, GramPath], alphas: Array, least: float, nodes: Index) -> tuple[Array]:
        errors = np.zeros((nodes.size, alphas.size))
        for at, j in enumerate(nodes.tolist()):
            coef = trails[j].follow(_penalty(j, self.gram.shape[0], least), alphas, _MOST_STEPS).coef
            used = np.flatnonzero(coef.any(axis=0))
            c = coef[:, used]
            errors[at] = self.held[j, j] - 2 * (c @ self.held[used, j])
            errors[at] += ((c @ self.held[np.ix_(used, used)]) * c).sum(axis=1)
        return (errors,)


def _trail(gram: Array, j: int) -> GramPath:
    return GramPath(gram, np.zeros(gram.shape[0]), gram[j].copy())


def _penalty(j: int, p: int, least: float) -> ElasticNet:
    """The penalty at alpha = 1 that keeps column j out for all alphas from `least` on: correlations are at most 1."""
    strength = np.ones(p)
    strength[j] = 4.0 / least
    return ElasticNet(strength)


def _descended(gram: Array, chosen: float, nodes: Index) -> tuple[Array, Array]:
    """The alphas of the nodes, and the coefficients of the columns in their residuals."""
    p = gram.shape[0]
    alpha, direction = np.zeros(nodes.size), np.zeros((nodes.size, p))
    for at, j in enumerate(nodes.tolist()):
        alpha[at], coef = _node(gram, j, chosen)
        direction[at] = -coef
        direction[at, j] = 1.0
    return alpha, direction


def _node(gram: Array, j: int, chosen: float) -> tuple[float, Array]:
    """The alpha of one node and its coefficients."""
    penalty, trail = _penalty(j, gram.shape[0], _LEAST_DOWN * _DOWN * chosen), _trail(gram, j)
    others = np.abs(gram[j])
    others[j] = 0.0
    top = max(float(others.max()), chosen)
    steps = int(np.ceil(np.log(chosen / top) / np.log(_STEP)))
    found = trail.follow(penalty, chosen * (top / chosen) ** (1.0 - np.arange(steps + 1) / max(steps, 1)), _MOST_STEPS)
    alpha, coef = chosen, found.coef[-1]
    most = _GROWTH * float(_variances(gram[j], j, found.coef[-1:], found.slope[-1:])[0])
    while alpha > _LEAST_DOWN * chosen:
        alphas = np.float64(alpha) * np.power(_DOWN, np.arange(1.0, _AT_ONCE + 1))
        alphas = alphas[alphas >= _LEAST_DOWN * _DOWN * chosen]
        found = trail.follow(penalty, alphas, _MOST_STEPS)
        below = _variances(gram[j], j, found.coef, found.slope) < most
        good = int(np.argmin(np.append(below, False)))
        if good:
            alpha, coef = float(alphas[good - 1]), found.coef[good - 1]
        if good < alphas.size:
            break
    return alpha, coef


def _variances(row: Array, j: int, coef: Array, slope: Array) -> Array:
    """``|z|^2 / (z'x_j)^2`` for residuals z, one for each row of `coef`."""
    own = row[j] - coef @ row
    return np.maximum(own - (coef * slope).sum(axis=1), 0.0) / own**2


def _proved(
    design: Design, weight: Array, mean: Array, size: Array, common: float, alpha: Array, direction: Array
) -> Nodewise:
    """The products of the residuals with the columns and with each other, from the data, and the gaps."""
    p = size.size
    cross, products, square = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p)
    for begin in range(0, design.n_samples, BLOCK):
        index = np.arange(begin, min(begin + BLOCK, design.n_samples))
        rows, w = (design.rows(index) - mean) / size, weight[index]
        residual = rows @ direction.T
        weighted = w[:, None] * residual
        cross += weighted.T @ rows
        products += weighted.T @ weighted
        square += (weighted * residual).sum(axis=0)
    own = cross.diagonal().copy()
    gap, largest = _gaps(cross, direction, square, alpha)
    # Residuals are those of columns at unit scale from here on.
    return Nodewise(
        common=common,
        alpha=alpha,
        gap=gap,
        direction=direction * (size[:, None] / size),
        own=own * size**2,
        products=products * size * size[:, None],
        bias_factor=np.sqrt(design.n_samples) * largest / np.sqrt(square),
    )


def _gaps(cross: Array, direction: Array, square: Array, alpha: Array) -> tuple[Array, Array]:
    """Relative duality gaps of the nodes, and their largest slopes; ``cross[j, k]`` is the product of z_j and x_k.

    The residual, shrunk until all slopes are feasible, is the dual.
    """
    coef = -direction
    np.fill_diagonal(coef, 0.0)
    slope = cross.copy()
    np.fill_diagonal(slope, 0.0)
    largest = np.abs(slope).max(axis=1)
    shrink = np.maximum(largest / alpha, 1.0)
    terms = np.abs(coef) * np.maximum(alpha[:, None] - np.sign(coef) * slope / shrink[:, None], 0.0)
    objective = square / 2 + alpha * np.abs(coef).sum(axis=1)
    return (square / 2 * (1 - 1 / shrink) ** 2 + terms.sum(axis=1)) / objective, largest
