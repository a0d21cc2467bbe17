"""Bundles on their way to many machines: pushed through Ansible, or pulled from a signed feed."""
