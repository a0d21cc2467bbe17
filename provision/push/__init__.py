"""Push bundles to many machines through Ansible: `provision deploy` and `provision audit --hosts`."""
