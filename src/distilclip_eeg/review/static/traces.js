// The page of EEG: traces by uPlot, marks of events, the cursor, edges that can be moved.

import uPlot from "./uplot/uPlot.esm.js";
import { assemble } from "./tiles.js";
import { chosenEvent, moveTo, myEvents, state, tell, zoomTo } from "./state.js";
import { clock } from "./time.js";
import { colour, hatch } from "./colours.js";

export const PX_PER_MM = 96 / 25.4;
const LABELS = 78; // px beside the traces
const AXIS = 24;
const EDGE_PX = 6;
const GROUP_GAP = 0.55; // of a row
const TOP_GAP = 0.95; // of a row; the names of events stand there
const BOTTOM_GAP = 0.8;
const FAR_S = 60; // from here on, pages are looked at from far away
const FAR_FACTOR = 8; // and traces drawn so much lower, or they would hide each other
const SHORTEST_S = 0.5;

let plot = null, box = null, drawn = "", raw = null, drag = null, asked = false;

export function montage() {
  const all = state.about.montages;
  return all.find((m) => m.name === state.montage) ?? all[0];
}

function rowCentres(height) {
  const { traces } = montage();
  let at = TOP_GAP;
  const places = traces.map((trace, i) => {
    if (i) at += trace.group === traces[i - 1].group ? 1 : 1 + GROUP_GAP;
    return at;
  });
  const whole = (places.at(-1) ?? 0) + BOTTOM_GAP;
  return places.map((p) => (p / whole) * height);
}

export function setUp(element) {
  box = element;
  new ResizeObserver(() => state.about && rebuild()).observe(box);
  box.addEventListener("wheel", wheel, { passive: false });
  box.addEventListener("pointerdown", press);
  box.addEventListener("pointermove", hover);
  box.addEventListener("pointerup", release);
  box.addEventListener("pointercancel", () => { drag = null; redraw(); });
}

export function rebuild() {
  plot?.destroy();
  plot = null;
  drawn = "";
  if (!state.about || !box.clientHeight) return;
  const { traces } = montage();
  plot = new uPlot({
    width: box.clientWidth, height: box.clientHeight,
    padding: [0, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [state.start, state.start + state.width] },
      y: { range: (u) => [-(u.height - AXIS), 0] },
    },
    axes: [
      { size: AXIS, stroke: () => colour("soft"), font: "11px system-ui, sans-serif", space: 74,
        incrs: [1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400],
        splits: clockSplits,
        values: (u, splits) => splits.map((s) => clock(s, state.about.starts_at_s)),
        grid: { stroke: () => colour("grid-strong"), width: 1 },
        ticks: { show: false } },
      { size: LABELS, show: true, values: () => [], splits: () => [], grid: { show: false },
        ticks: { show: false } },
    ],
    series: [{}, ...traces.map((trace) => ({
      label: trace.name, stroke: () => colour(trace.side), width: 0.9,
      points: { show: false }, spanGaps: false,
    }))],
    hooks: { drawClear: [drawUnder], draw: [drawOver] },
  }, [[state.start], ...traces.map(() => [null])], box);
  plot.root.setAttribute("aria-hidden", "true");
  refresh();
}

// On full seconds of the clock, not of the recording.
function clockSplits(u, axis, min, max, incr) {
  const offset = (state.about.starts_at_s ?? 0) % incr;
  const splits = [];
  for (let t = Math.ceil((min + offset) / incr) * incr - offset; t <= max; t += incr) splits.push(t);
  return splits;
}

// µV/mm as drawn; the scale in the corner says it.
function drawnSensitivity() {
  return state.sensitivity * (state.width > FAR_S ? FAR_FACTOR : 1);
}

export function refresh() {
  if (asked || !plot) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; if (plot && state.about) update(); });
}

