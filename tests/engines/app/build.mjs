// Bundles an entry module: node build.mjs esbuild|vite|webpack ENTRY FOLDER
import path from 'node:path';

const [bundler, entry, folder] = process.argv.slice(2);
const name = path.basename(entry).replace(/\.[jt]s$/, '');

const bundlers = {
  async esbuild() {
    const { build } = await import('esbuild');
    await build({
      entryPoints: { [name]: entry }, outdir: folder, bundle: true, format: 'esm',
      splitting: true, minify: true, target: 'es2020', logLevel: 'error',
      nodePaths: ['node_modules'],
    });
  },
  async vite() {
    const { build } = await import('vite');
    await build({
      configFile: false, logLevel: 'error', root: path.dirname(entry), base: './',
      build: {
        outDir: folder, emptyOutDir: false, minify: true, modulePreload: false,
        rollupOptions: {
          input: { [name]: entry },
          output: { entryFileNames: '[name].js', format: 'es' },
        },
      },
    });
  },
  async webpack() {
    const { default: webpack } = await import('webpack');
    const compiler = webpack({
      mode: 'production', entry: { [name]: entry },
      output: { path: folder, filename: '[name].js' }, performance: { hints: false },
    });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((error, result) => (error ? reject(error) : resolve(result)));
    });
    if (stats.hasErrors() || stats.hasWarnings()) {
      throw new Error(stats.toString('errors-warnings'));
    }
  },
};

await bundlers[bundler]();
