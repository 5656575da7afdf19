// The list of events, and everything a reviewer can decide. A decision counts as stored
// when the server says so; until then it is kept here and sent again, in order.

import { Unreachable, get, newKey, post } from "./api.js";
import { chosenEvent, moveTo, myEvents, myReview, state, tell } from "./state.js";
import { clock } from "./time.js";

const RETRY_MS = 1000;
const DISK_FULL = 507;
const WAITING = "distilclip-review-waiting";
const NEW_EVENT_S = 10;
const $ = (id) => document.getElementById(id);

let waiting = [], isSending = false, commented = null;
try { waiting = JSON.parse(localStorage.getItem(WAITING) ?? "[]"); } catch { waiting = []; }

function keepWaiting() { localStorage.setItem(WAITING, JSON.stringify(waiting)); }

export async function decide(action, fields = {}) {
  if (!state.reviewer) {
    $("reviewer").classList.add("missing");
    $("reviewer").focus();
    tell("trouble", "Say who you are first: every decision is stored with a name.");
    return;
  }
  const body = { key: newKey(), reviewer: state.reviewer, action, ...fields };
  waiting.push({ recording: state.about.id, body });
  keepWaiting();
  await send();
}

export async function send() {
  if (isSending) return;
  isSending = true;
  while (waiting.length) {
    const { recording, body } = waiting[0];
    $("stored").textContent = "Storing …";
    try {
      const review = await post(`recordings/${recording}/decisions`, body);
      tell("trouble", "");
      $("stored").textContent = `Stored ${new Date().toLocaleTimeString()}`;
      if (state.about?.id === recording) take(review);
    } catch (error) {
      if (error instanceof Unreachable || error.status === DISK_FULL) {
        const why = error.status === DISK_FULL ? error.message : "the server does not answer";
        tell("trouble", `Not stored yet (${waiting.length}): ${why}. Trying again …`);
        await new Promise((done) => setTimeout(done, RETRY_MS));
        continue;
      }
      $("stored").textContent = "";
      tell("trouble", `Not stored: ${error.message}`);
    }
    waiting.shift();
    keepWaiting();
  }
  isSending = false;
  if (state.about) await loadCandidates();
  $("stored").dataset.decisions = myReview()?.n_decisions ?? 0;
  tell("decided");
}

function take(review) {
  state.reviews = [...state.reviews.filter((r) => r.reviewer !== review.reviewer), review];
  tell("reviews");
}

export async function loadReviews() {
  const { id } = state.about;
  const { reviews } = await get(`recordings/${id}/reviews`);
  if (state.about?.id !== id) return;
  state.reviews = reviews;
  tell("reviews");
}

let newest = 0;

export async function loadCandidates() {
  const { id } = state.about, mine = (newest += 1);
  const { events } = await get(`recordings/${id}/candidates`,
    { reviewer: state.reviewer, threshold: state.about.has_probability ? state.threshold : null });
  if (mine !== newest || state.about?.id !== id) return; // a later answer is on its way
  state.candidates = events;
  tell("candidates");
}

// An event of the model gets a name of its own with the first decision about it.
function begun(event) {
  const { onset, duration, event_type, channels, confidence } = event;
  return { event: newKey(), onset, duration, event_type, channels, confidence,
    model_span: [onset, onset + duration] };
}

export async function judge(action) {
  const event = chosenEvent();
  if (!event) { tell("trouble", "Choose an event first (N for the next one).", true); return; }
  const fields = event.kind === "open" ? begun(event) : { event: event.key };
  const next = myEvents().find((e) => e.kind === "open" && e.key !== event.key && e.onset >= event.onset);
  await decide(action, fields);
  if (event.kind === "open" && next) choose(next.key, true);
  else if (event.kind === "open") choose(fields.event);
}

export async function addEvent() {
  const end = state.about.duration_s;
  let [from, to] = state.selection ?? [state.cursor, state.cursor + NEW_EVENT_S];
  if (from === null) { tell("trouble", "Draw a stretch over the traces, or click where the event begins.", true); return; }
  to = Math.min(to, end);
  from = Math.max(0, Math.min(from, to - 0.5));
  const event = newKey();
  state.selection = null;
  await decide("add", { event, onset: round(from), duration: round(to - from) });
  choose(event);
}

const round = (s) => Math.round(s * 1000) / 1000;

export async function moveEdges(event, [from, to]) {
  const end = state.about.duration_s;
  const onset = round(Math.max(0, Math.min(from, end - 0.5)));
  const duration = Math.max(0.5, round(Math.min(to, end) - onset));
  if (event.kind === "open") { // moving an event means that there is one
    const fields = begun(event);
    await decide("accept", fields);
    await decide("move", { event: fields.event, onset, duration });
    choose(fields.event);
  } else {
    await decide("move", { event: event.key, onset, duration });
  }
}

