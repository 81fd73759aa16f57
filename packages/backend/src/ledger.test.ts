import { describe, expect, it } from 'vitest';
import { fake } from '../test/fake.js';
import { expectRefusal } from '../test/refusal.js';
import { TensorLedger } from './ledger.js';
import type { Tensor } from './tensor.js';

/** A ledger, and what makes tensors of 4 bytes that report to it. */
function setUp() {
  const ledger = new TensorLedger();
  const make = (): Tensor => {
    const tensor = fake([1], 'f32', (disposed) => ledger.remove(disposed));
    ledger.add(tensor, 4);
    return tensor;
  };
  return { ledger, make };
}

describe('TensorLedger', () => {
  it('counts tensors and bytes', () => {
    const { ledger, make } = setUp();
    expect(ledger.memory()).toEqual({ tensors: 0, bytes: 0 });
    const a = make();
    make();
    expect(ledger.memory()).toEqual({ tensors: 2, bytes: 8 });
    a.dispose();
    a.dispose();
    expect(ledger.memory()).toEqual({ tensors: 1, bytes: 4 });
    expect(ledger.remove(a)).toBe(false);
    ledger.clear();
    expect(ledger.memory()).toEqual({ tensors: 0, bytes: 0 });
  });

  it('frees what a scope made and did not return', () => {
    const { ledger, make } = setUp();
    const before = make();
    const made: Tensor[] = [];
    const kept = ledger.scope(() => {
      for (let i = 0; i < 3; i++) made.push(make());
      return made[1];
    });
    expect(made.map((tensor) => tensor.disposed)).toEqual([true, false, true]);
    expect([kept, before.disposed]).toEqual([made[1], false]);
    expect(ledger.memory().tensors).toBe(2);
  });

  it('finds what is kept in objects, arrays, maps and sets, rings included', () => {
    const { ledger, make } = setUp();
    const result = ledger.scope(() => {
      make();
      const ring: { self?: unknown; tensor: Tensor } = { tensor: make() };
      ring.self = ring;
      return {
        list: [make(), { pair: { re: make(), im: make() } }],
        map: new Map([['key', make()]]),
        keys: new Map([[make(), 1]]),
        set: new Set([make()]),
        ring,
        text: 'text',
        nothing: null,
        numbers: new Float32Array(4),
      };
    });
    expect(ledger.memory().tensors).toBe(7);
    expect(result.ring.tensor.disposed).toBe(false);
  });

  it('nests: what an inner scope returns belongs to the outer one', () => {
    const { ledger, make } = setUp();
    let inner: Tensor | undefined;
    const kept = ledger.scope(() => {
      const outer = make();
      inner = ledger.scope(() => {
        make();
        return make();
      });
      expect(ledger.memory().tensors).toBe(2);
      return outer;
    });
    expect([inner?.disposed, kept.disposed]).toEqual([true, false]);
    expect(ledger.memory().tensors).toBe(1);
  });

  it('leaves alone what a scope was given, even when it returns it', () => {
    const { ledger, make } = setUp();
    const given = make();
    ledger.scope(() => given);
    ledger.scope(() => ledger.scope(() => given));
    expect(given.disposed).toBe(false);
  });

  it('does not mind tensors that are disposed inside', () => {
    const { ledger, make } = setUp();
    ledger.scope(() => {
      const tensor = make();
      tensor.dispose();
      return tensor;
    });
    expect(ledger.memory().tensors).toBe(0);
  });

  it('frees everything when the function throws, and goes on working', () => {
    const { ledger, make } = setUp();
    const error = new Error('inside');
    const run = () =>
      ledger.scope(() => {
        make();
        ledger.scope(() => {
          make();
          throw error;
        });
      });
    expect(run).toThrow(error);
    expect(ledger.memory()).toEqual({ tensors: 0, bytes: 0 });
    ledger.scope(() => make());
    expect(ledger.memory().tensors).toBe(1);
  });

  it('refuses a promise, and frees what was made before', async () => {
    const { ledger, make } = setUp();
    const run = () => ledger.scope(async () => make());
    expectRefusal(run, 'INVALID_ARGUMENT', 'returned a promise', 'synchronous');
    expect(ledger.memory().tensors).toBe(0);
    // What the promise rejects with is nobody's to handle: it must not come up as an unhandled rejection.
    const rejects = () => ledger.scope(() => Promise.reject(new Error('later')));
    expectRefusal(rejects, 'INVALID_ARGUMENT', 'returned a promise');
    await new Promise((resolve) => setTimeout(resolve));
  });
});
