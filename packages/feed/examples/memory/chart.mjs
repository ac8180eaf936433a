const WIDTH = 860;
const PANEL = { left: 76, width: 760, height: 190, gap: 66, top: 78 };
const COLOURS = ['#c0392b', '#d68910', '#7d3c98', '#1e8449'];

const escape = (text) => text.replace(/[&<>]/g, (letter) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[letter]);

/** A round number that is not below `most`. */
function ceiling(most) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 5, 10].map((times) => times * unit).find((limit) => limit >= most);
}

function panel({ title, series, seconds, valueOf }, top) {
  const most = ceiling(Math.max(...series.flatMap(({ samples }) => samples.map(valueOf))));
  const x = (second) => PANEL.left + (PANEL.width * second) / seconds;
  const y = (value) => top + PANEL.height * (1 - value / most);
  const at = (second, value) => `${x(second).toFixed(1)},${y(value).toFixed(1)}`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = share * most;
    const label = value >= 10_000 ? `${value / 1000} k` : String(value);
    return (
      `<line x1="${PANEL.left}" x2="${PANEL.left + PANEL.width}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
      `<text x="${PANEL.left - 8}" y="${y(value) + 4}" text-anchor="end">${label}</text>`
    );
  });
  const ticks = Array.from({ length: Math.floor(seconds / 5) + 1 }, (_, i) => i * 5).map(
    (second) => `<text x="${x(second)}" y="${top + PANEL.height + 18}" text-anchor="middle">${second} s</text>`,
  );
  const lines = series.map(({ samples }, i) => {
    const points = [at(0, 0), ...samples.map((sample) => at(Math.min(sample.second, seconds), valueOf(sample)))];
    return `<polyline fill="none" stroke="${COLOURS[i]}" stroke-width="2" points="${points.join(' ')}"/>`;
  });
  const heading = `<text x="${PANEL.left}" y="${top - 10}" font-weight="bold">${escape(title)}</text>`;
  return [heading, ...grid, ...ticks, ...lines].join('\n');
}

/**
 * An SVG with a panel for each of `panels`, of which each draws one value of the samples over the seconds.
 *
 * @param {{ name: string, samples: { second: number }[] }[]} series – at most four
 * @param {{ title: string, valueOf: (sample: any) => number }[]} panels
 */
export function chart({ title, seconds, series, panels }) {
  const height = PANEL.top + panels.length * (PANEL.height + PANEL.gap);
  const legend = series.map(({ name }, i) => {
    const left = PANEL.left + i * 195;
    return (
      `<rect x="${left}" y="34" width="14" height="4" fill="${COLOURS[i]}"/>` +
      `<text x="${left + 20}" y="40">${escape(name)}</text>`
    );
  });
  const drawn = panels.map((one, i) => panel({ ...one, series, seconds }, PANEL.top + i * (PANEL.height + PANEL.gap)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"
  font-family="sans-serif" font-size="12" fill="#333">
<rect width="${WIDTH}" height="${height}" fill="#fff" stroke="none"/>
<text x="${PANEL.left}" y="20" font-size="15" font-weight="bold">${escape(title)}</text>
${[...legend, ...drawn].join('\n')}
</svg>
`;
}
