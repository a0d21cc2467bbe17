"""How Hermes resolves a route, step by step. `provision.hermes.routing.route` combines the steps.

    selection     which home: the root or a Hermes profile
    environment   the variables that Hermes ends up with     layers         the configuration that it ends up with
    providers     which entry a name means                   pool           keys that Hermes uses before key_env
    runtime       endpoint, key and API mode                 model_choice   the model, and what comes with it
    request       what one request contains                  hazards        what endangers the route, in three modules

Each module names the functions of Hermes that it models. Nothing here reads a disk, an environment or a clock.
"""
