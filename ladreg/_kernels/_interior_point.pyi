from typing import Any

from numpy.typing import NDArray

A = NDArray[Any]

def weigh(a: A, s: A, under: A, over: A, residual: A, q: A, pushed: A) -> None: ...
def predict(a: A, s: A, under: A, over: A, residual: A, q: A, moved: A, bold: float, da: A) -> float: ...
def correct(
    a: A,
    s: A,
    under: A,
    over: A,
    residual: A,
    q: A,
    da: A,
    center: float,
    to_under: A,
    to_over: A,
    push: A,
    pushed: A,
) -> None: ...
def direct(
    a: A, s: A, under: A, over: A, q: A, push: A, moved: A, bold: float, da: A, to_under: A, to_over: A
) -> tuple[float, float]: ...
def step(a: A, s: A, under: A, over: A, da: A, dunder: A, dover: A, primal: float, dual: float) -> float: ...
