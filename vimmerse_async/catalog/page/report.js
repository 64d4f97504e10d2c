"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== "") element.textContent = text;
    return element;
  };
  const head = JSON.parse($("#head").textContent);
  const rows = JSON.parse($("#rows").textContent);
  const LINE = 0, STATE = 1, PROMPT = 2, GROUP = 3, ERROR = 4, PICTURE = 5, NAME = 6, FACTS = 7, VALUES = 8;
  const ANSWERED = 0, REJECTED = 1, UNFINISHED = 2, WAITING = 3;
  const number = new Intl.NumberFormat("en");
  const MOST_CARDS = 200, GAP = 14;

  // ---- what is searched: each row's text in lower case, made when it is first needed
  let texts = null;
  // "über" is found by "uber"
  const plain = text => text.toLowerCase().replaceAll("ß", "ss").normalize("NFKD").replace(/\p{M}/gu, "");
  const textOf = row => plain([row[PROMPT], row[ERROR], head.groups[row[GROUP]]?.join(" "), ...row[VALUES]]
    .filter(value => value !== null && value !== undefined)
    .map(value => typeof value === "object" ? JSON.stringify(value) : String(value)).join("\n"));

  // ---- header and totals
  $("#title").textContent = head.title;
  $("#about").textContent = head.about;
  const facts = $("#facts");
  for (const [value, name, kind] of head.facts) {
    const fact = make("div", `fact ${kind}`);
    fact.append(make("b", "", typeof value === "number" ? number.format(value) : value), make("span", "", name));
    if (kind === "first") {
      const meter = make("div", "meter");
      for (const part of head.parts) {
        const bar = make("i");
        bar.style.width = `${100 * part}%`;
        meter.append(bar);
      }
      fact.append(meter);
    }
    facts.append(fact);
  }

  // ---- the timeline: what was in flight under which window, and how fast it went
  const svg = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const clock = seconds => {
    const whole = Math.round(seconds), two = value => String(value).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };
  const short = value => value >= 100 ? number.format(Math.round(value)) : String(+value.toPrecision(2));
  function chart(legend, series, points) {
    const figure = make("figure"), caption = make("figcaption");
    for (const [name, className] of legend) {
      const label = make("span");
      label.append(make("i", className), name);
      caption.append(label);
    }
    const W = 600, H = 104, top = 6, bottom = 2, left = 0;
    const last = points.at(-1)[0] || 1;
    const peak = Math.max(0, ...series.flatMap(one => points.map(point => point[one.field] ?? 0)));
    const most = Math.max(1e-9, peak) * 1.08;
    const x = at => left + (W - left) * at / last, y = value => top + (H - top - bottom) * (1 - value / most);
    const drawing = svg("svg", {viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${legend.map(one => one[0]).join(", ")}: ${clock(last)}, at most ${short(peak)}`});
    for (const level of [0, .5, 1]) {
      const height = y(most / 1.08 * level);
      drawing.append(svg("line", {class: "grid", x1: 0, x2: W, y1: height, y2: height}));
    }
    for (const at of head.breaks) drawing.append(svg("line", {class: "gap", x1: x(at), x2: x(at), y1: top, y2: H - bottom}));
    for (const one of series) {
      if (one.kind === "refusal") {
        for (const point of points) if (point[one.at] > 0)
          drawing.append(svg("line", {class: "refusal", x1: x(point[0]), x2: x(point[0]), y1: H - bottom, y2: H - bottom - 9}));
        continue;
      }
      let path = "";
      points.forEach((point, place) => {
        const value = y(point[one.field] ?? 0);
        path += place === 0 ? `M${x(point[0])} ${value}` : one.kind === "step" ? `H${x(point[0])}V${value}` : `L${x(point[0])} ${value}`;
      });
      if (one.kind === "area") drawing.append(svg("path", {class: "area", d: `${path}V${H - bottom}H${x(points[0][0])}Z`}));
      drawing.append(svg("path", {class: one.kind === "area" ? "edge" : one.kind, d: path}));
    }
    const scale = make("div", "scale");
    scale.append(make("span", "", `0:00 to ${clock(last)}`), make("span", "", `at most ${short(peak)}`));
    figure.append(caption, drawing, scale);
    return figure;
  }
  if (head.samples.length > 1) {
    $("#pace .charts").append(
      chart([["in flight", ""], ["allowed in flight", "window"]],
        [{kind: "area", field: 1}, {kind: "step", field: 2}], head.samples),
      chart([["rows a second", "pace"], ["refused with 429", "refused"]],
        [{kind: "rate", field: 3}, {kind: "refusal", at: 4, field: 3}], head.samples));
    if (innerWidth <= 560) $("#pace").open = false;
  } else $("#pace").hidden = true;

  // ---- which rows are shown
  const counts = [0, 0, 0, 0];
  for (const row of rows) counts[row[STATE]]++;
  const failures = counts[REJECTED] + counts[UNFINISHED];
  const FILTERS = [["All", () => true, rows.length], ["Captioned", row => row[STATE] === ANSWERED, counts[ANSWERED]],
    ["Failed", row => row[STATE] === REJECTED || row[STATE] === UNFINISHED, failures],
    ["Not asked", row => row[STATE] === WAITING, counts[WAITING]]].filter((filter, place) => place < 1 || filter[2]);
  let filter = 0, group = null, shown = [];
  const states = $("#states"), query = $("#query"), groupButton = $("#group");
  FILTERS.forEach(([name, , count], place) => {
    const button = make("button", "", name);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.append(make("small", "", number.format(count)));
    button.addEventListener("click", () => choose(place));
    button.addEventListener("keydown", event => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      choose((place + step + FILTERS.length) % FILTERS.length);
      states.children[filter].focus();
    });
    states.append(button);
  });
  function choose(place) { filter = place; select(); }

  const totals = new Map();
  for (const row of rows) if (row[GROUP] !== null) totals.set(row[GROUP], (totals.get(row[GROUP]) ?? 0) + 1);
  const faultList = $("#faults ul");
  for (const [place, count] of [...totals].sort((one, two) => two[1] - one[1]).slice(0, 200)) {
    const [name, host] = head.groups[place], item = make("li"), button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    const label = make("span", "", name);
    if (host) label.append(" ", make("small", "", host));
    button.append(make("b", "", number.format(count)), label);
    button.addEventListener("click", () => { group = group === place ? null : place; filter = 0; select(); });
    button.dataset.group = place;
    item.append(button);
    faultList.append(item);
  }
  $("#faults").hidden = !totals.size;
  $("#insight").classList.toggle("single", $("#faults").hidden || $("#pace").hidden);
  groupButton.addEventListener("click", () => { group = null; select(); });

  function select() {
    const words = plain(query.value).split(/\s+/).filter(Boolean), keep = FILTERS[filter][1];
    if (words.length) texts ??= rows.map(textOf);
    shown = [];
    for (let place = 0; place < rows.length; place++) {
      const row = rows[place];
      if (keep(row) && (group === null || row[GROUP] === group) && words.every(word => texts[place].includes(word))) shown.push(place);
    }
    [...states.children].forEach((button, place) => {
      button.setAttribute("aria-checked", place === filter);
      button.tabIndex = place === filter ? 0 : -1;
    });
    groupButton.hidden = group === null;
    if (group !== null) groupButton.textContent = `${head.groups[group].filter(Boolean).join(" · ")}  ×`;
    for (const button of faultList.querySelectorAll("button")) button.setAttribute("aria-pressed", String(+button.dataset.group === group));
    $("#count").textContent = shown.length === rows.length ? `${number.format(rows.length)} rows` : `${number.format(shown.length)} of ${number.format(rows.length)} rows`;
    $("#none").hidden = shown.length > 0;
    current = 0;
    drop();
    measure();
    const top = $("#tools").offsetTop;
    if (scrollY > top) scrollTo(0, top);
  }

  // ---- the cards: only those in view exist
  const cards = $("#cards"), cardTemplate = $("#card").content.firstElementChild, drawn = new Map();
  const pictures = rows.some(row => row[PICTURE] !== null);
  document.body.classList.toggle("plain", !pictures);
  const HEIGHT = pictures ? 386 : 196, LEAST = pictures ? 250 : 320;
  let across = 1, width = 300, current = 0, printing = false;

  function drop() {
    for (const element of drawn.values()) element.remove();
    drawn.clear();
  }
  function measure() {
    if (printing) return;
    const room = cards.clientWidth, before = across;
    across = Math.max(1, Math.min(12, Math.floor((room + GAP) / (LEAST + GAP))));
    const next = (room - GAP * (across - 1)) / across;
    if (across !== before || Math.abs(next - width) > .5) drop();
    width = next;
    cards.style.height = `${Math.ceil(shown.length / across) * (HEIGHT + GAP)}px`;
    draw();
  }
  function draw() {
    if (printing) return;
    const top = cards.getBoundingClientRect().top, step = HEIGHT + GAP;
    const first = Math.max(0, Math.floor(-top / step) - 1), last = Math.ceil((innerHeight - top) / step) + 1;
    const from = first * across, to = Math.min(shown.length, last * across, from + MOST_CARDS);
    for (const [place, element] of drawn) if (place < from || place >= to) {
      if (element.contains(document.activeElement)) continue;
      element.remove();
      drawn.delete(place);
    }
    for (let place = from; place < to; place++) if (!drawn.has(place)) {
      const element = card(place);
      drawn.set(place, element);
      cards.append(element);
    }
    for (const [place, element] of drawn) element.tabIndex = place === current ? 0 : -1;
    if (!drawn.has(current) && drawn.has(from)) drawn.get(from).tabIndex = 0;
  }
  function card(place) {
    const row = rows[shown[place]], element = cardTemplate.cloneNode(true);
    element.style.width = `${width}px`;
    element.style.height = `${HEIGHT}px`;
    element.style.transform = `translate(${(place % across) * (width + GAP)}px, ${Math.floor(place / across) * (HEIGHT + GAP)}px)`;
    element.classList.toggle("failed", row[STATE] === REJECTED || row[STATE] === UNFINISHED);
    element.classList.toggle("waiting", row[STATE] === WAITING);
    element.setAttribute("aria-setsize", shown.length);
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-label", `${nameOf(row)}: ${words(row)}`);
    $(".said", element).textContent = words(row);
    $(".name", element).textContent = nameOf(row);
    $(".name", element).title = nameOf(row);
    if (pictures) shoot($(".shot", element), row);
    $(".copy", element).hidden = row[PROMPT] === null;
    element.dataset.place = place;
    return element;
  }
  const words = row => row[PROMPT] ?? row[ERROR] ?? "not asked yet";
  const nameOf = row => row[NAME] ?? `line ${row[LINE]}`;
  function shoot(shot, row) {
    shot.replaceChildren();
    const picture = row[PICTURE];
    if (picture === null || /\.(mp4|mov|avi|webm|m4v)([?#]|$)/i.test(picture)) {
      shot.append(make("span", "sign", picture === null ? "no picture" : "▶ video"));
      return;
    }
    const image = make("img"), sign = make("span", "sign", "");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    image.referrerPolicy = "no-referrer";
    image.addEventListener("error", () => { image.remove(); sign.textContent = "the picture is not here"; });
    image.src = picture;
    shot.append(sign, image);
  }

  // ---- copying
  async function copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea");
      area.value = text;
      (document.querySelector("dialog[open]") ?? document.body).append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    if (!button) return;
    button.textContent = "Copied";
    button.classList.add("done");
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); }, 1200);
  }

  // ---- one row, large
  const detail = $("#detail");
  let opened = 0;  // not `current`: a closing dialog gives the focus back to where it was
  function open(place) {
    opened = place;
    const row = rows[shown[place]], text = $(".text", detail), said = make("p", "", words(row));
    said.classList.toggle("failed", row[PROMPT] === null && row[STATE] !== WAITING);
    $("strong", detail).textContent = `${nameOf(row)}  ·  ${number.format(place + 1)} of ${number.format(shown.length)}`;
    $("[data-do=copy]", detail).hidden = row[PROMPT] === null;
    shoot($(".shot", detail), row);
    const list = make("dl"), pairs = head.columns.map((name, column) => [name, row[VALUES][column]]);
    for (const [name, value] of [...pairs, ...row[FACTS].map((fact, place) => [head.factNames[place], fact])]) {
      if (value === null || value === undefined || value === "") continue;
      const shownValue = typeof value === "object" ? JSON.stringify(value) : String(value), cell = make("dd");
      if (/^https:\/\//i.test(shownValue)) {
        const link = make("a", "", shownValue);
        link.href = shownValue;
        link.rel = "noopener noreferrer";
        link.target = "_blank";
        cell.append(link);
      } else cell.textContent = shownValue;
      list.append(make("dt", "", name), cell);
    }
    text.replaceChildren(said, list);
    if (!detail.open) detail.showModal();
    $(".body", detail).scrollTop = 0;
  }
  const step = by => { const next = opened + by; if (next >= 0 && next < shown.length) open(next); };
  detail.addEventListener("click", event => {
    const what = event.target.closest("[data-do]")?.dataset.do;
    if (what === "previous") step(-1);
    if (what === "next") step(1);
    if (what === "copy") copy(rows[shown[opened]][PROMPT], event.target);
    if (event.target === detail) detail.close();
  });
  detail.addEventListener("keydown", event => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  detail.addEventListener("close", () => focus(opened));

  // ---- mouse and keys
  cards.addEventListener("click", event => {
    const element = event.target.closest("article");
    if (!element || String(getSelection())) return;
    const place = +element.dataset.place;
    if (event.target.closest(".copy")) copy(rows[shown[place]][PROMPT], event.target);
    else open(place);
  });
  cards.addEventListener("focusin", event => {
    const element = event.target.closest("article");
    if (element) current = +element.dataset.place;
  });
  function focus(place) {
    current = Math.max(0, Math.min(shown.length - 1, place));
    const top = cards.getBoundingClientRect().top + scrollY + Math.floor(current / across) * (HEIGHT + GAP);
    const above = $("#tools").offsetHeight + 8;
    if (top < scrollY + above) scrollTo(0, top - above);
    else if (top + HEIGHT > scrollY + innerHeight) scrollTo(0, top + HEIGHT + GAP - innerHeight);
    draw();
    drawn.get(current)?.focus({preventScroll: true});
    draw();
  }
  cards.addEventListener("keydown", event => {
    if (event.target.closest(".copy") || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = across * Math.max(1, Math.floor(innerHeight / (HEIGHT + GAP)) - 1);
    const moves = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    if (event.key in moves) {
      event.preventDefault();
      focus(current + moves[event.key]);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(current);
    } else if (event.key === "c" && rows[shown[current]][PROMPT] !== null)
      copy(rows[shown[current]][PROMPT], $(".copy", event.target));
  });
  addEventListener("keydown", event => {
    if (event.key !== "/" || detail.open || event.target.matches("input, textarea")) return;
    event.preventDefault();
    query.focus();
  });
  query.addEventListener("keydown", event => {
    if (event.key === "Escape" && query.value) { query.value = ""; select(); event.preventDefault(); }
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); if (shown.length) focus(0); }
  });
  query.addEventListener("input", select);
  // ---- all rows that are shown go to paper, not those in view alone
  const MOST_PRINTED = 2_000;
  addEventListener("beforeprint", () => {
    drop();
    printing = true;
    document.body.classList.add("paper");
    cards.style.height = "auto";
    const count = Math.min(shown.length, MOST_PRINTED);
    for (let place = 0; place < count; place++) {
      const element = card(place), image = $("img", element);
      element.style.cssText = "";
      if (image) image.loading = "eager";
      drawn.set(place, element);
      cards.append(element);
    }
    $("#printed").hidden = count === shown.length;
    $("#printed").textContent = `The first ${number.format(count)} of ${number.format(shown.length)} rows; a search or filter prints others.`;
  });
  addEventListener("afterprint", () => {
    document.body.classList.remove("paper");
    printing = false;
    $("#printed").hidden = true;
    drop();
    measure();
  });

  // ---- the failures as a table
  $("#download").addEventListener("click", () => {
    const cell = value => {
      const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
      return `"${(/^[=+\-@\t\r]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
    };
    const failed = rows.filter(row => row[GROUP] !== null && (group === null || row[GROUP] === group));
    const lines = [["line", "error class", "error", ...head.columns], ...failed.map(row => [row[LINE], head.groups[row[GROUP]][0], row[ERROR], ...head.columns.map((_, column) => row[VALUES][column])])];
    const link = make("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", lines.map(line => line.map(cell).join(",")).join("\r\n"), "\r\n"], {type: "text/csv"}));
    link.download = `${head.title} failures.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  let asked = false;
  const soon = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
  addEventListener("scroll", soon, {passive: true});
  new ResizeObserver(measure).observe(cards);
  select();
  // the search's texts are made while nobody waits for them
  (globalThis.requestIdleCallback ?? setTimeout)(() => { texts ??= rows.map(textOf); });
})();
