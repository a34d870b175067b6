import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

/** Compiles the kernels and writes them as a module, which is found alike from dist, by tsx and by the tests. */
const source = 'shared/model/kernels/assembly/index.ts';
const target = 'shared/model/kernels/binary.ts';

const directory = mkdtempSync(join(tmpdir(), 'parley-kernels-'));
const common = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--use', 'abort='];

/** One binary in base64; `features` are those of the processor that not every Node offers. */
async function compile(features) {
  const binary = join(directory, 'kernels.wasm');
  const { error, stderr } = await asc.main([source, ...common, ...features, '--outFile', binary]);
  if (error) {
    process.stderr.write(stderr.toString());
    process.exit(1);
  }
  return readFileSync(binary).toString('base64');
}

const plain = await compile([]);
const fused = await compile(['--enable', 'relaxed-simd']);
rmSync(directory, { recursive: true });
writeFileSync(
  target,
  `/** Made by \`npm run build\` from assembly/; not in git. */
export const plainKernels =
  '${plain}';

/** The same with one rounding for a product and its sum: relaxed SIMD, Node 22 and later. */
export const fusedKernels =
  '${fused}';
`,
);
