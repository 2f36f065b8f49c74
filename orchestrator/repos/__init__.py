"""Git: bare repos on disk, read and written by plumbing, and spoken to over smart HTTP. Nothing else runs git."""
