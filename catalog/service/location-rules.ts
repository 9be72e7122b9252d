import { LakeError } from '../../src/errors.ts';
import { stripTrailingSlash } from '../../src/iceberg/table-metadata.ts';
import { PATH_PROPERTIES } from './own-locations.ts';
import { objectProblem, pathProblem, restBelow } from './place.ts';

/** What has a location and properties: a table's or a view's metadata. */
export interface Located {
  readonly location: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** A folder that metadata names, and how: `location` or a property. */
export interface NamedFolder {
  readonly named: string;
  readonly location: string;
}

/** Where files of tables and views may lie. */
export class LocationRules {
  readonly #roots: readonly string[];
  readonly #allowed: readonly string[];

  /**
   * @param roots the warehouse and the tiers: tables lie below them, never at them
   * @param allowed further prefixes, as lake.yaml allows them (`catalog.serve.allowed_locations`): a table may lie at one, too
   */
  constructor(roots: readonly string[], allowed: readonly string[]) {
    this.#roots = roots;
    this.#allowed = allowed;
  }

  /** Errors: `invalid-argument` for a folder that lies elsewhere, or whose path could be read in more than one way. */
  requireFolder({ named, location }: NamedFolder): void {
    const folder = stripTrailingSlash(location);
    const rest = this.#rest(folder);
    const problem = rest === null ? this.#elsewhere(folder) : rest === '' ? null : pathProblem(rest);
    if (problem === null) return;
    throw new LakeError('invalid-argument', `${named} ${JSON.stringify(location)} is refused: ${problem}`, {
      where: location,
      hint: `Nothing was changed: choose a location below ${this.#roots.join(' or ')}, or none (the catalog then makes one). Further prefixes stand in lake.yaml under catalog.serve.allowed_locations.`,
    });
  }

  /** As `requireFolder`, of an object below one. */
  requireFile(file: NamedFolder): void {
    if (file.location.endsWith('/')) throw outside(file);
    this.requireFolder(file);
  }

  /** True for an object below the warehouse, a tier or a further prefix: the catalog reads no others for a client. */
  allowsObject(location: string): boolean {
    return [...this.#roots, ...this.#allowed].some((prefix) => {
      const rest = restBelow(prefix, location);
      return rest !== null && objectProblem(rest) === null;
    });
  }

  /**
   * The table's folder in a tier, `<tier>/…/<name>-<uuid>`, if `location` lies below it; else null. The name is the table's at the time of
   * the move, so only the uuid tells.
   */
  tierFolder(uuid: string, location: string): string | null {
    for (const root of this.#roots) {
      const rest = restBelow(root, location);
      if (rest === null || objectProblem(rest) !== null) continue;
      const names = rest.split('/');
      const at = names.findIndex((name) => name.endsWith(`-${uuid}`));
      if (at !== -1 && at < names.length - 1) {
        return location.slice(0, location.length - names.slice(at + 1).join('/').length - 1);
      }
    }
    return null;
  }

  /** What lies below the nearest allowed prefix; '' at one that tables may lie at; null elsewhere. */
  #rest(folder: string): string | null {
    if (this.#roots.some((root) => restBelow(root, folder) === '')) return null;
    for (const prefix of [...this.#roots, ...this.#allowed]) {
      const rest = restBelow(prefix, folder);
      if (rest !== null) return rest;
    }
    return null;
  }

  #elsewhere(folder: string): string {
    if (folder === '') return 'it is empty';
    if (this.#roots.some((root) => restBelow(root, folder) === '')) {
      return 'it is the warehouse or a tier itself, where all tables lie';
    }
    return 'it lies outside of the warehouse, the tiers and what else is allowed';
  }
}

/** The folders that metadata names. */
export function foldersOf({ location, properties }: Located): readonly NamedFolder[] {
  const named = PATH_PROPERTIES.flatMap((name) => {
    const path = properties[name];
    return path === undefined ? [] : [{ named: name, location: path }];
  });
  return [{ named: 'location', location }, ...named];
}

/** True for an object below one of the folders, by a path that can be read in one way only. */
export function liesBelow(folders: readonly NamedFolder[], location: string): boolean {
  return folders.some((folder) => {
    const rest = restBelow(stripTrailingSlash(folder.location), location);
    return rest !== null && objectProblem(rest) === null;
  });
}

export function outside({ named, location }: NamedFolder): LakeError {
  return new LakeError(
    'invalid-argument',
    `The ${named} ${location} lies outside of the table's own folders`,
    {
      where: location,
      hint: "Nothing was changed: a table's metadata lies below its location, write.data.path, write.metadata.path or its folder in a tier.",
    },
  );
}
