// Everything by keyboard, and the overlay that says so.

const KEYS = [];

// keys: as KeyboardEvent.key, with "Shift+" or "Ctrl+" before; shown: as on the overlay.
export function bind(group, shown, keys, says, what) {
  KEYS.push({ group, shown, keys, says, what });
}

function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = /^[a-z]$/.test(key);
  const shift = event.shiftKey && (isLetter || event.key.length > 1) ? "Shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift}${key}`;
}

const IN_TEXT = "input:not([type=checkbox]):not([type=range]), textarea, select";
const OWN_KEYS = new Set(["Enter", " ", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

function isTaken(event) {
  const at = event.target;
  if (document.querySelector("dialog[open]") || at.matches(IN_TEXT)) return true;
  return OWN_KEYS.has(event.key) && (at.matches("input[type=range], summary, a")
    || (at.matches("button, input[type=checkbox]") && (event.key === "Enter" || event.key === " ")));
}

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.altKey) return;
    if (event.key === "Escape" && event.target.matches(IN_TEXT) && !document.querySelector("dialog[open]")) { event.target.blur(); return; }
    if (isTaken(event)) return;
    const name = nameOf(event);
    const bound = KEYS.find((k) => k.keys.includes(name));
    if (!bound) return;
    event.preventDefault();
    bound.what();
  });
}

export function fillHelp(element) {
  const groups = [...new Set(KEYS.map((k) => k.group))].filter(Boolean);
  element.replaceChildren(...groups.map((group) => {
    const section = document.createElement("section"), title = document.createElement("h3"), list = document.createElement("dl");
    title.textContent = group;
    for (const key of KEYS.filter((k) => k.group === group)) {
      const term = document.createElement("dt"), says = document.createElement("dd");
      for (const part of key.shown.split(" ")) { const kbd = document.createElement("kbd"); kbd.textContent = part; term.append(kbd); }
      says.textContent = key.says;
      list.append(term, says);
    }
    section.append(title, list);
    return section;
  }));
}
