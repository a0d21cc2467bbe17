"""Guardrails: a profile's policy as settings that Hermes honours, and the policy that is really in force in a home."""
