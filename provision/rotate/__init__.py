"""Replacing keys in bulk: the state machine, its journal, and the acts that move a key along."""
