"use strict";
(async () => {
  const PAGE = 50, NONE = "\u0000";
  const at = (id) => document.getElementById(id);
  const found = at("found"), search = at("search"), filter = at("filter"), table = at("grid");
  const noun = found.textContent.split(" ")[1].replace(/s?,$/, "");
  let data;
  try {
    const bytes = Uint8Array.from(atob(at("rows").textContent), (c) => c.charCodeAt(0));
    data = JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
  } catch (error) {
    found.textContent += ". This browser cannot unpack the other rows.";
    return;
  }
  const columns = data.columns, count = columns[0].cells.length, shown = columns.filter((c) => c.shown);
  const ago = (seconds) => {
    for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
      const whole = Math.floor(Math.abs(seconds) / size), span = `${whole} ${unit}${whole === 1 ? "" : "s"}`;
      if (whole) return seconds > 0 ? `${span} ago` : `in ${span}`;
    }
    return "just now";
  };
  const plain = (column, cell) => (cell === null ? column.unknown : column.kind === "time" ? ago(column.now - cell) : column.kind === "number" ? cell + column.unit : cell);
  const text = (column, row) => {
    const cell = column.cells[row];
    return cell !== null && column.words ? column.words[cell][0] : plain(column, cell);
  };
  const low = (column) => column.low || (column.low = column.words ? column.words.map((w) => w[0].toLowerCase()) : column.cells.map((c) => (column.kind === "time" ? plain(column, c) : c === null ? column.unknown : String(c)).toLowerCase()));
  const holds = (column, row, word) => {
    const cell = column.cells[row];
    return (cell === null ? column.unknown : low(column)[column.words ? cell : row]).includes(word);
  };
  const chosen = columns.find((c) => c.name === data.filter);
  chosen.words.forEach((word, number) => filter.append(new Option(word[0], number)));
  if (chosen.cells.includes(null)) filter.append(new Option(chosen.unknown, NONE));

  let rows = [], page = 0, sorted = null, down = false;
  const select = () => {
    const tests = search.value.toLowerCase().split(/\s+/).filter(Boolean).map((token) => {
      const cut = token.indexOf(":"), column = cut > 0 && columns.find((c) => c.name.replaceAll(" ", "-") === token.slice(0, cut));
      return column ? (row) => holds(column, row, token.slice(cut + 1)) : (row) => columns.some((c) => holds(c, row, token));
    });
    if (filter.value !== "") {
      const wanted = filter.value === NONE ? null : Number(filter.value);
      tests.unshift((row) => chosen.cells[row] === wanted);
    }
    rows = [];
    for (let row = 0; row < count; row++) if (tests.every((test) => test(row))) rows.push(row);
    if (sorted) {
      const cells = sorted.cells, sign = down ? -1 : 1;
      const order = sorted.words || sorted.kind !== "text" ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
      rows.sort((a, b) => (cells[a] === null) - (cells[b] === null) || (cells[a] === null ? 0 : sign * order(cells[a], cells[b])));
    }
    page = 0;
    draw();
  };
  const draw = () => {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE)), body = document.createElement("tbody");
    for (const row of rows.slice(page * PAGE, (page + 1) * PAGE)) {
      const line = body.insertRow();
      for (const column of shown) {
        const cell = line.insertCell(), value = column.cells[row], words = text(column, row);
        cell.dataset.label = column.name;
        if (column.kind === "number") cell.className = "number";
        if (column.kind === "time" && value !== null) cell.title = new Date(value * 1000).toISOString();
        if (value === null || column.kind === "pill") {
          const span = cell.appendChild(document.createElement("span"));
          span.className = value === null ? "soft" : "pill " + column.words[value][1];
          span.textContent = words;
        } else cell.textContent = words;
      }
    }
    table.tBodies[0].replaceWith(body);
    const total = count.toLocaleString("en"), number = rows.length.toLocaleString("en");
    found.textContent = rows.length === count ? `${total} ${noun}${count === 1 ? "" : "s"}` : `${number} of ${total} ${noun}${count === 1 ? "" : "s"}`;
    at("turn").textContent = `page ${page + 1} of ${pages}`;
    at("before").disabled = page === 0;
    at("after").disabled = page >= pages - 1;
  };
  shown.forEach((column, number) => {
    const head = table.tHead.rows[0].cells[number], button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      down = sorted === column && !down;
      sorted = column;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      select();
    });
  });
  const turn = (by) => { page += by; draw(); table.scrollIntoView({ block: "start" }); };
  at("before").addEventListener("click", () => turn(-1));
  at("after").addEventListener("click", () => turn(1));
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(select, 120); });
  filter.addEventListener("change", select);
  for (const tile of document.querySelectorAll("a[data-state]")) tile.addEventListener("click", () => {
    const option = [...filter.options].find((o) => o.textContent === tile.dataset.state);
    filter.value = option ? option.value : "";
    search.value = "";
    select();
  });
  const open = () => { const target = at(decodeURIComponent(location.hash.slice(1))); if (target && target.tagName === "DETAILS") target.open = true; };
  addEventListener("hashchange", open);
  open();
  document.querySelector(".find").hidden = document.querySelector(".pages").hidden = false;
  select();
})();
