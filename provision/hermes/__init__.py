"""What `provision` knows about Hermes: facts, configuration, environment, routes."""
