"""What annotations say is what docstrings say; `tests/typing_examples.py` is read by mypy and pyright in the gate."""

import inspect
import re
import typing
from types import NoneType

import pytest
import scipy.sparse

import ladreg
import ladreg.blocks
from tests import public

CLASSES = pytest.mark.parametrize("value", public.classes(), ids=lambda value: value.__name__)
CALLS = [*public.classes(), *public.functions(), ladreg.blocks.parquet]


def section(value, title):
    """The names of a section of a docstring, each with the line that says what it is."""
    text = re.split(rf"\n{title}\n-+\n", inspect.getdoc(value))[1]
    text = re.split(r"\n\n?[A-Z][A-Za-z ]+\n-+\n", text)[0]
    lines = re.findall(r"^(\w[\w, ]*) : (.*)$", text, flags=re.M)
    return {name: kind for names, kind in lines for name in names.split(", ")}


def declared(value):
    """The attributes that a class declares, itself or by what it inherits."""
    return {name for one in value.__mro__ for name in (*inspect.get_annotations(one), *vars(one))}


@CLASSES
def test_fitted_attributes_are_declared_and_absent_before_a_fit(value):
    documented = section(value, "Attributes")
    assert documented.keys() <= declared(value)
    for name in documented:
        found = getattr(value, name, None)
        assert found is None or isinstance(found, property), f"{name} is an attribute of the class"
        assert not hasattr(value(), name)


@CLASSES
def test_declared_attributes_are_documented(value):
    documented = section(value, "Attributes").keys() | {"mae_path_"}  # of the median, for other quantiles as well
    names = {name for name in declared(value) if re.fullmatch(r"[a-z]\w*[a-z0-9]_", name)}
    optional = {"knots_", "n_passes_"}  # of fits that some classes do not have
    assert names - optional <= documented


def literals(annotation):
    """The strings that an annotation allows; None where any string is allowed."""
    parts = typing.get_args(annotation) if typing.get_origin(annotation) is not typing.Literal else (annotation,)
    if annotation is str or str in parts:
        return None
    found = set()
    for part in parts or (annotation,):
        if typing.get_origin(part) is typing.Literal:
            found |= {one for one in typing.get_args(part) if isinstance(one, str)}
    return found


@pytest.mark.parametrize("value", CALLS, ids=lambda value: value.__name__)
def test_choices_are_literals(value):
    """A parameter that the docstring gives a set of strings has these as its literals."""
    hints = typing.get_type_hints(value.__init__ if isinstance(value, type) else value)
    for name, kind in section(value, "Parameters").items():
        choices = (re.match(r"\{(.*?)\}(?! or array)", kind) or [None, ""])[1]  # arrays may be of strings
        if '"' in choices:
            assert literals(hints[name]) == set(re.findall(r'"(.*?)"', choices)), name
            assert ("None" in choices) <= (NoneType in typing.get_args(hints[name]))


@pytest.mark.parametrize("value", CALLS, ids=lambda value: value.__name__)
def test_sparse_tables_are_allowed_where_they_are_documented(value):
    calls = (
        [
            getattr(value, name)
            for name in ("fit", "predict", "verify", "predict_interval", "alpha_max")
            if hasattr(value, name)
        ]
        if isinstance(value, type)
        else [value]
    )
    for call in calls:
        if "sparse array" in section(call, "Parameters").get("X", ""):
            assert {scipy.sparse.sparray, scipy.sparse.spmatrix} <= set(
                typing.get_args(typing.get_type_hints(call)["X"])
            )
