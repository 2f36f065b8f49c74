// Files: which commit touched each entry last, asked for once the page is there; lines that are chosen by a click.

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

document.querySelector("table.code")?.addEventListener("click", (event) => {
  const cell = event.target.closest("td[id]");
  if (cell) location.replace(`#${cell.id}`);
});
