"""Adapters of the Bell port beyond the one in services/bell.py: the only importers of redis."""
