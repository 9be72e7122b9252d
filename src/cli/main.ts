#!/usr/bin/env node
import { runCli } from './program.ts';
import { processTerminal, whenReaderGone } from './terminal.ts';

// What runs on a server for a reader that is gone is stopped first, as by Ctrl-C.
whenReaderGone(() => {
  if (!process.emit('SIGINT', 'SIGINT')) process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), processTerminal());
