import type { Backend, MaybeComplex, Ops, Tensor } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { Random } from '@mamba-ts/ssm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RULES } from './rules.js';
import { tape } from './tape.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const f64 = (data: ArrayLike<number>, shape: number[]) => backend.tensor(Array.from(data), shape, 'f64');
const normals = (random: Random, size: number) => Float64Array.from({ length: size }, () => random.normal());

/** Gives a program its leaves: by index, so that another run of the same program gets the same ones. */
type Leaf = (shape: number[]) => Tensor;
type Program = (ops: Ops, leaf: Leaf) => Tensor;

/**
 * Compares the tape's gradients of a program with differences of its loss, each leaf along a random direction.
 */
async function checkAgainstDifferences(program: Program, seed: number): Promise<void> {
  const values: { data: Float64Array; shape: number[] }[] = [];
  const source = new Random(seed);
  const run = (ops: Ops, changed?: { index: number; direction: Float64Array; by: number }) => {
    const leaves: Tensor[] = [];
    const loss = program(ops, (shape) => {
      const index = leaves.length;
      const size = shape.reduce((a, b) => a * b, 1);
      values[index] ??= { data: normals(source, size), shape };
      const { data } = values[index];
      leaves.push(
        f64(
          changed?.index === index ? data.map((x, i) => x + changed.by * changed.direction[i]!) : data,
          shape,
        ),
      );
      return leaves[index]!;
    });
    return { loss, leaves };
  };
  const t = tape(backend.ops);
  const { loss, leaves } = run(t);
  const grads = t.backward(loss);
  for (const [index, leaf] of leaves.entries()) {
    const direction = normals(source, values[index]!.data.length);
    const at = async (by: number) => (await run(backend.ops, { index, direction, by }).loss.data())[0]!;
    const h = 5e-5;
    const central = async (step: number) => ((await at(step)) - (await at(-step))) / (2 * step);
    // Richardson: the error falls with h^4.
    const difference = (4 * (await central(h))) / 3 - (await central(2 * h)) / 3;
    const gradient = (await grads.get(leaf)?.data()) ?? new Float64Array(direction.length);
    const along = direction.reduce((sum, x, i) => sum + x * gradient[i]!, 0);
    expect(Math.abs(along - difference), `leaf ${index} of program ${seed}`).toBeLessThan(
      1e-8 * Math.max(1, Math.abs(difference)),
    );
  }
}

const [B, L, D, N, V] = [2, 5, 4, 3, 6];

