// The first error in a log: which lines it is, where in the author's files it was, and what helps. Reads each line once.

const ERROR = /(?:^|[^\w-])(?:error|exception|fatal|failed|panic|segmentation fault|killed)(?:$|[^\w-])/i;
const NONE = /\b(?:0|no|without|any) (?:\w+ )?(?:errors?|failed|failures?|exceptions?)\b/i;
const TRACE = /^\s*(?:\S+ )?Traceback \(most recent call last\)/;
const BEFORE = /^(?:Exception in thread |Task exception was never retrieved|ERROR:\s+Exception in ASGI application)/; // a traceback follows
const LAST = /^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Warning|Fault|NotFound|Refused)\w*(?::|$)/;
const FRAME = /^\s*File "(?:[^"]*\/)?app\/([^"]+)", line (\d+)/;
const LONGEST = 400; // lines of a traceback

/** Words of an error -> what helps. */
const HINTS = [
  [/No module named '?([\w.]+)/, (hit) => `Add the package of ${hit[1]} to requirements.txt.`],
  [/CUDA out of memory|MemoryError|out of memory|\bkilled\b/i, () => "Load less, or in smaller numbers, or ask for larger hardware."],
  [/No CUDA GPUs|no NVIDIA driver|not compiled with CUDA/i, () => "This hardware has no GPU: choose the device by torch.cuda.is_available()."],
  [/address already in use|empty port in range/i, () => "Call launch() without server_port: the platform gives each app its own."],
  [/GatedRepo|gated repo|401 Client Error|RepositoryNotFound/i, () => "Is the name right? A gated or private model needs the secret HF_TOKEN."],
  [/No space left on device/i, () => "Write less, or ask the admin for room."],
  [/Permission denied|Read-only file system/i, () => "Write to /data, which is kept, or to the home directory."],
  [/KeyError: '[A-Z][A-Z0-9_]+'/, () => "Is that a variable or secret? Set it in the settings."],
];

export class FirstError {
  constructor() {
    this.found = null; // { index, text, file, line, hint }
    this.trace = null;
  }

  /** Look at the next line; true when the first error is complete with it. */
  feed(index, text) {
    if (this.found) return false;
    if (this.trace) return this.#traced(index, text);
    if (TRACE.test(text)) {
      this.trace = { index, file: "", line: 0, until: index + LONGEST };
      return false;
    }
    return ERROR.test(text) && !NONE.test(text) && !BEFORE.test(text) ? this.#is(index, text) : false;
  }

  #traced(index, text) {
    const frame = FRAME.exec(text);
    if (frame && !frame[1].includes("site-packages/")) Object.assign(this.trace, { file: frame[1], line: Number(frame[2]) });
    if (LAST.test(text)) return this.#is(index, text, this.trace.file, this.trace.line);
    if (index > this.trace.until) this.trace = null;
    return false;
  }

  #is(index, text, file = "", line = 0) {
    const [, words] = HINTS.find(([pattern]) => pattern.test(text)) ?? [];
    const hint = words ? words(HINTS.find(([pattern]) => pattern.test(text))[0].exec(text)) : "";
    this.found = { index, text: text.trim().slice(0, 400), file, line, hint };
    return true;
  }
}
