// Serves the built application as adapter-node does: node serve.js PORT
process.env.PROTOCOL_HEADER = 'x-forwarded-proto';
process.env.HOST_HEADER = 'host';
process.env.HOST = '127.0.0.1';
[, , process.env.PORT] = process.argv;

await import('./build/index.js');
process.stdin.on('end', () => process.exit()).resume(); // the tests have ended
