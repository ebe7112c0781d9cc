// testcontainers: a server waited for in four ways, asked from here and by its neighbour; an image of a Dockerfile; ryuk.
const assert = require("assert/strict");
const { GenericContainer, Network, Wait } = require("testcontainers");

(async () => {
  const network = await new Network().start();
  const server = "mkdir /www; cp /etc/given /www/index.html; echo up; exec httpd -f -p 80 -h /www";
  const web = await new GenericContainer("busybox")
    .withCommand(["sh", "-c", server])
    .withExposedPorts(80)
    .withNetwork(network)
    .withNetworkAliases("web")
    .withEnvironment({ A: "b" })
    .withTmpFs({ "/scratch": "rw" })
    .withCopyContentToContainer([{ content: "served", target: "/etc/given" }])
    .withHealthCheck({ test: ["CMD-SHELL", "wget -qO- http://127.0.0.1/"], interval: 1000, timeout: 3000, retries: 60, startPeriod: 1000 })
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage("up"), Wait.forListeningPorts(), Wait.forHealthCheck(), Wait.forHttp("/", 80)]))
    .start();
  assert.equal(await (await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/`)).text(), "served");
  const done = await web.exec(["sh", "-c", "echo $A; exit 3"]);
  assert.deepEqual([done.output, done.exitCode], ["b\n", 3]);
  const neighbour = await new GenericContainer("busybox")
    .withNetwork(network)
    .withCommand(["sh", "-c", "wget -qO- http://web/; echo; exec sleep 1000"])
    .withWaitStrategy(Wait.forLogMessage("served"))
    .start();
  await neighbour.stop({ timeout: 0 });
  await web.restart({ timeout: 0 });
  const image = await GenericContainer.fromDockerfile(process.argv[2]).build();
  const built = await image.withCommand(["sh", "-c", "cat /built; exec sleep 1000"]).withWaitStrategy(Wait.forLogMessage("built")).start();
  await built.stop({ timeout: 0 });
  console.log("done"); // web and its network are left to ryuk
})();
