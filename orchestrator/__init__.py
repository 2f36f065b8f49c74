"""The control plane of Podium and its front door. The map of this package is in the README, section "The house"."""

__version__ = "0.1.0"
