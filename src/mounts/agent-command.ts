/** What to run as the mount agent: dunnage-agent or, where the native parts were not built, its stand-in. */
import { fileURLToPath } from 'node:url';
import { DunnageError } from '../errors/dunnage-error.ts';
import { agentProgramPath } from '../native/programs.ts';

export interface AgentCommand {
  readonly programPath: string;
  /** In front of the base directory. */
  readonly programArguments: readonly string[];
}

export function agentCommand(builtProgram: () => string = agentProgramPath): AgentCommand {
  try {
    return { programPath: builtProgram(), programArguments: [] };
  } catch (error) {
    if (!(error instanceof DunnageError) || error.code !== 'MISSING_DEPENDENCY') throw error;
    const program = fileURLToPath(new URL('./agent-program.js', import.meta.url));
    return { programPath: process.execPath, programArguments: [program] };
  }
}
