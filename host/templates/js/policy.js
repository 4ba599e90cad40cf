// The environment wins where it is set, and the other copies follow.
// @ts-check
import { Decision, policyOf, reading, sameSecret } from "./precedent.js";

export const policy = policyOf({
  name: "{{name}}",
  version: "0.1.0",

  decide(snapshot) {
    const decision = new Decision();
    const env = snapshot.location("env.api-key");
    const source = env?.presence === "plain" && !env.expired ? env : undefined;
    const why = source ? "the environment wins" : "no key in the environment";
    for (const consumer of snapshot.consumers) {
      const names = (consumer.attributes.reads ?? "").split(" ");
      const read = reading(names.map((name) => snapshot.location(name)));
      decision.verdict(consumer, read, source, why);
    }
    if (!source) {
      const message = "API_KEY is not set, or has expired; no copy is written";
      decision.finding("warning", "environment-not-set", message);
      return decision;
    }
    for (const copy of snapshot.locationsOf(source.credential)) {
      const follows = decision.writeUnlessEqual(source, copy, "follows the environment");
      if (!follows && !sameSecret(copy, source)) {
        const message = `${copy.label} does not follow: it cannot be written`;
        decision.finding("warning", "copy-left-alone", message, [copy]);
      }
    }
    return decision;
  },
});
