import type { Backend, Tensor } from '../packages/backend/src/index.js';
import type { fixture, fixtureFolder } from '../packages/conformance/src/index.js';
import type { MambaLM, MambaState } from '../packages/model/src/index.js';
import type { lossAndGradients } from '../packages/train/src/index.js';

/** What is used of the packages as they are built. */
export interface Built {
  readonly fixture: typeof fixture;
  readonly fixtureFolder: typeof fixtureFolder;
  readonly MambaLM: typeof MambaLM;
  readonly lossAndGradients: typeof lossAndGradients;
}

/** Errors are max |x - ref| / max |ref|, the largest over both namings of the checkpoint. */
export interface ModelFigures {
  /** Against the official code in f64. */
  readonly logits: number;
  readonly gradients: number;
  /** Both namings, to the bit. */
  readonly namingsAgree: boolean;
  /** Of two prompts, alone and as a batch: the official tokens. */
  readonly greedyAgrees: boolean;
  /** Logits after the last token, against those of one piece. */
  readonly splits: number;
  readonly steps: number;
  /** Of a batch's row, against the row alone. */
  readonly rows: number;
  /** A fork, and a state saved and restored, go on to the same bits. */
  readonly copiesAgree: boolean;
  /** A state of other weights is refused. */
  readonly refuses: boolean;
}

const SPLITS = [
  [1, 20],
  [20, 1],
  [7, 7, 7],
  [2, 5, 3, 11],
  [3, 3, 3, 3, 3, 3, 3],
];
export const NEW_TOKENS = 32;

/** The language model of the fixtures on one backend: what a user sees, where the ops are right one by one. */
export async function modelFigures(
  backend: Backend,
  dtype: 'f32' | 'f64',
  { fixture, fixtureFolder, MambaLM, lossAndGradients }: Built,
): Promise<ModelFigures> {
  const { tensors } = await fixture('tiny-mamba');
  const figure = (name: string) => tensors.get(name)!.data;
  const rowsOf = (name: string) => {
    const { data, shape } = tensors.get(name)!;
    const [rows, length] = shape as [number, number];
    return Array.from({ length: rows }, (_, r) => Array.from(data.slice(r * length, (r + 1) * length)));
  };
  const [ids, prompts, continued] = [rowsOf('inputIds'), rowsOf('promptIds'), rowsOf('greedyIds')];
  const error = { logits: 0, gradients: 0, splits: 0, steps: 0, rows: 0 };
  const worst = (kind: keyof typeof error, got: ArrayLike<number>, want: ArrayLike<number>) => {
    error[kind] = Math.max(error[kind], relativeError(got, want));
  };
  const agree = { namings: true, greedy: true, copies: true };
  let firstLogits: ArrayLike<number> | undefined;

  for (const name of ['tiny-mamba', 'tiny-mamba-hf'] as const) {
    const lm = await MambaLM.fromPretrained(fixtureFolder(name), { backend, dtype });
    const logits = await take(lm.forward(ids).logits);
    worst('logits', logits, figure('logits'));
    firstLogits ??= logits;
    agree.namings &&= sameBits(logits, firstLogits);

    const { grads } = await lossAndGradients(lm, ids);
    for (const [parameter, gradient] of grads)
      worst('gradients', await take(gradient), figure(`grads.${parameter}`));

    const greedy = { maxTokens: NEW_TOKENS, temperature: 0, eos: null };
    const together = await lm.complete(prompts, greedy);
    for (const [r, prompt] of prompts.entries()) {
      const alone = await lm.complete(prompt, greedy);
      for (const { tokens } of [alone, together[r]!])
        agree.greedy &&= sameBits([...prompt, ...tokens], continued[r]!);
    }

    /** The last logits of the batch read in pieces of these lengths. */
    const read = async (pieces: readonly number[], state: MambaState) => {
      let at = 0;
      let last: ArrayLike<number> = [];
      for (const piece of pieces) {
        const part = ids.map((row) => row.slice(at, at + piece));
        last = await take((await lm.prefill(part, state)).logits);
        at += piece;
      }
      return last;
    };
    const whole = lm.createState(2);
    const want = await read([21], whole);
    for (const pieces of SPLITS) worst('splits', await read(pieces, lm.createState(2)), want);
    const stepped = lm.createState(2);
    let last: ArrayLike<number> = [];
    for (let t = 0; t < 21; t++) {
      const tokens = ids.map((row) => row[t]!);
      last = await take(lm.step(tokens, stepped).logits);
    }
    worst('steps', last, want);
    const width = logits.length / 2;
    for (const [r, row] of ids.entries())
      worst('rows', await take(lm.forward(row).logits), logits.slice(r * width, (r + 1) * width));

    const copies = [whole.fork(), await lm.restoreState(await whole.save())];
    const next = [5, 6];
    const further = await take(lm.step(next, whole).logits);
    for (const copy of copies) agree.copies &&= sameBits(await take(lm.step(next, copy).logits), further);
    lm.dispose();
  }

  return {
    logits: error.logits,
    gradients: error.gradients,
    namingsAgree: agree.namings,
    greedyAgrees: agree.greedy,
    splits: error.splits,
    steps: error.steps,
    rows: error.rows,
    copiesAgree: agree.copies,
    refuses: await refusesOthers(backend, dtype, MambaLM),
  };
}

async function refusesOthers(
  backend: Backend,
  dtype: 'f32' | 'f64',
  Model: typeof MambaLM,
): Promise<boolean> {
  const make = (seed: number) =>
    Model.create({ dModel: 16, nLayer: 1, vocabSize: 16 }, { backend, dtype, seed });
  const [one, other] = [await make(1), await make(2)];
  const bytes = await one.createState().save();
  const refused = await other.restoreState(bytes).then(
    () => false,
    ({ code }) => code === 'CHECKPOINT_FORMAT',
  );
  for (const lm of [one, other]) lm.dispose();
  return refused;
}

async function take(tensor: Tensor): Promise<Float32Array | Float64Array> {
  const values = (await tensor.data()) as Float32Array | Float64Array;
  tensor.dispose();
  return values;
}

function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let difference = got.length === want.length ? 0 : Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    const off = Math.abs(got[i]! - want[i]!);
    // So that a NaN counts.
    if (!(off <= difference)) difference = off;
    largest = Math.max(largest, Math.abs(want[i]!));
  }
  return difference / largest;
}

function sameBits(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (value, i) => Object.is(value, b[i]));
}
