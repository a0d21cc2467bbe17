"""What `provision help TOPIC` explains besides commands."""

from __future__ import annotations

TOPICS: dict[str, tuple[str, str]] = {
    "limits": (
        "How -l, --limit chooses users.",
        """\
-l takes patterns, separated by commas; a user is chosen if one of them matches.

  ada            a user id
  ada*           a glob
  profile:NAME   users of a team profile, globs allowed
  tag:NAME       users with a tag
  platform:NAME  linux, macos or windows
  !PATTERN       not these, whatever else matches

A pattern that matches no user is an error (exit code 3) that names the nearest match.
""",
    ),
    "exit-codes": (
        "What the exit codes mean.",
        """\
   0  success, nothing to report
   1  error: invalid input, a file that cannot be read, a refused bundle
   2  usage: an unknown option or argument
   3  a pattern, user or name matched nothing
   4  some users, machines or files failed or could not be read; the others succeeded
  10  the command worked and reports something: findings, drift, failed verdicts
""",
    ),
    "environment": (
        "Variables that provision reads.",
        """\
  PROVISION_CONFIG_DIR    folder of identity, signing key and trusted signers
  PROVISION_…             any setting of provision.toml, such as PROVISION_GATEWAY
  PROVISION_ERRORS=json   errors as one line of JSON
  PROVISION_TLS_BUNDLE    a file of further certificate authorities
  HERMES_HOME             the Hermes home, as Hermes reads it
  NO_COLOR                no colour
""",
    ),
    "secrets": (
        "Where keys are, and where they never are.",
        """\
Keys are in keys.vault (encrypted to the operators), in bundles (encrypted to one user's machines) and in the .env of that user's
Hermes. They are never in arguments, environment variables of other programs, logs, errors or reports: those name a key by its
fingerprint (fp_…). Give a key to a command in a file or on standard input: provision keys whose -
""",
    ),
}
"""By name: one line, and the text."""
