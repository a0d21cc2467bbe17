"""Hermes' `config.yaml`: read it as Hermes does, merge settings into it, edit it without changing the rest."""
