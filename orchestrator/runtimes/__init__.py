"""Adapters of the `Runtime` port: where instances run."""
