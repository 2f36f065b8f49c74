"""What turns a Plan into something that runs: `venv` makes environments with uv on this machine."""
