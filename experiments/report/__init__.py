"""What came out, for readers: `report.html`, `report.md`, `verdicts.csv` and the tables of the README."""
