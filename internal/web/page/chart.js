// A time series, drawn by uPlot, which the browser gets when the first one is shown.

import { useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { html } from "./parts.js";
import { clock, hour, isUTC } from "./time.js";

let library = null;
const loaded = () => (library ??= new Promise((done, fail) => {
  const failed = () => { library = null; fail(new Error("page/vendor/uplot.js cannot be had")); };
  const script = Object.assign(document.createElement("script"), { src: "page/vendor/uplot.js", onload: () => done(window.uPlot), onerror: failed });
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "page/vendor/uplot.css" }), script);
}));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const dashes = [[], [6, 3], [2, 3]]; // no line is told by its colour alone

// options are those of a plot whose host is drawn anew with each of the page's: of() gives what it last had.
function options(of, point) {
  const axis = { stroke: () => colour("--faint"), ticks: { show: false }, font: "11.5px system-ui, sans-serif" };
  const grid = { stroke: () => colour("--line"), width: 1 };
  const { series, tall } = of();
  const right = series.some((one) => one.right);
  const values = (write) => (_, ticks) => ticks.map((v) => write(v));
  const fromZero = (_, least, most) => [0, Math.max(most, 0.001) * 1.1];
  return {
    width: 300, height: tall, legend: { show: false }, cursor: { drag: { x: false }, points: { size: 7 } }, scales: { left: { range: fromZero }, right: { range: fromZero } },
    axes: [{ ...axis, grid: { show: false }, size: 22, space: 70, values: (_, ticks, i, space, step) => ticks.map((t) => (step < 60 ? clock : hour)(t * 1000)) },
      { ...axis, grid, scale: "left", size: 52, space: 26, values: values(series[0].write) },
      { ...axis, grid: { show: false }, show: right, scale: "right", side: 1, size: 42, space: 26, values: values(String) }],
    series: [{}, ...series.map((one, i) => ({ scale: one.right ? "right" : "left", stroke: () => colour(one.colour), dash: dashes[i], width: 1.5, points: { show: Boolean(one.sparse), size: 5, fill: () => colour("--sheet") }, spanGaps: true }))],
    hooks: {
      drawClear: [(u) => {
        u.ctx.fillStyle = `${colour("--bad")}99`;
        for (const at of of().lost) u.ctx.fillRect(u.valToPos(at, "x", true) - 2, u.bbox.top, 4, u.bbox.height);
      }],
      setCursor: [(u) => point(u.cursor.idx ?? null)],
    },
  };
}

// Chart draws series ({name, values, write, colour}) over times in Unix seconds. lost are those at which there was no
// answer. The label says in words what there is to see.
export function Chart({ label, times, series, lost = [], tall = 120 }) {
  const host = useRef(null);
  const plot = useRef(null);
  const last = useRef(null);
  const [pointed, point] = useState(null);
  const [error, fail] = useState("");
  const data = [times, ...series.map((one) => one.values)];
  last.current = { series, lost, data, tall };
  useEffect(() => {
    let left = false;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => plot.current?.redraw();
    const resized = new ResizeObserver(([{ contentRect }]) => plot.current?.setSize({ width: contentRect.width, height: tall }));
    loaded().then((uPlot) => {
      if (left) return;
      plot.current = new uPlot(options(() => last.current, point), last.current.data, host.current);
      resized.observe(host.current);
    }).catch((err) => fail(err.message));
    dark.addEventListener("change", redraw);
    return () => {
      left = true;
      resized.disconnect();
      dark.removeEventListener("change", redraw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [times.at(-1), times.length, isUTC()]);
  const at = pointed ?? times.length - 1;
  return html`<div class="chart" role="img" aria-label=${label} ref=${host}>${error}</div>
    <p class="legend" aria-hidden="true"><span>${clock(times[at] * 1000)}</span>${series.map((one, i) => html`<span key=${one.name}><svg viewBox="0 0 22 8"><path d="M0 4h22" stroke="var(${one.colour})" stroke-width="2" stroke-dasharray=${dashes[i].join(" ")} /></svg> ${one.name} ${one.values[at] === null || one.values[at] === undefined ? "–" : one.write(one.values[at])}</span>`)}</p>`;
}
