"""A search for alpha by the losses of held-out rows: what is searched for each target, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ladreg._from_blocks import BlockFolds
from ladreg._paths import Folds, Path, SquaredFolds
from ladreg._tuning.candidates import Candidate, check_not_empty
from ladreg._tuning.curves import Curves
from ladreg._tuning.targets import Target


@dataclass(frozen=True)
class Lot:
    """One target in the search for an alpha: its folds, its candidates, and their paths of all rows where known."""

    target: Target
    folds: Folds | SquaredFolds | BlockFolds
    candidates: list[Candidate]
    paths: list[Path]

    def limited(self, most: int) -> list[Path]:
        """The paths of all rows, each of which ends before its first fit with more than `most` features."""
        paths = []
        for one in self.candidates:
            if one.ranges is not None:
                path = one.ranges.path.within(most)
            else:
                path = self.folds.path(one.problem, one.alphas, most)
            check_not_empty(path, most)
            paths.append(path)
        return paths

    def with_known_folds(self) -> Lot:
        """The same with the path of all rows, where folds are solved from it.

        That is for one candidate, whose penalty is that of all folds.
        """
        first, folds = self.candidates[0], self.folds
        if isinstance(folds, BlockFolds):
            return replace(self, paths=[folds.follow(first.alphas)])
        is_same = len(self.candidates) == 1 and first.ranges is None
        if not is_same or getattr(first.model, "_depends_on_rows", False):
            return self
        if not isinstance(folds, Folds) or not folds.shares_rows(first.problem):
            return self
        is_known = bool(self.paths) and np.array_equal(self.paths[0].alphas, first.alphas)
        if not (is_known or folds.knows):
            return replace(self, paths=[folds.follow(first.problem, first.alphas)])
        path = self.paths[0] if is_known else folds.path(first.problem, first.alphas)
        folds.know(first.problem, path)
        return replace(self, paths=[path])


@dataclass(frozen=True)
class Searched:
    """What was searched for each target, and losses of held-out rows; whether the grids end too early."""

    lots: list[Lot]
    curves: list[Curves]
    mean: Curves
    is_open: bool
