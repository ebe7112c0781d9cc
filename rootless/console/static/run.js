// The form that makes a container: sent as JSON; the command line that does the same is shown.
"use strict";
document.getElementById("run-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, buttons = form.querySelectorAll("button");
  const wanted = { ...Object.fromEntries(new FormData(form)), tty: form.elements.tty.checked, do: event.submitter?.value ?? "run" };
  for (const button of buttons) button.disabled = true;
  try {
    const done = await (await window.rootless.post("/run", wanted)).json();
    document.getElementById("run-shown").textContent = done.command;
    if (done.location) location.assign(done.location);
  } catch (error) {
    window.rootless.tell(error.message, true);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
});
