import type { MaybeComplex, OpName, Ops, Tensor } from '@mamba-ts/backend';
import { isComplex, MambaError, sizeOf } from '@mamba-ts/backend';
import { GradientStore } from './gradient-store.js';
import { type Refusal, RULES, type Rule } from './rules.js';

export interface BackwardOptions {
  /** Gradient of the loss, of its shape. Default 1, for a loss of one element. It stays the caller's. */
  seed?: Tensor | undefined;
  /**
   * The tensors to differentiate by. Default: every floating tensor that the recorded ops were given and did not make
   * (weights, initial states, ...). What lies on no path between these and the loss is not computed.
   */
  wrt?: Iterable<Tensor> | undefined;
}

/** The interface of `Ops`; what it runs can be differentiated. */
export interface Tape extends Ops {
  /**
   * d(loss) / d(tensor) by reverse accumulation, each of its tensor's shape. A tensor that the loss does not depend on
   * is absent. The caller owns (and disposes) the gradients; those of intermediate results are freed on the way.
   * The recorded tensors must still live; they are left alone. May be called again, also for another loss.
   *
   * Throws `INVALID_ARGUMENT` if the loss was not made by this tape, `SHAPE` if the seed is not of the loss's shape or
   * is missing for a loss of more than one element, `DISPOSED` if a recorded tensor is gone.
   */
  backward(loss: Tensor, options?: BackwardOptions): Map<Tensor, Tensor>;
}

interface Entry {
  op: OpName;
  inputs: object;
  outputs: object;
  /** The floating tensors of `inputs`. */
  uses: Tensor[];
  /** The tensors of `outputs` that the op made (rmsNorm without residual hands x itself on). */
  makes: Tensor[];
}

/**
 * Records what it runs on `ops`, so that the model's forward code is written once and trains on any backend.
 * Gradients come from each op's own `Backward`; sums from `ops.add`.
 *
 * Ops that work in place or have no gradient (`selectiveScanStep`, `adamW`, `gradNorm`, the `Backward`s, ...) throw
 * `UNSUPPORTED_OP`. Nothing is freed: run the whole forward and backward in one `backend.scope`.
 *
 * @example
 * const t = tape(backend.ops)
 * const loss = t.crossEntropy({ logits: t.linear({ x, weight }), targets })
 * const dweight = t.backward(loss).get(weight)
 */
export function tape(ops: Ops): Tape {
  const entries: Entry[] = [];

  const recording = Object.fromEntries(
    Object.entries(RULES).map(([name, rule]) => {
      const op = name as OpName;
      // Every op takes its inputs as the first argument; only the refused ones take a second.
      const run = (inputs: object): object => (ops[op] as (inputs: object) => object)(inputs);
      if (rule === 'constant') return [op, run];
      if (typeof rule === 'string') return [op, () => refuse(op, rule)];
      return [
        op,
        (inputs: object) => {
          const outputs = run(inputs);
          const uses = floatsIn(inputs);
          entries.push({
            op,
            inputs: snapshot(inputs),
            outputs: snapshot(outputs),
            uses,
            makes: floatsIn(outputs).filter((tensor) => !uses.includes(tensor)),
          });
          return outputs;
        },
      ];
    }),
  ) as unknown as Ops;

  return { ...recording, backward: (loss, options = {}) => backward(ops, entries, loss, options) };
}

function backward(
  ops: Ops,
  entries: readonly Entry[],
  loss: Tensor,
  { seed, wrt }: BackwardOptions,
): Map<Tensor, Tensor> {
  const made = new Set(entries.flatMap((entry) => entry.makes));
  if (!made.has(loss)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      'tape.backward: the loss was not made by this tape: run every op from the parameters to the loss on the tape',
    );
  }
  checkSeed(loss, seed);
  const kept = new Set(wrt ?? entries.flatMap((entry) => entry.uses.filter((tensor) => !made.has(tensor))));
  const needed = new Set(kept);
  const path = entries.filter((entry) => {
    if (!entry.uses.some((tensor) => needed.has(tensor))) return false;
    for (const tensor of entry.makes) needed.add(tensor);
    return true;
  });

  const store = new GradientStore(ops);
  try {
    if (seed) store.lend(seed);
    if (needed.has(loss))
      store.accumulate(loss, seed ?? ops.fill({ shape: loss.shape, value: 1, dtype: loss.dtype as 'f32' }));
    for (const entry of path.reverse()) {
      if (entry.makes.some((tensor) => store.get(tensor))) {
        const contributions = (RULES[entry.op] as Rule<OpName>)({
          ops,
          inputs: entry.inputs as never,
          outputs: entry.outputs as never,
          reached: (tensor) => store.get(tensor),
          d: (tensor) => store.get(tensor) ?? store.zeros(tensor),
        });
        for (const [input, gradient] of contributions.flatMap(([x, dx]) => realParts(entry.op, x, dx))) {
          if (needed.has(input)) store.accumulate(input, gradient);
          else store.touch(gradient);
        }
      }
      for (const tensor of entry.makes) if (!kept.has(tensor)) store.release(tensor);
      store.sweep();
    }
    return store.take(kept);
  } finally {
    store.clear();
  }
}

function checkSeed(loss: Tensor, seed: Tensor | undefined): void {
  const shape = (tensor: Tensor) => `[${tensor.shape.join(', ')}]`;
  if (seed === undefined && sizeOf(loss.shape) !== 1) {
    throw new MambaError(
      'SHAPE',
      `tape.backward: the loss has shape ${shape(loss)}: give a seed of that shape, or a loss of one element`,
    );
  }
  if (seed !== undefined && shape(seed) !== shape(loss)) {
    throw new MambaError(
      'SHAPE',
      `tape.backward: the seed has shape ${shape(seed)}, but the loss has ${shape(loss)}`,
    );
  }
}

function refuse(op: OpName, why: Refusal): never {
  throw new MambaError(
    'UNSUPPORTED_OP',
    why === 'in-place'
      ? `tape: ${op} works in place and cannot be recorded: use the op that returns new tensors, or the backend's own ops`
      : `tape: ${op} has no gradient of its own and cannot be recorded: call it on the backend's own ops`,
  );
}

/** A complex pair as two real ones; absent ones dropped. */
function realParts(
  op: OpName,
  x: MaybeComplex | undefined,
  dx: MaybeComplex | undefined,
): (readonly [Tensor, Tensor])[] {
  if (x === undefined || dx === undefined) return [];
  if (isComplex(x) && isComplex(dx)) {
    return [
      [x.re, dx.re],
      [x.im, dx.im],
    ];
  }
  if (isComplex(x) || isComplex(dx)) {
    throw new MambaError(
      'SHAPE',
      `tape.backward: the backend's gradient of ${op} is complex where its input is not`,
    );
  }
  return [[x, dx]];
}

/** A copy down to the tensors: the caller may change its lists and objects (say, take pieces of `split` off their list). */
function snapshot<T>(value: T): T {
  if (typeof value !== 'object' || value === null || 'dtype' in value) return value;
  if (Array.isArray(value)) return value.map(snapshot) as T;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, snapshot(item)])) as T;
}

/** The floating tensors among an op's inputs or outputs, each once. */
function floatsIn(value: object): Tensor[] {
  const found = new Set<Tensor>();
  const visit = (x: unknown): void => {
    if (typeof x !== 'object' || x === null) return;
    if ('dtype' in x) {
      if (x.dtype !== 'i32') found.add(x as Tensor);
    } else {
      for (const item of Object.values(x)) visit(item);
    }
  };
  visit(value);
  return [...found];
}
