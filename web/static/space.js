// The App tab: what happens to the Space, as it happens; its frame appears by itself and stays while newer versions are made.

import { paint } from "./ansi.js";
import { ready } from "./podium.js";
import { listen } from "./stream.js";

const live = document.getElementById("live");
const { base, title } = live.dataset;
const [badge, banner, fresh, area, panel, tail, frame] = ["badge", "banner", "fresh", "stage-area", "panel", "tail", "frame"].map((id) =>
  document.getElementById(id),
);
const lines = tail.querySelector(".tail-lines");
const KEEP = 60;
const shown = { badge: badge.innerHTML, banner: null, panel: null };
let instance = live.dataset.instance;
let stopTail = null;
let tailKind = "";

function put(place, name, html) {
  if (shown[name] === html) return;
  shown[name] = html;
  const held = place.contains(document.activeElement);
  if (held && place === panel && place.querySelector("form button")) return;
  place.innerHTML = html;
  ready(place);
}

function makeFrame(url) {
  const made = document.createElement("iframe");
  made.title = title;
  made.sandbox = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals";
  made.allow = "camera; microphone; clipboard-write; fullscreen";
  made.referrerPolicy = "strict-origin-when-cross-origin";
  made.src = url;
  frame.replaceChildren(made);
}

function follow(kind) {
  if (kind === tailKind) return;
  tailKind = kind;
  stopTail?.();
  stopTail = null;
  tail.hidden = true;
  lines.replaceChildren();
  if (!kind) return;
  const add = (rows) => {
    for (const [, text] of rows.slice(-KEEP)) {
      const line = document.createElement("div");
      paint(line, text);
      lines.append(line);
    }
    while (lines.childElementCount > KEEP) lines.firstChild.remove();
    if (rows.length) tail.hidden = false;
  };
  stopTail = listen(() => `${base}/logs/stream?kind=${kind}&tail=${KEEP}`, { stream: () => lines.replaceChildren(), lines: add });
}

function state(now) {
  put(badge, "badge", now.badge);
  put(banner, "banner", now.banner);
  put(panel, "panel", now.panel);
  area.hidden = now.serving;
  frame.hidden = !now.serving;
  follow(now.serving ? "" : now.log);
  document.title = now.stage === "RUNNING" ? document.title.replace(/^[●○] /, "") : document.title.replace(/^(?:[●○] )?/, "○ ");
  if (!now.serving) {
    frame.replaceChildren();
    instance = "";
    fresh.hidden = true;
  } else if (!frame.firstElementChild) {
    instance = now.instance;
    makeFrame(now.frame);
  } else if (instance && now.instance !== instance) {
    fresh.hidden = false;
    fresh.querySelector("button").onclick = () => {
      instance = now.instance;
      fresh.hidden = true;
      makeFrame(now.frame.split("?")[0]);
    };
  } else fresh.hidden = true;
}

const initial = tail.dataset.kind;
if (!area.hidden) follow(initial);
listen(() => `${base}/live?wake=1`, { state, gone: () => location.reload() });
