/**
 * Runs the task for each item, at most `parallelMax` at a time. After the first failure no further item is begun; it
 * is thrown when everything that was begun has ended, so that nobody works on what the caller then cleans up.
 */
export async function forEachBounded<T>(
  items: Iterable<T>,
  parallelMax: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  let isExhausted = false;
  const lane = async (): Promise<void> => {
    for (let next = rest.next(); !next.done && failure === undefined; next = rest.next()) {
      try {
        await task(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
    isExhausted = true;
  };
  const lanes: Promise<void>[] = [];
  while (lanes.length < parallelMax && !isExhausted) lanes.push(lane());
  await Promise.all(lanes);
  if (failure !== undefined) throw failure.error;
}
