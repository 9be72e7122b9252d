import { isKind } from '../errors.ts';
import { describeType, type Type } from '../iceberg/types.ts';

/** A value that does not fit: what it is, and what is expected. */
export class Misfit extends Error {
  readonly value: string;

  constructor(value: string, type: Type, hint?: string) {
    super(`is not a value of type ${describeType(type)}${hint === undefined ? '' : `: ${hint}`}`);
    this.value = value;
  }
}

/** Runs `read`; its complaint becomes a misfit of `text`. */
export function misfitOf<T>(type: Type, text: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isKind(error, 'invalid-argument', 'unsupported'))
      throw new Misfit(text, type, expectation(error.hint));
    throw error;
  }
}

function expectation(hint: string | undefined): string | undefined {
  return hint?.startsWith('nothing was') ? 'it is out of range or malformed' : hint;
}
