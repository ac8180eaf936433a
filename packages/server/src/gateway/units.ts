const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/i;
const SIZE = /^(\d+(?:\.\d+)?)(b|kb|mb|gb)?$/i;

const MS_BY_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES_BY_UNIT: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Milliseconds in `500ms`, `30s`, `5m`, `1h` or `0`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const found = DURATION.exec(text);
  return found === null ? undefined : Math.round(Number(found[1]) * MS_BY_UNIT[found[2]!.toLowerCase()]!);
}

/** Bytes in `268435456`, `256mb`, `1gb`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const found = SIZE.exec(text);
  return found === null ? undefined : Math.round(Number(found[1]) * BYTES_BY_UNIT[(found[2] ?? 'b').toLowerCase()]!);
}

/** For people: `268435456` is `256.0 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
