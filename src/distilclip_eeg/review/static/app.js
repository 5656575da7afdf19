// What happens when: the list, a recording opened, something decided.

import { Refused, Unreachable, get, getValues } from "./api.js";
import { chosenEvent, moveTo, myEvents, on, state, tell } from "./state.js";
import { clock, length } from "./time.js";
import * as controls from "./controls.js";
import * as events from "./events.js";
import * as keyboard from "./keyboard.js";
import * as looking from "./look.js";
import * as overview from "./overview.js";
import * as panels from "./panels.js";
import * as recordings from "./recordings.js";
import * as traces from "./traces.js";
import * as words from "./words.js";
import { forgetTiles } from "./tiles.js";

const $ = (id) => document.getElementById(id);
const REVIEWER = "distilclip-review-reviewer";
const POLL_MS = 1500;
const HINT_MS = 5000;

let fading = 0;
on("trouble", (text, isHint = false) => {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
  clearTimeout(fading);
  if (isHint) fading = setTimeout(() => { $("trouble").hidden = true; }, HINT_MS);
});
on("moved zoomed", () => { traces.refresh(); overview.refresh(); saySpan(); });
on("zoomed", controls.sayTimebase);
on("tiles scaled", traces.refresh);
on("refiltered", (name) => (name === "montage" ? traces.rebuild() : traces.refresh()));
on("candidates reviews chosen", () => { events.drawList(); traces.redraw(); overview.refresh(); });
on("looked cursor", traces.redraw);
on("cursor", looking.look);
on("choose", (key) => events.choose(key));
on("moved-edge", (event, span) => events.moveEdges(event, span));
on("open", (id) => { location.hash = id; });
on("set-threshold", setThreshold);
on("decided", () => { offerExports(); panels.drawAgreement(); if (state.about) panels.loadPatient(); });

function saySpan() {
  const digits = state.width < 30 ? 1 : 0, at = state.about.starts_at_s;
  $("span").textContent = `${clock(state.start, at, digits)} – ${clock(state.start + state.width, at, digits)}`;
}

// Threshold ----------------------------------------------------------------------------

let cutting = false, cutAgain = false;

async function setThreshold(value) {
  state.threshold = Math.min(0.99, Math.max(0.02, Math.round(value * 100) / 100));
  $("threshold").value = state.threshold;
  sayThreshold();
  overview.refresh();
  if (cutting) { cutAgain = true; return; }
  cutting = true;
  do { cutAgain = false; await events.loadCandidates(); } while (cutAgain);
  cutting = false;
  sayThreshold();
  panels.drawAgreement();
  panels.loadPatient();
}

function sayThreshold() {
  const can = state.about.has_probability;
  $("threshold").disabled = $("threshold-reset").disabled = !can;
  $("threshold-value").textContent = can ? state.threshold.toFixed(2) : "–";
  const own = state.about.threshold;
  const n = state.candidates.length;
  $("threshold-says").textContent = can
    ? `${n} event${n === 1 ? "" : "s"}${Math.abs(own - state.threshold) < 0.005 ? ", model’s own threshold" : ` (model’s own is ${own.toFixed(2)})`}` : "";
}

// A recording --------------------------------------------------------------------------

async function open(id, at = null) {
  let about;
  try { about = await get(`recordings/${id}/about`); } catch (error) {
    tell("trouble", error.message);
    location.hash = "";
    return;
  }
  Object.assign(state, { about, reviews: [], candidates: [], chosen: null, cursor: null,
    selection: null, look: null, probability: null, spectrogram: null, threshold: about.threshold ?? 0.5 });
  forgetTiles();
  $("list").hidden = true;
  $("review").hidden = $("back").hidden = false;
  $("title").textContent = about.name;
  document.title = `${about.name} · Review`;
  say(about);
  controls.offerMontages();
  traces.rebuild();
  controls.offerTimebases();
  controls.setTimebase("30 mm/s");
  if (at !== null) state.cursor = at;
  moveTo(at === null ? 0 : at - 2);
  saySpan();
  overview.paintSpectrogram();
  $("threshold").value = state.threshold;
  sayThreshold();
  events.drawList();
  await events.loadReviews();
  await loadDetection();
  loadSpectrogram(id);
}

// Where the eye goes first: what is not decided yet, else whatever there is.
function chooseFirst() {
  if (state.chosen !== null || state.cursor !== null || state.start > 0) return;
  const all = myEvents(), first = all.find((e) => e.kind === "open") ?? all[0];
  if (first) events.choose(first.key, true);
}

