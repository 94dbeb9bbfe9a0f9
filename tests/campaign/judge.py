"""The judge: a lower bound of the optimum from a dual vector that is checked, not trusted, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tests.campaign.exact import exact_gap, long_of, optimum, optimum_near
from tests.campaign.formula import EPS, LONG, ROUNDINGS
from tests.campaign.simplex import simplex_optimum

# Of at most this number of features all patterns of signs can be tried; with limits there are five states of each.
MOST_SIGNS, MOST_ENDS = 6, 4
# Of at most this number the signs of the answer are corrected in fractions until they are those of the optimum.
MOST_COLUMNS = 20


@dataclass
class Answer:
    """What an estimator said: its coefficients, its claims, and the dual vector behind them, if it is known."""

    coef: np.ndarray
    intercept: float
    objective: float | None
    gap: float
    warned: bool
    unique: bool = False
    witness: np.ndarray | None = None


def tangent(formula, coef):
    """The problem with each ridge replaced by its tangent at `coef`: never more than it, and the same there.

    Where a ridge is far below what slopes are known to, this proves more than its conjugate does. The slope of a column
    of zeros is known: its ridge stays, since a tangent has no least value.
    """
    empty = ~formula.columns.any(axis=0)
    ridge = np.where(empty, formula.ridge, 0)
    return replace(formula, ridge=ridge, tilt=(formula.ridge - ridge) * np.asarray(coef, LONG))


def opened(formula, coef):
    """The problem without the limits that coefficients are off: never more than it, and the same there.

    Where a limit is far, this proves more: rounding of a slope beyond its strength costs as much as the limit is far.
    """
    lower, upper = formula.limits
    bounds = np.where(coef > lower, -np.inf, lower), np.where(coef < upper, np.inf, upper)
    return replace(formula, bounds=bounds, positive=False)


def proved_gap(formula, coef, intercept, slopes):
    """An upper bound of objective - optimum from slopes theta / weight, whatever they are.

    Slopes are clipped to the loss's interval. What then exceeds a feature's strength is either shrunk away with the
    whole vector, or, where it is rounding of ``X'theta``, counted against all coefficients in a box around the answer
    as wide as data of this size make them (a convex function that cannot fall in a box cannot fall outside it).
    """
    coef = np.asarray(coef, LONG)
    slopes = np.clip(slopes, *formula.loss.ends())
    residual = formula.residual(coef, intercept)
    product, total = _products(formula, slopes)
    beyond = _beyond(formula, product)
    missed = np.append(beyond, abs(total))
    gap = _parts(formula, coef, residual, slopes, product) + _slack(formula, coef, intercept, slopes, missed)
    bound = (beyond > 0) & (formula.strength > 0)
    if not bound.any():
        return gap
    shrink = np.max(1 + beyond[bound] / formula.strength[bound])
    slopes, product = slopes / shrink, (product + formula.tilt) / shrink - formula.tilt
    inside = (formula.strength > 0) & (formula.tilt == 0)
    missed = np.append(np.where(inside, 0, _beyond(formula, product)), abs(total / shrink))
    other = _parts(formula, coef, residual, slopes, product) + _slack(formula, coef, intercept, slopes, missed)
    return min(gap, other)


def _products(formula, slopes):
    theta = formula.weight * slopes
    return formula.columns.T @ theta - formula.tilt, theta.sum() if formula.fit_intercept else LONG(0)


def _beyond(formula, product):
    """How far each product ``X_j'theta`` is outside the dual set; a ridge has none, an excluded feature neither.

    A finite limit of a coefficient allows every slope on its side.
    """
    lower, upper = formula.limits
    size = np.maximum(np.where(np.isinf(upper), product, 0), np.where(np.isinf(lower), -product, 0))
    excess = np.maximum(size - np.where(np.isinf(formula.strength), 0, formula.strength), 0)
    return np.where((formula.ridge > 0) | np.isinf(formula.strength), 0, excess)


def _parts(formula, coef, residual, slopes, product):
    """The Fenchel-Young terms of rows and features, all nonnegative; what is beyond the dual set is left out.

    `there` is the coefficient at which a feature's conjugate is attained. The product less the slope of the ridge there
    is a slope of the absolute value and, at a limit, a multiplier.
    """
    return formula.weight @ formula.loss.excess(residual, slopes) + _feature_parts(formula, coef, product)


def _feature_parts(formula, coef, product):
    kept = np.isfinite(formula.strength)
    strength, ridge, coef, product = (a[kept] for a in (formula.strength, formula.ridge, coef, product))
    lower, upper = (end[kept] for end in formula.limits)
    beyond = np.sign(product) * np.maximum(np.abs(product) - strength, 0)
    ends = np.where((beyond > 0) & np.isfinite(upper), upper, np.where((beyond < 0) & np.isfinite(lower), lower, 0))
    curved = ridge > 0
    there = np.clip(np.where(curved, beyond / np.where(curved, ridge, 1), ends), lower, upper)
    left = product - ridge * there
    kink = np.where(there == 0, np.clip(left, -strength, strength), np.sign(there) * strength)
    held = left - kink
    held = np.where((held > 0) & (there == upper), held, np.where((held < 0) & (there == lower), held, 0))
    linear = np.maximum(np.abs(coef) * strength - coef * kink, 0) + np.maximum(held * (there - coef), 0)
    return (linear + ridge * (coef - there) ** 2 / 2).sum()


def _slack(formula, coef, intercept, slopes, missed):
    """What missed constraints may cost in the box; infinite where they are more than rounding."""
    _, sizes = formula.sizes(coef, intercept)
    reach = formula.weight @ sizes
    mass = formula.weight @ np.abs(formula.X)
    varied = formula.deviation > 0
    width = reach / np.where(varied, formula.deviation, 1)
    steepest = np.abs(slopes).max(initial=0)
    if np.any(missed > ROUNDINGS * EPS * steepest * np.append(mass, 1)):
        return LONG(np.inf)
    return missed @ np.append(np.where(varied, np.abs(coef) + width, 0), reach)


def snapped(formula, coef, intercept, witness, zero=ROUNDINGS * EPS):
    """The slopes of the pieces that residuals are on; the witness where they are zero up to rounding, at a kink."""
    residual = formula.residual(coef, intercept)
    raw, _ = formula.sizes(coef, intercept)
    slopes = formula.loss.slope(residual)
    if formula.loss.smooth or witness is None:
        return slopes
    within = np.clip(witness, -LONG(formula.loss.down), LONG(formula.loss.up))
    return np.where(np.abs(residual) <= zero * (raw + formula.weight @ raw), within, slopes)


def polished(formula, coef, slopes, *, active, elastic):
    """Slopes moved, in long arithmetic, to where the constraints that should be equalities are.

    Those are the intercept's, those of free features and of violated ones, and with `active` those of all nonzero
    coefficients. Rows inside their kink or their interval take up the correction; or all rows, and the vector is
    shrunk into the interval again.
    """
    coef = np.asarray(coef, LONG)
    low, high = formula.loss.ends()
    slopes = np.clip(slopes, low, high)
    violated = np.zeros(coef.size, bool)
    for _ in range(4):
        product, total = _products(formula, slopes)
        goal, violated = _goals(formula, coef, product, violated, active)
        room = _room(formula, slopes, elastic)
        # Ones first: columns whose sum is constant up to rounding of their means leave nothing beside them.
        columns = np.column_stack([np.ones((slopes.size, int(formula.fit_intercept))), formula.columns[:, violated]])
        missed = (product - goal)[violated]
        missed = np.append(total, missed) if formula.fit_intercept else missed
        slopes = slopes - room * (columns @ _solved(columns, formula.weight * room, missed))
        if elastic == "all" and np.isfinite(high):
            slopes = slopes / max(1, np.max(slopes) / high if high else 1, np.min(slopes) / low if low else 1)
        slopes = np.clip(slopes, low, high)
    return slopes


def _room(formula, slopes, elastic):
    low, high = formula.loss.ends()
    if elastic == "kink":
        low, high = -LONG(formula.loss.down), LONG(formula.loss.up)
    if elastic == "all" or not np.isfinite(high) or high == low:
        return np.ones(slopes.size, LONG)
    return np.maximum(np.minimum(slopes - low, high - slopes) / (high - low), 0)


def _goals(formula, coef, product, violated, active):
    beyond = _beyond(formula, product)
    lower, upper = formula.limits
    inside = (lower < coef) & (coef < upper)
    free = (formula.strength == 0) & (formula.ridge == 0) & np.isinf(lower) & np.isinf(upper)
    violated = violated | (beyond > 0) | free
    if active:
        size = np.maximum(np.where(upper > 0, product, 0), np.where(lower < 0, -product, 0))
        leaves_zero = (coef == 0) & (formula.ridge > 0) & (size > formula.strength)
        tight = ((coef != 0) & inside) | leaves_zero
        violated = violated | (tight & np.isfinite(formula.strength))
    sign = np.where((coef != 0) & inside, np.sign(coef), 1 if formula.positive else np.sign(product))
    return np.where(np.isinf(formula.strength), 0, formula.strength) * sign + formula.ridge * coef, violated


def _solved(Z, weight, goal):
    """u with ``Z' diag(weight) Z u = goal``, by orthogonal columns; dependent ones are left out."""
    root = np.sqrt(weight)[:, None] * Z
    size = np.sqrt((root**2).sum(axis=0))
    size[size == 0] = 1
    root, goal = root / size, goal / size
    u, basis, mixes = np.zeros(size.size, LONG), [], []
    for j in range(size.size):
        column, mix = root[:, j].copy(), np.zeros(size.size, LONG)
        mix[j] = 1
        for _ in range(2):
            for direction, other in zip(basis, mixes, strict=True):
                part = direction @ column
                column, mix = column - part * direction, mix - part * other
        length = np.sqrt(column @ column)
        if length < ROUNDINGS / 4 * EPS:  # but for the last bits of X
            continue
        basis.append(column / length)
        mixes.append(mix / length)
        u += mixes[-1] * (mixes[-1] @ goal)
    return u / size


