"use strict";
// Every text of the corpus reaches the page as a text node or an attribute, never as markup.

const report = { index: null, details: {}, streams: [], served: false };
let shown = null; // what the page of a stream needs while it plays
const byId = (id) => document.getElementById(id);
const words = (name) => String(name ?? "").replaceAll("_", " ").replace(/\b(qa|asr|en|zh)\b/g, (short) => short.toUpperCase());
const title = (name) => words(name).replace(/^./, (first) => first.toUpperCase());
const number = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "\u2212") : "\u2013");
const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
const seconds = (samples) => samples / report.index.rate;
const chunkSeconds = () => report.index.chunk / report.index.rate;
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

function h(tag, attributes, ...children) {
  const svg = ["svg", "use", "path", "rect", "pattern", "defs"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== "" && child !== false));
  return element;
}

const icon = (name) => h("svg", { class: "icon", "aria-hidden": "true" }, h("use", { href: `#${name}` }));

function clock(time) {
  const tenths = Math.round(time * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}

// The index comes as columns, in which what repeats is a number into a list of names.
function readIndex() {
  const { columns, size } = report.index;
  const named = (column, i) => column.names[column.codes[i]];
  report.streams = Array.from({ length: size }, (_, i) => ({
    key: String(i).padStart(4, "0"), number: i, id: columns.id[i], scenario: columns.scenario[i], here: columns.here[i],
    split: named(columns.split, i), ability: named(columns.ability, i), sub_task: named(columns.sub_task, i),
    place: `${named(columns.shard, i)}#${columns.row[i]}`, partner: columns.partner[i],
    seconds: seconds(columns.samples[i]), chunks: columns.chunks[i], responses: columns.responses[i],
    flags: columns.flags.codes[i].map((code) => columns.flags.names[code]),
  }));
}

// A page is in this folder, or the server that reads the shards makes it.
const reachable = (stream) => report.served || stream.here > 0;

function onKey(event) {
  if (!shown || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, textarea, input:not([type=range], [type=radio])")) return;
  const step = event.shiftKey ? chunkSeconds() : 2;
  const go = (rel) => document.querySelector(`.nav a[rel=${rel}][href]`)?.click();
  const actions = {
    " ": toggle,
    ArrowLeft: () => seek(position() - step),
    ArrowRight: () => seek(position() + step),
    Home: () => seek(0),
    End: () => seek(shown.length),
    n: () => go("next"),
    p: () => go("prev"),
    g: () => mark("good"),
    b: () => mark("bad"),
    Escape: () => (location.hash = "#/"),
  };
  if (event.key === " " && event.target.closest("button, a, summary")) return;
  if ([" ", "ArrowLeft", "ArrowRight"].includes(event.key) && event.target.closest("[type=radio]")) return;
  if (actions[event.key]) {
    event.preventDefault();
    actions[event.key]();
  }
}

function route() {
  const stream = report.streams.find((other) => location.hash === `#/${other.key}`);
  const wasShown = shown?.stream;
  audio.pause();
  shown = null;
  if (stream && !byId("overview").hidden) list.scrolled = scrollY;
  byId("overview").hidden = Boolean(stream);
  byId("stream").hidden = !stream;
  byId("player").hidden = !stream;
  if (stream) {
    scrollTo(0, 0);
    showStream(stream).catch(() => byId("stream").replaceChildren(navigation(stream), missing(stream)));
  } else if (wasShown) {
    showList();
    scrollTo(0, list.scrolled);
    layOut();
    document.querySelector(`.card[href="#/${wasShown.key}"]`)?.focus({ preventScroll: true });
  }
}

document.addEventListener("DOMContentLoaded", async () => {
  readIndex();
  fillFilters();
  await loadMarks();
  showList();
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, showPlaying);
  for (const name of ["seeked", "loadedmetadata"]) audio.addEventListener(name, follow);
  byId("toggle").addEventListener("click", toggle);
  byId("position").addEventListener("input", (event) => seek(Number(event.target.value)));
  byId("export").addEventListener("click", exportMarks);
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", route);
  addEventListener("scroll", () => requestAnimationFrame(layOut), { passive: true });
  addEventListener("resize", () => (shown ? draw() : showList()));
  route();
});
