// The list of recordings with their state.

import { get } from "./api.js";
import { tell } from "./state.js";
import { length } from "./time.js";

const $ = (id) => document.getElementById(id);
const SIGNS = { done: "●", running: "◐", waiting: "○", none: "·", failed: "✕" };
const WORDS = { done: "detected", running: "detecting …", waiting: "waiting", none: "not detected", failed: "failed" };
let known = [];

export async function load() {
  const found = await get("recordings");
  known = found.recordings;
  $("folder").textContent = `${found.folder} · ${known.length} recording${known.length === 1 ? "" : "s"}`;
  draw();
  return known;
}

export function draw() {
  const wanted = $("filter").value.trim().toLowerCase();
  $("rows").replaceChildren(...known.filter((r) => r.name.toLowerCase().includes(wanted)).map(row));
}

function cell(text, className = "") {
  const td = document.createElement("td");
  td.textContent = text;
  td.className = className;
  return td;
}

function row(recording) {
  const tr = document.createElement("tr"), name = document.createElement("td"), button = document.createElement("button");
  button.textContent = recording.name;
  button.addEventListener("click", () => tell("open", recording.id));
  name.append(button);
  const { state, why } = recording.detection;
  const unreadable = recording.duration_s === null;
  const detection = cell("", unreadable || state === "failed" ? "failed" : "");
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.setAttribute("aria-hidden", "true");
  mark.textContent = unreadable ? "✕" : SIGNS[state];
  detection.append(mark, unreadable ? "cannot be read" : WORDS[state]);
  if (why) detection.append(`: ${why}`);
  tr.append(name, cell(recording.patient || "–"), cell(length(recording.duration_s), "num"), detection,
    cell(recording.n_events ?? "–", "num"), cell(said(recording.reviews)));
  return tr;
}

function said(reviews) {
  if (!reviews.length) return "–";
  return reviews.map((r) => `${r.is_finished ? "✓" : "…"} ${r.reviewer}: ${r.n_seizures} seizure${r.n_seizures === 1 ? "" : "s"}, ${r.n_rejected} rejected`).join("; ");
}

export function isWaiting() {
  return known.some((r) => ["waiting", "running"].includes(r.detection.state));
}
