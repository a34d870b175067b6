import { expect, test } from 'vitest';
import { modelCache } from '../../../client/models.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { layoutOf } from '../../../shared/model/layout.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { encodedModel } from '../../../shared/protocol/payloads.ts';
import { refusalOf } from '../../support/temporary.ts';

const spec = ModelSpec.parse({ inputShape: [2], output: { type: 'sigmoid' } });
const file = encodedModel(new Float32Array([0.5, -1, 2]), spec, layoutOf(spec));
const model = { spec, sha256: sha256(file), sizeBytes: file.length };
const choice = { provider: 'auto', backend: 'auto' } as const;
const ignored = (): void => undefined;

test('a model is fetched once, and again when another one was fetched in between', async () => {
  const fetched: string[] = [];
  const other = encodedModel(new Float32Array([1, 1, 1]), spec, layoutOf(spec));
  const files = new Map([file, other].map((bytes) => [sha256(bytes), bytes]));
  const fetch = (blob: { sha256: typeof model.sha256 }): Promise<Uint8Array> => {
    fetched.push(blob.sha256);
    return Promise.resolve(files.get(blob.sha256) ?? new Uint8Array(0));
  };
  const models = modelCache(fetch, choice, ignored);
  expect([...(await models.parameters(model))]).toEqual([0.5, -1, 2]);
  await models.parameters(model);
  await models.parameters({ spec, sha256: sha256(other), sizeBytes: other.length });
  await models.parameters(model);
  expect(fetched).toEqual([sha256(file), sha256(other), sha256(file)]);
});

test('a file larger than the specification can fill is refused before it is fetched', async () => {
  const models = modelCache(() => Promise.reject(new Error('fetched')), choice, ignored);
  const refusal = await refusalOf(models.parameters({ ...model, sizeBytes: 1_000_000_000 }));
  expect(refusal).toMatchObject({ code: 'MODEL_INVALID' });
});

test('a trainer is built once for a specification and a defence, and says what it is', async () => {
  const said: string[] = [];
  const models = modelCache(
    () => Promise.resolve(file),
    choice,
    (text) => said.push(text),
  );
  expect(await models.trainer(spec, none)).toBe(await models.trainer({ ...spec }, { ...none }));
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('WebAssembly');
  const words = ModelSpec.parse({
    inputShape: [2],
    layers: [{ type: 'embedding', vocabularySize: 3, units: 2 }, { type: 'flatten' }],
    output: { type: 'sigmoid' },
  });
  expect((await models.trainer(words, { type: 'dropout', rate: 0.5 })).provider).toBe('general');
  expect(said[1]).toContain('layer 0 (embedding) is not dense');
  await expect(models.trainer(words, { type: 'mixup', concentration: 0.2 })).rejects.toMatchObject({
    code: 'MODEL_INVALID',
  });
});

const none = { type: 'none' } as const;
