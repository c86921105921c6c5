"""What `make` runs: the set-up of a fresh machine, and the choice between the Pulumi CLI and the embedded engine."""
