"""Measures a deployed stack from outside: load, joins, outages, and the time to deploy it.

Everything goes through the public URL, as a browser would; only the events are published inside an app container,
with the app's own way to Valkey, as another replica would publish them.
"""
