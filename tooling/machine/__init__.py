"""What a bare machine gets before anything else: packages of its distribution, uv, the right of root; progress."""
