// What is asked for when somebody unfolds it: the configuration in force, and what the program is built of.

import { useState } from "./vendor/htm-preact.js";
import { ask } from "./state.js";
import { copy, html, said, visible, when } from "./parts.js";
import { clock, parse } from "./time.js";

// Folded asks when it is opened, each time.
function Folded({ id, title, rest, get, show }) {
  const [is, set] = useState({});
  const toggled = (toggle) => {
    if (!toggle.currentTarget.open) return;
    set((before) => ({ ...before, asked: true }));
    get().then((value) => set({ value }), (err) => set({ error: err.message }));
  };
  return html`<details id=${id} class="sheet" onToggle=${toggled}><summary><h2>${title}</h2><span class="faint">${rest}</span></summary>
    ${is.error ? html`<p class="empty">${said(is.error)}</p>` : is.value ? show(is.value) : is.asked && html`<p class="empty">Loading…</p>`}</details>`;
}

const text = (label, lines) => html`<pre tabindex="0" role="region" aria-label=${label}>${lines.map(visible).join("\n")}</pre>`;

export const Configuration = () => html`<${Folded} id="config" title="Configuration in force" rest="without secrets" get=${() => ask("config")} show=${(config) => html`<div class="answer">
  <p class="faint">${said(config.file)}, read ${when(parse(config.read), clock)}</p>${text("The configuration", config.yaml.trimEnd().split("\n"))}</div>`} />`;

const vendored = "../../page/vendor/vendor.json"; // beside the API
export const Build = () => html`<${Folded} id="build" title="Versions and licences" get=${() => Promise.all([ask("build"), ask(vendored)])} show=${([build, others]) => html`<div class="answer">
  <p>jobwatch ${said(build.version)}, ${said(build.go)}, ${said(build.platform)}</p>
  ${build.commit && html`<p class="faint">commit ${copy(build.commit)} ${build.commitTime && html`of ${when(parse(build.commitTime))}`}${build.modified && ", with changes that are not in it"}</p>`}
  <h3>In this page</h3><ul>${others.map((one) => html`<li key=${one.name}>${one.name} ${one.version}: <a href="page/vendor/${one.files.find((file) => file.to.endsWith("LICENSE.txt")).to}">${one.licence}</a></li>`)}</ul>
  <h3>In the program</h3>${text("The modules", build.modules.map((one) => `${one.path} ${one.version}`))}</div>`} />`;
