/* All of the suite but its registration with vitest: what a page, a worker or a script can import. */
export { type AuditOptions, audit, type Report } from './audit.js';
export type { FloatType } from './cases/case.js';
export type { Measurement, Tolerance } from './checks/check.js';
export { type Fixture, type FixtureCase, type FixtureName, fixture, fixtureFolder } from './figures/load.js';
export type { HostTensor } from './host.js';
export { measure } from './measure.js';
export type { ConformanceOptions, SuiteOptions } from './suite.js';
