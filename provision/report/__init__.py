"""Results as tables, JSON, HTML and other formats.

One module per format: `terminal` (text tables), `document` (JSON), `html`, `junit`, `sarif`; `formats` is their registry.
One module per result, with a writer per format: `audit`, `audit_fleet`, `checklist`, `deployment`, `fleet` (the page of
`provision report`), `home_status`, `install`, `publish`, `receipts`, `render`, `rotation`, `validation`.
`output` writes a result to stdout or a file, `progress` shows how far a long run is.
"""
