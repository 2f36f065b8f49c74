"""`python -m orchestrator.cli` is `podium`."""

from orchestrator.cli import main

main()
