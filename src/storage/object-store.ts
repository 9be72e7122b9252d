/** What a store knows of an object. */
export interface ObjectHead {
  /** Full location: `file:///…`, `memory://…` or `s3://bucket/key`. Never percent-decoded. */
  readonly location: string;
  /** Bytes. */
  readonly size: number;
  readonly lastModifiedMs: number;
  /** Changes whenever the content does. */
  readonly etag: string;
  /** A checksum over the whole object that the store itself computed, as `<algorithm>:<value>`; not every store keeps one. */
  readonly checksum?: string;
  /** For an object of an archive class alone: whether its bytes can be read. A thawed one freezes again after some days. */
  readonly archive?: 'frozen' | 'thawing' | 'thawed';
}

/** How the bytes of an archived object are made readable. */
export interface ThawOptions {
  /** Days that they stay so. */
  readonly days: number;
  /** The quicker, the dearer; minutes, hours, or half a day. */
  readonly speed: 'expedited' | 'standard' | 'bulk';
}

export interface CopyOptions {
  /** The storage class of the new object, where the store has such; else the store's default. */
  readonly storageClass?: string;
}

export interface PutOptions extends CopyOptions {
  /** `absent`: fail with `already-exists` if the object is there. An etag: fail with `conflict` unless it is current. */
  readonly if?: 'absent' | { readonly etag: string };
}

/**
 * Objects addressed by location. A put or copy is all or nothing, and durable when it returns. Errors: `not-found`, `already-exists`,
 * `conflict`, `unavailable` (disk full, no permission, no answer).
 */
export interface ObjectStore {
  /** Bytes [start, end) of an object; the whole without a range. A range past the end is cut off there. */
  get(location: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array>;
  /** The object as chunks, in order. */
  stream(location: string): AsyncIterable<Uint8Array>;
  put(location: string, bytes: Uint8Array, options?: PutOptions): Promise<ObjectHead>;
  /** Puts a new object from chunks in bounded memory. Fails with `already-exists` if it is there. */
  upload(location: string, chunks: AsyncIterable<Uint8Array>, options?: CopyOptions): Promise<ObjectHead>;
  /** Copy to a new object with its own age, on the server's side where it can; never a link. Fails with `already-exists` if `to` is there. */
  copy(from: string, to: string, options?: CopyOptions): Promise<ObjectHead>;
  head(location: string): Promise<ObjectHead>;
  exists(location: string): Promise<boolean>;
  /** All objects whose location starts with `prefix`, in the order of their names, page by page. */
  list(prefix: string, options?: { readonly pageSize?: number }): AsyncIterable<readonly ObjectHead[]>;
  /** Deletes objects; ones that are gone already are fine. */
  delete(locations: readonly string[]): Promise<void>;
  /** Asks the store to make an archived object readable for a time; `head` tells when it is. Asked again, or for any other object, it does no harm. */
  restore(location: string, options: ThawOptions): Promise<void>;
  /** SHA-256 of an object's bytes in hex. */
  checksum(location: string): Promise<string>;
}