/** A random program over [B, L, D] values: each op takes what earlier ones made, leaves come as needed. */
function randomProgram(seed: number, length: number): Program {
  return (ops, leaf) => {
    const random = new Random(seed);
    const head = leaf([V, D]); // also an embedding: tied
    const ids = backend.tensor(
      Array.from({ length: B * L }, () => random.int(V)),
      [B, L],
      'i32',
    );
    const seqIdx = backend.tensor([0, 0, 1, 1, 1, 3, 3, 3, 3, 4], [B, L], 'i32');
    const pool = [leaf([B, L, D]), ops.embedding({ ids, weight: head })];
    const convStates = [leaf([B, 2, D])];
    const scanStates = [leaf([B, D, N])];
    const pairs: MaybeComplex[] = [{ re: leaf([B, D, N]), im: leaf([B, D, N]) }];
    const one = <T>(list: T[]) => list[random.int(list.length)]!;
    const maybe = <T>(make: () => T): T | undefined => (random.int(2) ? make() : undefined);
    const x = () => one(pool);
    // Keeps sizes near 1 whatever came before.
    const normed = () => ops.rmsNorm({ x: x(), weight: leaf([D]), eps: 1e-3 }).y;
    const A = (): Tensor => ops.exp({ x: leaf([D, N]), sign: -1 });
    const project = () => {
      const [b, c] = ops.split({
        x: ops.linear({ x: normed(), weight: leaf([2 * N, D]) }),
        sizes: [N, N],
        axis: 2,
      });
      return [b!, c!] as const;
    };
    const steps: (() => void)[] = [
      () => pool.push(ops.add({ a: x(), b: x() })),
      () => pool.push(ops.mul({ a: normed(), b: normed() })),
      () => pool.push(ops.silu({ x: normed() })),
      () => pool.push(ops.exp({ x: normed(), sign: one([1, -1]) })),
      () => pool.push(ops.copy({ x: x() })),
      () => pool.push(ops.add({ a: x(), b: ops.fill({ shape: [B, L, D], value: 0.5, dtype: 'f64' }) })),
      () => pool.push(ops.linear({ x: normed(), weight: leaf([D, D]), bias: maybe(() => leaf([D])) })),
      () => {
        const { y, residual } = ops.rmsNorm({ x: x(), weight: leaf([D]), eps: 1e-3, residual: maybe(x) });
        pool.push(y, residual);
      },
      () => {
        const bias = maybe(() => leaf([D]));
        const { y, residual } = ops.layerNorm({
          x: x(),
          weight: leaf([D]),
          bias,
          eps: 1e-2,
          residual: maybe(x),
        });
        pool.push(y, residual);
      },
      () => {
        const { y, lastState } = ops.causalConv1d({
          x: normed(),
          weight: leaf([D, 3]),
          bias: maybe(() => leaf([D])),
          activation: maybe(() => 'silu'),
          initialState: maybe(() => one(convStates)),
          seqIdx: maybe(() => seqIdx),
        });
        pool.push(y);
        convStates.push(lastState);
      },
      () => {
        const [b, c] = project();
        const { y, lastState } = ops.selectiveScan({
          u: normed(),
          delta: normed(),
          A: A(),
          B: maybe(() => b) ?? leaf([D, N]),
          C: c,
          D: maybe(() => leaf([D])),
          z: maybe(normed),
          deltaBias: maybe(() => leaf([D])),
          softplus: true,
          initialState: maybe(() => one(scanStates)),
          seqIdx: maybe(() => seqIdx),
          discretization: one(['mamba', 'zoh']),
        });
        pool.push(y);
        scanStates.push(lastState as Tensor);
      },
      () => {
        const { y, lastState } = ops.selectiveScan({
          u: normed(),
          delta: normed(),
          A: { re: A(), im: leaf([D, N]) },
          B: { re: leaf([D, N]), im: leaf([D, N]) },
          C: { re: leaf([D, N]), im: leaf([D, N]) },
          softplus: true,
          initialState: maybe(() => one(pairs)),
        });
        pool.push(y);
        pairs.push(lastState);
      },
      () => {
        const a = ops.exp({ x: ops.exp({ x: normed(), sign: -1 }) });
        const { h } = ops.linearRecurrence({ a, b: x(), initialState: maybe(() => leaf([B, D])) });
        pool.push(h);
      },
      () => {
        const kernel = ops.s4dKernel({
          dt: ops.exp({ x: leaf([D]) }),
          A: { re: A(), im: leaf([D, N]) },
          C: { re: leaf([D, N]), im: leaf([D, N]) },
          length: L,
        });
        pool.push(ops.longConv({ x: normed(), kernel, D: maybe(() => leaf([D])) }));
      },
      () => {
        const [first, second] = ops.split({ x: x(), sizes: [1, D - 1], axis: 2 });
        pool.push(ops.concat({ tensors: [second!, first!], axis: 2 }));
      },
      () => {
        // One piece goes nowhere.
        const [, rest] = ops.split({ x: x(), sizes: [2, L - 2], axis: 1 });
        const [first] = ops.split({ x: x(), sizes: [2, L - 2], axis: 1 });
        pool.push(ops.concat({ tensors: [first!, rest!], axis: -2 }));
      },
    ];
    for (let i = 0; i < length; i++) one(steps)();
    const targets = (shape: number[], classes: number) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return backend.tensor(
        Array.from({ length: size }, () => (random.int(4) ? random.int(classes) : -100)),
        shape,
        'i32',
      );
    };
    const lossOf = (logits: Tensor) =>
      ops.crossEntropy({ logits, targets: targets(logits.shape.slice(0, -1), logits.shape.at(-1)!) });
    const { y } = ops.rmsNorm({ x: ops.add({ a: pool.at(-1)!, b: x() }), weight: leaf([D]), eps: 1e-3 });
    const pair = pairs.at(-1) as { re: Tensor; im: Tensor };
    return [convStates.at(-1)!, scanStates.at(-1)!, one([pair.re, pair.im])]
      .map(lossOf)
      .reduce((a, b) => ops.add({ a, b }), lossOf(ops.linear({ x: y, weight: head })));
  };
}

