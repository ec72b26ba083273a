"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---- filter and search ----
  const controls = document.getElementById("controls");
  const search = document.getElementById("search");
  const reset = document.getElementById("reset");
  const tiles = all(".tile");
  const rows = all("tr.claim");
  controls.hidden = false;

  function filter() {
    const chosen = tiles.filter((tile) => tile.getAttribute("aria-pressed") === "true").map((tile) => tile.dataset.verdict);
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set(rows.filter((row) =>
      (!chosen.length || row.dataset.verdicts.split("|").some((verdict) => chosen.includes(verdict))) &&
      words.every((word) => row.dataset.words.includes(word))).map((row) => row.dataset.claim));
    for (const one of all("[data-claim]")) one.hidden = !shown.has(one.dataset.claim);
    for (const group of all("[data-group]")) group.hidden = !group.querySelector("[data-claim]:not([hidden])");
    document.getElementById("status").textContent =
      shown.size === rows.length ? `${rows.length} claims` : `${shown.size} of ${rows.length} claims`;
    document.getElementById("nothing").hidden = shown.size > 0;
    reset.hidden = shown.size === rows.length;
  }
  function showAll() {
    for (const tile of tiles) tile.setAttribute("aria-pressed", "false");
    search.value = "";
    filter();
  }
  for (const tile of tiles) {
    tile.addEventListener("click", () => {
      tile.setAttribute("aria-pressed", String(tile.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  }
  search.addEventListener("input", filter);
  for (const button of [reset, ...all("[data-reset]")]) button.addEventListener("click", () => { showAll(); search.focus(); });

  // A link leads to its target even if that is filtered away or folded.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) showAll();
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  // ---- plots ----
  const data = document.getElementById("plots");
  if (!data || typeof Plotly === "undefined") return;
  const plots = JSON.parse(data.textContent);
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const INK = ["#000000", "#000", "black"];
  const config = { responsive: true, displaylogo: false, plotlyServerURL: "", doubleClick: "reset",
    modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"] };

  function paint(color) { return INK.includes(color) ? token("--ink") : color; }
  function traces(panel) {
    return panel.traces.map((trace) => {
      const copy = { ...trace };
      if (copy.line) copy.line = { ...copy.line, color: paint(copy.line.color) };
      if (copy.marker) copy.marker = { ...copy.marker, color: Array.isArray(copy.marker.color) ? copy.marker.color.map(paint) : paint(copy.marker.color) };
      return copy;
    });
  }
  // Words in lines of some characters, for titles of axes and names at ticks.
  function wrapped(words, width) {
    const lines = [""];
    for (const word of words.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (longer.length > width && lines.at(-1)) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines.join("<br>");
  }
  function layout(panel) {
    const axis = (given) => ({ automargin: true, gridcolor: token("--grid"), linecolor: token("--line"), zeroline: false, ticks: "outside",
      tickcolor: token("--line"), exponentformat: "power", nticks: given.type === "log" ? 6 : 7, ...given,
      title: { text: wrapped(given.title, 42), standoff: 8 },
      ...(given.ticktext && { ticktext: given.ticktext.map((name) => wrapped(name, 15)) }) });
    return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", dragmode: "zoom",
      font: { family: token("--sans"), size: 12, color: token("--ink") }, margin: { l: 48, r: 12, t: panel.title ? 34 : 12, b: 44 },
      hoverlabel: { bgcolor: token("--raised"), bordercolor: token("--line"), font: { color: token("--ink") } },
      title: { text: panel.title, font: { size: 13 }, x: 0.02, xanchor: "left", y: 0.98, yanchor: "top" },
      xaxis: axis(panel.xaxis), yaxis: axis(panel.yaxis), annotations: panel.annotations, barmode: "overlay" };
  }
  function swatch(trace) {
    const line = trace.line || {}, color = paint(line.color || (trace.marker && trace.marker.color) || trace.fillcolor || "#000");
    const dash = { dash: "6 3", dot: "2 3", dashdot: "6 3 2 3" }[line.dash] || "";
    const point = (trace.mode || "").includes("markers") || trace.type === "bar";
    const stroke = Array.isArray(color) ? color[0] : color;
    return `<svg aria-hidden="true" focusable="false">${(trace.mode || "").includes("lines") ? `<line x2="22" y1="5" y2="5" stroke="${stroke}" stroke-width="2.5" stroke-dasharray="${dash}"/>` : ""}` +
      `${point ? `<circle cx="11" cy="5" r="4" fill="${stroke}"/>` : ""}${trace.fill ? `<rect width="22" height="10" fill="${trace.fillcolor}"/>` : ""}</svg>`;
  }
  function draw(place) {
    if (place.dataset.drawn) return;
    place.dataset.drawn = "yes";
    place.hidden = false;
    place.parentElement.querySelector(".static").style.display = "none";
    const panels = plots[place.dataset.plot];
    const legend = document.createElement("div"), grid = document.createElement("div");
    legend.className = "legend";
    legend.setAttribute("role", "group");
    legend.setAttribute("aria-label", "Lines shown");
    grid.className = "panels";
    place.append(legend, grid);
    const divs = panels.map((panel) => {
      const div = document.createElement("div");
      div.className = "panel";
      grid.append(div);
      Plotly.newPlot(div, traces(panel), layout(panel), config);
      return div;
    });
    const named = new Map();
    for (const panel of panels) for (const trace of panel.traces) {
      if (trace.name && !named.has(trace.name)) named.set(trace.name, trace);
    }
    for (const [name, trace] of named) {
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = `${swatch(trace)}<span>${name}</span>`;
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        panels.forEach((panel, number) => {
          const which = panel.traces.flatMap((one, index) => (one.legendgroup === name ? [index] : []));
          if (which.length) Plotly.restyle(divs[number], { visible: on }, which);
        });
      });
      legend.append(button);
    }
    if (named.size < 2) legend.hidden = true;
  }
  const places = all("[data-plot]");
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target.firstElementChild); }
  }, { rootMargin: "800px" });
  for (const place of places) near.observe(place.parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const place of places.filter((one) => one.dataset.drawn)) all(".panel", place).forEach((div, number) => {
      const panel = plots[place.dataset.plot][number];
      Plotly.react(div, traces(panel), layout(panel), config);
    });
  });
})();
