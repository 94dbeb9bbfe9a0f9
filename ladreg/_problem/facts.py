"""Facts about the rows of a problem that do not depend on its penalty: computed on first use, then cached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ladreg._arrays import BLOCK, Array, Index, in_memory
from ladreg._cached import cached_property
from ladreg._design import Design
from ladreg._problem.losses import Loss
from ladreg._tolerances import EXACT_FIT

# Weights above zero are alike if the largest is at most 1000 times the smallest.
_ALIKE = 1e3


@dataclass(frozen=True, eq=False)
class Facts:
    """What problems that differ only in their penalty share: design, target, weights, loss, and facts about these."""

    design: Design
    y: Array
    weight: Array
    loss: Loss

    @cached_property
    def magnitudes(self) -> Array:
        """Column sums of ``weight * |x|``."""
        return self.design.magnitudes(self.weight)

    def audit(self, coef: Array, y: Array, intercept: float, dual: Array) -> tuple[Array, Array]:
        """The residual, and ``X'dual`` followed by the sum of the dual; sets `magnitudes` if they are not yet known."""
        is_first = "magnitudes" not in self.__dict__ and not self.design.knows_magnitudes(self.weight)
        residual, products, sizes = self.design.audit(coef, y, intercept, self.weight, dual, is_first)
        if sizes is not None:
            self.__dict__["magnitudes"] = sizes
        return residual, products

    @cached_property
    def at_origin(self) -> Facts | None:
        """Facts of the design `Design.at_origin`; None where no column is moved."""
        design = self.design.at_origin()
        return None if design is self.design else replace(self, design=design)

    @cached_property
    def by_free_columns(self) -> dict[tuple[bytes, bool], Any]:
        """What a proof found about the free columns, by their numbers and whether there is an intercept."""
        return {}

    @cached_property
    def one_weight(self) -> Array | None:
        """The weights of a block of rows, contiguous, where all rows share one number in memory; None elsewhere."""
        return np.array(self.weight[:BLOCK]) if self.weight.strides == (0,) and self.weight.size else None

    @cached_property
    def all_present(self) -> bool:
        """Whether no weight is zero."""
        return bool(in_memory(self.weight).min(initial=1.0) > 0)

    @cached_property
    def blocks(self) -> list[tuple[slice, Array]]:
        """Blocks of rows, whose temporary arrays stay in the cache, and their weights."""
        one, n_samples = self.one_weight, self.weight.size
        blocks = [slice(begin, begin + BLOCK) for begin in range(0, n_samples, BLOCK)]
        if one is not None:
            return [(block, one[: n_samples - block.start]) for block in blocks]
        return [(block, np.ascontiguousarray(self.weight[block])) for block in blocks]

    def total(self, loss: Loss, residual: Array) -> float:
        """``sum_i weight_i * loss(residual_i)`` of any loss; the residuals of rows of weight zero are zero."""
        return sum(float(weight @ loss.value(residual[block])) for block, weight in self.blocks)

    @cached_property
    def weights_are_alike(self) -> bool:
        """Whether weights above zero differ at most by the factor `_ALIKE`."""
        if self.weight.strides == (0,):
            return True
        least = float(self.weight.min(initial=np.inf, where=self.weight > 0))
        return float(self.weight.max(initial=0.0)) <= _ALIKE * least

    @cached_property
    def largest_target(self) -> float:
        """The size of the largest target."""
        return max(float(self.y.max(initial=0.0)), -float(self.y.min(initial=0.0)))

    def least_ordinary(self, coef: Array, features: Index | slice = slice(None)) -> Array:
        """An objective above this value is not rounding of the targets or of the predictions of coefficients.

        One value for each fit: `coef` are those of the chosen features, of one fit or of several, one per row.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            rounding = EXACT_FIT * (self.largest_target + np.abs(coef) @ self.design.reach()[features])
            return self.loss.value(rounding) + self.loss.value(-rounding)
