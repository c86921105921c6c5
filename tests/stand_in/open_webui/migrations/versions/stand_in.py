"""The only migration there is."""

revision = "stand-in"
down_revision = None
