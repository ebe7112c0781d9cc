// The secret of a one-time link stands behind the #: no request has it until this one, and the address line forgets it.
"use strict";
(async () => {
  const secret = new URLSearchParams(location.hash.slice(1)).get("login");
  if (!secret) return;
  history.replaceState(null, "", "/login");
  try {
    await window.rootless.post("/login", { secret });
    location.replace("/containers");
  } catch (error) {
    document.getElementById("login-state").textContent = error.message;
  }
})();
