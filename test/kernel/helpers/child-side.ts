/** The child's end of `ChildDaemon`: settings, commands by name, and an end when the parent ends. */

export type Commands = Readonly<Record<string, (fields: Record<string, unknown>) => unknown>>;

/** What the parent passed as `settings`. */
export function settings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Answers commands until the parent is gone; then `cleanUp` runs (it must not wait on the mount) and the process ends. */
export function serveCommands(commands: Commands, cleanUp: () => void): void {
  process.on('message', (message: { id: number; command: string } & Record<string, unknown>) => {
    void answer(commands, message);
  });
  process.on('disconnect', () => {
    cleanUp();
    process.exit(0);
  });
  process.send?.({ type: 'ready' });
}

async function answer(
  commands: Commands,
  message: { id: number; command: string } & Record<string, unknown>,
): Promise<void> {
  const { id, command } = message;
  try {
    const run = commands[command];
    if (run === undefined) throw new Error(`unknown command ${command}`);
    process.send?.({ id, value: await run(message) });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
