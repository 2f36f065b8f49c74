"""Adapters of the Provider port: beside the API's own provider the only importers of authlib and joserfc."""
