"""Links of the pages to files of the repository that are no pages.

They are written as paths, so that they work where the repository is read. In the built documentation those to
the report lead to a copy of results/report.html; the others become the name of the file.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

REPORT = ("results/report.md", "results/report.html")


def setup(app: Any) -> dict[str, Any]:
    """Replace the links after a page was read."""
    app.connect("doctree-read", _replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _replace(app: Any, doctree: nodes.document) -> None:
    root = Path(app.srcdir).parent
    for link in [*doctree.findall(addnodes.download_reference), *doctree.findall(addnodes.pending_xref)]:
        target, _, anchor = link["reftarget"].partition("#")
        if link.get("reftype") != "myst" or not target:
            continue
        if link.get("refdomain"):  # another page; one outside of the folder is named by its whole path
            file, anchor = Path(f"{target}.md"), link.get("reftargetid") or ""
        else:
            file = (Path(app.srcdir) / link["refdoc"]).parent / target
        if not file.is_absolute() or not file.exists():
            continue  # a page, or Sphinx says what is missing
        name = file.resolve().relative_to(root).as_posix()
        if name in REPORT:
            up = "../" * link["refdoc"].count("/")
            address = f"{up}report.html" + (f"#{anchor}" if anchor else "")
            link.replace_self(nodes.reference("", "", *link.children, refuri=address))
        elif name.endswith(link.astext()):
            link.replace_self(list(link.children))
        else:
            link.replace_self([*link.children, nodes.Text(" ("), nodes.literal("", name), nodes.Text(")")])
