// What scrolls sideways (code, tables, equations) can be reached and moved with the keyboard; not
// every browser does that by itself. What does not scroll is no stop on the way.

const watched = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const wide = ".highlight pre, .output pre, .table-wrapper, div.math";
for (const element of document.querySelectorAll(wide)) watched.observe(element);