function update() {
  const { id, put } = assemble(montage().traces.length);
  const looks = `${id}|${drawnSensitivity()}|${state.negativeUp}|${plot.height}`;
  if (looks === drawn) { redraw(); return; }
  if (!drawn.startsWith(`${id}|`)) raw = put();
  drawn = looks;
  const pxPerUv = (PX_PER_MM / drawnSensitivity()) * (state.negativeUp ? -1 : 1);
  const centres = rowCentres(plot.height - AXIS);
  const rows = raw.rows.map((row, r) => {
    const centre = -centres[r];
    return row.map((v) => (v === null ? null : centre + v * pxPerUv));
  });
  plot.setData(raw.times.length ? [raw.times, ...rows] : [[state.start], ...rows.map(() => [null])], false);
  redraw();
}

export function redraw() {
  if (!plot) return;
  plot.batch(() => {
    plot.setScale("x", { min: state.start, max: state.start + state.width });
    plot.setScale("y", { min: -(plot.height - AXIS), max: 0 });
  });
  plot.redraw(false, true);
}

function spanOf(event) {
  if (drag?.key === event.key && drag.span) return drag.span;
  return [event.onset, event.onset + event.duration];
}

const LOOKS = {
  open: { tint: "model-tint", edge: "model", dash: [5, 4], sign: "?" },
  seizure: { tint: "yes-tint", edge: "yes", dash: [], sign: "✓" },
  rejected: { tint: "no-tint", edge: "no", dash: [1, 4], sign: "✕" },
};

function drawUnder(u) {
  const c = u.ctx, { left, top, width, height } = u.bbox;
  const x = (s) => u.valToPos(s, "x", true);
  c.save();
  c.beginPath(); c.rect(left, top, width, height); c.clip();
  if (state.width <= FAR_S) {
    c.fillStyle = colour("grid");
    for (let s = Math.ceil(state.start); s < state.start + state.width; s += 1) c.fillRect(Math.round(x(s)), top, 1, height);
  }
  for (const event of myEvents()) {
    const [a, b] = spanOf(event).map(x);
    if (b < left || a > left + width) continue;
    c.fillStyle = colour(LOOKS[event.kind].tint);
    c.fillRect(a, top, b - a, height);
    if (event.kind === "rejected") {
      c.fillStyle = hatch(c, colour("no-tint"), 9 * devicePixelRatio, devicePixelRatio);
      c.fillRect(a, top, b - a, height);
    }
  }
  drawGaps(c, x, u.bbox);
  drawLook(u, c, x);
  if (state.selection) {
    const [a, b] = state.selection.map(x);
    c.fillStyle = colour("accent-soft"); c.fillRect(a, top, b - a, height);
  }
  c.restore();
}

function drawGaps(c, x, { top, height }) {
  const { segments } = state.about;
  c.fillStyle = hatch(c, colour("grid-strong"), 8 * devicePixelRatio, devicePixelRatio);
  for (let i = 1; i < segments.length; i += 1) {
    const a = x(segments[i - 1][1]), b = x(segments[i][0]);
    c.fillRect(a, top, b - a, height);
  }
}

// Where the model looked, behind the very leads, where the montage has them.
function drawLook(u, c, x) {
  const look = state.look;
  if (!state.lookOn || !look || state.montage !== "longitudinal") return;
  const most = Math.max(...look.values.flat().filter((v) => v !== null), 0);
  if (!(most > 0)) return;
  const ratio = devicePixelRatio, centres = rowCentres(u.height - AXIS);
  const gap = centres.length > 1 ? Math.min(...centres.slice(1).map((v, i) => v - centres[i])) : 30;
  montage().traces.forEach((trace, r) => {
    const values = look.values[look.leads.indexOf(trace.name)];
    values?.forEach((v, s) => {
      if (!(v > 0)) return;
      c.fillStyle = `rgba(224, 140, 0, ${(0.62 * v) / most})`;
      const a = x(look.start_s + s), b = x(look.start_s + s + 1);
      c.fillRect(a, u.bbox.top + (centres[r] - gap / 2) * ratio, b - a, gap * ratio);
    });
  });
}

