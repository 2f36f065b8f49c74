// The form of the front matter, checked while it is typed. Without this it is checked when it is saved.

const form = document.querySelector("form.card-form");
if (form) {
  const sample = form.querySelector(".sample");
  const block = form.querySelector(".block");
  let timer = 0;
  let turn = 0;

  const say = (key, words) => {
    for (const field of form.querySelectorAll("[data-key]")) {
      const wrong = field.dataset.key === key;
      field.classList.toggle("off", wrong);
      field.querySelector(".said").textContent = wrong ? words : "";
      field.querySelector("input, select").setAttribute("aria-invalid", String(wrong));
    }
    form.querySelector(".said-all").textContent = key ? "" : words;
    form.querySelector("button.save").disabled = Boolean(words);
  };

  const look = async () => {
    const mine = ++turn;
    try {
      const answer = await fetch(form.action + "/check", { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (mine !== turn || !answer.ok) return;
      const told = await answer.json();
      say(told.key ?? "", told.error ?? "");
      if (told.block) block.textContent = told.block;
    } catch {
      // away: it is checked again when it is saved
    }
  };

  form.addEventListener("input", () => {
    const value = (name) => form.elements[name]?.value ?? "";
    sample.querySelector("strong").textContent = value("title") || form.dataset.name;
    sample.querySelector("small").textContent = value("short_description");
    const tile = sample.querySelector(".tile");
    tile.className = `tile from-${value("colorFrom") || "gray"} to-${value("colorTo") || "gray"}`;
    tile.textContent = value("emoji");
    clearTimeout(timer);
    timer = setTimeout(look, 300);
  });
  look();
}

// Which section one is at, in the list beside them.
const links = [...document.querySelectorAll(".here a")];
const sections = links.map((link) => document.querySelector(link.hash)).filter(Boolean);
if (sections.length) {
  let waits = false;
  const mark = () => {
    waits = false;
    const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const above = sections.filter((one) => one.getBoundingClientRect().top < 120);
    const at = end && scrollY > 0 && sections.some((one) => `#${one.id}` === location.hash) ? document.querySelector(location.hash) : above.at(-1) ?? sections[0];
    for (const link of links) link.hash === `#${at.id}` ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  };
  const soon = () => waits || ((waits = true), requestAnimationFrame(mark));
  addEventListener("scroll", soon, { passive: true });
  addEventListener("hashchange", soon);
  mark();
}
