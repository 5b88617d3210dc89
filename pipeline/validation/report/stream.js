"use strict";
// The page of one stream.

// One page's data is kept at a time: a reviewer sees thousands of them.
function load(stream) {
  const kept = report.details[stream.key];
  if (kept) return Promise.resolve(kept);
  if (!reachable(stream)) return Promise.reject(new Error(stream.key));
  return new Promise((resolve, reject) => {
    const script = h("script", { src: `data/${stream.key}.js` });
    script.onload = () => {
      const detail = report.details[stream.key];
      report.details = { [stream.key]: detail };
      resolve(detail);
    };
    script.onerror = () => reject(new Error(stream.key));
    document.head.append(script);
    script.addEventListener("load", () => script.remove());
  });
}

async function showStream(stream) {
  const detail = await load(stream);
  if (location.hash !== `#/${stream.key}`) return;
  const length = Math.max(stream.seconds, stream.chunks * chunkSeconds());
  shown = { stream, detail, length, audible: detail.envelope !== null, zoom: 1, chosen: -1, chunk: -1, tracks: h("div", { class: "tracks" }), cursor: h("div", { class: "cursor" }) };
  byId("stream").replaceChildren(
    navigation(stream), heading(stream, detail), board(stream, detail), markSection(stream),
    h("div", { class: "columns" }, h("div", null, conversation(detail), ...detail.heard.map((heard) => listening(detail, heard))), measurements(detail)),
    events(detail), plan(detail), keys());
  showMarks();
  byId("stream").querySelector("h1").focus({ preventScroll: true });
  byId("player").hidden = false;
  byId("toggle").disabled = byId("position").disabled = !shown.audible;
  byId("position").max = length;
  if (shown.audible) audio.src = `audio/${stream.key}.flac`;
  else audio.removeAttribute("src");
  draw();
  follow();
}

const missing = (stream) =>
  h("div", { class: "notice wrong" },
    reachable(stream)
      ? h("p", null, "The data of this stream could not be read.")
      : h("p", null, "This folder holds the pages of some streams only. ", h("code", null, "streamaudio view CORPUS --serve"), " shows this one, and every other, from the shards."),
    h("p", { class: "muted" }, `${stream.id}, ${stream.place}`));

function navigation(stream) {
  const at = list.streams.findIndex((other) => other.key === stream.key);
  const link = (text, other, rel) =>
    h("a", { class: "button", rel, href: other ? `#/${other.key}` : null, "aria-disabled": other ? null : "true" }, text);
  return h("nav", { class: "nav", "aria-label": "Streams" },
    h("a", { class: "button", href: "#/" }, "\u2190 All streams"),
    h("div", null, link("Previous", at > 0 ? list.streams[at - 1] : null, "prev"), link("Next", at >= 0 ? list.streams[at + 1] : null, "next")));
}

function heading(stream, detail) {
  const partner = report.streams[stream.partner];
  const partnerText = partner ? `pair partner: ${partner.responses.length ? "with" : "without"} a response \u2192` : "";
  return h("header", null,
    h("p", { class: "eyebrow" }, words(stream.ability)),
    h("h1", { tabindex: "-1" }, title(stream.sub_task)),
    h("p", { class: "scenario" }, stream.scenario),
    h("div", { class: "chips" },
      h("span", { class: "chip" }, stream.split),
      h("span", { class: "chip" }, detail.language),
      h("span", { class: "chip" }, many(stream.chunks, "chunk")),
      h("span", { class: "chip" }, h("code", null, stream.id)),
      h("span", { class: "chip" }, h("code", null, stream.place)),
      partner ? h("a", { class: "chip", href: `#/${partner.key}` }, partnerText) : stream.partner !== null && h("span", { class: "chip" }, "pair partner is not in this report")),
    detail.findings.length
      ? h("div", { class: "notice wrong" }, h("strong", null, "Findings"), h("ul", null, detail.findings.map((finding) => h("li", null, h("strong", null, finding.rule), ` ${finding.detail}`))))
      : null,
    detail.doubt?.contradicted ? doubted(detail.doubt) : null);
}

const DOUBTS = { unexpected: "a response that nothing seems to call for", missing: "silence where a response seems due" };

const doubted = (doubt) =>
  h("div", { class: "notice wrong" }, h("strong", null, "Label in doubt"), ` (${number(doubt.score, 2)}): ${DOUBTS[doubt.doubt] ?? doubt.doubt}, `, timeButton(doubt.chunk * chunkSeconds()), ` in chunk ${doubt.chunk}.`);

// What a listener did, in words: the rows of the timeline as a list.
function listening(detail, heard) {
  const name = `h-heard-${detail.heard.indexOf(heard)}`;
  const at = (chunk, text) => h("li", null, timeButton(chunk * chunkSeconds()), ` chunk ${chunk}${text ? `: ${text}` : ""}`);
  const group = (what, items) => (items.length ? [h("dt", null, `${what} (${items.length})`), h("dd", null, h("ul", null, items))] : []);
  const said = (numbers) => numbers.map((reply) => heard.replies[reply]).filter(Boolean).map((reply) => at(reply.chunk, reply.text));
  const agreed = heard.replies.map((_, reply) => reply).filter((reply) => !heard.extra.includes(reply));
  const extra = heard.extra.filter((reply) => !heard.false.includes(reply));
  const missed = heard.missed.map((label) => detail.responses[label]).filter(Boolean);
  const groups = [
    ...group("agree with a label", said(agreed)), ...group("labels it missed", missed.map((label) => at(label.chunk, label.text))),
    ...group("replies without a label", said(extra)), ...group("replies in verified silence", said(heard.false)),
  ];
  const facts = [`heard ${heard.decisions.length} of ${many(shown.stream.chunks, "chunk")}`];
  if (heard.stalls) facts.push(many(heard.stalls, "stall"));
  if (heard.ended) facts.push(`ended early: ${heard.ended}`);
  return h("section", { "aria-labelledby": name }, h("h2", { id: name }, `What ${heard.listener} did`),
    h("p", { class: "muted" }, `${facts.join("; ")}. A label and a reply agree where they are at most a chunk apart.`),
    groups.length ? h("dl", { class: "listened" }, groups) : h("p", { class: "muted" }, "Nothing was due, and it stayed silent."));
}

const keys = () =>
  h("p", { class: "muted keys" }, "Keys: space plays, arrows go 2 s (with shift one chunk), n and p go to the next and previous stream, g and b mark it good or bad, escape goes back to the list.");

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
    ...detail.noise.map((noise) => [`${title(noise.track)} noise`, [`${number(noise.snr_db)} dB SNR, ${[...new Set(noise.licences)].join(", ")}`, ...noise.clip_ids.map((id) => h("div", null, h("code", null, id)))]]),
    ...(detail.doubt ? [["Most doubtful label", [`${number(detail.doubt.score, 2)}, `, timeButton(detail.doubt.chunk * chunkSeconds()), ` in chunk ${detail.doubt.chunk}`, h("div", { class: "fine" }, DOUBTS[detail.doubt.doubt] ?? detail.doubt.doubt)]]] : []),
    ["Seed", detail.seed],
  ];
  return h("section", { "aria-labelledby": "h-quality" }, h("h2", { id: "h-quality" }, "Measurements"),
    h("dl", { class: "facts-list" }, facts.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, ...(Array.isArray(value) ? value : [String(value)]))])));
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
