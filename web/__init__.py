"""The pages of the console: server-rendered, over the same services as the API. No state of their own, no build step."""
