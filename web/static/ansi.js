// Lines of a log with their colours: SGR sequences become classes from a fixed list, everything else becomes text nodes.

const SEQUENCE = /\x1b\[([0-9;]*)m/g;
const OTHER = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?/g;

const TURNS = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Characters that reorder or break a line are shown as what they are. Logs have none; a file that nobody cleaned may. */
export function straight(text) {
  return text.replace(TURNS, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Put `text` into `element`. A line without colours is one text node. */
export function paint(element, text) {
  text = straight(text);
  if (!text.includes("\x1b")) {
    element.append(text);
    return;
  }
  let classes = new Set();
  let at = 0;
  const put = (piece) => {
    piece = piece.replace(OTHER, "");
    if (!piece) return;
    if (!classes.size) return element.append(piece);
    const span = document.createElement("span");
    span.className = [...classes].join(" ");
    span.textContent = piece;
    element.append(span);
  };
  for (const match of text.matchAll(SEQUENCE)) {
    put(text.slice(at, match.index));
    at = match.index + match[0].length;
    classes = styled(classes, match[1]);
  }
  put(text.slice(at));
}

/** The classes after one SGR sequence. */
export function styled(classes, codes) {
  const next = new Set(classes);
  const drop = (letter) => [...next].filter((c) => c[0] === letter).forEach((c) => next.delete(c));
  const list = codes.split(";").map(Number);
  for (let i = 0; i < list.length; i++) {
    const code = list[i];
    if (code === 0) next.clear();
    else if ([1, 2, 3, 4, 9].includes(code)) next.add(`s${code}`);
    else if (code === 22) ["s1", "s2"].forEach((c) => next.delete(c));
    else if ([23, 24, 29].includes(code)) next.delete(`s${code - 20}`);
    else if (code === 39) drop("f");
    else if (code === 49) drop("b");
    else if (code === 38 || code === 48) {
      const letter = code === 38 ? "f" : "b";
      const color = list[i + 1] === 5 ? indexed(list[i + 2]) : nearest(list.slice(i + 2, i + 5));
      i += list[i + 1] === 5 ? 2 : 4;
      drop(letter);
      next.add(`${letter}${color}`);
    } else {
      const [letter, base] = code >= 100 ? ["b", 100] : code >= 90 ? ["f", 90] : code >= 40 ? ["b", 40] : ["f", 30];
      if (code >= base && code < base + 8) {
        drop(letter);
        next.add(`${letter}${code - base}`);
      }
    }
  }
  return next;
}

function indexed(n) {
  if (!(n >= 0 && n < 256)) return 7;
  if (n < 16) return n % 8;
  if (n >= 232) return n < 244 ? 0 : 7;
  n -= 16;
  return nearest([Math.floor(n / 36) * 51, Math.floor((n % 36) / 6) * 51, (n % 6) * 51]);
}

function nearest([r = 0, g = 0, b = 0]) {
  const high = Math.max(r, g, b);
  if (high < 60) return 0;
  return (r > high * 0.6 ? 1 : 0) + (g > high * 0.6 ? 2 : 0) + (b > high * 0.6 ? 4 : 0);
}
