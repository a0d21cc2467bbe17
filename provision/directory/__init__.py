"""Users from the directory: what identity providers, device managers and HR systems export."""
