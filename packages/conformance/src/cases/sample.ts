import fc from 'fast-check';
import { type HostTensor, hostF32, hostI32 } from '../host.js';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { type Family, seed, table } from './family.js';

interface Settings {
  temperature: number;
  topK?: number;
  topP?: number;
  minP?: number;
  vocabulary?: number;
}

/** The definition, by sorting: ids that can be drawn with their weights, in the order of ids. */
function candidates(logits: readonly number[], settings: Settings): [id: number, weight: number][] {
  const { temperature, topK = 0, topP = 1, minP = 0 } = settings;
  const sorted = logits.map((logit, id) => ({ logit, id })).sort((a, b) => b.logit - a.logit || a.id - b.id);
  const kept = (topK > 0 ? sorted.slice(0, topK) : sorted).map(({ logit, id }): [number, number] => [
    id,
    Math.exp((logit - sorted[0].logit) / temperature),
  ]);
  const total = kept.reduce((sum, [, weight]) => sum + weight, 0);
  let mass = 0;
  const nucleus =
    topP < 1
      ? kept.filter(([, weight]) => {
          const needed = mass < topP * total;
          mass += weight;
          return needed;
        })
      : kept;
  return nucleus.filter(([, weight]) => weight > 0 && weight >= minP).sort((a, b) => a[0] - b[0]);
}

/** Each row's number is moved to the middle of what gives its token: rounding does not decide. */
function sampleCase(
  name: string,
  logits: HostTensor,
  settings: Settings,
  numbers: readonly number[],
): OpCase {
  const [rows, columns] = logits.shape;
  const { temperature, vocabulary = columns } = settings;
  const [tokens, logprobs, uniform]: number[][] = [[], [], []];
  for (let r = 0; r < rows; r++) {
    const row = [...logits.data.subarray(r * columns, r * columns + vocabulary)];
    const top = row.reduce((a, b) => Math.max(a, b));
    const all = row.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
    let token = row.indexOf(top);
    let at = numbers[r];
    if (temperature > 0) {
      const choices = candidates(row, settings);
      const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
      let below = 0;
      for (const [id, weight] of choices) {
        token = id;
        at = (below + weight / 2) / total;
        below += weight;
        if (below > numbers[r] * total) break;
      }
    }
    tokens.push(token);
    logprobs.push(row[token] - top - Math.log(all));
    uniform.push(at);
  }
  return {
    op: 'sample',
    name,
    inputs: { logits, ...(temperature > 0 ? { uniform: hostF32(uniform, [rows]) } : {}), ...settings },
    expected: new Map([
      ['token', hostI32(tokens, [rows])],
      ['logprob', hostF32(logprobs, [rows])],
    ]),
  };
}

interface Row extends Settings {
  rows?: number;
  columns: number;
  /** Standard deviation of the logits: small is flat. */
  spread?: number;
}

const TABLE: Record<string, Row> = {
  greedy: { rows: 3, columns: 300, temperature: 0 },
  'greedy looks at nothing else': { rows: 3, columns: 33, temperature: 0, topK: 2, topP: 0.5, minP: 1 },
  'one id': { columns: 1, temperature: 1 },
  'temperature 1': { rows: 7, columns: 2000, temperature: 1 },
  'temperature 0.3': { rows: 7, columns: 33, temperature: 0.3 },
  'temperature 5': { rows: 7, columns: 257, temperature: 5 },
  'temperature all but 0': { rows: 2, columns: 300, temperature: 1e-38 },
  'temperature without end': { rows: 3, columns: 33, temperature: 1e60 },
  'ids behind the vocabulary do not exist': { rows: 5, columns: 64, vocabulary: 5, temperature: 3 },
  'top-k of 1': { rows: 3, columns: 2000, temperature: 1, topK: 1 },
  'top-k of 40': { rows: 5, columns: 5000, temperature: 0.8, topK: 40 },
  'top-k of many': { rows: 2, columns: 3000, temperature: 2, topK: 1500 },
  'top-k of all': { rows: 2, columns: 20, temperature: 2, topK: 20 },
  'top-p': { rows: 5, columns: 300, temperature: 1, topP: 0.9 },
  'top-p of a peaked distribution': { rows: 5, columns: 5000, spread: 4, temperature: 0.7, topP: 0.95 },
  'top-p of a flat distribution': { rows: 2, columns: 5000, spread: 0.3, temperature: 1, topP: 0.9 },
  'top-p that leaves one': { rows: 2, columns: 3000, temperature: 1, topP: 1e-9 },
  'min-p': { rows: 5, columns: 300, temperature: 1, minP: 0.1 },
  'min-p of 1': { rows: 2, columns: 300, temperature: 1, minP: 1 },
  'top-k, top-p and min-p': {
    rows: 6,
    columns: 4000,
    spread: 2,
    temperature: 0.9,
    topK: 100,
    topP: 0.8,
    minP: 0.05,
  },
  'greedy of many ids': { rows: 2, columns: 20001, temperature: 0 },
  'many ids': { rows: 3, columns: 20001, temperature: 0.9 },
  'top-k and top-p of many ids': { rows: 2, columns: 20001, temperature: 0.9, topK: 500, topP: 0.9 },
  'top-p of many ids': { columns: 20001, spread: 0.5, temperature: 1, topP: 0.95 },
};

