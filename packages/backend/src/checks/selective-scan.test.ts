import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fake, fakePair } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { SelectiveScanInputs, SelectiveScanStepInputs } from '../ops.js';
import { checkSelectiveScan, checkSelectiveScanBackward, checkSelectiveScanStep } from './selective-scan.js';

const [B, L, D, N] = [2, 5, 6, 3];

function real(change: Partial<SelectiveScanInputs> = {}): SelectiveScanInputs {
  return {
    u: fake([B, L, D]),
    delta: fake([B, L, D]),
    A: fake([D, N]),
    B: fake([B, L, N]),
    C: fake([B, L, N]),
    ...change,
  };
}

function complex(change: Partial<SelectiveScanInputs> = {}): SelectiveScanInputs {
  return real({ A: fakePair([D, N]), ...change });
}

describe('checkSelectiveScan', () => {
  it('resolves sizes and options', () => {
    expect(checkSelectiveScan(real())).toEqual({
      dtype: 'f32',
      batch: B,
      length: L,
      channels: D,
      stateSize: N,
      complex: false,
      B: { kind: 'variable', groups: 1, packing: 'real' },
      C: { kind: 'variable', groups: 1, packing: 'real' },
      softplus: false,
      discretization: 'mamba',
    });
    const all = checkSelectiveScan(
      real({
        D: fake([D]),
        z: fake([B, L, D]),
        deltaBias: fake([D]),
        initialState: fake([B, D, N]),
        seqIdx: fake([B, L], 'i32'),
        softplus: true,
        discretization: 'zoh',
      }),
    );
    expect([all.softplus, all.discretization]).toEqual([true, 'zoh']);
    expect(checkSelectiveScan(real({ discretization: 'euler' })).discretization).toBe('mamba');
  });

  it('tells the forms of B and C apart, each by itself', () => {
    const form = (change: Partial<SelectiveScanInputs>) => {
      const dims = checkSelectiveScan(change.A ? { ...real(), ...change } : real(change));
      return [dims.B, dims.C];
    };
    expect(form({ B: fake([D, N]), C: fake([B, L, 3, N]) })).toEqual([
      { kind: 'constant', groups: D, packing: 'real' },
      { kind: 'grouped', groups: 3, packing: 'real' },
    ]);
    const A = fakePair([D, N]);
    expect(form({ A, B: fakePair([B, L, N]), C: fake([B, 2 * L, N]) })).toEqual([
      { kind: 'variable', groups: 1, packing: 'pair' },
      { kind: 'variable', groups: 1, packing: 'interleaved' },
    ]);
    expect(form({ A, B: fake([B, 2 * L, 2, N]), C: fakePair([D, N]) })).toEqual([
      { kind: 'grouped', groups: 2, packing: 'interleaved' },
      { kind: 'constant', groups: D, packing: 'pair' },
    ]);
    expect(form({ A, B: fake([B, L, N]), C: fake([D, N]) })).toEqual([
      { kind: 'variable', groups: 1, packing: 'real' },
      { kind: 'constant', groups: D, packing: 'real' },
    ]);
  });

  it('refuses every single wrong axis, and names the argument', () => {
    const names = ['delta', 'A', 'B', 'C', 'D', 'z', 'deltaBias', 'initialState', 'seqIdx'] as const;
    const full = real({
      B: fake([B, L, 2, N]),
      C: fake([D, N]),
      D: fake([D]),
      z: fake([B, L, D]),
      deltaBias: fake([D]),
      initialState: fake([B, D, N]),
      seqIdx: fake([B, L], 'i32'),
    });
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.constantFrom(-1, 1), (name, pick, change) => {
        const { shape, dtype } = full[name] as ReturnType<typeof fake>;
        const axis = pick % shape.length;
        // Another count of groups may divide the channels as well; N is whatever A says.
        if (name === 'B' && axis === 2) return;
        const wrong = fake(shape.with(axis, shape[axis] + change), dtype);
        const blamed = name === 'A' && axis === 1 ? 'B' : name;
        expectRefusal(
          () => checkSelectiveScan({ ...full, [name]: wrong }),
          'SHAPE',
          `selectiveScan: ${blamed} has`,
        );
      }),
    );
  });

  it('wants groups that divide the channels', () => {
    expectRefusal(
      () => checkSelectiveScan(real({ B: fake([B, L, 4, N]) })),
      'SHAPE',
      '4 groups',
      '6 channels',
    );
  });

  it('refuses forms of B and C that there are not', () => {
    expectRefusal(
      () => checkSelectiveScan(real({ C: fake([N]) })),
      'SHAPE',
      'C has shape [3]',
      '[B, L, G, N]',
    );
    expectRefusal(
      () => checkSelectiveScan(real({ B: fake([B, 2 * L, N]) })),
      'SHAPE',
      'B has shape [2, 10, 3]',
    );
    expectRefusal(
      () => checkSelectiveScan(real({ B: fakePair([B, L, N]) })),
      'DTYPE',
      'B is complex',
      'A is real',
    );
    expectRefusal(
      () => checkSelectiveScan(complex({ B: fakePair([B, 2 * L, N]) })),
      'SHAPE',
      'B.re has shape',
    );
  });

  it('wants a state that is complex where A is', () => {
    expectRefusal(
      () => checkSelectiveScan(complex({ initialState: fake([B, D, N]) })),
      'DTYPE',
      'initialState',
    );
    expectRefusal(
      () => checkSelectiveScan(real({ initialState: fakePair([B, D, N]) })),
      'DTYPE',
      'initialState',
    );
    checkSelectiveScan(complex({ initialState: fakePair([B, D, N]) }));
  });

  it('wants one type, i32 indices and a known discretization', () => {
    expectRefusal(() => checkSelectiveScan(real({ delta: fake([B, L, D], 'f64') })), 'DTYPE', 'delta is f64');
    expectRefusal(() => checkSelectiveScan(real({ seqIdx: fake([B, L]) })), 'DTYPE', 'seqIdx is f32');
    const wrong = { discretization: 'bilinear' } as unknown as Partial<SelectiveScanInputs>;
    expectRefusal(() => checkSelectiveScan(real(wrong)), 'INVALID_ARGUMENT', "got 'bilinear'");
  });
});

