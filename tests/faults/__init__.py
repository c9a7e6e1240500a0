"""Long and rude: crashes, deaths, bad input, large numbers. Run by hand (`pytest tests/faults`)."""
