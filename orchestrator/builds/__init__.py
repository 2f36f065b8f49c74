"""Adapters of `ports.Builds`: `local` runs builder subprocesses on this machine."""
