/** Which cells of a column being built are there, as Arrow's bitmap. Grows with the column. */
export class Validity {
  #bits = new Uint8Array(8);
  #nulls = 0;
  #length = 0;

  /** Bytes held. */
  get bytes(): number {
    return this.#bits.length;
  }

  get nulls(): number {
    return this.#nulls;
  }

  add(valid: boolean): void {
    const at = this.#length++;
    if (at >> 3 >= this.#bits.length) this.#grow(at + 1);
    if (valid) this.#bits[at >> 3]! |= 1 << (at & 7);
    else this.#nulls++;
  }

  /** `count` cells that are all there. */
  addValid(count: number): void {
    const end = this.#length + count;
    this.#grow(end);
    let at = this.#length;
    for (; at < end && (at & 7) !== 0; at++) this.#bits[at >> 3]! |= 1 << (at & 7);
    const whole = (end - at) >> 3;
    if (whole > 0) this.#bits.fill(0xff, at >> 3, (at >> 3) + whole);
    for (at += Math.max(0, whole) * 8; at < end; at++) this.#bits[at >> 3]! |= 1 << (at & 7);
    this.#length = end;
  }

  /** The bitmap, absent if nothing is null. */
  bitmap(): Uint8Array | undefined {
    return this.#nulls === 0 ? undefined : this.#bits.subarray(0, (this.#length + 7) >> 3);
  }

  #grow(cells: number): void {
    const needed = (cells + 7) >> 3;
    if (needed <= this.#bits.length) return;
    const bits = new Uint8Array(Math.max(needed, this.#bits.length * 2));
    bits.set(this.#bits);
    this.#bits = bits;
  }
}
