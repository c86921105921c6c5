"""The Pulumi CLI, where there is one: whether it can run this project, and what is asked of it out of sight."""
