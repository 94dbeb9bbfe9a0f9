"""Try the libraries of the table: ``python -m tests.clients [NAME ...] [--write]``.

The libraries are those of ``requirements.txt`` beside this file. Each row is printed as it ends; a row whose library is
not installed, or whose assertions do not hold, is a failure. At the end the code of the page is run. ``--write`` puts
the table into the documentation, if everything holds.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import tempfile
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO

from tests.clients.table import PAGE, TABLE, filled, rendered


def tried(name: str, run: Callable[[], object]) -> bool:
    """Whether a function ends without an error; one line of what happened is printed, or the error."""
    start, other = time.perf_counter(), StringIO()
    try:
        with redirect_stderr(other):  # progress bars, and warnings of libraries about themselves
            said = run()
    except Exception:
        print(f"{name:18} FAILS\n{other.getvalue()}\n{traceback.format_exc()}", flush=True)
        return False
    print(f"{name:18} works {time.perf_counter() - start:6.1f} s  {said}", flush=True)
    return True


def code_of_the_page() -> str:
    """Run the blocks of Python of the page, one after the other."""
    os.chdir(tempfile.mkdtemp())
    blocks = re.findall(r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", PAGE.read_text(), flags=re.M)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(textwrap.dedent(block), str(PAGE), "exec"), names)
    return f"{len(blocks)} blocks"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="rows to try, by their names; all, and the page's code, by default")
    parser.add_argument("--write", action="store_true", help="write the table of the documentation")
    given, rows = parser.parse_args(), filled()
    unknown = set(given.names) - {one.name for one in rows}
    if unknown:
        parser.error(f"there is no row {min(unknown)!r}: they are {', '.join(one.name for one in rows)}")
    if given.write and given.names:
        parser.error("--write takes all rows")
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    results = {one.name: tried(one.name, one.tried) for one in rows if one.name in given.names or not given.names}
    if not given.names:
        results["the page's code"] = tried("the page's code", code_of_the_page)
    failed = [name for name, works in results.items() if not works]
    if failed:
        print(f"{len(failed)} of {len(results)} fail: {', '.join(failed)}")
        return 1
    if given.write:
        TABLE.write_text(rendered([(one, one.versions()) for one in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
