// Many lines in few elements: the log is cut into chunks, and only those near what is looked at have their lines in the page. The
// others are empty boxes of about the right height. Lines are kept as text; what is shown of them are text nodes and fixed classes.

import { paint, straight } from "./ansi.js";

const ROWS = 100; // of a chunk, at most
const CHARS = 40_000;
const SHOWN = 20_000; // characters of a line that are put into the page
const SLICE = 8; // milliseconds that searching may hold up everything else
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?/g;

/** The text of a line without its colours. */
export function plain(text) {
  return text.includes("\x1b") ? text.replace(ESCAPES, "") : text;
}

export class LogView {
  constructor(box) {
    this.box = box;
    this.query = "";
    this.mark = ""; // what the lines that are shown begin with
    this.changed = () => {}; // called when the log is of another height
    this.near = new IntersectionObserver((seen) => this.#seen(seen), { root: box, rootMargin: "120% 0px" });
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(box);
    this.clear();
  }

  clear() {
    this.texts = [];
    this.times = [];
    this.own = this.mark ? [] : null; // indexes of the lines that begin with the mark
    this.order = this.own; // indexes of the lines that are shown, null for all
    this.matches = [];
    this.marked = -1;
    this.#empty();
  }

  get length() {
    return this.texts.length;
  }

  /** Lines at the end: [[epoch seconds, text], …]. */
  add(rows) {
    for (const [at, text] of rows) {
      const index = this.texts.push(text) - 1;
      this.times.push(at);
      if (this.own && text.startsWith(this.mark)) this.own.push(index);
      if (this.query && !this.searching && this.#hits(index)) this.matches.push(index);
    }
    this.#grow();
  }

  /** Find the lines with these words, a few milliseconds at a time, into `matches`; `done()` when all were looked at. */
  find(query, done) {
    this.query = query.toLowerCase();
    this.matches = [];
    this.marked = -1;
    clearTimeout(this.timer);
    this.searching = Boolean(this.query);
    let index = 0;
    const slice = () => {
      const until = performance.now() + SLICE;
      while (index < this.texts.length && performance.now() < until) {
        for (const end = Math.min(index + 500, this.texts.length); index < end; index++) if (this.#hits(index)) this.matches.push(index);
      }
      if (index < this.texts.length) return (this.timer = setTimeout(slice));
      this.searching = false;
      done();
    };
    if (this.searching) slice();
    else done();
  }

  #hits(index) {
    const text = this.texts[index];
    return text.startsWith(this.mark) && plain(text).toLowerCase().includes(this.query);
  }

  /** Show only lines that begin with a mark, "" for all; what was found before is to be found again. */
  choose(mark) {
    this.mark = mark;
    this.own = null;
    if (mark) {
      this.own = [];
      this.texts.forEach((text, index) => text.startsWith(mark) && this.own.push(index));
    }
    this.show(false);
  }

  /** Show only what was found, or everything. */
  show(only) {
    this.order = only ? this.matches : this.own;
    this.#empty();
    this.#grow();
  }

  /** Bring a line into view and mark it. */
  go(index) {
    const row = this.order ? this.order.indexOf(index) : index;
    if (row < 0) return;
    this.marked = index;
    const chunk = this.chunks.find((one) => row < one.to);
    this.box.querySelector(".hit")?.classList.remove("hit");
    this.#open(chunk);
    const line = chunk.place.children[row - chunk.from];
    line.classList.add("hit");
    line.scrollIntoView({ block: "center" });
    // Chunks on the way may turn out to be higher or lower than was thought.
    requestAnimationFrame(() => line.isConnected && line.scrollIntoView({ block: "center" }));
  }

  end() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  // ---------------------------------------------------------------------------------------------------------- chunks

  #empty() {
    this.near.disconnect();
    this.chunks = [];
    this.byPlace = new Map();
    this.box.replaceChildren();
  }

  #count() {
    return this.order ? this.order.length : this.texts.length;
  }

