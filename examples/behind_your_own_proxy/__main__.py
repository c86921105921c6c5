"""A Pulumi program of your own: a web server and its network, and behind it Open WebUI with Valkey, proved."""

import pulumi
import pulumi_docker as docker

from components import DataVolume, Lockdown, Network, NetworkArgs, OpenWebUI, OpenWebUIArgs, Valkey, ValkeyArgs
from verification.resource import Verification, VerificationArgs

config = pulumi.Config()
name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
url = f"http://127.0.0.1:{config.require_int('port')}"

# The program had these before: a network, and a web server on it. Its one new line leads to the chat.
network = docker.Network("network", name=name)
web = docker.Container(
    "web",
    name=f"{name}-web",
    image=config.require("webImage"),
    command=["caddy", "reverse-proxy", "--from", "http://:8080", "--to", f"{name}-chat:8080"],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    ports=[docker.ContainerPortArgs(internal=8080, external=config.require_int("port"), ip="127.0.0.1")],
)

# These are new: a Valkey that nothing else on that network can use, Open WebUI, and the proof that events travel.
joined = Network("joined", NetworkArgs(name=name, external=True, network_id=network.id))
valkey_args = ValkeyArgs(
    image=config.require("valkeyImage"),
    container_name=f"{name}-valkey",
    data=DataVolume(name=f"{name}-valkey"),
    network=joined,
    service_name="chat-valkey",
    lockdown=Lockdown(tls=True),
)
valkey = Valkey("valkey", valkey_args)
chat_args = OpenWebUIArgs(
    image=config.require("openWebuiImage"),
    container_name=f"{name}-chat",
    data=DataVolume(name=f"{name}-chat"),
    network=joined,
    valkey=valkey,
    port=None,
    extra_environment={"WEBUI_NAME": "Shop", "WEBUI_URL": url, "CORS_ALLOW_ORIGIN": url},
)
chat = OpenWebUI("chat", chat_args)
proof_args = VerificationArgs(
    apps=list(chat.container_ids),
    valkey=valkey.container_name,
    gateway=f"{name}-web",
    migration=chat.migration_name,
    url=url,
    valkey_login=valkey.login,
    app_user=valkey.app_user,
    expected={valkey.container_name: valkey.expected, **chat.expected},
    triggers={"web": web.id, "valkey": valkey.container_id, **chat.container_ids},
)
proof = Verification("proof", proof_args, pulumi.ResourceOptions(depends_on=[web, valkey, chat]))
pulumi.export("url", url)
pulumi.export("proved", proof.report["summary"])
