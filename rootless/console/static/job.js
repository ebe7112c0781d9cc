// A command that is at work: its lines as they come. It goes on where the page is left.
"use strict";
(() => {
  const LIMIT = 2000;
  const { send, ask, tell } = window.rootless;

  async function work(address, body, kind, where) {
    const log = document.createElement("div");
    log.className = "log wrapped job"; log.tabIndex = 0; log.setAttribute("role", "region"); log.setAttribute("aria-label", "What the command says");
    where.replaceChildren(log);
    const say = (text, name = "line") => {
      const line = document.createElement("div");
      line.className = name; line.textContent = text;
      log.append(line);
      if (log.children.length > LIMIT) log.firstChild.remove();
      log.scrollTop = log.scrollHeight;
    };
    const reader = (await send(address, body, kind)).body.pipeThrough(new TextDecoderStream()).getReader();
    let last = {};
    for (let rest = "", piece; !(piece = await reader.read()).done;) {
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      for (const found of lines.filter(Boolean).map((text) => JSON.parse(text))) {
        if (found.command) say(`$ ${found.command}`);
        if (found.line !== undefined) say(found.line);
        last = { ...last, ...found };
      }
    }
    if (last.exit === undefined) throw new Error("The console has gone before the command's end.");
    tell(last.exit === 0 ? "It is done." : `The command ended with ${last.exit}: it says above why.`, last.exit !== 0);
    return last;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-job]");
    if (!button) return;
    if (button.dataset.question && !(await ask(button.dataset.question, button.textContent, button.dataset.command))) return;
    button.disabled = true;
    try {
      await work(button.dataset.job, button.dataset.body, "application/json", document.getElementById("job-place"));
    } catch (error) {
      tell(error.message, true);
    } finally {
      button.disabled = false;
    }
  });

  document.getElementById("open-file")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const found = await (await window.rootless.post("/projects/open", { file: event.target.elements.file.value })).json();
      location.assign(`/projects/edit?file=${encodeURIComponent(found.file)}`);
    } catch (error) {
      tell(error.message, true);
    }
  });

  window.rootless.work = work;
})();
