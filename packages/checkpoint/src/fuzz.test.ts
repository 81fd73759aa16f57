/*
 * Malformed files made out of sound ones, by changes that know the format and by changes that do not. Each must load
 * and be what it says, or end in CHECKPOINT_FORMAT; and nothing may be asked for that the file does not hold: what a
 * source is asked for is what is allocated.
 */
import { MambaError } from '@mamba-ts/backend';
import { describe, expect, test } from 'vitest';
import { file } from '../test/helpers.js';
import { encodeSafetensors } from './encode.js';
import { openCheckpoint } from './open-checkpoint.js';
import { readJson } from './read-json.js';
import type { Source } from './source.js';
import { memorySource } from './sources/memory.js';

/** A seeded generator, so that a failure comes back: mulberry's mixing of a counter. */
function random(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return { below, pick: <T>(items: readonly T[]): T => items[below(items.length)] };
}
type Random = ReturnType<typeof random>;

const f32 = (shape: number[]) => {
  const n = shape.reduce((a, b) => a * b, 1);
  return { dtype: 'f32', shape, data: new Float32Array(n).map((_, i) => i) } as const;
};
const SOUND = [
  encodeSafetensors({ a: f32([2, 3]), b: f32([4]), c: f32([]), empty: f32([0, 7]) }, { format: 'pt' }),
  encodeSafetensors({
    'backbone.layers.0.mixer.A_log': { dtype: 'bf16', shape: [3, 2], data: new Uint16Array(6) },
    ids: { dtype: 'i64', shape: [2], data: BigInt64Array.of(1n, -1n) },
    mask: { dtype: 'bool', shape: [5], data: Uint8Array.of(1, 0, 1, 0, 1) },
    'é😀': { dtype: 'f64', shape: [1, 1, 1], data: Float64Array.of(1) },
  }),
  encodeSafetensors(Array.from({ length: 30 }, (_, i) => [`layers.${i}.weight`, f32([i % 4, 3])] as const)),
];

interface Entry {
  dtype: unknown;
  shape: unknown[];
  data_offsets: unknown[];
}

/** Values that trip readers: signs, fractions, overflows, other types. */
const ODD_VALUES = [
  ...[-1, 0, 1, 3, 7, 0.5, 1e300, 2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53, -(2 ** 63)],
  ...[null, true, '', '4', [], {}, [[]], { length: 1 }, '__proto__'],
];

function split(bytes: Uint8Array) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return {
    header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, Entry>,
    data: bytes.subarray(8 + length),
  };
}

/** Changes of the header that leave it JSON. */
function changeEntry(bytes: Uint8Array, { below, pick }: Random): Uint8Array {
  const { header, data } = split(bytes);
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  const entry = header[pick(names)];
  const odd = () => pick(ODD_VALUES);
  pick([
    () => (entry.dtype = pick(['F64', 'F16', 'U8', 'I64', 'F4', 'F8_E4M3', 'f32', 'X', odd()])),
    () => (entry.shape[below(entry.shape.length + 1)] = odd()),
    () =>
      (entry.shape = pick([
        [],
        [0],
        [2 ** 32, 2 ** 32],
        new Array(1000).fill(1),
        [...entry.shape, 1],
        odd() as unknown[],
      ])),
    () => (entry.data_offsets[below(2)] = odd()),
    () =>
      (entry.data_offsets = entry.data_offsets.map(
        (at) => Number(at) + pick([-8, -4, -1, 1, 4, 8, 2 ** 40]),
      )),
    () => entry.data_offsets.reverse(),
    () => (entry.data_offsets = odd() as unknown[]),
    () => Object.assign(header, { copy: entry }),
    () => delete header[pick(names)],
    () => delete (entry as unknown as Record<string, unknown>)[pick(['dtype', 'shape', 'data_offsets'])],
    () => (header[pick(names)] = odd() as never),
    () => (header.__metadata__ = pick([{ a: odd() }, odd()]) as never),
    () =>
      ([header[names[0]], header[names[names.length - 1]]] = [
        header[names[names.length - 1]],
        header[names[0]],
      ]),
    () => Object.assign(entry, { unknown: odd() }),
  ])();
  return file(header, data);
}

