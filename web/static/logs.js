// The log viewer: lines come in batches, are kept in chunks that the browser lays out only when they are near, and are text.

import { paint } from "./ansi.js";
import { listen } from "./stream.js";

const CHUNK = 250;
const ERROR = /(?:^|\W)(?:error|exception|traceback|fatal|failed)(?:\W|$)/i;
const log = document.getElementById("log");
const filter = document.getElementById("log-filter");
const count = document.getElementById("log-count");
const jump = document.getElementById("log-error");
const [wrap, keep] = ["log-wrap", "log-follow"].map((id) => document.getElementById(id));
const fixed = new URL(log.dataset.url, location.href).searchParams.has("build");

const pending = [];
let chunk = null;
let total = 0;
let matches = 0;
let firstError = null;
let name = "";

let second = 0;
let shownSecond = "";

/** hh:mm:ss here; most lines share their second with the one before. */
function clock(at) {
  if (Math.floor(at) !== second) {
    second = Math.floor(at);
    shownSecond = new Date(at * 1000).toTimeString().slice(0, 8);
  }
  return shownSecond;
}

function matching(text) {
  return !filter.value || text.toLowerCase().includes(filter.value.toLowerCase());
}

function line(at, text) {
  const row = document.createElement("div");
  row.className = "ln";
  if (at) row.dataset.t = clock(at);
  paint(row, text);
  return row;
}

/** Put what came into the page: at most so much that a frame stays short. Only the end of it is laid out and painted. */
function flush() {
  const started = performance.now();
  while (pending.length && performance.now() - started < 8) {
    for (const [at, text] of pending.splice(0, 100)) {
      if (!chunk || chunk.childElementCount >= CHUNK) {
        chunk = document.createElement("div");
        chunk.className = "chunk";
        log.append(chunk);
      }
      const row = line(at, text);
      if (!firstError && at && ERROR.test(row.textContent)) {
        firstError = row;
        jump.hidden = false;
      }
      const hit = matching(row.textContent);
      row.hidden = !hit;
      matches += hit ? 1 : 0;
      total += 1;
      chunk.append(row);
    }
  }
  count.textContent = filter.value ? `${matches} of ${total}` : `${total} line${total === 1 ? "" : "s"}`;
  if (pending.length) setTimeout(flush, 4);
  else if (keep.checked) log.scrollTop = log.scrollHeight;
}

function add(rows) {
  log.querySelector(".wait")?.remove();
  const idle = !pending.length;
  pending.push(...rows);
  if (idle) requestAnimationFrame(flush);
}

function clear() {
  pending.length = 0;
  log.replaceChildren();
  chunk = firstError = null;
  total = matches = 0;
  jump.hidden = true;
}

function say(words) {
  if (total || pending.length || log.querySelector(".wait")) return;
  const row = line(0, words);
  row.classList.add("wait");
  log.append(row);
}

const stop = listen(() => log.dataset.url, {
  stream: (now) => {
    // Another build is another log; another instance goes on below the last one's.
    if (name && name !== now.name && name.startsWith("run/")) add([[0, "──────── another instance ────────"]]);
    else clear();
    name = now.name;
    say("waiting for the first line…");
  },
  lines: add,
  end: () => {
    if (fixed) stop();
    setTimeout(() => say("This log is empty."), 300);
  },
});
say("Nothing yet. A line appears here as soon as there is one.");

let timer = 0;
filter.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    matches = 0;
    for (const row of log.querySelectorAll(".ln")) {
      const hit = matching(row.textContent);
      if (row.hidden === hit) row.hidden = !hit;
      matches += hit ? 1 : 0;
    }
    count.textContent = filter.value ? `${matches} of ${total}` : `${total} lines`;
    if (keep.checked) log.scrollTop = log.scrollHeight;
  }, 120);
});

jump.addEventListener("click", () => {
  keep.checked = false;
  if (firstError.hidden) {
    filter.value = "";
    for (const row of log.querySelectorAll(".ln[hidden]")) row.hidden = false;
    count.textContent = `${total} lines`;
  }
  log.querySelector(".hit")?.classList.remove("hit");
  firstError.classList.add("hit");
  firstError.scrollIntoView({ block: "center" });
});

const wrapping = () => log.classList.toggle("wrap", wrap.checked);
wrap.addEventListener("change", wrapping);
wrapping();

keep.addEventListener("change", () => {
  if (keep.checked) log.scrollTop = log.scrollHeight;
});
// Scrolling up by hand lets go; back at the bottom it follows again.
log.addEventListener("wheel", (event) => event.deltaY < 0 && (keep.checked = false), { passive: true });
log.addEventListener("touchmove", () => (keep.checked = atEnd()), { passive: true });
log.addEventListener("keydown", (event) => ["PageUp", "ArrowUp", "Home"].includes(event.key) && (keep.checked = false));
log.addEventListener("scroll", () => atEnd() && (keep.checked = true), { passive: true });

function atEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 24;
}
