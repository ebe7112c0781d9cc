// A log that grows: lines are collected and drawn once a frame, and the oldest go.
"use strict";
(() => {
  const LIMIT = 5000;
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
  function draw() {
    drawing = false;
    const lines = document.createDocumentFragment();
    for (const found of waiting.splice(0).slice(-LIMIT)) lines.append(made(found));
    log.append(lines);
    for (let over = log.children.length - LIMIT; over > 0; over--) log.firstChild.remove();
    if (following.checked) log.scrollTop = log.scrollHeight;
  }
  let since = log.dataset.since;
  const source = window.rootless.follow(() => `${log.dataset.follow}${log.dataset.follow.includes("?") ? "" : "?"}since=${encodeURIComponent(since)}`, {
    message(event) {
      if (event.lastEventId) since = event.lastEventId;
      waiting.push(JSON.parse(event.data));
      if (waiting.length > 2 * LIMIT) waiting = waiting.slice(-LIMIT);
      if (!drawing) { drawing = true; requestAnimationFrame(draw); }
    },
    open() { state.textContent = ""; },
    end() { source.end(); state.textContent = log.dataset.ended ?? "The container has ended."; },
  });

  search.addEventListener("input", () => { for (const line of log.children) line.classList.toggle("hidden", hidden(line)); });
  document.getElementById("log-tools").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("log-wrap").addEventListener("change", (event) => log.classList.toggle("wrapped", event.target.checked));
  document.getElementById("log-times").addEventListener("change", (event) => log.classList.toggle("times", event.target.checked));
  following.addEventListener("change", () => { if (following.checked) log.scrollTop = log.scrollHeight; });
  log.scrollTop = log.scrollHeight;
})();
