import { hash } from 'node:crypto';
import { normalLocation } from '../tiering/normal-location.ts';

const WORDS = 4;
const FIRST_SLOTS = 1 << 10;
/** Slots filled before the table grows. */
const FILL = 0.6;

/** A slot's state. A cleared mark keeps its slot, so that others are still found behind it. */
const EMPTY = 0;
const MARKED = 1;
const CLEARED = 2;

/**
 * A set of locations as 128-bit digests: 28 to 57 bytes each whatever their length, so that a million fits where their texts
 * would not. Locations are compared in one spelling. Two with one digest count as one: clearing one clears both,
 * and a file that should have gone stays, never the other way round.
 */
export class LocationMarks {
  #words = new Uint32Array(FIRST_SLOTS * WORDS);
  #states = new Uint8Array(FIRST_SLOTS);
  #used = 0;
  #marked = 0;

  /** How many are marked. */
  get size(): number {
    return this.#marked;
  }

  /** True if the location was not known yet. One that was cleared stays cleared. */
  add(location: string): boolean {
    if (this.#used >= this.#states.length * FILL) this.#grow();
    const digest = digestOf(location);
    const slot = this.#slotOf(digest);
    if (this.#states[slot] !== EMPTY) return false;
    this.#words.set(digest, slot * WORDS);
    this.#states[slot] = MARKED;
    this.#used += 1;
    this.#marked += 1;
    return true;
  }

  clear(location: string): void {
    const slot = this.#slotOf(digestOf(location));
    if (this.#states[slot] !== MARKED) return;
    this.#states[slot] = CLEARED;
    this.#marked -= 1;
  }

  has(location: string): boolean {
    return this.#states[this.#slotOf(digestOf(location))] === MARKED;
  }

  /** The slot of a digest, or the empty one where it would stand. */
  #slotOf(digest: Uint32Array): number {
    const last = this.#states.length - 1;
    for (let slot = digest[0]! & last; ; slot = (slot + 1) & last) {
      if (this.#states[slot] === EMPTY || this.#isAt(slot, digest)) return slot;
    }
  }

  #isAt(slot: number, digest: Uint32Array): boolean {
    const at = slot * WORDS;
    for (let word = 0; word < WORDS; word++) if (this.#words[at + word] !== digest[word]) return false;
    return true;
  }

  #grow(): void {
    const [words, states] = [this.#words, this.#states];
    this.#words = new Uint32Array(words.length * 2);
    this.#states = new Uint8Array(states.length * 2);
    for (let slot = 0; slot < states.length; slot++) {
      const state = states[slot]!;
      if (state === EMPTY) continue;
      const digest = words.subarray(slot * WORDS, (slot + 1) * WORDS);
      const to = this.#slotOf(digest);
      this.#words.set(digest, to * WORDS);
      this.#states[to] = state;
    }
  }
}

function digestOf(location: string): Uint32Array {
  const bytes = hash('sha256', normalLocation(location), 'buffer');
  return Uint32Array.from({ length: WORDS }, (_, word) => bytes.readUInt32LE(word * 4));
}
