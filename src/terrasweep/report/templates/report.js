"use strict";
(() => {
  const source = document.getElementById("figures");
  const byId = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const config = {
    responsive: true,
    displaylogo: false,
    doubleClick: "reset+autosize",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };

  // Figures take their colours from the page, light or dark.
  function colours() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    return { ink: get("--ink"), soft: get("--soft"), line: get("--soft"), grid: get("--grid"), paper: get("--paper") };
  }

  function themed(layout) {
    const c = colours();
    const clear = "rgba(0,0,0,0)";
    const out = {
      ...layout,
      paper_bgcolor: clear,
      plot_bgcolor: clear,
      font: { ...layout.font, color: c.ink },
      hoverlabel: { ...layout.hoverlabel, bgcolor: c.paper, bordercolor: c.soft, font: { color: c.ink, size: 13 } },
      modebar: { bgcolor: clear, color: c.soft, activecolor: c.ink },
    };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) {
        out[key] = { ...layout[key], gridcolor: c.grid, linecolor: c.line, tickcolor: c.line };
      }
    }
    out.annotations = (layout.annotations || []).map((note) => ({ ...note, bgcolor: c.paper, opacity: 0.9 }));
    if (touch) out.dragmode = false; // A finger on a figure scrolls the page.
    return out;
  }

  function readSpecs() {
    const complete = getComputedStyle(document.documentElement).getPropertyValue("--complete").trim();
    return JSON.parse(source.textContent.replaceAll(source.dataset.complete, complete));
  }

  let specs = readSpecs();
  let brushed = null; // Numbers of the trials that a box in the parallel coordinates keeps.
  for (const [id, spec] of Object.entries(specs)) {
    const bar = /^(pair|objective|hypervolume)/.test(id) && !touch;
    Plotly.newPlot(id, structuredClone(spec.data), themed(spec.layout), { ...config, displayModeBar: bar ? "hover" : false });
  }
  function redraw(width) {
    specs = readSpecs();
    for (const [id, spec] of Object.entries(specs)) {
      const size = width ? { width: width(id), autosize: false } : { autosize: true };
      Plotly.react(id, structuredClone(spec.data), { ...themed(spec.layout), ...size });
    }
    if (brushed) brush(brushed);
  }
  dark.addEventListener("change", () => redraw());
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing"); // Paper is white.
    redraw((id) => (byId(id).closest(".figures") ? 430 : 900));
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    redraw();
  });

  // The table: order, filter, details.
  const table = byId("trial-table");
  const bodies = table ? [...table.tBodies] : [];

  function compare(first, second, direction) {
    if (first === "" || second === "") return (first === "") - (second === "");
    const a = Number(first);
    const b = Number(second);
    const order = isNaN(a) || isNaN(b) ? first.localeCompare(second, "en", { numeric: true }) : a - b;
    return direction * order;
  }

  function sort(header) {
    const headers = [...table.tHead.rows[0].cells];
    const now = header.getAttribute("aria-sort");
    const first = header.dataset.first || "ascending";
    const next = !now ? first : now === "ascending" ? "descending" : "ascending";
    headers.forEach((cell) => cell.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", next);
    const column = headers.indexOf(header);
    const value = (body) => body.rows[0].cells[column].dataset.value;
    const ordered = [...bodies].sort((a, b) => compare(value(a), value(b), next === "ascending" ? 1 : -1));
    table.append(...ordered);
  }

  function filter() {
    const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = byId("state-filter").value;
    let count = 0;
    for (const body of bodies) {
      const message = body.querySelector(".message");
      const text = (body.rows[0].textContent + " " + (message ? message.textContent : "")).toLowerCase();
      const fits =
        words.every((word) => text.includes(word)) &&
        (!state || state === body.dataset.state || state === body.dataset.front) &&
        (!brushed || brushed.has(body.dataset.number));
      body.hidden = !fits;
      count += fits;
    }
    byId("shown").textContent = count === bodies.length ? `${count} trials` : `${count} of ${bodies.length} trials`;
    byId("clear-brush").hidden = !brushed;
  }

  function toggle(body) {
    const button = body.querySelector(".expand");
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    body.rows[1].hidden = !open;
  }

  if (table) {
    for (const cell of table.tHead.rows[0].cells) cell.querySelector("button").addEventListener("click", () => sort(cell));
    for (const body of bodies) {
      body.rows[0].addEventListener("click", () => {
        if (!String(getSelection())) toggle(body);
      });
    }
    byId("filter").addEventListener("input", filter);
    byId("state-filter").addEventListener("change", filter);
    filter();
  }

  // A box over an axis of the parallel coordinates keeps the trials through it, here and in the table.
  const lines = specs.parallel && byId("parallel");
  function brush(numbers) {
    brushed = numbers;
    const opacity = specs.parallel.data.map((trace) => {
      const own = trace.opacity === undefined ? 1 : trace.opacity;
      return !numbers || numbers.has(String(trace.meta)) ? own : 0.06;
    });
    Plotly.restyle(lines, { opacity });
    filter();
  }
  if (lines && table) {
    lines.on("plotly_selected", (event) => {
      if (event && event.points.length) brush(new Set(event.points.map((point) => String(point.data.meta))));
    });
    lines.on("plotly_deselect", () => brush(null));
    byId("clear-brush").addEventListener("click", () => {
      Plotly.relayout(lines, { selections: [] });
      Plotly.restyle(lines, { selectedpoints: [null] });
      brush(null);
    });
  }

  // Commands.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea"); // Some browsers keep the clipboard from pages opened as files.
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      await copy(button.previousElementSibling.textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
})();
