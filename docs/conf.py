"""Sphinx configuration; docs/contributing.md has the command that builds the pages."""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxRole

import ladreg
from ladreg import __version__

examples = Path(__file__).parent.parent / "examples"

project = "ladreg"
author = "The ladreg developers"
project_copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.figmpl_directive",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx-mathjax-offline",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "code_or_link"
myst_enable_extensions = ["colon_fence"]
mathjax_path = "mathjax/tex-chtml.js"  # sphinx-mathjax-offline copies it into the build
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autosummary_generate = True
# Names that examples import, whose pages list these examples.
imports = [re.findall(r"^from ladreg import (.*)", path.read_text(), flags=re.M) for path in examples.glob("*.py")]
autosummary_context = {
    "in_examples": sorted({name for lines in imports for line in lines for name in line.split(", ")})
}
autodoc_typehints = "none"  # the numpydoc sections have the types, in words
numpydoc_show_class_members = False  # the class template lists the methods

# Pages of scikit-learn, listed in sklearn.inv (contributing.md says how): building needs no network.
scikit_learn = "https://scikit-learn.org/stable/"
intersphinx_mapping = {"sklearn": (scikit_learn, "sklearn.inv")}
listed = [line.split() for line in (Path(__file__).parent / "sklearn.inv").read_text().splitlines()[3:]]
linked = {name.rsplit(".", 1)[1]: f"{scikit_learn}{page}#{name}" for name, _, page in listed}
linked = {name: page for name, page in linked.items() if not hasattr(ladreg, name)}


class CodeOrLink(SphinxRole):
    """Text in single backquotes: code, and a link where it is a name of scikit-learn alone."""

    def run(self):
        """Make the node."""
        code = nodes.literal(self.rawtext, self.text)
        if self.text not in linked:
            return [code], []
        return [nodes.reference(self.rawtext, "", code, refuri=linked[self.text], internal=False)], []


def setup(app):
    """Make it a role, which `default_role` names."""
    app.add_role("code_or_link", CodeOrLink())


plot_formats = [("png", 100)]
plot_srcset = ["2x"]
plot_rcparams = {"savefig.transparent": True}  # dark pages show through; see ladreg.css
plot_html_show_formats = False
plot_html_show_source_link = False

html_theme = "pydata_sphinx_theme"
html_title = f"ladreg {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["ladreg.css"]
html_theme_options = {
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "logo": {"text": "ladreg"},
}

sys.path.insert(0, str(Path(__file__).parent))  # for gallery_order
if any(examples.glob("*.py")):
    extensions.append("sphinx_gallery.gen_gallery")
    sphinx_gallery_conf = {
        "examples_dirs": str(examples),
        "gallery_dirs": "auto_examples",
        "filename_pattern": r"/(plot_|quickstart)",
        "within_subsection_order": "gallery_order.InOrder",
        "reset_modules": ("matplotlib", "gallery_order.transparent"),
        "backreferences_dir": "generated/backreferences",
        "doc_module": ("ladreg",),
        "plot_gallery": True,
        "abort_on_example_error": True,
        "download_all_examples": False,
        "show_memory": False,
    }