def best_gap(formula, answer, wanted):
    """The smallest gap that can be proved; the search ends where one is small enough."""
    best = formula.objective(answer.coef, answer.intercept)  # no objective is below zero
    ways = (formula, tangent(formula, answer.coef)) if formula.ridge.any() else (formula,)
    ways += tuple(opened(one, answer.coef) for one in ways) if formula.bounds is not None else ()
    for posed in ways:
        for slopes in _candidates(posed, answer):
            if best <= wanted:
                return best
            best = min(best, proved_gap(posed, answer.coef, answer.intercept, slopes))
    return best


def _witness(formula, answer):
    """The slopes that the dual behind an answer stands for, if it is known."""
    known = answer.witness is not None and np.all(np.isfinite(answer.witness))
    return np.asarray(answer.witness, LONG) / formula.weight if known else None


def _candidates(formula, answer):
    """Dual vectors that may prove the answer, the likeliest first."""
    witness = _witness(formula, answer)
    own = snapped(formula, answer.coef, answer.intercept, witness)
    starts = [own] if witness is None or formula.loss.smooth else [witness, own]
    if witness is not None and formula.loss.smooth:
        starts.append(witness)
    yield from starts
    ways = ("all",) if formula.loss.smooth and np.isinf(formula.loss.bend) else ("room", "kink", "all")
    for active in (False, True):
        for start in starts:
            for elastic in ways:
                yield polished(formula, answer.coef, start, active=active, elastic=elastic)
    # Where limits alone make the objective, the dual is zero, and what a solver has for it is rounding.
    yield np.zeros_like(own)


