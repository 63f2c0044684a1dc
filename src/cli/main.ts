#!/usr/bin/env node
/** Entry of the command line: runs the program, prints what went wrong, sets the exit code. */
import { runCommandLine } from './run-command-line.ts';

process.exitCode = await runCommandLine(process.argv.slice(2));
