// Before anything is drawn: the theme that was chosen here. Without a choice it is the system's.
"use strict";
(() => {
  const root = document.documentElement, names = ["auto", "light", "dark"];
  const apply = (name) => { if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name; };
  const chosen = () => (names.includes(localStorage.getItem("rootless-theme")) ? localStorage.getItem("rootless-theme") : "auto");
  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = () => { button.textContent = `Theme: ${chosen()}`; };
    button.hidden = false;
    tell();
    button.addEventListener("click", () => {
      localStorage.setItem("rootless-theme", names[(names.indexOf(chosen()) + 1) % names.length]);
      apply(chosen());
      tell();
    });
  });
})();
