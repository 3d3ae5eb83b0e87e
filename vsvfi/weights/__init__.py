"""Known models (registry) and, from the networks on, their weights on this machine."""
