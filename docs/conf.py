"""The settings of the site. `make docs` lays out its source, runs Sphinx: tools/build_docs.py."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # docstrings.py, beside this file

project = "flowerdiff"
author = "the flowerdiff authors"
copyright = "2026, the flowerdiff authors (MIT)"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "docstrings"]
exclude_patterns = ["_*", "results/**/_*"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

# The lessons come with their outputs; nothing is run here.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # commonmark, the default, knows no tables
nb_ipywidgets_js = {"widgets.js": {}}  # instead of a CDN's: see the file

autodoc_inherit_docstrings = False  # nn.Module has words for `forward` that are not ours
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = "flowerdiff"
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it is fetched, and a page opened from a disk may fetch nothing
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
# SVG, not fonts: Firefox loads no fonts from another folder of a disk. One file, nothing after it.
_mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
html_static_path = ["_static", str(_mathjax / "static/mathjax/tex-svg.js")]
mathjax_path = "tex-svg.js"


def setup(app):
    app.connect("html-page-context", _level_captions, priority=900)  # after the theme's own


def _level_captions(app, page, template, context, doctree):
    """A heading needs a level for those who hear the page; Sphinx gives the navigation's none."""
    if tree := context.get("furo_navigation_tree"):
        levelled = tree.replace('role="heading"', 'role="heading" aria-level="2"')
        context["furo_navigation_tree"] = levelled
