"""The page about other libraries, the script that tries them and the list of their versions name the same ones."""

import re

from tests.clients.table import PAGE, REQUIREMENTS, TABLE, filled, rendered

PINNED = dict(re.findall(r"^([\w-]+)(?:\[.*\])?==(\S+)$", REQUIREMENTS.read_text(), flags=re.M))


def test_the_table_of_the_page_is_what_the_script_writes():
    assert TABLE.read_text() == rendered([(one, {name: PINNED[name] for name in one.packages}) for one in filled()])
    assert f".. include:: {TABLE.name}" in PAGE.read_text()


def test_names_are_there_once_and_every_library_is_required():
    rows = filled()
    assert len({one.name for one in rows}) == len({one.run for one in rows}) == len(rows) == 17
    assert {package for one in rows for package in one.packages} == PINNED.keys() - {"scikit-learn", "pandas"}


def test_the_page_says_what_classes_to_trust():
    """Each class of the table is where its name says."""
    from importlib import import_module

    from tests import public

    named = re.findall(r"^     - `(ladreg\.\w+)\.(\w+)`", PAGE.read_text(), flags=re.M)
    assert all(hasattr(import_module(module), name) for module, name in named)
    assert {module for module, _ in named} == {one.__module__ for one in public.classes()}
