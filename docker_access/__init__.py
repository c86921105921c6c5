"""The one way to Docker: to the daemon that ``DOCKER_HOST`` names, and to the ports that its host publishes.

``client`` makes clients, over ``transport`` and ``ssh`` where the daemon is on another machine. ``ssh://`` goes through
the OpenSSH client, as with Docker's own command line and Pulumi's plugin: keys, agent and ``~/.ssh/config`` count for
all three. docs/adr/0014-remote-docker-hosts.md says why.

Nothing is imported here: a module that needs no client does not wait for Docker's SDK.
"""
