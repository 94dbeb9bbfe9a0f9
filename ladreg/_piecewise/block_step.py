"""`newton_step` in a table of groups: the coefficients of D are eliminated, their penalty included.

With D columns no two of which share a row and S the others (`BlockPattern`), the minimum over each coefficient of D is
a soft threshold of a linear function of those of S. What is left is convex and smooth in S, but for the penalty of S
itself, and quadratic as long as no coefficient of D becomes zero or leaves it: Newton steps with exact line searches
end after a few changes of these pieces (Madsen and Nielsen 1990, doi 10.1007/BF01931654, for Huber's loss).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array
from ladreg._design import BlockGram
from ladreg._problem import ElasticNet
from ladreg._tolerances import ROUNDED

# Newton steps in S, at most.
_STEPS = 100
# The minimiser of ``gradient'd + d'Hd / 2 + penalty(point + d)`` for a dense H, as a function of H and the others.
_SmallStep = Callable[[Array, Array, Array, ElasticNet], Array]


def block_step(gram: BlockGram, gradient: Array, point: Array, penalty: ElasticNet, solve: _SmallStep) -> Array:
    """`newton_step` for a regular H by blocks; `solve` is `newton_step` itself, for what is left in S."""
    found = _BlockModel.of(gram, gradient, point, penalty).minimiser(point, solve)
    step: Array = found - point
    return step


@dataclass(frozen=True)
class _BlockModel:
    """``x'Hx / 2 - right'x + penalty(x)``, H by blocks and regular, as a function of the coefficients of S.

    Attributes
    ----------
    gram
        H.
    separate_right, right
        The entries of the right-hand side in D and in S.
    strength
        Penalty of each coefficient in D.
    penalty
        Penalty of the features in S. The intercept's column, if there is one, is the last of S.
    """

    gram: BlockGram
    separate_right: Array
    right: Array
    strength: Array
    penalty: ElasticNet

    @classmethod
    def of(cls, gram: BlockGram, gradient: Array, point: Array, penalty: ElasticNet) -> _BlockModel:
        """The model whose smooth part has a gradient at a point; features first, an intercept last."""
        n_features = penalty.strength.size
        right = gram.times(point) - gradient
        inside = gram.others[gram.others < n_features]
        part = ElasticNet(penalty.strength[inside], penalty.positive)
        return cls(gram, right[gram.separate], right[gram.others], penalty.strength[gram.separate], part)

    def minimiser(self, point: Array, solve: _SmallStep) -> Array:
        """The minimiser, of shape (q,); `solve` minimises a dense quadratic in S plus the penalty of S."""
        gram = self.gram
        others = point[gram.others]
        for _ in range(_STEPS):
            pull = self.separate_right - gram.cross @ others
            separate = self._separate(pull)
            slope = gram.inner @ others + gram.cross.T @ separate - self.right
            step = solve(gram.schur(among=separate != 0), slope, others, self.penalty)
            length = self._length(others, pull, step)
            others = others + length * step if length < 1.0 else np.where(step == -others, 0.0, others + step)
            after = self._separate(self.separate_right - gram.cross @ others)
            same = bool(np.array_equal(np.sign(after), np.sign(separate)))
            if length == 0.0 or (length == 1.0 and same):
                break
        found = np.empty_like(point)
        found[gram.others], found[gram.separate] = others, after
        return found

    def _separate(self, pull: Array) -> Array:
        """The coefficients of D, soft thresholds of what pulls them; zero in columns without rows."""
        over = self.penalty.excess(pull) - self.strength
        size = np.divide(over, self.gram.diagonal, out=np.zeros_like(over), where=(over > 0) & (self.gram.diagonal > 0))
        return np.sign(pull) * size

    def _length(self, others: Array, pull: Array, step: Array) -> float:
        """Where the objective is least along a step in S, from 0 to 1; its slope is linear between breakpoints."""
        gram, features = self.gram, self.penalty.strength.size
        moved = gram.cross @ step
        begin, rate = float((gram.inner @ others - self.right) @ step), float(step @ (gram.inner @ step))
        coef, change = others[:features], step[:features]

        def slope(length: float) -> float:
            values = self._separate(pull - length * moved)
            there = coef + length * change
            sizes = np.where(there == 0, np.abs(change), np.sign(there) * change)
            return begin + length * rate + float(moved @ values) + float(self.penalty.strength @ sizes)

        first = slope(0.0)
        if not first < -ROUNDED * abs(begin):
            return 0.0
        if slope(1.0) <= 0:
            return 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = [(pull - self.strength) / moved, (pull + self.strength) / moved, -coef / change]
        breaks = np.concatenate(ends)
        breaks = np.concatenate([[0.0], np.unique(breaks[(breaks > 0) & (breaks < 1)]), [1.0]])
        low, high = 0, breaks.size - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if slope(float(breaks[middle])) <= 0 else (low, middle)
        left, width = float(breaks[low]), float(breaks[high] - breaks[low])
        under, over = slope(left + width / 3), slope(left + 2 * width / 3)
        root = left + width / 3 - under * (width / 3) / (over - under) if over > under else left
        return float(np.clip(root, left, left + width))
