import { unclear } from './object-address.ts';

const MAX_KEYS = 1000;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const DOCUMENT =
  /^\s*(?:<\?xml version=["']1\.0["'](?: encoding=["']UTF-8["'])?\s*\?>)?\s*<Delete(?: xmlns=["']http:\/\/s3\.amazonaws\.com\/doc\/2006-03-01\/["'])?>([\s\S]*)<\/Delete>\s*$/i;
const PART = /\s*(?:<Object>\s*<Key>([^<]*)<\/Key>\s*<\/Object>|<Quiet>(?:true|false)<\/Quiet>)\s*/y;

/**
 * The keys that the body of `POST /bucket?delete` names. Only the plain form is taken, which all XML readers read alike: no comments, CDATA,
 * document types, entities of one's own, versions or conditions. Errors: `invalid-argument`.
 */
export function deletedKeys(body: string): readonly string[] {
  const content = DOCUMENT.exec(body)?.[1];
  if (
    content === undefined ||
    /[^\t\n\r\x20-\ufffd]/.test(content.replaceAll(/[\u{10000}-\u{10ffff}]/gu, ''))
  ) {
    throw unclear('its body is no plain list of keys');
  }
  const keys: string[] = [];
  for (let at = 0; at < content.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const part = PART.exec(content);
    if (part === null) throw unclear('its body has more in it than keys');
    if (part[1] !== undefined) keys.push(textOf(part[1]));
  }
  if (keys.length === 0 || keys.length > MAX_KEYS)
    throw unclear(`its body names none or over ${MAX_KEYS} keys`);
  return keys;
}

function textOf(escaped: string): string {
  const text = escaped.replaceAll(/&([^;]*);?/g, (whole, name: string) => {
    const code = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,7}))$/i.exec(name);
    const character =
      code === null
        ? ENTITIES[name]
        : fromCode(code[1] === undefined ? Number(code[2]) : Number.parseInt(code[1], 16));
    if (character === undefined || !whole.endsWith(';')) throw unclear('its body has an entity that is none');
    return character;
  });
  // Readers trim blanks or make one of several, and each does it in its own way.
  if (text !== text.trim() || /[\t\n\r]/.test(text))
    throw unclear('a key in its body has blanks at an end, or line breaks');
  return text;
}

function fromCode(code: number): string | undefined {
  const isText = code >= 0x20 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isText ? String.fromCodePoint(code) : undefined;
}
