"""The lasso by coordinate descent with soft-thresholding (Friedman, Hastie and Tibshirani 2010, doi 10.18637/jss.v033.i01).

Coordinate descent finds the support; Newton steps on the support finish the last digits. The stopping rule is the
certificate's gap, never a change of coefficients.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ladreg._design import DenseDesign, Design, SparseDesign
from ladreg._kernels import _cd
from ladreg._problem import Problem, Proof, Solution, StopReason
from ladreg.solvers import vertex

Array = NDArray[np.float64]

# Epochs on the support between two epochs on all features.
_BURST = 10
# After this many checks Newton steps are tried whether or not the signs have settled.
_PATIENCE = 4
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
    1. One epoch over all features, then a burst over those that are not zero.
    2. Recompute the residual, certify; stop at the tolerance.
    3. When the signs have settled, take Newton steps on the support, cut at the first change of sign.
    4. Where the optimum is not unique, go to the canonical one.
    """
    columns = _Centred.of(problem)
    coef = np.zeros(problem.n_features) if start is None else start[0].copy()
    limit = 10_000 if max_iter is None else max_iter
    everything = np.arange(problem.n_features, dtype=np.intp)
    goal = max(tol, _ROUNDING) * float(problem.weight @ columns.y**2)
    signs = np.full(problem.n_features, 2.0)
    n_epochs, n_checks, n_newton = 0, 0, 0
    proof, stopped = columns.prove(coef), StopReason.ITERATION_LIMIT
    while True:
        before = coef.copy()
        # 1.
        n_epochs += 1
        residual = columns.residual(coef)
        columns.burst(everything, 1, coef, residual)
        support = np.flatnonzero(coef)
        if support.size and n_epochs < limit:
            n_burst = min(_BURST, limit - n_epochs)
            columns.burst(support, n_burst, coef, residual)
            n_epochs += n_burst
        # 2.
        proof, n_checks = columns.prove(coef), n_checks + 1
        # 3.
        settled = np.array_equal(np.sign(coef), signs)
        if settled or proof.gap <= goal or n_checks >= _PATIENCE:
            coef, proof, n_tries = _refined(columns, coef, proof)
            n_newton += n_tries
        signs = np.sign(coef)
        if proof.gap <= goal:
            stopped = StopReason.TOLERANCE
        elif np.array_equal(coef, before):
            stopped = StopReason.STALLED
        elif n_epochs < limit:
            continue
        break
    stats = {"n_epochs": n_epochs, "n_checks": n_checks, "n_newton": n_newton}
    return _finished(problem, columns, coef, proof, n_epochs, stopped, stats)


def _refined(columns: _Centred, coef: Array, proof: Proof) -> tuple[Array, Proof, int]:
    """Newton steps for as long as each lowers the gap tenfold: the last digits cost as little as the first."""
    for n_tries in range(1, 6):
        refined = columns.newton(coef)
        better = columns.prove(refined)
        done = better.gap > 0.1 * proof.gap
        if better.gap <= proof.gap:
            coef, proof = refined, better
        if done:
            break
    return coef, proof, n_tries


