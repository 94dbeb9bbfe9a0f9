"""Numbers that decide how fast the presolve is, not what it finds."""

from __future__ import annotations

from dataclasses import dataclass

from ladreg._problem import number


@dataclass(frozen=True)
class PresolveTuning:
    """Each comment has the unit, and what the number was measured on or trades off, as of 2026-11."""

    # Column generation begins with at least 50 penalised features, and adds at most max(50, present features) in a
    # round. More features save rounds, but the time of the engine grows with the square of their number.
    first_features: int = number(50, 1, 1 << 30)
    # It begins with 0.5 features per row, if that is more: a vertex has at most one feature per row.
    first_part: float = number(0.5, 0.01, 2.0)
    # Rows of the sample that shows whether rows repeat; tables of fewer than 2 * 2048 rows are not merged.
    twin_sample: int = number(2048, 16, 1 << 30)
    # Compare all rows, which costs a pass and a hash table, if at least 2 % of the sample's rows repeat others.
    twins: float = number(0.02, 0.0, 0.9)
    # Merge rows if at most half of them are distinct: the merged rows are copied.
    distinct: float = number(0.5, 0.0, 1.0)
