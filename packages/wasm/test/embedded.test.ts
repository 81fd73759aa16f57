import type { Backend } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWasmBackend } from '../src/index.js';
import { divergence, EMBEDDED } from './divergence.js';

/** The Taming of the Shrew, act 2: of the tenth of the text that the embedded model was not trained on. */
const TEXT = `PETRUCHIO:
And you, good sir! Pray, have you not a daughter
Call'd Katharina, fair and virtuous?

BAPTISTA:
I have a daughter, sir, called Katharina.

GREMIO:
You are too blunt: go to it orderly.

PETRUCHIO:
You wrong me, Signior Gremio: give me leave.
I am a gentleman of Verona, sir,
That, hearing of her beauty and her wit,
Her affability and bashful modesty,
Her wondrous qualities and mild behavior,
Am bold to show myself a forward guest
Within your house, to make mine eye the witness
Of that report which I so oft have heard.
And, for an entrance to my entertainment,
I do present you with a man of mine,
Cunning in music and the mathematics,
To instruct her fully in those sciences,
Whereof I know she is not ignorant:
Accept of him, or else you do me wrong:
His name is Licio, born in Mantua.

BAPTISTA:
You're welcome, sir; and he, for your good sake.
But for my daughter Katharina, this I know,
She is not for your turn, the more my grief.
`;

describe('the embedded model', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createWasmBackend({ threads: 2 });
  });
  afterAll(() => backend.dispose());

  // The bound for all of that tenth, 111 540 bytes, is 2e-3: bench/divergence.ts.
  test.each([
    ['int8', 2e-3],
    ['bf16', 1e-4],
    ['f16', 1e-9],
  ] as const)('with %s weights: KL against f32 under %f nats a token', async (dtype, bound) => {
    const { mean, tokens } = await divergence(backend, dtype, new TextEncoder().encode(TEXT));
    expect(tokens).toBeGreaterThan(900);
    expect(mean).toBeLessThan(bound);
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
  });

  // A million tokens: bench/long-decode.ts.
  test.each(['f32', 'int8'] as const)('%s: thousands of tokens take no memory', async (dtype) => {
    const lm = await MambaLM.fromPretrained(EMBEDDED, { backend, dtype });
    const state = lm.createState();
    let token = 10;
    const decode = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const { logits } = lm.step([token], state);
        const best = backend.ops.argmax({ x: logits });
        [token] = await best.data();
        best.dispose();
        logits.dispose();
      }
    };
    await decode(10);
    const before = backend.memory();
    const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow');
    await decode(3000);
    expect(backend.memory()).toEqual(before);
    expect(grow).not.toHaveBeenCalled();
    expect(state.position).toBe(3010);
    grow.mockRestore();
    state.dispose();
    lm.dispose();
  });
});