def _finished(
    problem: Problem,
    columns: _Centred,
    coef: Array,
    proof: Proof,
    n_epochs: int,
    stopped: StopReason,
    stats: dict[str, float],
) -> Solution:
    """Step 4: the certified answer, or the canonical one on its optimal face."""
    name = "coordinate descent"
    solution = problem.certify(
        coef, columns.intercept(coef), proof.dual, n_iter=n_epochs, stopped=stopped, solver=name, stats=stats
    )
    squares = float(problem.weight @ problem.y**2)
    if solution.unique or solution.gap > _FACE_GAP * max(solution.objective, squares * _FACE_GAP):
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
        self.y_mean = float(problem.weight @ problem.y) if problem.fit_intercept else 0.0
        self.y = problem.y - self.y_mean
        self.curvature = problem.design.curvatures(problem.weight, mean)
        # A column that is constant up to rounding cannot be told from one that is constant.
        size = problem.design.curvatures(problem.weight, np.zeros_like(mean))
        self.curvature[self.curvature <= 1e-28 * size] = 0.0

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
        return self.y - self.design.matvec(coef) + float(self._offset() @ coef)

    def intercept(self, coef: Array) -> float:
        """The best intercept for `coef`."""
        return self.y_mean - float(self.mean @ coef) if self.problem.fit_intercept else 0.0

    def prove(self, coef: Array) -> Proof:
        """Certificate of `coef` with the dual that its residual is."""
        return self.problem.prove(coef, self.intercept(coef), self.problem.weight * self.residual(coef))

    def newton(self, coef: Array) -> Array:
        """Newton steps on the support from the true residual, each cut at the first change of sign.

        Where the columns of the support are dependent, the step goes along them instead, which leaves the fit alone
        and lowers the penalty, until a coefficient is zero.
        """
        coef = coef.copy()
        weight, strength = self.problem.weight, self.problem.penalty.strength
        support = np.flatnonzero(coef)
        if support.size == 0 or support.size > 4 * self.problem.n_samples:
            return coef
        gram = self._gram(support)
        n_full = 0
        for _ in range(support.size + 2):
            sign = np.sign(coef[support])
            slope = self.design.rmatvec(weight * self.residual(coef))[support]
            step = _newton_step(gram, slope, strength[support] * sign)
            signed = (strength[support] > 0) | self.problem.penalty.positive
            crosses = signed & (np.sign(coef[support] + step) != sign)
            share = np.where(crosses, np.abs(coef[support]) / np.where(crosses, np.abs(step), 1.0), 1.0)
            cut = float(share.min(initial=1.0))
            coef[support] += cut * step
            n_full += not crosses.any()
            if n_full == 2 or support.size == 0:
                break
            if crosses.any():
                kept = share != cut
                coef[support[~kept]] = 0.0
                support, gram = support[kept], gram[np.ix_(kept, kept)]
        return coef

    def _gram(self, features: NDArray[np.intp]) -> Array:
        gram = self.design.gram(self.problem.weight, features, border=False)
        offset = self._offset()[features]
        return cast("Array", gram - np.outer(offset, offset))

    def burst(self, features: NDArray[np.intp], n_epochs: int, coef: Array, residual: Array) -> None:
        """Epochs of coordinate descent over `features`; `coef` and `residual` are updated in place."""
        penalty = self.problem.penalty
        common = (
            self.problem.weight,
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
            _, shift = _cd.sparse_burst(X.data, X.indices, X.indptr, self.mean / design.scale, design.scale, *common, 0.0)
            residual += shift
        elif isinstance(design, DenseDesign):
            _cd.dense_burst(design.X, design.shift, design.scale, *common)


def _newton_step(gram: Array, slope: Array, pull: Array) -> Array:
    """``gram^-1 (slope - pull)`` by Cholesky; a long step in the null space of `gram` where the penalty pulls there."""
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    gram, pull = gram / np.outer(size, size), pull / size
    gradient = slope / size - pull
    try:
        factor = scipy.linalg.cho_factor(gram, check_finite=False)
        if gram.size and np.min(np.abs(np.diag(factor[0]))) > 1e-6:
            return cast("Array", scipy.linalg.cho_solve(factor, gradient) / size)
    except scipy.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(gram)
    null = values <= 1e-12 * values.max(initial=0.0)
    along = -vectors[:, null] @ (vectors[:, null].T @ pull)
    if np.linalg.norm(along) > 1e-9 * np.linalg.norm(pull):
        return cast("Array", along / size * (1e8 / np.linalg.norm(along)))
    return cast("Array", vectors[:, ~null] @ (vectors[:, ~null].T @ gradient / values[~null]) / size)
