// The lists of Spaces, models and datasets: found while typing, more at the bottom without leaving, stages that stay true.

import { ready } from "./podium.js";

const form = document.querySelector("form.filters");
const found = document.getElementById("found");
let asked = 0;

async function fetchFound(url) {
  const answer = await fetch(url, { headers: { accept: "text/html" } });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
}

async function search() {
  const mine = ++asked;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const url = `${form.getAttribute("action")}${query.size ? "?" : ""}${query}`;
  try {
    const fresh = await fetchFound(url);
    if (mine !== asked) return;
    found.replaceChildren(...fresh.childNodes);
    ready(found);
    history.replaceState(null, "", url);
  } catch {
    form.submit();
  }
}

let timer = 0;
form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, 180);
});
// A tag that is chosen already is let go of.
let chosen = form.querySelector("[name=tag]:checked");
form.addEventListener("click", (event) => {
  const tag = event.target.closest("input[name=tag]");
  if (!tag) return;
  if (tag === chosen) {
    tag.checked = false;
    chosen = null;
    search();
  } else chosen = tag;
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  search();
});

found.addEventListener("click", async (event) => {
  const more = event.target.closest("a[rel=next]");
  if (!more || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  more.textContent = "…";
  try {
    const fresh = await fetchFound(more.href);
    const cards = [...fresh.querySelectorAll(".all .card")];
    found.querySelector(".all .cards").append(...cards);
    const next = fresh.querySelector(".more");
    more.parentElement.replaceWith(...(next ? [next] : []));
    cards[0]?.querySelector("a").focus({ preventScroll: true });
  } catch {
    location.href = more.href;
  }
});

async function stages() {
  const near = [...found.querySelectorAll(".card[data-id]")].filter((card) => {
    const box = card.getBoundingClientRect();
    return box.bottom > -400 && box.top < innerHeight + 400;
  });
  if (!near.length) return;
  const ids = [...new Set(near.map((card) => card.dataset.id))];
  const answer = await fetch(`/explore/stages?ids=${ids.slice(0, 90)}`);
  if (!answer.ok) return;
  const stages = await answer.json();
  for (const card of near) {
    if (!stages[card.dataset.id]) continue;
    const [tone, words] = stages[card.dataset.id];
    const dot = card.querySelector(".dot");
    dot.className = `dot ${tone}`;
    dot.querySelector(".words").textContent = words;
  }
}

setInterval(() => document.hidden || stages().catch(() => {}), 5000);
