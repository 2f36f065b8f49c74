// The editor: keeps what was typed from being lost by mistake, commits with Ctrl+S, goes to the line that the address names.

const form = document.querySelector("form.editor");
const text = form.elements.text;
const before = text.value;
let sent = false;

form.addEventListener("submit", () => (sent = true));
addEventListener("beforeunload", (event) => {
  if (!sent && text.value !== before) event.preventDefault();
});
form.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
    event.preventDefault();
    form.requestSubmit();
  }
});

const line = Number(/^#L(\d+)$/.exec(location.hash)?.[1]);
if (line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  text.scrollTop = Math.max(0, (line - 8) * parseFloat(getComputedStyle(text).lineHeight));
}
