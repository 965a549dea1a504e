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
    if (link?.target || click.button || click.shiftKey || click.altKey) return;
    const inRow = !link && rowsLink(click.target);
    if (click.ctrlKey || click.metaKey) return inRow && aside(inRow);
    const address = (link ?? inRow)?.getAttribute("href");
    if (!address) return;
    click.preventDefault();
    go(address);
  });
  document.addEventListener("auxclick", (click) => {
    const inRow = click.button === 1 && !click.target.closest?.("a") && rowsLink(click.target);
    if (inRow) aside(inRow);
  });
}

// rowsLink is the link to the job of which a row tells, where that was meant: not what else can be clicked in it, and not marked text.
function rowsLink(at) {
  if (at.closest?.("a, button, input, select, summary") || !getSelection().isCollapsed) return null;
  return at.closest?.("tr")?.querySelector("a.job");
}
const aside = (link) => { open(link.href, "_blank", "noopener"); };