function say(about) {
  const parts = [length(about.duration_s), `${about.sfreq} Hz`];
  if (about.patient) parts.unshift(`patient ${about.patient}`);
  if (about.model) parts.push(`model ${about.model}`);
  $("facts").textContent = parts.join(" · ");
  $("facts").title = about.warnings.join("\n");
}

async function loadDetection() {
  const { id } = state.about;
  if (state.about.detection.state === "done") {
    if (state.about.has_probability) {
      const { values } = await getValues(`recordings/${id}/probability`);
      if (state.about?.id === id) state.probability = values;
    }
    await events.loadCandidates();
    sayThreshold();
    overview.refresh();
    tell("decided");
    chooseFirst();
  } else if (["waiting", "running", "none"].includes(state.about.detection.state)) {
    setTimeout(() => state.about?.id === id && again(id), POLL_MS);
  }
}

async function again(id) {
  const about = await get(`recordings/${id}/about`);
  if (state.about?.id !== id) return;
  Object.assign(state, { about, threshold: about.threshold ?? state.threshold });
  $("threshold").value = state.threshold;
  say(about);
  overview.refresh();
  if (about.detection.state !== "none") await loadDetection();
}

async function loadSpectrogram(id) {
  try {
    const drawn = await getValues(`recordings/${id}/spectrogram`);
    if (state.about?.id !== id) return;
    state.spectrogram = drawn;
    overview.paintSpectrogram();
  } catch (error) { tell("trouble", `Spectrogram: ${error.message}`); }
}

function offerExports() {
  const has = state.reviews.some((r) => r.reviewer === state.reviewer && r.n_decisions);
  for (const kind of ["tsv", "edf", "csv_bi"]) {
    const link = $(`export-${kind}`);
    if (has) { link.href = `/api/recordings/${state.about.id}/export?${new URLSearchParams({ kind, reviewer: state.reviewer })}`; link.removeAttribute("aria-disabled"); }
    else { link.removeAttribute("href"); link.setAttribute("aria-disabled", "true"); }
  }
}

async function showList() {
  state.about = null;
  $("review").hidden = $("back").hidden = true;
  $("list").hidden = false;
  $("title").textContent = "Review";
  document.title = "Review · DistilCLIP-EEG";
  $("facts").textContent = $("span").textContent = $("stored").textContent = "";
  try { await recordings.load(); } catch (error) { tell("trouble", error.message); }
}

