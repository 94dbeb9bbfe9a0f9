"""The lasso by coordinate descent with soft-thresholding.

Coordinate descent on a working set (Friedman, Hastie and Tibshirani 2010, doi 10.18637/jss.v033.i01) finds the support;
Newton steps on the support finish the last digits. The stopping rule is the certificate's gap, never a change of
coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ladreg._design import DenseDesign, Design, SparseDesign
from ladreg._kernels import _cd
from ladreg._penalties import L1
from ladreg._problem import Problem, Proof, Solution, StopReason
from ladreg.solvers import active_set, vertex

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Epochs over the working set between two looks at it.
_BURST = 60
# The working set holds the support and as many again of the features that violate their condition most, at least these.
_LEAST_WORKING = 50
# Looks at a working set before all features are looked at again.
_ROUNDS = 20
# Signs have settled when fewer than this part of them change in a burst; so many bursts are waited for that.
_FEW, _PATIENCE = 0.02, 5
# Largest Gram matrix; larger working sets are descended by residuals.
_LARGEST_GRAM = 2000
# Up to so many features are all in the working set.
_SMALL = 100
# A working set is solved to this part of the whole gap.
_INNER = 0.03
# Columns whose mean square about their mean is below this part of their mean square are constant.
_CONSTANT = 1e-28
# Gaps below this part of mean(y^2) are rounding.
_ROUNDING = 4 * float(np.finfo(float).eps)
# Above this relative gap the dual is not exact enough to tell the optimal face.
_FACE_GAP = 1e-10


def solve(
    problem: Problem,
    *,
    start: tuple[Array, float] | None = None,
    tol: float = 1e-10,
    max_iter: int | None = None,
) -> Solution:
    """Solve a problem with loss `HalfSquared` at unit scale (see `scaling`).

    Parameters
    ----------
    problem
        Loss `HalfSquared`, any penalty `L1`.
    start
        Coefficients to start from.
    tol
        Stop when the gap is at most ``tol * sum(weight * (y - mean)^2)``.
    max_iter
        Largest number of epochs over features.

    Notes
    -----
    1. Working set: the features that are not zero, and those that violate their optimality condition most.
    2. On it, bursts of coordinate descent, then Newton steps on the support, until the gap of the restricted problem is
       a tenth of the whole one's.
    3. Certify on all features; stop at the tolerance.
    4. Where the optimum is not unique, go to the canonical one.
    """
    columns = _Centred.of(problem)
    coef = np.zeros(problem.n_features) if start is None else start[0].copy()
    limit = 10_000 if max_iter is None else max_iter
    goal = max(tol, _ROUNDING) * float(columns.weight @ columns.y**2)
    stats = {"n_epochs": 0, "n_checks": 0, "n_newton": 0, "largest_working_set": 0}
    proof, stopped = columns.prove(coef), StopReason.ITERATION_LIMIT
    while stats["n_epochs"] < limit:
        before = coef.copy()
        # 1.
        slope = columns.slope(coef, proof)
        working = columns.working_set(coef, slope)
        stats["largest_working_set"] = max(stats["largest_working_set"], working.size)
        # 2.
        enough = max(goal, _INNER * proof.gap)
        if working.size <= _LARGEST_GRAM:
            coef = _descend(columns, working, coef, slope, enough, limit, stats)
        else:
            coef = _descend_by_residuals(columns, working, coef, enough, limit, stats)
        # 3.
        proof = columns.prove(coef)
        stats["n_checks"] += 1
        if proof.gap <= goal:
            coef, proof = _refined(columns, coef, proof, stats)
            stopped = StopReason.TOLERANCE
            break
        if np.array_equal(coef, before):
            stopped = StopReason.STALLED
            break
    return _finished(problem, columns, coef, proof, stopped, stats)


def _descend(
    columns: _Centred, working: Index, coef: Array, slope: Array, goal: float, limit: int, stats: dict[str, int]
) -> Array:
    """Step 2 on the Gram matrix of the working set: no pass over rows until its gap is at most `goal`."""
    penalty = columns.problem.penalty
    gram, begin, slope = columns.gram.of(working), coef[working], slope[working]
    loss = 0.5 * float(columns.weight @ columns.residual(coef) ** 2)
    restricted = _Restricted(gram, L1(penalty.strength[working], penalty.positive), begin, slope, loss)
    here, signs = begin.copy(), np.sign(begin)
    for number in range(_ROUNDS):
        n_epochs = min(_BURST, limit - stats["n_epochs"])
        if n_epochs <= 0:
            break
        descended = restricted.slope(here)
        stats["n_epochs"] += _cd.gram_burst(
            gram, restricted.penalty.strength, penalty.positive, n_epochs, here, descended
        )
        # A Newton step is worth its factorisation once the signs have settled, or if they never do.
        signs, before = np.sign(here), signs
        changes = int(np.count_nonzero(signs != before))
        if changes <= _FEW * np.count_nonzero(signs) or number % _PATIENCE == _PATIENCE - 1:
            refined = restricted.newton(here)
            stats["n_newton"] += 1
            if restricted.value(refined) <= restricted.value(here):
                here = refined
        if restricted.gap(here) <= goal:
            break
    coef = coef.copy()
    coef[working] = here
    return coef


def _descend_by_residuals(
    columns: _Centred, working: Index, coef: Array, goal: float, limit: int, stats: dict[str, int]
) -> Array:
    """Step 2 for working sets whose Gram matrix would be too large."""
    for _ in range(_ROUNDS):
        n_epochs = min(_BURST, limit - stats["n_epochs"])
        if n_epochs <= 0:
            break
        columns.burst(working, n_epochs, coef, columns.residual(coef))
        stats["n_epochs"] += n_epochs
        refined = columns.newton(coef)
        stats["n_newton"] += 1
        if columns.value(refined) <= columns.value(coef):
            coef = refined
        if columns.restricted_gap(working, coef) <= goal:
            break
    return coef


@dataclass(frozen=True)
class _Restricted:
    """The problem in a few features: everything follows from their Gram matrix and what is known at one place."""

    gram: Array
    penalty: L1
    begin: Array
    begin_slope: Array
    begin_loss: float

    def slope(self, coef: Array) -> Array:
        """The gradient of minus the loss."""
        return self.begin_slope - self.gram @ (coef - self.begin)

    def loss(self, coef: Array) -> float:
        """Half the mean square."""
        change = coef - self.begin
        return max(self.begin_loss - 0.5 * float(change @ (self.begin_slope + self.slope(coef))), 0.0)

    def value(self, coef: Array) -> float:
        """The objective."""
        return self.loss(coef) + self.penalty.value(coef)

    def gap(self, coef: Array) -> float:
        """Duality gap of the problem in these features."""
        return _gap(self.penalty, coef, self.slope(coef), self.loss(coef))

    def newton(self, coef: Array) -> Array:
        """See `active_set.newton`."""
        return active_set.newton(
            coef,
            self.penalty,
            lambda support: self.gram[np.ix_(support, support)],
            lambda now, support: self.begin_slope[support] - self.gram[support] @ (now - self.begin),
        )


def _gap(penalty: L1, coef: Array, slope: Array, loss: float) -> float:
    """Duality gap by the dual that the residual is, shrunk."""
    penalised = penalty.strength > 0
    used = penalty.excess(slope)[penalised] / penalty.strength[penalised]
    shrink = max(1.0, float(np.max(used, initial=0.0)))
    terms = np.abs(coef) * np.maximum(penalty.strength - np.sign(coef) * slope / shrink, 0.0)
    return loss * (1.0 - 1.0 / shrink) ** 2 + float(terms.sum())


def _refined(columns: _Centred, coef: Array, proof: Proof, stats: dict[str, int]) -> tuple[Array, Proof]:
    """Newton steps for as long as each lowers the gap tenfold: the last digits cost as little as the first."""
    for _ in range(5):
        refined = columns.newton(coef)
        better = columns.prove(refined)
        stats["n_newton"] += 1
        done = better.gap > 0.1 * proof.gap
        if better.gap <= proof.gap:
            coef, proof = refined, better
        if done:
            break
    return coef, proof


def _finished(
    problem: Problem,
    columns: _Centred,
    coef: Array,
    proof: Proof,
    stopped: StopReason,
    stats: dict[str, int],
) -> Solution:
    """Step 4: the certified answer, or the canonical one on its optimal face."""
    name = "coordinate descent"
    n_epochs = max(stats["n_epochs"], 1)
    solution = problem.certify(
        coef, columns.intercept(coef), proof.dual, n_iter=n_epochs, stopped=stopped, solver=name, stats=stats
    )
    squares = float(problem.weight @ problem.y**2)
    rough = solution.gap > _FACE_GAP * max(solution.objective, squares * _FACE_GAP)
    # Without any constraint on the dual's slopes the face is known, however rough the dual.
    if solution.unique or (rough and (problem.penalty.strength.any() or problem.penalty.positive)):
        return solution
    exact = vertex.canonical(problem, solution.dual)
    if exact is None:
        return solution
    chosen = problem.certify(*exact, n_iter=n_epochs, stopped=stopped, solver=name, stats=stats)
    # Where the data are fitted exactly, gaps are squares of rounding errors.
    rounding = 1e-12 * solution.objective + 1e-26 * squares
    return chosen if chosen.gap <= solution.gap + rounding else solution


class _Centred:
    """The problem with the intercept eliminated: columns and target minus their weighted means, never stored.

    Dense columns are centred as they are read; sparse ones keep their zeros, and one number holds what centring
    would add to every residual.
    """

    def __init__(self, problem: Problem, design: Design, mean: Array) -> None:
        self.problem = problem
        self.design = design
        self.mean = mean
        self.weight = np.ascontiguousarray(problem.weight)
        self.y_mean = float(self.weight @ problem.y) if problem.fit_intercept else 0.0
        self.y = problem.y - self.y_mean
        self.gram = _Gram(self)

    @cached_property
    def curvature(self) -> Array:
        """Mean square of each column; zero where it cannot be told from that of a constant column."""
        problem, mean = self.problem, self.mean
        curvature = problem.design.curvatures(self.weight, mean)
        curvature[curvature <= _CONSTANT * problem.design.curvatures(self.weight, np.zeros_like(mean))] = 0.0
        return curvature

    def cross(self, features: Index, others: Index) -> Array:
        """Products of centred columns."""
        offset = self._offset()
        return self.design.cross(self.weight, features, others) - np.outer(offset[features], offset[others])

    @classmethod
    def of(cls, problem: Problem) -> _Centred:
        design = problem.design
        mean = design.means(problem.weight) if problem.fit_intercept else np.zeros(problem.n_features)
        if isinstance(design, SparseDesign):
            chosen = design if design.X.format == "csc" else SparseDesign(design.X.tocsc(), design.shift, design.scale)
            return cls(problem, chosen, mean)
        return cls(problem, design.rescaled(mean, np.ones_like(mean)), mean)

    def _offset(self) -> Array:
        """What must still be subtracted from the columns of `design`."""
        return self.mean if isinstance(self.design, SparseDesign) else np.zeros_like(self.mean)

    def residual(self, coef: Array) -> Array:
        """Centred residual, from the data."""
        support = np.flatnonzero(coef)
        if 4 * support.size > coef.size:
            predicted = self.design.matvec(coef)
        else:
            predicted = self.design.select(support).matvec(coef[support])
        return self.y - predicted + float(self._offset() @ coef)

    def intercept(self, coef: Array) -> float:
        """The best intercept for `coef`."""
        return self.y_mean - float(self.mean @ coef) if self.problem.fit_intercept else 0.0

    def prove(self, coef: Array) -> Proof:
        """Certificate of `coef` with the dual that its residual is."""
        return self.problem.prove(coef, self.intercept(coef), self.problem.weight * self.residual(coef))

    def value(self, coef: Array) -> float:
        """Objective, the intercept eliminated."""
        return 0.5 * float(self.problem.weight @ self.residual(coef) ** 2) + self.problem.penalty.value(coef)

    def slope(self, coef: Array, proof: Proof) -> Array:
        """``X'(weight * residual)``; `proof` has it, unless it had to change its dual for columns without penalty."""
        if (self.problem.penalty.strength == 0).any():
            return self.design.rmatvec(self.weight * self.residual(coef))
        return proof.slope * proof.shrink

    def working_set(self, coef: Array, slope: Array) -> Index:
        """The support and the zero coefficients that violate their condition most, at most as many again."""
        penalty = self.problem.penalty
        if coef.size <= _SMALL:
            return np.arange(coef.size)
        violation = penalty.excess(slope) - penalty.strength
        violation[coef != 0] = np.inf
        wanted = np.flatnonzero((violation > 0) | (penalty.strength == 0))
        room = max(_LEAST_WORKING, 2 * int(np.count_nonzero(coef)))
        if wanted.size > room:
            wanted = wanted[np.argpartition(-violation[wanted], room - 1)[:room]]
        return np.sort(wanted).astype(np.intp)

    def restricted_gap(self, working: Index, coef: Array) -> float:
        """Duality gap of the problem in the working features alone."""
        penalty, residual = self.problem.penalty, self.residual(coef)
        slope = self.design.select(working).rmatvec(self.weight * residual)
        loss = 0.5 * float(self.weight @ residual**2)
        return _gap(L1(penalty.strength[working], penalty.positive), coef[working], slope, loss)

    def newton(self, coef: Array) -> Array:
        """See `active_set.newton`; the slopes are those of the true residual."""
        if np.count_nonzero(coef) > min(2 * self.problem.n_samples, _LARGEST_GRAM):
            return coef

        def slope(now: Array, support: Index) -> Array:
            return self.design.select(support).rmatvec(self.weight * self.residual(now))

        return active_set.newton(coef, self.problem.penalty, self.gram.of, slope)

    def burst(self, features: Index, n_epochs: int, coef: Array, residual: Array) -> None:
        """Epochs of coordinate descent over `features`; `coef` and `residual` are updated in place."""
        penalty = self.problem.penalty
        common = (
            self.weight,
            self.curvature,
            penalty.strength,
            penalty.positive,
            features,
            n_epochs,
            coef,
            residual,
        )
        design = self.design
        if isinstance(design, SparseDesign):
            X = design.X
            _, shift = _cd.sparse_burst(
                X.data, X.indices, X.indptr, self.mean / design.scale, design.scale, *common, 0.0
            )
            residual += shift
        elif isinstance(design, DenseDesign):
            _cd.dense_burst(design.X, design.shift, design.scale, *common)


