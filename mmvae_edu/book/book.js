// Search over all lessons. The index is a script, which works from disk where fetch does not.
"use strict";
const root = document.currentScript.dataset.root;
const box = document.getElementById("search");
box.innerHTML =
  '<input type="search" placeholder="Search" aria-label="Search the book"><ol role="status" hidden></ol>';
const [input, list] = box.children;

function load() {
  const script = document.createElement("script");
  script.src = root + "search.js";
  script.onload = search;
  document.head.append(script);
}

function search() {
  const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.hidden = wanted.length === 0 || !window.bookIndex;
  if (list.hidden) return;
  const found = [];
  for (const [page, id, title, section, text] of window.bookIndex) {
    const heads = `${title} ${section}`.toLowerCase();
    const body = text.toLowerCase();
    if (!wanted.every((word) => heads.includes(word) || body.includes(word))) continue;
    const score = wanted.filter((word) => heads.includes(word)).length;
    const at = Math.max(0, body.indexOf(wanted.find((word) => body.includes(word)) ?? ""));
    const snippet = text.slice(Math.max(0, at - 50), at + 110);
    found.push({ score, href: root + page + (id && `#${id}`), title, section, snippet });
  }
  found.sort((a, b) => b.score - a.score);
  list.replaceChildren(...found.slice(0, 20).map(item));
  if (!found.length) list.append("Nothing found.");
}

function item({ href, title, section, snippet }) {
  const row = document.createElement("li");
  const link = document.createElement("a");
  link.href = href;
  link.textContent = section ? `${title}: ${section}` : title;
  link.onclick = () => (list.hidden = true);
  row.append(link, document.createElement("br"), `… ${snippet} …`);
  return row;
}

input.addEventListener("focus", load, { once: true });
input.addEventListener("input", search);
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") list.hidden = true;
});
document.addEventListener("click", (event) => {
  if (!box.contains(event.target)) list.hidden = true;
});
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
});
