// The Logs tab: lines as they come, the first error on top, searching, and what the cluster says.

import { FirstError } from "./log-error.js";
import { LogView, plain } from "./log-view.js";
import { ready } from "./podium.js";
import { listen } from "./stream.js";

const [log, query, count, first, jump, before, next, only, wrap, keep, events, replica] = [
  "log", "log-query", "log-count", "log-first", "log-error", "log-before", "log-next", "log-only", "log-wrap", "log-follow", "events",
  "log-replica",
].map((id) => document.getElementById(id));
const said = !first.hidden; // the server knows why it failed

const view = new LogView(log);
view.changed = () => keep.checked && view.end();
let error = new FirstError();
let errors = new Map(); // of each replica, until the first one is found
// Where there are several replicas, each line begins with the end of a pod's name, which has these letters only.
const REPLICA = /^\[[bcdfghjklmnpqrstvwxz2-9]{5}\] /;
const STOPPED = "[podium] stopped"; // the last line of an instance that was told to end; the next one goes on in the same log
let name = "";
let at = -1; // of the matches
let drawing = false;
let fresh = [];

/** Lines are put into the page once per frame, however fast they come. */
function add(rows) {
  fresh.push(...rows);
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawing = false;
  const rows = fresh;
  fresh = [];
  if (!rows.length) return;
  if (!view.length) log.replaceChildren();
  const from = view.length;
  view.add(rows);
  rows.forEach(([when, text], i) => {
    const mark = name.startsWith("run/") && REPLICA.exec(text)?.[0];
    if (mark) look(from + i, text, mark);
    else if (text.endsWith(STOPPED)) forget();
    else if (when && !error.found && error.feed(from + i, plain(text))) tell();
  });
  tally();
  if (keep.checked) view.end();
}

/** A line of one of several replicas, whose lines are mixed: each may be looked at alone. */
function look(index, text, mark) {
  if (!errors.has(mark)) {
    errors.set(mark, new FirstError());
    if (![...replica.options].some((one) => one.value === mark)) replica.add(new Option(mark.slice(1, -2), mark));
    replica.parentElement.hidden = false;
  }
  const own = errors.get(mark);
  if (error.found || !own.feed(index, plain(text.slice(mark.length)))) return;
  error = own;
  tell();
}

/** What went wrong before is of an instance that is gone. */
function forget() {
  error = new FirstError();
  errors = new Map();
  jump.hidden = true;
  if (!said) first.hidden = true;
}

function clear() {
  fresh = [];
  replica.length = 1;
  replica.parentElement.hidden = true;
  view.mark = "";
  view.clear();
  forget();
  at = -1;
  tally();
}

function say(words) {
  if (view.length || fresh.length) return;
  const row = document.createElement("div");
  row.className = "ln wait";
  row.textContent = words;
  log.replaceChildren(row);
}

// -------------------------------------------------------------------------------------------------------- first error

function tell() {
  const { text, file, line, hint } = error.found;
  jump.hidden = false;
  if (said) return;
  const words = document.createElement("strong");
  words.textContent = text;
  const lines = [words];
  if (hint) lines.push(document.createElement("br"), hint);
  first.querySelector("p").replaceChildren(...lines);
  first.querySelector("a")?.remove();
  if (file) {
    const link = document.createElement("a");
    link.className = "button small";
    link.href = `${first.dataset.base}/blob/${first.dataset.revision}/${file.split("/").map(encodeURIComponent).join("/")}#L${line}`;
    link.textContent = `${file}:${line}`;
    jump.before(link);
  }
  first.hidden = false;
}

jump.addEventListener("click", () => {
  keep.checked = false;
  if (only.checked) {
    only.checked = false;
    view.show(false);
  }
  if (!view.texts[error.found.index].startsWith(view.mark)) choose("");
  view.go(error.found.index);
});

// ---------------------------------------------------------------------------------------------------------- searching

let timer = 0;

