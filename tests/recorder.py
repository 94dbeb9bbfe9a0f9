"""A callback of scikit-learn's that records the tasks of a fit."""

from __future__ import annotations


class Recorder:
    """Events in their order, each a word and a task: (estimator, name, number, number of parts)."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self._add("setup", estimator, context)

    def teardown(self, estimator, context):
        self._add("teardown", estimator, context)

    def on_fit_task_begin(self, estimator, context):
        self._add("begin", estimator, context)

    def on_fit_task_end(self, estimator, context):
        self._add("end", estimator, context)

    def _add(self, word, estimator, context):
        self.events.append((word, (type(estimator).__name__, context.task_name, context.task_id, context.max_subtasks)))

    @property
    def begun(self):
        """Tasks as they began."""
        return [task for word, task in self.events if word == "begin"]

    @property
    def ended(self):
        """Tasks as they ended."""
        return [task for word, task in self.events if word == "end"]

    @property
    def others(self):
        """What was set up and torn down: word, estimator and name of the task."""
        return [(word, *task[:2]) for word, task in self.events if word in ("setup", "teardown")]
