/** A Markdown table whose columns line up as plain text too; the columns from `firstRight` on are right-aligned. */
export function table(head, rows, firstRight = head.length) {
  const widths = head.map((title, i) => Math.max(title.length, 3, ...rows.map((row) => row[i].length)));
  const pad = (text, i) => (i < firstRight ? text.padEnd(widths[i]) : text.padStart(widths[i]));
  const line = (cells) => `| ${cells.map(pad).join(' | ')} |`;
  const rule = widths.map((width, i) => (i < firstRight ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

/** Three significant digits, thousands and millions with their letter: 12.3, 456, 7.89 k, 1.23 M. */
export function digits(value) {
  const size = Math.abs(value);
  if (size >= 999_500_000) return `${shorten(value / 1e9)} G`;
  if (size >= 999_500) return `${shorten(value / 1e6)} M`;
  return size >= 9_995 ? `${shorten(value / 1e3)} k` : shorten(value);
}

function shorten(value) {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  return value.toFixed(size >= 9.995 ? 1 : 2);
}
