"""A preview for people: what ``pulumi preview --json`` of either engine comes to, as Markdown for a pull request.

Of the preview only operations, URNs and the names of changed properties are read, never a value: no secret can come
through, whatever an engine prints. Arrows point one way: ``__main__`` -> markdown -> meaning -> steps.
"""
