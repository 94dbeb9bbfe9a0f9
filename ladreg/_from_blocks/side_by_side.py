"""Several fits to the same rows, side by side: what they ask of the rows at the same time is answered by one pass."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from ladreg._from_blocks.row_folds import Training
from ladreg._row_blocks import Passes, Place, Rows, Summary

_Found = TypeVar("_Found")

# A request for a pass: its name, the task and what the task takes besides the tile.
Request = tuple[str, Any, tuple[Any, ...]]


def together(
    passes: Passes,
    fits: Sequence[Generator[Request, Summary, _Found]],
    training: Sequence[Training | None] | None = None,
) -> list[_Found]:
    """Run several fits side by side: what they ask of the rows at the same time is answered by one pass.

    `training` are the rows of each fit, None for all rows.
    """
    found: dict[int, _Found] = {}
    asked: dict[int, Request] = {}
    rows_of = dict(enumerate(training or ()))

    def go_on(k: int, answer: Summary | None) -> None:
        try:
            asked[k] = next(fits[k]) if answer is None else fits[k].send(answer)
        except StopIteration as end:
            asked.pop(k, None)
            found[k] = end.value

    for k in range(len(fits)):
        go_on(k, None)
    while asked:
        name = "+".join(dict.fromkeys(request[0] for request in asked.values()))
        seen = passes.total(name, _jointly, {k: request[1:] for k, request in asked.items()}, rows_of)
        for k in list(asked):
            go_on(k, seen.part(f"{k}:"))
    return [found[k] for k in range(len(fits))]


def _jointly(
    place: Place, rows: Rows, requests: dict[int, tuple[Any, tuple[Any, ...]]], rows_of: dict[int, Training | None]
) -> Summary:
    """The summaries that several fits ask for of a tile, each of its own rows."""
    total = Summary()
    kept: dict[float, Rows] = {}
    for k, (task, common) in requests.items():
        training, some = rows_of.get(k), rows
        if training is not None:
            if training.fold not in kept:
                kept[training.fold] = training.of(place, rows)
            some = kept[training.fold]
        if some.y.size:
            total.add(task(place, some, *common), f"{k}:")
    return total
