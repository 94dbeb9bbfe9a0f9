"""Fitted pipelines: their last step, the names of its features, and the steps before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LastStep:
    """The estimator at the end of a fitted pipeline; of any other estimator itself.

    Attributes
    ----------
    estimator : object
        The estimator, which is no pipeline.
    names : list of str or None
        Names of its features: those that it was fitted with, or those of the steps before it. None if neither has any.
    before : Pipeline or None
        The steps before it, in one pipeline; None if there are none.
    """

    estimator: Any
    names: list[str] | None
    before: Any

    @classmethod
    def of(cls, estimator: Any) -> LastStep:
        """The last step, also of pipelines in pipelines; a pipeline is what has `steps`, since importing it is slow."""
        kind, steps = type(estimator), []
        while hasattr(estimator, "steps"):
            steps += [step for _, step in estimator.steps[:-1]]
            estimator = estimator.steps[-1][1]
        before = kind([(f"step{k}", step) for k, step in enumerate(steps)]) if steps else None
        names = getattr(estimator, "feature_names_in_", None)
        if names is None and before is not None:
            names = _names_out(before)
        return cls(estimator, None if names is None else [str(name) for name in names], before)

    def transformed(self, X: Any) -> Any:
        """X as it reaches the estimator."""
        return X if self.before is None else self.before.transform(X)


def _names_out(steps: Any) -> Sequence[Any] | None:
    """Names of the columns that steps return; None if one of them does not know."""
    try:
        names: Sequence[Any] = steps.get_feature_names_out()
    except (AttributeError, ValueError):
        return None
    return names
