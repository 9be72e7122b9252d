/** What an operation took (seconds), and what it failed with. */
export type Observe = (operation: string, seconds: number, error: unknown) => void;

/** `target` with the time of each of its operations observed, by the name of the method. Streams count to their end. */
export function timed<T extends object>(target: T, observe: Observe): T {
  const wrapped = new Map<string, unknown>();
  return new Proxy(target, {
    get(inner, name) {
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      const known = wrapped.get(name);
      if (known !== undefined) return known;
      const call = (...args: readonly unknown[]): unknown => {
        const end = startOf(name, observe);
        return followed(Reflect.apply(value, inner, args), end);
      };
      wrapped.set(name, call);
      return call;
    },
  });
}

type End = (error?: unknown) => void;

function startOf(operation: string, observe: Observe): End {
  const started = performance.now();
  return (error) => observe(operation, (performance.now() - started) / 1000, error);
}

function followed(result: unknown, end: End): unknown {
  if (result instanceof Promise) {
    return result.then(
      (value: unknown) => {
        end();
        return value;
      },
      (error: unknown) => {
        end(error);
        throw error;
      },
    );
  }
  if (isStream(result)) return followedStream(result, end);
  return result;
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

async function* followedStream(chunks: AsyncIterable<unknown>, end: End): AsyncIterable<unknown> {
  try {
    yield* chunks;
  } catch (error) {
    end(error);
    throw error;
  }
  end();
}
