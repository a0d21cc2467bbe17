"""The built-in secret rules, one module per family, each rule with its own examples.

**A new secret rule goes here**: add a `Rule` to the `RULES` of the module that fits. `models` holds gateways and model providers,
`tools` developer tools, `services` other services, `keys` private keys, `web` addresses, headers and JWT, `assigned` values of
names such as `api_key`. A token with a prefix of its own is one call of `pieces.token_rule`. Give each rule at least one example
(built by `pieces.example`, so that no real-looking key is in the source) and one counter-example; a test runs both.

`builtin` joins all families, `gitleaks` reads rules from files of the user. Values that only look like secrets are rejected in
`detect/not_secret.py`, not in a rule.
"""
