"""The optimum of a piecewise linear formula in integers, by the simplex method of Barrodale and Roberts (1973).

The entries of its table have a common denominator, the determinant of the basic rows, so that an exchange divides
without a remainder and looks for no common divisors (Edmonds, 1967).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cmp_to_key
from math import gcd

import numpy as np

from tests.campaign.exact import long_of, over_common, rational

# The optimum is given up after this number of exchanges, or of binary digits written for all tables.
_MOST, _MOST_DIGITS = 300, 5 * 10**9


def simplex_optimum(formula, coef, intercept):
    """The smallest value of a formula whose loss is piecewise linear, from near an answer; None if it is given up."""
    return _Program(formula, coef, intercept).optimum()


class _Program:
    """Minimise ``sum_i max(up_i r_i, -down_i r_i)`` with ``r = goal - rows b``; features are rows of their own.

    `table` has the rows that are not basic: their coordinates in the basic rows, and their residuals where those of the
    basic rows are zero, all times `det`.
    """

    def __init__(self, formula, coef, intercept):
        kept = np.flatnonzero(np.isfinite(formula.strength))
        columns = [_whole([rational(value) for value in formula.X[:, j]]) for j in kept]
        size = len(columns) + formula.fit_intercept
        self.rows = [[values[i] for values, _ in columns] + [1] * formula.fit_intercept for i in range(formula.y.size)]
        self.goal = [rational(value) for value in formula.y]
        weight = [rational(value) for value in formula.weight]
        up, down = rational(formula.loss.up), rational(formula.loss.down)
        self.up, self.down = [w * up for w in weight], [w * down for w in weight]
        self.near = list(np.abs(formula.residual(coef, intercept)))
        # A residual of this size is of ordinary size.
        self.size = [max(map(abs, self.goal)) or Fraction(1)] * formula.y.size
        for place, (j, (values, unit)) in enumerate(zip(kept, columns, strict=True)):
            one = [-int(k == place) for k in range(size)]
            strength, (lower, upper) = rational(formula.strength[j]) * unit, (end[j] for end in formula.limits)
            small = self.size[0] / max(1, *map(abs, values))
            # At least twice what loss and penalty can pull a coefficient beyond its limit with.
            pull = max(up, down) * sum(w * abs(value) for w, value in zip(weight, values, strict=True))
            held = 2 * (pull + strength)
            # The residual of this row is the coefficient, in units of the column.
            if strength or lower == 0:
                self._add(one, Fraction(0), (strength, held if lower == 0 else strength), abs(coef[j]), small)
            # The residuals of these are the distances from the limits.
            if np.isfinite(lower) and lower != 0:
                self._add(one, -rational(lower) / unit, (Fraction(0), held), abs(coef[j] - lower), small)
            if np.isfinite(upper):
                other = [-value for value in one]
                self._add(other, rational(upper) / unit, (Fraction(0), held), abs(upper - coef[j]), small)
        self._perturb()
        goal, self.goal_unit = _whole(self.goal)
        slopes, self.slope_unit = _whole([*self.up, *self.down])
        self.up, self.down = slopes[: len(goal)], slopes[len(goal) :]
        self.table = {i: [*row, one] for i, (row, one) in enumerate(zip(self.rows, goal, strict=True))}
        self.basis, self.det, self.digits = [None] * size, 1, 0

    def _add(self, row, goal, slopes, near, size):
        """A row of a penalty."""
        self.rows.append(row)
        self.goal.append(goal)
        self.up.append(slopes[0])
        self.down.append(slopes[1])
        self.near.append(near)
        self.size.append(size)

    def _perturb(self):
        """Move all goals by less than any digit that counts, so that no two planes meet by chance and none is tied."""
        rng = np.random.default_rng(0)
        shifts = [Fraction(int(rng.integers(1, 2**30)), 2**230) for _ in self.goal]
        self.goal = [goal + shift * size for goal, shift, size in zip(self.goal, shifts, self.size, strict=True)]

    def optimum(self):
        for i in sorted(self.table, key=self.near.__getitem__):
            free = (place for place, own in enumerate(self.basis) if own is None and self.table[i][place])
            place = next(free, None)
            if place is not None:
                self._exchange(place, i)
        for _ in range(_MOST):
            if self.digits > _MOST_DIGITS:
                return None
            place, sign = self._worst()
            if place is None:
                return self._value()
            entering = self._line_search(place, sign)
            if entering is None:
                return None
            self._exchange(place, entering)
        return None

    def _exchange(self, place, entering):
        """One basic row, or what has no basic row yet, gives its place to a row of the table."""
        row, leaving = self.table.pop(entering), self.basis[place]
        sign, size = (1 if row[place] > 0 else -1), abs(row[place])
        for i, other in self.table.items():
            factor = sign * other[place]
            changed = [(size * a - factor * b) // self.det for a, b in zip(other, row, strict=True)]
            changed[place] = factor
            self.table[i] = changed
        if leaving is not None:
            self.table[leaving] = [-sign * value for value in row]
            self.table[leaving][place] = sign * self.det
        self.basis[place], self.det = entering, size
        self.digits += len(self.table) * len(row) * size.bit_length()

    def _value(self):
        total = sum(self.up[i] * row[-1] if row[-1] > 0 else -self.down[i] * row[-1] for i, row in self.table.items())
        return long_of(total / (self.det * self.goal_unit * self.slope_unit))

    def _worst(self):
        """The first basic row whose slope would have to be beyond its ends, and the sign of the end.

        All slopes together have no product with any column.
        """
        slopes = {i: self.up[i] if row[-1] > 0 else -self.down[i] * (row[-1] < 0) for i, row in self.table.items()}
        for place, i in enumerate(self.basis):
            if i is None:  # no row sees this direction
                continue
            needed = -sum(slope * self.table[k][place] for k, slope in slopes.items())
            if needed > self.up[i] * self.det:
                return place, 1
            if -needed > self.down[i] * self.det:
                return place, -1
        return None, 0

    def _line_search(self, place, sign):
        """The row whose residual ends the descent as that of a basic one grows in the direction of `sign`."""
        leaving = self.basis[place]
        rate, breaks = (self.up[leaving] if sign > 0 else self.down[leaving]) * self.det, []
        for i, row in self.table.items():
            r, speed = row[-1], sign * row[place]
            if not speed:
                continue
            rate += self.up[i] * speed if r > 0 or (r == 0 and speed > 0) else -self.down[i] * speed
            if r * speed < 0:
                breaks.append((abs(r), abs(speed), i, (self.up[i] + self.down[i]) * abs(speed)))
        for _, _, i, jump in sorted(breaks, key=cmp_to_key(lambda a, b: a[0] * b[1] - b[0] * a[1])):
            if rate + jump >= 0:
                return i
            rate += jump
        return None


def _whole(values):
    """The smallest integers in the ratio of fractions, and the factor that makes them."""
    whole, denominator = over_common(values)
    divisor = gcd(*whole) or 1
    return [value // divisor for value in whole], Fraction(denominator, divisor)
