// xterm.js at one end of a WebSocket, an exec of the container's at the other.
"use strict";
(() => {
  const place = document.getElementById("terminal");
  if (!place) return;
  const state = document.getElementById("terminal-state"), again = document.getElementById("terminal-again");
  const reader = document.getElementById("screen-reader");
  let terminal, fit, socket;

  async function open() {
    place.replaceChildren();
    again.hidden = true;
    state.textContent = "";
    terminal = new Terminal({ cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches, screenReaderMode: reader.checked, scrollback: 5000 });
    fit = new FitAddon.FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place);
    fit.fit();
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.type !== "keydown" || !(event.key === "F6" || (event.key === "Escape" && event.ctrlKey && event.shiftKey))) return true;
      event.preventDefault();
      document.getElementById("main").focus();
      return false;
    });
    let ticket;
    try {
      ticket = (await (await window.rootless.post("/tickets")).json()).ticket;
    } catch (error) {
      ended(error.message);
      return;
    }
    const address = new URL(place.dataset.socket, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(address, ["rootless.console", `ticket.${ticket}`]);
    socket.binaryType = "arraybuffer";
    const size = () => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ columns: terminal.cols, rows: terminal.rows })); };
    socket.addEventListener("open", () => { size(); terminal.focus(); });
    let why = "The connection is lost.";
    socket.addEventListener("message", (event) => {
      if (typeof event.data !== "string") { // what is said to be shown makes room for more
        const shown = event.data.byteLength, from = socket;
        terminal.write(new Uint8Array(event.data), () => { if (from.readyState === WebSocket.OPEN) from.send(JSON.stringify({ shown })); });
        return;
      }
      const told = JSON.parse(event.data);
      why = told.problem ?? `The shell has ended with status ${told.exit}.`;
    });
    socket.addEventListener("close", () => ended(why));
    const encoder = new TextEncoder();
    const type = (bytes) => { // in pieces: a paste may be longer than a message may
      for (let at = 0; at < bytes.length && socket.readyState === WebSocket.OPEN; at += 65536) socket.send(bytes.subarray(at, at + 65536));
    };
    terminal.onData((text) => type(encoder.encode(text)));
    terminal.onBinary((text) => type(Uint8Array.from(text, (each) => each.charCodeAt(0))));
    terminal.onResize(size);
  }

  function ended(text) {
    state.textContent = text;
    again.hidden = false;
  }
  again.addEventListener("click", open);
  reader.addEventListener("change", () => { terminal.options.screenReaderMode = reader.checked; });
  addEventListener("resize", () => fit?.fit());
  addEventListener("pagehide", () => socket?.close());
  open();
})();
