"use strict";
// A reviewer's marks: kept by the browser, or by the server in a file beside the corpus; exported as that file.

const marks = new Map(); // id -> { mark, reason }
const MARKS = "marks.json";
const storedAs = () => `streamaudio marks ${Object.values(report.index.corpus).join(" ")}`;

const asFile = () => ({ version: 1, corpus: report.index.corpus, marks: [...marks].map(([id, { mark, reason }]) => ({ id, mark, reason })) });

async function loadMarks() {
  try {
    const kept = report.served ? await (await fetch(MARKS)).json() : JSON.parse(localStorage.getItem(storedAs()));
    for (const { id, mark, reason } of kept?.marks ?? []) marks.set(id, { mark, reason });
    showMarks();
  } catch (error) {
    showMarks(`Earlier marks could not be read: ${error.message}`);
  }
}

async function saveMarks() {
  const text = JSON.stringify(asFile());
  try {
    if (report.served) {
      const reply = await fetch(MARKS, { method: "PUT", headers: { "Content-Type": "application/json" }, body: text });
      if (!reply.ok) throw new Error(await reply.text());
    } else localStorage.setItem(storedAs(), text);
    showMarks();
  } catch (error) {
    showMarks(`Not saved: ${error.message}. Export the marks before you close this page.`);
  }
}

function showMarks(trouble) {
  const bad = [...marks.values()].filter(({ mark }) => mark === "bad").length;
  const where = report.served ? "kept beside the corpus" : "kept in this browser; export them to use them";
  const text = trouble ?? (marks.size ? `${marks.size} marked, ${bad} of them bad (${where})` : "Nothing is marked yet.");
  for (const status of document.querySelectorAll(".marks-status")) status.textContent = text;
  byId("export").disabled = !marks.size;
}

function mark(value) {
  const { id } = shown.stream;
  const reason = byId("reason").value.trim();
  if (value === "none") marks.delete(id);
  else marks.set(id, { mark: value, reason });
  for (const radio of document.querySelectorAll("[name=mark-of-stream]")) radio.checked = radio.value === value;
  return saveMarks();
}

function markSection(stream) {
  const now = marks.get(stream.id);
  const choice = (value, text) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "mark-of-stream", value, checked: (now?.mark ?? "none") === value, onchange: () => mark(value) }),
      value === "none" ? null : icon(value), text);
  return h("section", { class: "marking", "aria-labelledby": "h-mark" },
    h("h2", { id: "h-mark" }, "Your mark"),
    h("div", { class: "marking-form" },
      h("div", { role: "radiogroup", "aria-labelledby": "h-mark" }, choice("none", "no mark"), choice("good", "good"), choice("bad", "bad")),
      h("label", { class: "reason" }, "Reason ",
        h("input", { id: "reason", type: "text", maxlength: 2000, value: now?.reason ?? "", placeholder: "what is right or wrong with it", onchange: () => marks.has(stream.id) && mark(marks.get(stream.id).mark) }))),
    h("p", { class: "muted marks-status", role: "status" }));
}

function exportMarks() {
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(asFile(), null, 2)}\n`], { type: "application/json" }));
  h("a", { href: address, download: MARKS }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
