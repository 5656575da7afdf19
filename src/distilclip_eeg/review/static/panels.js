// Agreement between reviewers and model, and the threshold for this patient.

import { get, post } from "./api.js";
import { state, tell } from "./state.js";

const $ = (id) => document.getElementById(id);

function table(head, rows) {
  const element = document.createElement("table");
  const line = (cells, tag) => {
    const tr = document.createElement("tr");
    cells.forEach((cell, i) => {
      const td = document.createElement(tag);
      td.textContent = cell;
      if (i) td.className = "num";
      if (tag === "th") td.scope = "col";
      tr.append(td);
    });
    return tr;
  };
  const thead = document.createElement("thead"), tbody = document.createElement("tbody");
  thead.append(line(head, "th"));
  tbody.append(...rows.map((row) => line(row, "td")));
  element.append(thead, tbody);
  return element;
}

function note(text) {
  const p = document.createElement("p");
  p.className = "note";
  p.textContent = text;
  return p;
}

const two = (v) => (v === null ? "–" : v.toFixed(2));

export async function drawAgreement() {
  if (!state.about || !$("agreement-panel").open) return;
  const { scorer, pairs } = await get(`recordings/${state.about.id}/agreement`,
    { threshold: state.about.has_probability ? state.threshold : null });
  const box = $("agreement");
  if (!pairs.length) { box.replaceChildren(note("Nobody has decided anything here yet.")); return; }
  box.replaceChildren(
    table(["", "κ", "F1", "shared"], pairs.map((p) => [`${p.first} – ${p.second}`, two(p.kappa), two(p.f1), `${p.n_both} of ${p.n_first} / ${p.n_second}`])),
    note(`${scorer[0].toUpperCase()}${scorer.slice(1)}. What a reviewer left undecided counts as no seizure.`));
}

export async function loadPatient() {
  const { id } = state.about;
  const found = await get(`recordings/${id}/patient-threshold`, { reviewer: state.reviewer });
  if (state.about?.id !== id) return;
  drawOffer(found.kept);
  drawPatient(found);
}

function drawOffer(kept) {
  const box = $("patient-offer");
  box.replaceChildren();
  if (!kept || !state.about.has_probability || Math.abs(kept.threshold - state.threshold) < 0.001) return;
  const button = document.createElement("button");
  button.textContent = `Use ${kept.threshold.toFixed(2)}, kept for this patient`;
  button.title = `By ${kept.reviewer}, ${kept.made_at.slice(0, 10)}`;
  button.addEventListener("click", () => tell("set-threshold", kept.threshold));
  box.append(button);
}

const says = (o) => [o.threshold.toFixed(2), `${o.n_found} of ${o.n_found + o.n_missed}`, o.n_false];

function drawPatient({ kept, proposal }) {
  const box = $("patient"), parts = [];
  if (!state.about.patient) { box.replaceChildren(note("Nothing says whose recording this is.")); return; }
  if (proposal) {
    const now = proposal.n_recordings === 1 ? "1 recording" : `${proposal.n_recordings} recordings`;
    parts.push(table(["", "at", "found", "false"], [["Model’s own", ...says(proposal.default)], ["Fits best", ...says(proposal.best)]]),
      note(`On your decisions in ${now} of this patient, the very ones it was chosen on: on others it will do less well.`));
    for (const [text, value] of [["Try", proposal.best.threshold], ["Keep for this patient", null]]) {
      const button = document.createElement("button");
      button.textContent = value === null ? `Keep ${state.threshold.toFixed(2)} for this patient` : `${text} ${value.toFixed(2)}`;
      button.addEventListener("click", () => (value === null ? keep() : tell("set-threshold", value)));
      parts.push(button, " ");
    }
  } else parts.push(note("Accept a seizure of this patient first."));
  if (kept) {
    const { then, before } = kept.details;
    const change = before ? ` Then: ${then.n_found} of ${then.n_found + then.n_missed} found, ${then.n_false} false (model’s own: ${before.n_found} and ${before.n_false}).` : "";
    parts.push(note(`Kept: ${kept.threshold.toFixed(2)}, by ${kept.reviewer}, ${kept.made_at.slice(0, 10)}.${change}`));
  }
  box.replaceChildren(...parts);
}

async function keep() {
  if (!state.reviewer) return;
  try {
    await post(`recordings/${state.about.id}/patient-threshold`, { reviewer: state.reviewer, threshold: state.threshold });
    await loadPatient();
  } catch (error) { tell("trouble", `Not kept: ${error.message}`); }
}
