"""Penalties of several fits to the same rows, where each has its own: those of adaptive weights."""

from __future__ import annotations

from dataclasses import dataclass

from ladreg._problem import ElasticNet


@dataclass(frozen=True)
class OwnPenalties(ElasticNet):
    """The penalties of several targets, or of several quantiles; the penalty itself is that of the first."""

    of_each: tuple[ElasticNet, ...] = ()

    @classmethod
    def of(cls, each: list[ElasticNet]) -> OwnPenalties:
        """From one penalty for each fit."""
        first = each[0]
        return cls(first.strength, first.positive, first.ridge, first.lower, first.upper, of_each=tuple(each))


def penalties_of(penalty: ElasticNet, number: int) -> list[ElasticNet]:
    """The penalty of each of `number` fits.

    Where `penalty` has others than `number`, which `verify` tells as an error, it is that of all.
    """
    each = penalty.of_each if isinstance(penalty, OwnPenalties) else ()
    return list(each) if len(each) == number else [penalty] * number
