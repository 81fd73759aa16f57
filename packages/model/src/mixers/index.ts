import type { MambaConfig } from '../config/config.js';
import type { Mixer } from './mixer.js';
import { s4d } from './s4d.js';
import { s6 } from './s6.js';

const mixers: Record<MambaConfig['mixer'], Mixer> = { s6, s4d };

export function mixerOf(config: MambaConfig): Mixer {
  return mixers[config.mixer];
}
