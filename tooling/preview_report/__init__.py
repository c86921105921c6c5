"""A preview for people: what ``pulumi preview --json`` of either engine comes to, as Markdown for a pull request.

Of the preview only operations, URNs and the names of changed properties are read, never a value. The one text that
others have written, why a preview failed, has the stack's secrets taken out; where they are not known, it is left out.
Arrows point one way: ``__main__`` -> hidden, markdown -> meaning -> steps.
"""
