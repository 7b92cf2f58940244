"""Settings of Sphinx for the book. helpers/book.py lays out what Sphinx reads; nothing is run, nothing is fetched."""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # a second at each start: see tests/spared.py

project = "After the Disconnect"
copyright = "its authors. Code is MIT, prose is CC BY 4.0"  # noqa: A001  # Sphinx's name
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_static"]

# ---- lessons: outputs as they are stored ----
nb_execution_mode = "off"
nb_render_markdown_format = "gfm"  # a chart's numbers are a table
myst_heading_anchors = 3

# ---- the names of hangup ----
default_role = "code"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 80
add_module_names = False

# ---- how it looks ----
html_theme = "furo"
pygments_style = "default"
pygments_dark_style = "github-dark"
highlight_language = "text"  # of a fence that names none
html_title = project
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

# ---- links that lead out of the book: asked once a week ----
linkcheck_timeout = 20
linkcheck_retries = 3
linkcheck_anchors = False  # GitHub draws its pages with JavaScript
