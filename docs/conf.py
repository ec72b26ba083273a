"""Settings of Sphinx for the documentation: make docs."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

import bbi

project = "BBI"
author = "the contributors of bbi"
copyright = "MIT license"
version = release = bbi.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "docstrings",
    "repository",
]
exclude_patterns = ["_build", "_extensions"]
highlight_language = "none"  # a block without a language is a formula or a command
suppress_warnings = ["config.cache"]  # the gallery's settings hold a function

smartquotes = False  # a derivative is no quotation

html_theme = "furo"
html_title = f"BBI {release}"
html_extra_path = ["../results/report.html"]
html_math_renderer = "mathml"  # MathJax would be loaded from another host
html_copy_source = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False

# The scripts are run by tests/test_examples.py, which also checks what they reach; here they are shown.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "plot_gallery": False,
    "backreferences_dir": None,
    "write_computation_times": False,  # its page loads scripts from another host
    "min_reported_time": 1e9,
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
}
