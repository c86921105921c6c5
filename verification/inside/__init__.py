"""What runs inside a container: programs of the standard library and the application's packages, and their runner."""
