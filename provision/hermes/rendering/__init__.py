"""From desired state to one user's `config.yaml`, `.env` and `WELCOME.md`."""
