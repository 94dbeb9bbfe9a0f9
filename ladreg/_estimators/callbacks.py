"""scikit-learn's callbacks, which it has from version 1.9 on; without them the same code runs and reports nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from ladreg._row_blocks import passes_within

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks  # pyright: ignore[reportAssignmentType]
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """An empty class: there are no callbacks to support."""

    def with_callbacks(method: Any) -> Any:
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "is_watched", "root_task", "subtasks", "task", "told_of_passes", "with_callbacks"]


def is_watched(estimator: Any) -> bool:
    """Whether the estimator has callbacks, of its own or of the estimator that fits it."""
    state = vars(estimator)
    return "_skl_callbacks" in state or "_parent_callback_ctx" in state


def root_task(estimator: Any, n_subtasks: int | None, name: str = "fit") -> Any:
    """The context of a fit with `n_subtasks` subtasks (None: any number); None if callbacks are not supported."""
    begin = getattr(estimator, "_init_callback_context", None)
    return None if begin is None else begin(task_name=name, max_subtasks=n_subtasks, sequential_subtasks=False)


def subtasks(context: Any, name: str, number: int) -> list[Any]:
    """Contexts of the subtasks of a task."""
    if context is None:
        return [None] * number
    return [context.subcontext(task_name=name, task_id=k) for k in range(number)]


@contextmanager
def told_of_passes(context: Any, estimator: Any, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Make each pass over rows in blocks a subtask, and say its name; their numbers are -1, -2, ..."""
    numbers = count(1)

    @contextmanager
    def around(name: str) -> Iterator[None]:
        number = next(numbers)
        if say is not None:
            say(f"pass {number} over the rows: {name}")
        part = None if context is None else context.subcontext(task_name=name, task_id=-number)
        with task(part, estimator):
            yield

    with passes_within(around):
        yield


@contextmanager
def task(context: Any, estimator: Any, **given: Any) -> Iterator[None]:
    """Tell the callbacks that a task begins, and that it has ended; `given` are X and y."""
    if context is not None:
        context.call_on_fit_task_begin(estimator=estimator, **given)
    yield
    if context is not None:
        context.call_on_fit_task_end(estimator=estimator, **given)
