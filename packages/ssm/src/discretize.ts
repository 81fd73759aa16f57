import { type Complex, complexExpm1, complexPhi1, complexVector, divide, exp, multiply } from './complex.js';
import { expm, solve } from './matrix.js';
import {
  type ComplexDiagonalSSM,
  checkLength,
  checkStep,
  type DenseSSM,
  type DiagonalSSM,
  denseStateCount,
  isReal,
  type RealDiagonalSSM,
  stateCount,
} from './ssm.js';

/**
 * How h' = A h + B u becomes h_k = Ā h_{k-1} + B̄ u_k, with z = ΔA:
 *
 * | rule | Ā | B̄ | |
 * |---|---|---|---|
 * | `zoh` | e^z | Δ (e^z - 1)/z B | exact for an input that is held over each step |
 * | `bilinear` | (1 + z/2) / (1 - z/2) | Δ / (1 - z/2) B | maps the left half-plane onto the unit disc; S4's rule |
 * | `euler` | 1 + z | Δ B | forward Euler; unstable where |1 + z| > 1 |
 * | `mamba` | e^z | Δ B | A by zero-order hold, B by Euler: what the published Mamba checkpoints need |
 * | `dss` | e^z | zoh's B̄ / (e^{zL} - 1) | DSS's softmax: normalised over a kernel of L steps, so it needs `length` |
 *
 * Sources: zoh, Mamba (arXiv 2312.00752) eq. 4; bilinear, S4 (2111.00396) eq. 3; dss, Gupta et al. (2203.14343), with its
 * regularised reciprocal conj(x) / (|x|² + 1e-7) of x = A (e^{zL} - 1).
 */
export type Discretization = 'zoh' | 'bilinear' | 'euler' | 'mamba' | 'dss';

/** Options of {@link discretize}. */
export interface DiscretizeOptions {
  /** The kernel's length L; needed by `dss`, unused by the others. */
  length?: number | undefined;
}

/** Ā, and the factor from B to B̄, of one state. */
type Rule = (a: Complex, dt: number, length: number) => { abar: Complex; factor: Complex };

const scale = (z: Complex, factor: number): Complex => [z[0] * factor, z[1] * factor];

const DSS_EPSILON = 1e-7;

const rules: Record<Discretization, Rule> = {
  zoh(a, dt) {
    const z = scale(a, dt);
    return { abar: exp(z), factor: scale(complexPhi1(z), dt) };
  },
  bilinear(a, dt) {
    const z = scale(a, dt);
    const denominator: Complex = [1 - z[0] / 2, -z[1] / 2];
    return {
      abar: divide([1 + z[0] / 2, z[1] / 2], denominator),
      factor: divide([dt, 0], denominator),
    };
  },
  euler(a, dt) {
    return { abar: [1 + a[0] * dt, a[1] * dt], factor: [dt, 0] };
  },
  mamba(a, dt) {
    return { abar: exp(scale(a, dt)), factor: [dt, 0] };
  },
  dss(a, dt, length) {
    const z = scale(a, dt);
    // Where A grows, the same quotient is taken from the kernel's other end, with -z: nothing overflows on the way.
    const sign = a[0] > 0 ? -1 : 1;
    const lastPower = z[0] * (length - 1);
    if (lastPower > 700) {
      throw new RangeError(
        `discretize: dss with Re(dt A) (L - 1) = ${lastPower} has powers beyond the range of doubles (700); shorten the kernel or lower Re A`,
      );
    }
    const x = multiply(a, complexExpm1(scale(z, sign * length)));
    const squared = x[0] * x[0] + x[1] * x[1] + DSS_EPSILON;
    const factor = multiply(complexExpm1(scale(z, sign)), [x[0] / squared, -x[1] / squared]);
    return {
      abar: exp(z),
      factor: sign < 0 ? multiply(factor, exp(scale(z, 1 - length))) : factor,
    };
  },
};

/**
 * Discretizes a diagonal model with the step size `dt`; C stays as it is. For ΔA -> 0 nothing cancels (`expm1`, and a
 * series for complex A). In a selective model this is called anew for each step's Δ.
 * @throws RangeError if A, B and C differ in length, dt is not positive, the rule is unknown, or `dss` has no `length`
 */
