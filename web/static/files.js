// Files: which commit touched each entry last, asked for once the page is there; lines that are chosen by clicks.

const tree = document.querySelector("table.tree[data-lasts]");
if (tree) {
  const answer = await fetch(tree.dataset.lasts).catch(() => null);
  const lasts = answer?.ok ? await answer.json() : {};
  for (const row of tree.querySelectorAll("tr[data-path]")) {
    const last = lasts[row.dataset.path];
    if (!last) continue;
    const link = document.createElement("a");
    link.href = tree.dataset.commits + last[1];
    link.textContent = last[0];
    row.querySelector(".last").append(link);
    row.querySelector(".when").textContent = last[2];
  }
}

// Lines are chosen by a click, several by another one with Shift; the address names them: #L3, #L3-L9.
const code = document.querySelector("table.code");
let from = 0;

function chosen() {
  const [, first, last] = /^#L(\d{1,7})(?:-L?(\d{1,7}))?$/.exec(location.hash) ?? [];
  const [low, high] = [Number(first), Number(last ?? first)].sort((a, b) => a - b);
  return first ? [low, high] : [0, 0];
}

function show(scroll) {
  const [low, high] = chosen();
  for (const row of code.querySelectorAll("tr.on")) row.classList.remove("on");
  if (!low) return;
  for (let n = low; n <= high; n++) {
    const cell = document.getElementById(`L${n}`);
    if (!cell) break;
    cell.parentElement.classList.add("on");
  }
  if (scroll) document.getElementById(`L${low}`)?.scrollIntoView({ block: "center" });
}

if (code) {
  code.addEventListener("click", (event) => {
    const cell = event.target.closest("td[id]");
    if (!cell) return;
    const line = Number(cell.dataset.n);
    const [low, high] = event.shiftKey && from ? [from, line].sort((a, b) => a - b) : [line, line];
    if (!event.shiftKey) from = line;
    history.replaceState(null, "", low === high ? `#L${low}` : `#L${low}-L${high}`);
    getSelection().removeAllRanges();
    show(false);
  });
  addEventListener("hashchange", () => show(true));
  from = chosen()[0];
  show(location.hash.includes("-"));
}
