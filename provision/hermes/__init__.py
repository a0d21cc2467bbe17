"""Everything that is known about Hermes: facts, configuration, environment, routes."""
