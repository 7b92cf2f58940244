const box = document.querySelector("input"), rows = document.querySelectorAll("[data-find]");
const found = document.querySelector("#found");
function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every(word => row.dataset.find.includes(word));
    shown += !row.hidden && row.tagName === "TR";
  }
  found.textContent = words.length ? `${shown} schedules, at the end of the page` : "";
  if (words.length) document.querySelector("#all").open = true;
}
box.addEventListener("input", search);
for (const button of document.querySelectorAll("td button"))
  button.addEventListener("click", () => { box.value = button.value; search(); box.scrollIntoView(); });
