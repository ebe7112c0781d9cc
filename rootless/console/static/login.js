// The secret of a one-time link stands behind the #: no request has it until this one, and the address line forgets it.
"use strict";
document.getElementById("password-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, state = document.getElementById("password-state"), button = form.querySelector("button");
  button.disabled = true;
  state.textContent = "";
  try {
    await window.rootless.post("/login/password", { password: form.elements.password.value });
    location.replace("/containers");
  } catch (error) {
    form.elements.password.value = "";
    form.elements.password.focus();
    state.textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
async function useLink() {
  const secret = new URLSearchParams(location.hash.slice(1)).get("login");
  if (!secret) return;
  history.replaceState(null, "", "/login");
  try {
    await window.rootless.post("/login", { secret });
    location.replace("/containers");
  } catch (error) {
    document.getElementById("login-state").textContent = error.message;
  }
}
addEventListener("hashchange", useLink); // another link, opened in this tab: no page is loaded for that
useLink();
