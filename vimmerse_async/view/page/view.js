"use strict";
// Rows come from the server as they come into view; which ones is in the address.
(() => {
  const GAP = 16, HEIGHT = 386, LEAST = 250, PAGE = 24, MOST = 400_000, KEPT = 80;
  const $ = (selector, from = document) => from.querySelector(selector);
  const number = new Intl.NumberFormat("en");
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  };
  const api = async (path, body) => {
    const answer = await fetch(`api/${path}`, body === undefined ? {} : {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };

  // ---- the filter, which is in the address
  const NAMES = ["q", "state", "said", "check", "order", "reason"];
  const inputs = {q: $("#query"), state: $("#state"), said: $("#said"), check: $("#check"), order: $("#order")};
  let filter = {}, reasons = [];
  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    filter = Object.fromEntries(NAMES.map(name => [name, given.get(name) ?? ""]));
    filter.order ||= "catalog";
    filter.q = filter.q.slice(0, inputs.q.maxLength);
    if (!/^\d{1,9}$/.test(filter.reason)) filter.reason = "";
    for (const [name, input] of Object.entries(inputs)) if (input !== document.activeElement || name !== "q") input.value = filter[name];
    for (const [name, input] of Object.entries(inputs)) if (name !== "q" && input.value !== filter[name]) filter[name] = input.value = name === "order" ? "catalog" : "";
  }
  const query = () => new URLSearchParams(Object.entries(filter).filter(([name, value]) => value && !(name === "order" && value === "catalog")));
  function choose(changes) {
    filter = {...filter, ...changes};
    history.replaceState(null, "", `#${query()}`);
    showGroup();
    select();
  }
  function showGroup() {
    const group = $("#group"), found = reasons.find(one => String(one.reason) === filter.reason);
    group.hidden = !filter.reason;
    group.textContent = `${found ? [found.class, found.host].filter(Boolean).join(" · ") : "one reason"}  ×`;
  }

  // ---- rows, as many as are looked at
  let total = 0, generation = 0, seen = -1, pages = new Map(), asked = new Set(), controller = null;
  const rowAt = place => pages.get(Math.floor(place / PAGE))?.[place % PAGE];
  async function fetchPage(page, signal) {
    const of = generation;
    asked.add(page);
    try {
      const found = query();
      found.set("from", page * PAGE);
      found.set("count", PAGE);
      const answer = await fetch(`api/rows?${found}`, {signal});
      if (!answer.ok) throw new Error(await answer.text());
      const content = await answer.json();
      if (of !== generation) return;
      pages.delete(page);
      pages.set(page, content.rows);
      while (pages.size > KEPT) pages.delete(pages.keys().next().value);
      total = content.total;
      seen = content.changed;
    } catch (error) {
      if (error.name !== "AbortError") $("#count").textContent = "the page's server has ended";
      throw error;
    } finally {
      if (of === generation) asked.delete(page);
    }
  }
  async function select({keep = false} = {}) {
    generation++;
    controller?.abort();
    controller = new AbortController();
    asked = new Set();
    const shown = keep ? firstShown() : 0;
    if (!keep) current = 0;
    const before = pages;
    pages = new Map();
    const page = Math.floor(shown / PAGE);
    try {
      await fetchPage(page, controller.signal);
    } catch {
      pages = pages.size ? pages : before;
      return;
    }
    if (!keep) { chosen.clear(); if (scrollY > $("#tools").offsetTop) scrollTo(0, $("#tools").offsetTop); }
    told();
    drop();
    measure();
  }
  function told() {
    const rows = counts.rows ?? total;
    $("#count").textContent = total === rows ? `${number.format(total)} rows` : `${number.format(total)} of ${number.format(rows)} rows`;
    $("#none").hidden = total > 0;
    const several = chosen.size;
    $("#chosen").textContent = several ? `${number.format(several)} chosen:` : `all ${number.format(total)} shown:`;
    $("#unchoose").hidden = !several;
  }

  // ---- the cards: only those in view exist
  const cards = $("#cards"), template = $("#card").content.firstElementChild, drawn = new Map(), chosen = new Map();
  let across = 1, width = 300, current = 0;
  const step = HEIGHT + GAP;
  // a million rows are taller than a page can be: it is scaled then
  const lines = () => Math.ceil(total / across);
  const tall = () => Math.min(lines() * step, MOST * 25);
  const scale = () => lines() * step / Math.max(1, tall());
  function drop() { for (const element of drawn.values()) element.remove(); drawn.clear(); }
  function measure() {
    if (printing) return;
    const room = cards.clientWidth, before = across;
    across = Math.max(1, Math.min(12, Math.floor((room + GAP) / (LEAST + GAP))));
    const next = (room - GAP * (across - 1)) / across;
    if (across !== before || Math.abs(next - width) > .5) drop();
    width = next;
    cards.style.height = `${tall()}px`;
    draw();
  }
  const passed = () => Math.max(0, -cards.getBoundingClientRect().top);
  const firstShown = () => Math.min(Math.max(0, total - 1), Math.floor(passed() * scale() / step) * across);
  function draw() {
    if (printing) return;
    const away = passed(), top = away * scale(), lead = cards.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / step) - 1), last = Math.ceil((top + innerHeight - Math.max(0, lead)) / step) + 1;
    const from = first * across, to = Math.min(total, last * across);
    for (const [place, element] of drawn) if (place < from || place >= to) {
      if (element.contains(document.activeElement) && place === current) continue;
      element.remove();
      drawn.delete(place);
    }
    for (let place = from; place < to; place++) {
      const row = rowAt(place);
      if (!row) {
        const page = Math.floor(place / PAGE);
        if (!asked.has(page)) fetchPage(page, controller?.signal).then(soon, () => {});
      }
      let element = drawn.get(place);
      if (element && row && element.row !== row) { fill(element, row, place); }
      if (!element) {
        element = template.cloneNode(true);
        fill(element, row, place);
        drawn.set(place, element);
        cards.append(element);
      }
      element.style.transform = `translate(${(place % across) * (width + GAP)}px, ${Math.floor(place / across) * step - top + away}px)`;
      element.tabIndex = place === current ? 0 : -1;
    }
    if (!drawn.has(current) && drawn.has(from)) drawn.get(from).tabIndex = 0;
  }
  const SIGNS = {good: "✓", bad: "✗"}, STATES = {answered: "captioned", rejected: "failed", unfinished: "failed", unasked: "not asked yet"};
  const words = row => row.edited ?? row.prompt ?? row.error ?? "not asked yet";
  function fill(element, row, place) {
    element.row = row;
    element.dataset.place = place;
    element.style.width = `${width}px`;
    element.style.height = `${HEIGHT}px`;
    element.setAttribute("aria-setsize", total);
    element.setAttribute("aria-posinset", place + 1);
    element.className = row ? [row.mark ?? "", {rejected: "failed", unfinished: "failed", unasked: "waiting"}[row.state] ?? "", chosen.has(row.place) ? "chosen" : ""].join(" ").trim() : "loading";
    if (!row) { element.setAttribute("aria-label", "loading"); return; }
    element.setAttribute("aria-label", `${row.title}: ${words(row)}; ${[STATES[row.state], row.mark, row.check, chosen.has(row.place) ? "chosen" : ""].filter(Boolean).join(", ")}`);
    $(".said", element).textContent = words(row);
    $(".name", element).textContent = row.title;
    $(".name", element).title = row.title;
    $(".sign-mark", element).textContent = (SIGNS[row.mark] ?? "") + (row.edited != null ? " ✎" : "");
    $(".flag", element).textContent = row.check ?? row.note ?? "";
    shoot($(".shot", element), row);
  }
  function shoot(shot, row) {
    shot.replaceChildren();
    if (!row.picture || /\.(mp4|mov|avi|webm|m4v)([?#]|$)/i.test(row.picture)) {
      shot.append(make("span", "sign", row.picture ? "▶ video" : "no picture"));
      return;
    }
    const image = make("img"), sign = make("span", "sign");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    image.referrerPolicy = "no-referrer";
    image.addEventListener("error", () => { image.remove(); sign.textContent = "the picture is not here"; });
    image.src = row.picture;
    shot.append(sign, image);
  }

  // ---- marks
  async function mark(places, changes) {
    await api("marks", {places, changes});
    for (const rows of pages.values()) for (const row of rows) if (places.includes(row.place) && row.finished !== undefined) Object.assign(row, changes);
    redraw();
  }
  function redraw() {
    for (const [place, element] of drawn) { const row = rowAt(place); if (row) fill(element, row, place); }
    draw();
    told();
  }
  async function markAll(value) {
    if (chosen.size) {
      await mark([...chosen.keys()], {mark: value});
      return;
    }
    if (total > 1 && !confirm(`${value ? `Mark as ${value}` : "Unmark"} all ${number.format(total)} rows that are shown?`)) return;
    await api("marks", {filter, changes: {mark: value}});
    await select({keep: true});
  }
  $("#bulk").addEventListener("click", event => {
    const value = event.target.closest("[data-bulk]")?.dataset.bulk;
    if (value !== undefined) markAll(value || null);
  });
  $("#unchoose").addEventListener("click", () => { chosen.clear(); redraw(); });
  function toggle(place) {
    const row = rowAt(place);
    if (!row) return;
    if (!chosen.delete(row.place)) chosen.set(row.place, true);
    redraw();
  }

  // ---- one row, large
  const detail = $("#detail");
  let opened = 0;
  async function open(place) {
    if (!rowAt(place)) await fetchPage(Math.floor(place / PAGE), controller?.signal).catch(() => {});
    const row = rowAt(place);
    if (!row) return;
    opened = place;
    $("#which").textContent = `${row.title}  ·  ${number.format(place + 1)} of ${number.format(total)}`;
    const said = $("#said-large");
    said.textContent = row.prompt ?? row.error ?? "not asked yet";
    said.classList.toggle("failed", row.prompt == null && row.state !== "unasked");
    said.classList.toggle("original", row.edited != null);
    shoot($(".shot", detail), row);
    const judged = row.finished !== undefined;
    for (const button of detail.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mark === row.mark));
      button.disabled = !judged;
    }
    $("#edited").value = row.edited ?? "";
    $("#edited").placeholder = row.prompt ?? "";
    $("#noted").value = row.note ?? "";
    $("#edited").disabled = $("#noted").disabled = $("[data-do=save]", detail).disabled = !judged;
    $("#saved").textContent = "";
    const list = $("dl", detail);
    list.replaceChildren();
    const when = row.finished ? [["finished", new Date(row.finished * 1000).toLocaleString()]] : [];
    for (const [name, value] of [...Object.entries(row.fields), ["line", row.line], ["looks wrong", row.check], ...Object.entries(row.facts ?? {}), ...when]) {
      if (value === null || value === undefined || value === "") continue;
      const cell = make("dd"), text = String(value);
      if (/^https:\/\//i.test(text)) {
        const link = make("a", "", text);
        link.href = text;
        link.rel = "noopener noreferrer";
        link.target = "_blank";
        cell.append(link);
      } else cell.textContent = text;
      list.append(make("dt", "", name), cell);
    }
    if (!detail.open) detail.showModal();
    $(".body", detail).scrollTop = 0;
  }
  const turn = by => { const next = opened + by; if (next >= 0 && next < total) open(next); };
  async function judge(value) {
    const row = rowAt(opened);
    if (!row || row.finished === undefined) return;
    await mark([row.place], {mark: row.mark === value ? null : value});
    open(opened);
  }
  async function save() {
    const row = rowAt(opened);
    await mark([row.place], {edited: $("#edited").value.trim() || null, note: $("#noted").value.trim() || null});
    await open(opened);
    $("#saved").textContent = "saved";
  }
  detail.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button?.dataset.mark) judge(button.dataset.mark);
    const what = button?.dataset.do;
    if (what === "previous") turn(-1);
    if (what === "next") turn(1);
    if (what === "copy") copy(words(rowAt(opened)), button);
    if (what === "save") save();
    if (what === "close" || event.target === detail) detail.close();
  });
  detail.addEventListener("keydown", event => {
    if (event.target.matches("textarea, input")) {
      if (event.key === "Enter" && (event.ctrlKey || event.target.matches("input"))) { event.preventDefault(); save(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), g: () => judge("good"), b: () => judge("bad"), e: () => $("#edited").focus(), n: () => $("#noted").focus()}[event.key];
    if (does) { event.preventDefault(); does(); }
  });
  detail.addEventListener("close", () => focus(opened));
  async function copy(text, button) {
    try { await navigator.clipboard.writeText(text); } catch { return; }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  }

  // ---- all rows that are shown go to paper, not those in view alone
  const MOST_PRINTED = 2_000, AT_ONCE = 240;
  let printing = false;
  async function paper() {
    const count = Math.min(total, MOST_PRINTED), rows = [], wanted = query();
    wanted.set("count", AT_ONCE);
    for (let from = 0; from < count; from += AT_ONCE) {
      wanted.set("from", from);
      rows.push(...(await api(`rows?${wanted}`)).rows);
    }
    printing = true;
    drop();
    document.body.classList.add("paper");
    cards.style.height = "auto";
    const images = [];
    rows.slice(0, count).forEach((row, place) => {
      const element = template.cloneNode(true);
      fill(element, row, place);
      element.style.cssText = "";
      const image = $("img", element);
      if (image) { image.loading = "eager"; images.push(image.decode().catch(() => {})); }
      drawn.set(place, element);
      cards.append(element);
    });
    $("#printed").hidden = count === total;
    $("#printed").textContent = `The first ${number.format(count)} of ${number.format(total)} rows; a search or filter prints others.`;
    await Promise.race([Promise.all(images), new Promise(done => setTimeout(done, 8_000))]);
  }
  $("#print").addEventListener("click", () => paper().then(() => print(), () => {}));
  addEventListener("beforeprint", () => {
    if (printing) return;
    $("#printed").hidden = false;
    $("#printed").textContent = "Only the rows in view are on this paper: the button Print prints all that are shown.";
  });
  addEventListener("afterprint", () => {
    printing = false;
    document.body.classList.remove("paper");
    $("#printed").hidden = true;
    drop();
    measure();
  });

  // ---- mouse and keys
  cards.addEventListener("click", event => {
    const element = event.target.closest("article");
    if (!element || String(getSelection())) return;
    const place = +element.dataset.place;
    if (event.ctrlKey || event.metaKey || event.shiftKey) toggle(place);
    else open(place);
  });
  cards.addEventListener("focusin", event => {
    const element = event.target.closest("article");
    if (element) current = +element.dataset.place;
  });
  function focus(place) {
    current = Math.max(0, Math.min(total - 1, place));
    const line = Math.floor(current / across) * step, top = passed() * scale();
    const above = $("#tools").offsetHeight + 8;
    if (line < top + above - GAP || line + HEIGHT > top + innerHeight - Math.max(0, cards.getBoundingClientRect().top)) {
      const begin = cards.getBoundingClientRect().top + scrollY;
      scrollTo(0, begin + Math.max(0, line - above) / scale());
    }
    draw();
    drawn.get(current)?.focus({preventScroll: true});
  }
  cards.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = across * Math.max(1, Math.floor(innerHeight / step) - 1);
    const moves = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    const row = rowAt(current);
    if (event.key in moves) { event.preventDefault(); focus(current + moves[event.key]); }
    else if (event.key === "Enter") { event.preventDefault(); open(current); }
    else if (event.key === "x" || event.key === " ") { event.preventDefault(); toggle(current); }
    else if (row?.finished !== undefined && (event.key === "g" || event.key === "b")) {
      const value = event.key === "g" ? "good" : "bad";
      if (chosen.size) mark([...chosen.keys()], {mark: value});
      else mark([row.place], {mark: row.mark === value ? null : value});
    } else if (event.key === "c" && row?.prompt) navigator.clipboard?.writeText(words(row)).catch(() => {});
  });
  addEventListener("keydown", event => {
    if (event.key !== "/" || detail.open || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    inputs.q.focus();
  });
  let wait = 0;
  inputs.q.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => choose({q: inputs.q.value}), 60); });
  inputs.q.addEventListener("keydown", event => {
    if (event.key === "Escape" && inputs.q.value) { event.preventDefault(); inputs.q.value = ""; choose({q: ""}); }
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); if (total) focus(0); }
  });
  for (const name of ["state", "said", "check", "order"]) inputs[name].addEventListener("change", () => choose({[name]: inputs[name].value}));
  $("#group").addEventListener("click", () => choose({reason: ""}));
  addEventListener("hashchange", () => { readAddress(); showGroup(); select(); });
  let drawing = false;
  const soon = () => { if (!drawing) { drawing = true; requestAnimationFrame(() => { drawing = false; draw(); }); } };
  addEventListener("scroll", soon, {passive: true});
  new ResizeObserver(measure).observe(cards);

  // ---- what the run does
  let counts = {}, run = null;
  function facts(state) {
    const failed = counts.failed ?? 0, shown = [
      [counts.answered ?? 0, `captioned, of ${number.format(counts.rows ?? 0)} rows`, "first"],
      [failed, "failed", failed ? "bad" : ""],
      ...(counts.unasked ? [[counts.unasked, "not asked yet", ""]] : []),
      [counts.good ?? 0, "good", ""], [counts.bad ?? 0, "bad", counts.bad ? "bad" : ""],
      ...(counts.flagged ? [[counts.flagged, "look wrong", "bad"]] : []),
      [state.calls, "calls made", ""],
    ];
    $("#facts").replaceChildren(...shown.map(([value, name, className]) => {
      const fact = make("div", `fact ${className}`.trim());
      fact.append(make("b", "", number.format(value)), make("span", "", name));
      return fact;
    }));
  }
  function faults() {
    const list = $("#faults ul");
    $("#faults").hidden = !reasons.length;
    if (list.contains(document.activeElement)) return;
    list.replaceChildren(...reasons.map(one => {
      const item = make("li"), button = make("button"), label = make("span", "", one.class);
      button.type = "button";
      button.setAttribute("aria-pressed", String(String(one.reason) === filter.reason));
      if (one.host) label.append(" ", make("small", "", one.host));
      label.append(" ", make("small", "", one.example.slice(0, 160)));
      button.append(make("b", "", number.format(one.count)), label);
      button.addEventListener("click", () => { choose({reason: filter.reason === String(one.reason) ? "" : String(one.reason)}); faults(); });
      item.append(button);
      return item;
    }));
  }
  function live(state) {
    run = state.run;
    $("#live").hidden = !run;
    if (!run) return;
    $("#now").textContent = run.words;
    $("#pause").textContent = run.paused ? "Go on" : "Pause";
    $("#pause").disabled = $("#stop").disabled = run.stopping;
    const cap = $("#cap-number");
    if (cap !== document.activeElement) cap.placeholder = run.cap == null ? "any number of" : String(run.cap);
  }
  const tell = (name, value) => api("orders", {name, value}).catch(() => {});
  $("#pause").addEventListener("click", () => tell("pause", run?.paused ? null : "1"));
  $("#stop").addEventListener("click", () => { if (confirm("Stop the run? What is in flight is finished, and the same command goes on.")) tell("stop", "1"); });
  $("#cap").addEventListener("submit", event => {
    event.preventDefault();
    const value = $("#cap-number").value.replace(/\D/g, "");
    if (value) tell("max_calls", value).then(() => { $("#cap-number").value = ""; });
  });
  function listen() {
    const events = new EventSource("api/events");
    let first = true;
    events.addEventListener("message", event => {
      const state = JSON.parse(event.data);
      counts = state.counts;
      reasons = state.reasons;
      $("#checks").hidden = !(counts.flagged || filter.check);
      if (first) { document.title = state.title; $("#title").textContent = state.title; first = false; }
      const who = state.origin === "emulator" ? "the emulator, which is no model" : state.origin;
      $("#about").textContent = [who ? `answered by ${who}` : "nothing was answered yet", `${state.runs} ${state.runs === 1 ? "run" : "runs"}`,
        state.money ?? "", state.whole ? "" : "the catalog is still being read"].filter(Boolean).join(" · ");
      facts(state);
      faults();
      showGroup();
      live(state);
      told();
      if (state.changed !== seen && !asked.size && !(detail.open)) { seen = state.changed; select({keep: true}); }
    });
    events.addEventListener("error", () => { $("#about").textContent = "the page's server has ended, or is away"; });
  }
  readAddress();
  select();
  listen();
})();
