"""Several fits to the same rows, side by side: what they ask of the rows at the same time is answered by one pass."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
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
    run = alongside(fits, _jointly, dict(enumerate(training or ())))
    try:
        request = next(run)
        while True:
            request = run.send(passes.total(request[0], request[1], *request[2]))
    except StopIteration as end:
        found: list[_Found] = end.value
        return found


def alongside(
    fits: Sequence[Generator[Request, Summary, _Found]], jointly: Any, *common: Any
) -> Generator[Request, Summary, list[_Found]]:
    """Several fits as one: asks for `jointly`, which takes the requests of all fits, and `common`."""
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
        seen = yield name, jointly, ({k: request[1:] for k, request in asked.items()}, *common)
        parts = seen.parts()
        for k in list(asked):
            go_on(k, parts.get(f"{k}", Summary()))
    return [found[k] for k in range(len(fits))]


def of_changed_rows(
    change: Callable[[Rows], Rows], fit: Generator[Request, Summary, _Found]
) -> Generator[Request, Summary, _Found]:
    """What a fit to changed rows asks, as tasks for the rows as they are; `change` is a function of a tile's rows."""
    answer: Summary | None = None
    while True:
        try:
            name, task, common = next(fit) if answer is None else fit.send(answer)
        except StopIteration as end:
            found: _Found = end.value
            return found
        answer = yield name, changed, (change, task, common)


def changed(place: Place, rows: Rows, change: Callable[[Rows], Rows], task: Any, common: tuple[Any, ...]) -> Summary:
    """What a task finds of the changed rows of a tile."""
    found: Summary = task(place, change(rows), *common)
    return found


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
