"""Vectors: there are none to keep."""

VECTOR_DB_CLIENT = None


def get_vector_db_client() -> None:
    """Make no client."""
