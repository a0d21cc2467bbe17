"""How Hermes 0.19 arrives at a route, step by step; `provision.hermes.routing.route` puts the steps together.

    selection    which home: the root or a Hermes profile
    environment  the variables Hermes ends up with          layers     the configuration it ends up with
    providers    which entry a name means                   pool       keys that come before key_env
    runtime      endpoint, key and mode                     modelname  the model, and what it drags along
    sent         what one request carries                   hazards    what endangers the route, in three subjects

Each module names the functions of Hermes that it models. Nothing here reads a disk, an environment or a clock.
"""
