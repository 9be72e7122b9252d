const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const SPACE = 0x20;

/**
 * A key that an object of a JSON document holds twice, nested objects too; null if there is none. `JSON.parse` keeps the last value only, without a word.
 *
 * @param text valid JSON
 * @param value what `JSON.parse` made of it
 */
export function doubledKey(text: string, value: unknown): string | null {
  const kept = keyCount(value);
  // A key written is a colon outside of texts; most lines are told good by the colons alone.
  if (allColons(text) === kept || keyColons(text) === kept) return null;
  return firstDoubled(text);
}

/** Keys of all objects in a value; with a stack of its own, since documents may be nested deeper than calls. */
function keyCount(value: unknown): number {
  let count = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    const inner = Object.values(item);
    if (!Array.isArray(item)) count += inner.length;
    for (const one of inner) if (typeof one === 'object') open.push(one);
  }
  return count;
}

function allColons(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count++;
  return count;
}

function keyColons(text: string): number {
  let count = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) inText = !inText;
    else if (code === BACKSLASH) at++;
    else if (code === COLON && !inText) count++;
  }
  return count;
}

/** Without a regular expression: texts may be longer than its stack. */
function firstDoubled(text: string): string | null {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === OPEN) open.push(new Set());
    else if (code === CLOSE) open.pop();
    if (code !== QUOTE) continue;
    const end = textEnd(text, at);
    if (isKeyEnd(text, end)) {
      const key: string = JSON.parse(text.slice(at, end));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    at = end - 1;
  }
  return null;
}

/** Behind the quote that ends the text which begins at `start`. */
function textEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

function isKeyEnd(text: string, end: number): boolean {
  let at = end;
  while (at < text.length && text.charCodeAt(at) <= SPACE) at++;
  return text.charCodeAt(at) === COLON;
}