class _Gram:
    """Products of the columns that have been asked for, kept and extended as more are."""

    def __init__(self, columns: _Centred) -> None:
        self.columns = columns
        self.place = np.full(columns.problem.n_features, -1, dtype=np.intp)
        self.features = np.zeros(0, dtype=np.intp)
        self.matrix = np.zeros((0, 0))

    def of(self, features: Index) -> Array:
        """The Gram matrix of the chosen columns."""
        new = features[self.place[features] < 0]
        if new.size:
            self._extend(new)
        at = self.place[features]
        return self.matrix[np.ix_(at, at)]

    def _extend(self, new: Index) -> None:
        known = self.features.size
        self.features = np.concatenate([self.features, new])
        self.place[new] = known + np.arange(new.size)
        cross = self.columns.cross(new, self.features)
        # A column that is constant up to rounding cannot be told from one that is constant.
        square = cross[np.arange(new.size), known + np.arange(new.size)]
        constant = np.flatnonzero(square <= _CONSTANT * (square + self.columns.mean[new] ** 2))
        cross[constant], cross[:, known + constant] = 0.0, 0.0
        matrix = np.empty((self.features.size,) * 2)
        matrix[:known, :known] = self.matrix
        matrix[known:], matrix[:known, known:] = cross, cross[:, :known].T
        self.matrix = matrix