export function discretize(
  ssm: RealDiagonalSSM,
  dt: number,
  rule: Discretization,
  options?: DiscretizeOptions,
): RealDiagonalSSM;
export function discretize(
  ssm: ComplexDiagonalSSM,
  dt: number,
  rule: Discretization,
  options?: DiscretizeOptions,
): ComplexDiagonalSSM;
export function discretize(
  ssm: DiagonalSSM,
  dt: number,
  rule: Discretization,
  options: DiscretizeOptions = {},
): DiagonalSSM {
  const states = stateCount(ssm, 'discretize');
  checkStep(dt, 'discretize');
  if (!Object.hasOwn(rules, rule)) throw new RangeError(unknownRule('discretize', rule, Object.keys(rules)));
  const length = options.length ?? 0;
  checkLength(length, 'discretize');
  if (rule === 'dss' && length === 0) {
    throw new RangeError('discretize: dss normalises over the kernel; give its length, 1 or more');
  }
  const apply = rules[rule];
  if (isReal(ssm)) {
    const A = new Float64Array(states);
    const B = new Float64Array(states);
    for (let n = 0; n < states; n++) {
      const { abar, factor } = apply([ssm.A[n]!, 0], dt, length);
      A[n] = abar[0];
      B[n] = factor[0] * ssm.B[n]!;
    }
    return { A, B, C: ssm.C };
  }
  const A = complexVector(states);
  const B = complexVector(states);
  for (let n = 0; n < states; n++) {
    const { abar, factor } = apply([ssm.A.re[n]!, ssm.A.im[n]!], dt, length);
    [A.re[n], A.im[n]] = abar;
    [B.re[n], B.im[n]] = multiply(factor, [ssm.B.re[n]!, ssm.B.im[n]!]);
  }
  return { A, B, C: ssm.C };
}

/**
 * The same for a full matrix (any rule but `dss`): `bilinear` solves with I - ΔA/2, `zoh` takes the exponential of
 * Δ [[A, B], [0, 0]], which needs no inverse of A. O(N³).
 * @throws RangeError if the shapes do not fit, dt is not positive, the rule is unknown, or I - ΔA/2 is singular
 */
export function discretizeDense(ssm: DenseSSM, dt: number, rule: Exclude<Discretization, 'dss'>): DenseSSM {
  const states = denseStateCount(ssm, 'discretizeDense');
  checkStep(dt, 'discretizeDense');
  const { A, B, C } = ssm;
  const eulerB = B.map((b) => dt * b);
  const identityPlus = (factor: number) =>
    A.map((a, i) => (i % (states + 1) === 0 ? 1 : 0) + factor * dt * a);
  switch (rule) {
    case 'euler':
      return { A: identityPlus(1), B: eulerB, C };
    case 'mamba': {
      const z = A.map((a) => dt * a);
      return { A: expm(z, states), B: eulerB, C };
    }
    case 'bilinear': {
      const left = identityPlus(-0.5);
      return { A: solve(left, identityPlus(0.5), states), B: solve(left, eulerB, states), C };
    }
    case 'zoh': {
      const width = states + 1;
      const augmented = new Float64Array(width * width);
      for (let i = 0; i < states; i++) {
        for (let j = 0; j < states; j++) augmented[i * width + j] = dt * A[i * states + j]!;
        augmented[i * width + states] = eulerB[i]!;
      }
      const power = expm(augmented, width);
      return {
        A: Float64Array.from(
          { length: states * states },
          (_, i) => power[Math.floor(i / states) * width + (i % states)]!,
        ),
        B: Float64Array.from({ length: states }, (_, i) => power[i * width + states]!),
        C,
      };
    }
    default:
      throw new RangeError(unknownRule('discretizeDense', rule, ['zoh', 'bilinear', 'euler', 'mamba']));
  }
}

function unknownRule(where: string, rule: string, known: string[]): string {
  return `${where}: the rule must be one of ${known.join(', ')}, not '${rule}'`;
}
