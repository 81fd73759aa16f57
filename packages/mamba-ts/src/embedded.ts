/**
 * The folder of the model that comes with this package: a byte-level Mamba trained on Shakespeare's plays. Its card,
 * README.md in that folder, has the data, the command and the losses.
 */
export function embeddedModel(): URL {
  // A folder: a bundler that resolves addresses of files would only warn.
  return new URL(/* @vite-ignore */ '../models/tiny-shakespeare/', import.meta.url);
}
