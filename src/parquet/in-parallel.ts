/** Does each work once, at most `width` at a time, and starts no more after a failure. Throws the first failure when none is under way any more. */
export async function inParallel<T>(
  works: readonly T[],
  width: number,
  run: (work: T) => Promise<void>,
): Promise<void> {
  const queue = works.values();
  const failed: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const work of queue) {
      if (failed.length > 0) return;
      await run(work).catch((error: unknown) => failed.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (failed.length > 0) throw failed[0];
}
