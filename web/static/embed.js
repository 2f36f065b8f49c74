// For other sites: `<script src=".../embed.js" data-space="owner/name" async></script>` becomes the Space's app in a frame.

const tag = document.currentScript;
const url = new URL(tag.dataset.app);
if (url.protocol === "https:" || url.protocol === "http:") {
  const frame = document.createElement("iframe");
  frame.src = url.href;
  frame.title = tag.dataset.space || "App";
  frame.loading = "lazy";
  frame.allow = "camera; microphone; clipboard-write; fullscreen";
  frame.sandbox = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals";
  frame.style.cssText = `width:100%;border:0;border-radius:10px;height:${Number(tag.dataset.height) || 640}px`;
  tag.after(frame);
}
