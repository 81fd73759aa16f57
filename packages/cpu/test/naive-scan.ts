import type { Host } from './host.js';

type C = readonly [re: number, im: number];
const mul = (a: C, b: C): C => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
const exp = ([re, im]: C): C => [Math.exp(re) * Math.cos(im), Math.exp(re) * Math.sin(im)];
const divide = (a: C, b: C): C => {
  const square = b[0] ** 2 + b[1] ** 2;
  return mul(a, [b[0] / square, -b[1] / square]);
};

type Pair = Host | { re: Host; im: Host };

/** An element of a real or complex argument. */
function at(x: Pair, ...index: number[]): C {
  if ('re' in x) return [at(x.re, ...index)[0], at(x.im, ...index)[0]];
  return [x.data[index.reduce((sum, i, axis) => sum * x.shape[axis] + i, 0)], 0];
}

/** B or C of channel d at token t, from any of the documented forms. */
function coefficient(
  x: Pair,
  length: number,
  channels: number,
  b: number,
  t: number,
  d: number,
  n: number,
): C {
  const { shape } = 're' in x ? x.re : x;
  if (shape.length === 2) return at(x, d, n);
  const rest = shape.length === 4 ? [Math.floor(d / (channels / shape[2])), n] : [n];
  if (shape[1] === length) return at(x, b, t, ...rest);
  return [at(x, b, 2 * t, ...rest)[0], at(x, b, 2 * t + 1, ...rest)[0]];
}

/**
 * The selective scan with its recurrence solved: h_t = sum over s <= t in the same sequence of
 * exp(A (Δ_{s+1} + ... + Δ_t)) B̄_s u_s, and the initial state decayed likewise. O(L²).
 */
export function naiveScan(inputs: Record<string, unknown>): { y: number[]; re: number[]; im: number[] } {
  const { u, delta, A, B, C, D, z, deltaBias, initialState, seqIdx } = inputs as Record<string, Host> & {
    A: Pair;
    B: Pair;
    C: Pair;
    initialState: Pair | undefined;
  };
  const [batch, length, channels] = u.shape;
  const complex = 're' in A;
  const stateSize = (complex ? A.re : A).shape[1];
  const y: number[] = new Array(batch * length * channels);
  const [re, im]: [number[], number[]] = [[], []];
  for (let b = 0; b < batch; b++) {
    const sequence = (t: number) => (seqIdx ? at(seqIdx, b, t)[0] : 0);
    for (let d = 0; d < channels; d++) {
      const steps = Array.from({ length }, (_, t) => {
        const raw = at(delta, b, t, d)[0] + (deltaBias ? at(deltaBias, d)[0] : 0);
        return inputs['softplus'] && raw <= 20 ? Math.log(1 + Math.exp(raw)) : raw;
      });
      const between = (from: number, to: number) =>
        steps.slice(from, to).reduce((sum, step) => sum + step, 0);
      const state = (t: number, n: number): C => {
        const a = at(A, d, n);
        const decay = (time: number) => exp([a[0] * time, a[1] * time]);
        let h: C = [0, 0];
        let s = t;
        for (; s >= 0 && sequence(s) === sequence(t); s--) {
          const e = decay(steps[s]);
          const weight =
            inputs['discretization'] === 'zoh' ? divide([e[0] - 1, e[1]], a) : ([steps[s], 0] as const);
          const [r, i] = mul(
            decay(between(s + 1, t + 1)),
            mul(weight, coefficient(B, length, channels, b, s, d, n)),
          );
          h = [h[0] + r * at(u, b, s, d)[0], h[1] + i * at(u, b, s, d)[0]];
        }
        if (s < 0 && initialState) {
          const [r, i] = mul(decay(between(0, t + 1)), at(initialState, b, d, n));
          h = [h[0] + r, h[1] + i];
        }
        return h;
      };
      for (let t = 0; t < length; t++) {
        let sum = D ? at(D, d)[0] * at(u, b, t, d)[0] : 0;
        for (let n = 0; n < stateSize; n++) {
          const c = coefficient(C, length, channels, b, t, d, n);
          sum += (complex ? 2 : 1) * mul(c, state(t, n))[0];
        }
        const gate = z && at(z, b, t, d)[0];
        y[(b * length + t) * channels + d] = z ? (sum * gate) / (1 + Math.exp(-gate)) : sum;
      }
      for (let n = 0; n < stateSize; n++) {
        const h = state(length - 1, n);
        re.push(h[0]);
        im.push(h[1]);
      }
    }
  }
  return { y, re, im };
}
