"""Mean losses of held-out rows over alpha: where they are smallest, and whether the grid ends too early to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ladreg._arrays import Array, unit_of
from ladreg._cached import cached_property
from ladreg._problem import TOO_LARGE

# Try smaller alphas if the last decade of a grid took more than a tenth of a standard error off the mean loss: near its
# end a curve is nearly linear in alpha, so that all alphas below it gain about a ninth of what that decade did.
_WORTH = 0.1


@dataclass(frozen=True)
class Curves:
    """Losses of held-out rows along the alphas of each candidate.

    Attributes
    ----------
    alphas : list of ndarray
        The alphas of each candidate, decreasing.
    losses : ndarray of shape (n_candidates, n_alphas, n_folds)
        Mean losses, NaN beyond the alphas of a candidate that has fewer of them than another.
    """

    alphas: list[Array]
    losses: Array

    @classmethod
    def of(cls, alphas: list[Array], losses: list[Array], n_folds: int) -> Self:
        """From losses by candidate, and for each by fold."""
        table = np.full((len(alphas), max(values.size for values in losses), n_folds), np.nan)
        for k, values in enumerate(losses):
            table[k // n_folds, : values.size, k % n_folds] = values
        return cls(alphas, table)

    @classmethod
    def mean_of(cls, curves: Sequence[Curves]) -> Curves:
        """The means over several targets, whose candidates have the same alphas."""
        if len(curves) == 1:
            return curves[0]
        return cls(curves[0].alphas, np.mean([one.losses for one in curves], axis=0))

    @cached_property
    def means(self) -> Array:
        """The means over the folds, infinite beyond the alphas of a candidate."""
        means = self.losses.mean(axis=2)
        ended = np.arange(means.shape[1]) >= np.array([[alphas.size] for alphas in self.alphas])
        if np.isnan(means[~ended]).any():
            raise OverflowError(TOO_LARGE)
        means[ended] = np.inf
        return means

    @cached_property
    def best(self) -> tuple[int, int]:
        """The candidate with the smallest mean, and the first alpha at which it is attained."""
        candidate, lowest = divmod(int(np.argmin(self.means)), self.means.shape[1])
        return candidate, lowest

    @cached_property
    def standard_error(self) -> float:
        """The standard error of the smallest mean, over the folds."""
        lots = self.losses[self.best]
        unit = unit_of(float(np.abs(lots).max()))  # squares of losses of any size neither overflow nor vanish
        return float((lots / unit).std(ddof=1)) / np.sqrt(lots.size) * unit if lots.size > 1 else 0.0

    @property
    def near(self) -> int:
        """The first alpha of the best candidate whose mean is within one standard error of the smallest."""
        candidate, lowest = self.best
        return int(np.argmax(self.means[candidate] <= self.means[candidate, lowest] + self.standard_error))

    @property
    def falls(self) -> bool:
        """Whether the smallest mean is at the last alpha of its candidate, and smaller ones may be better."""
        candidate, lowest = self.best
        alphas = self.alphas[candidate]
        if lowest == 0 or lowest < alphas.size - 1 or alphas[lowest] <= 0:
            return False
        before = min(int(np.argmax(alphas <= 10.0 * alphas[lowest])), lowest - 1)
        gain = float(self.means[candidate, before] - self.means[candidate, lowest])
        return gain > _WORTH * self.standard_error

    def followed_by(self, others: Curves) -> Curves:
        """The same curves with more alphas, of which all candidates have as many."""
        alphas = [np.append(some, more) for some, more in zip(self.alphas, others.alphas, strict=True)]
        return Curves(alphas, np.concatenate([self.losses, others.losses], axis=1))
