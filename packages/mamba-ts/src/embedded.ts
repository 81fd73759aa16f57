/**
 * The folder of the model that comes with this package: a byte-level Mamba trained on Shakespeare's plays. Its card,
 * README.md in that folder, has the data, the command and the losses.
 */
export function embeddedModel(): URL {
  return new URL('../models/tiny-shakespeare/', import.meta.url);
}
