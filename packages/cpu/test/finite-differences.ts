import type { Backend, Ops, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { floats } from '../src/cpu-tensor.js';
import { leaves, normal, relativeError, upload, values } from './host.js';

/** Central differences err by about STEP² and 1e-16 / STEP. */
const STEP = 3e-6;

/** Gradients smaller than this are held to an absolute error. */
const FLOOR = 1e-2;

type Op = (inputs: object) => unknown;
type Backward = (inputs: object, grads: object) => object;

/**
 * The worst relative error of an op's `Backward` in f64: every element of every gradient against central differences of
 * sum(w · outputs), with random weights w on all the outputs in `through` (path of the output -> path of its gradient,
 * `{ y: 'dy' }`). `shared`: inputs whose gradient goes by the name of another's. Throws if a gradient is missing, has no input, or has not its shape.
 */
export function gradientError(
  backend: Backend,
  op: keyof Ops,
  inputs: Readonly<Record<string, unknown>>,
  through: Readonly<Record<string, string>>,
  shared: Readonly<Record<string, string>> = {},
): { error: number; gradient: string } {
  return backend.scope(() => {
    const forward = backend.ops[op] as unknown as Op;
    const backward = backend.ops[`${op}Backward` as keyof Ops] as unknown as Backward;
    const uploaded = upload<object>(backend, inputs);
    const outputs = leaves<Tensor>(forward(uploaded));
    const random = new Random(1);
    const weights = new Map(
      Object.keys(through).map((path) => [path, normal(random, outputs.get(path)!.shape)] as const),
    );
    const grads = {};
    for (const [path, name] of Object.entries(through)) assign(grads, name, weights.get(path)!);
    const gradients = leaves<Tensor>(backward(uploaded, upload(backend, grads)));

    const loss = () =>
      backend.scope(() => {
        const out = leaves<Tensor>(forward(uploaded));
        let sum = 0;
        for (const [path, { data }] of weights) {
          const result = values(out.get(path)!);
          for (let i = 0; i < data.length; i++) sum += data[i] * result[i];
        }
        return sum;
      });

    let worst = { error: 0, gradient: '' };
    const nameOf = (path: string) => shared[path] ?? gradientName(path);
    const differentiable = new Map([...leaves<Tensor>(uploaded)].filter(([, x]) => x.dtype === 'f64'));
    for (const [path, x] of differentiable) {
      const gradient = gradients.get(nameOf(path));
      if (!gradient) throw new Error(`${op}: no gradient ${nameOf(path)}, only ${[...gradients.keys()]}`);
      if (`${gradient.shape}` !== `${x.shape}`) {
        throw new Error(`${op}: ${nameOf(path)} has shape [${gradient.shape}], ${path} has [${x.shape}]`);
      }
      const data = floats(x);
      const numeric = values(x).map((value, i) => {
        data[i] = value + STEP;
        const up = loss();
        data[i] = value - STEP;
        const down = loss();
        data[i] = value;
        return (up - down) / (2 * STEP);
      });
      const error = relativeError(values(gradient), numeric, FLOOR);
      if (!(error <= worst.error)) worst = { error, gradient: nameOf(path) };
    }
    const names = new Set([...differentiable.keys()].map(nameOf));
    for (const name of gradients.keys())
      if (!names.has(name)) throw new Error(`${op}: ${name} is the gradient of nothing`);
    return worst;
  });
}

/** `u` -> `du`, `A.re` -> `dA.re`, `deltaBias` -> `dDeltaBias`, but `delta` -> `ddelta`, as the contract has them. */
function gradientName(path: string): string {
  const capital = /^(deltaBias|initialState)/.test(path);
  return `d${capital ? path[0].toUpperCase() + path.slice(1) : path}`;
}

function assign(target: Record<string, unknown>, path: string, value: unknown): void {
  const [head, ...rest] = path.split('.');
  if (rest.length === 0) target[head] = value;
  else {
    target[head] ??= {};
    assign(target[head] as Record<string, unknown>, rest.join('.'), value);
  }
}
