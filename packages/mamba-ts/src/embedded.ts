/**
 * The models that come with this package. Each folder's README.md is its card: the data, the command, the figures.
 *
 * - `tiny-shakespeare`: writes in the manner of Shakespeare's plays, byte by byte
 * - `induction-heads`: says what followed the special token, up to a million tokens ago
 * - `selective-copying`: repeats sixteen tokens that were scattered among thousands
 */
export const EMBEDDED_MODELS = ['tiny-shakespeare', 'induction-heads', 'selective-copying'] as const;
export type EmbeddedModel = (typeof EMBEDDED_MODELS)[number];

/** The folder of a model that comes with this package, for `MambaLM.fromPretrained`. */
export function embeddedModel(name: EmbeddedModel = 'tiny-shakespeare'): URL {
  // A folder: a bundler that resolves addresses of files would only warn.
  return new URL(/* @vite-ignore */ `../models/${name}/`, import.meta.url);
}
