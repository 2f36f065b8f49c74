"""The Names port: what DNS says."""
