import type { Materialisation, ModelFile } from './model-file.ts';

export const LAYERS = ['bronze', 'silver', 'gold'] as const;
export type Layer = (typeof LAYERS)[number];

/** A model: one SELECT whose result is the table `layer.name`. */
export interface Model {
  readonly layer: Layer;
  readonly name: string;
  /** `layer.name`, the table it fills. */
  readonly id: string;
  readonly sql: string;
  /** The SQL's path as shown in messages. */
  readonly sqlFile: string;
  readonly file: ModelFile;
  readonly materialisation: Materialisation;
  /** Changes when the SQL, what it writes, or the engine that runs it changes. */
  readonly fingerprint: string;
}
