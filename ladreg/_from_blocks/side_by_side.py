"""Several fits to the same rows, side by side: what they ask of the rows at the same time is answered by one pass."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from ladreg._row_blocks import Passes, Place, Rows, Summary

_Found = TypeVar("_Found")

# A request for a pass: its name, the task and what the task takes besides the tile.
Request = tuple[str, Any, tuple[Any, ...]]


def together(passes: Passes, fits: list[Generator[Request, Summary, _Found]]) -> list[_Found]:
    """Run several fits side by side: what they ask of the rows at the same time is answered by one pass."""
    found: dict[int, _Found] = {}
    asked: dict[int, Request] = {}

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
        seen = passes.total(name, _jointly, {k: request[1:] for k, request in asked.items()})
        for k in list(asked):
            go_on(k, seen.part(f"{k}:"))
    return [found[k] for k in range(len(fits))]


def _jointly(place: Place, rows: Rows, requests: dict[int, tuple[Any, tuple[Any, ...]]]) -> Summary:
    """The summaries that several fits ask for of a tile."""
    total = Summary()
    for k, (task, common) in requests.items():
        total.add(task(place, rows, *common), f"{k}:")
    return total
