/** The checks of the catalog, in the order in which they must run: what one mends the next relies on. */
import type { Check } from '../../store/check/finding.ts';
import type { CatalogScene } from './catalog-scene.ts';
import { generationsCheck } from './generations-check.ts';
import { linksCheck } from './links-check.ts';
import { liveCheck } from './live-check.ts';
import { nodeCounterCheck } from './node-counter-check.ts';
import { projectionsCheck } from './projections-check.ts';
import { rolesCheck } from './roles-check.ts';
import { settingsCheck } from './settings-check.ts';

export function catalogChecks(scene: CatalogScene): readonly Check[] {
  return [
    generationsCheck(scene),
    projectionsCheck(scene),
    rolesCheck(scene),
    linksCheck(scene),
    liveCheck(scene),
    settingsCheck(scene),
    nodeCounterCheck(scene),
  ];
}
