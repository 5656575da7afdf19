// Requests to the server that served this page, and the shape of what comes back.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// The server does not answer, or not to the end.
export class Unreachable extends Error {}

async function ask(path, options, read) {
  let response;
  try {
    response = await fetch(`/api/${path}`, options);
    if (response.ok) return await read(response);
  } catch {
    throw new Unreachable("The server does not answer.");
  }
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    // The status line is all there is.
  }
  throw new Refused(response.status, detail);
}

const asJson = (response) => response.json();

export function query(values) {
  const given = Object.entries(values).filter(([, v]) => v !== null && v !== undefined && v !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

export function get(path, values = {}) {
  return ask(path + query(values), {}, asJson);
}

export function post(path, body) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  return ask(path, options, asJson);
}

// Length of the header, header as JSON, float32 values: little-endian.
export async function getValues(path, values = {}) {
  const buffer = await ask(path + query(values), {}, (response) => response.arrayBuffer());
  const size = new DataView(buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  return { ...about, values: new Float32Array(buffer, 4 + size) };
}

// crypto.randomUUID is there on secure origins alone.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
