"""The front door: it carries every byte between visitors and apps. It knows routes, not Spaces: no database, no Redis, no
framework; it subscribes to the control plane's route feed and reports activity back. `server.serve` is the entry point."""
