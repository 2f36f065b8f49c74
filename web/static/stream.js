// One event stream that rests while nobody looks: browsers allow six connections to a host, and tabs pile up.

/** Listen to `url()`; `on` maps event names to functions of their data. Returns a function that ends it. */
export function listen(url, on) {
  let source = null;
  let ended = false;
  let wait = 1000;
  let last = "";

  function open() {
    if (source || ended || document.hidden) return;
    const target = new URL(url(), location.href);
    if (last) target.searchParams.set("last", last);
    source = new EventSource(target);
    for (const [name, call] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        wait = 1000;
        if (event.lastEventId) last = event.lastEventId;
        call(event.data ? JSON.parse(event.data) : null);
      });
    }
    source.onerror = () => {
      // The browser itself retries a lost connection; after an answer that is no stream it gives up and we go on, slower.
      if (source?.readyState !== EventSource.CLOSED) return;
      rest();
      setTimeout(open, wait);
      wait = Math.min(wait * 2, 30000);
    };
  }

  function rest() {
    source?.close();
    source = null;
  }

  function look() {
    if (document.hidden) rest();
    else open();
  }

  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", rest);
  addEventListener("pageshow", look);
  open();
  return () => {
    ended = true;
    rest();
    document.removeEventListener("visibilitychange", look);
  };
}
