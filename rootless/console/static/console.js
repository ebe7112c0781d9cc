// What every page does: changes, questions, what is followed, keys. No text of a stranger's is ever taken for HTML.
"use strict";
(() => {
  const token = document.querySelector("meta[name=token]")?.content;
  const result = document.getElementById("result");

  function tell(text, problem) {
    const line = document.createElement("p");
    line.textContent = text;
    if (problem) line.className = "problem";
    result.append(line);
    while (result.children.length > 4) result.firstChild.remove();
    setTimeout(() => line.remove(), problem ? 20000 : 8000);
  }

  const post = (address, body = {}) => send(address, JSON.stringify(body), "application/json");
  async function send(address, body, kind) {
    let answer;
    try {
      answer = await fetch(address, { method: "POST", body, headers: { "Content-Type": kind, "X-Rootless-Token": token ?? "" } });
    } catch {
      throw new Error("The console does not answer. Is it still running, and the tunnel open?");
    }
    if (answer.status === 401) location.assign("/login");
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message ?? `The console answered ${answer.status}.`);
    return answer;
  }

  function ask(text, label, command) {
    const dialog = document.getElementById("question");
    document.getElementById("question-yes").textContent = label;
    document.getElementById("question-text").textContent = text;
    document.getElementById("question-command").textContent = command;
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("a[data-look]") && !event.ctrlKey && !event.metaKey) { event.preventDefault(); look(); }
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-post]");
    if (!button) return;
    if (button.dataset.question && !(await ask(button.dataset.question, button.textContent, button.dataset.command))) return;
    button.disabled = true;
    try {
      const done = await (await post(button.dataset.post)).json();
      tell(`$ ${done.command}${done.freed ? `: ${done.freed} freed` : ""}`);
      await look();
    } catch (error) {
      tell(error.message, true);
    } finally {
      button.disabled = false;
    }
  });

  // Small forms: their fields as JSON.
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-form]");
    if (!form) return;
    event.preventDefault();
    try {
      const done = await (await post(form.dataset.form, Object.fromEntries(new FormData(form)))).json();
      tell(`$ ${done.command}`);
      if (done.location) location.assign(done.location); else await look();
    } catch (error) {
      tell(error.message, true);
    }
  });

  document.getElementById("logout")?.addEventListener("click", async () => {
    try { await post("/logout"); } catch (error) { tell(error.message, true); return; }
    location.assign("/login");
  });

  // The page as it is now, put into the page as it is: what is the same stays, and what has the focus keeps it.
  function morph(old, fresh) {
    if (old.isEqualNode(fresh) || old.dataset?.keep !== undefined) return;
    if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    for (const { name } of [...old.attributes]) if (name !== "open" && name !== "disabled" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? known.get(child.id) : at?.id ? null : at;
      if (same && same !== at) old.insertBefore(same, at);
      if (!same) { old.insertBefore(child, at); continue; }
      if (same === at) at = at.nextSibling;
      morph(same, child);
    }
    while (at) { const next = at.nextSibling; if (at.dataset?.keep === undefined) at.remove(); at = next; }
  }

  const main = document.getElementById("main");
  async function look() {
    if (!main.dataset.follows) return;
    let answer;
    try { answer = await fetch(location.href, { headers: { Accept: "text/html" } }); } catch { return; }
    if (answer.status === 401) location.assign("/login");
    if (!answer.ok) { tell("What this page shows is not there any more.", true); return; }
    const focused = document.activeElement?.id;
    morph(main, new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main"));
    if (focused && document.activeElement?.id !== focused) (document.getElementById(focused) ?? main).focus();
  }

  // Server-sent events while the page is seen: a browser has six connections to an address, and hidden pages would take them all.
  function follow(address, handlers, lostText) {
    let source = null, lost = false, ended = false, again;
    const close = () => { clearTimeout(again); source?.close(); source = null; };
    function open() {
      if (source || ended || document.hidden) return;
      source = new EventSource(address());
      for (const [name, handler] of Object.entries(handlers)) source.addEventListener(name, handler);
      source.addEventListener("open", () => { if (lost) tell("The console is there again."); lost = false; handlers.again?.(); });
      source.addEventListener("error", () => {
        if (!source) return;
        if (!lost && !document.hidden) tell(lostText ?? "The connection to the console is lost; trying again.", true);
        lost = true;
        if (source.readyState === EventSource.CLOSED) { close(); again = setTimeout(() => { look(); open(); }, 3000); }
      });
    }
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
    return { end() { ended = true; close(); } };
  }

  if (main.dataset.follows) {
    let soon;
    const later = () => { clearTimeout(soon); soon = setTimeout(look, 200); };
    let first = true;
    follow(() => "/changes", { message: later, again: () => { if (!first) later(); first = false; } });
  }

  document.getElementById("pull")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target, progress = document.getElementById("pull-progress"), state = document.getElementById("pull-state");
    const button = form.querySelector("button");
    const layers = new Map();
    progress.hidden = false; progress.removeAttribute("value"); state.textContent = ""; button.disabled = true;
    try {
      const reader = (await post("/images/pull", { image: form.elements.image.value })).body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", piece; !(piece = await reader.read()).done;) {
        const lines = (rest + piece.value).split("\n");
        rest = lines.pop();
        for (const line of lines.filter(Boolean).map((text) => JSON.parse(text))) {
          if (line.error) throw new Error(line.error);
          if (line.command) tell(`$ ${line.command}`);
          if (line.progressDetail?.total) layers.set(line.id, line.progressDetail);
          if (line.status) state.textContent = line.id ? `${line.id}: ${line.status}` : line.status;
          const total = [...layers.values()].reduce((sum, each) => sum + each.total, 0);
          if (total) progress.value = [...layers.values()].reduce((sum, each) => sum + each.current, 0) / total;
        }
      }
      await look();
    } catch (error) {
      state.textContent = ""; tell(error.message, true);
    } finally {
      progress.hidden = true; button.disabled = false;
    }
  });

  // g and a letter goes to a page, / to a search, ? to the list of them. All can be switched off there (WCAG 2.1.4).
  const help = document.getElementById("help"), keysOn = document.getElementById("keys-on");
  const keys = () => localStorage.getItem("rootless-keys") !== "off";
  document.getElementById("help-open")?.addEventListener("click", () => { keysOn.checked = keys(); help.showModal(); });
  keysOn?.addEventListener("change", () => localStorage.setItem("rootless-keys", keysOn.checked ? "on" : "off"));
  const pages = { c: "containers", p: "projects", i: "images", v: "volumes", n: "networks", e: "events", s: "system" };
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select, dialog, #terminal")) return;
    if (!keys() || !token) return;
    if (going && pages[event.key]) location.assign(`/${pages[event.key]}`);
    going = event.key === "g";
    const search = document.querySelector("input[type=search], input[name=image]");
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
    if (event.key === "?") { keysOn.checked = true; help.showModal(); }
  });

  window.rootless = { post, send, ask, tell, follow };
})();