describe('tape', () => {
  it('gives the gradients of random programs (finite differences, f64)', async () => {
    for (let seed = 1; seed <= 12; seed++) await checkAgainstDifferences(randomProgram(seed, 10), seed);
  });

  it('computes on the tape what the ops compute', async () => {
    const run = async (ops: Ops) => {
      const random = new Random(3);
      const loss = randomProgram(3, 12)(ops, (shape) =>
        f64(
          normals(
            random,
            shape.reduce((a, b) => a * b, 1),
          ),
          shape,
        ),
      );
      return (await loss.data())[0];
    };
    expect(await run(tape(backend.ops))).toBe(await run(backend.ops));
  });

  it('sums over every use of a tensor', async () => {
    const t = tape(backend.ops);
    const x = f64([3], []);
    const square = t.mul({ a: x, b: x });
    const loss = t.add({ a: t.add({ a: square, b: x }), b: square }); // 2 x^2 + x
    expect(await t.backward(loss).get(x)!.data()).toEqual(new Float64Array([13]));
  });

  it('passes the gradient of the residual output to x where the norm had no residual input', async () => {
    const t = tape(backend.ops);
    const x = f64([1, 2], [1, 2]);
    const weight = f64([0, 0], [2]);
    const { y, residual } = t.rmsNorm({ x, weight, eps: 1e-5 });
    expect(residual).toBe(x);
    const sum = t.add({ a: y, b: residual });
    const grads = t.backward(sum, { seed: f64([5, 7], [1, 2]) });
    expect(await grads.get(x)!.data()).toEqual(new Float64Array([5, 7]));
  });

  it('hands out gradients that are tensors of their own, also where two are equal', async () => {
    const t = tape(backend.ops);
    const [a, b, seed] = [f64([1, 2], [2]), f64([3, 4], [2]), f64([1, -1], [2])];
    const grads = t.backward(t.add({ a, b: t.copy({ x: b }) }), { seed });
    grads.get(a)!.dispose();
    expect(await grads.get(b)!.data()).toEqual(new Float64Array([1, -1]));
    expect(await seed.data()).toEqual(new Float64Array([1, -1]));
  });

  it('takes the gradient by intermediate results, and by the loss itself, when asked', async () => {
    const t = tape(backend.ops);
    const x = f64([2], []);
    const y = t.mul({ a: x, b: x });
    const loss = t.mul({ a: y, b: y });
    const grads = t.backward(loss, { wrt: [y, loss] });
    expect([...grads.keys()]).toEqual([y, loss]);
    expect(await grads.get(y)!.data()).toEqual(new Float64Array([8]));
    expect(await grads.get(loss)!.data()).toEqual(new Float64Array([1]));
  });

  it('seeds with one whatever the loss, in its own dtype', async () => {
    for (const dtype of ['f32', 'f64'] as const) {
      for (const value of [0, 3, -3, 1e30, -1e30]) {
        const t = tape(backend.ops);
        const x = backend.tensor([value], [], dtype);
        const gradient = t.backward(t.copy({ x })).get(x)!;
        expect(gradient.dtype).toBe(dtype);
        expect((await gradient.data())[0]).toBe(1);
      }
    }
  });

  it('differentiates only by what is asked, and runs no rule off the path', async () => {
    const ran: string[] = [];
    const spy = Object.fromEntries(
      Object.entries(backend.ops).map(([name, op]) => [
        name,
        (...args: []) => {
          ran.push(name);
          return (op as (...args: []) => unknown)(...args);
        },
      ]),
    ) as unknown as Ops;
    const t = tape(spy);
    const [x, w1, w2] = [f64([1, 2], [1, 2]), f64([1, 0, 0, 1], [2, 2]), f64([1, 2], [2])];
    const hidden = t.silu({ x: t.linear({ x, weight: w1 }) });
    t.exp({ x: hidden }); // leads to no loss
    const loss = t.crossEntropy({
      logits: t.rmsNorm({ x: hidden, weight: w2, eps: 1e-5 }).y,
      targets: backend.tensor([1], [1], 'i32'),
    });
    ran.length = 0;
    const grads = t.backward(loss, { wrt: [w2], seed: f64([1], []) });
    expect([...grads.keys()]).toEqual([w2]);
    expect(ran).toEqual(['crossEntropyBackward', 'rmsNormBackward']);
  });

  it('leaves out what the loss does not depend on', () => {
    const t = tape(backend.ops);
    const [x, y] = [f64([1], []), f64([2], [])];
    t.mul({ a: y, b: y });
    const grads = t.backward(t.mul({ a: x, b: x }));
    expect([...grads.keys()]).toEqual([x]);
    expect(t.backward(t.copy({ x }), { wrt: [y] }).size).toBe(0);
  });

  it('differentiates again, and another loss', async () => {
    const t = tape(backend.ops);
    const x = f64([3], []);
    const [square, cube] = [t.mul({ a: x, b: x }), t.mul({ a: x, b: t.mul({ a: x, b: x }) })];
    for (const [loss, expected] of [
      [square, 6],
      [cube, 27],
      [square, 6],
    ] as const) {
      expect((await t.backward(loss).get(x)!.data())[0]).toBe(expected);
    }
  });

  it('does not mind what the caller does to lists and objects afterwards', async () => {
    const t = tape(backend.ops);
    const x = f64([1, 2, 3], [3]);
    const inputs = { x, sizes: [1, 2], axis: 0 };
    const pieces = t.split(inputs);
    inputs.sizes.length = 0;
    const tensors = [pieces.pop()!, pieces.shift()!];
    const y = t.concat({ tensors, axis: 0 });
    tensors.length = 0;
    const grads = t.backward(y, { seed: f64([5, 6, 7], [3]) });
    expect(await grads.get(x)!.data()).toEqual(new Float64Array([7, 5, 6]));
  });

  it('frees every gradient but those it returns', () => {
    for (let seed = 40; seed < 50; seed++) {
      backend.scope(() => {
        const t = tape(backend.ops);
        const random = new Random(seed);
        const loss = randomProgram(seed, 10)(t, (shape) =>
          f64(
            normals(
              random,
              shape.reduce((a, b) => a * b, 1),
            ),
            shape,
          ),
        );
        const before = backend.memory();
        const grads = t.backward(loss);
        expect(backend.memory().tensors).toBe(before.tensors + grads.size);
        for (const gradient of grads.values()) gradient.dispose();
        expect(backend.memory()).toEqual(before);
      });
    }
    expect(backend.memory().tensors).toBe(0);
  });

  it('frees intermediate gradients while it goes', () => {
    const t = tape(backend.ops);
    let x = f64(new Float64Array(1000), [1000]);
    for (let i = 0; i < 50; i++) x = t.silu({ x });
    const before = backend.memory().bytes;
    let peak = 0;
    const { siluBackward } = backend.ops;
    const watched = backend.ops as { siluBackward: Ops['siluBackward'] };
    watched.siluBackward = (...args) => {
      const result = siluBackward.call(backend.ops, ...args);
      peak = Math.max(peak, backend.memory().bytes - before);
      return result;
    };
    const seed = f64(new Float64Array(1000), [1000]);
    t.backward(x, { seed });
    expect(peak).toBeLessThanOrEqual(3 * 8000); // the seed, and one gradient in and out
  });

  it('frees its gradients when an op fails', () => {
    const t = tape(backend.ops);
    const x = f64([1, 2], [2]);
    const gone = t.silu({ x });
    const loss = t.silu({ x: t.silu({ x: gone }) });
    gone.dispose();
    const seed = f64([1, 1], [2]);
    const before = backend.memory();
    expect(() => t.backward(loss, { seed })).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    expect(backend.memory()).toEqual(before);
  });

  it('refuses ops that work in place or have no gradient, and lets argmax through', async () => {
    const t = tape(backend.ops);
    const refused = Object.entries(RULES).filter(
      ([, rule]) => typeof rule === 'string' && rule !== 'constant',
    );
    expect(refused.length).toBeGreaterThan(10);
    for (const [name] of refused) {
      expect(() => (t[name as 'adamW'] as (x: object) => void)({})).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_OP',
          message: expect.stringContaining(`tape: ${name} `),
        }),
      );
    }
    expect(await t.argmax({ x: f64([1, 3, 2], [3]) }).data()).toEqual(new Int32Array([1]));
  });

  it('refuses a loss from elsewhere and seeds that do not fit', () => {
    const t = tape(backend.ops);
    const x = f64([1, 2], [2]);
    const y = t.silu({ x });
    const code = (code: string) => expect.objectContaining({ code });
    expect(() => t.backward(x)).toThrow(code('INVALID_ARGUMENT'));
    expect(() => t.backward(y)).toThrow(code('SHAPE'));
    expect(() => t.backward(y, { seed: f64([1], []) })).toThrow(code('SHAPE'));
  });
});
