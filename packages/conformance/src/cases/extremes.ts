import { type HostTensor, hostF32 } from '../host.js';
import type { HostTree, OpCase } from './case.js';
import { Draw } from './draw.js';

/*
 * Inputs at the ends of the ranges of exp, softplus and silu, where a polynomial or a formula that cancels shows.
 */

const BATCH = 2;
const LENGTH = 9;
const CHANNELS = 5;
const STATES = 3;
const EACH = [BATCH, LENGTH, CHANNELS];

/** Forward and backward of a scan with all options and these inputs instead of the usual ones. */
function scan(name: string, seed: number, change: (draw: Draw) => HostTree): OpCase[] {
  const draw = new Draw(seed);
  const inputs: HostTree = {
    u: draw.normal(EACH),
    delta: draw.normal(EACH),
    A: draw.uniform([CHANNELS, STATES], -2, -0.1),
    B: draw.normal([BATCH, LENGTH, STATES]),
    C: draw.normal([BATCH, LENGTH, STATES]),
    z: draw.normal(EACH),
    softplus: true,
    initialState: draw.normal([BATCH, CHANNELS, STATES]),
    ...change(draw),
  };
  const grads = {
    dy: draw.normal(EACH),
    dLastState: draw.normal([BATCH, CHANNELS, STATES]),
  };
  return [
    { op: 'selectiveScan', name, inputs },
    { op: 'selectiveScanBackward', name, inputs, grads },
  ];
}

/** Values of a list in turn. */
function cycle(draw: Draw, shape: readonly number[], values: readonly number[]): HostTensor {
  let i = 0;
  return draw.fill(shape, () => values[i++ % values.length]);
}

export function extremeCases(): OpCase[] {
  return [
    ...scan('large delta', 1, (draw) => ({ delta: draw.uniform(EACH, 15, 60) })),
    ...scan('delta around the threshold of softplus', 2, (draw) => ({
      delta: cycle(draw, EACH, [19.9, 19.999998, 20, 20.000002, 20.1, 0, -20]),
    })),
    // log(1 + exp(x)) written so is 0 below -17 in f32: the steps vanish. log1p keeps them.
    ...scan('very negative delta', 3, (draw) => ({
      delta: draw.uniform(EACH, -25, -15),
      initialState: undefined,
    })),
    ...scan('delta that softplus underflows', 4, (draw) => ({ delta: draw.uniform(EACH, -200, -80) })),
    ...scan('decays that underflow', 5, (draw) => ({
      A: cycle(draw, [CHANNELS, STATES], [-1e3, -50, -0.01, -1e4, -200]),
    })),
    ...scan('no decay', 6, (draw) => ({ A: draw.fill([CHANNELS, STATES], () => 0) })),
    // (exp(Δ A) - 1) / A cancels where Δ A is small: expm1 or a series does not.
    ...scan('zoh near A = 0', 7, (draw) => ({
      A: cycle(draw, [CHANNELS, STATES], [0, -1e-30, -1e-8, -1e-4, -1e-2]),
      discretization: 'zoh',
    })),
    ...scan('zoh, strong decays', 8, (draw) => ({
      A: cycle(draw, [CHANNELS, STATES], [-1e3, -20, -1e-3]),
      discretization: 'zoh',
    })),
    ...scan('gates far from zero', 9, (draw) => ({
      z: cycle(draw, EACH, [-1e4, -100, -89, -88, -20, 0, 20, 88, 89, 100, 1e4]),
    })),
    ...scan('zeros', 10, (draw) => ({ u: draw.fill(EACH, () => 0), initialState: undefined })),
    // Only forward: a state of 1e-8 times such an A is no gradient that anyone needs.
    scan('decays beyond the range of exp', 11, (draw) => ({
      A: cycle(draw, [CHANNELS, STATES], [-1e30, -3e38, -1e10]),
    }))[0],
    ...silu(),
    {
      op: 'rmsNorm',
      name: 'rows of zeros and of tiny numbers',
      inputs: {
        x: cycle(new Draw(12), [3, 4], [0, 0, 0, 0, 1e-20, -1e-20, 1e-12, 0, 1e-3, 1, -1e3, 5]),
        weight: new Draw(13).normal([4]),
        eps: 1e-5,
      },
    },
  ];
}

/** The large ones apart: beside 1e30 nothing else would be seen. */
function silu(): OpCase[] {
  const make = (name: string, values: readonly number[]): OpCase[] => {
    const draw = new Draw(20);
    const inputs = { x: hostF32(values, [values.length]) };
    return [
      { op: 'silu', name, inputs },
      { op: 'siluBackward', name, inputs, grads: { dy: draw.normal([values.length]) } },
    ];
  };
  return [
    ...make('far from zero', [-104, -89, -88, -20, -0, 1e-30, 20, 88, 89, 104]),
    ...make('very far from zero', [-1e30, -1e4, 1e4, 1e30]),
  ];
}
