"""Numbers that decide how fast the presolve is, not what it finds."""

from __future__ import annotations

from dataclasses import dataclass

from ladreg._problem import number


@dataclass(frozen=True)
class PresolveTuning:
    """Each comment has the unit, and what the number was measured on or trades off, as of 2026-11."""

    # Column generation: penalised features to begin with, and to add in a round, at least. More of them are solved in
    # one round less; each costs the engine its square.
    first_features: int = number(50, 1, 1 << 30)
    # Part of the number of rows that is begun with, if that is more: a vertex has at most as many features as rows.
    first_part: float = number(0.5, 0.01, 2.0)
    # Rows of the sample that shows whether rows repeat; tables of less than twice as many are not merged.
    twin_sample: int = number(2048, 16, 1 << 30)
    # Part of the sample's rows that repeat others from which all rows are compared, which costs a pass and a hash
    # table.
    twins: float = number(0.02, 0.0, 0.9)
    # Part of the rows that is distinct up to which they are merged: the merged rows are copied.
    distinct: float = number(0.5, 0.0, 1.0)
