"""Push bundles to many machines through Ansible."""
