// Files are brought one after the other, each as it is.
"use strict";
document.getElementById("upload")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { send, ask, tell } = window.rootless;
  const form = event.target, button = form.querySelector("button"), state = document.getElementById("upload-state");
  const progress = document.getElementById("upload-progress");
  const there = new Set([...document.querySelectorAll("#files tbody th")].map((name) => name.textContent.trim()));
  button.disabled = true; progress.hidden = false;
  try {
    for (const file of form.elements.files.files) {
      if (there.has(file.name) && !(await ask(`Replace ${file.name}? What is in it now is lost.`, "Replace", form.title))) continue;
      state.textContent = file.name;
      tell(`$ ${(await (await send(`${form.dataset.upload}&name=${encodeURIComponent(file.name)}`, file, "application/octet-stream")).json()).command}`);
    }
    location.reload();
  } catch (error) {
    tell(error.message, true);
  } finally {
    state.textContent = ""; progress.hidden = true; button.disabled = false;
  }
});
