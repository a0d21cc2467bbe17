"""The trust list: whose signatures count, in which role; how one list follows another; the recovery key."""