function drawOver(u) {
  const c = u.ctx, ratio = devicePixelRatio, { left, top, width, height } = u.bbox;
  const x = (s) => Math.round(u.valToPos(s, "x", true));
  c.save();
  drawLabels(u, c, ratio);
  c.beginPath(); c.rect(left, top, width, height); c.clip();
  for (const event of myEvents()) drawEdges(c, event, x, u.bbox, ratio);
  for (const review of state.reviews) {
    if (review.reviewer !== state.reviewer) drawOther(c, review, x, u.bbox, ratio);
  }
  if (state.cursor !== null) {
    c.fillStyle = colour("cursor");
    c.fillRect(x(state.cursor), top, ratio, height);
  }
  drawScale(c, u.bbox, ratio);
  c.restore();
}

function drawLabels(u, c, ratio) {
  const centres = rowCentres(u.height - AXIS);
  const size = Math.max(7, Math.min(12, (u.height - AXIS) / centres.length / 1.25));
  c.font = `600 ${size * ratio}px system-ui, sans-serif`;
  c.textAlign = "right"; c.textBaseline = "middle";
  montage().traces.forEach((trace, r) => {
    c.fillStyle = colour(trace.side);
    const name = trace.name.replace(/\bFP/g, "Fp").replace(/Z\b/g, "z");
    c.fillText(name, u.bbox.left - 7 * ratio, u.bbox.top + centres[r] * ratio, (LABELS - 9) * ratio);
  });
}

function drawEdges(c, event, x, { left, top, width, height }, ratio) {
  const [a, b] = spanOf(event).map(x), looks = LOOKS[event.kind];
  if (b < left || a > left + width) return;
  const isChosen = event.key === state.chosen;
  c.strokeStyle = c.fillStyle = colour(looks.edge);
  c.lineWidth = (isChosen ? 2.5 : 1.2) * ratio;
  c.setLineDash(looks.dash.map((d) => d * ratio));
  c.beginPath();
  for (const edge of [a, b]) { c.moveTo(edge, top); c.lineTo(edge, top + height); }
  c.stroke();
  c.setLineDash([]);
  c.fillRect(a, top, b - a, (isChosen ? 4 : 2) * ratio);
  const sure = event.confidence === null || event.confidence === undefined ? "" : ` ${Math.round(100 * event.confidence)} %`;
  const text = `${looks.sign} ${event.event_type}${sure}${event.comment ? " ✎" : ""}`;
  c.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  c.textAlign = "left"; c.textBaseline = "top";
  const at = Math.max(a, left) + 4 * ratio, wide = c.measureText(text).width;
  c.fillStyle = colour("ground");
  c.fillRect(at - 2 * ratio, top + 5 * ratio, wide + 4 * ratio, 15 * ratio);
  c.fillStyle = colour(looks.edge);
  c.fillText(text, at, top + 7 * ratio);
}

function drawOther(c, review, x, { left, top, width, height }, ratio) {
  c.fillStyle = colour("others");
  for (const event of review.events.filter((e) => e.is_seizure)) {
    const a = Math.max(left, x(event.onset)), b = Math.min(left + width, x(event.onset + event.duration));
    if (b <= a) continue;
    c.fillRect(a, top + height - 4 * ratio, b - a, 4 * ratio);
    c.font = `${10 * ratio}px system-ui, sans-serif`;
    c.textAlign = "left"; c.textBaseline = "bottom";
    c.fillText(review.reviewer, a + 3 * ratio, top + height - 5 * ratio);
  }
}

