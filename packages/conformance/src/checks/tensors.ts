import type { Backend, Tensor } from '@mamba-ts/backend';
import { hostF32, rounded } from '../host.js';
import { type ContractCheck, type ContractContext, contract, ensure } from './check.js';

/** What goes up comes down: every element type, exactly. */
export function tensorChecks(): ContractCheck[] {
  const round = (name: string, run: (context: ContractContext) => Promise<void>) =>
    contract('tensors', name, [], run);
  /** Uploads, reads back, compares exactly. */
  const roundTrip = async (backend: Backend, given: Tensor, want: ArrayLike<number>, kind: unknown) => {
    const data = await given.data();
    ensure(
      data instanceof (kind as new () => object),
      `data() of ${given.dtype} is a ${data.constructor.name}`,
    );
    ensure(
      data.length === want.length && data.every((value, i) => Object.is(value, want[i])),
      `${given.dtype} on ${backend.name}: read [${data}], wrote [${Array.from(want)}]`,
    );
    given.dispose();
  };
  const values = [0, -0, 1, -2.5, 1 / 3, 1e-3, 65504, -7e4];
  return [
    round('f32: every bit comes back', async ({ backend }) => {
      const exact = Float32Array.from([...values, 3.4e38, 2 ** -126, Infinity]);
      await roundTrip(backend, backend.tensor(exact, [exact.length]), exact, Float32Array);
      const rows = Float64Array.from(values);
      await roundTrip(backend, backend.tensor(rows, [2, 4], 'f32'), Float32Array.from(values), Float32Array);
      await roundTrip(backend, backend.tensor(values, [2, 2, 2]), Float32Array.from(values), Float32Array);
    }),
    round('i32: every bit comes back', async ({ backend }) => {
      const ints = Int32Array.of(0, -1, 2147483647, -2147483648, 50279);
      await roundTrip(backend, backend.tensor(ints, [5], 'i32'), ints, Int32Array);
      await roundTrip(backend, backend.tensor([3, 4], [1, 2], 'i32'), [3, 4], Int32Array);
    }),
    round('a scalar has the empty shape', async ({ backend }) => {
      const scalar = backend.tensor([2.5], []);
      ensure(scalar.shape.length === 0, `shape is [${scalar.shape}]`);
      await roundTrip(backend, scalar, [2.5], Float32Array);
    }),
    round('no elements are no error', async ({ backend }) => {
      const empty = backend.tensor([], [2, 0, 3]);
      ensure(empty.shape.join() === '2,0,3', `shape is [${empty.shape}]`);
      await roundTrip(backend, empty, [], Float32Array);
    }),
    round('zeros are zeros', async ({ backend }) => {
      await roundTrip(backend, backend.zeros([3, 5]), new Float32Array(15), Float32Array);
      await roundTrip(backend, backend.zeros([4], 'i32'), new Int32Array(4), Int32Array);
    }),
    round('zeros are zeros where something was before', async ({ backend }) => {
      // Buffers that come from a pool still hold what they held.
      for (let i = 0; i < 3; i++) backend.tensor(new Float32Array(64).fill(7), [64]).dispose();
      await roundTrip(backend, backend.zeros([64]), new Float32Array(64), Float32Array);
    }),
    round('data() is a copy, and the upload was one', async ({ backend }) => {
      const source = Float32Array.of(1, 2, 3);
      const tensor = backend.tensor(source, [3]);
      source[0] = 9;
      const first = await tensor.data();
      first[1] = 9;
      await roundTrip(backend, tensor, [1, 2, 3], Float32Array);
    }),
    ...(['f16', 'bf16', 'int8'] as const).map((stored) =>
      contract(
        'tensors',
        `${stored}: numbers are rounded as the contract says`,
        [{ op: 'linear', weight: stored }],
        async ({ backend }) => {
          const weight = {
            ...hostF32(
              Array.from({ length: 90 }, (_, i) => Math.sin(i) * 1.3 ** (i % 9)),
              [2, 45],
            ),
            stored,
          };
          const tensor = backend.tensor(weight.data, weight.shape, stored);
          ensure(tensor.dtype === stored, `dtype is ${tensor.dtype}`);
          await roundTrip(backend, tensor, rounded(weight).data, Float32Array);
        },
      ),
    ),
    contract(
      'tensors',
      'f16 and bf16: a Uint16Array is raw bits',
      [
        { op: 'linear', weight: 'f16' },
        { op: 'linear', weight: 'bf16' },
      ],
      async ({ backend }) => {
        await roundTrip(
          backend,
          backend.tensor(Uint16Array.of(0x3c00, 0xc000, 1, 0x7bff), [4], 'f16'),
          [1, -2, 2 ** -24, 65504],
          Float32Array,
        );
        await roundTrip(
          backend,
          backend.tensor(Uint16Array.of(0x3f80, 0xc000), [2], 'bf16'),
          [1, -2],
          Float32Array,
        );
      },
    ),
  ];
}
