// The address holds what is looked at: ?view=jobs&q=class:failed. It is a query, so that a path before it stays.

let moved = () => {};
let moves = 0; // within the page

export const here = () => new URLSearchParams(location.search);
export const view = () => here().get("view") ?? "overview";

// to makes the address of a view, without what is empty.
export function to(view, params = {}) {
  const query = new URLSearchParams({ view });
  for (const [name, value] of Object.entries(params)) if (value) query.set(name, value);
  return `?${query}`;
}
export const toJob = (key) => to("job", { job: key });

// turned is this address with some of it changed.
export const turned = (params) => to(view(), { ...Object.fromEntries([...here()].filter(([name]) => name !== "view")), ...params });

export function go(address, replace = false) {
  if (address === location.search) return;
  if (!replace) moves++;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  moved(!replace);
}

export const back = (otherwise) => (moves ? history.back() : go(otherwise));

export function onMove(f) {
  moved = f;
  addEventListener("popstate", () => f(true));
  document.addEventListener("click", (click) => {
    const link = click.target.closest?.("a[href^='?']");
    if (!link || link.target || click.button || click.ctrlKey || click.metaKey || click.shiftKey || click.altKey) return;
    click.preventDefault();
    go(link.getAttribute("href"));
  });
}