function route() {
  const [, id, at] = location.hash.match(/^#([0-9a-f]{16})(?:@(\d+(?:\.\d+)?))?$/) ?? [];
  return id ? open(id, at === undefined ? null : Number(at)) : showList();
}

setInterval(() => { if (!state.about && recordings.isWaiting()) recordings.load().catch(() => {}); }, POLL_MS);

// Set up -------------------------------------------------------------------------------

const toggleLook = () => { $("look-on").checked = state.lookOn = !state.lookOn; state.lookOn ? looking.look() : looking.draw(); traces.redraw(); };
const page = (share) => () => moveTo(state.start + share * state.width);
const inReview = (what) => () => { if (state.about) what(); };

function bindKeys() {
  const b = (group, shown, keys, says, what) => keyboard.bind(group, shown, keys, says, inReview(what));
  b("Move", "→ ←", ["ArrowRight"], "a tenth of a page", page(0.1));
  keyboard.bind("", "", ["ArrowLeft"], "", inReview(page(-0.1)));
  b("Move", "Space PgDn", [" ", "PageDown"], "a page on", page(1));
  b("Move", "⇧Space PgUp", ["Shift+ ", "Shift+Space", "PageUp"], "a page back", page(-1));
  b("Move", "Home", ["Home"], "beginning", () => moveTo(0));
  b("Move", "End", ["End"], "end", () => moveTo(Infinity));
  b("Move", "N", ["n"], "next event", () => events.step(1));
  b("Move", "B", ["b"], "event before", () => events.step(-1));
  b("Show", "↑ ↓", ["ArrowUp"], "sensitivity", () => controls.cycle("sensitivity", -1));
  keyboard.bind("", "", ["ArrowDown"], "", inReview(() => controls.cycle("sensitivity", 1)));
  b("Show", "+ −", ["+", "="], "timebase", () => controls.zoomStep(-1));
  keyboard.bind("", "", ["-"], "", inReview(() => controls.zoomStep(1)));
  b("Show", "M", ["m"], "next montage", () => controls.cycle("montage", 1));
  b("Show", "H", ["h"], "high-pass", () => controls.cycle("highpass", 1));
  b("Show", "L", ["l"], "low-pass", () => controls.cycle("lowpass", 1));
  b("Show", "K", ["k"], "notch", () => controls.cycle("notch", 1));
  b("Show", "P", ["p"], "polarity", () => controls.set("negativeUp", !state.negativeUp));
  b("Show", "W", ["w"], "where the model looked", toggleLook);
  b("Decide", "Y", ["y"], "accept", () => events.judge("accept"));
  b("Decide", "X", ["x"], "reject", () => events.judge("reject"));
  b("Decide", "A", ["a"], "add what is drawn, or 10 s", events.addEvent);
  b("Decide", "[ ]", ["["], "onset 1 s earlier, later", () => events.nudge(0, -1));
  keyboard.bind("", "", ["]"], "", inReview(() => events.nudge(0, 1)));
  b("Decide", "; '", [";"], "end 1 s earlier, later", () => events.nudge(1, -1));
  keyboard.bind("", "", ["'"], "", inReview(() => events.nudge(1, 1)));
  b("Decide", "C", ["c"], "comment on event or recording", events.comment);
  b("Decide", "U ⌃Z", ["u", "Ctrl+z"], "undo", () => events.decide("undo"));
  b("Decide", "R ⌃Y", ["r", "Ctrl+y", "Ctrl+Shift+z"], "redo", () => events.decide("redo"));
  b("Decide", "F", ["f"], "recording reviewed", events.finish);
  b("Threshold", "T", ["t"], "up by 0.01", () => state.about.has_probability && setThreshold(state.threshold + 0.01));
  b("Threshold", "G", ["g"], "down by 0.01", () => state.about.has_probability && setThreshold(state.threshold - 0.01));
  b("Page", "Esc", ["Escape"], "let go; then the list", letGo);
  keyboard.bind("Page", "?", ["?"], "this overlay", () => $("help").showModal());
}

function letGo() {
  if (state.selection || chosenEvent()) { state.selection = null; events.choose(null); } else location.hash = "";
}

function bindButtons() {
  const clicks = {
    accept: () => events.judge("accept"), reject: () => events.judge("reject"), add: events.addEvent,
    comment: events.comment, undo: () => events.decide("undo"), redo: () => events.decide("redo"),
    finish: events.finish, back: () => { location.hash = ""; }, "help-open": () => $("help").showModal(),
    "comment-save": events.storeComment, "comment-cancel": () => $("comment-dialog").close(),
    "threshold-reset": () => setThreshold(state.about.threshold),
  };
  for (const [id, what] of Object.entries(clicks)) $(id).addEventListener("click", what);
  $("threshold").addEventListener("input", () => setThreshold(Number($("threshold").value)));
  $("look-on").addEventListener("change", () => { state.lookOn = $("look-on").checked; looking.look(); traces.redraw(); });
  $("filter").addEventListener("input", recordings.draw);
  $("agreement-panel").addEventListener("toggle", panels.drawAgreement);
  $("reviewer").addEventListener("change", setReviewer);
}

async function setReviewer() {
  state.reviewer = $("reviewer").value.trim().replace(/\s+/g, " ");
  $("reviewer").value = state.reviewer;
  $("reviewer").classList.toggle("missing", !state.reviewer);
  localStorage.setItem(REVIEWER, state.reviewer);
  tell("trouble", "");
  if (!state.about) return;
  await events.loadReviews();
  await events.loadCandidates();
  tell("decided");
}

state.reviewer = localStorage.getItem(REVIEWER) ?? "";
$("reviewer").value = state.reviewer;
controls.setUp();
traces.setUp($("traces"));
overview.setUp($("overview"));
words.setUp();
looking.setUp($("look"), $("look-says"));
bindKeys();
bindButtons();
keyboard.fillHelp($("help-keys"));
keyboard.listen();
// A question that was not answered is said; anything else is a defect and stays visible.
window.addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof Refused || event.reason instanceof Unreachable)) return;
  event.preventDefault();
  tell("trouble", event.reason.message, true);
});
window.addEventListener("hashchange", route);
route().then(events.send);
