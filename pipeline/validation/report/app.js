"use strict";
// Every text of the corpus reaches the page as a text node or an attribute, never as markup.

const report = { index: null, details: {} };
const byId = (id) => document.getElementById(id);
const words = (name) => String(name ?? "").replaceAll("_", " ").replace(/\b(qa|asr|en|zh)\b/g, (short) => short.toUpperCase());
const title = (name) => words(name).replace(/^./, (first) => first.toUpperCase());
const number = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "\u2212") : "\u2013");
const seconds = (samples) => samples / report.index.rate;
const chunkSeconds = () => report.index.chunk / report.index.rate;

function h(tag, attributes, ...children) {
  const svg = ["svg", "use", "path", "rect", "pattern", "defs"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const icon = (name) => h("svg", { class: "icon", "aria-hidden": "true" }, h("use", { href: `#${name}` }));

function clock(time) {
  const tenths = Math.round(time * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}

// ---- the list -----------------------------------------------------------------------------------------------------

function fillFilters() {
  const form = byId("filters");
  const options = (name, values) => {
    const sorted = [...new Set(values)].sort();
    form.elements[name].replaceChildren(
      h("option", { value: "" }, "all"),
      ...(name === "rule" ? [h("option", { value: "*" }, "any finding"), h("option", { value: "-" }, "no finding")] : []),
      ...sorted.map((value) => h("option", { value: name === "rule" ? `=${value}` : value }, name === "rule" ? value : words(value))),
    );
  };
  const streams = report.index.streams;
  for (const name of ["ability", "sub_task", "split"]) options(name, streams.map((stream) => stream[name]));
  options("rule", streams.flatMap((stream) => stream.rules));
  form.addEventListener("input", showList);
  form.addEventListener("submit", (event) => event.preventDefault());
}

function filtered() {
  const { ability, sub_task, split, rule, words: query } = byId("filters").elements;
  const wanted = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  return report.index.streams.filter((stream) => {
    const text = `${stream.id} ${stream.scenario} ${words(stream.sub_task)}`.toLowerCase();
    return (
      (!ability.value || stream.ability === ability.value) &&
      (!sub_task.value || stream.sub_task === sub_task.value) &&
      (!split.value || stream.split === split.value) &&
      (!rule.value || (rule.value === "*" ? stream.rules.length : rule.value === "-" ? !stream.rules.length : stream.rules.includes(rule.value.slice(1)))) &&
      wanted.every((word) => text.includes(word))
    );
  });
}

function showList() {
  const streams = filtered();
  byId("count").textContent = `${streams.length} of ${report.index.streams.length} streams`;
  byId("cards").replaceChildren(...streams.map((stream) => h("li", null, card(stream))));
}

function card(stream) {
  const marks = stream.responses.map((chunk) => {
    const mark = icon("respond");
    mark.style.left = `${Math.min(97, Math.max(3, (100 * (chunk + 0.5)) / stream.chunks))}%`;
    return mark;
  });
  const replies = `${stream.responses.length} ${stream.responses.length === 1 ? "response" : "responses"}`;
  return h("a", { class: "card", href: `#/${stream.key}` },
    h("div", { class: "thumb" },
      stream.heard ? h("img", { src: `img/${stream.key}-small.png`, alt: "", loading: "lazy" }) : h("span", null, "audio cannot be decoded"),
      marks),
    h("div", { class: "body" },
      h("p", { class: "facts" }, `${words(stream.ability)} \u00b7 ${stream.split}`),
      h("h3", null, title(stream.sub_task)),
      h("p", null, stream.scenario),
      h("div", { class: "chips" },
        h("span", { class: "chip" }, clock(stream.seconds)),
        h("span", { class: "chip" }, icon(stream.responses.length ? "respond" : "silent"), replies),
        stream.pair && h("span", { class: "chip" }, "pair"),
        stream.rules.length ? h("span", { class: "chip bad" }, icon("flag"), `${stream.rules.length} findings`) : null)));
}

// ---- one stream ---------------------------------------------------------------------------------------------------

const audio = new Audio();
audio.preload = "metadata";
let shown = null; // what the page of a stream needs while it plays

function load(key) {
  if (report.details[key]) return Promise.resolve(report.details[key]);
  return new Promise((resolve, reject) => {
    document.head.append(h("script", { src: `data/${key}.js`, onload: () => resolve(report.details[key]), onerror: () => reject(new Error(key)) }));
  });
}

async function showStream(stream) {
  const detail = await load(stream.key);
  if (location.hash !== `#/${stream.key}`) return;
  const length = Math.max(stream.seconds, stream.chunks * chunkSeconds());
  shown = { stream, detail, length, zoom: 1, chosen: -1, chunk: -1, tracks: h("div", { class: "tracks" }), cursor: h("div", { class: "cursor" }) };
  byId("stream").replaceChildren(navigation(stream), heading(stream, detail), board(stream), h("div", { class: "columns" }, conversation(detail), measurements(detail)), events(detail), plan(detail));
  byId("stream").querySelector("h1").focus({ preventScroll: true });
  byId("player").hidden = false;
  byId("toggle").disabled = byId("position").disabled = !stream.heard;
  byId("position").max = length;
  if (stream.heard) audio.src = `audio/${stream.key}.flac`;
  else audio.removeAttribute("src");
  draw();
  follow();
}

function navigation(stream) {
  const list = filtered();
  const at = list.findIndex((other) => other.key === stream.key);
  const link = (text, other, rel) =>
    h("a", { class: "button", rel, href: other ? `#/${other.key}` : null, "aria-disabled": other ? null : "true" }, text);
  return h("nav", { class: "nav", "aria-label": "Streams" },
    h("a", { class: "button", href: "#/" }, "\u2190 All streams"),
    h("div", null, link("Previous", at > 0 ? list[at - 1] : null, "prev"), link("Next", at >= 0 ? list[at + 1] : null, "next")));
}

function heading(stream, detail) {
  const partner = stream.pair && report.index.streams.find((other) => other.pair === stream.pair && other.key !== stream.key);
  const partnerText = partner ? `pair partner: ${partner.responses.length ? "with" : "without"} a response \u2192` : "";
  return h("header", null,
    h("p", { class: "eyebrow" }, words(stream.ability)),
    h("h1", { tabindex: "-1" }, title(stream.sub_task)),
    h("p", { class: "scenario" }, stream.scenario),
    h("div", { class: "chips" },
      h("span", { class: "chip" }, stream.split),
      h("span", { class: "chip" }, detail.language),
      h("span", { class: "chip" }, `${stream.chunks} chunks`),
      h("span", { class: "chip" }, h("code", null, stream.id)),
      partner ? h("a", { class: "chip", href: `#/${partner.key}` }, partnerText) : stream.pair && h("span", { class: "chip" }, "pair partner is not in this report")),
    detail.findings.length
      ? h("div", { class: "notice wrong" }, h("strong", null, "Findings"), h("ul", null, detail.findings.map((finding) => h("li", null, h("strong", null, finding.rule), ` ${finding.detail}`))))
      : null);
}

function board(stream) {
  const zoomBy = (factor) => () => {
    const time = position();
    shown.zoom = Math.min(16, Math.max(1, shown.zoom * factor));
    draw();
    const roll = shown.tracks.parentElement;
    roll.scrollLeft = shown.scale * time - roll.clientWidth / 2;
  };
  const cell = (kind) => h("svg", { class: "cell grid", viewBox: "0 0 14 14", "aria-hidden": "true" }, h("rect", { class: kind, x: 1, y: 1, width: 12, height: 12 }));
  const roll = h("div", { class: "roll", tabindex: "-1" }, shown.tracks);
  shown.tracks.addEventListener("click", (event) => {
    if (event.target.closest(".label, .block")) return;
    seek((event.clientX - shown.tracks.getBoundingClientRect().left - gutter()) / shown.scale);
  });
  return h("section", { class: "board", "aria-label": "Timeline" },
    h("div", { class: "tools" },
      h("div", { class: "legend" },
        h("span", null, icon("respond"), "answered"), h("span", null, icon("silent"), "must stay silent"),
        h("span", null, cell("quiet"), "silent chunk"), h("span", null, cell("verified"), "verified silence"), h("span", null, cell("reply"), "response starts"),
        h("span", null, "underline: an event's real length")),
      h("div", null,
        h("button", { type: "button", class: "button", "aria-label": "Zoom out", onclick: zoomBy(0.5) }, "\u2212"),
        h("button", { type: "button", class: "button", "aria-label": "Zoom in", onclick: zoomBy(2) }, "+"))),
    stream.heard ? null : h("p", { class: "notice wrong" }, "The audio of this stream cannot be decoded; its labels are shown without it."),
    roll);
}

const gutter = () => shown.tracks.querySelector(".lane").getBoundingClientRect().left - shown.tracks.getBoundingClientRect().left;

const track = (label, lane, hue, bare) =>
  h("div", { class: bare ? "track bare" : "track" }, h("div", { class: "label", style: hue ? `--hue: var(--${hue})` : null }, label), lane);

function draw() {
  const { stream, detail, length, tracks } = shown;
  const roll = tracks.parentElement;
  const gutterWidth = matchMedia("(max-width: 760px)").matches ? 0 : 7.5 * parseFloat(getComputedStyle(document.documentElement).fontSize);
  shown.scale = Math.max(10, (roll.clientWidth - gutterWidth - 1) / length) * shown.zoom;
  tracks.style.setProperty("--width", `${Math.round(shown.scale * length)}px`);
  const laneOf = {
    Foreground: ["foreground", (event) => event.role === "foreground" && event.kind !== "speech"],
    Speech: ["speech", (event) => event.kind === "speech"],
    Background: ["background", (event) => event.role === "background" && event.kind !== "speech"],
    Ambient: ["ambient", (event) => event.role === "ambient" && event.kind !== "speech"],
  };
  const numbered = detail.events.map((event, index) => ({ ...event, index }));
  tracks.replaceChildren(
    track("Time", ruler(), null, true),
    track("Spectrogram", picture(stream), null, true),
    track("Waveform", waveform(detail), null, true),
    track("Chunks, 0.4 s", grid(stream, detail)),
    track("Responses", lane(detail.responses.map(responseBlock), "No response: the listener stays silent.")),
    ...Object.entries(laneOf).map(([name, [hue, belongs]]) => track(name, lane(numbered.filter(belongs).map((event) => eventBlock(event, hue)), "none"), hue)),
    track("Noise", lane(detail.noise.map(noiseBlock), "none"), "noise"),
    ...detail.responses.map((response) => {
      const drop = h("div", { class: "drop" });
      drop.style.left = `calc(var(--gutter) + ${response.chunk * chunkSeconds() * shown.scale}px)`;
      return drop;
    }),
    shown.cursor,
  );
  moveCursor();
}

function ruler() {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((candidate) => candidate * shown.scale >= 64) ?? 600;
  const marks = [];
  for (let time = 0; time * shown.scale < shown.length * shown.scale - 30; time += step) {
    const mark = h("span", null, `${Math.floor(time / 60)}:${String(time % 60).padStart(2, "0")}`);
    mark.style.left = `${time * shown.scale}px`;
    marks.push(mark);
  }
  return h("div", { class: "lane ruler" }, marks);
}

function picture(stream) {
  const ticks = report.index.ticks.map(([hz, height]) => {
    const tick = h("span", null, hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`);
    tick.style.top = `${100 * height}%`;
    return tick;
  });
  return h("div", { class: "lane picture" },
    stream.heard ? h("img", { src: `img/${stream.key}.png`, alt: "Log-mel spectrogram of the stream", draggable: "false" }) : null,
    h("div", { class: "scale", "aria-hidden": "true" }, ticks));
}

function waveform(detail) {
  const peaks = detail.envelope ?? [];
  const up = peaks.map((peak, column) => `L${column} ${100 - peak}`).join("");
  const down = peaks.map((peak, column) => `L${column} ${100 + peak}`).reverse().join("");
  return h("div", { class: "lane wave" },
    peaks.length ? h("svg", { viewBox: `0 -5 ${peaks.length} 210`, preserveAspectRatio: "none", "aria-hidden": "true" }, h("path", { d: `M0 100${up}${down}Z`, fill: "currentColor" })) : null);
}

function grid(stream, detail) {
  const verified = new Set(detail.verified);
  const replies = new Set(detail.responses.map((response) => response.chunk));
  const width = chunkSeconds() * shown.scale;
  const cells = [];
  for (let chunk = 0; chunk < stream.chunks; chunk++) {
    const kind = replies.has(chunk) ? "reply" : verified.has(chunk) ? "verified" : "quiet";
    cells.push(h("rect", { class: kind, x: chunk * width + 0.5, y: 4.5, width: Math.max(1, width - 1), height: 17, rx: 1.5 }));
  }
  const hatch = h("pattern", { id: "hatch", width: 4, height: 4, patternUnits: "userSpaceOnUse" }, h("path", { d: "M0 4L4 0", class: "hatch" }));
  return h("div", { class: "lane grid", role: "img", "aria-label": `${stream.chunks} chunks, ${replies.size} with a response, ${verified.size} of verified silence` },
    h("svg", null, h("defs", null, hatch), cells));
}

// Blocks that would overlap go into rows of their own; a block is at least as wide as its icon and number, and
// underlined for as long as it lasts.
function lane(blocks, empty) {
  const ends = [];
  for (const block of [...blocks].sort((a, b) => a.start - b.start)) {
    const left = block.start * shown.scale;
    const width = Math.max(46, (block.end - block.start) * shown.scale - 1);
    const at = Math.max(0, Math.min(left, shown.length * shown.scale - width));
    let row = ends.findIndex((end) => end <= at);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = at + width + 1;
    block.element.classList.toggle("narrow", width < 72);
    Object.assign(block.element.style, { left: `${at}px`, width: `${width}px`, top: `${4 + row * 30}px` });
    block.element.style.setProperty("--real", `${(block.end - block.start) * shown.scale}px`);
    block.element.style.setProperty("--hue", `var(--${block.hue})`);
  }
  const box = h("div", { class: "lane" }, blocks.length ? blocks.map((block) => block.element) : h("div", { class: "empty" }, empty));
  box.style.height = `${4 + Math.max(1, ends.length) * 30}px`;
  return box;
}

function eventBlock(event, hue) {
  const [start, end] = [seconds(event.start_sample), seconds(event.end_sample)];
  const decision = { respond: "answered", silent: "must stay silent" }[event.decision] ?? "not judged";
  const text = event.kind === "speech" && event.transcript ? `\u201c${event.transcript}\u201d` : words(event.name);
  return {
    start, end, hue,
    element: h("button", {
      type: "button", class: `block ${event.decision === "silent" ? "silent" : ""} ${shown.chosen === event.index ? "chosen" : ""}`, title: `${event.index + 1} ${text}`,
      "aria-label": `Event ${event.index + 1}: ${text}, ${event.role}, ${decision}, ${number(start)} to ${number(end)} seconds`,
      onclick: () => choose(event.index, start),
    }, h("div", { class: "tag" }, event.decision === "none" ? null : icon(event.decision), h("b", null, String(event.index + 1)), h("span", null, text))),
  };
}

function responseBlock(response, index) {
  const start = response.chunk * chunkSeconds();
  const following = Math.min(shown.length, ...shown.detail.responses.map((other) => other.chunk * chunkSeconds()).filter((time) => time > start));
  return {
    start, end: Math.min(following, start + 14), hue: "accent",
    element: h("button", {
      type: "button", class: "block reply", title: response.text, "aria-label": `Response ${index + 1} in chunk ${response.chunk}: ${response.text}`,
      onclick: () => seek(start),
    }, h("div", { class: "tag" }, icon("respond"), h("span", null, response.text))),
  };
}

function noiseBlock(noise) {
  const text = `${words(noise.track)} noise, ${number(noise.snr_db)} dB SNR: ${noise.clip_ids.join(", ")}`;
  return { start: 0, end: shown.length, hue: "noise", element: h("div", { class: "block", title: text }, h("div", { class: "tag" }, h("span", null, text))) };
}

function conversation(detail) {
  const said = new Set();
  const items = detail.turns.map((turn) => {
    const response = detail.responses[turn.response];
    if (response) said.add(response);
    return { turn, response, start: seconds(turn.start_sample), end: seconds(turn.end_sample) };
  });
  for (const response of detail.responses) {
    if (!said.has(response)) items.push({ turn: null, response, start: response.chunk * chunkSeconds(), end: response.chunk * chunkSeconds() });
  }
  items.sort((a, b) => a.start - b.start);
  shown.items = items.map(({ turn, response, start, end }) => ({
    start, end: response ? Math.max(end, (response.chunk + 1) * chunkSeconds()) : end,
    element: h("li", null, timeButton(start), h("div", null, ...turnText(detail, turn), answer(turn, response))),
  }));
  return h("section", { "aria-labelledby": "h-talk" }, h("h2", { id: "h-talk" }, "Transcript and responses"),
    items.length ? h("ol", { class: "talk" }, shown.items.map((item) => item.element)) : h("p", { class: "muted" }, "Nobody speaks and nothing is judged."));
}

const timeButton = (time) => h("button", { type: "button", class: "time", "aria-label": `Go to ${number(time)} seconds`, onclick: () => seek(time) }, clock(time));

function turnText(detail, turn) {
  if (!turn) return [];
  if (turn.user) return [h("p", { class: "said" }, `\u201c${turn.user}\u201d`)];
  const event = detail.events.find((other) => other.start_sample === turn.start_sample && other.end_sample === turn.end_sample);
  return [h("p", { class: "heard" }, event ? words(event.name) : "a sound")];
}

function answer(turn, response) {
  if (!response) return h("p", { class: "answer none" }, icon("silent"), h("span", null, "no response"));
  const facts = [`chunk ${response.chunk}`, `at ${clock(response.chunk * chunkSeconds())}`, response.emotion];
  if (response.delay_chunks) facts.push(`${response.delay_chunks} chunks after the event`);
  if (response.moved_chunks) facts.push(`${response.moved_chunks} of them to avoid a collision`);
  if (turn && turn.sub_task !== shown.stream.sub_task) facts.push(words(turn.sub_task));
  return h("div", { class: "answer" }, icon("respond"), h("div", null, h("div", null, response.text),
    h("div", { class: "fine" }, facts.join(" \u00b7 ")), response.action && h("code", null, response.action)));
}

function measurements(detail) {
  const quality = detail.quality ?? {};
  const facts = [
    ["Peak", `${number(quality.peak_dbfs)} dBFS`], ["Loudness", `${number(quality.lufs)} LUFS`], ["Realised SNR", `${number(quality.realised_snr_db)} dB`],
    ["Outside foreground events", `${number(100 * quality.silence_ratio)} %`], ["Roughest join (1 is smooth)", number(quality.max_seam_jump, 2)], ["Clipped samples", quality.clipped_samples ?? "\u2013"],
    ...detail.noise.map((noise) => [`${words(noise.track)} noise`, `${number(noise.snr_db)} dB, ${noise.clip_ids.join(", ")} (${[...new Set(noise.licences)].join(", ")})`]),
    ["Seed", detail.seed],
  ];
  return h("section", { "aria-labelledby": "h-quality" }, h("h2", { id: "h-quality" }, "Measurements"),
    h("dl", { class: "facts-list" }, facts.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, String(value))])));
}

function events(detail) {
  const head = ["Event", "Time", "Decision", "Came from", "Licence", "Score", "Gain"];
  shown.rows = detail.events.map((event, index) => {
    const cell = (label, attributes, ...children) => h("td", { "data-label": label, ...attributes }, h("div", null, ...children));
    const decision = event.decision === "none" ? "none" : h("span", { class: "decision" }, icon(event.decision), event.decision);
    return h("tr", { id: `event-${index}` },
      h("th", { scope: "row" }, `${index + 1} ${words(event.name)}`, h("small", null, `${event.role}, ${event.kind}`)),
      cell("Time", { class: "when" }, timeButton(seconds(event.start_sample)), ` for ${number(seconds(event.end_sample - event.start_sample), 2)} s`),
      cell("Decision", null, decision),
      cell("Came from", { class: "origin" }, ...origin(event), ...history(detail.provenance, index, event)),
      cell("Licence", null, event.licence, event.attribution ? h("div", { class: "fine" }, event.attribution) : null),
      cell("Score", { class: "number" }, event.score === null ? "\u2013" : number(event.score, 3), event.verdict ? h("div", { class: "fine" }, event.verdict) : null),
      cell("Gain", { class: "number" }, `${number(event.gain_db)} dB`));
  });
  return h("section", { "aria-labelledby": "h-events" }, h("h2", { id: "h-events" }, "Events and where they came from"),
    h("div", { class: "scroll" }, h("table", { class: "events" },
      h("thead", null, h("tr", null, head.map((name) => h("th", { scope: "col", class: ["Score", "Gain"].includes(name) ? "number" : null }, name)))),
      h("tbody", null, shown.rows))));
}

function origin(event) {
  return [
    h("div", null, event.source, event.clip_id ? [" clip ", h("code", null, event.clip_id)] : null, event.generator ? ` by ${event.generator}` : null),
    event.transcript ? h("div", null, `\u201c${event.transcript}\u201d`) : event.caption ? h("div", { class: "fine" }, event.caption) : null,
  ];
}

function history(provenance, index, event) {
  const lines = [];
  const of = (list) => (provenance?.[list] ?? []).filter((record) => record.event === index);
  if (event.query) lines.push(`searched for \u201c${event.query}\u201d${event.encoder ? ` with ${event.encoder}` : ""}`);
  for (const record of of("grounding")) {
    for (const candidate of record.candidates) {
      lines.push(`${candidate.verdict}: ${candidate.clip_id ?? candidate.generator}${candidate.score === null ? "" : `, score ${number(candidate.score, 3)}`}; ${candidate.reason}`);
    }
  }
  for (const record of of("audits")) lines.push(`audit ${record.label}${record.criterion ? ` (${record.criterion})` : ""}: ${record.reason}, confidence ${number(record.confidence, 2)}`);
  for (const record of of("conditioning")) {
    const kept = record.spans.reduce((sum, [start, end]) => sum + end - start, 0);
    lines.push(`conditioned as ${record.profile}: ${number(seconds(kept), 2)} s kept in ${record.spans.length} ${record.spans.length === 1 ? "span" : "spans"}${record.reason ? `; ${record.reason}` : ""}`);
  }
  for (const record of of("renderings")) lines.push(`rendered as ${words(record.kind)}, seed ${record.seed}, ${number(record.duration_s, 2)} s`);
  for (const record of of("speech")) lines.push(`voice ${record.voice}, ${record.rate_wpm} words a minute, pitch ${record.pitch}; ASR check ${words(record.asr_check)}`);
  if (event.clip_sha256) lines.push(`source file sha256 ${event.clip_sha256}`);
  if (event.clip_start_sample !== null && event.clip_end_sample !== null) lines.push(`clip from ${number(seconds(event.clip_start_sample), 2)} to ${number(seconds(event.clip_end_sample), 2)} s`);
  return lines.length ? [h("details", null, h("summary", null, "History"), h("ul", null, lines.map((line) => h("li", null, line))))] : [];
}

const plan = (detail) =>
  h("section", { "aria-labelledby": "h-plan" }, h("h2", { id: "h-plan" }, "Plan"), h("details", null, h("summary", null, "The stream plan as JSON"), h("pre", null, detail.plan)));

function choose(index, time) {
  shown.chosen = index;
  seek(time);
  draw();
  shown.rows.forEach((row, at) => row.classList.toggle("chosen", at === index));
}

// ---- playing ------------------------------------------------------------------------------------------------------

const position = () => audio.currentTime || 0;

function seek(time) {
  if (!shown?.stream.heard) return;
  audio.currentTime = Math.min(Math.max(0, time), Math.max(0, shown.length - 0.01));
  follow();
}

function toggle() {
  if (!shown?.stream.heard) return;
  if (audio.paused) audio.play().catch(() => (byId("now").textContent = "This browser cannot play the file."));
  else audio.pause();
}

function moveCursor() {
  shown.cursor.style.left = `calc(var(--gutter) + ${position() * shown.scale}px)`;
}

function follow() {
  if (!shown) return;
  const time = position();
  moveCursor();
  byId("clock").textContent = `${clock(time)} / ${clock(shown.length)}`;
  byId("position").value = time;
  byId("position").setAttribute("aria-valuetext", `${number(time)} seconds`);
  const chunk = Math.min(shown.stream.chunks - 1, Math.floor(time / chunkSeconds()));
  if (chunk !== shown.chunk) {
    shown.chunk = chunk;
    const response = shown.detail.responses.find((other) => other.chunk === chunk);
    byId("now").replaceChildren(icon(response ? "respond" : "silent"), h("span", null, `chunk ${chunk}: ${response ? response.text : "silent"}`));
    for (const item of shown.items) item.element.classList.toggle("current", item.start <= time && time < item.end);
  }
  if (!audio.paused) {
    const roll = shown.tracks.parentElement;
    const x = time * shown.scale - roll.scrollLeft;
    if (x < 0 || x > roll.clientWidth - 160) roll.scrollLeft = time * shown.scale - 80;
    requestAnimationFrame(follow);
  }
}

function showPlaying() {
  byId("toggle").querySelector("use").setAttribute("href", audio.paused ? "#play" : "#pause");
  byId("toggle").setAttribute("aria-label", audio.paused ? "Play" : "Pause");
  follow();
}

function onKey(event) {
  if (!shown || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, textarea, input:not([type=range])")) return;
  const step = event.shiftKey ? chunkSeconds() : 2;
  const go = (rel) => document.querySelector(`.nav a[rel=${rel}][href]`)?.click();
  const actions = {
    " ": () => toggle(),
    ArrowLeft: () => seek(position() - step),
    ArrowRight: () => seek(position() + step),
    Home: () => seek(0),
    End: () => seek(shown.length),
    n: () => go("next"),
    p: () => go("prev"),
    Escape: () => (location.hash = "#/"),
  };
  if (event.key === " " && event.target.closest("button, a, summary")) return;
  if (actions[event.key]) {
    event.preventDefault();
    actions[event.key]();
  }
}

function route() {
  const stream = report.index.streams.find((other) => location.hash === `#/${other.key}`);
  const wasShown = shown?.stream;
  audio.pause();
  shown = null;
  byId("overview").hidden = Boolean(stream);
  byId("stream").hidden = !stream;
  byId("player").hidden = !stream;
  if (stream) {
    scrollTo(0, 0);
    showStream(stream).catch(() => byId("stream").replaceChildren(h("p", { class: "notice wrong" }, "The data of this stream is missing from the report's folder.")));
  } else if (wasShown) {
    document.querySelector(`.card[href="#/${wasShown.key}"]`)?.focus();
  }
}

document.addEventListener("DOMContentLoaded", () => {
  fillFilters();
  showList();
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, showPlaying);
  for (const name of ["seeked", "loadedmetadata"]) audio.addEventListener(name, follow);
  byId("toggle").addEventListener("click", toggle);
  byId("position").addEventListener("input", (event) => seek(Number(event.target.value)));
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", route);
  addEventListener("resize", () => shown && draw());
  route();
});
