"""Hermes' `config.yaml`: read it as Hermes does, merge into it, edit it without touching the rest."""
