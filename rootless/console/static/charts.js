// Figures of the last hour, kept by this page alone.
"use strict";
(() => {
  const place = document.getElementById("charts");
  if (!place) return;
  const KEPT = 3600, HEIGHT = 140;
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--text"), grid = { stroke: style.getPropertyValue("--line"), width: 1 };
  const scaled = (value) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
    return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
  };
  const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);
  const percent = (value) => `${value.toFixed(1)} %`;
  const width = () => Math.min(420, place.clientWidth || 320);
  const charts = [
    { title: "Processors", series: [["used", "cpu"]], show: percent, least: 1 },
    { title: "Memory", series: [["used", "memory"]], show: scaled, least: 1e6 },
    { title: "Network, a second", series: [["in", "received"], ["out", "sent"]], show: scaled, rate: true, least: 1000 },
    { title: "Disk, a second", series: [["read", "read"], ["written", "written"]], show: scaled, rate: true, least: 1000 },
  ];
  const colours = [style.getPropertyValue("--link"), style.getPropertyValue("--warn")];
  for (const chart of charts) {
    const box = document.createElement("figure"), caption = document.createElement("figcaption");
    box.className = "chart";
    chart.caption = caption;
    box.append(caption);
    place.append(box);
    chart.data = [[], ...chart.series.map(() => [])];
    chart.plot = new uPlot({
      width: width(), height: HEIGHT, legend: { show: false }, cursor: { show: false },
      axes: [{ stroke: ink, grid, space: 80, values: (_, ticks) => ticks.map(clock) }, { stroke: ink, grid, size: 70, values: (_, ticks) => ticks.map(chart.show) }],
      scales: { x: { range: (_, low, high) => [Math.min(low, high - 60), high] }, y: { range: (_, low, high) => [0, Math.max(high, chart.least)] } },
      series: [{}, ...chart.series.map(([label], at) => ({ label, stroke: colours[at], width: 1.5 }))],
    }, chart.data, box);
  }
  addEventListener("resize", () => { for (const chart of charts) chart.plot.setSize({ width: width(), height: HEIGHT }); });
  let last, lastAt;
  window.rootless.follow(() => place.dataset.stats, { message(event) {
    const found = JSON.parse(event.data), now = Date.now() / 1000;
    for (const chart of charts) {
      const values = chart.series.map(([, key]) => (chart.rate ? (last ? Math.max(0, (found[key] - last[key]) / (now - lastAt)) : 0) : found[key]));
      chart.data[0].push(now);
      values.forEach((value, at) => chart.data[at + 1].push(value));
      if (chart.data[0].length > KEPT) chart.data.forEach((column) => column.shift());
      chart.caption.textContent = `${chart.title}: ${chart.series.map(([label], at) => `${chart.show(values[at])} ${label}`).join(", ")}`;
      chart.plot.setData(chart.data);
    }
    last = found; lastAt = now;
  } }, "The figures have stopped.");
})();
