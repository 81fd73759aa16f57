import type { AnyOp } from './case.js';
import { conv } from './conv.js';
import { add, exp, fill, mul, silu } from './elementwise.js';
import type { Family } from './family.js';
import { embedding, linear } from './linear.js';
import { argmax, crossEntropy } from './loss.js';
import { mambaStep } from './mamba-step.js';
import { layerNorm, rmsNorm } from './norm.js';
import { adamW, gradNorm } from './optimizer.js';
import { longConv, recurrence, s4dKernel } from './recurrence.js';
import { sample } from './sample.js';
import { scan } from './scan.js';
import { shapes } from './shape.js';

/** Every op of the contract is in one of these (a test says so). */
export const FAMILIES: readonly Family[] = [
  embedding,
  linear,
  rmsNorm,
  layerNorm,
  conv,
  scan,
  recurrence,
  s4dKernel,
  longConv,
  add,
  mul,
  silu,
  exp,
  fill,
  shapes,
  crossEntropy,
  argmax,
  gradNorm,
  adamW,
  mambaStep,
  sample,
];

export const OP_NAMES: readonly AnyOp[] = FAMILIES.flatMap(({ ops }) => ops);
