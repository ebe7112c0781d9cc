"""dockerspawner: a user's server as JupyterHub starts, polls, finds again and stops it."""

from __future__ import annotations

import asyncio
import types
from typing import Any

from dockerspawner import DockerSpawner
from jupyterhub import orm
from jupyterhub.objects import Hub, Server
from traitlets.config import Config


def spawner() -> Any:
    config = Config()
    config.DockerSpawner.image = "tools"
    config.DockerSpawner.cmd = ["sh", "-c", "echo $JUPYTERHUB_USER > /work/who; exec python3 -m http.server 8888"]
    config.DockerSpawner.volumes = {"jupyterhub-user-{username}": "/work"}
    config.DockerSpawner.remove = True
    config.DockerSpawner.use_internal_ip = False
    config.DockerSpawner.pull_policy = "never"
    user = types.SimpleNamespace(name="ada", url="/user/ada/", escaped_name="ada", id=1, settings={}, groups=[])
    found = DockerSpawner(user=user, config=config, hub=Hub(), server=Server(), orm_spawner=orm.Spawner(name=""))
    found.get_env = lambda: {"JUPYTERHUB_USER": "ada"}
    return found


async def status_line(address: str, port: int) -> bytes:
    try:
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        line = await reader.readline()
        writer.close()
        return line
    except ConnectionError:
        return b""


async def main() -> None:
    one = spawner()
    address, port = await one.start()
    assert await one.poll() is None
    for _ in range(600):  # until it listens: before, the published port takes a connection and drops it
        if await status_line(address, port):
            break
        await asyncio.sleep(0.1)
    assert b" 200 OK" in await status_line(address, port)
    found = await one.get_object()
    assert found["State"]["Running"], found
    assert [mount["Name"] for mount in found["Mounts"]] == ["jupyterhub-user-ada"]
    await one.stop(now=True)
    assert await one.get_object() is None
    await one.docker("remove_volume", "jupyterhub-user-ada")
    print("done")


asyncio.run(main())