def complaints(formula, answer):
    """What is wrong with an answer; nothing, for most."""
    coef, intercept = np.asarray(answer.coef), answer.intercept
    if not (np.all(np.isfinite(coef)) and np.isfinite(intercept)):
        return ["coefficients are not finite"]
    found = []
    if np.any(coef[np.isinf(formula.strength)] != 0):
        found.append("an excluded feature has a coefficient")
    lower, upper = formula.limits
    if np.any((coef < lower) | (coef > upper)):
        found.append("a coefficient is beyond its limit")
    if not formula.fit_intercept and intercept != 0:
        found.append("there is an intercept")
    objective = formula.objective(coef, intercept)
    if answer.objective is not None and not (
        abs(LONG(answer.objective) - objective) <= formula.evaluation(coef, intercept)
    ):
        found.append(f"objective_ is {answer.objective:.17g}, not {objective:.17g}")
    if not answer.gap >= 0:
        found.append(f"dual_gap_ is {answer.gap}")
    if answer.unique and (pair := shared_by(formula, coef)) is not None:
        found.append(f"false proof: unique, and equal columns {pair} share a coefficient")
    return found if answer.warned or found else found + _unproved(formula, answer, objective)


def shared_by(formula, coef):
    """Two columns, one an exact multiple of the other, between which a part of a coefficient moves at no cost.

    None if there are none. A part of 1e-6 of the coefficient counts, if it moves predictions by more than rounding,
    beside others that take up the mean of its column: of a smaller coefficient it is not known that it differs from
    zero in the optimum.
    """
    lower, upper = formula.limits
    rounding = ROUNDINGS * EPS * formula.sizes(coef, 0.0)[1].max()
    coef, plain = np.asarray(coef, LONG), np.isfinite(formula.strength) & (formula.ridge == 0)
    for j in np.flatnonzero((coef != 0) & plain & formula.X.any(axis=0)):
        row = np.argmax(np.abs(formula.X[:, j]))
        ratio = formula.X[row] / formula.X[row, j]
        alike = plain & (ratio != 0) & (formula.strength == np.abs(ratio) * formula.strength[j])
        alike[j] = False
        for k in np.flatnonzero(alike):
            if np.any(formula.X[:, k] != ratio[k] * formula.X[:, j]):
                continue
            total = coef[j] + ratio[k] * coef[k]
            least, most = sorted((total - ratio[k] * lower[k], total - ratio[k] * upper[k]))
            least, most = max(least, lower[j], min(total, 0)), min(most, upper[j], max(total, 0))
            column = formula.columns[:, j]
            size = np.abs(column - formula.weight @ column).max()
            seen = size == 0 or (most - least) * size > rounding
            if seen and most - least > 1e-6 * abs(total):
                return int(j), int(k)
    return None