function tally() {
  const lines = (view.own ?? view.texts).length;
  const all = `${lines.toLocaleString("en")} line${lines === 1 ? "" : "s"}`;
  const found = view.matches.length.toLocaleString("en");
  count.textContent = !query.value ? all : at >= 0 ? `${(at + 1).toLocaleString("en")} of ${found} found` : `${found} found in ${all}`;
  before.disabled = next.disabled = !view.matches.length;
}

function search(then) {
  timer = 0;
  view.find(query.value, () => {
    at = -1;
    if (only.checked) view.show(Boolean(query.value));
    else view.redraw();
    tally();
    if (keep.checked) view.end();
    then?.();
  });
}

function step(by) {
  if (!view.matches.length) return;
  keep.checked = false;
  const last = view.matches.length;
  at = at < 0 ? (by > 0 ? 0 : last - 1) : (at + by + last) % last;
  view.go(view.matches[at]);
  tally();
}

function choose(mark) {
  replica.value = mark;
  view.choose(mark);
  search();
}

replica.addEventListener("change", () => choose(replica.value));

query.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, 120, null);
});
query.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const way = event.shiftKey ? -1 : 1;
  clearTimeout(timer);
  if (timer) search(() => step(way)); // typed just now
  else step(way);
});
before.addEventListener("click", () => step(-1));
next.addEventListener("click", () => step(1));
only.addEventListener("change", () => {
  view.show(only.checked && Boolean(query.value));
  if (keep.checked) view.end();
});
// The browser's own search sees only what is in the page; pressed twice, it comes all the same.
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "f" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  if (document.activeElement === query) return;
  event.preventDefault();
  query.focus();
  query.select();
});

// ---------------------------------------------------------------------------------------------------- looks and moves

wrap.addEventListener("change", () => {
  view.wrap(wrap.checked);
  if (keep.checked) view.end();
});
view.wrap(wrap.checked);

keep.addEventListener("change", () => keep.checked && view.end());
// Scrolling up by hand lets go; back at the bottom it follows again.
log.addEventListener("wheel", (event) => event.deltaY < 0 && (keep.checked = false), { passive: true });
log.addEventListener("touchmove", () => (keep.checked = atEnd()), { passive: true });
log.addEventListener("keydown", (event) => ["PageUp", "ArrowUp", "Home"].includes(event.key) && (keep.checked = false));
log.addEventListener("pointerdown", (event) => event.offsetX > log.clientWidth && (keep.checked = false));
let top = 0;
log.addEventListener(
  "scroll",
  () => {
    if (log.scrollTop > top && atEnd()) keep.checked = true;
    else if (keep.checked && !atEnd() && !drawing) view.end();
    top = log.scrollTop;
  },
  { passive: true },
);

function atEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 24;
}

// ------------------------------------------------------------------------------------------------------- what it shows

const stop = listen(() => log.dataset.url, {
  stream: (now) => {
    if (name && name !== now.name) refresh();
    // Another build is another log; another instance goes on below the last one's.
    if (name && name !== now.name && name.startsWith("run/")) add([[0, "──────── another instance ────────"]]);
    else clear();
    name = now.name;
    say("waiting for the first line…");
  },
  lines: add,
  events: ({ html }) => tellEvents(html),
  end: ({ over }) => {
    if (over) stop();
    setTimeout(refresh, 1500); // how it ended is known a moment later
    setTimeout(() => say("This log is empty."), 300);
  },
});
say("Nothing yet. A line appears here as soon as there is one.");

/** The lists beside the log, as they are now. */
async function refresh() {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["builds", "runs"]) {
    const [now, then] = [page, document].map((one) => one.getElementById(id));
    if (!now || then.contains(document.activeElement)) continue;
    now.open = then.open;
    then.replaceWith(now);
    ready(now);
  }
}

/** What the cluster says; nothing where there is none. */
async function hear() {
  const answer = await fetch(events.dataset.url).catch(() => null);
  if (!answer?.ok) return;
  tellEvents(await answer.text());
}

function tellEvents(html) {
  events.hidden = !html.trim();
  events.lastElementChild.innerHTML = html;
  ready(events);
}
hear();
