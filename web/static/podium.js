// What every page shares: dark or light, running clocks, copy buttons, menus that close. Pages work without it.

document.documentElement.classList.add("js");

// A sentence about what was done is said once: not again on reload or when the address is shared.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}

for (const button of document.querySelectorAll("button.theme")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `podium-theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  });
}

document.addEventListener("click", async (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  const words = button.querySelector("span");
  try {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    words.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    words.textContent = "Selected";
  }
  setTimeout(() => (words.textContent = "Copy"), 1600);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Lists of pages scroll sideways where it is narrow: the present one is to be seen.
for (const list of document.querySelectorAll(".tabs, .desk-nav")) {
  const here = list.querySelector("[aria-current]");
  if (here && list.scrollWidth > list.clientWidth) list.scrollLeft = here.offsetLeft - (list.clientWidth - here.offsetWidth) / 2;
}

/** Seconds as people read them, like the server's own filter. */
export function seconds(value, fine) {
  value = Math.max(0, value);
  if (fine && value < 10) return `${value.toFixed(1)} s`;
  if (value < 60) return `${Math.floor(value)} s`;
  const whole = Math.floor(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} days`;
}

/** Bring every clock below `root` up to date. */
export function tick(root = document) {
  const now = Date.now() / 1000;
  for (const clock of root.querySelectorAll("time[data-since]")) clock.textContent = seconds(now - clock.dataset.since, "fine" in clock.dataset);
  for (const bar of root.querySelectorAll("progress[data-since]")) bar.value = Math.min(bar.max, now - bar.dataset.since);
  for (const clock of root.querySelectorAll("time[data-until]")) clock.textContent = seconds(clock.dataset.until - now);
}

export function ready(root = document) {
  for (const button of root.querySelectorAll("button.copy")) button.hidden = false;
  tick(root);
}

ready();
setInterval(() => document.hidden || tick(), 1000);

// "/" goes to the search field, as on many sites; not while something is typed.
document.addEventListener("keydown", (event) => {
  const field = document.querySelector("input[data-slash]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], .log")) return;
  event.preventDefault();
  field.focus();
  field.select();
});

// A form that takes a while is sent once, and says so.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button[data-busy]");
  if (!button || event.defaultPrevented) return;
  if (button.getAttribute("aria-disabled")) return event.preventDefault();
  button.setAttribute("aria-disabled", "true");
  button.textContent = button.dataset.busy;
});
addEventListener("pageshow", (event) => event.persisted && document.querySelector("button[data-busy][aria-disabled]") && location.reload());

// A like needs no new page: the app in its frame stays as it is.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.like-place");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button");
  const liked = button.getAttribute("aria-pressed") === "true";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
    if (!answer.ok && answer.type !== "opaqueredirect") throw new Error(answer.status);
    button.setAttribute("aria-pressed", String(!liked));
    form.elements.want.value = liked ? "1" : "";
    const number = form.querySelector(".number");
    if (/^\d+$/.test(number.textContent)) number.textContent = Number(number.textContent) + (liked ? -1 : 1);
  } catch {
    form.submit();
  }
});