def _unproved(formula, answer, objective):
    wanted = formula.allowed(answer.coef, answer.intercept)
    gap = best_gap(formula, answer, wanted)
    if gap <= wanted:
        # The gap of data that are fitted up to rounding of y is relative to the objective of predicting zero.
        exact = objective <= formula.weight @ formula.loss.value(1e-12 * formula.y)
        claimed = max(wanted, 1e-9 * (formula.weight @ formula.loss.value(formula.y))) if exact else wanted
        return [] if answer.gap <= claimed else [f"no warning: dual_gap_ {answer.gap:.3g}, allowed {claimed:.3g}"]
    gap = min(gap, _gap_of_moved_columns(formula, answer))
    vertex = np.inf if gap <= wanted or formula.loss.smooth else _gap_of_vertex(formula, answer, objective)
    # Where nothing is curved the optimum is known, and no dual proves more.
    known = np.isfinite(vertex) and not (formula.loss.square or formula.ridge.any())
    gap = min(gap, vertex)
    if gap > wanted and not known:
        gap = min(gap, _exact_gap(formula, answer, wanted))
    if gap > wanted and formula.loss.smooth:
        gap = min(gap, _gap_of_signs(formula, answer, objective))
    if gap <= wanted:
        return []
    return [f"silent wrong: gap {gap:.3g}, allowed {wanted:.3g}, objective {objective:.6g}, dual_gap_ {answer.gap:.3g}"]


def _gap_of_vertex(formula, answer, objective):
    """At least the gap, from the optimum without squares, which is less; infinite where that is given up.

    Far below one, y has squares that are nothing.
    """
    linear = replace(formula, loss=replace(formula.loss, square=0.0))
    least = simplex_optimum(linear, answer.coef, answer.intercept)
    return np.inf if least is None else objective - least


def _gap_of_signs(formula, answer, objective):
    """The gap of a squared loss, from the optimum in fractions; infinite where it would cost too much."""
    few = np.count_nonzero(np.isfinite(formula.strength)) <= (MOST_SIGNS if formula.bounds is None else MOST_ENDS)
    found = optimum_near(formula, answer.coef) if formula.strength.size <= MOST_COLUMNS else None
    found = optimum(formula) if found is None and few else found
    return np.inf if found is None else objective - long_of(found)


