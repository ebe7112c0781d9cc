// Events as they come, the newest first; drawn once a frame, and the oldest go.
"use strict";
(() => {
  const body = document.getElementById("events"), search = document.getElementById("event-search");
  const following = document.getElementById("event-follow"), most = Number(body.dataset.most);
  let since = body.dataset.since, waiting = [], drawing = false;

  const hidden = (row) => search.value !== "" && !row.textContent.toLowerCase().includes(search.value.toLowerCase());
  function made(found) {
    const row = document.createElement("tr");
    for (const key of ["time", "type", "action", "name", "details"]) {
      const cell = document.createElement(key === "name" ? "th" : "td");
      if (key === "name") cell.scope = "row";
      if (key === "name" || key === "details") cell.className = "wrap";
      if (key === "action") { const shape = document.createElement("span"); shape.ariaHidden = "true"; shape.textContent = found.shape; cell.append(shape, " "); }
      cell.append(found[key]);
      row.append(cell);
    }
    row.hidden = hidden(row);
    return row;
  }
  function draw() {
    drawing = false;
    if (!following.checked) return;
    for (const found of waiting.splice(0)) body.prepend(made(found));
    while (body.children.length > most) body.lastElementChild.remove();
  }
  window.rootless.follow(() => `${body.dataset.follow}since=${encodeURIComponent(since)}`, {
    message(event) {
      since = event.lastEventId || since;
      waiting.push(JSON.parse(event.data));
      if (waiting.length > most) waiting = waiting.slice(-most);
      if (!drawing) { drawing = true; requestAnimationFrame(draw); }
    },
  });
  search.addEventListener("input", () => { for (const row of body.children) row.hidden = hidden(row); });
  following.addEventListener("change", draw);
})();
