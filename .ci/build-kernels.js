import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

/** Compiles the kernels and writes them as a module, which is found alike from dist, by tsx and by the tests. */
const source = 'shared/model/kernels/assembly/index.ts';
const target = 'shared/model/kernels/binary.ts';

const directory = mkdtempSync(join(tmpdir(), 'parley-kernels-'));
const binary = join(directory, 'kernels.wasm');
const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--use', 'abort='];
const { error, stderr } = await asc.main([source, ...options, '--outFile', binary]);
if (error) {
  process.stderr.write(stderr.toString());
  process.exit(1);
}
const text = readFileSync(binary).toString('base64');
rmSync(directory, { recursive: true });
writeFileSync(
  target,
  `/** Made by \`npm run build\` from assembly/; not in git. */\nexport const kernelsBase64 =\n  '${text}';\n`,
);