def _gap_of_moved_columns(formula, answer):
    """An upper bound of the gap where each number of X may differ in its last bit; infinite with a penalty.

    Each column is moved until the dual behind the answer is orthogonal to it, if its last bits suffice. Other products
    are at their price, which is infinite but where a limit allows their sign. Where columns are equal but for last
    digits there may be more to gain in fractions, at coefficients that fit nothing else.
    """
    witness, penalised = _witness(formula, answer), (formula.strength > 0) & np.isfinite(formula.strength)
    if witness is None or penalised.any() or formula.ridge.any():
        return np.inf
    slopes, X, coef = np.clip(witness, *formula.loss.ends()), np.asarray(formula.X, LONG), np.asarray(answer.coef, LONG)
    theta, sizes = formula.weight * slopes, np.abs(X)
    product, terms = X.T @ theta, sizes.T @ np.abs(theta)
    if np.any(_beyond(formula, product) > EPS * terms):
        return np.inf
    move = np.divide(np.abs(product), terms, out=np.zeros_like(terms), where=terms > 0)
    product = np.where(move <= EPS, 0, product)
    move = np.where(move <= EPS, move, 0)
    residual = formula.residual(coef, answer.intercept)
    moved = sizes @ (move * np.abs(coef))
    # The column of ones is as it is.
    total = theta.sum() if formula.fit_intercept else LONG(0)
    offset = abs(total) * (abs(LONG(answer.intercept)) + np.abs(residual).max())
    # The excess is convex in the residual.
    excess = [formula.loss.excess(residual + side * moved, slopes) for side in (-1, 1)]
    return formula.weight @ np.maximum(*excess) + offset + _feature_parts(formula, coef, product)


def _exact_gap(formula, answer, wanted):
    """The gap in fractions, which costs much more: where weights are far apart long arithmetic proves too little."""
    residual, best = formula.residual(answer.coef, answer.intercept), np.inf
    low, high = formula.loss.ends()
    for slopes, ways in _starts_of_fractions(formula, answer):
        slopes = np.clip(slopes, low, high)
        for elastic in ways:
            best = min(best, exact_gap(formula, answer.coef, residual, slopes, _room(formula, slopes, elastic)))
            if best <= wanted:
                return best
    return best


def _starts_of_fractions(formula, answer):
    """Slopes that miss their equations by little, and which rows may take that up.

    The polished ones have found out which bounds are active.
    """
    witness = _witness(formula, answer)
    if witness is not None:
        yield polished(formula, answer.coef, witness, active=True, elastic="room"), ("room",)
    for zero in (ROUNDINGS * EPS, LONG(1e-10)):
        yield snapped(formula, answer.coef, answer.intercept, witness, zero), ("room", "kink", "all")


def refuted(formula, answer, value, coef, intercept, name):
    """What a better point, or an optimum known exactly, says against an answer and its proof.

    A rival with such large coefficients that rounding of X alone moves its objective by as much refutes nothing: it
    lives on digits that the data do not have (columns that are equal but for their last bit). Nor is a proof refuted by
    what float64 does not see of the products of its dual with the columns on the way to the rival.
    """
    objective = formula.objective(answer.coef, answer.intercept)
    distance = objective - value - formula.rounding(coef, intercept)
    if not answer.warned and distance > formula.allowed(answer.coef, answer.intercept):
        return [f"disagreement: {name} reaches {value:.17g}, the answer {objective:.17g}"]
    steep = np.abs(formula.loss.slope(formula.residual(answer.coef, answer.intercept)))
    products = (formula.weight * steep) @ np.abs(formula.X) @ np.abs(coef - answer.coef)
    unseen = formula.rounding(answer.coef, answer.intercept) + ROUNDINGS * EPS * products
    # Long arithmetic rounds, too: residuals where y and the intercept are far from zero, and a penalty held up by
    # limits.
    raw, _ = formula.sizes(answer.coef, answer.intercept)
    unseen += 4 * np.finfo(LONG).eps * ((formula.weight * steep) @ raw + objective)
    if distance > LONG(answer.gap) * (1 + LONG(1e-4)) + unseen:
        return [f"false proof: {name} is better by {distance:.3g}, dual_gap_ is {answer.gap:.3g}"]
    return []
