"""The optimum of a piecewise linear formula in fractions, by the simplex method of Barrodale and Roberts (1973)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tests.campaign.exact import long_of, rational, solved

# More steps than this are given up.
_MOST = 300


def simplex_optimum(formula, coef, intercept):
    """The smallest value of a formula whose loss is piecewise linear, from near an answer; None if it is given up."""
    return _Program(formula, coef, intercept).optimum()


class _Program:
    """Minimise ``sum_i max(up_i r_i, -down_i r_i)`` with ``r = goal - rows b``; features are rows of their own.

    A slope of None is infinite.
    """

    def __init__(self, formula, coef, intercept):
        kept = np.flatnonzero(np.isfinite(formula.strength))
        one = [Fraction(1)] * formula.fit_intercept
        rows = [[rational(value) for value in row] + one for row in formula.X[:, kept]]
        size = len(kept) + len(one)
        weight = [rational(value) for value in formula.weight]
        up, down = rational(formula.loss.up), rational(formula.loss.down)
        self.n_samples = len(rows)
        self.rows, self.goal = rows, [rational(value) for value in formula.y]
        self.up, self.down = [w * up for w in weight], [w * down for w in weight]
        for place, j in enumerate(kept):
            strength = rational(formula.strength[j])
            # The residual of this row is the coefficient.
            unit = [Fraction(-int(k == place)) for k in range(size)]
            lower, upper = (end[j] for end in formula.limits)
            if strength or lower == 0:
                self._add(unit, Fraction(0), strength, None if lower == 0 else strength)
            # The residuals of these are the distances from the limits.
            if np.isfinite(lower) and lower != 0:
                self._add(unit, -rational(lower), Fraction(0), None)
            if np.isfinite(upper):
                self._add([-one for one in unit], rational(upper), Fraction(0), None)
        self._perturb()
        start = [rational(value) for value in np.asarray(coef)[kept]]
        self.point = start + [rational(intercept)] * formula.fit_intercept

    def _add(self, row, goal, up, down):
        """A row of a penalty."""
        self.rows.append(row)
        self.goal.append(goal)
        self.up.append(up)
        self.down.append(down)

    def _perturb(self):
        """Move all goals by less than any digit that counts, so that no two planes meet by chance and none is tied."""
        rng = np.random.default_rng(0)
        unit = max(map(abs, self.goal)) or Fraction(1)
        size = max((abs(value) for row in self.rows for value in row), default=Fraction(1))
        for i in range(len(self.goal)):
            shift = unit * Fraction(int(rng.integers(1, 2**30)), 2**230)
            self.goal[i] += shift if i < self.n_samples else shift / max(size, 1)

    def optimum(self):
        order = sorted(range(len(self.rows)), key=lambda i: abs(self._residual(i)))
        basis, seen = self._independent(order)
        # Directions that no row sees change nothing: their unknowns stay where they are.
        still = {k: value for k, value in enumerate(self.point) if k not in seen}
        for _ in range(_MOST):
            self._to_vertex(basis, seen, still)
            multipliers = self._multipliers(basis, seen)
            worst = next((i for i, u in zip(basis, multipliers, strict=True) if self._outside(i, u)), None)
            if worst is None:
                beyond = any(down is None and self._residual(i) < 0 for i, down in enumerate(self.down))
                return None if beyond else long_of(self._value())
            u = multipliers[basis.index(worst)]
            entering = self._line_search(basis, seen, worst, 1 if u > self.up[worst] else -1)
            if entering is None:
                return None
            basis[basis.index(worst)] = entering
        return None

    def _residual(self, i):
        return self.goal[i] - sum(x * b for x, b in zip(self.rows[i], self.point, strict=True))

    def _value(self):
        total = Fraction(0)
        for i in range(len(self.rows)):
            r = self._residual(i)
            total += self.up[i] * r if r >= 0 else -self.down[i] * r
        return total

    def _outside(self, i, u):
        return u > self.up[i] or (self.down[i] is not None and -u > self.down[i])

    def _independent(self, order):
        """The first independent rows, and the columns in which they are independent."""
        basis, table = [], []
        for i in order:
            row = list(self.rows[i])
            for pivot, other in table:
                row = [a - row[pivot] * b for a, b in zip(row, other, strict=True)]
            pivot = next((k for k, value in enumerate(row) if value), None)
            if pivot is not None:
                table.append((pivot, [value / row[pivot] for value in row]))
                basis.append(i)
        return basis, sorted(pivot for pivot, _ in table)

    def _to_vertex(self, basis, seen, still):
        goal = [self.goal[i] - sum(self.rows[i][k] * value for k, value in still.items()) for i in basis]
        found = solved([[self.rows[i][k] for k in seen] for i in basis], goal)
        for k, value in zip(seen, found, strict=True):
            self.point[k] = value

    def _multipliers(self, basis, seen):
        """What the basic rows' slopes must be so that all slopes together have no product with any column."""
        total = [Fraction(0)] * len(seen)
        for i in set(range(len(self.rows))) - set(basis):
            r = self._residual(i)
            slope = self.up[i] if r > 0 else -(self.down[i] or 0) if r < 0 else Fraction(0)
            for place, k in enumerate(seen):
                total[place] -= slope * self.rows[i][k]
        return solved([[self.rows[i][k] for i in basis] for k in seen], total)

    def _line_search(self, basis, seen, leaving, sign):
        """The row whose residual ends the descent as that of the leaving one grows in the direction of `sign`."""
        change = solved(
            [[self.rows[i][k] for k in seen] for i in basis], [Fraction(-sign * int(i == leaving)) for i in basis]
        )
        rate, breaks = Fraction(0), []
        for i in range(len(self.rows)):
            speed = -sum(self.rows[i][k] * c for k, c in zip(seen, change, strict=True))
            r = self._residual(i) if i not in basis else Fraction(0)
            if not speed:
                continue
            ahead = r > 0 or (r == 0 and speed > 0)
            if ahead:
                rate += self.up[i] * speed
            elif self.down[i] is None:
                return i if i not in basis else None  # at its bound, and would leave it
            else:
                rate -= self.down[i] * speed
            if i not in basis and r * speed < 0:
                jump = None if self.down[i] is None and speed < 0 else (self.up[i] + (self.down[i] or 0)) * abs(speed)
                breaks.append((-r / speed, i, jump))
        for _, i, jump in sorted(breaks, key=lambda one: one[:2]):
            if jump is None or rate + jump >= 0:
                return i
            rate += jump
        return None