describe('checkSelectiveScanBackward', () => {
  it('wants dy as y, and dLastState as the last state', () => {
    const dy = fake([B, L, D]);
    expect(checkSelectiveScanBackward(real(), { dy }).stateSize).toBe(N);
    checkSelectiveScanBackward(complex(), { dy, dLastState: fakePair([B, D, N]) });
    const call = 'selectiveScanBackward';
    expectRefusal(() => checkSelectiveScanBackward(real(), { dy: fake([B, D, L]) }), 'SHAPE', `${call}: dy`);
    const dLastState = fake([B, N, D]);
    expectRefusal(
      () => checkSelectiveScanBackward(real(), { dy, dLastState }),
      'SHAPE',
      `${call}: dLastState`,
    );
    expectRefusal(
      () => checkSelectiveScanBackward(complex(), { dy, dLastState }),
      'DTYPE',
      'dLastState must be',
    );
  });
});

describe('checkSelectiveScanStep', () => {
  function step(change: Partial<SelectiveScanStepInputs> = {}, batch = B): SelectiveScanStepInputs {
    return {
      u: fake([batch, D]),
      delta: fake([batch, D]),
      A: fake([D, N]),
      B: fake([batch, N]),
      C: fake([batch, 2, N]),
      state: fake([batch, D, N]),
      ...change,
    };
  }

  it('is a scan of length 1', () => {
    expect(checkSelectiveScanStep(step())).toMatchObject({
      batch: B,
      length: 1,
      channels: D,
      stateSize: N,
      B: { kind: 'variable', groups: 1 },
      C: { kind: 'grouped', groups: 2 },
    });
  });

  it('knows a constant by its shape, or by what the caller says where batch and channels are equal', () => {
    const kinds = (inputs: SelectiveScanStepInputs) => {
      const dims = checkSelectiveScanStep(inputs);
      return [dims.B.kind, dims.C.kind];
    };
    expect(kinds(step({ B: fake([D, N]) }))).toEqual(['constant', 'grouped']);
    const same = { B: fake([D, N]), C: fake([D, N]) };
    expect(kinds(step(same, D))).toEqual(['variable', 'variable']);
    expect(kinds(step({ ...same, constant: ['C'] }, D))).toEqual(['variable', 'constant']);
    expectRefusal(
      () => checkSelectiveScanStep(step({ constant: ['B'] })),
      'SHAPE',
      'B has shape [2, 3]',
      '[D, N]',
    );
  });

  it('takes complex and plain real coefficients with complex A, a complex state only', () => {
    const pair = { A: fakePair([D, N]), state: fakePair([B, D, N]) };
    const dims = checkSelectiveScanStep(step({ ...pair, B: fakePair([B, N]) }));
    expect([dims.complex, dims.B.packing, dims.C.packing]).toEqual([true, 'pair', 'real']);
    expectRefusal(() => checkSelectiveScanStep(step({ A: pair.A })), 'DTYPE', 'state must be complex');
  });

  it('refuses sequences', () => {
    const u = fake([B, 1, D]);
    expectRefusal(
      () => checkSelectiveScanStep(step({ u })),
      'SHAPE',
      'selectiveScanStep: u has shape [2, 1, 6]',
    );
  });
});
