// hold keeps one line of server-sent events open, across whatever happens to the watcher, and hands on what comes:
// {kind: "open" | "back" | "lost" | "gone" | "event" | "status" | "progress", sequence, data}. It runs in a worker that
// all tabs share, or in the tab where the browser has none.

const beginWith = 60; // events that are older than the line
const deadAfter = 15_000; // of nothing, where a status comes every 3 s: whoever was cut off hears no end

// at is an address of the API, without the name and password that this one may have.
export function at(path) {
  const address = new URL(`../api/v1/${path}`, import.meta.url);
  address.username = address.password = "";
  return address.href;
}

export function hold(hand) {
  let next = 0;      // sequence of the event to come; 0: whatever comes
  let fails = 0;
  let lost = false;
  let heard = Date.now();
  let source = null;

  async function begin() { // from a little before now
    try {
      const status = await (await fetch(at("status"), { signal: AbortSignal.timeout(5000) })).json();
      if (status.stream) next = Math.max(status.stream.first, status.stream.last + 1 - beginWith, 1);
    } catch { /* the line says that nobody answers */ }
    open();
  }

  function open() {
    heard = Date.now();
    source = new EventSource(at(next ? `live?from=${next}` : "live"));
    const on = (kind, take) => source.addEventListener(kind, (m) => { heard = Date.now(); take(m); });
    source.onopen = () => {
      hand({ kind: lost ? "back" : "open" });
      [lost, fails] = [false, 0];
    };
    const again = (how) => {
      source.close();
      setTimeout(how, Math.min(1000 * 2 ** fails++, 5000) * (0.5 + Math.random() / 2));
    };
    source.onerror = () => {
      if (!lost) hand({ kind: "lost" });
      lost = true;
      again(open);
    };
    on("event", (m) => {
      const sequence = Number(m.lastEventId);
      next = sequence + 1;
      hand({ kind: "event", sequence, data: JSON.parse(m.data) });
    });
    for (const kind of ["status", "progress"]) on(kind, (m) => hand({ kind, data: JSON.parse(m.data) }));
    on("gone", () => {
      next = 0;
      hand({ kind: "gone" });
      again(begin);
    });
  }

  setInterval(() => { if (source && source.readyState !== EventSource.CLOSED && Date.now() - heard > deadAfter) source.onerror(); }, 1000);
  begin();
}