/** Changes of the header's text. */
function changeText(bytes: Uint8Array, { below, pick }: Random): Uint8Array {
  const { header, data } = split(bytes);
  const text = JSON.stringify(header);
  const at = below(text.length);
  const changed = pick([
    () => text.slice(0, at),
    () => text.slice(0, at) + text.slice(at + 1 + below(8)),
    () =>
      text.slice(0, at) +
      pick([...'{}[]":,0-.e\\ \n\0é', '\ud800', '{"a":', '[[[[[[[[', 'NaN', '1e999']) +
      text.slice(at),
    () => text.slice(0, -1) + text.replace('{', ','),
    () => text.replaceAll('"shape"', pick(['"dtype"', '"Shape"', '"__proto__"'])),
    () =>
      text.replace(
        /\d+/,
        pick(['-0', '00', '1.0', '1e1', '0x1', '99999999999999999999', '9007199254740993']),
      ),
    () => text.replace(/"(\w)/, pick(['"\\u0061$1', '"__proto__$1', "'$1", '"\\x$1'])),
    () =>
      pick(['', ' ', '[]', 'null', '"x"', '{}', `${text}${text}`, ` ${text}`, `${text}   `, `\ufeff${text}`]),
  ])();
  return file(changed, data);
}

/** Changes of the length in front, and of the end. */
function changeFrame(bytes: Uint8Array, { below, pick }: Random): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const length = view.getBigUint64(0, true);
  const near = [length - 1n, length + 1n, length + 8n, BigInt(bytes.length)];
  const lengths = [...near, 0n, 1n, 2n, 10n ** 8n, 10n ** 8n + 1n, 2n ** 53n, 2n ** 64n - 1n];
  return pick([
    () => {
      view.setBigUint64(0, pick(lengths), true);
      return copy;
    },
    () => copy.subarray(0, below(copy.length)),
    () => copy.subarray(below(16)),
    () => Uint8Array.from([...copy, ...new Uint8Array(1 + below(16))]),
  ])();
}

/** Changes that know nothing of the format. */
function changeBytes(bytes: Uint8Array, { below, pick }: Random): Uint8Array {
  const copy = bytes.slice();
  const count = pick([1, 1, 2, 10, 100]);
  const end = pick([16, copy.length]);
  for (let i = 0; i < count; i++) copy[below(end)] = pick([0, 0xff, 0x7b, 0x22, 0x39, below(256)]);
  return copy;
}

/**
 * The rules of the format in the plainest form, on JSON.parse: what it calls unsound must not load. (It is more
 * lenient: it cannot see a name that occurs twice, or 1e0 for 1.)
 */
function isSound(bytes: Uint8Array): boolean {
  try {
    const { header, data } = split(bytes);
    const { __metadata__: metadata = {}, ...entries } = header;
    if (metadata === null || typeof metadata !== 'object' || Array.isArray(metadata)) return false;
    if (!Object.values(metadata).every((value) => typeof value === 'string')) return false;
    const bits = { BOOL: 8, U8: 8, I8: 8, F8_E4M3: 8, F4: 4, F16: 16, BF16: 16, F32: 32, F64: 64, I64: 64 };
    let end = 0;
    for (const entry of Object.values(entries).sort(byOffsets)) {
      const width = bits[entry.dtype as keyof typeof bits];
      const size = (entry.shape as number[]).reduce((a, b) => a * b, width);
      const whole = [...entry.shape, ...entry.data_offsets].every(
        (n) => Number.isSafeInteger(n) && Number(n) >= 0,
      );
      if (!whole || entry.data_offsets.length !== 2 || entry.data_offsets[0] !== end) return false;
      end = entry.data_offsets[1] as number;
      if (8 * (end - (entry.data_offsets[0] as number)) !== size) return false;
    }
    return end === data.length;
  } catch {
    return false;
  }
}
const byOffsets = (a: Entry, b: Entry) => {
  const [x, y] = [a.data_offsets as number[], b.data_offsets as number[]];
  return x[0] - y[0] || x[1] - y[1];
};

/** The source, refusing what its files do not hold, and counting what is asked for. */
function counting(source: Source): Source & { asked: number } {
  const counted = {
    ...source,
    asked: 0,
    async read(...[path, range, ...rest]: Parameters<Source['read']>) {
      const size = await source.size(path);
      expect(range?.end ?? size).toBeLessThanOrEqual(size);
      const bytes = await source.read(path, range, ...rest);
      counted.asked += bytes.length;
      return bytes;
    },
  };
  return counted;
}

