"""Adapters of the `Logs` port: where lines are kept."""