  #line(row) {
    return this.order ? this.order[row] : row;
  }

  /** Put what is new below what is there. */
  #grow() {
    const count = this.#count();
    let chunk = this.chunks.at(-1);
    let row = chunk ? chunk.to : 0;
    while (row < count) {
      if (!chunk || chunk.to - chunk.from >= ROWS || chunk.chars >= CHARS) chunk = this.#begin(row);
      const from = row;
      while (row < count && row - chunk.from < ROWS && chunk.chars < CHARS) chunk.chars += Math.min(SHOWN, this.texts[this.#line(row++)].length);
      chunk.to = row;
      if (chunk.open) for (let at = from; at < row; at++) chunk.place.append(this.#row(at));
      else this.#guess(chunk);
    }
  }

  #begin(row) {
    const place = document.createElement("div");
    place.className = "chunk";
    const chunk = { place, from: row, to: row, chars: 0, open: false };
    this.chunks.push(chunk);
    this.byPlace.set(place, chunk);
    this.box.append(place);
    this.near.observe(place);
    return chunk;
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const chunk = this.byPlace.get(target);
      if (!chunk) continue;
      if (isIntersecting) this.#open(chunk);
      else if (chunk.open && !getSelection().containsNode(target, true)) this.#close(chunk);
    }
    this.changed();
  }

  #open(chunk) {
    if (chunk.open) return;
    chunk.open = true;
    const rows = document.createDocumentFragment();
    for (let row = chunk.from; row < chunk.to; row++) rows.append(this.#row(row));
    chunk.place.style.height = "";
    chunk.place.append(rows);
  }

  #close(chunk) {
    const height = chunk.place.offsetHeight;
    chunk.open = false;
    chunk.place.replaceChildren();
    chunk.place.style.height = `${height}px`;
  }

  /** The height of a chunk that is not in the page: its lines are of one width of letters, and break like that. */
  #guess(chunk) {
    const { high, wide } = this.letter ?? this.#letter();
    let rows = chunk.to - chunk.from;
    if (this.box.classList.contains("wrap")) {
      rows = 0;
      for (let row = chunk.from; row < chunk.to; row++) {
        rows += Math.max(1, Math.ceil(Math.min(SHOWN, this.texts[this.#line(row)].length) / wide));
      }
    }
    chunk.place.style.height = `${rows * high}px`;
  }

  #letter() {
    const probe = this.#dress(document.createElement("div"));
    const word = document.createElement("span");
    word.textContent = "0".repeat(20);
    probe.append(word);
    this.box.append(probe);
    const style = getComputedStyle(probe);
    const room = probe.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const rectangles = word.getClientRects();
    const letter = rectangles.length === 1 ? rectangles[0].width / 20 : 8;
    this.letter = { high: parseFloat(style.lineHeight) || 20, wide: Math.max(10, Math.floor(room / letter)) };
    probe.remove();
    return this.letter;
  }

  /** The box has another width, or lines break otherwise. */
  #measure() {
    const before = this.letter;
    this.letter = null;
    const { high, wide } = this.#letter();
    if (before && before.high === high && before.wide === wide) return;
    for (const chunk of this.chunks) if (!chunk.open) this.#guess(chunk);
  }

  wrap(on) {
    this.box.classList.toggle("wrap", on);
    this.letter = null;
    for (const chunk of this.chunks) if (!chunk.open) this.#guess(chunk);
  }

  // ------------------------------------------------------------------------------------------------------------ rows

  #dress(row) {
    row.className = "ln";
    return row;
  }

  #row(at) {
    const index = this.#line(at);
    const row = this.#dress(document.createElement("div"));
    if (this.times[index]) row.dataset.t = clock(this.times[index]);
    if (index === this.marked) row.classList.add("hit");
    const whole = this.texts[index];
    const text = whole.length > SHOWN ? `${whole.slice(0, SHOWN)} … ${whole.length - SHOWN} more characters, in the download` : whole;
    if (!this.query || text.includes("\x1b")) paint(row, text);
    else mark(row, straight(text), this.query);
    return row;
  }

  /** Draw what is in the page again, after another search. */
  redraw() {
    for (const chunk of this.chunks) {
      if (!chunk.open) continue;
      chunk.open = false;
      chunk.place.replaceChildren();
      this.#open(chunk);
    }
  }
}

function mark(row, text, query) {
  const lower = text.toLowerCase();
  if (lower.length !== text.length) return row.append(text); // letters whose small form is longer: places would differ
  let at = 0;
  for (let found = lower.indexOf(query), n = 0; found >= 0 && n < 200; found = lower.indexOf(query, at), n++) {
    if (found > at) row.append(text.slice(at, found));
    const place = document.createElement("mark");
    place.textContent = text.slice(found, found + query.length);
    row.append(place);
    at = found + query.length;
  }
  if (at < text.length || !text) row.append(text.slice(at));
}

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
