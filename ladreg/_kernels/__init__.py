"""Compiled inner loops; `reference` holds the same functions in plain NumPy, which are their specification."""

from importlib.util import find_spec

if find_spec("ladreg._kernels._rows") is None:
    raise ImportError(
        f"the compiled loops of ladreg are not in {__path__[0]}: Python found the sources before an installed package. "
        "Run `python -m pip install -e .` in the clone, which needs a C compiler, or start Python in another folder."
    )
