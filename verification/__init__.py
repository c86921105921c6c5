"""The proof that live events travel through Valkey; imports no component and runs against any Open WebUI."""
