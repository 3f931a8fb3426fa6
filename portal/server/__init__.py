"""The labelling portal: where a person does the tasks that lie at a desk, in a browser, through the deployed template.

`create_app(...)` (app) is the HTTP API; `access` lets people in, `guard` keeps others out, `templates` renders the
worker template, `images` hands out pictures by opaque ids, `check` refuses what consolidation would refuse. What the
browser runs lies in the folder `portal/` at the repository root.
"""
