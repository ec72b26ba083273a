"""One-off: give results without a store the column names and settings of the new layout.

    python scripts/convert_results.py results/paper/ackley ...

The rows stay as they were computed. The provenance keeps what made them, and says that they were converted.
"""

import hashlib
import json
import sys
from pathlib import Path

from experiments.harness import provenance, results, session
from experiments.harness.settings import compose, load
from experiments.harness.tables import FILES, dtypes, dump_yaml, encode

COLUMNS = {"contender": "competitor", "reading": "variant", "miss": "boundary_residual"}


def convert(folder: Path) -> None:
    """Rewrite one folder ``<results>/<profile>/<experiment>``."""
    record = results.read_record(folder)
    assert record is not None
    tables = {name: frame.rename(columns=COLUMNS) for name, frame in results.read_tables(folder).items()}
    cfg = compose(f"experiment={folder.name}", f"profile={folder.parent.name}")
    settings = load(cfg, session.section_of(cfg).Config)
    files = {"config.yaml": dump_yaml(settings.portable()), **encode(tables)}
    for name in tables:
        if FILES[name].endswith(".csv"):  # nothing but the header may change
            old, new = (folder / FILES[name]).read_bytes(), files[FILES[name]]
            assert old.partition(b"\n")[2] == new.partition(b"\n")[2], folder / FILES[name]
    record.setdefault("units", [])  # in the oldest ones nothing is known of the units
    record |= {
        "fingerprint": provenance.fingerprint(settings),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "columns": {name: dtypes(frame) for name, frame in tables.items()},
        "converted": {
            "why": "new names of columns and settings; the rows are as computed",
            **provenance.maker(),
        },
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / results.RECORD).write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    for word in sys.argv[1:]:
        convert(Path(word))
