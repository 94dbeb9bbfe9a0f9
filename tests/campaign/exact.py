"""Optima of tiny problems in rational arithmetic: all input is binary, so that nothing is rounded but the result."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np

from tests.campaign.formula import LONG


def optimum(formula):
    """The optimum of a formula with a piecewise linear or squared loss; None for other losses."""
    found = _best(formula)
    return None if found is None else found[0]


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


def _best(formula):
    kept = [j for j, strength in enumerate(formula.strength) if np.isfinite(strength)]
    X = [[rational(value) for value in row] + [Fraction(1)] * formula.fit_intercept for row in formula.X[:, kept]]
    table = Table(
        X=X,
        y=[rational(value) for value in formula.y],
        weight=[rational(value) for value in formula.weight],
        strength=[rational(formula.strength[j]) for j in kept],
        ridge=[rational(formula.ridge[j]) for j in kept],
        formula=formula,
    )
    if not formula.loss.square:
        return table.best_vertex()
    return table.stationary() if formula.loss.smooth and np.isinf(formula.loss.bend) else None


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
        self.loss, self.positive = formula.loss, formula.positive
        self.p = len(strength)
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

    def best_vertex(self):
        """The smallest objective at points where as many residuals or coefficients are zero as there are unknowns.

        The objective is linear on the cells between these planes, and no cell contains a line: an optimum is at a
        corner of some cell.
        """
        planes = list(zip(self.X, self.y, strict=True))
        planes += [([Fraction(int(k == j)) for k in range(self.size)], Fraction(0)) for j in range(self.p)]
        best = None
        for chosen in combinations(planes, self.size):
            beta = solved([row for row, _ in chosen], [goal for _, goal in chosen])
            if beta is None or (self.positive and any(b < 0 for b in beta[: self.p])):
                continue
            value = self.objective(beta)
            best = (value, beta) if best is None or value < best[0] else best
        return best

    def stationary(self):
        """The objective at the point that satisfies the optimality conditions, by trying all patterns of signs."""
        for signs in product((0, 1) if self.positive else (0, 1, -1), repeat=self.p):
            beta = self._at(signs)
            if beta is not None and self._is_optimal(beta, signs):
                return self.objective(beta), beta
        return None

    def _at(self, signs):
        """The zero of the gradient over the features whose sign is not zero, None if there is no single one."""
        used = [j for j in range(self.size) if j >= self.p or signs[j]]
        double = 2 * rational(self.loss.square)
        rows = list(zip(self.weight, self.X, self.y, strict=True))
        gram = [[double * sum(w * x[j] * x[k] for w, x, _ in rows) for k in used] for j in used]
        goal = [double * sum(w * x[j] * y for w, x, y in rows) for j in used]
        for place, j in enumerate(used):
            if j < self.p:
                gram[place][place] += self.ridge[j]
                goal[place] -= self.strength[j] * signs[j]
        found = solved(gram, goal)
        if found is None:
            return None
        beta = [Fraction(0)] * self.size
        for j, value in zip(used, found, strict=True):
            beta[j] = value
        return beta

    def _is_optimal(self, beta, signs):
        residuals = self.residuals(beta)
        double = 2 * rational(self.loss.square)
        for j in range(self.p):
            slope = double * sum(w * x[j] * r for w, x, r in zip(self.weight, self.X, residuals, strict=True))
            if signs[j]:
                wrong = beta[j] * signs[j] < 0 and (self.positive or self.strength[j] > 0)
            else:
                wrong = slope > self.strength[j] or (not self.positive and -slope > self.strength[j])
            if wrong:
                return False
        return True


def solved(rows, goal):
    """The solution of a square system in fractions, None if it is singular."""
    size = len(goal)
    table = [[*row, value] for row, value in zip(rows, goal, strict=True)]
    for k in range(size):
        pivot = next((i for i in range(k, size) if table[i][k]), None)
        if pivot is None:
            return None
        table[k], table[pivot] = table[pivot], table[k]
        table[k] = [value / table[k][k] for value in table[k]]
        for i in range(size):
            if i != k and table[i][k]:
                factor = table[i][k]
                table[i] = [a - factor * b for a, b in zip(table[i], table[k], strict=True)]
    return [row[size] for row in table]
