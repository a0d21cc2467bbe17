"""Commands about operators, the trust list and the recovery key."""
