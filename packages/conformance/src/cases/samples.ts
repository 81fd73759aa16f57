import type { HostTensor } from '../host.js';
import { type AnyOp, leaves, type OpCase } from './case.js';
import { FAMILIES } from './families.js';

/** Shapes are not in question here: small ones are enough. */
const LIMITS = { maxLength: 17 };

let made: ReadonlyMap<AnyOp, OpCase> | undefined;

/** One case of each op, with as many of its inputs given as it has: for what must hold of every op. */
export function samples(): ReadonlyMap<AnyOp, OpCase> {
  made ??= choose();
  return made;
}

function choose(): ReadonlyMap<AnyOp, OpCase> {
  const found = new Map<AnyOp, OpCase>();
  for (const family of FAMILIES) {
    for (const c of family.directed(LIMITS)) {
      const best = found.get(c.op);
      if (best === undefined || richness(c) > richness(best)) found.set(c.op, c);
    }
  }
  return found;
}

/** Groups and complex numbers come in their own cases: here each input is one tensor of the usual shape. */
function richness({ inputs, grads, name }: OpCase): number {
  const tensors = leaves({ inputs, grads }) as [string, HostTensor][];
  const rank = (name: string) => (inputs[name] as HostTensor | undefined)?.shape?.length ?? 0;
  const grouped = rank('B') > rank('u');
  const plain =
    !grouped && !/complex|weight|i32/.test(name) && tensors.every(([, { data }]) => data.length > 0);
  const axes = tensors.reduce((sum, [, { shape }]) => sum + shape.length, 0);
  return (plain ? 100 : 0) + tensors.length + axes / 100;
}