/** Loads everything. True if it loaded, false for CHECKPOINT_FORMAT; all else throws. */
async function loads(files: Record<string, Uint8Array>): Promise<boolean> {
  const source = counting(memorySource(files));
  const size = Object.values(files).reduce((sum, { length }) => sum + length, 0);
  try {
    const checkpoint = await openCheckpoint(source);
    for (const [name, { shape, bytes }] of checkpoint.tensors) {
      const tensor = await checkpoint.read(name);
      expect(tensor.data.byteLength).toBe(bytes);
      expect(tensor.shape).toEqual(shape);
    }
    return true;
  } catch (error) {
    if (!(error instanceof MambaError)) throw error;
    expect(error.code).toBe('CHECKPOINT_FORMAT');
    expect(error.message).toMatch(/^[\w.-]+: ./s);
    expect(error.message.length).toBeLessThan(600);
    return false;
  } finally {
    expect(source.asked).toBeLessThanOrEqual(size);
  }
}

describe('files made out of sound ones', () => {
  const changes = { changeEntry, changeText, changeFrame, changeBytes };
  test.each(Object.entries(changes))('%s: 250 of them load or are refused', async (_, change) => {
    const outcomes = { loaded: 0, refused: 0 };
    for (let seed = 0; seed < 250; seed++) {
      const dice = random(seed);
      const bytes = change(dice.pick(SOUND), dice);
      try {
        const loaded = await loads({ 'model.safetensors': bytes });
        if (loaded) expect(isSound(bytes)).toBe(true);
        outcomes[loaded ? 'loaded' : 'refused']++;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(outcomes.refused).toBeGreaterThan(50);
    expect(outcomes.loaded + outcomes.refused).toBe(250);
  });

  test('every truncation is refused', async () => {
    const [bytes] = SOUND;
    for (let end = 0; end < bytes.length; end++) {
      expect(await loads({ 'model.safetensors': bytes.subarray(0, end) })).toBe(false);
    }
  });

  test('memory stays in the class of the file', async () => {
    // Headers that promise much: a length, a shape, offsets.
    const promises = [
      file('{}', 0, 99_999_999n),
      file({ a: { dtype: 'F64', shape: [2 ** 40], data_offsets: [0, 2 ** 43] } }, 8),
      file({ a: { dtype: 'F64', shape: [2 ** 26], data_offsets: [0, 2 ** 29] } }, 8),
    ];
    const before = process.memoryUsage().arrayBuffers;
    for (const bytes of promises) expect(await loads({ 'model.safetensors': bytes })).toBe(false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});

test('indices made out of a sound one: 250 load or are refused', async () => {
  const shards = { 'x-1.safetensors': SOUND[0], 'x-2.safetensors': SOUND[1] };
  const sound = JSON.stringify({
    metadata: { total_size: 100 },
    weight_map: {
      a: 'x-1.safetensors',
      b: 'x-1.safetensors',
      ids: 'x-2.safetensors',
      mask: 'x-2.safetensors',
    },
  });
  const index = (text: string) => ({
    ...shards,
    'model.safetensors.index.json': new TextEncoder().encode(text),
  });
  expect(await loads(index(sound))).toBe(true);
  let refused = 0;
  for (let seed = 0; seed < 250; seed++) {
    const { below, pick } = random(seed);
    const at = below(sound.length);
    const changed = pick([
      () => sound.slice(0, at),
      () =>
        sound.slice(0, at) + pick([...'{}[]":,0\\ /.', '../', 'NaN', '\ud800']) + sound.slice(at + below(2)),
      () =>
        sound.replace(
          /x-\d/,
          pick(['../x-1', '/x-1', 'x-3', '', 'x-2', '..\\\\x-1', 'file:///x-1', 'a/../x-1']),
        ),
      () => sound.replace(/"x-1.safetensors"/, JSON.stringify(pick(ODD_VALUES))),
      () => sound.replace('"a"', pick(['"b"', '"__proto__"', '"\\u0062"', 'a', '1'])),
    ])();
    if (!(await loads(index(changed)))) refused++;
  }
  expect(refused).toBeGreaterThan(50);
});

test('configurations made out of a sound one: 250 are read or refused', async () => {
  const sound =
    '{"model_type": "mamba", "time_step_limit": [0.0, Infinity], "x": {"y": [true, null, -1.5e-3, "é"]}}';
  let refused = 0;
  for (let seed = 0; seed < 250; seed++) {
    const { below, pick } = random(seed);
    const bytes = new TextEncoder().encode(sound);
    for (let i = pick([1, 1, 3]); i > 0; i--)
      bytes[below(bytes.length)] = pick([...'{}[]":,0\\ eN-', '\xff']).charCodeAt(0);
    const content = pick([bytes, bytes.subarray(0, below(bytes.length))]);
    try {
      await readJson(memorySource({ 'config.json': content }), 'config.json');
    } catch (error) {
      expect(error).toBeInstanceOf(MambaError);
      expect((error as MambaError).code).toBe('CHECKPOINT_FORMAT');
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(50);
});
