// dockerode: run, attach, exec, logs, archives, images, volumes, networks, events.
const assert = require("assert/strict");
const { PassThrough } = require("stream");
const Docker = require("dockerode");

const docker = new Docker();
const text = async (stream) => {
  let got = "";
  for await (const chunk of stream) got += chunk;
  return got;
};
const collected = () => Object.assign(new PassThrough(), { got: "" }).on("data", function (chunk) { this.got += chunk; });
const until = (condition) => new Promise((resolve) => {
  const timer = setInterval(() => { if (condition()) { clearInterval(timer); resolve(); } }, 20);
});
const progress = (stream) => new Promise((resolve, reject) => {
  docker.modem.followProgress(stream, (error, lines) => (error ? reject(error) : resolve(lines)));
});

async function containers() {
  const out = collected();
  const [ended] = await docker.run("busybox", ["sh", "-c", "echo hi; exit 4"], out, { HostConfig: { AutoRemove: true } });
  assert.deepEqual([ended.StatusCode, out.got], [4, "hi\r\n"]);
  const container = await docker.createContainer({
    Image: "busybox", name: "ode", Cmd: ["sh", "-c", "read x; echo got $x; echo err >&2; exec sleep 1000"], OpenStdin: true, StdinOnce: true,
    AttachStdin: true, AttachStdout: true, AttachStderr: true, ExposedPorts: { "80/tcp": {} }, HostConfig: { PublishAllPorts: true },
  });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const [stdout, stderr] = [collected(), collected()];
  docker.modem.demuxStream(stream, stdout, stderr);
  await container.start();
  stream.write("hello\n");
  await until(() => stdout.got && stderr.got);
  stream.destroy();
  assert.deepEqual([stdout.got, stderr.got], ["got hello\n", "err\n"]);
  await assert.rejects(container.start(), { statusCode: 304 });
  const exec = await container.exec({ Cmd: ["sh", "-c", "cat; exit 5"], AttachStdin: true, AttachStdout: true });
  const piped = await exec.start({ hijack: true, stdin: true });
  piped.end("data");
  assert.equal((await text(piped)).slice(8), "data");
  assert.equal((await exec.inspect()).ExitCode, 5);
  assert.match(String(await container.logs({ stdout: true })), /got hello/);
  assert.equal((await container.stats({ stream: false })).name, "/ode");
  assert.equal((await container.top()).Processes.length, 1);
  assert.ok((await container.inspect()).NetworkSettings.Ports["80/tcp"][0].HostPort > 0);
  assert.match(await text(await container.getArchive({ path: "/etc/passwd" })), /root:x:0:0/);
  await container.commit({ repo: "ode", tag: "1" });
  await container.rename({ name: "ode2" });
  const waited = container.wait();
  await container.kill();
  assert.equal((await waited).StatusCode, 137);
  assert.equal((await docker.listContainers({ all: true, filters: { name: ["ode2"] } })).length, 1);
  await container.remove({ force: true, v: true });
  await assert.rejects(container.inspect(), { statusCode: 404 });
}

async function rest(context) {
  const built = await progress(await docker.buildImage({ context, src: ["Dockerfile"] }, { t: "ode:2" }));
  assert.equal(built.at(-1).stream, "Successfully tagged ode:2\n");
  for (const name of ["ode:1", "ode:2"]) await docker.getImage(name).remove();
  const volume = await docker.createVolume({ Name: "ode" });
  assert.equal((await volume.inspect()).Name, "ode");
  await volume.remove();
  const network = await docker.createNetwork({ Name: "ode" });
  assert.equal((await network.inspect()).Driver, "bridge");
  await network.remove();
  const events = await text(await docker.getEvents({ since: 0, until: Math.ceil(Date.now() / 1000), filters: { volume: ["ode"] } }));
  assert.deepEqual(events.trim().split("\n").map((line) => JSON.parse(line).Action), ["create", "destroy"]);
  await assert.rejects(docker.pull("127.0.0.1:1/nosuch:1"), { statusCode: 503 });
}

(async () => {
  assert.equal(String(await docker.ping()), "OK");
  await containers();
  await rest(process.argv[2]);
  console.log("done");
})();
