"""Questions to what runs: containers, Docker, endpoints. They find facts and judge nothing."""
