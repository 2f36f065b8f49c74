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
