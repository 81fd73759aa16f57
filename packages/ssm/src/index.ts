export { type DtInitOptions, initDt, initDtBias, inverseSoftplus } from './dt-init.js';
export { Random } from './random.js';
export { s4dReal, s4dRealALog } from './s4d-init.js';
