// A log that grows: lines are collected and drawn a few times a second, in blocks: those out of sight cost nothing. The oldest go.
"use strict";
(() => {
  const BLOCK = 100, BLOCKS = 50, LIMIT = BLOCK * BLOCKS, BETWEEN_MS = 100;
  const log = document.getElementById("log"), state = document.getElementById("log-state");
  const search = document.getElementById("log-search"), following = document.getElementById("log-follow");
  let waiting = [], drawing = false;

  const hidden = (line) => search.value !== "" && !line.textContent.toLowerCase().includes(search.value.toLowerCase());
  function made(found) {
    const line = document.createElement("div"), time = document.createElement("time"), text = document.createElement("span");
    line.className = `line ${found.stream === "stderr" ? "stderr" : "stdout"}`;
    time.textContent = found.time;
    text.textContent = found.text;
    if (found.who) { const who = document.createElement("b"); who.textContent = found.who; line.append(who, " "); }
    line.append(time, " ", text);
    line.classList.toggle("hidden", hidden(line));
    return line;
  }
  function add(lines) {
    for (let block = log.lastElementChild; lines.length; block = null) {
      if (!block || block.children.length >= BLOCK) {
        block = document.createElement("div");
        block.className = "block";
        log.append(block);
      }
      block.append(...lines.splice(0, BLOCK - block.children.length));
    }
    while (log.children.length > BLOCKS) log.firstElementChild.remove();
  }
  add([...log.children].map((line) => { line.remove(); return line; })); // what the page has come with

  function draw() {
    drawing = false;
    add(waiting.splice(0).slice(-LIMIT).map(made));
    if (following.checked) log.scrollTop = log.scrollHeight;
  }
  let since = log.dataset.since;
  const source = window.rootless.follow(() => `${log.dataset.follow}${log.dataset.follow.includes("?") ? "" : "?"}since=${encodeURIComponent(since)}`, {
    message(event) {
      if (event.lastEventId) since = event.lastEventId;
      waiting.push(JSON.parse(event.data));
      if (waiting.length > 2 * LIMIT) waiting = waiting.slice(-LIMIT);
      if (!drawing) { drawing = true; setTimeout(() => requestAnimationFrame(draw), BETWEEN_MS); }
    },
    open() { state.textContent = ""; },
    end() { source.end(); state.textContent = log.dataset.ended ?? "The container has ended."; },
  });

  search.addEventListener("input", () => { for (const line of log.querySelectorAll(".line")) line.classList.toggle("hidden", hidden(line)); });
  document.getElementById("log-tools").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("log-wrap").addEventListener("change", (event) => log.classList.toggle("wrapped", event.target.checked));
  document.getElementById("log-times").addEventListener("change", (event) => log.classList.toggle("times", event.target.checked));
  following.addEventListener("change", () => { if (following.checked) log.scrollTop = log.scrollHeight; });
  log.scrollTop = log.scrollHeight;
})();
