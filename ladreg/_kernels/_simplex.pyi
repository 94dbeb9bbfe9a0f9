from typing import Any

from numpy.typing import NDArray

A = NDArray[Any]

def pivot(
    A: A,
    residual: A,
    lower: A,
    upper: A,
    goal: A,
    basis: A,
    inverse: A,
    inside: A,
    move: A,
    when: A,
    tolerance: float,
    most: int,
) -> int: ...
