"use strict";
// Playing, seeking, and what follows the position.

const audio = new Audio();
audio.preload = "metadata";

const position = () => audio.currentTime || 0;

function seek(time) {
  if (!shown?.audible) return;
  audio.currentTime = Math.min(Math.max(0, time), Math.max(0, shown.length - 0.01));
  follow();
}

function toggle() {
  if (!shown?.audible) return;
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
    byId("now").replaceChildren(icon(response ? "respond" : "silent"), h("span", null, [`chunk ${chunk}: ${response ? response.text : "silent"}`, ...shown.detail.heard.map((heard) => `${heard.listener}: ${decided(heard, chunk)}`)].join(" \u00b7 ")));
    for (const item of shown.items) item.element.classList.toggle("current", item.start <= time && time < item.end);
  }
  if (!audio.paused) {
    const roll = shown.tracks.parentElement;
    const x = time * shown.scale - roll.scrollLeft;
    if (x < 0 || x > roll.clientWidth - 160) roll.scrollLeft = time * shown.scale - 80;
    requestAnimationFrame(follow);
  }
}

const decided = (heard, chunk) => (heard.decisions[chunk] === "r" ? (heard.replies.find((reply) => reply.chunk === chunk)?.text || "response") : heard.decisions[chunk] === "s" ? "silent" : "not asked");

function showPlaying() {
  byId("toggle").querySelector("use").setAttribute("href", audio.paused ? "#play" : "#pause");
  byId("toggle").setAttribute("aria-label", audio.paused ? "Play" : "Pause");
  follow();
}
