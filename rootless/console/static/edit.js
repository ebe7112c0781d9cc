// A compose file: checked, and written if it is one. A problem's line is gone to.
"use strict";
(() => {
  const form = document.getElementById("edit"), text = document.getElementById("edit-text"), problem = document.getElementById("edit-problem");
  let saved = form.dataset.was ? text.value : "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const what = event.submitter?.value ?? "check", buttons = form.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    problem.textContent = "";
    try {
      const written = text.value;
      const found = await (await window.rootless.post("/projects/edit", { file: form.dataset.file, text: written, was: form.dataset.was, do: what })).json();
      if (found.problem) {
        problem.textContent = found.problem;
        if (found.line) {
          const lines = written.split("\n"), start = lines.slice(0, found.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
          text.focus();
          text.setSelectionRange(start, start + (lines[found.line - 1] ?? "").length);
        }
        return;
      }
      if (what === "save") { form.dataset.was = found.digest; saved = written; }
      window.rootless.tell(`$ ${found.command}: ${what === "save" ? "it is written." : "compose takes it."}`);
      problem.textContent = found.said;
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  });
  addEventListener("beforeunload", (event) => { if (text.value !== saved && form.dataset.was) event.preventDefault(); });
})();
