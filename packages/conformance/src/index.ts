export { type ConformanceTestOptions, conformance } from './conformance.js';
export * from './without-vitest.js';
