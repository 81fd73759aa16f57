export { type Fixture, type FixtureCase, type FixtureName, fixture, fixtureFolder } from './figures/load.js';
export type { HostTensor } from './host.js';
