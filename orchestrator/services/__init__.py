"""Use cases on ports. One file per subject; no adapter and no HTTP in here."""
