"""Warnings that point at the user's line."""

from __future__ import annotations

import warnings

# Warnings do not point at lines of these packages, but at the user's line that called them.
_INSIDE = ("ladreg", "sklearn")


def warn_user(message: str, category: type[Warning]) -> None:
    """A warning at the line of the user's code that called ladreg, directly or through scikit-learn."""
    try:
        raise RuntimeError
    except RuntimeError as error:  # its traceback has the frames of the callers
        traceback = error.__traceback__
    frame, level = traceback.tb_frame if traceback else None, 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    del frame, traceback  # a frame that refers to itself would keep the data of its callers
    warnings.warn(message, category, stacklevel=level + 1)
