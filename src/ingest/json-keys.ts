const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

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

const TOKEN = /[{}]|"(?:[^"\\]|\\.)*"\s*:?/g;

function firstDoubled(text: string): string | null {
  const open: Set<string>[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (token.endsWith(':')) {
      const key: string = JSON.parse(token.slice(0, -1));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return null;
}
