"""The audit: leaked keys and hijacked routes of Hermes.

`sources` list what to read, `scan` runs the tasks (in worker processes), `match_blob` finds secrets in one blob. `leaks` and
`homes` make findings, `remediation` says how to fix each one, `fix` applies the fixes. `baseline` ignores accepted findings,
`document` is the JSON form, `merge` joins the reports of many machines.
"""
