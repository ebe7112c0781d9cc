"""aiodocker: containers attached to, executed in, followed; images, volumes, networks, events, a build."""

from __future__ import annotations

import asyncio
import io
import tarfile

import aiodocker

CONTAINER = {
    "Image": "busybox",
    "Cmd": ["sh", "-c", "read x; echo got $x; echo err >&2; sleep 1000"],
    "OpenStdin": True,
    "StdinOnce": True,
    "AttachStdin": True,
    "AttachStdout": True,
    "AttachStderr": True,
    "ExposedPorts": {"80/tcp": {}},
    "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": ""}]}},
}


def archive(name: str, data: bytes, mode: str = "w") -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    file.seek(0)
    return file


async def containers(docker: aiodocker.Docker) -> None:
    container = await docker.containers.create_or_replace("aio", CONTAINER)
    async with container.attach(stdin=True, stdout=True, stderr=True) as stream:
        await container.start()
        await stream.write_in(b"hello\n")
        read = sorted([await stream.read_out(), await stream.read_out()])
        assert [(message.stream, message.data) for message in read] == [(1, b"got hello\n"), (2, b"err\n")], read
    await container.show()
    assert int((await container.port(80))[0]["HostPort"]) > 0
    (sample,) = await container.stats(stream=False)
    assert sample["name"] == "/aio"
    assert sample["precpu_stats"]["system_cpu_usage"] > 0
    execution = await container.exec(["sh", "-c", "head -c 4; exit 3"], stdin=True)
    async with execution.start(detach=False) as stream:
        await stream.write_in(b"data")
        message = await stream.read_out()
        assert message is not None
        assert message.data == b"data"
        assert await stream.read_out() is None
    assert (await execution.inspect())["ExitCode"] == 3
    await container.put_archive("/tmp", archive("f", b"abc").getvalue())
    assert (await container.get_archive("/tmp/f")).getnames() == ["f"]
    assert sorted(await container.log(stdout=True, stderr=True)) == ["err\n", "got hello\n"]
    async for line in container.log(stdout=True, follow=True):
        assert line == "got hello\n"
        break
    await container.rename("aio-other")
    await container.pause()
    await container.unpause()
    await container.commit(repository="aio", tag="1")
    await container.kill()
    assert (await container.wait())["StatusCode"] == 137
    assert [each.id for each in await docker.containers.list(all=True)] == [container.id]
    await container.delete(force=True)


async def websocket(docker: aiodocker.Docker) -> None:
    container = await docker.containers.create_or_replace("aio-websocket", {**CONTAINER, "HostConfig": {}})
    client = await container.websocket(stdin=True, stdout=True, stderr=True, stream=True)
    await container.start()
    await client.send_str("hello\n")
    said = b""
    while len(said) < len(b"got hello\nerr\n"):
        said += await asyncio.wait_for(client.receive_bytes(), 60)
    assert sorted(said.splitlines()) == [b"err", b"got hello"], said  # two streams: in no order
    await client.close()
    await container.delete(force=True)


async def rest(docker: aiodocker.Docker) -> None:
    await docker.images.tag("aio:1", "aio", tag="2")
    for name in ("aio:1", "aio:2"):
        await docker.images.delete(name)
    assert [image for image in await docker.images.list() if "aio:1" in (image["RepoTags"] or [])] == []
    volume = await docker.volumes.create({"Name": "aio-volume"})
    assert (await volume.show())["Scope"] == "local"
    await volume.delete()
    network = await docker.networks.create({"Name": "aio-network"})
    assert (await network.show())["Name"] == "aio-network"
    await network.delete()
    context = archive("Dockerfile", b"FROM busybox\nRUN echo built > /built\n", "w:gz")
    lines = await docker.images.build(fileobj=context, encoding="gzip", tag="aio:3")
    assert lines[-1]["stream"] == "Successfully tagged aio:3\n", lines
    await docker.images.delete("aio:3")


async def main() -> None:
    async with aiodocker.Docker() as docker:
        assert (await docker.version())["ApiVersion"] == "1.44"
        assert (await docker.system.info())["OSType"] == "linux"
        events = docker.events.subscribe()
        await containers(docker)
        await websocket(docker)
        await rest(docker)
        seen = [await asyncio.wait_for(events.get(), 60) for _ in range(4)]
        assert [event["Action"] for event in seen] == ["create", "attach", "connect", "start"], seen
        assert seen[0]["Actor"]["Attributes"]["name"] == "aio"
    print("done")


asyncio.run(main())
