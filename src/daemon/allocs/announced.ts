/** For tests that inject faults: an object that tells of each call of one of its methods before it is made. */

export function announced<Target extends object>(target: Target, onCall: (method: string) => void): Target {
  return new Proxy(target, {
    get(_, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...parameters: readonly unknown[]): unknown => {
        onCall(String(name));
        return Reflect.apply(value, target, parameters);
      };
    },
  });
}
