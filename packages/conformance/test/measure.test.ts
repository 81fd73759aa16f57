import { expect, test } from 'vitest';
import { measure } from '../src/index.js';
import { createMinimalBackend } from './minimal-backend.js';

const OPS = ['selectiveScan', 'selectiveScanStep', 'linear'] as const;

test('measures every numeric check, within tolerance, on a backend that is right', async () => {
  const found = await measure(await createMinimalBackend(), await createMinimalBackend(), { ops: OPS });
  expect(found.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
  const groups = new Set(found.map(({ group }) => group));
  for (const group of ['official figures', 'against the oracle', 'identities'])
    expect(groups).toContain(group);
  expect(new Set(found.map(({ dtype }) => dtype))).toEqual(new Set(['f64', 'f32']));
  const slice = found.find((one) => one.case === 'mamba130m_slice' && one.dtype === 'f32')!;
  expect(slice).toMatchObject({ op: 'selectiveScan', kind: 'forward', tolerance: 1e-5 });
  // Rounded to f32 somewhere: neither exact nor far off.
  expect(slice.error).toBeGreaterThan(1e-9);
  expect(slice.error).toBeLessThan(1e-6);
});

test('reports errors over the tolerance instead of throwing, and an op that throws as an infinite one', async () => {
  const backend = await createMinimalBackend();
  const { ops } = backend;
  const selectiveScan: typeof ops.selectiveScan = (inputs) => {
    if (inputs.seqIdx) throw new Error('a bug');
    return ops.selectiveScan({ ...inputs, D: undefined });
  };
  const broken = { ...backend, ops: { selectiveScan } as unknown as typeof ops };
  const options = { ops: ['selectiveScan'], dtypes: ['f32'], runs: 1, maxLength: 64 } as const;
  const found = await measure(broken, await createMinimalBackend(), options);
  const of = (name: string) => found.filter((one) => one.case === name)[0];
  expect(of('skip D').error).toBeGreaterThan(0.01);
  expect(of('softplus').error).toBeLessThan(1e-6);
  expect(of('selectiveScan: seqIdx')).toMatchObject({ error: Number.POSITIVE_INFINITY, detail: 'a bug' });
});

test('tolerances can be given', async () => {
  const [backend, oracle] = [await createMinimalBackend(), await createMinimalBackend()];
  const tolerance = { f32: { forward: 1e-3 } };
  const found = await measure(backend, oracle, { ops: ['linear'], dtypes: ['f32'], runs: 1, tolerance });
  expect(new Set(found.map((one) => one.tolerance))).toEqual(new Set([1e-3]));
});

test('maxLength leaves longer figures out', async () => {
  const [backend, oracle] = [await createMinimalBackend(), await createMinimalBackend()];
  const options = { ops: ['selectiveScan'], dtypes: ['f32'], runs: 1 } as const;
  const short = await measure(backend, oracle, { ...options, maxLength: 17 });
  const long = await measure(backend, oracle, options);
  const official = (found: typeof short) => found.filter(({ group }) => group === 'official figures').length;
  expect(official(short)).toBeGreaterThan(10);
  expect(official(short)).toBeLessThan(official(long));
});
