"""The `.env` of Hermes: how its parsers read it, how Hermes repairs it, and how to edit it safely."""
