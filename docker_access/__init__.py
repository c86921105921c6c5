"""The one way to Docker: a client of the daemon that ``DOCKER_HOST`` names, and to the ports its host publishes.

``ssh://`` goes through the OpenSSH client, as Docker's own command line and Pulumi's plugin do: keys, agent and
``~/.ssh/config`` count for all three. docs/adr/0014-remote-docker-hosts.md says why.

Nothing is imported here: what needs no client does not wait for Docker's SDK.
"""
