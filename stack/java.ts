import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['/usr/lib/jvm', '/opt/java', '/Library/Java/JavaVirtualMachines'];

/** The home of a JDK of at least `version`: JAVA_HOME if it is one, else the newest where systems put them. Null if there is none. */
export function findJava(version: number, env: Readonly<Record<string, string | undefined>>): string | null {
  const candidates = [
    ...(env['JAVA_HOME'] === undefined ? [] : [env['JAVA_HOME']]),
    ...FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
      readdirSync(folder).flatMap((name) => [join(folder, name), join(folder, name, 'Contents/Home')]),
    ),
  ];
  const fit = candidates
    .map((home) => ({ home, version: versionOf(home) }))
    .filter((java) => java.version >= version && existsSync(join(java.home, 'bin/java')));
  const own = fit.find((java) => java.home === env['JAVA_HOME']);
  return (own ?? fit.sort((a, b) => b.version - a.version)[0])?.home ?? null;
}

/** The major version, as the JDK's `release` file tells it; 0 if there is none. */
function versionOf(home: string): number {
  const file = join(home, 'release');
  if (!existsSync(file)) return 0;
  return Number(/^JAVA_VERSION="(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
}
