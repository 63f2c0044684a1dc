/** Which of the two a pool lies on. */
import { MapperBacking } from './mapper-backing.ts';
import type { BackingContext, PoolBacking } from './pool-backing.ts';
import { ReflinkBacking } from './reflink-backing.ts';

export function backingOf(context: BackingContext): PoolBacking {
  const { place } = context.spec;
  return place.kind === 'device-mapper' ? new MapperBacking(context, place) : new ReflinkBacking(context, place);
}
