/**
 * Redis's glob patterns over strings of bytes (one UTF-16 unit a byte): `*`, `?`, `[abc]`, `[^a-z]`, `\x`. A linear
 * matcher that goes back to the last `*` only: O(pattern x text) at worst, where the recursive form is exponential.
 */
const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BACKSLASH = 0x5c;
const DASH = 0x2d;

export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starPattern = -1;
  let starText = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern.charCodeAt(p) === STAR) {
      starPattern = ++p;
      starText = t;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
    if (next >= 0) {
      p = next;
      t++;
    } else if (starPattern >= 0) {
      p = starPattern;
      t = ++starText;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === STAR) p++;
  return p === pattern.length;
}

/** The position in the pattern after the element at `p`, or -1 when that element does not match `code`. */
function matchOne(pattern: string, p: number, code: number): number {
  const element = pattern.charCodeAt(p);
  if (element === QUESTION) return p + 1;
  if (element === OPEN) return matchClass(pattern, p + 1, code);
  if (element === BACKSLASH && p + 1 < pattern.length) return pattern.charCodeAt(p + 1) === code ? p + 2 : -1;
  return element === code ? p + 1 : -1;
}

/** `p` is behind the bracket. A class that is not closed ends with the pattern, as in Redis. */
function matchClass(pattern: string, p: number, code: number): number {
  const not = pattern.charCodeAt(p) === CARET;
  if (not) p++;
  let found = false;
  for (; p < pattern.length; p++) {
    const element = pattern.charCodeAt(p);
    if (element === CLOSE) {
      p++;
      break;
    }
    if (element === BACKSLASH && p + 1 < pattern.length) {
      if (pattern.charCodeAt(++p) === code) found = true;
    } else if (p + 2 < pattern.length && pattern.charCodeAt(p + 1) === DASH) {
      const from = Math.min(element, pattern.charCodeAt(p + 2));
      const to = Math.max(element, pattern.charCodeAt(p + 2));
      if (code >= from && code <= to) found = true;
      p += 2;
    } else if (element === code) {
      found = true;
    }
  }
  return found === not ? -1 : p;
}
