"use strict";
// The timeline of one stream: pictures, chunks, lanes.

function board(stream, detail) {
  const zoomBy = (factor) => () => {
    const time = position();
    shown.zoom = Math.min(16, Math.max(1, shown.zoom * factor));
    draw();
    const roll = shown.tracks.parentElement;
    roll.scrollLeft = shown.scale * time - roll.clientWidth / 2;
  };
  const cell = (kind) => h("svg", { class: "cell grid", viewBox: "0 0 14 14", "aria-hidden": "true" }, chunkCell(kind, 1, 1, 12, 12));
  const roll = h("div", { class: "roll", tabindex: "-1" }, shown.tracks);
  shown.tracks.addEventListener("click", (event) => {
    if (event.target.closest(".label, .block")) return;
    seek((event.clientX - shown.tracks.getBoundingClientRect().left - gutter()) / shown.scale);
  });
  return h("section", { class: "board", "aria-label": "Timeline" },
    h("div", { class: "tools" },
      h("details", { class: "signs", open: !matchMedia("(max-width: 760px)").matches }, h("summary", null, "Signs"), h("div", { class: "legend" },
        h("span", null, icon("respond"), "answered"), h("span", null, icon("silent"), "must stay silent"),
        h("span", null, cell("quiet"), "silent chunk"), h("span", null, cell("verified"), "verified silence"), h("span", null, cell("reply"), "response starts"),
        detail.heard.length ? [
          h("span", null, cell("missed"), "label missed"), h("span", null, cell("extra"), "reply without a label"),
          h("span", null, cell("false"), "reply in verified silence"), h("span", null, cell("drained"), "not asked about")] : null,
        detail.seams.length ? h("span", null, h("svg", { class: "cell", viewBox: "0 0 14 14", "aria-hidden": "true" }, h("path", { class: "seam", d: "M7 14V3" })), "seam, as high as it is rough") : null,
        h("span", null, "underline: an event's real length"))),
      h("div", null,
        h("button", { type: "button", class: "button", "aria-label": "Zoom out", onclick: zoomBy(0.5) }, "\u2212"),
        h("button", { type: "button", class: "button", "aria-label": "Zoom in", onclick: zoomBy(2) }, "+"))),
    shown.audible ? null : h("p", { class: "notice wrong" }, "The audio of this stream cannot be decoded; its labels are shown without it."),
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
    track("Labels, 0.4 s", grid(stream, detail)),
    ...detail.heard.map((heard) => track(heard.listener, decisions(stream, detail, heard))),
    track("Seams", seams(detail)),
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
    shown.audible ? h("img", { src: `img/${stream.key}.png`, alt: "Log-mel spectrogram of the stream", draggable: "false" }) : null,
    h("div", { class: "scale", "aria-hidden": "true" }, ticks));
}

function waveform(detail) {
  const peaks = detail.envelope ?? [];
  const up = peaks.map((peak, column) => `L${column} ${100 - peak}`).join("");
  const down = peaks.map((peak, column) => `L${column} ${100 + peak}`).reverse().join("");
  return h("div", { class: "lane wave" },
    peaks.length ? h("svg", { viewBox: `0 -5 ${peaks.length} 210`, preserveAspectRatio: "none", "aria-hidden": "true" }, h("path", { d: `M0 100${up}${down}Z`, fill: "currentColor" })) : null);
}

// A chunk; what a colour says, a form says too: hatched, filled, crossed out, dashed, dotted.
function chunkCell(kind, x, y, width, height) {
  const crossed = kind === "extra" || kind === "false";
  const box = h("rect", { class: kind, x, y, width, height, rx: 1.5 });
  return crossed ? [box, h("path", { class: `cross ${kind}`, d: `M${x} ${y}l${width} ${height}M${x + width} ${y}l${-width} ${height}` })] : [box];
}

function cells(kinds) {
  const width = chunkSeconds() * shown.scale;
  return kinds.flatMap((kind, chunk) => chunkCell(kind, chunk * width + 0.5, 4.5, Math.max(1, width - 1), 17));
}

function grid(stream, detail) {
  const verified = new Set(detail.verified);
  const replies = new Set(detail.responses.map((response) => response.chunk));
  const kinds = Array.from({ length: stream.chunks }, (_, chunk) => (replies.has(chunk) ? "reply" : verified.has(chunk) ? "verified" : "quiet"));
  const hatch = h("pattern", { id: "hatch", width: 4, height: 4, patternUnits: "userSpaceOnUse" }, h("path", { d: "M0 4L4 0", class: "hatch" }));
  return h("div", { class: "lane grid", role: "img", "aria-label": `${many(stream.chunks, "chunk")}, ${replies.size} with a response, ${verified.size} of verified silence` },
    h("svg", null, h("defs", null, hatch), cells(kinds)));
}

// What a listener decided; the line is its probability of a response.
function decisions(stream, detail, heard) {
  const at = (numbers) => new Set(numbers.map((reply) => heard.replies[reply]?.chunk));
  const [extra, broken] = [at(heard.extra), at(heard.false)];
  const missed = new Set(heard.missed.map((label) => detail.responses[label]?.chunk));
  const kinds = Array.from({ length: stream.chunks }, (_, chunk) => {
    const decision = heard.decisions[chunk];
    if (decision === "r") return broken.has(chunk) ? "false" : extra.has(chunk) ? "extra" : "reply";
    return missed.has(chunk) ? "missed" : decision === "s" ? "quiet" : "drained";
  });
  const width = chunkSeconds() * shown.scale;
  const line = (heard.scores ?? []).map((score, chunk) => `${chunk ? "L" : "M"}${((chunk + 0.5) * width).toFixed(1)} ${(21.5 - 17 * score).toFixed(1)}`).join("");
  const text = `${heard.listener}: ${many(heard.replies.length, "reply").replace("replys", "replies")}, ${heard.missed.length} labels missed, ${heard.extra.length} replies without a label, ${heard.false.length} in verified silence`;
  return h("div", { class: "lane grid", role: "img", "aria-label": text }, h("svg", null, cells(kinds), line ? h("path", { class: "score", d: line }) : null));
}

function seams(detail) {
  const kinds = { join: "two sounds join", edge: "a sound starts or ends", cut: "something was taken out", tile: "a bed repeats" };
  const marks = detail.seams.map(([sample, kind, jump]) => {
    const mark = h("div", { class: `seam ${kind}`, title: `${clock(seconds(sample))} ${kinds[kind]}; jump ${number(jump, 2)}, 1 is as smooth as the sound around it` });
    mark.style.left = `${seconds(sample) * shown.scale}px`;
    mark.style.height = `${Math.min(24, 4 + 5 * jump)}px`;
    return mark;
  });
  const roughest = Math.max(...detail.seams.map(([, , jump]) => jump));
  return h("div", { class: "lane seams", role: "img", "aria-label": marks.length ? `${many(marks.length, "seam")}, the roughest ${number(roughest, 2)} times as rough as the sound around it` : "no seams" },
    marks.length ? marks : h("div", { class: "empty" }, "none"));
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
