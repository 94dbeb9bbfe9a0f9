"""The canonical optimum from its definition: linear programs for ranges of predictions, a quadratic one for the rest.

Nothing here knows of duals, of faces or of their constraints: an optimum is a point whose objective is not above the
smallest one.
"""

from __future__ import annotations

import warnings

import cvxpy as cp
import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse as sp

from tests.campaign.formula import EPS, LONG, ROUNDINGS

# Objectives this much above the optimum, at unit scale, count as optimal.
ROOM = 1e-11
# Predictions of the answer and of the oracle, at unit scale, differ by less than this.
CLOSE = 1e-3
# Tables of more different rows are not judged: each takes two linear programs of 50 ms, and fits have several targets.
MOST_ROWS = 200


class Centre:
    """The optima of ``sum weight * (up max(r, 0) + down max(-r, 0)) + sum strength |b|`` at unit scale.

    Attributes
    ----------
    low, high
        The smallest and the largest prediction of each row among the optima.
    prediction, coef
        Those of the optimum whose predictions are nearest to the middle, the smallest coefficients among them; None
        where the quadratic program fails, or ends at a point that is not an optimum.
    """

    def __init__(
        self, X, y, weight, up=1.0, down=1.0, strength=0.0, *, positive=False, fit_intercept=True, bounds=None
    ):
        self.n_samples, self.n_features = X.shape
        self.Z = np.hstack([X, np.ones((y.size, 1))]) if fit_intercept else X
        self.y, self.weight, self.up, self.down = y, weight / weight.sum(), up, down
        self.strength = np.zeros(self.Z.shape[1])
        self.strength[: self.n_features] = strength
        lower, upper = bounds or (0.0 if positive else -np.inf, np.inf)
        self.lower, self.upper = np.full(self.Z.shape[1], -np.inf), np.full(self.Z.shape[1], np.inf)
        self.lower[: self.n_features], self.upper[: self.n_features] = lower, upper
        self.least = self._best(np.zeros(self.Z.shape[1]), None)
        rows, place = np.unique(self.Z, axis=0, return_inverse=True)  # equal rows have one prediction
        ends = [(self._best(z, self.least), -self._best(-z, self.least)) for z in rows]
        self.low, self.high = np.array(ends)[place].T
        self.coef = self._nearest()
        if self.coef is not None and abs(self._objective(self.coef) - self.least) > 100 * ROOM * (1 + self.least):
            self.coef = None
        self.prediction = None if self.coef is None else self.Z @ self.coef

    def _best(self, aim, least):
        """The smallest objective, or the smallest ``aim @ b`` where the objective is at most `least`."""
        n_columns, n_samples = self.Z.shape[1], self.n_samples
        unit = sp.eye_array(n_samples)
        table = sp.hstack([self.Z, -self.Z, unit, -unit], format="csc")
        cost = np.concatenate([self.strength, self.strength, self.weight * self.up, self.weight * self.down])
        fewest, most = np.zeros(cost.size), np.full(cost.size, np.inf)
        # The parts of each coefficient above and below zero.
        for part, (low, high) in enumerate([(self.lower, self.upper), (-self.upper, -self.lower)]):
            span = slice(part * n_columns, (part + 1) * n_columns)
            fewest[span], most[span] = np.maximum(low, 0.0), np.maximum(high, 0.0)
        limit = {} if least is None else {"A_ub": cost[None, :], "b_ub": [least + ROOM * (1 + abs(least))]}
        result = scipy.optimize.linprog(
            cost if least is None else np.concatenate([aim, -aim, np.zeros(2 * n_samples)]),
            A_eq=table,
            b_eq=self.y,
            bounds=np.column_stack([fewest, most]),
            method="highs-ds",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
            **limit,
        )
        if result.status:
            raise ArithmeticError(result.message)
        return result.fun

    def _objective(self, coef):
        residual = self.y - self.Z @ coef
        loss = self.weight @ (self.up * np.maximum(residual, 0.0) + self.down * np.maximum(-residual, 0.0))
        return loss + self.strength @ np.abs(coef)

    def _nearest(self):
        coef = cp.Variable(self.Z.shape[1])
        residual = self.y - self.Z @ coef
        loss = self.weight @ (self.up * cp.pos(residual) + self.down * cp.neg(residual))
        optimal = [loss + self.strength @ cp.abs(coef) <= self.least + 10 * ROOM * (1 + abs(self.least))]
        for k, ends in enumerate((self.lower, self.upper)):
            optimal += [(coef[j] >= ends[j], coef[j] <= ends[j])[k] for j in np.flatnonzero(np.isfinite(ends))]
        moving = np.flatnonzero(self.high - self.low > 1e-7)
        middle = (self.low + self.high)[moving] / 2
        if moving.size:
            above = 2 * self.y[moving] > (self.low + self.high)[moving]
            cost = self.weight[moving] * np.where(above, self.up, self.down) / (self.high - self.low)[moving]
            apart = cp.multiply(np.sqrt(cost), self.Z[moving] @ coef - middle)
            if not _solve(cp.sum_squares(apart), optimal):
                return None
            optimal.append(cp.abs(self.Z[moving] @ (coef - coef.value)) <= 1e-7)
        return coef.value if _solve(cp.sum_squares(coef[: self.n_features]), optimal) else None