// One second, and the microvolts that ten millimetres stand for.
function drawScale(c, { left, top, width, height }, ratio) {
  const second = width / state.width, tall = 10 * PX_PER_MM * ratio;
  const isShort = state.width <= FAR_S;
  const right = left + width - 14 * ratio, bottom = top + height - 14 * ratio;
  c.font = `${10.5 * ratio}px system-ui, sans-serif`;
  const text = `${10 * drawnSensitivity()} µV${isShort ? " · 1 s" : ""}`;
  c.beginPath(); c.moveTo(right, bottom - tall); c.lineTo(right, bottom);
  if (isShort) c.lineTo(right - second, bottom);
  c.textAlign = "right"; c.textBaseline = "bottom";
  c.lineJoin = "round";
  c.strokeStyle = colour("ground"); c.lineWidth = 6 * ratio; // a halo, so that traces stay apart
  c.stroke();
  c.lineWidth = 4 * ratio;
  c.strokeText(text, right + 2 * ratio, bottom - tall - 3 * ratio);
  c.strokeStyle = c.fillStyle = colour("ink"); c.lineWidth = 1.6 * ratio;
  c.beginPath(); c.moveTo(right, bottom - tall); c.lineTo(right, bottom);
  if (isShort) c.lineTo(right - second, bottom);
  c.stroke();
  c.fillText(text, right + 2 * ratio, bottom - tall - 3 * ratio);
}

// Pointer ------------------------------------------------------------------------------

function secondAt(event) {
  const { left } = box.getBoundingClientRect();
  const share = (event.clientX - left - LABELS) / (box.clientWidth - LABELS);
  return Math.min(Math.max(state.start + share * state.width, 0), state.about.duration_s);
}

function edgeAt(event) {
  const event_s = secondAt(event), reach = (EDGE_PX * state.width) / (box.clientWidth - LABELS);
  const near = (e) => [e.onset, e.onset + e.duration].findIndex((t) => Math.abs(t - event_s) < reach);
  const chosen = chosenEvent();
  for (const e of [...(chosen ? [chosen] : []), ...myEvents()]) {
    const side = near(e);
    if (side >= 0) return { key: e.key, side, event: e };
  }
  return null;
}

function press(event) {
  if (event.button !== 0 || !state.about) return;
  box.setPointerCapture(event.pointerId);
  const at = secondAt(event), edge = edgeAt(event);
  drag = { from: at, clientX: event.clientX, moved: false, ...(edge ?? {}) };
  if (edge) tell("choose", edge.key);
}

function hover(event) {
  if (!state.about) return;
  if (!drag) { box.classList.toggle("edge", edgeAt(event) !== null); return; }
  if (Math.abs(event.clientX - drag.clientX) > 3) drag.moved = true;
  if (!drag.moved) return;
  const at = secondAt(event);
  if (drag.event) {
    const span = [drag.event.onset, drag.event.onset + drag.event.duration];
    span[drag.side] = drag.side ? Math.max(at, span[0] + SHORTEST_S) : Math.min(at, span[1] - SHORTEST_S);
    drag.span = span;
  } else {
    state.selection = [Math.min(drag.from, at), Math.max(drag.from, at)];
  }
  redraw();
}

function release(event) {
  if (!drag) return;
  const done = drag;
  drag = null;
  if (done.moved && done.span) tell("moved-edge", done.event, done.span);
  else if (!done.moved && !done.event) {
    state.selection = null;
    state.cursor = secondAt(event);
    const under = myEvents().find((e) => e.onset <= state.cursor && state.cursor <= e.onset + e.duration);
    tell("choose", under?.key ?? null);
    tell("cursor");
  }
  redraw();
}

function wheel(event) {
  if (!state.about) return;
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) {
    zoomTo(state.width * Math.exp(event.deltaY / 300), secondAt(event));
    return;
  }
  const delta = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY;
  moveTo(state.start + (delta / (box.clientWidth - LABELS)) * state.width);
}

export function paperWidth() {
  return Math.max(1, (box.clientWidth - LABELS) / PX_PER_MM);
}
