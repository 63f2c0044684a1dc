import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifests } from '../../../src/projection/manifests/parse-manifests.ts';

const projection = (limit: string): string =>
  `apiVersion: dunnage/v1\nkind: Projection\nmetadata: {name: web}\nspec: {files: []${limit}}`;
const configMap = (annotations: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web${annotations}}\ndata: {a: b}`;
const limitOf = (yaml: string): number | undefined => parseManifests(yaml)[0]?.historyLimit;

describe('the number of generations to keep', () => {
  it('is spec.historyLimit of a Projection, and an annotation of other objects', () => {
    assert.equal(limitOf(projection(', historyLimit: 3')), 3);
    assert.equal(limitOf(configMap(', annotations: {dunnage/history-limit: "100"}')), 100);
  });

  it('may be left out', () => {
    for (const yaml of [
      projection(''),
      projection(', historyLimit: null'),
      configMap(''),
      configMap(', annotations: {}'),
    ]) {
      assert.equal(limitOf(yaml), undefined);
    }
  });

  for (const wrong of ['0', '101', '-1', '1.5', '"3"', 'many', '[]']) {
    it(`is refused as ${wrong}`, () => {
      assert.throws(() => limitOf(projection(`, historyLimit: ${wrong}`)), {
        code: 'INVALID_MANIFEST',
        message: /spec\.historyLimit: must be a whole number from 1 to 100/,
      });
    });
  }

  for (const wrong of ['"0"', '"101"', '"1.5"', '" 3"', '"0x3"', '""']) {
    it(`is refused as the annotation ${wrong}`, () => {
      assert.throws(() => limitOf(configMap(`, annotations: {dunnage/history-limit: ${wrong}}`)), {
        code: 'INVALID_MANIFEST',
        message: /metadata\.annotations\["dunnage\/history-limit"\]: must be a whole number/,
      });
    });
  }

  it('as an annotation must be a string, like every annotation', () => {
    assert.throws(() => limitOf(configMap(', annotations: {dunnage/history-limit: 3}')), { code: 'INVALID_MANIFEST' });
  });
});
