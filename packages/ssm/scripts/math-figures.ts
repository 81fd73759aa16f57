/*
 * Prints the measured figures of docs/math.md. From the repository's root:
 *
 *   npx tsx packages/ssm/scripts/math-figures.ts
 */
import {
  causalConvolutionFft,
  complexPhi1,
  denseKernel,
  diagonalKernel,
  diagonalRecurrence,
  discretize,
  discretizeDense,
  dplrFromHippo,
  dplrKernel,
  hippoLegS,
  hippoLegT,
  initDt,
  Random,
  s4dInv,
  s4dLegS,
  s4dLin,
  s4dReal,
} from '../src/index.js';

const ones = (n: number) => new Float64Array(n).fill(1);
const normals = (random: Random, length: number) => Float64Array.from({ length }, () => random.normal());
const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
const difference = (x: Float64Array, y: Float64Array) => x.map((v, i) => v - y[i]!);
const max = (x: Float64Array) => x.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
const maxError = (x: Float64Array, reference: Float64Array) => max(difference(x, reference)) / max(reference);

function table(title: string, header: string[], rows: (string | number)[][]): void {
  console.log(`\n${title}\n`);
  console.log(`| ${header.join(' | ')} |`);
  console.log(`|${header.map(() => '---').join('|')}|`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

function ratioOfInputs(): void {
  const states = s4dReal(16);
  const model = { A: states, B: ones(16), C: ones(16) };
  const shown = [1, 2, 4, 8, 16];
  table(
    'B̄ of the mamba rule over B̄ of zoh',
    ['Δ', ...shown.map((n) => `A = -${n}`)],
    [0.001, 0.01, 0.1, 1].map((dt) => {
      const mamba = discretize(model, dt, 'mamba').B;
      const zoh = discretize(model, dt, 'zoh').B;
      return [dt, ...shown.map((n) => (mamba[n - 1]! / zoh[n - 1]!).toFixed(4))];
    }),
  );
}

function kernelsAtInitialisation(): void {
  const random = new Random(0);
  const channels = 10_000;
  const dts = initDt(channels, random);
  const model = { A: s4dReal(16), B: ones(16), C: normals(random, 16) };
  const ratios: number[] = [];
  const kernelErrors: number[] = [];
  for (const dt of dts) {
    const mamba = discretize(model, dt, 'mamba').B;
    const zoh = discretize(model, dt, 'zoh').B;
    mamba.forEach((b, n) => {
      ratios.push(b / zoh[n]!);
    });
  }
  for (const dt of dts.subarray(0, 500)) {
    const B = normals(random, 16);
    const C = normals(random, 16);
    const length = Math.ceil(20 / dt);
    const zoh = diagonalKernel(discretize({ ...model, B, C }, dt, 'zoh'), length);
    const mamba = diagonalKernel(discretize({ ...model, B, C }, dt, 'mamba'), length);
    kernelErrors.push(norm(difference(mamba, zoh)) / norm(zoh));
  }
  const quantile = (values: number[], q: number) =>
    values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]!.toFixed(4);
  table(
    `At Mamba's initialisation (A = -1..-16, Δ log-uniform in [0.001, 0.1])`,
    ['', 'median', '90 %', '99 %', 'largest'],
    [
      [
        `B̄ mamba / B̄ zoh, ${channels} channels x 16 states`,
        ...[0.5, 0.9, 0.99, 1].map((q) => quantile(ratios, q)),
      ],
      [
        '‖K mamba - K zoh‖ / ‖K zoh‖, 500 channels with normal B and C',
        ...[0.5, 0.9, 0.99, 1].map((q) => quantile(kernelErrors, q)),
      ],
    ],
  );
}

/** A held input, resolved ever more finely: what each rule gets wrong is its own error, not the input's. */
function convergence(): void {
  const random = new Random(1);
  const levels = normals(random, 40);
  const one = { re: ones(1), im: new Float64Array(1) };
  const model = { A: { re: Float64Array.of(-1), im: Float64Array.of(3) }, B: one, C: one };
  const run = (rule: 'zoh' | 'bilinear' | 'euler' | 'mamba', substeps: number) => {
    const u = Float64Array.from(
      { length: levels.length * substeps },
      (_, i) => levels[Math.floor(i / substeps)]!,
    );
    const { y } = diagonalRecurrence(discretize(model, 0.1 / substeps, rule), u);
    return levels.map((_, i) => y[(i + 1) * substeps - 1]!);
  };
  const exact = run('zoh', 1);
  table(
    'Error of y for an input held over steps of 0.1, A = -1 + 3i',
    ['Δ', 'zoh', 'bilinear', 'euler', 'mamba'],
    [1, 2, 4, 8, 16].map((substeps) => [
      0.1 / substeps,
      ...(['zoh', 'bilinear', 'euler', 'mamba'] as const).map((rule) =>
        maxError(run(rule, substeps), exact).toExponential(1),
      ),
    ]),
  );
}

function cancellation(): void {
  table(
    'Imaginary part of φ₁(z) = (e^z - 1) / z at z = r(-1 + 2i): relative error',
    ['r', 'subtracting 1', 'here'],
    [1e-2, 1e-4, 1e-8, 1e-12].map((r) => {
      const z = [-r, 2 * r] as const;
      // φ₁ = Σ z^k / (k+1)!, with the imaginary parts of (-1 + 2i)^k for k = 1, 2, ...
      const exact = [2, -4, -2, 24, -38, -44, 278, -336].reduce((sum, im, i) => {
        const factorial = Array.from({ length: i + 2 }, (_, k) => k + 1).reduce((a, b) => a * b);
        return sum + (im * r ** (i + 1)) / factorial;
      }, 0);
      const re = Math.exp(z[0]) * Math.cos(z[1]) - 1;
      const im = Math.exp(z[0]) * Math.sin(z[1]);
      const naive = (im * z[0] - re * z[1]) / (z[0] * z[0] + z[1] * z[1]);
      const error = (x: number) => Math.abs(x / exact - 1).toExponential(1);
      return [r, error(naive), error(complexPhi1(z)[1])];
    }),
  );
}

function convolutionIsRecurrence(): void {
  const random = new Random(2);
  const rows = [1024, 16384, 131072].map((length) => {
    const u = normals(random, length);
    const C = { re: normals(random, 32), im: normals(random, 32) };
    const model = discretize(
      { A: s4dLin(64), B: { re: ones(32), im: new Float64Array(32) }, C },
      0.001,
      'zoh',
    );
    const byKernel = causalConvolutionFft(u, diagonalKernel(model, length));
    return [length, maxError(byKernel, diagonalRecurrence(model, u).y).toExponential(1)];
  });
  table('S4D-Lin, N = 64, Δ = 0.001, zoh: convolution by FFT against the recurrence', ['L', 'error'], rows);
}

function cauchyKernel(): void {
  const rows = (
    [
      ['LegS', hippoLegS],
      ['LegT', hippoLegT],
    ] as const
  ).flatMap(([name, hippo]) =>
    [4, 16, 64].map((states) => {
      const { A, B, P } = hippo(states);
      const C = normals(new Random(states), states);
      const errors = [
        [1e-6, 7],
        [0.1, 7],
        [0.01, 1000],
        [0.001, 1024],
      ].map(([dt, length]) => {
        const dense = denseKernel(discretizeDense({ A, B, C }, dt!, 'bilinear'), length!);
        return maxError(dplrKernel(dplrFromHippo({ A, B, P }, C), dt!, length!), dense).toExponential(1);
      });
      return [name, states, ...errors];
    }),
  );
  table(
    'Cauchy-Woodbury kernel against the dense model, multiplied out',
    ['', 'N', 'Δ = 1e-6, L = 7', 'Δ = 0.1, L = 7', 'Δ = 0.01, L = 1000', 'Δ = 0.001, L = 1024'],
    rows,
  );
}

function frequencies(): void {
  const [legs, inv, lin] = [s4dLegS(64), s4dInv(64), s4dLin(64)];
  table(
    'Imaginary parts at N = 64: the n-th largest',
    ['n', 'S4D-LegS', 'S4D-Inv', 'S4D-Lin'],
    [0, 1, 2, 7, 15, 31].map((n) => [
      n + 1,
      legs.im[31 - n]!.toFixed(3),
      inv.im[n]!.toFixed(3),
      lin.im[31 - n]!.toFixed(3),
    ]),
  );
}

ratioOfInputs();
kernelsAtInitialisation();
convergence();
cancellation();
frequencies();
convolutionIsRecurrence();
cauchyKernel();
