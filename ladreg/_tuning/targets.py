"""Several targets in one fit: what was found for each, stacked, and one target's part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._estimators import Data
from ladreg._tuning.candidates import Candidate

# Fitted attributes that do not depend on y, and are not stacked.
_OF_ALL = ("n_features_in_", "feature_names_in_", "n_passes_")
# Fitted attributes that are the same for all targets if these share one alpha.
_OF_ALPHA = ("alpha_", "alpha_min_", "alpha_1se_", "l1_ratio_", "alphas_", "knots_")


@dataclass(frozen=True)
class Target:
    """One target of a choice.

    Attributes
    ----------
    number : int
        Its column of y.
    name : str
        What messages call it: nothing where there is one target.
    fit : object
        The estimator that the results are stored in: that of the user, or one for each of several targets.
    data : Data
        All rows, with this target.
    candidates : list of Candidate
        What there is to choose from.
    contexts : iterator
        Contexts of callbacks, shared by all targets.
    """

    number: int
    name: str
    fit: Any
    data: Data
    candidates: list[Candidate]
    contexts: Iterator[Any]


def targets_of(data: Data) -> list[Data]:
    """The data of each target."""
    if data.single:
        return [data]
    return [replace(data, Y=data.Y[:, [k]], single=True) for k in range(data.Y.shape[1])]


def blank(estimator: Any) -> Any:
    """A new estimator with the same parameters, and what is known of the features."""
    made = type(estimator)(**estimator.get_params(deep=False))
    vars(made).update({name: value for name, value in vars(estimator).items() if name in _OF_ALL})
    return made


def is_fitted_name(name: str) -> bool:
    """Whether an attribute was made by a fit, and depends on y."""
    return name.endswith("_") and not name.startswith("_") and name not in _OF_ALL


def stack(estimator: Any, fits: Sequence[Any], *, together: bool) -> None:
    """Store what was found for each target along a first axis, and what belongs to an alpha of all once."""
    for name in [name for name in vars(estimator) if is_fitted_name(name)]:  # of an earlier fit
        delattr(estimator, name)
    for name in filter(is_fitted_name, vars(fits[0])):
        values = [getattr(one, name) for one in fits]
        setattr(estimator, name, values[0] if together and name in _OF_ALPHA else stacked(values))
    estimator._choice = [one._choice for one in fits]
    estimator._certificates = [found for one in fits for found in one._certificates]


def part_of(estimator: Any, k: int) -> Any:
    """A new estimator with what was found for the k-th target."""
    made = blank(estimator)
    common = _OF_ALPHA if np.ndim(estimator.alpha_) == 0 else ()
    for name, value in vars(estimator).items():
        if is_fitted_name(name):
            setattr(made, name, value if name in common else _item(value, k))
    made._choice, made._certificates = estimator._choice[k], estimator._certificates[k : k + 1]
    return made


def _item(values: Any, k: int) -> Any:
    """One target's values; a Python number if that is a number."""
    found = values[k]
    return found.item() if np.ndim(found) == 0 and isinstance(found, np.generic) else found


def stacked(values: Sequence[Any]) -> NDArray[Any]:
    """Arrays of one number of axes along a new first axis; shorter ones end in NaN, or in -1 where they are counts."""
    arrays = [np.asarray(value) for value in values]
    shape = tuple(np.max([one.shape for one in arrays], axis=0).tolist()) if arrays[0].ndim else ()
    if all(one.shape == shape for one in arrays):
        return np.array(arrays)
    kind = np.result_type(*arrays)
    table = np.full((len(arrays), *shape), np.nan if kind.kind == "f" else -1, dtype=kind)
    for row, one in zip(table, arrays, strict=True):
        row[tuple(slice(size) for size in one.shape)] = one
    return table