const numbersOf = (draw: Draw, rows: number) => [...draw.uniform([rows], 0, 1).data];

/** Logits of few different values: what is cut between equals is the higher id. */
function ties(): OpCase[] {
  const rows = [
    [0, 2, 1, 2, 2, 1, 2, 0],
    [1, 1, 1, 1, 1, 1, 1, 1],
    [-1, 0, 0, -1, 0, -1, -1, -1],
  ];
  const logits = hostF32(rows.flat(), [3, 8]);
  const many = hostF32(
    Array.from({ length: 4096 }, (_, i) => (i * 7919) % 5),
    [1, 4096],
  );
  const numbers = [0.99, 0.99, 0.99];
  return [
    sampleCase('the first of equals', logits, { temperature: 0 }, numbers),
    sampleCase('top-k between equals', logits, { temperature: 1, topK: 3 }, numbers),
    sampleCase('top-p between equals', logits, { temperature: 1, topP: 0.3 }, numbers),
    sampleCase('top-k, then top-p between equals', logits, { temperature: 1, topK: 3, topP: 0.5 }, numbers),
    sampleCase('top-k between many equals', many, { temperature: 1, topK: 500 }, [0.999]),
    sampleCase('top-k between very many equals', many, { temperature: 1, topK: 1200 }, [0.999]),
    sampleCase('top-p between many equals', many, { temperature: 2, topP: 0.5 }, [0.999]),
  ];
}

/** The ends of the interval, and logits that say that an id is impossible. */
function ends(): OpCase[] {
  const logits = hostF32([-Infinity, 1, -Infinity, 2, 0, -Infinity], [1, 6]);
  return [0, 0.5, 1 - 2 ** -24].map((number) => {
    const c = sampleCase(`impossible ids, drawn at ${number}`, logits, { temperature: 1 }, [number]);
    return { ...c, inputs: { ...c.inputs, uniform: hostF32([number], [1]) } };
  });
}

export const sample: Family = {
  ops: ['sample'],
  directed: () => [
    ...table(TABLE, (name, { rows = 1, columns, spread = 1.5, seed, ...settings }) => {
      const draw = new Draw(seed);
      return [sampleCase(name, draw.normal([rows, columns], spread), settings, numbersOf(draw, rows))];
    }),
    ...ties(),
    ...ends(),
  ],
  random: () =>
    fc
      .record({
        rows: fc.integer({ min: 1, max: 4 }),
        columns: fc.integer({ min: 1, max: 400 }),
        spread: fc.constantFrom(0.1, 1, 4),
        temperature: fc.constantFrom(0, 0.2, 1, 3),
        topK: fc.constantFrom(0, 1, 3, 50),
        topP: fc.constantFrom(1, 0.99, 0.5, 0.01),
        minP: fc.constantFrom(0, 0.01, 0.5),
        seed: seed(),
      })
      .map(({ rows, columns, spread, seed, ...settings }) => {
        const draw = new Draw(seed);
        return [sampleCase('random', draw.normal([rows, columns], spread), settings, numbersOf(draw, rows))];
      }),
};
