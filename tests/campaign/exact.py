"""Optima of tiny problems in rational arithmetic: all input is binary, so that nothing is rounded but the result."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from math import lcm
from operator import mul

import numpy as np

from tests.campaign.formula import LONG

# Largest number of patterns of signs that are tried from given coefficients.
GUESSES = 20


def optimum(formula):
    """The optimum of a formula with a piecewise linear or squared loss; None for other losses."""
    found = _best(formula)
    return None if found is None else found[0]


def optimum_near(formula, coef):
    """The optimum with a squared loss, from the signs of coefficients near it; None where these do not lead to it.

    Nothing but the start depends on the coefficients: what is returned meets all conditions of the optimum exactly.
    """
    if not (formula.loss.square and formula.loss.smooth and np.isinf(formula.loss.bend)):
        return None
    return _table(formula).stationary_near([rational(b) for b in np.asarray(coef, LONG)[np.isfinite(formula.strength)]])


def optimal_point(formula):
    """`optimum` rounded, and a point that reaches it; None for other losses."""
    found = _best(formula)
    if found is None:
        return None
    value, beta = found
    coef = np.zeros(formula.strength.size, LONG)
    kept = np.isfinite(formula.strength)
    coef[kept] = [long_of(one) for one in beta[: kept.sum()]]
    return long_of(value), coef, long_of(beta[-1]) if formula.fit_intercept else LONG(0)


def exact_gap(formula, coef, residual, slopes, room):
    """The gap that slopes prove once they meet their equations exactly; infinite where they do not meet the bounds.

    The equations are those of the intercept, of free features, of coefficients that are not zero, and of bounds that
    were exceeded; rows take up the correction in proportion to `room`. Where they contradict each other, strengths are
    left out, at their own price.
    """
    table = _table(formula)
    gap = _proved(formula, table, coef, residual, slopes, room)
    if np.isfinite(gap):
        return gap
    kept = np.isfinite(formula.strength)
    price = (formula.strength[kept] * np.abs(np.asarray(coef, LONG))[kept]).sum()
    return price + _proved(formula, table, coef, residual, slopes, room, strengths=False)


def _proved(formula, table, coef, residual, slopes, room, *, strengths=True):
    beta = [rational(value) for value in np.asarray(coef)[np.isfinite(formula.strength)]]
    goals = {}
    for j, (s, r, b) in enumerate(zip(table.strength, table.ridge, beta, strict=True)):
        low, high = table.limits[j]
        inside = (low is None or b > low) and (high is None or b < high)
        if inside and (b or not (s or r)):
            goals[j] = s * ((b > 0) - (b < 0)) * strengths + r * b
    goals |= dict.fromkeys(range(table.p, table.size), Fraction(0))
    theta = [w * rational(s) for w, s in zip(table.weight, slopes, strict=True)]
    give = [w * rational(r) for w, r in zip(table.weight, room, strict=True)]
    for _ in range(3):
        theta = _corrected(table.X, theta, give, goals)
        if any(_dot(table.X, theta, j) != goal for j, goal in goals.items()):
            return np.inf
        products = {j: _dot(table.X, theta, j) for j in set(range(table.p)) - set(goals)}
        beyond = {j: t for j, t in products.items() if table.is_beyond(j, t)}
        if not beyond:
            break
        goals |= {j: table.strength[j] * (1 if t > 0 else -1) * strengths for j, t in beyond.items()}
    exact = [t / w for t, w in zip(theta, table.weight, strict=True)]
    low, high = formula.loss.ends()
    outside = np.isfinite(high) and not all(rational(low) <= s <= rational(high) for s in exact)
    if beyond or outside:
        return np.inf
    limits = sum(table.held(j, b, _dot(table.X, theta, j)) for j, b in enumerate(beta))
    return formula.weight @ formula.loss.excess(residual, np.array([long_of(s) for s in exact], LONG)) + long_of(limits)


def _corrected(X, theta, give, goals):
    """Theta changed in proportion to `give`, so that its products with some columns are their goals if they can be."""
    missed = [_dot(X, theta, j) - goal for j, goal in goals.items()]
    columns = [over_common([row[j] for row in X]) for j in goals]
    give, unit = over_common(give)
    given = [[g * x for g, x in zip(give, column, strict=True)] for column, _ in columns]
    # Symmetric up to the units of columns, which are those of the unknowns.
    gram = [
        [Fraction(sum(map(mul, one, other)), unit * d) for other, _ in columns]
        for one, (_, d) in zip(given, columns, strict=True)
    ]
    u, common = over_common(solved(gram, missed, dependent=True))
    change = [sum(map(mul, row, u)) for row in zip(*given, strict=True)] if given else [0] * len(theta)
    return [t - Fraction(c, unit * common) for t, c in zip(theta, change, strict=True)]


def _dot(rows, theta, j):
    (column, unit), (theta, other) = over_common([row[j] for row in rows]), over_common(theta)
    return Fraction(sum(map(mul, column, theta)), unit * other)


def over_common(values):
    """The numerators of fractions over their least common denominator, and this."""
    denominator = lcm(*(value.denominator for value in values))
    return [value.numerator * (denominator // value.denominator) for value in values], denominator


def _best(formula):
    table = _table(formula)
    if not formula.loss.square:
        return table.best_vertex()
    return table.stationary() if formula.loss.smooth and np.isinf(formula.loss.bend) else None


def _table(formula):
    kept = [j for j, strength in enumerate(formula.strength) if np.isfinite(strength)]
    X = [[rational(value) for value in row] + [Fraction(1)] * formula.fit_intercept for row in formula.X[:, kept]]
    return Table(
        X=X,
        y=[rational(value) for value in formula.y],
        weight=[rational(value) for value in formula.weight],
        strength=[rational(formula.strength[j]) for j in kept],
        ridge=[rational(formula.ridge[j]) for j in kept],
        formula=formula,
    )


def rational(value):
    return Fraction(*LONG(value).as_integer_ratio())


def long_of(value):
    """A fraction of any size rounded to long precision."""
    shift = 80 - value.numerator.bit_length() + value.denominator.bit_length()
    scaled = value * 2**shift if shift >= 0 else value / 2**-shift
    return np.ldexp(LONG(str(round(scaled))), -shift)


class Table:
    """A problem in fractions; the last unknown is the intercept, if there is one."""

    def __init__(self, X, y, weight, strength, ridge, formula):
        self.X, self.y, self.weight, self.strength, self.ridge = X, y, weight, strength, ridge
        self.loss, self.p = formula.loss, len(strength)
        kept = np.isfinite(formula.strength)
        ends = [[rational(end) if np.isfinite(end) else None for end in side[kept]] for side in formula.limits]
        # The limits of each coefficient; None for infinite ones.
        self.limits = list(zip(*ends, strict=True))
        self.size = self.p + int(formula.fit_intercept)

    def residuals(self, beta):
        return [y - sum(x * b for x, b in zip(row, beta, strict=True)) for row, y in zip(self.X, self.y, strict=True)]

    def objective(self, beta):
        up, down, square = (rational(one) for one in (self.loss.up, self.loss.down, self.loss.square))
        rows = sum(
            weight * ((up * r if r > 0 else -down * r) + square * r * r)
            for weight, r in zip(self.weight, self.residuals(beta), strict=True)
        )
        terms = zip(self.strength, self.ridge, beta[: self.p], strict=True)
        return rows + sum(strength * abs(b) + ridge * b * b / 2 for strength, ridge, b in terms)

    def is_beyond(self, j, product):
        """Whether a slope of feature j is outside the dual set."""
        low, high = self.limits[j]
        return (high is None and product > self.strength[j]) or (low is None and -product > self.strength[j])

    def held(self, j, b, product):
        """What a slope beyond the strength costs at a coefficient that is not at the limit on that side."""
        low, high = self.limits[j]
        s, r = self.strength[j], self.ridge[j]
        if (low is None or b > low) and (high is None or b < high) and (b or not (s or r)):
            return Fraction(0)  # an equation holds
        if r == 0 and abs(product) <= s:
            return s * abs(b) - product * b
        there = (product - s if product > 0 else product + s) / r if r else (high if product > 0 else low)
        there = Fraction(0) if abs(product) <= s else there
        there = there if low is None else max(there, low)
        there = there if high is None else min(there, high)
        return s * (abs(b) - abs(there)) + r * (b * b - there * there) / 2 - product * (b - there)

    def _allows(self, beta):
        """Whether coefficients are within their limits."""
        pairs = zip(beta[: self.p], self.limits, strict=True)
        return all((low is None or b >= low) and (high is None or b <= high) for b, (low, high) in pairs)

    def best_vertex(self):
        """The smallest objective at points where as many residuals or coefficients are zero as there are unknowns.

        The objective is linear on the cells between these planes, and no cell contains a line: an optimum is at a
        corner of some cell.
        """
        planes = list(zip(self.X, self.y, strict=True))
        for j in range(self.p):
            unit = [Fraction(int(k == j)) for k in range(self.size)]
            planes += [(unit, value) for value in {Fraction(0), *self.limits[j]} - {None}]
        best = None
        for chosen in combinations(planes, self.size):
            beta = solved([row for row, _ in chosen], [goal for _, goal in chosen])
            if beta is None or not self._allows(beta):
                continue
            value = self.objective(beta)
            best = (value, beta) if best is None or value < best[0] else best
        return best

    def stationary(self):
        """The objective at the point that satisfies the optimality conditions, by trying all patterns of signs.

        A coefficient may also be at one of its limits, which then is in the place of its sign.
        """
        states = []
        for low, high in self.limits:
            fixed = [("at", end) for end in (low, high) if end is not None and (end or (low, high) != (0, None))]
            states.append([0, 1, *([] if low == 0 else [-1]), *fixed])
        for signs in product(*states):
            beta = self._at(signs)
            if beta is not None and self._allows(beta) and self._is_optimal(beta, signs):
                return self.objective(beta), beta
        return None

    def stationary_near(self, coef):
        """The objective where the optimality conditions hold, from the pieces of given coefficients; None if not found.

        A coefficient that comes out with another sign becomes zero, one beyond a limit stays at it, one whose slope is
        too large leaves zero or its limit. Dependent columns have the coefficient zero.
        """
        states = []
        for b, (low, high), s in zip(coef, self.limits, self.strength, strict=True):
            end = next((end for end in (low, high) if end is not None and b == end), None)
            sign = (b > 0) - (b < 0)
            states.append(("at", end) if end is not None else sign or int(not s))
        for _ in range(GUESSES):
            beta = self._at(states, dependent=True)
            if self._allows(beta) and self._is_optimal(beta, states):
                used = [j for j in range(self.size) if j >= self.p or states[j] in (1, -1)]
                slopes, goals = self._slopes(beta), [*self.strength, Fraction(0)]
                ridges, signs = [*self.ridge, Fraction(0)], [*states, 0]
                if any(slopes[j] != goals[j] * signs[j] + ridges[j] * beta[j] for j in used):
                    return None  # dependent columns, whose equations contradict each other
                return self.objective(beta)
            states = self._corrected(states, beta)
        return None

    def _corrected(self, states, beta):
        slopes, after = self._slopes(beta), []
        for j, (low, high) in enumerate(self.limits):
            state, b, s = states[j], beta[j], self.strength[j]
            if state in (1, -1):
                beyond = low if low is not None and b < low else high if high is not None and b > high else None
                turned = 0 if b * state < 0 and s > 0 else state
                after.append(turned if beyond is None else ("at", beyond))
                continue
            left = slopes[j] - self.ridge[j] * b
            if left > (s if b >= 0 else -s) and b != high:
                state = 1 if b >= 0 else -1
            elif left < (-s if b <= 0 else s) and b != low:
                state = -1 if b <= 0 else 1
            after.append(state)
        return after

    def _slopes(self, beta):
        """The slope of minus the loss in each unknown."""
        pulls = [2 * rational(self.loss.square) * w * r for w, r in zip(self.weight, self.residuals(beta), strict=True)]
        return [_dot(self.X, pulls, j) for j in range(self.size)]

    def _at(self, signs, *, dependent=False):
        """The zero of the gradient over the features with a sign, None if there is no single one."""
        used = [j for j in range(self.size) if j >= self.p or signs[j] in (1, -1)]
        fixed = {j: sign[1] for j, sign in enumerate(signs) if isinstance(sign, tuple)}
        double = 2 * rational(self.loss.square)
        rows = list(zip(self.weight, self.X, self.y, strict=True))
        gram = [[double * sum(w * x[j] * x[k] for w, x, _ in rows) for k in used] for j in used]
        rest = [y - sum(x[j] * value for j, value in fixed.items()) for _, x, y in rows]
        goal = [double * sum(w * x[j] * r for (w, x, _), r in zip(rows, rest, strict=True)) for j in used]
        for place, j in enumerate(used):
            if j < self.p:
                gram[place][place] += self.ridge[j]
                goal[place] -= self.strength[j] * signs[j]
        found = solved(gram, goal, dependent=dependent)
        if found is None:
            return None
        beta = [Fraction(0)] * self.size
        for j, value in [*zip(used, found, strict=True), *fixed.items()]:
            beta[j] = value
        return beta

    def _is_optimal(self, beta, signs):
        slopes = self._slopes(beta)
        for j in range(self.p):
            slope, (low, high) = slopes[j], self.limits[j]
            if signs[j] in (1, -1):
                wrong = beta[j] * signs[j] < 0 and self.strength[j] > 0
            else:
                left = slope - self.ridge[j] * beta[j]
                up = self.strength[j] if beta[j] >= 0 else -self.strength[j]
                down = -self.strength[j] if beta[j] <= 0 else self.strength[j]
                wrong = (left > up and beta[j] != high) or (left < down and beta[j] != low)
            if wrong:
                return False
        return True


def solved(rows, goal, *, dependent=False):
    """The solution of a square system in fractions; None if it is singular, unless `dependent` unknowns may be zero.

    Integers are eliminated, each a determinant of those before, so that divisions leave no remainder (Bareiss, 1968).
    """
    size, pivots, last = len(goal), [], 1
    table = [over_common([*row, value])[0] for row, value in zip(rows, goal, strict=True)]
    for k in range(size):
        place = len(pivots)
        pivot = next((i for i in range(place, size) if table[i][k]), None)
        if pivot is None and not dependent:
            return None
        if pivot is None:
            continue
        table[place], table[pivot] = table[pivot], table[place]
        own = table[place]
        for i, other in enumerate(table):
            if i != place:
                table[i] = [(own[k] * a - other[k] * b) // last for a, b in zip(other, own, strict=True)]
        pivots.append(k)
        last = own[k]
    known = dict(zip(pivots, table, strict=False))
    return [Fraction(known[k][size], last) if k in known else Fraction(0) for k in range(size)]
