from typing import Any

from numpy.typing import NDArray

def gram_burst(
    gram: NDArray[Any],
    strength: NDArray[Any],
    positive: bool,
    n_epochs: int,
    coef: NDArray[Any],
    slope: NDArray[Any],
) -> int: ...
def settle(
    gram: NDArray[Any],
    strength: NDArray[Any],
    positive: bool,
    max_steps: int,
    tolerance: float,
    coef: NDArray[Any],
    slope: NDArray[Any],
    support: NDArray[Any],
    factor: NDArray[Any],
    size: int,
) -> tuple[int, int]: ...
def follow(
    gram: NDArray[Any],
    known: NDArray[Any],
    unit: NDArray[Any],
    positive: bool,
    alphas: NDArray[Any],
    max_steps: int,
    budget: int,
    rounding: float,
    coef: NDArray[Any],
    slope: NDArray[Any],
    support: NDArray[Any],
    factor: NDArray[Any],
    size: int,
    coefs: NDArray[Any],
    slopes: NDArray[Any],
    n_steps: NDArray[Any],
    done: NDArray[Any],
    at: int,
    used: int,
) -> tuple[int, int, int, bool]: ...