export function nudge(side, by) {
  const event = chosenEvent();
  if (!event) return undefined;
  const span = [event.onset, event.onset + event.duration];
  span[side] += by;
  return span[1] - span[0] >= 0.5 ? moveEdges(event, span) : undefined;
}

export function comment() {
  const event = chosenEvent();
  if (event?.kind === "open") { tell("trouble", "Accept or reject the event, then comment on it.", true); return; }
  commented = event?.key ?? "";
  $("comment-title").textContent = event ? `Comment on the event at ${clock(event.onset, state.about.starts_at_s)}` : "Comment on the recording";
  $("comment-text").value = (event ? event.comment : myReview()?.comment) ?? "";
  $("comment-dialog").showModal();
  $("comment-text").focus();
}

export async function storeComment() {
  $("comment-dialog").close();
  await decide("comment", { event: commented, text: $("comment-text").value });
}

export function choose(key, isShown = false) {
  state.chosen = key;
  const event = chosenEvent();
  if (event && isShown) {
    if (event.onset < state.start || event.onset > state.start + 0.9 * state.width) {
      // A quarter of a page before it: a change is seen against what stood before.
      moveTo(event.onset - 0.25 * state.width);
    }
    state.cursor = event.onset;
    tell("cursor");
  }
  tell("chosen");
}

export function step(by) {
  const events = myEvents();
  if (!events.length) return;
  const at = events.findIndex((e) => e.key === state.chosen);
  const here = state.start + 0.25 * state.width;
  let next = at + by;
  if (at < 0) next = by > 0 ? events.findIndex((e) => e.onset >= here - 1e-6) : events.findLastIndex((e) => e.onset < here);
  const event = events[Math.min(Math.max(next < 0 && at < 0 ? 0 : next, 0), events.length - 1)];
  choose(event.key, true);
}

const SIGNS = { open: "?", seizure: "✓", rejected: "✕" };
const WORDS = { open: "not decided", seizure: "accepted", rejected: "rejected" };

export function drawList() {
  const list = $("events"), events = myEvents();
  list.replaceChildren(...events.map((event) => {
    const item = document.createElement("li"), button = document.createElement("button");
    item.className = event.kind;
    const [sign, when, where, sure] = ["sign", "when", "where", "sure"].map((name) => {
      const span = document.createElement("span");
      span.className = name;
      return span;
    });
    sign.textContent = SIGNS[event.kind];
    sign.setAttribute("aria-label", WORDS[event.kind]);
    sign.setAttribute("role", "img");
    when.textContent = `${clock(event.onset, state.about.starts_at_s)} · ${Math.round(event.duration)} s`;
    where.textContent = event.comment ? `✎ ${event.comment}` : event.place || event.channels.slice(0, 2).join(" ");
    sure.textContent = event.confidence === null ? "added" : `${Math.round(100 * event.confidence)} %`;
    button.append(sign, when, where, sure);
    button.setAttribute("aria-current", String(event.key === state.chosen));
    button.addEventListener("click", () => choose(event.key, true));
    item.append(button);
    return item;
  }));
  list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  const open = events.filter((e) => e.kind === "open").length;
  $("progress").textContent = events.length ? `${events.length - open} of ${events.length} decided` : "none at this threshold";
  drawChosen();
}

function drawChosen() {
  const event = chosenEvent(), review = myReview();
  const box = $("chosen");
  if (event) {
    const strong = document.createElement("b");
    strong.textContent = `${clock(event.onset, state.about.starts_at_s, 1)} – ${clock(event.onset + event.duration, state.about.starts_at_s, 1)}`;
    const moved = event.model_span && (event.model_span[0] !== event.onset || event.model_span[1] !== event.onset + event.duration);
    box.replaceChildren(strong, ` ${WORDS[event.kind]}${moved ? ", moved" : ""}\n${event.channels.join(" ") || "no leads named"}${event.comment ? `\n✎ ${event.comment}` : ""}`);
  } else {
    box.textContent = review?.comment ? `✎ ${review.comment}` : "No event chosen";
  }
  $("accept").disabled = !event || event.kind === "seizure";
  $("reject").disabled = !event || event.kind === "rejected";
  $("undo").disabled = !review?.undo;
  $("redo").disabled = !review?.redo;
  $("undo").title = review?.undo ? `Take back: ${review.undo}` : "";
  $("finish").textContent = review?.is_finished ? "Reviewed ✓ – open again" : "Mark as reviewed";
}

export function finish() {
  return decide(myReview()?.is_finished ? "reopen" : "finish");
}