def _solve(objective, constraints):
    tight = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem = cp.Problem(cp.Minimize(objective), constraints)
            problem.solve(solver="CLARABEL", **tight)
    except cp.SolverError:
        return False
    return problem.status in ("optimal", "optimal_inaccurate")


def off_centre(formula, answer):
    """What the definition says against an optimum that is not unique; nothing where it is not judged."""
    posed = None if answer.unique or answer.warned or _beats_rounding(formula, answer) else _posed(formula)
    if posed is None:
        return []
    X, y, unit, kept, middle = posed
    size = np.abs(formula.X[:, kept]).max(axis=0)
    try:
        centre = Centre(
            X,
            y,
            formula.weight.astype(float),
            formula.loss.up,
            formula.loss.down,
            (formula.strength[kept] / size).astype(float),
            fit_intercept=formula.fit_intercept,
            bounds=[(end[kept] * size / unit).astype(float) for end in formula.limits],
        )
    except ArithmeticError:
        return []
    prediction = ((formula.y - formula.residual(answer.coef, answer.intercept) - middle) / unit).astype(float)
    # The answer is optimal, as others have judged: where it is outside of the ranges, these are wrong.
    missed = np.any((prediction < centre.low - CLOSE) | (prediction > centre.high + CLOSE))
    if centre.prediction is None or missed:
        return []
    apart = np.abs(prediction - centre.prediction).max()
    return [f"off centre: predictions are {apart:.3g} apart"] if apart > CLOSE else []


def _beats_rounding(formula, answer):
    """Whether the gap is zero where rounding an intercept to float64 would cost any other optimum its proof.

    A vertex in whole numbers has no rounding, at y = 1e9 + {0, 1} for example; the centre has.
    """
    return answer.gap == 0 and EPS * abs(answer.intercept) > 1e-9 * formula.objective(answer.coef, answer.intercept)


def _posed(formula):
    """Columns and target at unit scale, and how they got there; None where the oracle sees too little."""
    loss = formula.loss
    largest = np.abs(formula.X).max(axis=0, initial=0)
    kept = np.isfinite(formula.strength) & (largest > 0)
    if loss.square or loss.up + loss.down == 0 or formula.ridge.any() or not kept.any():
        return None
    # A strength above any slope keeps its coefficient at rest; numbers that large are nothing for a quadratic program.
    kept &= formula.strength <= 1.01 * max(loss.up, loss.down) * largest
    if not kept.any():
        return None
    rest = np.where(np.isfinite(formula.strength), np.clip(0, *formula.limits), 0)
    y = formula.y - formula.X[:, ~kept] @ rest[~kept]
    middle = np.median(y) if formula.fit_intercept else LONG(0)
    middle, y = formula.y - y + middle, y - middle
    size = np.abs(y[y != 0])
    if size.size == 0 or size.max() > 1e3 * size.min() or not _are_told_apart(formula.weight):
        return None
    # Targets that differ by their last bits are predicted up to rounding.
    if size.max() <= ROUNDINGS * EPS * np.abs(middle).max():
        return None
    X = formula.X[:, kept] / largest[kept]
    columns = np.hstack([X, np.ones((y.size, int(formula.fit_intercept)))]).astype(float)
    singular = np.linalg.svd(columns)[1]
    if np.any((singular < 1e-3 * singular[0]) & (singular > 1e-13 * singular[0])):
        return None
    held = np.isfinite(formula.limits).any(axis=0)[kept] | (formula.strength[kept] > 0)
    if held.any() and not _are_apart(columns):
        return None
    strength = formula.strength[kept] / largest[kept]
    if np.any((strength > 0) & (strength < 1e-4)) or len(np.unique(columns, axis=0)) > MOST_ROWS:
        return None
    return X.astype(float), (y / size.max()).astype(float), size.max(), kept, middle


def _are_apart(columns):
    """Whether no columns are nearly dependent, whatever others can predict in their place.

    Where coefficients have kinks or limits, an optimum has some of the columns, whose predictions rounding has to tell
    apart: a combination of them that is nearly zero is zero with next to nothing of the others.
    """
    _, singular, right = np.linalg.svd(columns, full_matrices=columns.shape[0] < columns.shape[1])
    null = right[np.count_nonzero(singular > 1e-13 * singular[0]) :]
    triangle = scipy.linalg.qr(null, mode="r", pivoting=True)[0]
    entries = np.abs(scipy.linalg.solve_triangular(triangle[:, : null.shape[0]], triangle))
    return not np.any((entries < 1e-3) & (entries > 1e-12))


def _are_told_apart(weight):
    """Whether weights are equal or far from it, and none is next to nothing: sums of others are no ties by rounding."""
    weight = np.sort(weight) / weight.max()
    step = np.diff(weight)
    return weight[0] > 1e-3 and not np.any((step > 0) & (step < 1e-6))
