"use strict";
// The list of streams: filters, order, and only those cards that are in or near the window.

const list = { streams: [], drawn: new Map(), scrolled: 0 };
const CARD = { width: 17, height: 15.1, gap: 1 }; // rem

function fillFilters() {
  const form = byId("filters");
  const fill = (name, ...options) => form.elements[name].replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
  const names = (column) => [...new Set(column.names)].sort();
  const columns = report.index.columns;
  for (const name of ["ability", "sub_task", "split"]) fill(name, ["", "all"], ...names(columns[name]).map((value) => [value, words(value)]));
  fill("flag", ["", "all"], ["*", "any flag"], ["-", "no flag"], ...names(columns.flags).map((value) => [`=${value}`, value]));
  fill("mark", ["", "all"], ["good", "good"], ["bad", "bad"], ["-", "not marked"]);
  fill("score", ["", "none"], ...Object.keys(columns.scores).map((name) => [name, name]));
  fill("order", ["1", "lowest first"], ["-1", "highest first"]);
  const partly = !report.served && report.streams.some((stream) => !stream.here);
  fill("here", ["1", "in this folder"], ["", "all, also without audio"]);
  form.elements.here.closest("label").hidden = !partly;
  form.elements.here.value = partly ? "1" : "";
  form.addEventListener("input", showList);
  form.addEventListener("submit", (event) => event.preventDefault());
}

function filtered() {
  const { ability, sub_task, split, flag, mark, here, score, order, least, most, words: query } = byId("filters").elements;
  const wanted = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  const scores = score.value ? report.index.columns.scores[score.value] : null;
  const [low, high] = [least, most].map((field) => (field.value === "" ? null : Number(field.value)));
  const passes = {
    flag: (stream) => !flag.value || (flag.value === "*" ? stream.flags.length > 0 : flag.value === "-" ? !stream.flags.length : stream.flags.includes(flag.value.slice(1))),
    mark: (stream) => !mark.value || (marks.get(stream.id)?.mark ?? "-") === mark.value,
    score: ({ number }) => !scores || ((low === null && high === null) || (scores[number] !== null && (low === null || scores[number] >= low) && (high === null || scores[number] <= high))),
    words: (stream) => {
      const text = wanted.length ? `${stream.id} ${stream.scenario} ${words(stream.sub_task)}`.toLowerCase() : "";
      return wanted.every((word) => text.includes(word));
    },
  };
  const found = report.streams.filter((stream) =>
    (!ability.value || stream.ability === ability.value) && (!sub_task.value || stream.sub_task === sub_task.value) &&
    (!split.value || stream.split === split.value) && (!here.value || stream.here) && Object.values(passes).every((pass) => pass(stream)));
  if (!scores) return found;
  const last = Infinity; // streams without the figure
  return found.sort((a, b) => (scores[a.number] === null ? last : Number(order.value) * scores[a.number]) - (scores[b.number] === null ? last : Number(order.value) * scores[b.number]) || a.number - b.number);
}

function showList() {
  list.streams = filtered();
  const chosen = byId("filters").elements.score.value;
  for (const field of document.querySelectorAll("#filters .of-score")) field.hidden = !chosen;
  byId("count").textContent = `${list.streams.length} of ${many(report.streams.length, "stream")}`;
  for (const item of list.drawn.values()) item.remove();
  list.drawn.clear();
  layOut();
}

function layOut() {
  const box = byId("cards");
  if (byId("overview").hidden) return;
  const gap = CARD.gap * rem();
  const columns = Math.max(1, Math.floor((box.clientWidth + gap) / (CARD.width * rem() + gap)));
  const step = { x: (box.clientWidth + gap) / columns, y: CARD.height * rem() + gap };
  box.style.height = `${Math.ceil(list.streams.length / columns) * step.y}px`;
  const above = -box.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor((above - innerHeight / 2) / step.y)) * columns;
  const last = Math.min(list.streams.length, Math.max(3, Math.ceil((above + 1.5 * innerHeight) / step.y)) * columns);
  for (const [number, item] of list.drawn) {
    if (number < first || number >= last) {
      item.remove();
      list.drawn.delete(number);
    }
  }
  let next = null; // from the last to the first, so that the order of the elements is that of the list
  for (let number = last - 1; number >= first; number--) {
    let item = list.drawn.get(number);
    if (!item) {
      item = h("li", { "aria-setsize": list.streams.length, "aria-posinset": number + 1 }, card(list.streams[number]));
      box.insertBefore(item, next);
      list.drawn.set(number, item);
    }
    Object.assign(item.style, { width: `${step.x - gap}px`, height: `${step.y - gap}px`, transform: `translate(${(number % columns) * step.x}px, ${Math.floor(number / columns) * step.y}px)` });
    next = item;
  }
}

function card(stream) {
  const replies = stream.responses.map((chunk) => {
    const reply = icon("respond");
    reply.style.left = `${Math.min(97, Math.max(3, (100 * (chunk + 0.5)) / stream.chunks))}%`;
    return reply;
  });
  const chosen = byId("filters").elements.score.value;
  const marked = marks.get(stream.id);
  return h("a", { class: "card", href: `#/${stream.key}` },
    h("div", { class: "thumb" }, thumbnail(stream), replies),
    h("div", { class: "body" },
      h("p", { class: "facts" }, `${words(stream.ability)} \u00b7 ${stream.split}`),
      h("h3", null, title(stream.sub_task)),
      h("p", null, stream.scenario),
      h("div", { class: "chips" },
        marked ? h("span", { class: `chip ${marked.mark}` }, icon(marked.mark), marked.mark) : null,
        h("span", { class: "chip" }, clock(stream.seconds)),
        h("span", { class: "chip" }, icon(stream.responses.length ? "respond" : "silent"), many(stream.responses.length, "response")),
        chosen ? h("span", { class: "chip" }, `${chosen}: ${number(report.index.columns.scores[chosen][stream.number] ?? NaN, 2)}`) : null,
        stream.flags.length ? h("span", { class: "chip bad", title: stream.flags.join("\n") }, icon("flag"), many(stream.flags.length, "flag")) : null,
        stream.partner !== null && h("span", { class: "chip" }, "pair"))));
}

function thumbnail(stream) {
  if (stream.here === 2) return h("span", null, "audio cannot be decoded");
  if (!reachable(stream)) return h("span", null, "not in this folder");
  const image = h("img", { alt: "", decoding: "async" });
  // Cards that only fly past ask for nothing.
  setTimeout(() => image.isConnected && (image.src = `img/${stream.key}-small.png`), 80);
  return image;
}
