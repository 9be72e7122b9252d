#!/usr/bin/env node
import { runCli } from './program.ts';
import { processTerminal } from './terminal.ts';

// A reader that has seen enough (`lake sql … | head`) closes the pipe: that is no failure of ours. What runs on a server is stopped first, as by Ctrl-C.
let isRead = true;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (isRead && !process.emit('SIGINT')) process.exit(0);
  isRead = false;
});

process.exitCode = await runCli(process.argv.slice(2), processTerminal());
