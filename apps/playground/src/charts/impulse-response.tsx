import { diagonalKernel, discretize, memoryHalfLife, s4dInv, s4dLegS, s4dLin, s4dReal } from '@mamba-ts/ssm';
import { useMemo, useState } from 'preact/hooks';
import { type Axis, Plot, path } from './plot.js';

const STATES = 64;
const LENGTH = 400;

const INITIALISATIONS = {
  'S4D-Real': () => s4dReal(STATES),
  'S4D-Lin': () => s4dLin(STATES),
  'S4D-Inv': () => s4dInv(STATES),
  'S4D-LegS': () => s4dLegS(STATES),
} as const;
type Initialisation = keyof typeof INITIALISATIONS;

/** The response to one input of 1, L steps long, with B = C = 1 and its largest value scaled to 1. */
export function impulseResponse(name: Initialisation, dt: number): Float64Array {
  const A = INITIALISATIONS[name]();
  const ones = (length: number) => new Float64Array(length).fill(1);
  const complex = (length: number) => ({ re: ones(length), im: new Float64Array(length) });
  const kernel =
    A instanceof Float64Array
      ? diagonalKernel(discretize({ A, B: ones(A.length), C: ones(A.length) }, dt, 'zoh'), LENGTH)
      : diagonalKernel(
          discretize({ A, B: complex(A.re.length), C: complex(A.re.length) }, dt, 'zoh'),
          LENGTH,
        );
  const largest = Math.max(...kernel.map(Math.abs));
  return kernel.map((value) => value / largest);
}

const STEPS: Axis = { min: 0, max: LENGTH, ticks: [0, 100, 200, 300, 400], format: String };
const RESPONSE: Axis = { min: -1, max: 1, ticks: [-1, 0, 1], format: String };

/** Before training: what the initialisations of the field's state matrices remember of one input. */
export function ImpulseResponse() {
  const [name, setName] = useState<Initialisation>('S4D-Lin');
  const [power, setPower] = useState(-2);
  const dt = 10 ** power;
  const kernel = useMemo(() => impulseResponse(name, dt), [name, dt]);
  return (
    <figure>
      <figcaption>
        <b>Where it began.</b> The response of a state space model of {STATES} states to a single input, as it
        is initialised. Half of it lies in the newest {memoryHalfLife(kernel)} of {LENGTH} steps.
      </figcaption>
      <div class="fields">
        <label>
          A
          <select value={name} onInput={(event) => setName(event.currentTarget.value as Initialisation)}>
            {Object.keys(INITIALISATIONS).map((key) => (
              <option key={key}>{key}</option>
            ))}
          </select>
        </label>
        <label>
          Δ = {dt.toPrecision(2)}
          <input
            type="range"
            min="-3"
            max="-1"
            step="0.05"
            value={power}
            onInput={(event) => setPower(event.currentTarget.valueAsNumber)}
          />
        </label>
      </div>
      <Plot
        title={`Impulse response of ${name}`}
        x={STEPS}
        y={RESPONSE}
        xLabel="steps after the input"
        height={180}
      >
        {(x, y) => (
          <path class="line mamba thin" d={path([...kernel].map((value, step) => [x(step), y(value)]))} />
        )}
      </Plot>
    </figure>
  );
}
